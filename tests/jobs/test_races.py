"""Two connections, one job: each race of the queue, with its winner and its loser by name.

The first comer holds its transaction open until the second is seen waiting for its lock.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select

from lading.jobs import claiming, control, finishing, rescuer
from lading.jobs.errors import JobNotCancellable, JobNotRetryable, LeaseLost
from lading.jobs.tables import import_job
from lading.jobs.values import Claim, NewJob
from tests.jobs.bench import Bench

Meanwhile = Callable[[Callable[[], Any]], "Future[Any]"]


def finish(conn: Connection, claim: Claim) -> None:
    finishing.finish(conn, None, claim, progress=None, write=None)


def test_a_cancel_that_waits_for_a_claim_comes_too_late(bench: Bench, meanwhile: Meanwhile) -> None:
    job_id = bench.one()
    with bench.db.write() as conn:
        claim = claiming._claim(conn, "w1", None)
        late = meanwhile(lambda: bench.queue.cancel(job_id, actor="u", why="no"))
        bench.wait_until_blocked()
    with pytest.raises(JobNotCancellable):
        late.result()
    assert claim is not None
    bench.queue.done(claim)


def test_a_claim_passes_by_a_job_that_is_being_cancelled(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    cancelled, other = bench.put(NewJob("copy"), NewJob("copy"))
    with bench.db.write() as conn:
        control.cancel(conn, None, cancelled, actor="u", why="no")
        claim = meanwhile(lambda: bench.claim("w2"))
        if bench.db.dialect != "sqlite":
            # The event of the claim waits for the ledger, the choice of the job does not.
            bench.wait_until_blocked()
    assert claim.result().job_id == other


def test_of_two_claims_of_the_only_job_one_goes_away_empty(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    job_id = bench.one()
    with bench.db.write() as conn:
        first = claiming._claim(conn, "w1", None)
        second = meanwhile(lambda: bench.queue.claim("w2"))
        if bench.db.dialect != "sqlite":
            assert second.result() is None
    assert first is not None
    assert first.job_id == job_id
    assert second.result() is None


def test_many_workers_at_once_share_the_jobs_without_taking_one_twice(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    ids = bench.put(*(NewJob("copy") for _ in range(40)))

    def work(worker: str) -> list[int]:
        taken = []
        with bench.queue.fast_lane():
            while (claim := bench.queue.claim(worker)) is not None:
                bench.queue.done(claim)
                taken.append(claim.job_id)
        return taken

    hands = [meanwhile(partial(work, f"w{n}")) for n in range(4)]
    assert sorted(job_id for hand in hands for job_id in hand.result()) == ids
    bench.check_chain()


def test_a_finish_that_waits_for_the_rescuer_has_lost_its_lease(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    claim = bench.running()
    bench.silence(claim.job_id)
    with bench.db.write() as conn:
        assert rescuer._rescue_one(
            conn, hook=None, job_id=claim.job_id, stale_after_s=900, actor="w2"
        )
        late = meanwhile(lambda: bench.queue.done(claim))
        bench.wait_until_blocked()
    with pytest.raises(LeaseLost):
        late.result()
    assert bench.state(claim.job_id) == "queued"


def test_the_short_finish_that_waits_for_the_rescuer_has_lost_its_lease(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    def finish_fast() -> None:
        with bench.queue.fast_lane():
            bench.queue.done(claim)

    bench.one()
    with bench.queue.fast_lane():
        claim = bench.claim()
    bench.silence(claim.job_id)
    with bench.db.write() as conn:
        assert rescuer._rescue_one(
            conn, hook=None, job_id=claim.job_id, stale_after_s=900, actor="w2"
        )
        late = meanwhile(finish_fast)
        bench.wait_until_blocked()
    with pytest.raises(LeaseLost):
        late.result()


def test_the_rescuer_leaves_a_silent_job_alone_that_is_just_finishing(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    claim = bench.running()
    bench.silence(claim.job_id)
    with bench.db.write() as conn:
        finish(conn, claim)
        rescue = meanwhile(lambda: bench.queue.rescue(stale_after_s=900, actor="w2"))
        if bench.db.dialect != "sqlite":
            assert rescue.result() == []
    assert rescue.result() == []
    assert bench.state(claim.job_id) == "done"


@pytest.mark.parametrize("fast", [False, True], ids=["long way", "short way"])
def test_a_finish_that_waits_for_an_enqueue_behind_its_job_sees_the_new_dependent(
    bench: Bench, meanwhile: Meanwhile, fast: bool
) -> None:
    job_id = bench.one()
    with bench.queue.fast_lane():
        claim = bench.claim()

    def finish_late() -> None:
        if not fast:
            bench.queue.done(claim)
            return
        with bench.queue.fast_lane():
            bench.queue.done(claim)

    with bench.db.write() as conn:
        child = bench.queue.enqueue(conn, [NewJob("copy", wait_for=[job_id])], actor="u")[0].job_id
        late = meanwhile(finish_late)
        bench.wait_until_blocked()
    late.result()
    assert bench.states([job_id, child]) == ["done", "queued"]


def test_an_enqueue_behind_a_job_that_is_just_finishing_does_not_wait_for_it(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    claim = bench.running()
    with bench.db.write() as conn:
        finish(conn, claim)
        child = meanwhile(lambda: bench.one(wait_for=[claim.job_id]))
        bench.wait_until_blocked()
    assert bench.state(child.result()) == "queued"


def test_an_enqueue_behind_a_job_that_is_just_failing_fails_too(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    claim = bench.running()
    with bench.db.write() as conn:
        finishing.fail(conn, None, claim, ValueError("no"), progress=None)
        child = meanwhile(lambda: bench.one(wait_for=[claim.job_id]))
        bench.wait_until_blocked()
    assert bench.queue.get(child.result()).failed_by == claim.job_id


def test_a_grandchild_put_in_line_while_failure_spreads_is_not_missed(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    claim = bench.running()
    child = bench.one(wait_for=[claim.job_id])
    with bench.db.write() as conn:
        made = bench.queue.enqueue(conn, [NewJob("copy", wait_for=[child])], actor="u")
        late = meanwhile(lambda: bench.queue.fail(claim, ValueError("no")))
        bench.wait_until_blocked()
    late.result()
    assert bench.states([child, made[0].job_id]) == ["failed", "failed"]
    assert bench.queue.get(made[0].job_id).failed_by == child


def test_the_last_two_parents_that_end_at_once_queue_their_child_once(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    parents = bench.put(NewJob("copy"), NewJob("copy"))
    child = bench.one(wait_for=parents)
    one, two = bench.claim(), bench.claim()
    with bench.db.write() as conn:
        finish(conn, one)
        query = select(import_job.c.status).where(import_job.c.id == child)
        assert conn.execute(query).scalar() == "waiting"
        late = meanwhile(lambda: bench.queue.done(two))
        bench.wait_until_blocked()
    late.result()
    assert bench.state(child) == "queued"
    assert bench.events(child) == ["job_queued", "job_queued"]


def test_a_parent_that_fails_while_its_sibling_is_retried_still_fails_their_child(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    failed, running = bench.put(NewJob("copy"), NewJob("copy"))
    child = bench.one(wait_for=[failed, running])
    bench.queue.fail(bench.claim(), ValueError("no"))
    claim = bench.claim()
    with bench.db.write() as conn:
        revived = control.retry(conn, None, failed, actor="u", with_dependents=True)
        assert revived == [failed, child]
        late = meanwhile(lambda: bench.queue.fail(claim, ValueError("no")))
        bench.wait_until_blocked()
    late.result()
    assert bench.states([failed, running, child]) == ["queued", "failed", "failed"]
    assert bench.queue.get(child).failed_by == running


def test_a_retry_that_waits_for_a_failing_parent_leaves_their_child_failed(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    failed, running = bench.put(NewJob("copy"), NewJob("copy"))
    child = bench.one(wait_for=[failed, running])
    bench.queue.fail(bench.claim(), ValueError("no"))
    claim = bench.claim()
    with bench.db.write() as conn:
        finishing.fail(conn, None, claim, ValueError("no"), progress=None)
        late = meanwhile(lambda: bench.queue.retry(failed, actor="u", with_dependents=True))
        bench.wait_until_blocked()
    assert late.result() == [failed]
    assert bench.states([failed, running, child]) == ["queued", "failed", "failed"]


def test_a_parent_that_is_done_while_its_child_is_retried_counts_itself_off(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    failed, running = bench.put(NewJob("copy"), NewJob("copy"))
    child = bench.one(wait_for=[failed, running])
    bench.queue.fail(bench.claim(), ValueError("no"))
    with bench.queue.fast_lane():
        claim = bench.claim()

    def finish_fast() -> None:
        with bench.queue.fast_lane():
            bench.queue.done(claim)

    with bench.db.write() as conn:
        control.retry(conn, None, failed, actor="u", with_dependents=True)
        late = meanwhile(finish_fast)
        bench.wait_until_blocked()
    late.result()
    assert bench.queue.get(child).pending_deps == 1
    bench.queue.done(bench.claim())
    assert bench.state(child) == "queued"


def test_of_two_enqueues_with_one_active_key_the_second_gets_the_job_of_the_first(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    job = NewJob("copy", active_key="import:7")
    with bench.db.write() as conn:
        first = bench.queue.enqueue(conn, [job], actor="u")[0]
        late = meanwhile(lambda: bench.put(job))
        bench.wait_until_blocked()
    assert late.result() == [first.job_id]
    assert sum(bench.queue.counts().values()) == 1


def test_an_enqueue_whose_active_key_was_given_up_again_makes_its_own_job(
    bench: Bench, meanwhile: Meanwhile
) -> None:
    job = NewJob("copy", active_key="import:7")
    with bench.db.write() as conn:
        bench.queue.enqueue(conn, [job], actor="u")
        late = meanwhile(lambda: bench.put(job))
        bench.wait_until_blocked()
        conn.rollback()
    assert bench.states(late.result()) == ["queued"]
    bench.check_chain()


def test_two_retries_at_once_revive_a_job_once(bench: Bench, meanwhile: Meanwhile) -> None:
    claim = bench.running(active_key="k")
    bench.queue.fail(claim, ValueError("no"))
    with bench.db.write() as conn:
        control.retry(conn, None, claim.job_id, actor="u", with_dependents=False)
        late = meanwhile(lambda: bench.queue.retry(claim.job_id, actor="u"))
        bench.wait_until_blocked()
    with pytest.raises(JobNotRetryable):
        late.result()
