"""The queue's front: every transition of a job, each in one transaction with its events (A7-A10).

What is decided is in `rules`, how it is written in `enqueueing`, `claiming`, `finishing`,
`dependencies` and `control`; this class adds the transaction and chooses PostgreSQL's short way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from lading.base.progress import Progress
from lading.base.stopping import StopReason
from lading.db import Database, DatabaseConflict
from lading.jobs import claiming, control, enqueueing, finishing, queries, rescuer, scheduler
from lading.jobs.errors import BadJob
from lading.jobs.finishing import Write
from lading.jobs.lane import Lane
from lading.jobs.moves import settle_moves
from lading.jobs.scheduler import Scheduled
from lading.jobs.states import JobState
from lading.jobs.values import (
    PRIORITY_MAX,
    PRIORITY_MIN,
    Claim,
    Enqueued,
    Intake,
    JobFilter,
    JobHook,
    JobPage,
    JobRow,
    Links,
    NewJob,
    WorkerRow,
)
from lading.ledger.chain import Entry, append_all


class Queue:
    """The jobs of one database. Safe to share between threads.

    Transitions raise `DatabaseUnavailable` when the database does not answer, and run again by
    themselves when they met a deadlock.
    """

    def __init__(self, db: Database, *, hook: JobHook | None = None) -> None:
        self.db = db
        self._hook = hook
        self._local = threading.local()

    @property
    def hook(self) -> JobHook | None:
        """What follows each move, for who moves jobs by `lading.jobs.control` in a transaction."""
        return self._hook

    # -- putting in line

    def enqueue(
        self,
        conn: Connection,
        jobs: Sequence[NewJob],
        *,
        actor: str,
        entries: list[Entry] | None = None,
    ) -> list[Enqueued]:
        """Put `jobs` in line in the caller's transaction, last in it: the ledger stays locked.

        With `entries`, the ledger entries are added to that list and the caller appends them.
        A job whose `wait_for` has a failed or cancelled one fails at once and names it. Raises
        `BadJob` and `JobMissing`.
        """
        enqueued, moves, new_entries = enqueueing.enqueue(conn, jobs, actor=actor)
        collected = settle_moves(conn, self._hook, moves, new_entries)
        if entries is not None:
            entries.extend(collected)
        elif collected:
            append_all(conn, collected)
        return enqueued

    # -- what a worker does

    @contextmanager
    def fast_lane(self) -> Iterator[None]:
        """Within the block, this thread claims and finishes on a connection of its own.

        Does nothing but on PostgreSQL.
        """
        if self.db.dialect != "postgresql" or self._lane() is not None:
            yield
            return
        self._local.lane = Lane(self.db)
        try:
            yield
        finally:
            self._local.lane.close()
            del self._local.lane

    def claim(self, worker: str, kinds: Sequence[str] | None = None) -> Claim | None:
        """The first queued job (of `kinds`), now running; None without one or while paused."""
        lane = self._lane()
        if lane is None:
            return claiming.claim_next(self.db, worker, kinds)
        try:
            return lane.claim(worker, kinds)
        except DatabaseConflict:
            return claiming.claim_next(self.db, worker, kinds)

    def guard(self, conn: Connection, claim: Claim, progress: Progress | None = None) -> bool:
        """Renew the heartbeat; the first statement of every transaction under a claim (A9, G3).

        True when an operator asked the job to stop. Raises `LeaseLost`.
        """
        return finishing.guard(conn, claim, progress)

    def done(
        self, claim: Claim, *, progress: Progress | None = None, write: Write | None = None
    ) -> None:
        """End the job well, with the handler's last rows. `write` may run more than once.

        Raises `LeaseLost`, and whatever `write` raises; then nothing was written.
        """
        if write is None and progress is None and self._done_at_once(claim):
            return
        self.db.run(
            lambda conn: finishing.finish(conn, self._hook, claim, progress=progress, write=write)
        )

    def fail(self, claim: Claim, error: Exception, *, progress: Progress | None = None) -> None:
        """End the job badly, and with it all that waits for it. Raises `LeaseLost`."""
        self.db.run(lambda conn: finishing.fail(conn, self._hook, claim, error, progress=progress))

    def retry_later(
        self,
        claim: Claim,
        error: Exception,
        *,
        delay_s: float,
        progress: Progress | None = None,
    ) -> JobState:
        """Let the job wait for its next attempt, or fail it after the last; returns its state."""
        return self.db.run(
            lambda conn: finishing.retry_later(
                conn, self._hook, claim, error, delay_s=delay_s, progress=progress
            )
        )

    def release(
        self, claim: Claim, why: StopReason, *, progress: Progress | None = None
    ) -> JobState:
        """Give the job back unfinished, its attempt refunded: queued on SHUTDOWN, else paused."""
        return self.db.run(
            lambda conn: finishing.release(conn, self._hook, claim, why, progress=progress)
        )

    # -- what every worker does on the side

    def rescue(self, *, stale_after_s: float, actor: str) -> Sequence[int]:
        """Take jobs that were silent for `stale_after_s` from their workers; returns which."""
        return rescuer.rescue(self.db, self._hook, stale_after_s=stale_after_s, actor=actor)

    def schedule(self, *, actor: str) -> Scheduled:
        """Queue waiting jobs whose time has come."""
        return scheduler.schedule(self.db, self._hook, actor=actor)

    def pending_work(self, kinds: Sequence[str]) -> bool:
        """Whether a worker that drains these kinds has something to do or to wait for."""
        with self.db.read() as conn:
            return queries.pending_work(conn, kinds)

    # -- what people do

    def cancel(self, job_id: int, *, actor: str, why: str) -> None:
        """Cancel a waiting, queued or paused job. Raises `JobMissing`, `JobNotCancellable`."""
        self.db.run(lambda conn: control.cancel(conn, self._hook, job_id, actor=actor, why=why))

    def request_stop(self, job_id: int, *, actor: str, why: str) -> None:
        """Ask a running job to stop after its item. Raises `JobMissing`, `JobNotStoppable`."""
        self.db.run(lambda conn: control.request_stop(conn, job_id, actor=actor, why=why))

    def resume(self, job_id: int, *, actor: str) -> None:
        """Put a paused job back at its old place. Raises `JobMissing`, `JobNotResumable`."""
        self.db.run(lambda conn: control.resume(conn, self._hook, job_id, actor=actor))

    def retry(self, job_id: int, *, actor: str, with_dependents: bool = False) -> list[int]:
        """Run a failed or cancelled job again, and what failed because of it; returns them all.

        Raises `JobMissing`, `JobNotRetryable`.
        """
        return self.db.run(
            lambda conn: control.retry(
                conn, self._hook, job_id, actor=actor, with_dependents=with_dependents
            )
        )

    def set_priority(self, job_id: int, priority: int, *, actor: str) -> None:
        """Give an unfinished job another priority. Raises `JobMissing`, `JobNotMovable`."""
        if not PRIORITY_MIN <= priority <= PRIORITY_MAX:
            raise BadJob(
                "the priority is out of range",
                subject=f"job {job_id}",
                expected=f"{PRIORITY_MIN} to {PRIORITY_MAX}",
                found=priority,
            )
        self.db.run(lambda conn: control.set_priority(conn, job_id, priority, actor=actor))

    def pause_intake(self, *, actor: str, why: str) -> None:
        """Let no worker claim anything more; what runs goes on."""
        self.db.run(lambda conn: control.set_intake(conn, paused=True, actor=actor, why=why))

    def resume_intake(self, *, actor: str) -> None:
        """Let workers claim again."""
        self.db.run(lambda conn: control.set_intake(conn, paused=False, actor=actor, why=None))

    # -- what is so

    def get(self, job_id: int) -> JobRow:
        """One job. Raises `JobMissing`."""
        with self.db.read() as conn:
            return queries.get_job(conn, job_id)

    def list(
        self,
        filters: JobFilter = JobFilter(),  # noqa: B008 - frozen
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """A page of jobs, newest first. Raises `BadCursor`."""
        with self.db.read() as conn:
            return queries.list_jobs(conn, filters, cursor=cursor, limit=limit)

    def counts(self) -> Mapping[JobState, int]:
        """How many jobs stand in each state."""
        with self.db.read() as conn:
            return queries.count_jobs(conn)

    def oldest_queued_s(self) -> float | None:
        """Age in seconds of the longest queued job; None without one."""
        with self.db.read() as conn:
            return queries.oldest_queued_s(conn)

    def links(self, job_id: int) -> Links:
        """What a job waits for and what waits for it."""
        with self.db.read() as conn:
            return queries.get_links(conn, job_id)

    def intake(self) -> Intake:
        """Whether workers may claim, and who said so."""
        with self.db.read() as conn:
            return queries.get_intake(conn)

    def workers(self, *, seen_within_s: float = 86_400) -> Sequence[WorkerRow]:
        """The workers seen lately, running ones first."""
        with self.db.read() as conn:
            return queries.list_workers(conn, seen_within_s=seen_within_s)

    def _lane(self) -> Lane | None:
        lane: Lane | None = getattr(self._local, "lane", None)
        return lane

    def _done_at_once(self, claim: Claim) -> bool:
        lane = self._lane()
        hooked = self._hook is not None and claim.batch_id is not None
        if lane is None or claim.row_version is None or hooked:
            return False
        try:
            return lane.done(claim)
        except DatabaseConflict:
            return False
