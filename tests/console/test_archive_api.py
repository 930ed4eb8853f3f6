"""Programs ask of archives what the pages show, and start runs as people do."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator

import pytest

from lading.accounts.values import Permission, Role
from lading.jobs.values import JobFilter
from lading.sources.archive.run_jobs import RUN_JOB_KIND
from lading.testing.console_archive import (
    ARCHIVE,
    COMPLETE,
    ONLY_REJECTED,
    archive_objects,
    put_in_memory,
)
from tests.console.api_client import Script, picture, script
from tests.console.browser.serving import Served
from tests.console.visitor import work_on

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def reading(served: GetServed) -> Iterator[Script]:
    with script(served("archive"), Role.VIEWER, [Permission.READ]) as one:
        yield one


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    served = serve_own("archive")
    put_in_memory(served.lading, archive_objects())
    return served


def test_runs_are_listed_with_what_they_were_asked_and_did(reading: Script) -> None:
    answer = reading.get("/archive/runs")
    assert answer["count"] == {"value": 4, "exact": True}
    assert [(one["state"], one["inserted"], one["problems"]) for one in answer["items"]] == [
        ("rehearsed", 1, 1),
        ("partial", 19, 15),
        ("failed", 0, 1),
        ("rehearsed", 19, 15),
    ]
    assert answer["items"][2]["asked"] == {
        "dry_run": False,
        "safe_run": True,
        "prefix": "FILE/",
        "again": False,
    }
    assert [one["id"] for one in reading.all("/archive/runs", limit=1)] == [
        one["id"] for one in answer["items"]
    ]
    assert len(reading.get("/archive/runs?kind=dry")["items"]) == 2


def test_a_run_has_its_report_and_its_funnel(reading: Script) -> None:
    answer = reading.get("/archive/runs/2")
    assert answer["report"]["phase1"]["listed"] == 113
    assert answer["report"]["rules"]["code_malformed"] == 6
    steps = {step["name"]: step for step in answer["steps"]}
    assert steps["Valid code"]["ended"] == {
        "count": 6,
        "words": "rejected",
        "url": "/archive/rejects?run=2&rule=code_malformed",
    }
    dry = next(one for one in reading.get("/archive/runs")["items"] if one["state"] == "rehearsed")
    assert reading.get(f"/archive/runs/{dry['id']}")["report"]["dry_run"] is True
    problem = reading.get("/archive/runs/77", status=404)
    assert problem["code"] == "archive_run_missing"
    assert problem["hint"]


def test_codes_are_listed_told_one_by_one_and_exported_whole(reading: Script) -> None:
    answer = reading.get("/archive/objects?limit=5")
    assert len(answer["items"]) == 5
    assert answer["count"]["value"] == 19
    codes = [one["code"] for one in reading.all("/archive/objects", limit=4)]
    assert len(set(codes)) == len(codes) == 19
    lines = reading.client.get("/api/v1/archive/objects?format=ndjson").text.splitlines()
    assert [json.loads(line)["code"] for line in lines] == codes
    rejected = reading.get("/archive/objects?state=rejected&q=VO-BRD-14397")["items"]
    assert [(one["json"], one["md5"], one["rule"]) for one in rejected] == [
        ("invalid", "present", "json_unreadable")
    ]


def test_a_code_tells_its_master_its_files_and_what_rejected_it(reading: Script) -> None:
    held = reading.get(f"/archive/objects/{COMPLETE}")
    assert held["object"]["state"] == "complete"
    assert held["master"]["MIME type from"] == "ffprobe format.tags.major_brand"
    assert held["checked_by"] == "etag"
    assert [file["presence"] for file in held["files"]] == ["present"] * 4
    rejected = reading.get(f"/archive/objects/{ONLY_REJECTED}")
    assert rejected["content_hash"] is None
    assert [one["rule"] for one in rejected["rejects"]] == ["md5_mismatch"]
    unknown = reading.get("/archive/objects/VO-BRD-99999", status=404)
    assert unknown["code"] == "unknown_inventory_code"


def test_rejections_are_narrowed_by_rule_and_say_which_character_is_wrong(reading: Script) -> None:
    answer = reading.get("/archive/rejects?rule=code_malformed,no_folder&limit=200")
    assert answer["count"]["value"] == len(answer["items"]) == 7
    by_key = {one["key"]: one for one in answer["items"]}
    assert by_key["BRD/V0-BRD-14400.mp4"]["wrong_at"] == 2
    assert by_key["BRD/vo-brd-14399.mp4"]["suggestion"] == "VO-BRD-14399"
    assert by_key["VO-BRD-14406.mp4"]["code"] == "VO-BRD-14406"
    assert len(reading.all("/archive/rejects", limit=4)) == 15


def test_the_table_for_the_digitiser_has_no_cell_that_a_spreadsheet_would_run(
    reading: Script,
) -> None:
    answer = reading.client.get("/api/v1/archive/rejects?format=csv&rule=code_malformed")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 6
    (formula,) = [row for row in rows if row["key"] == "BRD/=VO-BRD-14403.pdf"]
    assert formula["found"] == "'=VO-BRD-14403"
    assert not [cell for row in rows for cell in row.values() if cell[:1] in {"=", "+", "-", "@"}]


def test_a_run_is_asked_for_once_however_often_the_request_is_repeated(own: Served) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        body = {"dry_run": True, "prefix": "AUD/"}
        key = {"idempotency-key": "run-1"}
        first = operator.raw("POST", "/archive/runs", body, headers=key)
        again = operator.raw("POST", "/archive/runs", body, headers=key)
        assert first.status_code == again.status_code == 202
        job = first.json()["result"]["job_id"]
        assert first.headers["location"] == f"/api/v1/jobs/{job}"
        assert again.json() == first.json()
        other = operator.send("POST", "/archive/runs", body, status=202)
        assert other["result"]["job_id"] == job
        work_on(own, RUN_JOB_KIND)
        newest = operator.get("/archive/runs")["items"][0]
        assert (newest["state"], newest["asked"]["prefix"]) == ("rehearsed", "AUD/")


def test_without_being_told_otherwise_a_run_is_dry(own: Served) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        asked = operator.send("POST", "/archive/runs", {}, status=202)
        assert asked["result"]["dry_run"] is True
        work_on(own, RUN_JOB_KIND)
        assert operator.get("/archive/objects")["count"]["value"] == 19


def test_a_rehearsed_request_for_a_run_asks_for_nothing(own: Served) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        before = own.lading.queue.list(JobFilter(kinds=[RUN_JOB_KIND])).jobs
        answer = operator.send("POST", "/archive/runs?dry_run=true", {"dry_run": False})
        assert answer["dry_run"] is True
        assert answer["result"]["job_id"] is None
        assert len(own.lading.queue.list(JobFilter(kinds=[RUN_JOB_KIND])).jobs) == len(before)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"source": "nas-1"}, None),
        ({"source": "nobody"}, None),
        ({"prefix": "x" * 501}, None),
        ({"prefix": "a\nb"}, "bad_archive_prefix"),
        ({"drry_run": True}, None),
    ],
)
def test_a_run_that_makes_no_sense_is_refused_with_what_to_do(
    own: Served, body: dict[str, object], code: str | None
) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        answer = operator.raw("POST", "/archive/runs", body)
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["next_step"]
        assert code in {None, answer.json()["code"]}


def test_who_may_only_read_starts_no_run_and_judges_no_key(reading: Script) -> None:
    for path, body in (("runs", {}), ("validate", {"keys": ["a"]})):
        answer = reading.raw("POST", f"/archive/{path}", body)
        assert answer.status_code == 403


def test_keys_are_judged_without_a_trace(own: Served) -> None:
    keys = [
        f"BRD/{COMPLETE}.mp4",
        "BRD/VO-BRD-77777.mp4",
        "BRD/V0-BRD-14400.mp4",
        "DVD/VO-BRD-14404.mp4",
        "UMT/VO-UMT-00001.mp4",
        "BRD/Thumbs.db",
    ]
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        before = picture(own.lading.db)
        answer = operator.send("POST", "/archive/validate", {"keys": keys, "source": ARCHIVE})
        found = [
            (one["stage"], one["accepted"], one["left_out"], one["held"], one["rule"])
            for one in answer["items"]
        ]
        assert found == [
            ("accepted", True, False, True, None),
            ("accepted", True, False, False, None),
            ("code", False, False, False, "code_malformed"),
            ("type", False, False, False, "type_mismatch"),
            ("folder_left_out", False, True, False, None),
            ("extension", False, True, False, None),
        ]
        assert answer["items"][2]["marked"]["place"] == 2
        assert picture(own.lading.db) == before
        operator.send("POST", "/archive/validate", {"keys": []}, status=400)


def test_an_installation_without_an_archive_says_so(served: GetServed) -> None:
    with script(served("empty"), Role.ADMIN) as admin:
        assert admin.get("/archive/runs")["items"] == []
        assert admin.get("/archive/objects")["items"] == []
        assert admin.get("/archive/rejects")["items"] == []
        refused = admin.send("POST", "/archive/runs", {}, status=409)
        assert refused["code"] == "not_an_archive"
        assert "BUCKET_NAME" in refused["next_step"]
