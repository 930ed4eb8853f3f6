"""The library as people look through it: assets, galleries, and the trash (A17, A18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from lading.accounts.values import Role
from lading.console.readers.assets import AssetDetail, read_asset
from lading.console.readers.library import AssetCard, ContainerDetail, read_container
from lading.console.security.headers import POLICY
from lading.ledger.tables import ingest_batch
from lading.library.tables import asset, asset_collection, asset_gallery
from lading.library.trash import retire_batch
from lading.library.values import ContainerRef
from lading.library.visibility import visible_assets
from lading.testing.bundles import BundlePublisher
from lading.testing.console_imported import take_in, upstream_of
from lading.testing.seed_57 import SOURCE
from tests.console.browser.serving import Served
from tests.console.visitor import Element, Sight, Visitor, visiting

Serve = Callable[[str], Served]
LAKE = ContainerRef("collection", "lake")


def assets_of(served: Served) -> dict[str, tuple[int, str]]:
    """Number and content hash of every asset by its title, also of those in the trash."""
    with served.lading.db.read() as conn:
        rows = conn.execute(select(asset.c.title, asset.c.id, asset.c.content_hash))
        return {row.title: (row.id, row.content_hash) for row in rows}


def tiles(sight: Sight, label: str = "Assets") -> list[Element]:
    lists = [e for tag in ("ul", "ol") for e in sight.main.all(tag, aria_label=label)]
    assert len(lists) == 1
    return [e for e in lists[0].parts if isinstance(e, Element)]


def names(sight: Sight, label: str = "Assets") -> list[str]:
    return [tile.one("b").text for tile in tiles(sight, label)]


def detail(served: Served, content_hash: str) -> AssetDetail:
    """All that the page of an asset knows of it, but what happened to it and when."""
    found = read_asset(served.lading.db, content_hash)
    row = replace(found.card.asset, updated_at=found.card.asset.created_at)
    card, view = replace(found.card, asset=row), replace(found.view, asset=row)
    return replace(found, card=card, view=view, history=())


def contents(served: Served, ref: ContainerRef) -> ContainerDetail:
    """The same of a container."""
    found = read_container(served.lading.db, ref)
    row = replace(found.card.container, updated_at=found.card.container.created_at)
    members = [
        line if line.card is None else replace(line, card=detail_card(line.card))
        for line in found.members
    ]
    return replace(found, card=replace(found.card, container=row), members=members, history=())


def detail_card(card: AssetCard) -> AssetCard:
    return replace(card, asset=replace(card.asset, updated_at=card.asset.created_at))


def test_the_grid_holds_every_asset_with_a_picture_that_keeps_its_place(served: Serve) -> None:
    console = served("imported")
    with visiting(console, Role.VIEWER) as vera:
        page = vera.get("/library/assets")
    with console.lading.db.read() as conn:
        live = conn.scalars(select(asset.c.title).where(asset.c.deleted_at.is_(None))).all()
    assert sorted(names(page)) == sorted(live)
    assert f"{len(live)} assets" in page.text
    pictures = page.main.all("img")
    assert len(pictures) == len(live)
    for picture in pictures:
        assert picture.attributes["width"]
        assert picture.attributes["height"]
        assert picture.attributes["alt"]
        assert picture.attributes["src"].startswith("/media/assets/")
    # Those that are seen at once are not put off.
    assert [p.attributes.get("loading") for p in pictures[11:13]] == [None, "lazy"]
    assert {p.attributes.get("loading") for p in pictures[13:]} == {"lazy"}
    film = next(t for t in tiles(page) if t.one("b").text == "A day at the lake")
    assert "0:06" in film.text
    assert "CC" in film.text
    assert "Film (video simple)" in film.text


def test_the_list_has_the_facts_in_columns_and_the_way_it_is_shown_is_kept(served: Serve) -> None:
    with visiting(served("imported"), Role.VIEWER) as vera:
        page = vera.get("/library/assets?view=list&sort=captured")
        rows = page.rows("Assets")
        again = vera.press(page, "Filter", fill={"q": "snow"})
    assert list(rows[0]) == [
        "Title", "Kind", "Sites", "Files", "Bytes", "Imported", "Updated", "State",
    ]  # fmt: skip
    assert (
        rows[0]["Title"] == "First light 2026-05-01 05:48:00 +02:00"
        or "05:30:00 +02:00" in (rows[0]["Title"])
    )
    assert "view=list" in again.path
    assert sorted(row["Title"].rpartition(" 2026")[0] for row in again.rows("Assets")) == [
        "Late snow",
        "Snow at dusk",
    ]
    assert "Search: snow" in again.text


def test_a_site_narrows_the_lists_to_what_it_sees_and_nothing_else(served: Serve) -> None:
    console = served("imported")
    with visiting(console, Role.VIEWER) as vera:
        everything = vera.get("/library/assets")
        assert "No site selected" in everything.text
        for key in ("north", "south"):
            page = vera.press(everything, "Show", fill={"site": key})
            with console.lading.db.read() as conn:
                seen = visible_assets(conn, key, limit=200).assets
            assert names(page) == [row.facts.title for row in seen]
            assert f"{len(seen)} assets" in page.text
        south = vera.get("/library/collections?site=south")
        north = vera.get("/library/collections?site=north")
        unknown = vera.get("/library/assets?site=west")
    assert names(south, "Collections") == ["All of the lake"]
    assert "This site shows none" in north.text
    assert south.links()["Assets"] == "/library/assets?site=south"
    assert "site=west" in unknown.text
    assert names(unknown) == names(everything)


def test_facets_count_the_whole_list_and_filters_say_what_they_are(served: Serve) -> None:
    with visiting(served("imported"), Role.VIEWER) as vera:
        page = vera.get("/library/assets")
        facets = page.main.one("nav", aria_label="Kinds of assets")
        counts = {a.text.rpartition(" ")[0]: int(a.one("span").text) for a in facets.all("a")[1:]}
        films = vera.get(page.links()[f"Film (video simple) {counts['Film (video simple)']}"])
        silent = vera.get("/library/assets?type=video&transcript=no")
        nothing = vera.get("/library/assets?q=nothing+is+called+so")
        odd = vera.get("/library/assets?transcript=perhaps&arrived_after=tomorrow")
    assert sum(counts.values()) == len(tiles(page))
    assert len(tiles(films)) == counts["Film (video simple)"]
    assert "Nothing matches" in silent.text
    assert "Transcript: without" in silent.text
    assert nothing.links()["Clear the filters"] == "/library/assets"
    assert "transcript=perhaps" in odd.text
    assert "arrived_after=tomorrow" in odd.text


def test_an_empty_library_says_what_to_do_first(served: Serve) -> None:
    with visiting(served("empty"), Role.VIEWER) as vera:
        page = vera.get("/library/assets")
        galleries = vera.get("/library/galleries")
        sites = vera.get("/library/sites")
        trash = vera.get("/library/trash")
    assert page.links()["Import media"] == "/import"
    assert "No galleries yet" in galleries.text
    assert "No site is set up" in sites.text
    assert "The trash is empty of assets" in trash.text


def test_what_is_ticked_is_shown_on_a_site_and_put_in_a_package(serve_own: Serve) -> None:
    served = serve_own("imported")
    known = assets_of(served)
    chosen = [known[name][0] for name in ("The pass", "Late snow")]
    with visiting(served) as otto:
        page = otto.press(
            otto.get("/library/assets"), "Show on site", tick=chosen, fill={"site": "north"}
        )
        assert "Put 2 assets on the site north." in page.text
        assert "The pass" in names(otto.get("/library/assets?site=north"))
        page = otto.press(page, "Undo")
        assert "The pass" not in names(otto.get("/library/assets?site=north"))
        page = otto.press(
            otto.get("/library/assets?view=list"),
            "Add to package",
            tick=chosen,
            fill={"package": "lake-package"},
        )
        assert "Added 2 assets to the package lake-package." in page.text
        assert "view=list" in page.path
        assert "Late snow" in otto.get("/library/packages/lake-package").text


def test_all_that_match_are_those_that_matched_when_they_were_selected(serve_own: Serve) -> None:
    served = serve_own("imported")
    with visiting(served) as otto:
        page = otto.get("/library/assets?type=photo&limit=50")
        count = len(tiles(page))
        # A page that shows them all offers no more; the address that it would use does.
        chosen = otto.post("/selections/new?all=1&resource=assets&types=photo", {})
        later = BundlePublisher(upstream_of(served.lading), seed=77).bundle()
        later.photo("later", title="Came later")
        later.publish()
        take_in(served.lading, SOURCE)
        page = otto.press(otto.get(chosen.path), "Move to trash")
        assert f"Moved {count} assets to the trash." in page.text
        assert names(otto.get("/library/assets?type=photo")) == ["Came later"]


def test_an_asset_is_shown_with_its_files_and_where_it_is_used(served: Serve) -> None:
    console = served("imported")
    _, film = assets_of(console)["A day at the lake"]
    with visiting(console, Role.VIEWER) as vera:
        page = vera.get(f"/library/assets/{film}")
        files = page.main.one("div", role="region", aria_label="Files").one("table")
        other = {
            tab: vera.get(f"/library/assets/{film}/{tab}")
            for tab in ("renditions", "ai", "provenance", "history")
        }
    video = page.main.one("video")
    assert video.attributes["preload"] == "metadata"
    assert video.attributes["poster"].startswith("/media/assets/")
    types = [source.attributes["type"] for source in video.all("source")]
    assert types == ["video/mp4", "application/vnd.apple.mpegurl"]
    assert video.one("track").attributes["kind"] == "captions"
    assert "2026-05-01 05:30:00 +02:00" in page.text
    assert page.links()["Southern reading room"] == "/library/sites/south"
    assert page.links()["All of the lake"].startswith("/library/collections/")
    paths = [code.text for code in files.all("code", class_="path")]
    assert "original/day.mp4" in paths
    assert "hls/playlist.m3u8" in paths
    save = next(a for a in page.main.all("a") if a.text == "Save")
    assert save.attributes["href"].endswith("&download=1")
    renditions = {r["Rendition"]: r["State"] for r in other["renditions"].rows("Renditions")}
    assert renditions["Transcript"] == "Present"
    assert '"file_name": "day.mp4"' in other["provenance"].main.one("pre").text
    assert SOURCE in other["provenance"].links()
    assert "Batch found" in other["history"].text
    titles = {vera_page.root.one("title").text for vera_page in [page, *other.values()]}
    assert len(titles) == 5


def test_what_an_asset_usually_has_and_has_not_is_said(serve_own: Serve) -> None:
    served = serve_own("empty")
    bundle = BundlePublisher(upstream_of(served.lading), seed=3).bundle()
    bare = bundle.photo("bare", title="Bare", derivatives=())
    bundle.publish()
    take_in(served.lading, SOURCE)
    with visiting(served, Role.VIEWER) as vera:
        page = vera.get(f"/library/assets/{bare}/renditions")
        runs = vera.get(f"/library/assets/{bare}/ai")
    states = {row["Rendition"]: row["State"] for row in page.rows("Renditions")}
    assert states["Original"] == "Present"
    assert states["Derivatives"] == "Not here"
    labels = {section.one("h2").text for section in runs.main.all("section", class_="document")}
    assert labels == {run.label for run in read_asset(served.lading.db, bare).ai_runs}
    assert labels


def test_the_way_through_a_list_is_the_list(served: Serve) -> None:
    with visiting(served("imported"), Role.VIEWER) as vera:
        listed = vera.get("/library/assets?type=photo&sort=captured&site=south")
        wanted = names(listed)
        first = tiles(listed)[0].one("a").attributes["href"]
        page = vera.get(first)
        walked = [page.heading]
        while "Next" in page.links():
            page = vera.get(page.links()["Next"])
            walked.append(page.heading)
        back = page.links()["Assets"]
        assert names(vera.get(back)) == wanted
    assert walked == wanted


def test_a_move_to_the_trash_is_undone_to_the_letter(serve_own: Serve) -> None:
    served = serve_own("imported")
    _, chosen = assets_of(served)["Three sails"]
    lake = contents(served, LAKE)
    before = detail(served, chosen)
    with visiting(served) as otto:
        seen = {key: names(otto.get(f"/library/assets?site={key}")) for key in ("north", "south")}
        page = otto.press(otto.get(f"/library/assets/{chosen}"), "Move to trash")
        assert "Moved 1 asset to the trash." in page.text
        assert detail(served, chosen).sites == []
        assert "Three sails" not in names(otto.get("/library/assets"))
        page = otto.press(page, "Undo")
        assert detail(served, chosen) == before
        assert contents(served, LAKE) == lake
        assert seen == {
            key: names(otto.get(f"/library/assets?site={key}")) for key in ("north", "south")
        }


def test_what_is_in_the_trash_answers_and_is_restored_from_its_page(serve_own: Serve) -> None:
    served = serve_own("imported")
    _, binned = assets_of(served)["The long view"]
    with visiting(served, Role.VIEWER) as vera:
        page = vera.get(f"/library/assets/{binned}")
        assert "This asset is in the trash" in page.text
        assert page.buttons().count("Restore") == 0
    with visiting(served) as otto:
        page = otto.press(otto.get(f"/library/assets/{binned}/history"), "Restore")
        assert "Restored 1 asset." in page.text
        assert "/history" in page.path
        assert "The long view" in names(otto.get("/library/assets"))
        assert "user:otto" in page.text


@pytest.mark.parametrize(
    "path",
    [
        f"/library/assets/{'0' * 64}",
        "/library/assets/what-is-this",
        "/library/galleries/999999",
        "/library/galleries/no-such",
        "/library/sites/no-such",
        "/library/packages/no-such",
    ],
)
def test_what_was_never_here_is_not_found(served: Serve, path: str) -> None:
    with visiting(served("imported"), Role.VIEWER) as vera:
        page = vera.get(path, status=404)
    assert page.root.all("h1")


def test_an_asset_has_no_other_tabs(served: Serve) -> None:
    console = served("imported")
    _, one = assets_of(console)["Three sails"]
    with visiting(console, Role.VIEWER) as vera:
        vera.get(f"/library/assets/{one}/secrets", status=404)


def test_members_stand_in_their_order_and_what_is_missing_keeps_its_place(served: Serve) -> None:
    console = served("imported")
    with console.lading.db.read() as conn:
        number = conn.scalar(
            select(asset_collection.c.id).where(asset_collection.c.key == "the-light-in-may")
        )
    found = read_container(console.lading.db, ContainerRef("collection", "the-light-in-may"))
    with visiting(console, Role.VIEWER) as vera:
        page = vera.get(f"/library/collections/{number}")
        by_key = vera.get("/library/collections/the-light-in-may")
        history = vera.get(f"/library/collections/{number}?part=history")
    shown = tiles(page, "Members")
    assert [int(tile.one("span", class_="ordinal").text) for tile in shown] == list(
        range(1, len(found.members) + 1)
    )
    assert [("Awaited" in t.text, "In trash" in t.text) for t in shown] == [
        (m.state == "awaited", m.state == "in_trash") for m in found.members
    ]
    assert {m.state.value for m in found.members} == {"present", "awaited", "in_trash"}
    assert "1 awaited" in page.text
    assert by_key.heading == page.heading == "The light in May"
    assert found.card.batch is not None
    assert page.links()[found.card.batch.batch_key[:8]] == found.card.batch_url
    assert "Batch found" in history.text


def test_a_gallery_goes_to_the_trash_and_comes_back_with_its_members(serve_own: Serve) -> None:
    served = serve_own("imported")
    ref = ContainerRef("gallery", "sketches")
    before = contents(served, ref)
    with served.lading.db.read() as conn:
        number = conn.scalar(select(asset_gallery.c.id).where(asset_gallery.c.key == ref.key))
    with visiting(served) as otto:
        page = otto.press(otto.get("/library/galleries"), "Move to trash", tick=[number or 0])
        assert "Moved 1 gallery to the trash." in page.text
        page = otto.get(f"/library/galleries/{number}")
        assert "This gallery is in the trash" in page.text
        listed = otto.get("/library/trash?kind=galleries")
        assert "Put here by user:otto." in listed.text
        assert "3 places for members" in listed.text
        otto.press(page, "Restore")
    assert contents(served, ref) == before


def test_the_trash_says_why_and_gives_back_one_or_many(serve_own: Serve) -> None:
    served = serve_own("imported")
    known = assets_of(served)
    with visiting(served) as otto:
        chosen = [known[name][0] for name in ("The pass", "Late snow", "Mist")]
        otto.press(otto.get("/library/assets"), "Move to trash", tick=chosen)
        page = otto.get("/library/trash")
        rows = page.rows("Trash")
        assert len(rows) == 4
        assert {row["Why it is here"] for row in rows} == {"Put here by user:otto. The record"}
        assert all(row["What comes back"].startswith("Comes back with 3 files") for row in rows)
        page = otto.press(page, "Restore what is selected", tick=chosen[:2])
        assert "Restored 2 assets." in page.text
        forms = [f for f in page.main.all("form") if f.attributes.get("id", "").startswith("rest")]
        one = next(f for f in forms if f.attributes["id"] == f"restore-{chosen[2]}")
        fields = {i.attributes["name"]: i.attributes["value"] for i in one.all("input")}
        page = otto.post(one.attributes["action"], fields)
        assert "Restored 1 asset." in page.text
        assert [row["What"] for row in page.rows("Trash")] == ["The long view Photo"]


def test_the_undo_of_a_batch_is_taken_back_at_once(serve_own: Serve) -> None:
    served = serve_own("imported")
    _, chosen = assets_of(served)["Three sails"]
    before = detail(served, chosen)
    batch_id = before.card.asset.batch_id
    assert batch_id is not None
    with served.lading.db.write() as conn:
        gone = retire_batch(conn, batch_id, actor="user:otto")
        key = conn.scalar(select(ingest_batch.c.batch_key).where(ingest_batch.c.id == batch_id))
    with visiting(served) as otto:
        listed = otto.get("/library/trash")
        assert "which user:otto undid" in listed.text
        page = otto.get("/library/trash?kind=undos")
        [row] = page.rows("Undone batches")
        assert row["Batch"] == str(key)[:8]
        assert row["Assets"] == str(len(gone.assets))
        page = otto.press(page, "Take back")
        assert "The undo was taken back" in page.text
        assert page.rows("Undone batches")[0]["Take back"] == "Taken back"
    assert detail(served, chosen) == before


def test_pictures_are_blurred_for_whoever_chose_so(serve_own: Serve) -> None:
    served = serve_own("imported")
    with visiting(served) as otto:
        assert "hide-media" not in classes(otto, "/library/assets")
        found = served.accounts.caller_of_session(served.session_of(Role.OPERATOR))
        assert found is not None
        served.accounts.set_preferences(
            found.account.id, {"thumbnails": "hidden"}, actor=found.actor
        )
        assert "hide-media" in classes(otto, "/library/assets")


def classes(visitor: Visitor, path: str) -> str:
    return visitor.get(path).root.one("html").attributes.get("class", "")


def test_a_file_keeps_the_policy_it_was_given_and_names_with_marks_lead_to_their_pages(
    serve_own: Serve,
) -> None:
    served = serve_own("imported")
    _, one = assets_of(served)["Three sails"]
    with visiting(served) as otto:
        page = otto.get(f"/library/assets/{one}")
        picture = page.main.one("div", class_="preview").one("img").attributes["src"]
        answer = otto.client.get(picture)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] != POLICY
        assert "sandbox" in answer.headers["content-security-policy"]
        later = BundlePublisher(upstream_of(served.lading), seed=9).bundle("gallery")
        later.gallery("2026/spring?#1", [one], title="Keys may hold marks")
        later.publish()
        take_in(served.lading, SOURCE)
        listed = otto.get("/library/galleries")
        link = next(t for t in tiles(listed, "Galleries") if "marks" in t.text)
        gallery = otto.get(link.one("a").attributes["href"])
        assert gallery.heading == "Keys may hold marks"
        assert "2026/spring?#1" in gallery.text
        again = otto.get(otto.get(f"/library/assets/{one}").links()["Keys may hold marks"])
        assert again.heading == gallery.heading
        member = tiles(gallery, "Members")[0].one("a").attributes["href"]
        back = otto.get(member).links()["Back to the gallery"]
        assert otto.get(back).heading == gallery.heading
