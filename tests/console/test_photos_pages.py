"""The pages of photos show them by time, place, folder and likeness, and take decisions down."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import event

from lading.accounts.values import Role
from lading.console.app import open_console
from lading.console.readers.alike_watch import AlikeWatch
from lading.console.readers.photos import read_photos, read_timeline
from lading.console.readers.photos_alike import read_groups
from lading.console.readers.photos_folders import read_folder
from lading.console.readers.photos_places import Area, read_places
from lading.ledger.likeness_events import AlikeDecided
from lading.ledger.queries import find_batch, list_events
from lading.testing.console_imported import take_in
from lading.testing.console_photos import (
    BURST,
    DATED,
    LARGE,
    ODD,
    PHOTOS,
    SMALL,
    TRIPS,
    UNDATED,
    UNREADABLE,
    WRONG_CLOCK,
    tree_of,
)
from tests.console.browser.serving import Served
from tests.console.visitor import Element, Sight, Visitor, visiting, work_on
from tests.media.written import dng, write_video

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("photos")


@pytest.fixture(scope="module")
def visitor(looked_at: Served) -> Iterator[Visitor]:
    with visiting(looked_at) as one:
        yield one


def names(sight: Sight) -> list[str]:
    """What the tiles of the page are called."""
    return names_in(sight.main)


def names_in(section: Element) -> list[str]:
    """What the tiles of a part of a page are called."""
    return [tile.one("b").text for tile in section.all("a", class_="tile")]


def stretches(sight: Sight, label: str) -> dict[str, int]:
    """How many photos the page says there are in each year, month or day."""
    found = {}
    for link in sight.main.one("nav", aria_label=label).all("a"):
        count = link.one("span", class_="count").text
        found[link.text.removesuffix(count).strip()] = int(count)
    return found


def base(path: str) -> str:
    return path.rpartition("/")[2]


def test_without_a_source_every_page_says_how_to_configure_one(served: GetServed) -> None:
    with visiting(served("empty")) as without:
        assert "/photos" not in without.get("/").links().values()
        for page in ("/photos", "/photos/places", "/photos/folders", "/photos/duplicates"):
            assert "No photos source is configured" in without.get(page).text, page


def test_the_timeline_goes_by_the_clock_where_each_was_taken(visitor: Visitor) -> None:
    sight = visitor.get("/photos?on=2024")
    years = stretches(sight, "Years")
    assert list(years) == ["2024", "2023", "2022"]
    assert sum(years.values()) == DATED
    assert years["2022"] == TRIPS[0][-1]
    # In UTC it was taken in the year before.
    assert stretches(sight, "Months")["January 2024"] == 1
    assert names(visitor.get("/photos?on=2024-01-01")) == ["new-year.jpg"]
    assert "Nothing was taken then" in visitor.get("/photos?on=2023-12-31").text
    # The film and the odd name stand among the others, as text.
    assert {"bees.mp4", base(ODD)} <= set(names(visitor.get("/photos?on=2024-03")))
    assert names(visitor.get("/photos")) == [f"img_{number:03}.jpg" for number in range(5, -1, -1)]


def test_what_has_no_time_or_an_impossible_one_is_kept_apart(visitor: Visitor) -> None:
    sight = visitor.get("/photos?on=undated")
    assert stretches(sight, "Without a time") == {"Undated": 2, "Clock looks wrong": 2}
    assert set(names(sight)) == {base(each) for each in UNDATED}
    wrong = visitor.get("/photos?on=clock")
    assert set(names(wrong)) == {base(each) for each in WRONG_CLOCK}
    [late] = [url for name, url in wrong.links().items() if name.startswith("tomorrow")]
    asset = visitor.get(late).text
    assert "2099:05:05 00:00:00 (EXIF, when it was taken): in the future" in asset
    assert "It states no time that can be believed." in asset
    for given in ("2024-13", "2024-02-30", "0000", "9999", "x"):
        assert f"Ignored in the address: on={given}" in visitor.get(f"/photos?on={given}").text


def test_pages_of_pictures_go_on_and_back_and_pictures_load_when_they_are_seen(
    looked_at: Served, visitor: Visitor
) -> None:
    db = looked_at.lading.db
    seen: list[str] = []
    cursor = None
    while True:
        page = read_photos(db, "2023", cursor=cursor, limit=8)
        seen += [card.content_hash for card in page.cards]
        cursor = page.next_cursor
        if cursor is None:
            break
    whole = read_photos(db, "2023", limit=100)
    assert seen == [card.content_hash for card in whole.cards]
    assert len(set(seen)) == whole.count.value == stretches(visitor.get("/photos"), "Years")["2023"]
    sight = visitor.get("/photos?on=2023")
    pictures = sight.main.one("ul", class_="grid").all("img")
    assert all(image.attributes["alt"] and image.attributes["width"] for image in pictures)
    assert {image.attributes.get("loading") for image in pictures[12:]} == {"lazy"}
    answer = visitor.client.get(pictures[0].attributes["src"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in answer.headers["cache-control"]


def test_places_gather_what_is_near_and_lead_nearer(visitor: Visitor) -> None:
    rows = visitor.get("/photos/places").rows("Places")
    assert [row["Photos"] for row in rows] == ["17", "14", "6"]
    sight = visitor.get("/photos/places")
    assert [row["Place"].split(",")[0] for row in rows] == ["Norway", "Portugal", "Fiji"]
    # By the clock of the place: at Fiji it was the next day already, though not in UTC.
    assert [row["First taken"] for row in rows] == ["2023-07-03", "2022-05-14", "2024-11-02"]
    assert "Dates are by the clock of where each was taken." in sight.text
    drawn = [link.attributes["href"] for link in sight.main.one("svg", class_="world-map").all("a")]
    assert len(drawn) == 4  # that of Fiji at both edges of the map
    assert set(drawn) == {url for name, url in sight.links().items() if "°" in name}
    [suva] = [url for name, url in sight.links().items() if name.endswith("178.4344° E")]
    nearer = visitor.get(suva)
    assert sum(int(row["Photos"]) for row in nearer.rows("Places")) == 6
    assert len(nearer.rows("Places")) > 1
    assert len(names(nearer)) == 6
    picture = visitor.get(nearer.main.all("a", class_="tile")[0].attributes["href"])
    [place] = [url for name, url in picture.links().items() if "° S" in name]
    assert "img_005.jpg" in names(visitor.get(place))
    assert "No photo was taken here" in visitor.get("/photos/places?bbox=0,0,1,1").text
    assert "Ignored in the address: bbox=1,2" in visitor.get("/photos/places?bbox=1,2").text


def test_an_area_may_cross_the_180th_meridian(looked_at: Served) -> None:
    across = read_places(looked_at.lading.db, Area(170, -30, -170, 0))
    assert [cluster.count for cluster in across.clusters] == [6]
    other_way = read_places(looked_at.lading.db, Area(-170, -30, 170, 0))
    assert other_way.clusters == []


def test_folders_count_what_is_below_and_name_what_was_not_taken_in(visitor: Visitor) -> None:
    [root] = visitor.get("/photos/folders").rows("Sources of photos")
    assert (root["Source"], root["Photos"], root["Not taken in"]) == (PHOTOS, "61", "1")
    rows = {row["Folder"]: row for row in visitor.get("/photos/folders/home").rows("Folders in it")}
    assert list(rows) == ["2022", "2023", "2024", "backup", "old camera", "scans"]
    assert (rows["2024"]["Photos"], rows["2024"]["Not taken in"]) == ("21", "1")
    assert rows["2022"]["State"] == "no pictures of its own"
    garden = visitor.get("/photos/folders/home/2024/garden")
    [broken] = garden.rows("Files that were not taken in")
    assert (broken["File"], broken["Outcome"]) == (base(UNREADABLE), "Failed")
    assert broken["Why"].startswith("the content is damaged")
    assert len(names(garden)) == 14
    assert "old camera" in visitor.get("/photos/folders/home/old%20camera").heading
    for missing in ("nowhere", "home/2021", "home/202", "home/%2e%2e"):
        visitor.get(f"/photos/folders/{missing}", status=404)


def test_a_folder_is_scanned_from_its_page(serve_own: GetServed) -> None:
    own = serve_own("photos")
    shutil.copy(tree_of(own.lading) / LARGE, tree_of(own.lading) / "scans/new.jpg")
    with visiting(own) as operator:
        sight = operator.press(operator.get("/photos/folders/home/scans"), "Scan home now")
        assert sight.path == "/photos/folders/home/scans"
        assert "Scanning home" in sight.text
        work_on(own, "scan")
        take_in(own.lading, PHOTOS)
        assert "new.jpg" not in names(operator.get("/photos/folders/home/scans"))
        [row] = [
            row
            for row in operator.get("/photos/duplicates?kind=same").rows("Same content")
            if "lake" in row["Photo"]
        ]
        assert row["Where"] == "home/2023/lake.jpg home/scans/new.jpg"
        assert "lake.jpg" in names(operator.get("/photos/folders/home/scans"))


def test_a_tile_bears_the_marks_of_its_raw_and_of_its_film(serve_own: GetServed) -> None:
    own = serve_own("photos")
    root = tree_of(own.lading)
    (root / LARGE).with_suffix(".dng").write_bytes(dng())
    identifier = {"com.apple.quicktime.content.identifier": "5B1F9A40-2E3C-4F0B"}
    write_video((root / SMALL).with_suffix(".mov"), frames=3, metadata=identifier)
    take_in(own.lading, PHOTOS)
    with visiting(own) as viewer:
        shown = viewer.get("/library/assets?q=lake").main.all("a", class_="tile")
    marks = {
        tile.one("b").text: [(mark.text, mark.attributes["title"]) for mark in tile.all("abbr")]
        for tile in shown
    }
    assert marks[base(LARGE)] == [("+ RAW", "Has a RAW beside it")]
    assert marks[base(SMALL)] == [("live", "Has a short film beside it")]
    assert marks["lake.dng"] == marks["lake-small.mov"] == []


def test_assets_are_narrowed_to_a_camera_and_selected_so(visitor: Visitor) -> None:
    page = visitor.get("/library/assets?camera=X100&limit=100")
    choice = page.main.one("select", name="camera")
    assert [(one.text, "selected" in one.attributes) for one in choice.all("option")] == [
        ("Any", False),
        ("X100", True),
    ]
    taken = set(names(page))
    assert {base(LARGE), base(ODD)} <= taken
    assert not {base(name) for name in UNDATED} & taken
    [everything] = [
        one.attributes["formaction"]
        for one in visitor.get("/library/assets?camera=X100&limit=25").main.all("button")
        if "data-select-all" in one.attributes
    ]
    assert dict(parse_qsl(urlsplit(everything).query))["camera"] == "X100"
    listed = visitor.client.get("/api/v1/assets?camera=X100&limit=100").json()
    assert {one["title"] for one in listed["items"]} == taken
    assert visitor.client.get("/api/v1/assets?camera=X1000").json()["items"] == []


def test_folders_have_their_paths_in_headings_crumbs_and_lists(serve_own: GetServed) -> None:
    own = serve_own("photos")
    deep = "trips/Portugal 2022/Lisbon and Porto/the second week"
    folder = tree_of(own.lading) / deep
    folder.mkdir(parents=True)
    shutil.copy(tree_of(own.lading) / LARGE, folder)
    take_in(own.lading, PHOTOS)
    with own.lading.db.read() as conn:
        short, long = find_batch(conn, "2024/garden"), find_batch(conn, deep)
    with visiting(own) as viewer:
        page = viewer.get(f"/import/batches/{short.id}")
        assert page.main.one("h1").text == "Batch 2024/garden"
        assert "Batch 2024/garden, items" in page.root.one("title").text
        crumbs = viewer.get(f"/import/batches/{short.id}/items/1").main.one("nav", class_="crumbs")
        assert [link.text for link in crumbs.all("a")] == ["Import media", "Batch 2024/garden"]
        heading = viewer.get(f"/import/batches/{long.id}").main.one("h1").one("span")
        assert (heading.text, heading.attributes["title"]) == (
            "…/Lisbon and Porto/the second week",
            deep,
        )
        for address in ("/import", "/jobs?view=done"):
            links = {one.text for one in viewer.get(address).main.all("a")}
            assert {"2024/garden", "…/Lisbon and Porto/the second week"} <= links, address


def test_what_looks_alike_is_grouped_with_the_best_first(visitor: Visitor) -> None:
    sight = visitor.get("/photos/duplicates")
    groups = [names_in(section) for section in sight.main.all("section", class_="card")]
    assert sorted(map(sorted, groups)) == sorted(
        [sorted([base(LARGE), base(SMALL)]), sorted(base(each) for each in BURST)]
    )
    [lake] = [group for group in groups if base(LARGE) in group]
    assert lake[0] == base(LARGE)
    assert "It has the most pixels." in sight.text
    assert "6 % of the pixels" in sight.text
    assert "taken in one breath" in sight.text
    [same] = visitor.get("/photos/duplicates?kind=same").rows("Same content")
    assert same["Where"] == "home/2022/lisbon/img_000.jpg home/backup/2022/img_000.jpg"


def test_a_decision_is_remembered_and_what_it_trashed_comes_back_with_every_file_there(
    serve_own: GetServed,
) -> None:
    own = serve_own("photos")
    files = sorted(path for path in tree_of(own.lading).rglob("*") if path.is_file())
    with visiting(own) as operator:
        page = operator.get("/photos/duplicates")
        lake = next(
            index
            for index, section in enumerate(page.main.all("section", class_="card"))
            if base(LARGE) in names_in(section)
        )
        told = operator.press(page, "Trash the others", index=lake)
        assert "Moved 1 asset to the trash" in told.text
        assert base(SMALL) not in names(operator.get("/photos?on=2023-08"))
        kept = operator.press(operator.get("/photos/duplicates"), "Keep all")
        assert "Nothing looks alike that was not decided about" in kept.text
        burst, lakes = operator.get("/photos/duplicates?kind=decided").rows("Decided")
        assert (burst["Decision"], lakes["Decision"]) == ("Keep all", "Trash the others")
        assert f"{base(LARGE)} kept" in lakes["Photos"]
        assert f"{base(SMALL)} in trash" in lakes["Photos"]
        undone = operator.press(operator.get(f"/operations/{lakes['Operation']}"), "Undo")
        assert "1" in undone.text
        assert base(SMALL) in names(operator.get("/photos?on=2023-08"))
        # Not asked about again, by another process neither.
        assert not read_groups(open_console(own.lading)).groups
    assert sorted(path for path in tree_of(own.lading).rglob("*") if path.is_file()) == files
    with own.lading.db.read() as conn:
        said = list_events(conn, kinds=[AlikeDecided.kind])
    assert [each.payload["decision"] for each in said] == ["trash_others", "keep_all"]
    assert {each.actor for each in said} == {"user:otto"}


def test_who_only_looks_is_offered_no_decision_and_may_make_none(looked_at: Served) -> None:
    with visiting(looked_at, Role.VIEWER) as viewer:
        sight = viewer.get("/photos/duplicates")
        assert "Keep all" not in sight.buttons()
        assert not sight.main.all("input", name="keep")
        viewer.post("/photos/duplicates", {"decision": "keep_all"}, status=403)
        assert "Scan home now" not in viewer.get("/photos/folders").buttons()


def test_a_page_costs_as_many_statements_for_few_photos_as_for_many(looked_at: Served) -> None:
    console, db = open_console(looked_at.lading), looked_at.lading.db

    def cost(read: Callable[[], object]) -> int:
        statements: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
            statements.append(statement)

        with db.read() as conn:
            engine = conn.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            read()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    assert cost(lambda: read_photos(db, "2023", limit=3)) == cost(lambda: read_photos(db, "2023"))
    assert cost(lambda: read_timeline(db)) <= 3
    few, more = (
        cost(lambda: read_folder(console, "home/scans")),
        cost(lambda: read_folder(console, "home/2024/garden")),
    )
    assert few == more
    console = open_console(looked_at.lading)
    first = cost(lambda: read_groups(console))
    assert cost(lambda: read_groups(console)) == first - 1  # what was found is kept


def test_what_was_found_stands_until_the_ledger_grew(serve_own: GetServed) -> None:
    own = serve_own("photos")
    watch = AlikeWatch(kept_s=0)
    db = own.lading.db
    with db.read() as conn:
        before = watch.undecided(conn)
    data = (tree_of(own.lading) / LARGE).read_bytes()
    (tree_of(own.lading) / "2023/again.jpg").write_bytes(data + b"\0")
    with db.read() as conn:
        assert watch.undecided(conn) == before
    take_in(own.lading, PHOTOS)
    with db.read() as conn:
        sizes = sorted(len(group.members) for group in watch.undecided(conn))
    assert sizes == [3, 3]
