"""The page of a folder has it scanned and searched, and says what is at work and missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from lading.accounts.values import Permission, Role
from lading.console.app import open_console
from lading.console.live.fragments import Fragment, Fragments, Notice, Visible
from lading.console.live.ticks import Tick
from lading.console.pages import photos, photos_folders
from lading.console.readers.photos_folders import read_folder
from lading.jobs.values import JobFilter
from lading.testing.console_imported import ACTOR, take_in
from lading.testing.console_photos import LARGE, PHOTOS, encode, tree_of
from tests.console.api_client import script
from tests.console.browser.serving import Served, serving
from tests.console.visiting import parse
from tests.console.visitor import Sight, visiting, work_on

GetServed = Callable[[str], Served]
GARDEN = "/photos/folders/home/2024/garden"


def everything() -> Tick:
    """Anything may have changed."""
    return Tick(since=0, seq=1, at=datetime.now(UTC), complete=False)


def sent(served: Served, topic: str, visible: Visible) -> dict[str, Any]:
    """What the stream sends of a topic to a viewer: fragments by their element, notices by name."""
    fragments = Fragments()
    for module in (photos, photos_folders):
        module.live(fragments)
    caller = served.accounts.caller_of_session(served.session_of(Role.VIEWER))
    assert caller is not None
    console = open_console(served.lading)
    made = fragments.render(console, caller, [topic], visible, everything())
    parts = {part.target_id: part.html for part in made if isinstance(part, Fragment)}
    return parts | {part.event: dict(part.facts) for part in made if isinstance(part, Notice)}


def numbers(sight: Sight) -> dict[str, int]:
    """The numbers in the query of a page's stream."""
    url = sight.root.one("div", id="live").attributes["data-url"]
    given = dict(parse_qsl(urlsplit(url).query))
    return {name: int(text) for name, text in given.items() if text.isdigit()}


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("photos")


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    """Photos that this test alone changes, at a root that a scan has seen: it is a copy."""
    served = serve_own("photos")
    served.lading.ingest.scan(PHOTOS, actor=ACTOR)
    return served


def test_a_folder_alone_is_scanned_from_its_page_and_says_what_left_it(own: Served) -> None:
    tree = tree_of(own.lading)
    (tree / "2023/dog-1.jpg").rename(tree / "2024/dog-1.jpg")
    (tree / "2023/new.jpg").write_bytes(encode("new"))
    with visiting(own) as operator:
        timeline = operator.get("/photos?on=2023")
        page = operator.get("/photos/folders/home/2023")
        above, before = numbers(page), numbers(timeline)["above"]
        asked = operator.press(page, "Scan this folder")
        assert asked.path == "/photos/folders/home/2023"
        assert "Scan of home/2023" in asked.text
        assert "Scan this folder" not in asked.buttons()
        assert "Scan home now" in asked.buttons()
        job = numbers(asked)["job"]
        at_work = Visible(jobs=frozenset([job]))
        assert "Queued" in element(sent(own, "folder", at_work), f"fj-{job}")
        work_on(own, "scan")
        done = element(sent(own, "folder", at_work), f"fj-{job}")
        assert "what it came to" in done
        page = operator.get("/photos/folders/home/2023")
        assert "This folder was scanned" in page.text
        assert "folders: " in page.text
        batch = read_folder(open_console(own.lading), "home/2023").own.batch
        assert batch is not None
        own.lading.ingest.queue([batch.id], actor=ACTOR)
        seen = Visible(batches=frozenset([batch.id]), above=above["above"])
        assert sent(own, "folder", seen)["photos:changed"] == {"new": 0}
        work_on(own, "import_batch")
        told = sent(own, "folder", seen)
        assert told["photos:changed"] == {"new": 1}
        assert "Imported" in element(told, f"fb-{batch.id}")
        assert sent(own, "photos", Visible(above=before))["photos:changed"] == {"new": 1}
        page = operator.get("/photos/folders/home/2023")
        assert "1 file of this folder is in the library" in page.text
        assert "2023/dog-1.jpg" in page.text
        assert "Scan home as a whole" in page.text
        below = operator.get("/photos/folders/home/2024/garden")
        assert "Not seen at the last look" not in below.text
        take_in(own.lading, PHOTOS)
        assert "Not seen" not in operator.get("/photos/folders/home/2023").text
        assert "home/2023, " in operator.get("/scans").text
        for missing in ("nowhere/scan", "home/2023/eat", "home/2023/faces"):
            status = 409 if missing.endswith("faces") else 404
            operator.post(f"/photos/folders/{missing}", {}, status=status)


