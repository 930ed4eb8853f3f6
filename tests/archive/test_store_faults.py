"""What a store does wrong is waited for or named; its neighbours are taken in, the run ends right.

The faults are those of real services, made by a front of our own; the clients are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from lading.db import Database
from lading.ingest.rehearsal import rehearse
from lading.ingest.source import SourceMissing
from lading.jobs.states import JobState
from lading.ledger.queries import list_events
from lading.ledger.states import BatchState
from lading.library.tables import asset
from lading.sources.archive.documents import parse_metadata
from lading.storage.port import StoreUnavailable
from lading.testing.archive_bucket import PDF
from lading.testing.installation import ACTOR
from tests.archive.front import (
    DENIED,
    NO_BUCKET,
    SLOW_DOWN,
    Fault,
    Front,
    FrontArchive,
    Request,
    Trouble,
)
from tests.archive.taking_in import TakingIn, count_of

CODES = 6
BAD = "VO-BRD-00003"
METADATA, COPY = f"BRD/{BAD}.json", f"BRD/{BAD}.mp4"


@pytest.fixture
def here(
    sqlite_database: Database, behind_front: FrontArchive, take_in_by: Callable[..., TakingIn]
) -> TakingIn:
    """An archive of some good codes behind the front."""
    behind_front.put_codes(CODES)
    return take_in_by(sqlite_database, behind_front, retries_max=1, timeout_s=20.0)


def on(key: str, trouble: Trouble, *, times: int = 10_000, verb: str = "get") -> Fault:
    """The trouble at the first `times` requests of that kind."""

    def fault(request: Request) -> Trouble | None:
        hit = (request.verb, request.key) == (verb, key) and request.number <= times
        return trouble if hit else None

    return fault


def require_all_but_the_bad_one(here: TakingIn) -> None:
    assert sorted(here.assets()) == [
        f"VO-BRD-{number:05}" for number in range(1, CODES + 1) if f"VO-BRD-{number:05}" != BAD
    ]


@pytest.mark.parametrize(
    "trouble",
    [
        SLOW_DOWN,
        Trouble(500, "InternalError"),
        Trouble(cut=20),
        Trouble(off=7),
        Trouble(off=-7),
        Trouble(hangs=True),
    ],
    ids=["503", "500", "cut", "longer than said", "shorter than said", "hangs"],
)
def test_trouble_that_passes_is_passed_over(
    trouble: Trouble,
    sqlite_database: Database,
    front: Front,
    behind_front: FrontArchive,
    take_in_by: Callable[..., TakingIn],
) -> None:
    behind_front.put_codes(CODES)
    timeout_s = 0.5 if trouble.hangs else 20.0
    here = take_in_by(sqlite_database, behind_front, retries_max=1, timeout_s=timeout_s)
    front.fault = on(METADATA, trouble, times=1)
    report = here.run()
    assert (report.created, report.problems) == (CODES, 0)
    with here.db.read() as conn:
        assert list_events(conn, kinds=["job_retrying"]) == []


@pytest.mark.parametrize(
    ("trouble", "rule"),
    [
        (SLOW_DOWN, "object_unreadable"),
        (Trouble(cut=20), "object_unreadable"),
        (Trouble(off=-7), "object_unreadable"),
        (DENIED, "object_denied"),
        (Trouble(404, "NoSuchKey"), "object_missing"),
    ],
    ids=["503", "cut", "longer than said", "denied", "missing"],
)
def test_trouble_with_one_object_is_named_and_its_neighbours_are_taken_in(
    trouble: Trouble, rule: str, here: TakingIn, front: Front
) -> None:
    front.fault = on(METADATA, trouble)
    started = here.start()
    here.installation.drain()
    report = here.report(started)
    assert here.rules(report) == {BAD: rule}
    (rejection,) = here.rejections(report)
    assert (rejection.subject, rejection.phase) == (METADATA, 3)
    assert rejection.next_step
    require_all_but_the_bad_one(here)
    assert here.batch(report).state is BatchState.PARTIAL
    assert started.job_id is not None
    assert here.installation.queue.get(started.job_id).status is JobState.DONE

    front.fault = lambda _: None
    again = here.run()
    assert (again.batch_id, again.created, again.held) == (started.batch_id, 1, CODES - 1)


def test_a_streaming_copy_that_has_to_be_read_and_breaks_off_is_named(
    here: TakingIn, front: Front, behind_front: FrontArchive
) -> None:
    """Its ETag is of several parts, so that only its bytes prove the checksum."""
    body, etag = front.objects[COPY]
    front.objects[COPY] = (body, f"{etag}-2")
    front.fault = on(COPY, Trouble(cut=3), times=1)
    started = here.start()
    front.fault = on(COPY, Trouble(cut=3))
    here.installation.drain()
    report = here.report(started)
    assert here.rules(report) == {BAD: "object_unreadable"}
    require_all_but_the_bad_one(here)
    front.fault = on(COPY, Trouble(cut=3), times=1)
    front.forget()
    assert here.run().created == 1
    assert front.requests.count(Request("get", COPY, 2)) == 1


def test_an_object_that_changes_while_it_is_read_about_is_named(
    here: TakingIn, front: Front, behind_front: FrontArchive
) -> None:
    """Between the checksum and the report that it lies beside."""
    report_key = f"BRD/{BAD}.pdf"

    def change(request: Request) -> Trouble | None:
        if (request.verb, request.key, request.number) == ("get", METADATA, 1):
            front.put(report_key, PDF.replace(b"1.4", b"1.5"))
        return None

    front.fault = change
    report = here.run()
    assert here.rules(report) == {BAD: "object_changed"}
    (rejection,) = here.rejections(report)
    assert rejection.subject == report_key
    assert rejection.expected != rejection.found == front.objects[report_key][1]
    require_all_but_the_bad_one(here)
    front.fault = lambda _: None
    assert here.run().created == 1


@pytest.mark.parametrize(
    ("trouble", "code"),
    [(SLOW_DOWN, "store_unavailable"), (DENIED, "source_missing"), (NO_BUCKET, "source_missing")],
    ids=["503", "denied", "no bucket"],
)
def test_trouble_with_the_whole_bucket_ends_the_attempt_and_no_item_is_blamed(
    trouble: Trouble, code: str, here: TakingIn, front: Front
) -> None:
    """The next attempt, when the bucket is back, takes everything in."""
    started = here.start()
    assert started.job_id is not None
    asked_after = 0

    def away_for_a_while(request: Request) -> Trouble | None:
        nonlocal asked_after
        asked_after += request.probes
        return trouble if asked_after < 8 else None

    front.fault = away_for_a_while
    here.installation.drain()
    report = here.report(started)
    assert (report.created, report.problems, report.state) == (CODES, 0, "imported")
    with here.db.read() as conn:
        retried = list_events(conn, job_id=started.job_id, kinds=["job_retrying"])
        failed = list_events(conn, kinds=["item_failed"])
    assert {event.payload["code"] for event in retried} == {code}
    assert failed == []


def test_a_bucket_that_is_lost_in_the_middle_keeps_what_was_written_and_goes_on(
    sqlite_database: Database,
    front: Front,
    behind_front: FrontArchive,
    take_in_by: Callable[..., TakingIn],
) -> None:
    behind_front.put_codes(130)
    here = take_in_by(sqlite_database, behind_front, fetch_threads=2, retries_max=0)
    started = here.start()
    late = [key for key in front.objects if key > "BRD/VO-BRD-00120"]
    lost: list[int] = []

    def lose(request: Request) -> Trouble | None:
        if request.verb == "get" and request.key in late and len(lost) < 4:
            return NO_BUCKET
        if request.probes and len(lost) < 4:
            lost.append(len(here.assets()))
            return NO_BUCKET
        return None

    front.fault = lose
    here.installation.drain()
    report = here.report(started)
    assert (report.created, report.problems) == (130, 0)
    assert lost[0] == 100  # the first group is in, and is not read again
    assert front.requests.count(Request("get", "BRD/VO-BRD-00001.json", 1)) == 1
    assert Request("get", "BRD/VO-BRD-00001.json", 2) not in front.requests


@pytest.mark.parametrize("of_objects", [NO_BUCKET, Trouble(404, "NoSuchKey")], ids=lambda t: t.code)
def test_a_bucket_that_stays_lost_fails_the_job_and_a_retry_goes_on(
    of_objects: Trouble, here: TakingIn, front: Front
) -> None:
    """Also where a service says of its objects alone that they are gone."""
    started = here.start()
    assert started.job_id is not None
    front.fault = lambda request: NO_BUCKET if request.verb == "list" else of_objects
    here.installation.drain()
    job = here.installation.queue.get(started.job_id)
    assert (job.status, job.error_code) == (JobState.FAILED, "source_missing")
    report = here.report(started)
    assert (report.error, report.pending, report.problems) == ("source_missing", CODES, 0)
    front.fault = lambda _: None
    here.installation.queue.retry(started.job_id, actor=ACTOR)
    here.installation.drain()
    assert here.report(started).created == CODES


@pytest.mark.parametrize(
    ("prefix", "trouble", "error"),
    [
        ("", SLOW_DOWN, StoreUnavailable),
        ("", DENIED, SourceMissing),
        ("", NO_BUCKET, SourceMissing),
        ("BRD/", SLOW_DOWN, StoreUnavailable),
        ("BRD/", DENIED, SourceMissing),
    ],
    ids=["503", "denied", "no bucket", "503 in a folder", "a denied folder"],
)
def test_a_bucket_that_cannot_be_listed_whole_is_no_listing_and_nothing_is_recorded(
    prefix: str, trouble: Trouble, error: type[Exception], here: TakingIn, front: Front
) -> None:
    front.fault = lambda request: trouble if request.key == prefix else None
    with pytest.raises(error):
        here.start()
    with pytest.raises(error):
        rehearse(here.installation.parts, here.source)
    with here.db.read() as conn:
        assert {event.kind for event in list_events(conn)} <= {"scan_refused"}
        assert conn.execute(select(asset)).all() == []
    front.fault = lambda _: None
    assert here.run().created == CODES


def test_a_listing_that_stumbles_once_loses_nothing(here: TakingIn, front: Front) -> None:
    front.fault = lambda request: (
        SLOW_DOWN if request.verb == "list" and request.number == 1 else None
    )
    report = here.run()
    assert (report.phase1["listed"], report.created) == (4 * CODES, CODES)


def test_a_safe_run_that_meets_an_unreadable_object_writes_nothing(
    here: TakingIn, front: Front
) -> None:
    front.fault = on(METADATA, DENIED)
    report = here.run(safe_run=True)
    assert (report.error, here.rules(report)) == ("import_aborted", {BAD: "object_denied"})
    assert count_of(here.db, asset) == 0
    front.fault = lambda _: None
    assert here.run(safe_run=True).created == CODES


def test_a_dry_run_names_what_cannot_be_read_and_goes_on(here: TakingIn, front: Front) -> None:
    front.fault = on(METADATA, SLOW_DOWN)
    found = rehearse(here.installation.parts, here.source)
    assert (found.create, dict(found.refused)) == (CODES - 1, {"object_unreadable": 1})


def test_what_nobody_foresaw_about_one_code_stops_no_other(
    here: TakingIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a safe run, which names it and writes nothing."""

    def breaks(body: bytes, key: str, *, bytes_max: int) -> object:
        if key == METADATA:
            raise RecursionError("deeper than anybody thought")
        return parse_metadata(body, key, bytes_max=bytes_max)

    monkeypatch.setattr("lading.sources.archive.importer.parse_metadata", breaks)
    safe = here.run(safe_run=True)
    assert (safe.error, here.rules(safe)) == ("import_aborted", {BAD: "internal_fault"})
    assert count_of(here.db, asset) == 0
    plain = here.run()
    assert here.rules(plain) == {BAD: "internal_fault"}
    require_all_but_the_bad_one(here)
