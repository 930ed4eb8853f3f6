"""What people and background duties do to jobs, and what the hook and the ledger see of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from lading.base.errors import StoreError
from lading.base.stopping import StopReason
from lading.jobs.errors import (
    BadJob,
    JobMissing,
    JobNotCancellable,
    JobNotMovable,
    JobNotResumable,
    JobNotRetryable,
    JobNotStoppable,
)
from lading.jobs.queue import Queue
from lading.jobs.states import JobState
from lading.jobs.values import JobMoved, NewJob
from lading.ledger.chain import Entry
from lading.ledger.events import BatchMoved
from tests.jobs.bench import Bench


class Unreachable(StoreError):
    code = "test_unreachable"


def test_only_a_job_that_is_not_running_and_has_not_ended_can_be_cancelled(bench: Bench) -> None:
    claim = bench.running()
    with pytest.raises(JobNotCancellable) as refused:
        bench.queue.cancel(claim.job_id, actor="u", why="no")
    assert refused.value.found == JobState.RUNNING
    bench.queue.release(claim, StopReason.OPERATOR)
    bench.queue.cancel(claim.job_id, actor="u", why="no")
    with pytest.raises(JobNotCancellable):
        bench.queue.cancel(claim.job_id, actor="u", why="no")
    with pytest.raises(JobMissing):
        bench.queue.cancel(99, actor="u", why="no")
    assert bench.events(claim.job_id)[-2:] == ["job_released", "job_cancelled"]


def test_a_paused_job_resumes_at_its_old_place(bench: Bench) -> None:
    first, second = bench.put(NewJob("copy"), NewJob("copy"))
    claim = bench.claim()
    bench.queue.request_stop(first, actor="u", why="let the other one pass")
    bench.queue.request_stop(first, actor="u", why="again")
    with bench.db.write() as conn:
        assert bench.queue.guard(conn, claim)
    assert bench.queue.release(claim, StopReason.OPERATOR) is JobState.PAUSED
    row = bench.queue.get(first)
    assert (row.attempt, row.lease, row.stop_requested) == (0, 1, False)
    assert bench.claim().job_id == second
    third = bench.one()
    bench.queue.resume(first, actor="u")
    assert [bench.claim().job_id, bench.claim().job_id] == [first, third]
    assert bench.events(first) == [
        "job_queued",
        "job_started",
        "job_stop_requested",
        "job_released",
        "job_queued",
        "job_started",
    ]
    with pytest.raises(JobNotResumable):
        bench.queue.resume(first, actor="u")


def test_only_a_running_job_can_be_asked_to_stop(bench: Bench) -> None:
    with pytest.raises(JobNotStoppable):
        bench.queue.request_stop(bench.one(), actor="u", why="no")


def test_a_passing_fault_is_tried_again_later_until_the_attempts_are_used_up(
    bench: Bench,
) -> None:
    job_id = bench.one(attempts_max=2)
    child = bench.one(wait_for=[job_id])
    assert (
        bench.queue.retry_later(bench.claim(), Unreachable("no answer"), delay_s=60)
        is JobState.WAITING
    )
    row = bench.queue.get(job_id)
    assert (row.error, row.error_code, row.worker) == ("no answer", "test_unreachable", None)
    assert bench.queue.claim("w") is None
    bench.let_time_come()
    bench.queue.schedule(actor="w")
    second = bench.claim()
    assert second.attempt == 2
    assert bench.queue.retry_later(second, Unreachable("no answer"), delay_s=60) is JobState.FAILED
    assert bench.states([job_id, child]) == ["failed", "failed"]
    assert "job_retrying" in bench.events(job_id)


def test_a_retry_by_hand_begins_anew_but_never_gives_an_old_lease(bench: Bench) -> None:
    claim = bench.running(active_key="k")
    bench.queue.fail(claim, ValueError("no"))
    assert bench.queue.get(claim.job_id).active_key is None
    bench.queue.retry(claim.job_id, actor="u")
    row = bench.queue.get(claim.job_id)
    assert (row.attempt, row.lease, row.error, row.active_key) == (0, 1, None, "k")
    assert bench.one(active_key="k") == claim.job_id
    assert bench.claim().lease == 2
    with pytest.raises(JobNotRetryable):
        bench.queue.retry(claim.job_id, actor="u")


def test_a_retry_is_refused_when_another_job_does_the_same_work_by_now(bench: Bench) -> None:
    claim = bench.running(active_key="k")
    bench.queue.fail(claim, ValueError("no"))
    successor = bench.one(active_key="k")
    with pytest.raises(JobNotRetryable) as refused:
        bench.queue.retry(claim.job_id, actor="u")
    assert refused.value.found == f"job {successor}"


def test_a_job_can_be_moved_forward_in_line_while_it_has_not_ended(bench: Bench) -> None:
    ids = bench.put(NewJob("copy"), NewJob("copy"))
    bench.queue.set_priority(ids[1], 1, actor="u")
    bench.queue.set_priority(ids[1], 1, actor="u")
    assert bench.events(ids[1]) == ["job_queued", "job_reprioritised"]
    claim = bench.claim()
    assert claim.job_id == ids[1]
    bench.queue.done(claim)
    with pytest.raises(JobNotMovable):
        bench.queue.set_priority(ids[1], 2, actor="u")
    with pytest.raises(BadJob):
        bench.queue.set_priority(ids[0], -1, actor="u")


def test_the_rescuer_takes_silent_jobs_only_and_charges_the_attempt(bench: Bench) -> None:
    bench.put(*(NewJob("copy", attempts_max=n) for n in (2, 1, 2)))
    silent, last_chance, fresh = bench.claim(), bench.claim(), bench.claim()
    child = bench.one(wait_for=[last_chance.job_id])
    bench.silence(silent.job_id)
    bench.silence(last_chance.job_id)
    rescued = bench.queue.rescue(stale_after_s=900, actor="worker:w2")
    assert rescued == [silent.job_id, last_chance.job_id]
    assert bench.states([silent.job_id, last_chance.job_id, fresh.job_id, child]) == [
        "queued",
        "failed",
        "running",
        "failed",
    ]
    row = bench.queue.get(silent.job_id)
    assert (row.lease, row.attempt, row.worker) == (2, 1, None)
    assert bench.queue.get(last_chance.job_id).error_code == "worker_lost"
    assert bench.events(last_chance.job_id)[-2:] == ["job_rescued", "job_failed"]
    assert bench.queue.rescue(stale_after_s=900, actor="worker:w2") == []


def test_the_hook_moves_what_belongs_to_a_job_in_the_same_transaction(bench: Bench) -> None:
    seen: list[tuple[int, str, str]] = []

    def hook(_conn: Connection, moved: JobMoved) -> Sequence[Entry]:
        seen.append((moved.job_id, moved.before.value, moved.after.value))
        if moved.after is JobState.CANCELLED:
            raise ZeroDivisionError
        event = BatchMoved(before=moved.before.value, after=moved.after.value)
        return [Entry(event, moved.actor, batch_id=moved.batch_id, job_id=moved.job_id)]

    bench.queue = Queue(bench.db, hook=hook)
    with_batch = bench.one(batch_id=7)
    bench.one()
    child = bench.one(batch_id=8, wait_for=[with_batch])
    with pytest.raises(ZeroDivisionError):
        bench.queue.cancel(with_batch, actor="u", why="no")
    assert bench.state(with_batch) == "queued"
    with bench.queue.fast_lane():
        bench.queue.release(bench.claim(), StopReason.SHUTDOWN)
        bench.queue.fail(bench.claim(), ValueError("no"))
        bench.queue.done(bench.claim())
    assert seen == [
        (with_batch, "queued", "cancelled"),
        (with_batch, "running", "queued"),
        (with_batch, "running", "failed"),
        (child, "waiting", "failed"),
    ]
    assert bench.events(child) == ["job_queued", "job_failed", "batch_moved"]
    bench.check_chain()


def test_the_hook_also_hears_of_a_plain_finish(bench: Bench) -> None:
    seen = []

    def hook(_conn: Connection, moved: JobMoved) -> Sequence[Entry]:
        seen.append(moved.after)
        return ()

    bench.queue = Queue(bench.db, hook=hook)
    bench.one(batch_id=7)
    with bench.queue.fast_lane():
        bench.queue.done(bench.claim())
    assert seen == [JobState.DONE]
