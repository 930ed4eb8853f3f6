"""A worker that lost its job can write nothing about it any more, whichever way it tries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext, suppress

import pytest
from sqlalchemy import Connection

from lading.base.progress import Progress
from lading.base.stopping import StopReason, StopSignal
from lading.jobs.context import JobContext
from lading.jobs.errors import LeaseLost
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.values import Claim
from lading.ledger.chain import Entry
from tests.jobs.bench import Bench

ATTEMPTS: dict[str, Callable[[Queue, Claim], object]] = {
    "done": lambda queue, claim: queue.done(claim),
    "done with rows": lambda queue, claim: queue.done(claim, write=lambda _conn: []),
    "done with progress": lambda queue, claim: queue.done(claim, progress=Progress()),
    "fail": lambda queue, claim: queue.fail(claim, ValueError("no")),
    "retry later": lambda queue, claim: queue.retry_later(claim, ValueError("no"), delay_s=1),
    "release": lambda queue, claim: queue.release(claim, StopReason.SHUTDOWN),
    "pause": lambda queue, claim: queue.release(claim, StopReason.OPERATOR),
    "heartbeat": lambda queue, claim: queue.db.run(lambda conn: queue.guard(conn, claim)),
}


def take_over(bench: Bench, claim: Claim) -> Claim:
    bench.silence(claim.job_id)
    assert bench.queue.rescue(stale_after_s=900, actor="worker:w2") == [claim.job_id]
    return bench.claim("w2")


def refused(bench: Bench, claim: Claim) -> list[str]:
    """The attempts that were refused and left no trace in the job or the ledger."""
    found = []
    before = bench.queue.get(claim.job_id), bench.check_chain()
    for name, attempt in ATTEMPTS.items():
        with suppress(LeaseLost):
            attempt(bench.queue, claim)
            continue
        if (bench.queue.get(claim.job_id), bench.check_chain()) == before:
            found.append(name)
    return found


@pytest.mark.parametrize("short_way", [False, True])
def test_a_zombie_is_refused_while_its_successor_runs_and_after_it_ended(
    bench: Bench, short_way: bool
) -> None:
    with bench.queue.fast_lane() if short_way else nullcontext():
        zombie = bench.running()
        guess = dataclasses.replace(zombie, lease=zombie.lease + 1)
        assert refused(bench, guess) == list(ATTEMPTS)
        successor = take_over(bench, zombie)
        assert successor.lease == zombie.lease + 2
        assert refused(bench, zombie) == list(ATTEMPTS)
        bench.queue.done(successor)
        assert refused(bench, zombie) == list(ATTEMPTS)
        assert refused(bench, successor) == list(ATTEMPTS)


def test_a_refunded_attempt_does_not_bring_a_lease_back(bench: Bench) -> None:
    first = bench.running()
    bench.queue.release(first, StopReason.SHUTDOWN)
    second = bench.claim()
    assert (second.attempt, second.lease) == (first.attempt, first.lease + 1)
    with pytest.raises(LeaseLost):
        bench.queue.done(first)
    bench.queue.done(second)


def test_the_last_rows_of_a_zombie_are_rolled_back(bench: Bench) -> None:
    zombie = bench.running()
    take_over(bench, zombie)
    written = []

    def write(_conn: Connection) -> list[Entry]:
        written.append(1)
        return []

    with pytest.raises(LeaseLost):
        bench.queue.done(zombie, write=write)
    assert written == []


def test_a_guarded_transaction_of_a_zombie_writes_nothing_and_tells_it_to_stop(
    bench: Bench,
) -> None:
    zombie = bench.running()
    take_over(bench, zombie)
    stop = StopSignal()
    context = JobContext(bench.queue, zombie, stop, WorkerSettings())
    entered = []
    with pytest.raises(LeaseLost), context.transaction():
        entered.append(1)
    assert entered == []
    assert stop.reason is StopReason.LEASE_LOST


def test_a_job_whose_lease_is_right_but_whose_number_is_not_is_refused(bench: Bench) -> None:
    claim = bench.running()
    with pytest.raises(LeaseLost):
        bench.queue.done(dataclasses.replace(claim, job_id=claim.job_id + 1))
    bench.queue.done(claim)
