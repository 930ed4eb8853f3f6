"""Jobs go out once, in strict order, to workers that know their kind."""

from __future__ import annotations

import pytest

from lading.jobs.errors import BadJob, JobMissing
from lading.jobs.values import NewJob
from tests.jobs.bench import Bench


def drain(bench: Bench, worker: str = "w1") -> list[int]:
    order = []
    while (claim := bench.queue.claim(worker)) is not None:
        order.append(claim.job_id)
    return order


def test_a_small_priority_goes_first_and_equals_go_in_order_of_arrival(bench: Bench) -> None:
    ids = bench.put(*(NewJob("copy", priority=p) for p in (5, 9, 1, 5, 1, 9)))
    assert drain(bench) == [ids[i] for i in (2, 4, 0, 3, 1, 5)]


def test_a_claim_carries_the_job_and_raises_its_lease_and_attempt(bench: Bench) -> None:
    job_id = bench.one(params={"folder": "a", "n": [1, None]}, batch_id=7, active_key="k")
    claim = bench.claim("host/1/x")
    assert (claim.job_id, claim.lease, claim.attempt, claim.attempts_max) == (job_id, 1, 1, 5)
    assert (claim.kind, claim.params, claim.batch_id) == (
        "copy",
        {"folder": "a", "n": [1, None]},
        7,
    )
    row = bench.queue.get(job_id)
    assert (row.status, row.worker, row.lease) == ("running", "host/1/x", 1)
    assert row.started_at == row.heartbeat_at
    assert bench.events(job_id) == ["job_queued", "job_started"]


def test_the_short_way_of_postgresql_does_the_same_as_the_long_way(bench: Bench) -> None:
    ids = bench.put(NewJob("copy", {"a": 'é"\\'}, priority=7), NewJob("scan", batch_id=3))
    with bench.queue.fast_lane():
        first = bench.queue.claim('wörker "1"', ["scan", "copy"])
        second = bench.queue.claim('wörker "1"', ["copy"])
        assert first is not None
        assert second is not None
        assert [first.job_id, second.job_id] == [ids[1], ids[0]]
        assert (second.lease, second.attempt, second.params) == (1, 1, {"a": 'é"\\'})
        assert (first.row_version is not None) == (bench.db.dialect == "postgresql")
        bench.queue.done(first)
        bench.queue.done(second)
        assert bench.queue.claim("w") is None
    assert bench.states(ids) == ["done", "done"]
    assert bench.events(ids[0]) == ["job_queued", "job_started", "job_done"]
    assert bench.check_chain() == 6


def test_a_worker_claims_only_the_kinds_it_knows(bench: Bench) -> None:
    scan, copy = bench.put(NewJob("scan", priority=1), NewJob("copy"))
    found = bench.queue.claim("w", ["copy", "verify"])
    assert found is not None
    assert found.job_id == copy
    assert bench.queue.claim("w", ["copy", "verify"]) is None
    assert bench.state(scan) == "queued"


def test_nothing_is_claimed_while_intake_is_paused(bench: Bench) -> None:
    job_id = bench.one()
    bench.queue.pause_intake(actor="user:ada", why="maintenance")
    intake = bench.queue.intake()
    assert (intake.paused, intake.paused_by, intake.why) == (True, "user:ada", "maintenance")
    assert bench.queue.claim("w") is None
    with bench.queue.fast_lane():
        assert bench.queue.claim("w") is None
    bench.queue.resume_intake(actor="user:ada")
    assert not bench.queue.intake().paused
    assert bench.claim().job_id == job_id


def test_an_unfinished_job_with_the_same_active_key_is_given_back(bench: Bench) -> None:
    job_id = bench.one(active_key="import:7")
    with bench.db.write() as conn:
        again = bench.queue.enqueue(
            conn,
            [
                NewJob("copy", active_key="import:7"),
                NewJob("copy", active_key="import:8"),
                NewJob("copy", active_key="import:8"),
            ],
            actor="test",
        )
    assert [made.created for made in again] == [False, True, False]
    assert again[0].job_id == job_id
    assert again[1].job_id == again[2].job_id
    bench.queue.done(bench.claim())
    assert bench.one(active_key="import:7") not in {job_id, again[1].job_id}


def test_what_cannot_be_stored_is_refused_and_leaves_nothing(bench: Bench) -> None:
    for bad in (
        NewJob(""),
        NewJob("k" * 65),
        NewJob("copy", priority=101),
        NewJob("copy", {"x": object()}),
        NewJob("copy", {"x": "y" * 70_000}),
        NewJob("copy", attempts_max=0),
        NewJob("copy", delay_s=-1),
        NewJob("copy", active_key=""),
        NewJob("copy", {"x": float("nan")}),
    ):
        with pytest.raises(BadJob):
            bench.put(NewJob("copy"), bad)
    with pytest.raises(JobMissing):
        bench.put(NewJob("copy", wait_for=[99]))
    assert sum(bench.queue.counts().values()) == 0
    assert bench.check_chain() == 0


def test_a_delayed_job_waits_until_the_scheduler_finds_it_due(bench: Bench) -> None:
    job_id = bench.one(delay_s=3_600)
    assert bench.state(job_id) == "waiting"
    scheduled = bench.queue.schedule(actor="worker:w")
    assert scheduled.queued == 0
    assert scheduled.next_due_s is not None
    assert 3_500 < scheduled.next_due_s <= 3_600
    bench.let_time_come()
    assert bench.queue.schedule(actor="worker:w").queued == 1
    assert bench.queue.schedule(actor="worker:w").next_due_s is None
    assert bench.claim().job_id == job_id


def test_pages_of_jobs_go_from_new_to_old_and_name_what_they_filter(bench: Bench) -> None:
    ids = bench.put(*(NewJob("copy" if n % 2 else "scan", batch_id=n % 3) for n in range(7)))
    first = bench.queue.list(limit=4)
    second = bench.queue.list(limit=4, cursor=first.next_cursor)
    assert [job.id for job in (*first.jobs, *second.jobs)] == ids[::-1]
    assert second.next_cursor is None
    counts = bench.queue.counts()
    assert counts[bench.state(ids[0])] == 7
    age = bench.queue.oldest_queued_s()
    assert age is not None
    assert 0 <= age < 300
