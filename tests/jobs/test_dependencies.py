"""What waits for what: release, spreading failure, and retrying with dependents."""

from __future__ import annotations

import pytest

from lading.jobs.errors import JobNotRetryable
from lading.jobs.values import NewJob
from tests.jobs.bench import Bench


def causes(bench: Bench, ids: list[int]) -> list[int | None]:
    return [bench.queue.get(job_id).failed_by for job_id in ids]


def diamond(bench: Bench) -> list[int]:
    """top <- left, right <- bottom."""
    top = bench.one()
    left, right = bench.put(NewJob("copy", wait_for=[top]), NewJob("copy", wait_for=[top]))
    bottom = bench.one(wait_for=[left, right, left])
    return [top, left, right, bottom]


def test_a_job_queues_up_when_the_last_job_it_waits_for_is_done(bench: Bench) -> None:
    ids = diamond(bench)
    assert bench.states(ids) == ["queued", "waiting", "waiting", "waiting"]
    assert bench.queue.links(ids[3]).wait_for == ids[1:3]
    assert bench.queue.links(ids[0]).dependents == ids[1:3]
    bench.queue.done(bench.claim())
    assert bench.states(ids) == ["done", "queued", "queued", "waiting"]
    bench.queue.done(bench.claim())
    assert bench.states(ids) == ["done", "done", "queued", "waiting"]
    assert bench.queue.get(ids[3]).pending_deps == 1
    bench.queue.done(bench.claim())
    assert bench.states(ids) == ["done", "done", "done", "queued"]
    assert bench.events(ids[3]) == ["job_queued", "job_queued"]


def test_dependents_are_released_also_on_the_short_way(bench: Bench) -> None:
    ids = diamond(bench)
    with bench.queue.fast_lane():
        for _ in ids:
            bench.queue.done(bench.claim())
    assert bench.states(ids) == ["done"] * 4
    bench.check_chain()


def test_failure_spreads_to_all_descendants_and_each_names_its_own_cause(bench: Bench) -> None:
    ids = diamond(bench)
    bystander = bench.one()
    bench.queue.fail(bench.claim(), ValueError("the disk is gone"))
    assert bench.states(ids) == ["failed"] * 4
    assert causes(bench, ids) == [None, ids[0], ids[0], ids[1]]
    assert bench.queue.get(ids[0]).error == "ValueError: the disk is gone"
    assert bench.queue.get(ids[3]).error_code == "dependency_failed"
    assert f"job {ids[1]}," in (bench.queue.get(ids[3]).error or "")
    assert bench.events(ids[3]) == ["job_queued", "job_failed"]
    assert bench.state(bystander) == "queued"


def test_a_cancelled_job_fails_what_waits_for_it(bench: Bench) -> None:
    ids = diamond(bench)
    bench.queue.done(bench.claim())
    bench.queue.cancel(ids[2], actor="user:ada", why="not wanted")
    assert bench.states(ids) == ["done", "queued", "cancelled", "failed"]
    assert causes(bench, ids)[3] == ids[2]


def test_a_job_put_behind_a_failed_one_fails_at_once_and_one_behind_a_done_one_does_not_wait(
    bench: Bench,
) -> None:
    bench.queue.done(bench.running())
    bench.queue.fail(bench.running(), ValueError("no"))
    done, failed = 1, 2
    behind_done, behind_failed = bench.put(
        NewJob("copy", wait_for=[done]), NewJob("copy", wait_for=[done, failed], active_key="k")
    )
    assert bench.states([behind_done, behind_failed]) == ["queued", "failed"]
    assert causes(bench, [behind_failed]) == [failed]
    assert bench.events(behind_failed) == ["job_queued", "job_failed"]
    # Its key is free again.
    assert bench.one(active_key="k") > behind_failed


def test_a_retry_with_dependents_brings_the_whole_diamond_back(bench: Bench) -> None:
    ids = diamond(bench)
    bench.queue.fail(bench.claim(), ValueError("no"))
    assert bench.queue.retry(ids[0], actor="user:ada", with_dependents=True) == ids
    assert bench.states(ids) == ["queued", "waiting", "waiting", "waiting"]
    assert [bench.queue.get(i).pending_deps for i in ids] == [0, 1, 1, 2]
    for _ in ids:
        bench.queue.done(bench.claim())
    assert bench.states(ids) == ["done"] * 4


def test_a_retry_alone_leaves_its_dependents_failed_and_they_can_follow_later(
    bench: Bench,
) -> None:
    ids = diamond(bench)
    bench.queue.fail(bench.claim(), ValueError("no"))
    with pytest.raises(JobNotRetryable):
        bench.queue.retry(ids[1], actor="user:ada")
    assert bench.queue.retry(ids[0], actor="user:ada") == ids[:1]
    assert bench.states(ids) == ["queued", "failed", "failed", "failed"]
    bench.queue.done(bench.claim())
    assert bench.queue.retry(ids[1], actor="user:ada", with_dependents=True) == ids[1:2]
    # The bottom waits for the right one too, which is still failed.
    assert bench.states(ids) == ["done", "queued", "failed", "failed"]


def test_a_dependent_that_also_failed_for_another_reason_is_not_revived(bench: Bench) -> None:
    one, two = bench.put(NewJob("copy"), NewJob("copy"))
    both = bench.one(wait_for=[one, two])
    bench.queue.fail(bench.claim(), ValueError("no"))
    bench.queue.fail(bench.claim(), ValueError("no"))
    assert bench.queue.retry(one, actor="u", with_dependents=True) == [one]
    assert bench.states([one, two, both]) == ["queued", "failed", "failed"]


def test_a_job_that_waits_for_a_job_and_for_its_time_needs_both(bench: Bench) -> None:
    parent = bench.one()
    child = bench.one(wait_for=[parent], delay_s=3_600)
    bench.let_time_come()
    assert bench.queue.schedule(actor="w").queued == 0
    with bench.db.write() as conn:
        conn.exec_driver_sql(
            f"UPDATE import_job SET not_before = '2999-01-01 00:00:00.000000' WHERE id = {child}"
        )
    bench.queue.done(bench.claim())
    assert bench.state(child) == "waiting"
    assert bench.queue.claim("w") is None
    bench.let_time_come()
    assert bench.queue.schedule(actor="w").queued == 1
    assert bench.claim().job_id == child


def test_failure_spreads_down_a_long_chain_and_a_wide_fan(bench: Bench) -> None:
    chain = [bench.one()]
    for _ in range(12):
        chain.append(bench.one(wait_for=chain[-1:]))
    fan = bench.put(*(NewJob("copy", wait_for=chain[:1]) for _ in range(600)))
    bench.queue.fail(bench.claim(), ValueError("no"))
    counts = bench.queue.counts()
    assert {state.value: n for state, n in counts.items() if n} == {"failed": 613}
    assert causes(bench, chain[1:]) == chain[:-1]
    assert causes(bench, [fan[0], fan[-1]]) == [chain[0], chain[0]]
