"""Lists of jobs and figures about them: filtered, in order, bounded, forth and back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from lading.base.counts import Count
from lading.db.clock import now
from lading.db.keyset import UnknownSort
from lading.jobs.figures import durations, failure_groups, list_attempts, percentile
from lading.jobs.queries import (
    count_jobs_by_state,
    job_conditions,
    list_jobs,
    newest_jobs,
    next_jobs,
)
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import JobFilter, NewJob
from lading.ledger.batches import FoundBatch, record_new
from lading.storage.port import StoreUnavailable
from tests.jobs.bench import Bench


def batches(bench: Bench, *keys: str) -> list[int]:
    found = [FoundBatch(key, "1", None, "asset", "import", 1, 1, None) for key in keys]
    with bench.db.write() as conn:
        ids = record_new(conn, "nas", found)
    return [ids[key] for key in keys]


def mixed(bench: Bench) -> list[int]:
    """Forty jobs in several states and of two kinds, for two batches."""
    first, second = batches(bench, "aa11", "aa22")
    ids = bench.put(
        *(
            NewJob(
                "copy" if n % 2 else "scan", batch_id=(first, second, None)[n % 3], priority=n % 4
            )
            for n in range(40)
        )
    )
    for number in range(9):
        claim = bench.claim(f"w{number % 2}")
        if number < 3:
            bench.queue.done(claim)
        elif number < 6:
            bench.queue.fail(claim, StoreUnavailable("the store is away", subject="s3"))
    bench.queue.cancel(ids[-1], actor="test", why="not wanted")
    return ids


def test_every_filter_lists_just_what_its_conditions_say_forth_and_back(bench: Bench) -> None:
    ids = mixed(bench)
    with bench.db.read() as conn:
        at = conn.scalars(select(now())).one()
    filters = [
        JobFilter(),
        JobFilter(states=[JobState.FAILED, JobState.QUEUED]),
        JobFilter(states=[JobState.RUNNING], kinds=["copy"]),
        JobFilter(kinds=["copy", "scan"], worker="w1"),
        JobFilter(reason="store_unavailable"),
        JobFilter(since=at - timedelta(hours=2)),
        JobFilter(since=at + timedelta(hours=2)),
        JobFilter(q="aa2"),
        JobFilter(q="aa"),
        JobFilter(q=str(ids[7])),
        JobFilter(q="aa1", states=[JobState.QUEUED]),
        JobFilter(q="nothing"),
        JobFilter(ids=ids[3:9]),
        JobFilter(ids=[]),
        JobFilter(batch_id=1, states=[JobState.QUEUED, JobState.DONE]),
    ]
    for wanted in filters:
        with bench.db.read() as conn:
            query = select(import_job.c.id).where(*job_conditions(wanted))
            expected = sorted(conn.scalars(query), reverse=True)
            seen: list[int] = []
            cursor = last = None
            while True:
                page = list_jobs(conn, wanted, cursor=cursor, limit=7)
                seen += [job.id for job in page.jobs]
                last, cursor = page.prev_cursor, page.next_cursor
                if cursor is None:
                    break
            assert seen == expected, wanted
            back = [job.id for job in page.jobs]
            while last is not None:
                page = list_jobs(conn, wanted, cursor=last, limit=7)
                back = [job.id for job in page.jobs] + back
                last = page.prev_cursor
            assert back == expected, wanted
            oldest_first = list_jobs(conn, wanted, cursor=None, limit=100, sort="id")
            assert [job.id for job in oldest_first.jobs] == expected[::-1]
            counts = count_jobs_by_state(conn, wanted)
            states = wanted.states or list(JobState)
            assert sum(counts[state].value for state in states) == len(expected), wanted


def test_an_order_that_no_index_has_is_refused(bench: Bench) -> None:
    with bench.db.read() as conn, pytest.raises(UnknownSort):
        list_jobs(conn, JobFilter(), cursor=None, limit=5, sort="priority")


def test_who_is_next_is_who_is_claimed_next(bench: Bench) -> None:
    mixed(bench)
    with bench.db.read() as conn:
        line = [job.id for job in next_jobs(conn, limit=6)]
    assert [bench.claim().job_id for _ in range(6)] == line


def test_the_newest_job_of_a_batch_is_found(bench: Bench) -> None:
    ids = mixed(bench)
    with bench.db.read() as conn:
        found = newest_jobs(conn, [1, 2, 999])
        assert newest_jobs(conn, []) == {}
    assert {batch: job.id for batch, job in found.items()} == {1: ids[39], 2: ids[37]}


def test_failures_are_grouped_by_reason_and_kind_with_a_sample(bench: Bench) -> None:
    bench.put(*(NewJob("copy") for _ in range(3)), NewJob("scan"), NewJob("copy"))
    failed = []
    for _ in range(4):
        claim = bench.claim()
        bench.queue.fail(claim, StoreUnavailable(f"away {claim.job_id}"))
        failed.append(claim.job_id)
    bench.queue.fail(bench.claim(), ZeroDivisionError("a bug"))
    with bench.db.read() as conn:
        groups = failure_groups(conn)
        capped = failure_groups(conn, cap=2)
        one = failure_groups(conn, JobFilter(reason="store_unavailable", kinds=["scan"]))
    assert [(g.error_code, g.kind, g.count, g.sample_id) for g in groups][:1] == [
        ("store_unavailable", "copy", Count(3), failed[2])
    ]
    assert groups[0].error is not None
    assert f"away {failed[2]}" in groups[0].error
    assert sum(group.count.value for group in groups) == 5
    assert not any(group.count.exact for group in capped)
    assert [(g.kind, g.count) for g in one] == [("scan", Count(1))]


def test_durations_are_of_the_last_done_jobs_of_each_kind(bench: Bench) -> None:
    ids = bench.put(*(NewJob("copy") for _ in range(20)), NewJob("scan"))
    for _ in ids:
        bench.queue.done(bench.claim())
    with bench.db.write() as conn:
        for number, job_id in enumerate(ids, start=1):
            conn.execute(
                update(import_job)
                .where(import_job.c.id == job_id)
                .values(started_at=now(-1_000), finished_at=now(-1_000 + number))
            )
    with bench.db.read() as conn:
        copy, scan = durations(conn)
        lately = durations(conn, last=11)
    assert (copy.kind, copy.jobs, round(copy.p50_s), round(copy.p95_s)) == ("copy", 20, 10, 19)
    assert (scan.kind, scan.jobs, round(scan.p50_s)) == ("scan", 1, 21)
    assert [(found.kind, found.jobs) for found in lately] == [("copy", 10), ("scan", 1)]
    assert percentile([3.0], 0.5) == 3.0


def test_the_attempts_of_a_job_are_told_by_its_events(bench: Bench) -> None:
    job_id = bench.one(attempts_max=2)
    first = bench.claim("w1")
    bench.queue.retry_later(first, StoreUnavailable("away"), delay_s=60)
    bench.let_time_come()
    bench.queue.schedule(actor="w2")
    bench.claim("w2")
    bench.silence(job_id)
    bench.queue.rescue(stale_after_s=900, actor="w3")
    with bench.db.read() as conn:
        attempts = list_attempts(conn, job_id)
    assert next((a.worker, a.ended_by, a.error_code) for a in attempts) == (
        "w1",
        "job_retrying",
        "store_unavailable",
    )
    assert (attempts[1].worker, attempts[1].ended_by) == ("w2", "job_rescued")
    assert all(a.ended_at is not None and a.ended_at >= a.started_at for a in attempts)
