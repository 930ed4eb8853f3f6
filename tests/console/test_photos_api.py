"""Programs ask of photos what the pages show, and decide as people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lading.accounts.values import Permission, Role
from lading.testing.console_photos import BURST, DATED, LARGE, SMALL
from tests.console.api_client import Script, picture, script
from tests.console.browser.serving import Served

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def reading(served: GetServed) -> Iterator[Script]:
    with script(served("photos"), Role.VIEWER, [Permission.READ]) as one:
        yield one


def base(path: str) -> str:
    return path.rpartition("/")[2]


def test_the_timeline_leads_to_its_photos_page_by_page(reading: Script) -> None:
    timeline = reading.get("/photos/timeline")
    assert sum(year["count"] for year in timeline["years"]) == DATED
    assert (timeline["undated"], timeline["clock_wrong"]) == (2, 2)
    newest = timeline["months"][0]
    assert newest == {"on": "2024-11", "label": "November 2024", "count": 6}
    assert reading.get("/photos")["count"] == {"value": 6, "exact": True}
    hashes = [one["content_hash"] for one in reading.all("/photos?on=2023", limit=5)]
    assert len(set(hashes)) == len(hashes) == reading.get("/photos?on=2023")["count"]["value"]
    assert reading.get("/photos?on=2024-02-30", status=400)["code"] == "no_such_date"
    assert reading.get("/photos?cursor=x", status=400)["code"] == "bad_cursor"


def test_clusters_get_smaller_with_the_area_or_as_asked(reading: Script) -> None:
    world = reading.get("/photos/clusters")
    assert [one["count"] for one in world["clusters"]] == [17, 14, 6]
    area = ",".join(
        str(world["clusters"][1]["area"][side]) for side in ("west", "south", "east", "north")
    )
    near = reading.get(f"/photos/clusters?bbox={area}")
    assert sum(one["count"] for one in near["clusters"]) == 14
    assert len(near["clusters"]) > 1
    [one] = reading.get(f"/photos/clusters?bbox={area}&z=0")["clusters"]
    assert one["count"] == 14
    assert one["photo"]["thumbnail_url"].startswith("/media/assets/")
    for wrong in ("1,2,3", "a,b,c,d", "0,10,1,5", "nan,0,1,1", "0,0,500,1"):
        assert reading.get(f"/photos/clusters?bbox={wrong}", status=400)["code"] == "bad_area"
    assert reading.get("/photos/clusters?z=13", status=400)


def test_folders_are_walked_from_their_source(reading: Script) -> None:
    [root] = reading.get("/photos/folders")["folders"]
    assert (root["path"], root["photos"], root["failed"], root["state"]) == ("home", 61, 1, None)
    year = reading.get("/photos/folders?path=home/2024")
    paths = {one["path"]: (one["photos"], one["state"]) for one in year["folders"]}
    assert paths == {"home/2024/garden": (14, "partial"), "home/2024/suva": (6, "imported")}
    garden = reading.get("/photos/folders?path=home/2024/garden&limit=4")
    assert [one["reason"] for one in garden["spoiled"]] == ["unreadable"]
    rest = reading.get(f"/photos/folders?path=home/2024/garden&cursor={garden['next']}")
    assert len(garden["photos"]) + len(rest["photos"]) == 14
    assert reading.get("/photos/folders?path=home/2021", status=404)["code"] == "no_such_folder"


def test_a_decision_is_rehearsed_refused_and_made(serve_own: GetServed) -> None:
    own = serve_own("photos")
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        groups = {
            base(one["members"][0]["photo"]["name"]): one
            for one in operator.all("/photos/duplicates", limit=1)
        }
        assert len(groups) == 2
        lake = groups.pop(base(LARGE))
        [small] = [each for each in lake["members"] if each["photo"]["name"] == base(SMALL)]
        assert small["bits"] <= 4
        [dog] = groups.values()
        assert (dog["burst"], len(dog["content_hashes"])) == (True, len(BURST))
        path = "/photos/duplicates/decisions"
        body = {"content_hashes": lake["content_hashes"], "decision": "trash_others"}
        before = picture(own.lading.db)
        rehearsed = operator.send("POST", f"{path}?dry_run=true", body | {"keep": lake["keep"]})
        assert rehearsed["dry_run"] is True
        for wrong, code in (
            (body, "bad_decision"),
            (body | {"keep": dog["keep"]}, "bad_decision"),
            (body | {"content_hashes": [lake["keep"]], "keep": lake["keep"]}, "bad_decision"),
            (body | {"content_hashes": ["x", "y"]}, "bad_decision"),
        ):
            assert operator.send("POST", path, wrong, status=400)["code"] == code
        unknown = {"content_hashes": ["0" * 64, lake["keep"]], "decision": "keep_all"}
        assert operator.send("POST", path, unknown, status=404)["code"] == "unknown_asset"
        assert picture(own.lading.db) == before
        done = operator.send("POST", path, body | {"keep": lake["keep"]})["result"]
        totals = operator.get(f"/operations/{done['operation']}")
        assert totals["verb"] == "delete"
        assert len(operator.get("/photos/duplicates")["items"]) == 1
        [decided] = operator.get("/photos/duplicates?kind=decided")["items"]
        assert decided["keep"] == lake["keep"]
        assert decided["decided_by"].startswith("token:otto/")
        again = operator.send("POST", path, body | {"keep": lake["keep"]}, status=400)
        assert again["message"] == "one of them is in the trash since"
        [same] = operator.get("/photos/duplicates?kind=same")["items"]
        assert same["places"] == ["home/2022/lisbon/img_000.jpg", "home/backup/2022/img_000.jpg"]
        assert operator.get("/photos/duplicates?kind=x", status=400)["code"] == "bad_parameter"


def test_whoever_may_only_read_decides_nothing(reading: Script) -> None:
    body = {"content_hashes": ["0" * 64, "1" * 64], "decision": "keep_all"}
    refused = reading.send("POST", "/photos/duplicates/decisions", body, status=403)
    assert refused["code"] == "not_permitted"
