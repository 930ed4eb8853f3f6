"""What pages say of a job, from plain values: its look, its sentence, its way, what can be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lading.base.progress import Pace, Progress
from lading.console.job_words import (
    Around,
    Awaited,
    family_of_silence,
    kind_word,
    look_of_job,
    offers_for,
    path_of,
    sentence_of,
    worker_name,
    worker_url,
)
from lading.console.vocabulary import (
    FAILED_BY_ANOTHER,
    JOB_LOOKS,
    STALLED,
    WORKER_GONE,
    Family,
)
from lading.jobs.states import JobState
from lading.jobs.values import Intake, JobRow
from lading.operations.values import Verb

AT = datetime(2026, 6, 29, 18, 0, tzinfo=UTC)
AROUND = Around(stale_after_s=900.0)
JOB = JobRow(
    id=7,
    kind="import_batch",
    params={},
    batch_id=3,
    status=JobState.QUEUED,
    priority=5,
    not_before=None,
    pending_deps=0,
    attempt=0,
    attempts_max=5,
    lease=0,
    worker=None,
    created_at=AT - timedelta(minutes=10),
    queued_at=AT - timedelta(minutes=9),
    started_at=None,
    heartbeat_at=None,
    finished_at=None,
    stop_requested=False,
    progress=Progress(),
    error=None,
    error_code=None,
    failed_by=None,
    active_key=None,
)
RUNNING = replace(
    JOB,
    status=JobState.RUNNING,
    attempt=2,
    worker="ingest-1/4711/abc",
    started_at=AT - timedelta(minutes=4),
    heartbeat_at=AT,
)


def said(job: JobRow, around: Around = AROUND) -> str:
    return "".join(part.text for part in sentence_of(job, around))


def test_a_waiting_job_names_what_it_waits_for_and_counts_the_rest() -> None:
    waiting = replace(JOB, status=JobState.WAITING, pending_deps=5)
    awaited = [Awaited(n, "scan", JobState.RUNNING) for n in (1842, 1843, 1844)]
    around = replace(AROUND, waits_on=awaited)
    assert said(waiting, around) == (
        "Waiting on job 1842 (scan, running), job 1843 (scan, running),"
        " job 1844 (scan, running) and 2 more."
    )
    alone = replace(AROUND, waits_on=awaited[:1])
    assert said(replace(waiting, pending_deps=1), alone) == "Waiting on job 1842 (scan, running)."
    links = [part.url for part in sentence_of(waiting, around) if part.url]
    assert links == ["/jobs/1842", "/jobs/1843", "/jobs/1844"]


def test_a_job_that_waits_for_its_time_says_when_and_why() -> None:
    waiting = replace(JOB, status=JobState.WAITING)
    assert said(waiting, replace(AROUND, not_before_s=90)) == "Its time comes in 1 min."
    again = said(replace(waiting, attempt=2), replace(AROUND, not_before_s=300))
    assert again == "Attempt 2 of 5 met a passing fault; it is tried again in 5 min."
    late = said(replace(waiting, attempt=2), replace(AROUND, not_before_s=-3))
    assert late.endswith("as soon as a worker looks.")


def test_a_queued_job_says_its_place_and_what_keeps_it_there() -> None:
    assert said(JOB) == "First in line."
    assert said(JOB, replace(AROUND, ahead=1)) == "In line behind 1 job."
    paused = replace(AROUND, ahead=1204, intake=Intake(True, "user:ana"))
    assert said(JOB, paused) == (
        "In line behind 1,204 jobs."
        " Intake is paused by user:ana: nothing is taken up until it is resumed."
    )
    alone = replace(AROUND, workers_alive=0)
    assert said(JOB, alone) == "First in line. No worker is alive to take it."


def test_a_running_job_names_its_worker_until_that_is_gone() -> None:
    assert said(RUNNING, replace(AROUND, silent_s=2)) == "Attempt 2 of 5, with ingest-1/4711."
    stopping = replace(RUNNING, stop_requested=True)
    assert said(stopping).endswith("; asked to stop after the item in hand.")
    assert said(RUNNING, replace(AROUND, silent_s=901)).startswith("No sign of life for 15 min.")


def test_a_job_that_ended_says_how() -> None:
    ended = replace(RUNNING, finished_at=AT)
    assert said(replace(ended, status=JobState.DONE)) == "Ended well after 4 min."
    failed = replace(ended, status=JobState.FAILED)
    assert said(failed) == "Failed after 4 min, in 2 attempts of 5."
    spoiled = replace(failed, failed_by=2)
    assert said(spoiled) == (
        "Failed without running: job 2, which it waited for, did not end well."
    )
    cancelled = replace(JOB, status=JobState.CANCELLED)
    by = replace(AROUND, ended_by="user:ana", ended_why="not now")
    assert said(cancelled, by) == "Cancelled by user:ana: not now."
    assert said(cancelled) == "Cancelled."
    assert said(replace(JOB, status=JobState.PAUSED)).startswith("Stopped after an item")


@pytest.mark.parametrize("status", JobState)
def test_a_job_looks_like_its_state_unless_more_is_known(status: JobState) -> None:
    job = replace(JOB, status=status)
    assert look_of_job(job, pace=None, silent_s=None, stale_after_s=9) is JOB_LOOKS[status]


def test_silence_and_standstill_and_another_ones_failure_show() -> None:
    stalled = Pace(0.0, None, 40.0)
    look = look_of_job(RUNNING, pace=stalled, silent_s=3, stale_after_s=900)
    assert look is STALLED
    look = look_of_job(RUNNING, pace=stalled, silent_s=900, stale_after_s=900)
    assert look is WORKER_GONE
    spoiled = replace(JOB, status=JobState.FAILED, failed_by=2)
    assert look_of_job(spoiled, pace=None, silent_s=None, stale_after_s=9) is FAILED_BY_ANOTHER
    ended = replace(RUNNING, status=JobState.DONE)
    assert look_of_job(ended, pace=stalled, silent_s=9, stale_after_s=9).word == "Done"


def test_silence_worries_after_two_signs_and_is_a_failure_at_the_threshold() -> None:
    def family(silent_s: float) -> Family:
        return family_of_silence(silent_s, every_s=15, stale_after_s=900)

    assert [family(s) for s in (0, 30, 30.1, 899, 900)] == [
        Family.NEUTRAL,
        Family.NEUTRAL,
        Family.ATTENTION,
        Family.ATTENTION,
        Family.FAILED,
    ]


def test_the_way_of_a_job_has_times_and_spans() -> None:
    way = path_of(replace(RUNNING, status=JobState.DONE, finished_at=AT), AT)
    assert [(step.label, step.lasted_s) for step in way] == [
        ("Created", 60.0),
        ("Queued", 300.0),
        ("Started", 240.0),
        ("Done", None),
    ]
    assert [step.now for step in way] == [False, False, False, True]


@pytest.mark.parametrize(
    ("status", "labels"),
    [
        (JobState.QUEUED, ["Created", "Queued"]),
        (JobState.RUNNING, ["Created", "Queued", "Started"]),
        (JobState.PAUSED, ["Created", "Queued", "Started", "Paused"]),
        (JobState.WAITING, ["Created", "Queued", "Started", "Waiting"]),
    ],
)
def test_the_way_ends_where_the_job_stands(status: JobState, labels: list[str]) -> None:
    way = path_of(replace(RUNNING, status=status), AT)
    assert [step.label for step in way] == labels
    assert all(step.lasted_s is not None and step.lasted_s >= 0 for step in way)


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        (JobState.WAITING, {Verb.PRIORITISE, Verb.CANCEL}),
        (JobState.QUEUED, {Verb.PRIORITISE, Verb.CANCEL}),
        (JobState.RUNNING, {Verb.STOP, Verb.PRIORITISE}),
        (JobState.PAUSED, {Verb.RESUME, Verb.PRIORITISE, Verb.CANCEL}),
        (JobState.DONE, set()),
        (JobState.FAILED, {Verb.RETRY}),
        (JobState.CANCELLED, {Verb.RETRY}),
    ],
)
def test_each_state_offers_what_can_be_done_and_says_why_not_the_rest(
    status: JobState, offered: set[Verb]
) -> None:
    offers = offers_for(replace(JOB, status=status))
    assert {offer.verb for offer in offers if offer.refused is None} == offered
    assert {offer.verb for offer in offers} == {
        Verb.RESUME,
        Verb.STOP,
        Verb.RETRY,
        Verb.PRIORITISE,
        Verb.CANCEL,
    }
    assert all(offer.refused is None or offer.refused.endswith(".") for offer in offers)


def test_what_failed_because_of_another_is_not_retried_alone() -> None:
    (retry,) = (
        offer
        for offer in offers_for(replace(JOB, status=JobState.FAILED, failed_by=2))
        if offer.verb is Verb.RETRY
    )
    assert retry.refused == "It waits for a job that did not end well."


def test_kinds_and_workers_have_words() -> None:
    assert kind_word("import_batch") == "Import"
    assert kind_word("make_thumbs") == "Make thumbs"
    assert worker_name("ingest-1/4711/abc") == "ingest-1/4711"
    assert worker_url("über/1/x y") == "/workers/%C3%BCber/1/x%20y"
