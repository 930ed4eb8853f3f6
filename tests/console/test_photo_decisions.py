"""Dates are corrected and photos stacked on pages and through the API, and both are taken back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lading.accounts.values import Permission, Role
from lading.testing.console_imported import take_in
from lading.testing.console_photos import (
    BURST,
    NEW_YEAR,
    PHOTOS,
    UNDATED,
    WRONG_CLOCK,
    tree_of,
)
from lading.testing.source_suite import tree_snapshot
from tests.console.api_client import Script, script
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, visiting

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("photos")


def base(path: str) -> str:
    return path.rpartition("/")[2]


def tiles(sight: Sight) -> dict[str, str]:
    """What the tiles of the page say, by the names of their photos."""
    return {tile.one("b").text: tile.text for tile in sight.main.all("a", class_="tile")}


def ids(sight: Sight) -> list[int]:
    """The numbers of the photos of a page, as its ticks have them."""
    return [int(box.attributes["value"]) for box in sight.main.all("input", name="id")]


def test_undated_photos_are_set_after_a_preview_and_undone(serve_own: GetServed) -> None:
    own = serve_own("photos")
    before = tree_snapshot(tree_of(own.lading))
    with visiting(own) as otto:
        page = otto.get("/photos?on=undated")
        given = {"at": "2001-05-06T07:08:09", "offset": "+02:00", "step_s": "5"}
        shown = otto.press(page, "Set dates", tick=ids(page), fill=given)
        rows = shown.rows("Before and after")
        assert [row["Counts as taken now"] for row in rows] == ["undated", "undated"]
        assert {row["Photo"]: row["Would count as taken"] for row in rows} == {
            base(UNDATED[0]): "2001-05-06 07:08:09 +02:00",
            base(UNDATED[1]): "2001-05-06 07:08:14 +02:00",
        }
        assert len(tiles(otto.get("/photos?on=undated"))) == 2
        told = otto.press(shown, shown.heading.removesuffix("?"))
        assert "Set the dates of 2 assets" in told.text
        day = otto.get("/photos?on=2001-05-06")
        assert set(tiles(day)) == {base(each) for each in UNDATED}
        asset = otto.get(day.links()[next(n for n in day.links() if base(UNDATED[0]) in n)])
        assert "The file says no time; set by user:otto" in asset.text
        key = next(text for text in asset.links() if text.startswith("op_"))
        otto.press(otto.get(f"/operations/{key}"), "Undo")
        assert set(tiles(otto.get("/photos?on=undated"))) == {base(each) for each in UNDATED}
    assert tree_snapshot(tree_of(own.lading)) == before


def test_what_a_sidecar_says_counts_and_is_told_with_its_name(serve_own: GetServed) -> None:
    own = serve_own("photos")
    letter, plan = UNDATED
    said: dict[str, object] = {"photoTakenTime": {"timestamp": "1559390400"}}
    said["geoData"] = {"latitude": 48.137, "longitude": 11.575}
    for path, data in (
        (letter, json.dumps(said)),
        (plan, "[" * 9_999),
        (NEW_YEAR, json.dumps(said)),
    ):
        (tree_of(own.lading) / f"{path}.json").write_text(data)
    take_in(own.lading, PHOTOS)
    at = "2019-06-01 12:00:00 +00:00"
    with visiting(own) as otto:
        assert set(tiles(otto.get("/photos?on=undated"))) == {base(plan)}
        assert set(tiles(otto.get("/photos?on=2019-06-01"))) == {base(letter)}
        with script(own) as api:
            pages = {one["name"]: one["content_hash"] for one in api.all("/assets", limit=50)}
            [counts] = api.get(f"/photos/{pages[base(letter)]}/decisions")["sidecars"]
            [damaged] = api.get(f"/photos/{pages[base(plan)]}/decisions")["sidecars"]
            [left] = api.get(f"/photos/{pages[base(NEW_YEAR)]}/decisions")["sidecars"]
        assert (counts["name"], counts["taken_at"][:19]) == (
            "letter.png.json",
            "2019-06-01T12:00:00",
        )
        assert (counts["latitude"], counts["longitude"]) == (48.137, 11.575)
        assert counts["time_counts"]
        assert counts["place_counts"]
        assert (damaged["taken_at"], damaged["latitude"]) == (None, None)
        assert damaged["why_not"] == ["it cannot be read as a whole"]
        assert left["taken_at"] == counts["taken_at"]
        assert not left["time_counts"]

        def page(path: str) -> str:
            text = otto.get(f"/library/assets/{pages[base(path)]}").text
            return text.replace(" ,", ",").replace(" ;", ";")

        told = f"{at} said by letter.png.json, which says the place as well"
        assert told in page(letter)
        assert "48.1370° N, 11.5750° E" in page(letter)
        assert "map.png.json; it cannot be read as a whole" in page(plan)
        assert f"new-year.jpg.json, which says {at} and does not count" in page(NEW_YEAR)
        day = otto.get("/photos?on=2019-06-01")
        shown = otto.press(day, "Shift dates", tick=ids(day), fill={"by": "+1d"})
        otto.press(shown, shown.heading.removesuffix("?"))
        assert f"A sidecar says {at}; shifted by +1 d by user:otto" in page(letter)


def test_a_wrong_clock_is_shifted_and_all_of_a_month_is_selected_at_once(
    serve_own: GetServed,
) -> None:
    own = serve_own("photos")
    with visiting(own) as otto:
        page = otto.get("/photos?on=clock")
        wrong = {"by": "soon"}
        refused = otto.press(page, "Shift dates", tick=ids(page), fill=wrong, status=400)
        assert "+1h" in refused.text
        shown = otto.press(page, "Shift dates", tick=ids(page), fill={"by": "-27500d"})
        told = otto.press(shown, "Shift the dates of 2 assets by -27,500 d")
        assert "Shifted the dates of 2 assets by -27,500 d." in told.text
        left = otto.get("/photos?on=clock").text
        assert not any(base(each) in left for each in WRONG_CLOCK)
        month = "/photos?on=2023-07"
        everything = "/selections/new?all=1&resource=assets&taken=2023-07"
        chosen = otto.post(everything, {"back": month})
        count = len(tiles(chosen))
        assert count > 10
        shown = otto.press(chosen, "Shift dates", fill={"by": "+1h"})
        assert f"{count} selected: {count} will be done." in shown.text
        assert shown.links()["everything that matched then"] == month


def test_a_burst_is_stacked_shown_once_and_taken_apart(serve_own: GetServed) -> None:
    own = serve_own("photos")
    first = base(BURST[0])
    with visiting(own) as otto:
        groups = otto.get("/photos/duplicates")
        burst = next(
            index
            for index, section in enumerate(groups.main.all("section", class_="card"))
            if first in section.text
        )
        month = otto.get("/photos").links()
        assert month
        otto.press(groups, "Stack", index=burst)
        [row] = otto.get("/photos/duplicates?kind=decided").rows("Decided")
        assert row["Decision"] == "Stack"
        top = row["Photos"].split(" on top")[0].split()[-1]
        with script(own) as api:
            shown = {one["name"]: one for one in api.all("/photos", limit=50)}
            found = {one["name"]: one for one in api.all("/assets", limit=50)}
        others = {base(each) for each in BURST} - {top}
        assert not others & shown.keys()
        url = f"/library/assets/{found[top]['content_hash']}"
        page = otto.get(url)
        assert "3 photos in this stack" in page.text
        assert "This one is on top" in page.text
        assert "stack of 3" in tiles(otto.get("/photos/folders/home/2023"))[top]
        other = min(others)
        folded = otto.get(f"/library/assets/{found[other]['content_hash']}")
        otto.press(folded, "Put this one on top")
        assert (
            "This one is on top" in otto.get(f"/library/assets/{found[other]['content_hash']}").text
        )
        lines = otto.get("/photos/duplicates?kind=decided").rows("Decided")
        assert [line["Operation"] for line in lines] == [
            "Unstack",
            "taken apart, or stacked anew",
        ]
        otto.press(otto.get("/photos/duplicates?kind=decided"), "Unstack")
        assert "photos in this stack" not in otto.get(url).text
        assert any(
            first in section.text
            for section in otto.get("/photos/duplicates").main.all("section", class_="card")
        )


def test_programs_read_decisions_and_take_stacks_apart(serve_own: GetServed) -> None:
    own = serve_own("photos")
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as api:
        burst = next(one for one in api.all("/photos/duplicates", limit=20) if one["burst"])
        top, *others = burst["content_hashes"]
        body = {"content_hashes": burst["content_hashes"], "decision": "stack", "keep": top}
        path = "/photos/duplicates/decisions"
        assert api.send("POST", f"{path}?dry_run=true", body)["dry_run"] is True
        assert api.get(f"/photos/{top}/decisions") == {
            "correction": None,
            "stack": [],
            "sidecars": [],
        }
        assert api.send("POST", path, body)["result"]["kept"] == top
        stack = api.get(f"/photos/{others[0]}/decisions")["stack"]
        assert stack[0]["content_hash"] == top
        assert {one["content_hash"] for one in stack} == {top, *others}
        taken = {one["content_hash"]: one["captured_at"] for one in stack}
        shifting = {
            "verb": "shift_taken",
            "resource": "assets",
            "ids": [stack[0]["id"]],
            "params": {"shift_s": 3600},
        }
        would = api.send("POST", "/operations?dry_run=true", shifting, status=200)
        assert would["preview"]["dates"][0]["target_id"] == stack[0]["id"]
        done = api.send("POST", "/operations", shifting, status=200)
        said = api.get(f"/photos/{others[0]}/decisions")["correction"]
        assert (said["how"], said["shift_s"], said["operation"]) == ("shift", 3600, done["key"])
        assert said["said_at"] == taken[others[0]]
        apart = f"/photos/{others[0]}/unstack"
        assert api.send("POST", f"{apart}?dry_run=true")["result"] == {
            "content_hashes": sorted(burst["content_hashes"])
        }
        api.send("POST", apart)
        assert api.send("POST", apart, status=409)["code"] == "not_stacked"
        assert api.get(f"/photos/{'0' * 64}/decisions", status=404)["code"] == "unknown_asset"
        [line] = api.get("/photos/duplicates?kind=decided")["items"]
        assert line["stands"] is False


def test_who_only_looks_can_neither_correct_a_date_nor_stack(looked_at: Served) -> None:
    with visiting(looked_at, Role.VIEWER) as viewer:
        page = viewer.get("/photos?on=undated")
        assert not ids(page)
        assert "Shift dates" not in page.buttons()
        number = page.main.one("ul", aria_label="Assets").cells[0].attributes["id"][2:]
        for verb in ("shift_taken", "set_taken", "restore_taken"):
            viewer.post(
                "/operations",
                {"verb": verb, "resource": "assets", "id": number, "by": "1h", "at": "2001-01-01"},
                status=403,
            )
        viewer.post("/photos/duplicates", {"decision": "stack"}, status=403)
        viewer.post(f"/photos/stacks/{'0' * 64}/unstack", status=403)
    with script(looked_at, Role.VIEWER, [Permission.READ]) as reading:
        body = {"content_hashes": ["0" * 64, "1" * 64], "decision": "stack", "keep": "0" * 64}
        assert not_permitted(reading, "/photos/duplicates/decisions", body)
        assert not_permitted(reading, f"/photos/{'0' * 64}/unstack", None)


def not_permitted(api: Script, path: str, body: object) -> bool:
    return bool(api.send("POST", path, body, status=403)["code"] == "not_permitted")
