"""An engine at work: jobs in every state, workers of which one is alive and one fell silent."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, insert, update

from lading.base.errors import StoreError
from lading.base.progress import Progress
from lading.base.stopping import StopReason
from lading.base.version import __version__
from lading.bootstrap import Lading
from lading.db.clock import now
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.tables import import_job
from lading.jobs.tables import worker as worker_table
from lading.jobs.values import Claim, NewJob
from lading.ledger.batches import get_batch, move
from lading.ledger.chain import append
from lading.ledger.events import JobProgress
from lading.ledger.states import BatchState
from lading.testing.bundles import BundlePublisher
from lading.testing.console_imported import ACTOR, batches_in, upstream_of

ALIVE: Final = "ingest-1/4711/5f0c9a52a1d14f0c8a5f6f1f9d3b7c10"
SILENT: Final = "ingest-2/815/0b9d3a7e64a84a1d9a2f3e4d5c6b7a89"
ENDED: Final = "ingest-1/4242/9c1f0e2d3b4a59687766554433221100"
LIVING: Final = (ALIVE,)
"""Workers that give signs of life; see `console_data.heartbeat`."""
SILENT_FOR_S: Final = 420.0
RUN_FOR_S: Final = 95.0
QUEUED: Final = 12
_MEGABYTE: Final = 1_000_000


def make_busy(lading: Lading, source: str) -> None:
    """Publish more, queue most of it, and let jobs stand in each state."""
    publisher = BundlePublisher(upstream_of(lading), seed=57)
    for number in range(QUEUED + 2):
        bundle = publisher.bundle()
        for photo in range(2 + number % 3):
            bundle.photo(f"found-{number}-{photo}", title=f"Found {number}.{photo}", documents=())
        bundle.publish()
    lading.ingest.scan(source, actor="schedule:scan")
    waiting = batches_in(lading, source, BatchState.PENDING)
    lading.ingest.queue(waiting[:QUEUED], actor=ACTOR)
    lading.ingest.preflight(waiting[-1], actor=ACTOR)
    _register_workers(lading)
    first, second = _claim(lading, ALIVE), _claim(lading, ALIVE)
    _work(lading, first, done=3, of=20)
    _work(lading, second, done=17, of=18)
    silent = _claim(lading, SILENT)
    _work(lading, silent, done=1, of=9)
    _fall_silent(lading, silent)
    lading.operations.request_scan(source, actor=ACTOR)
    _scan(lading, _claim(lading, ALIVE))
    # Claimed, then given back: one is paused, one waits for its next attempt.
    lading.queue.release(_claim(lading, ALIVE), StopReason.OPERATOR)
    away = StoreError("the store does not answer", subject="library", next_step="Mend the store.")
    lading.queue.retry_later(_claim(lading, ALIVE), away, delay_s=600)
    lading.queue.request_stop(second.job_id, actor=ACTOR, why="enough for today")
    queued = _claim(lading, ALIVE)
    lading.queue.release(queued, StopReason.SHUTDOWN)
    lading.queue.set_priority(queued.job_id, 1, actor=ACTOR)
    with lading.db.write() as conn:
        chained = [NewJob(kind=IMPORT_JOB_KIND, wait_for=(first.job_id, queued.job_id))]
        (made,) = lading.queue.enqueue(conn, chained, actor=ACTOR)
    with lading.db.write() as conn:
        last = [NewJob(kind=IMPORT_JOB_KIND, wait_for=(made.job_id,), priority=8)]
        (cancelled,) = lading.queue.enqueue(conn, last, actor=ACTOR)
    lading.queue.cancel(cancelled.job_id, actor=ACTOR, why="not needed any more")


def make_paused(lading: Lading) -> None:
    """Let nobody claim."""
    lading.queue.pause_intake(actor="user:ada", why="The disk is being replaced")


def _register_workers(lading: Lading) -> None:
    with lading.db.write() as conn:
        register_worker(conn, ALIVE, started_s=-7200, seen_s=0)
        register_worker(conn, SILENT, started_s=-90_000, seen_s=-SILENT_FOR_S)
        register_worker(conn, ENDED, started_s=-3600, seen_s=-1800, stopped_s=-1800)


def register_worker(
    conn: Connection,
    name: str,
    *,
    started_s: float,
    seen_s: float,
    stopped_s: float | None = None,
) -> None:
    """Record a worker as it would itself; times are seconds from now."""
    host, pid, _ = name.split("/")
    row = {
        "id": name,
        "host": host,
        "pid": int(pid),
        "version": __version__,
        "slots": 2,
        "started_at": now(started_s),
        "seen_at": now(seen_s),
        "stopped_at": None if stopped_s is None else now(stopped_s),
    }
    conn.execute(insert(worker_table).values(**row))


def _claim(lading: Lading, worker: str) -> Claim:
    claim = lading.queue.claim(worker)
    if claim is None:
        raise AssertionError("nothing is queued")
    return claim


def _work(lading: Lading, claim: Claim, *, done: int, of: int) -> None:
    """Write what a worker writes that is so far with a larger batch than ours."""
    progress = Progress(
        items_done=done,
        items_skipped=1,
        items_failed=1,
        items_total=of,
        bytes_moved=done * 40 * _MEGABYTE,
        bytes_skipped=5 * _MEGABYTE,
        bytes_total=of * 40 * _MEGABYTE,
        current=f"LAKE{done:04}.jpg",
    )
    with lading.db.write() as conn:
        lading.queue.guard(conn, claim, progress)
        conn.execute(
            update(import_job)
            .where(import_job.c.id == claim.job_id)
            .values(started_at=now(-RUN_FOR_S))
        )
        if claim.batch_id is not None:
            batch = get_batch(conn, claim.batch_id)
            move(conn, batch, BatchState.IMPORTING, subject=batch.batch_key)
        event = JobProgress(
            items_done=progress.items_processed,
            items_total=of,
            bytes_moved=progress.bytes_moved,
            bytes_skipped=progress.bytes_skipped,
            bytes_total=progress.bytes_total,
        )
        append(conn, event, actor=claim.actor, batch_id=claim.batch_id, job_id=claim.job_id)


def _scan(lading: Lading, claim: Claim) -> None:
    with lading.db.write() as conn:
        lading.queue.guard(conn, claim, Progress(items_done=12_431, current="sync"))


def _fall_silent(lading: Lading, claim: Claim) -> None:
    with lading.db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.id == claim.job_id)
            .values(heartbeat_at=now(-SILENT_FOR_S), started_at=now(-2 * SILENT_FOR_S))
        )
