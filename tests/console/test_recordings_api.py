"""Programs ask of recordings what the pages show, and have done with them what people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lading.accounts.values import Permission, Role
from lading.jobs.values import JobFilter
from lading.sources.recordings import jobs
from lading.testing.console_recordings import (
    CONFLICTING,
    HALVES,
    PLAIN,
    RIG,
    UNNAMED,
    VERIFIED,
    WAITING,
)
from tests.console.api_client import Script, picture, script
from tests.console.browser.serving import Served
from tests.console.visitor import work_on

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def reading(served: GetServed) -> Iterator[Script]:
    with script(served("recordings"), Role.VIEWER, [Permission.READ]) as one:
        yield one


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    return serve_own("recordings")


def found(reading: Script, recording_id: str) -> Any:
    (one,) = reading.get(f"/recordings?q={recording_id}")["items"]
    return one


def test_lists_go_page_by_page_and_each_state_is_one(reading: Script) -> None:
    answer = reading.get("/recordings")
    assert answer["count"] == {"value": 4, "exact": True}
    ids = [CONFLICTING, PLAIN, HALVES, VERIFIED]
    assert [one["recording_id"] for one in answer["items"]] == ids
    assert [one["recording_id"] for one in reading.all("/recordings", limit=1)] == ids
    by_modality = reading.all("/recordings?modality=camera", limit=1)
    assert [one["recording_id"] for one in by_modality] == [CONFLICTING, HALVES, VERIFIED]
    states = {one["recording_id"]: one["state"] for one in answer["items"]}
    assert (states[VERIFIED], states[HALVES]) == ("verified", "verify_failed")
    (local,) = reading.get("/recordings?state=local")["items"]
    assert (local["recording_id"], local["state"]) == (WAITING, "local_only")
    (stored,) = reading.get("/recordings?state=stored")["items"]
    assert (stored["recording_id"], stored["state"]) == (UNNAMED, "uploaded_unregistered")
    assert reading.get("/recordings?state=verified,local", status=400)["subject"] == "state"
    assert reading.get("/recordings?state=lost", status=400)["code"] == "bad_parameter"
    assert reading.get("/recordings?source=other", status=404)["code"] == "unknown_source"


def test_a_recording_tells_files_manifests_versions_and_its_verification(reading: Script) -> None:
    line = found(reading, HALVES)
    answer = reading.get(f"/recordings/{line['recording_hash']}?limit=2")
    assert [one["key"] for one in answer["modalities"]] == line["modalities"]
    assert (answer["files_total"], answer["files_bad"], len(answer["files"])) == (6, 1, 2)
    bad = [one for one in answer["files"] if one["good"] is False]
    assert [(one["compared"], one["stored_bytes"]) for one in bad] == [("size", 9)]
    assert [one["node"] for one in answer["manifests"]] == ["left", "right"]
    assert {"word": "Duration", "before": "61.5 s", "after": "62 s"} in (
        answer["versions"][0]["changes"]
    )
    assert answer["verification"]["checked"] == "size"
    path = f"/recordings/{line['recording_hash']}"
    assert reading.get(f"{path}?cursor=x", status=400)["code"] == "bad_cursor"
    assert reading.get(f"/recordings/{'0' * 64}", status=404)["code"] == "recording_missing"


def test_whoever_may_only_read_asks_for_nothing(reading: Script) -> None:
    path = f"/recordings/{found(reading, VERIFIED)['recording_hash']}"
    for where, body in (
        (f"{path}/verify", {"level": "size"}),
        (f"{path}/download", {}),
        ("/recordings/ingest", {"recording_id": WAITING, "dry_run": True}),
    ):
        assert reading.send("POST", where, body, status=403)["code"] == "not_permitted"


def test_what_changes_something_is_rehearsed_without_a_trace_and_done_once(own: Served) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        path = f"/recordings/{found(operator, PLAIN)['recording_hash']}"
        before = picture(own.lading.db)
        for where, body in (
            (f"{path}/verify?dry_run=true", {"level": "size"}),
            (f"{path}/download?dry_run=true", {"source": RIG}),
            ("/recordings/ingest?dry_run=true", {"recording_id": WAITING}),
            ("/recordings/ingest", {"manifest": f"{WAITING}/manifest.json", "dry_run": True}),
        ):
            answer = operator.send("POST", where, body)
            assert answer["dry_run"] is True
        assert answer["result"]["plan"]["path"] == "upload"
        assert all(one["met"] for one in answer["result"]["plan"]["preconditions"])
        assert picture(own.lading.db) == before
        key = {"idempotency-key": "verify-1"}
        first = operator.raw("POST", f"{path}/verify", {"level": "size"}, headers=key)
        again = operator.raw("POST", f"{path}/verify", {"level": "size"}, headers=key)
        assert first.status_code == again.status_code == 202
        assert again.json() == first.json()
        other = operator.send("POST", f"{path}/verify", {"level": "size"}, status=202)
        assert other["result"] == first.json()["result"]
        assert operator.send("POST", f"{path}/verify", {"level": "all"}, status=400)


def test_a_conflict_is_planned_refused_and_settled_by_policy(own: Served) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        body: dict[str, Any] = {"recording_id": CONFLICTING}
        plan = operator.send("POST", "/recordings/ingest", body | {"dry_run": True})
        conflict = plan["result"]["plan"]["conflict"]
        assert conflict["settled_by"] == ["extend+merge_participants", "overwrite"]
        refused = operator.send("POST", "/recordings/ingest", body, status=409)
        assert refused["code"] == "recording_not_ready"
        over = body | {"on_conflict": "overwrite"}
        untyped = operator.send("POST", "/recordings/ingest", over, status=422)
        assert untyped["code"] == "overwrite_not_typed"
        assert not own.lading.queue.list(JobFilter(kinds=[jobs.REGISTER])).jobs
        done = operator.send(
            "POST", "/recordings/ingest", over | {"confirm": CONFLICTING}, status=202
        )
        assert len(done["result"]["asked"]["jobs"]) == 1
        work_on(own, jobs.REGISTER)
        (person,) = found(operator, CONFLICTING)["participants"]
        assert person == {"id": "Eve Moss", "name": "Eve Moss", "known": True}
        for wrong in ({}, {"manifest": "x.json"}, body | {"manifest": "a/manifest.json"}):
            answer = operator.send("POST", "/recordings/ingest", wrong, status=400)
            assert answer["code"] == "bad_recording_request"
