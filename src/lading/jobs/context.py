"""What a handler gets: its claim, its stop signal, guarded transactions, and a heartbeat.

The heartbeat follows the work and has no thread of its own, so that hung work is found too. A
handler ends with a `JobResult`, or raises.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from lading.base.errors import InternalError
from lading.base.progress import Progress
from lading.base.stopping import StopReason, StopSignal
from lading.db import DatabaseConflict, DatabaseUnavailable
from lading.jobs.errors import LeaseLost
from lading.jobs.finishing import Write
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.values import Claim
from lading.ledger.chain import append
from lading.ledger.events import JobProgress

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class NestedTransaction(InternalError):
    """A handler began a guarded transaction inside another one; they would wait for each other."""

    code = "nested_transaction"


class ResultKind(StrEnum):
    """How a handler ended that did not raise."""

    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class JobResult:
    """`write` inserts the handler's last rows in the finishing transaction; it may run again."""

    kind: ResultKind = ResultKind.DONE
    write: Write | None = None

    @classmethod
    def stopped(cls) -> JobResult:
        """The work ended early because `JobContext.stop` was set; the job is given back."""
        return cls(ResultKind.STOPPED)


class JobContext:
    """One claimed job in the hands of its handler. Its methods may be called from any thread."""

    def __init__(
        self, queue: Queue, claim: Claim, stop: StopSignal, settings: WorkerSettings
    ) -> None:
        self.claim = claim
        self.stop = stop
        self._queue = queue
        self._settings = settings
        self._writing = threading.Lock()
        self._writer: int | None = None
        self._latest: Progress | None = None
        started_s = time.monotonic()
        self._confirmed_s = started_s
        self._beat_due_s = started_s + settings.heartbeat_s
        self._event_due_s = started_s + settings.progress_event_s

    @property
    def owner(self) -> str:
        """A name no other claim ever has; goes into the names of temporary files."""
        return f"job{self.claim.job_id}-{self.claim.lease}"

    @property
    def actor(self) -> str:
        """Who the ledger says did this work."""
        return self.claim.actor

    @property
    def progress(self) -> Progress | None:
        """Where the work stands as last reported."""
        return self._latest

    @contextmanager
    def transaction(self, progress: Progress | None = None) -> Iterator[Connection]:
        """A writing transaction that begins with the guarded heartbeat (A9, G3).

        Raises `LeaseLost` before anything of it is written when the job was taken over.
        """
        me = threading.get_ident()
        if self._writer == me:
            raise NestedTransaction("a transaction of this job is open already", subject=self.owner)
        if progress is not None:
            self._latest = progress
        with self._writing:
            self._writer = me
            try:
                with self._queue.db.write() as conn:
                    self._guard(conn)
                    yield conn
                    with_event = self._append_progress_when_due(conn)
                self._confirmed(with_event)
            finally:
                self._writer = None

    def run(self, work: Callable[[Connection], T], progress: Progress | None = None) -> T:
        """`work` in such a transaction, again from the start when it met a deadlock."""
        for _ in range(_CONFLICTS_MAX):
            try:
                with self.transaction(progress) as conn:
                    return work(conn)
            except DatabaseConflict:
                continue
        with self.transaction(progress) as conn:
            return work(conn)

    def report(self, progress: Progress) -> None:
        """Say where the work stands. Cheap: it writes a heartbeat only when one is due.

        Raises `LeaseLost` when the job was taken over, or when no heartbeat could be written for
        so long that it must be assumed.
        """
        self._latest = progress
        if time.monotonic() < self._beat_due_s:
            return
        # Whoever holds the lock is writing a heartbeat, so this one is not needed.
        if self._writing.acquire(blocking=False):
            try:
                if time.monotonic() >= self._beat_due_s:
                    self._beat()
            finally:
                self._writing.release()

    def _beat(self) -> None:
        try:
            with self._queue.db.write() as conn:
                self._guard(conn)
                with_event = self._append_progress_when_due(conn)
        except (DatabaseUnavailable, DatabaseConflict) as error:
            self._not_confirmed(error)
            return
        self._confirmed(with_event)

    def _guard(self, conn: Connection) -> None:
        try:
            if self._queue.guard(conn, self.claim, self._latest):
                self.stop.request(StopReason.OPERATOR)
        except LeaseLost:
            self.stop.request(StopReason.LEASE_LOST)
            raise

    def _confirmed(self, with_event: bool) -> None:
        self._confirmed_s = time.monotonic()
        if with_event:
            self._event_due_s = self._confirmed_s + self._settings.progress_event_s
        self._beat_due_s = self._confirmed_s + self._settings.heartbeat_s

    def _not_confirmed(self, error: Exception) -> None:
        at_s = time.monotonic()
        silent_s = at_s - self._confirmed_s
        _log.warning("heartbeat not written", job_id=self.claim.job_id, error=str(error))
        if silent_s >= self._settings.stale_after_s:
            self.stop.request(StopReason.LEASE_LOST)
            raise LeaseLost(
                f"no heartbeat could be written for {silent_s:.0f} s",
                subject=f"job {self.claim.job_id}",
            ) from error
        self._beat_due_s = at_s + self._settings.heartbeat_s / 5

    def _append_progress_when_due(self, conn: Connection) -> bool:
        """Last in a transaction: the ledger stays locked from here to the commit."""
        progress = self._latest
        if progress is None or time.monotonic() < self._event_due_s:
            return False
        append(
            conn,
            JobProgress(
                items_done=progress.items_done,
                items_total=progress.items_total,
                bytes_moved=progress.bytes_moved,
                bytes_skipped=progress.bytes_skipped,
                bytes_total=progress.bytes_total,
            ),
            actor=self.actor,
            batch_id=self.claim.batch_id,
            job_id=self.claim.job_id,
        )
        return True


_CONFLICTS_MAX = 7

Handler = Callable[[JobContext], JobResult]
"""Does the work of one kind of job. A transient `LadingError` it raises is tried again later."""
