"""What a handler sees: guarded transactions, heartbeats that follow its work, reasons to stop."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from sqlalchemy import text

from lading.base.progress import Progress
from lading.base.stopping import StopReason, StopSignal
from lading.db import Database
from lading.jobs.context import JobContext, NestedTransaction
from lading.jobs.errors import BadWorkerSettings, LeaseLost
from lading.jobs.settings import WorkerSettings
from tests.jobs.bench import Bench


def context_for(bench: Bench, **settings: Any) -> JobContext:
    return JobContext(bench.queue, bench.running(), StopSignal(), WorkerSettings(**settings))


def report_for_ever(context: JobContext) -> None:
    while True:
        context.report(Progress(items_done=1))


def test_a_transaction_renews_the_heartbeat_and_carries_progress(bench: Bench) -> None:
    context = context_for(bench)
    bench.silence(context.claim.job_id)
    progress = Progress(items_done=3, items_total=9, bytes_moved=5, current="a\nb" + "x" * 300)
    with context.transaction(progress) as conn:
        conn.execute(text("UPDATE import_job SET batch_id = 42"))
    row = bench.queue.get(context.claim.job_id)
    assert (row.batch_id, row.progress.items_done, row.progress.items_total) == (42, 3, 9)
    assert row.progress.current.startswith("a\\nb")
    assert bench.queue.rescue(stale_after_s=900, actor="w") == []
    assert context.owner == f"job{context.claim.job_id}-1"


def test_an_operator_s_wish_reaches_the_handler_with_the_next_transaction(bench: Bench) -> None:
    context = context_for(bench)
    bench.queue.request_stop(context.claim.job_id, actor="u", why="no")
    with context.transaction():
        assert context.stop.reason is StopReason.OPERATOR


def test_a_report_writes_only_when_a_heartbeat_is_due(bench: Bench) -> None:
    context = context_for(bench, heartbeat_s=180)
    bench.silence(context.claim.job_id)
    for done in range(2_000):
        context.report(Progress(items_done=done))
    assert bench.queue.get(context.claim.job_id).progress.items_done == 0
    assert context.progress == Progress(items_done=1_999)
    assert bench.queue.rescue(stale_after_s=900, actor="w") == [context.claim.job_id]


def test_reports_from_several_threads_write_heartbeats_and_seldom_an_event(bench: Bench) -> None:
    context = context_for(bench, heartbeat_s=0.001, progress_event_s=3_600)
    bench.silence(context.claim.job_id)
    context._event_due_s = 0.0

    def work() -> None:
        for done in range(20):
            context.report(Progress(items_done=done))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while bench.queue.get(context.claim.job_id).progress.items_done != 77:
        context.report(Progress(items_done=77))
    assert bench.queue.rescue(stale_after_s=900, actor="w") == []
    assert bench.events(context.claim.job_id) == ["job_queued", "job_started", "job_progress"]


def test_work_that_commits_all_the_time_tells_its_progress_too(bench: Bench) -> None:
    """Each commit is a heartbeat, so no report ever writes one; the events have to come anyway."""
    context = context_for(bench, progress_event_s=3_600)
    context._event_due_s = 0.0
    for done in range(5):
        with context.transaction(Progress(items_done=done, items_total=5)) as conn:
            conn.execute(text("UPDATE import_job SET batch_id = 42"))
    assert bench.events(context.claim.job_id) == ["job_queued", "job_started", "job_progress"]


def test_a_report_after_the_job_was_taken_over_stops_the_work(bench: Bench) -> None:
    context = context_for(bench, heartbeat_s=0.001)
    bench.silence(context.claim.job_id)
    bench.queue.rescue(stale_after_s=900, actor="w")
    with pytest.raises(LeaseLost):
        report_for_ever(context)
    assert context.stop.reason is StopReason.LEASE_LOST


def test_work_that_cannot_write_a_heartbeat_for_too_long_assumes_that_its_job_is_gone(
    sqlite_database: Database,
) -> None:
    bench = Bench(sqlite_database)
    context = context_for(bench, heartbeat_s=0.001, stale_after_s=0.05)
    bench.db.close()
    path = str(bench.db.engine.url.database)
    # A folder in the place of the file: the database can no longer be opened.
    os.rename(path, path + ".away")
    os.mkdir(path)
    with pytest.raises(LeaseLost):
        report_for_ever(context)
    assert context.stop.reason is StopReason.LEASE_LOST
    os.rmdir(path)
    os.rename(path + ".away", path)
    bench.queue.done(context.claim)


def test_a_transaction_inside_a_transaction_is_refused_and_a_report_there_is_harmless(
    bench: Bench,
) -> None:
    context = context_for(bench, heartbeat_s=0.001)
    with context.transaction():
        context.report(Progress(items_done=1))
        with pytest.raises(NestedTransaction), context.transaction():
            pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"heartbeat_s": 200},
        {"heartbeat_s": 15, "stale_after_s": 60},
        {"slots": 0},
        {"poll_min_s": 2},
        {"nice": 20},
        {"retry_base_s": 0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadWorkerSettings):
        WorkerSettings(**wrong)
