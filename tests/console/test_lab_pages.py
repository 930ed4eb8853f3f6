"""The lab in the console: settings are tried, judged by kept distances, adopted, and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from lading.accounts.values import Permission, Role
from lading.console.app import open_console
from lading.console.readers.job import read_job
from lading.db import Database
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.library.people_tables import face_lab_run, face_settings
from lading.library.statements import moment
from lading.library.tables import asset_file
from lading.media.faces.settings import FaceSettings
from lading.people.jobs import MATCH_JOB_KIND
from lading.people.lab import LAB_JOB_KIND
from lading.testing.console_people import PARTY, UNREADABLE
from tests.console.api_client import Script, differences, picture, script
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, Visitor, visiting

GetServed = Callable[[str], Served]
LAB = "/people/lab"
RUN = f"{LAB}/1"
HTML_BYTES_MAX = 150_000


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("people")


@pytest.fixture(scope="module")
def visitor(looked_at: Served) -> Iterator[Visitor]:
    with visiting(looked_at) as one:
        yield one


@pytest.fixture(scope="module")
def reading(looked_at: Served) -> Iterator[Script]:
    with script(looked_at, Role.VIEWER, [Permission.READ]) as one:
        yield one


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    return serve_own("people")


def counts(sight: Sight) -> dict[str, int]:
    """How many the lists of a result say they have."""
    tabs = sight.main.one("nav", aria_label="Lists of the result").all("a")
    found = {}
    for tab in tabs:
        count = tab.one("span", class_="count").text
        found[tab.text.removesuffix(count).strip()] = int(count.replace(",", ""))
    return found


def faces_of(sight: Sight) -> set[str]:
    """The faces that are listed, by the id of their lines."""
    lists = sight.main.all("ul", class_="lab-faces")
    return {item.attributes["id"] for each in lists for item in each.all("li")}


def test_the_lab_says_what_holds_what_is_safe_and_what_was_tried(visitor: Visitor) -> None:
    sight = visitor.get(LAB)
    assert "Version 1 of the settings holds" in sight.text
    assert "Holds now: 0.52 . Safe: 0.4 to 0.55. Below: Too strict" in sight.text
    runs = sight.rows("Runs")
    assert [(row["Run"], row["State"], row["On"]) for row in runs] == [
        ("Run 2", "Queued", f"home/{UNREADABLE}"),
        ("Run 1", "Done", f"home/{PARTY}"),
    ]
    chosen = visitor.get(f"{LAB}?source=home&folder=a%26b&file=%3Cb%3E.jpg").main
    values = {
        field.attributes.get("name"): field.attributes.get("value") for field in chosen.all("input")
    }
    assert (values["folder"], values["file"]) == ("a&b", "<b>.jpg")
    folder = visitor.get(f"/photos/folders/home/{PARTY}").links()
    assert folder["Try face settings here"] == f"{LAB}?source=home&folder={PARTY}"
    assert "No job is in line for it" in visitor.get(f"{LAB}/2").text


def test_thresholds_in_the_address_are_judged_by_the_distances_that_were_kept(
    looked_at: Served, visitor: Visitor
) -> None:
    before = picture(looked_at.lading.db)
    as_run = visitor.get(RUN)
    assert "Match distance, at most: 0.52 → 0.45" in as_run.text
    told = counts(as_run)
    assert told["All faces"] == told["Recognised"] + told["Unknown"]
    strict = visitor.get(f"{RUN}?distance_max=0.3&show=lost")
    lost = counts(strict)["Lost"]
    assert lost == len(faces_of(strict)) > 0
    assert f"-{lost} lost" in strict.text
    assert all(
        "beyond the 0.300 allowed" in item.text
        for item in strict.main.all("ul", class_="lab-faces")
    )
    large = visitor.get(f"{RUN}?side_min_px=100&show=too_small")
    assert 0 < len(faces_of(large)) < told["All faces"]
    assert "side_min_px" in large.text
    person = large.main.one("select", name="person").all("option")[1].attributes["value"]
    of_one = visitor.get(f"{RUN}?person={person}")
    lines = [line for each in of_one.main.all("ul", class_="lab-faces") for line in each.all("li")]
    name = large.main.one("select", name="person").all("option")[1].text
    assert lines
    assert all(name in line.text for line in lines)
    assert not differences(before, picture(looked_at.lading.db))


def test_a_threshold_that_cannot_be_is_told_at_its_field(visitor: Visitor) -> None:
    for given, said in (
        ("distance_max=5", "It has to be a number from 0.2 to 0.9."),
        ("distance_max=nan", "It has to be a number from 0.2 to 0.9."),
        ("side_min_px=1.5", "It has to be a whole number from 20 to 1000."),
    ):
        sight = visitor.get(f"{RUN}?{given}")
        name = given.partition("=")[0]
        assert said in sight.root.one("p", id=f"about-{name}").text
        assert sight.root.one("input", id=f"set-{name}").attributes["aria-invalid"] == "true"
        assert "Adopt these settings" not in sight.links()
    comma = visitor.get(f"{RUN}?distance_max=0,4")
    assert comma.root.one("input", id="set-distance_max").attributes["value"] == "0.4"


def test_a_run_is_asked_for_with_what_is_wrong_told_at_its_field(own: Served) -> None:
    with visiting(own, Role.OPERATOR) as visitor:
        form = {"source": "home", "folder": PARTY, "file": "party_01.jpg"}
        wrong = visitor.post(LAB, form | {"margin_min": "9", "folder": "nowhere"}, status=422)
        assert (
            "It has to be a number from 0 to 0.4."
            in wrong.root.one("p", id="about-margin_min").text
        )
        assert wrong.root.one("input", id="lab-folder").attributes["value"] == "nowhere"
        place = visitor.post(LAB, form | {"folder": "nowhere"}, status=422)
        assert "found none" in place.root.one("p", id="place-error").text
        started = visitor.post(LAB, form | {"distance_max": "0.4", "person": "1"})
        assert started.heading == "Run 3"
        assert "It tries: Match distance, at most: 0.52 → 0.4." in started.text
        assert "A worker does it" in started.text
        assert "topics=engine,job,lab" in started.html
        [job] = [each["id"] for each in _jobs(own) if each["kind"] == LAB_JOB_KIND]
        assert "The result is there" in _standing(own, job, JobState.DONE)
        assert f'href="{LAB}/3"' in _standing(own, job, JobState.DONE)
        assert "It ended without a result" in _standing(own, job, JobState.FAILED)
        with own.lading.db.read() as conn:
            (row,) = conn.execute(select(face_lab_run).where(face_lab_run.c.id == 3))
        assert (row.file_name, json.loads(row.persons)) == ("party_01.jpg", [1])
        assert json.loads(row.settings)["distance_max"] == 0.4
    with visiting(own, Role.VIEWER) as viewer:
        assert "Run" not in viewer.get(LAB).buttons()
        viewer.post(LAB, form, status=403)
        viewer.post(f"{RUN}/adopt", {"scope": "new", "held": "1"}, status=403)
        assert "Adopt these settings" not in viewer.get(RUN).links()


def test_settings_are_adopted_with_a_scope_and_taken_back_unless_others_hold_by_then(
    own: Served,
) -> None:
    with visiting(own, Role.OPERATOR) as visitor:
        plan = visitor.get(f"{RUN}/adopt?distance_max=0.4")
        shown = {row["Setting"]: (row["Holds"], row["Would hold"]) for row in plan.rows("Settings")}
        assert shown["Match distance, at most"] == ("0.52", "0.4")
        assert "is unknown, as it was never measured" in plan.text
        form = {"distance_max": "0.4", "scope": "unidentified", "held": "1"}
        done = visitor.post(f"{RUN}/adopt", form)
        assert "Version 2 holds." in done.text
        with own.lading.db.read() as conn:
            (held,) = conn.execute(select(face_settings).where(face_settings.c.id == 2))
        assert json.loads(held.settings)["distance_max"] == 0.4
        assert held.lab_run_id == 1
        jobs = [each for each in _jobs(own) if each["kind"] == MATCH_JOB_KIND]
        assert f"{len(jobs)} jobs about faces are in line" in done.text

        late = visitor.post(f"{LAB}/versions/0", {"scope": "new", "held": "1"}, status=409)
        assert "you decided upon version 1, and version 2 holds now" in late.text
        shown = {row["Setting"]: (row["Holds"], row["Would hold"]) for row in late.rows("Settings")}
        assert shown["Match distance, at most"] == ("0.4", "0.5")
        visitor.post(f"{RUN}/adopt", form | {"distance_max": "0.41"}, status=409)
        back = visitor.post(f"{LAB}/versions/0", {"scope": "new", "held": "2"})
        assert [row["Version"] for row in back.rows("Versions")] == [
            "Version 3 Holds",
            "Version 2",
            "Version 1",
            "Version 0",
        ]
        visitor.post(f"{RUN}/adopt", form | {"scope": "all"}, status=400)
        visitor.post(f"{RUN}/adopt", form | {"distance_max": "7"}, status=400)


def test_five_hundred_files_with_five_faces_each_are_light_and_paged(own: Served) -> None:
    number = _large_run(own.lading.db)
    with visiting(own, Role.OPERATOR) as visitor:
        seen: set[str] = set()
        url = f"{LAB}/{number}"
        for _ in range(3):
            sight = visitor.get(url)
            assert len(sight.html.encode()) <= HTML_BYTES_MAX
            assert not seen & faces_of(sight)
            seen |= faces_of(sight)
            assert "<b>0</b>.jpg" not in sight.html
            url = sight.links()["Next"]
        assert counts(sight)["All faces"] == 2_500
        files = visitor.get(f"{LAB}/{number}?show=files")
        assert len(files.html.encode()) <= HTML_BYTES_MAX
        assert len(files.rows("Files")) == 50
        errors = visitor.get(f"{LAB}/{number}?show=errors")
        (row,) = errors.rows("Files")
        assert row["File"] == "album/<b>499</b>.jpg"
        assert "not_as_taken_in" in row["Error"]


def test_pictures_of_faces_are_cut_where_the_library_has_none(own: Served) -> None:
    number = _large_run(own.lading.db, place=f"{PARTY}/party_01.jpg")
    with visiting(own, Role.VIEWER) as visitor:
        page = visitor.get(f"{LAB}/{number}?person=1")
        images = [each.attributes["src"] for each in page.main.all("img")]
        own_picture = next(
            each for each in images if each.startswith(f"/media/lab/{number}/faces/")
        )
        answer = visitor.client.get(own_picture)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        etag = answer.headers["etag"]
        again = visitor.client.get(own_picture, headers={"if-none-match": etag})
        assert again.status_code == 304
        assert visitor.client.get(f"/media/lab/{number}/faces/999999").status_code == 404
        assert visitor.client.get("/media/lab/777/faces/1").status_code == 404
        # What lies at its place by now may be another picture.
        there = asset_file.c.location == f"{PARTY}/party_01.jpg"
        for expected in (200, 410):
            with own.lading.db.write() as conn:
                noted = conn.scalar(select(asset_file.c.asset_id).where(there))
            number = _large_run(own.lading.db, place=f"{PARTY}/party_01.jpg", asset_id=noted)
            answer = visitor.client.get(f"/media/lab/{number}/faces/0")
            assert answer.status_code == expected
            with own.lading.db.write() as conn:
                conn.execute(update(asset_file).where(there).values(deleted_at=moment(conn)))


def test_programs_judge_a_run_as_the_page_does(reading: Script, visitor: Visitor) -> None:
    run = reading.get("/lab/runs/1?distance_max=0.3&show=lost")
    sight = visitor.get(f"{RUN}?distance_max=0.3&show=lost")
    assert run["changes"]["lost"] == counts(sight)["Lost"] == run["count"]["value"]
    assert {f"face-{face['face']}" for face in run["faces"]} == faces_of(sight)
    assert run["thresholds"]["distance_max"] == 0.3
    assert run["library"]["lost"] >= 1
    assert run["library"]["same"] == sum(each["same"] for each in run["library"]["bins"])
    waiting = reading.get("/lab/runs/2")
    assert (waiting["run"]["state"], waiting["thresholds"]) == ("queued", None)
    assert [one["id"] for one in reading.all("/lab/runs", limit=1)] == [2, 1]
    versions = reading.all("/face-settings", limit=1)
    assert [(one["version"], one["holds"]) for one in versions] == [(1, True), (0, False)]
    assert reading.get("/lab/runs/9", status=404)["code"] == "unknown_lab_run"
    for given in ("distance_max=7", "distance_max=x", "show=odd", "cursor=x", "side_max=900"):
        assert reading.get(f"/lab/runs/1?{given}", status=400), given
    assert reading.send("POST", "/lab/runs", {"source": "home"}, status=403)
    assert reading.send("POST", "/face-settings", {"from_run": 1}, status=403)


def test_programs_try_adopt_and_take_back_and_rehearse_it_first(own: Served) -> None:
    db = own.lading.db
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        before = picture(db)
        body: dict[str, Any] = {"source": "home", "folder": PARTY, "settings": {"side_max": 1200}}
        rehearsed = operator.send("POST", "/lab/runs", body, params={"dry_run": "true"})
        assert rehearsed["dry_run"]
        adopting = {"from_run": 1, "thresholds": {"distance_max": 0.4}, "scope": "unidentified"}
        would = operator.send("POST", "/face-settings", adopting, params={"dry_run": "true"})
        assert would["result"]["adopted"] is None
        effects = {each["scope"]: each for each in would["result"]["effects"]}
        assert effects["new"]["match_jobs"] == 0
        assert differences(before, picture(db)) in ([], ["api_token"])

        made = operator.send("POST", "/lab/runs", body)["result"]
        assert (made["settings"]["side_max"], made["settings"]["distance_max"]) == (1200, 0.52)
        assert (made["state"], made["file"], made["persons"]) == ("queued", None, None)
        done = operator.send("POST", "/face-settings", adopting)["result"]
        assert done["adopted"]["version"] == 2
        assert done["adopted"]["matches"] == effects["unidentified"]["match_jobs"] > 0
        taken = operator.send("POST", "/face-settings", {"version": 1, "held": 1}, status=409)
        assert taken["code"] == "settings_adopted_meanwhile"
        assert taken["current"]["distance_max"] == 0.4
        assert taken["yours"]["distance_max"] == 0.52
        back = operator.send("POST", "/face-settings", {"version": 1, "held": 2})
        assert back["result"]["adopted"]["version"] == 3
        for wrong in (
            {},
            {"from_run": 1, "version": 0},
            {"version": 0, "thresholds": {"distance_max": 0.4}},
            {"from_run": 1, "thresholds": {"side_max": 900}},
            {"from_run": 1, "thresholds": {"distance_max": 9}},
        ):
            assert operator.send("POST", "/face-settings", wrong, status=400), wrong
        assert operator.send("POST", "/face-settings", {"from_run": 2}, status=404)
        large = operator.send("POST", "/lab/runs", {"source": "home"}, status=422)
        assert large["code"] == "lab_too_large"
        odd = body | {"settings": {"model": "oracle"}}
        assert operator.raw("POST", "/lab/runs", odd).status_code in {400, 422}


def _standing(own: Served, job_id: int, state: JobState) -> str:
    """What the live part of a waiting run says once its job is in that state."""
    with own.lading.db.write() as conn:
        job = update(import_job).where(import_job.c.id == job_id)
        conn.execute(job.values(status=state.value, finished_at=moment(conn)))
    console = open_console(own.lading)
    return console.renderer.fragment(
        "parts/lab_bits.html", "standing", None, read_job(console, job_id)
    )


def _jobs(own: Served) -> list[Any]:
    with script(own, Role.VIEWER, [Permission.READ]) as reader:
        found: list[Any] = reader.all("/jobs?state=queued,waiting", limit=50)
    return found


def _large_run(db: Database, *, place: str | None = None, asset_id: int | None = None) -> int:
    """A finished run of 500 files with five faces each; their names are hostile."""
    names = [place or f"album/<b>{number}</b>.jpg" for number in range(500)]
    candidates = [
        {
            "person": person,
            "reference": person,
            "distance": 0.3 + person / 50,
            "behind": person / 50,
        }
        for person in range(1, 6)
    ]
    faces: list[dict[str, Any]] = [
        {
            "file": name,
            "box": [0.02 + slot * 0.2, 0.2, 0.15, 0.3],
            "measured": {
                "face": number * 5 + slot,
                "side_px": 90,
                "score": 1.0,
                "candidates": candidates,
            },
            "confirmed": None,
        }
        for number, name in enumerate(names[:-1] if place is None else names[:1])
        for slot in range(5)
    ]
    files: list[dict[str, Any]] = [
        {"name": name, "width": 640, "height": 480, "error": None, "asset_id": asset_id}
        for name in names
    ]
    if place is None:
        faces += [
            {**faces[-1], "measured": {**faces[-1]["measured"], "face": 9_000 + n}}
            for n in range(5)
        ]
        files[-1] |= {"error": "not_as_taken_in: it is not there", "width": None}
    else:
        files = files[:1]
    with db.write() as conn:
        row = {
            "source": "home",
            "folder": "album",
            "settings": json.dumps(FaceSettings().as_dict()),
            "created_by": "user:otto",
            "created_at": moment(conn),
        }
        key = conn.execute(insert(face_lab_run).values(**row)).inserted_primary_key
        assert key is not None
        done = {"result": json.dumps({"files": files, "faces": faces}), "finished_at": moment(conn)}
        conn.execute(update(face_lab_run).where(face_lab_run.c.id == key[0]).values(**done))
        return int(key[0])