def element(made: dict[str, Any], target: str) -> str:
    """What is to be read in a fragment."""
    text: str = parse(made[target]).text
    return text


def test_faces_are_looked_for_in_a_folder_where_the_settings_say_so(own: Served) -> None:
    with visiting(own) as operator:
        assert "Look for faces here" not in operator.get(GARDEN).buttons()
        assert "Try face settings here" not in operator.get(GARDEN).links()
    settings = own.folder / "lading.toml"
    settings.write_text(settings.read_text() + "\n[faces]\nenabled = true\n")
    with serving(own.folder) as enabled, visiting(enabled) as operator:
        page = operator.get(GARDEN)
        assert page.links()["Try face settings here"].endswith("?source=home&folder=2024/garden")
        moved = page.links()["Where would it be moved?"]
        assert moved == "/photos/sorting?source=home&folder=2024/garden"
        told = operator.press(page, "Look for faces here")
        assert "Faces are looked for here as soon as a worker is free." in told.text
        assert "Search for faces of home" in told.text
        [job] = enabled.lading.queue.list(JobFilter(kinds=["photos.faces"])).jobs
        assert job.params["folder"] == "2024/garden"
        again = operator.press(operator.get("/photos/folders/home"), "Look for faces here")
        assert "Nothing is left to be looked at" in again.text
        with script(enabled, Role.OPERATOR, [Permission.OPERATE]) as one:
            body = {"path": "home/2024/suva"}
            dry = one.send("POST", "/photos/folders/faces?dry_run=1", body)
            assert (dry["dry_run"], dry["result"]["scans"]) == (True, 1)
            done = one.send("POST", "/photos/folders/faces", {"path": "home/2024/suva"})
            assert done["result"] == {"path": "home/2024/suva", "scans": 1, "matches": 0}


def test_programs_ask_for_the_scan_of_a_folder_and_read_what_is_missing(own: Served) -> None:
    (tree_of(own.lading) / LARGE).unlink()
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as one:
        dry = one.send("POST", "/photos/folders/scan?dry_run=1", {"path": "home/2023"})
        assert dry["result"]["job_id"] is None
        asked = one.send("POST", "/photos/folders/scan", {"path": "home/2023"}, status=202)
        job = asked["result"]["job_id"]
        assert own.lading.queue.get(job).params["folder"] == "2023"
        for path, code in (("attic/x", "no_such_folder"), ("home/../x", "bad_folder")):
            status = 404 if code == "no_such_folder" else 400
            refused = one.send("POST", "/photos/folders/scan", {"path": path}, status=status)
            assert refused["code"] == code
        refused = one.send("POST", "/photos/folders/faces", {"path": "home/2023"}, status=409)
        assert refused["code"] == "faces_disabled"
        work_on(own, "scan")
        [scan] = [each for each in one.get("/scans")["items"] if each["folder"]]
        assert (scan["source"], scan["folder"], scan["noun"]) == ("home", "2023", "folder")
        batch = one.get("/photos/folders?path=home/2023")["folder"]["batch_id"]
        own.lading.ingest.queue([batch], actor=ACTOR)
        work_on(own, "import_batch")
        found = one.get("/photos/folders?path=home/2023")
        assert (found["dangling"], found["dangling_count"]) == ([LARGE], 1)


def test_who_only_looks_may_ask_for_nothing(looked_at: Served) -> None:
    with visiting(looked_at, Role.VIEWER) as viewer:
        buttons = viewer.get(GARDEN).buttons()
        assert "Scan this folder" not in buttons
        viewer.post(f"{GARDEN}/scan", {}, status=403)
