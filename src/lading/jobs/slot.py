"""One job thread of a worker: claim, run the handler, end the job; again until told to stop.

A lost lease is yielded in silence. While the database is away, the slot waits for it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog

from lading.base.errors import InternalError, LadingError
from lading.base.steps import Step, reach
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.db import DatabaseConflict, DatabaseUnavailable, DatabaseUnusable
from lading.jobs.context import Handler, JobContext, JobResult, ResultKind
from lading.jobs.errors import LeaseLost, UnknownJobKind
from lading.jobs.finishing import Write, is_counted
from lading.jobs.queue import Queue
from lading.jobs.rules import backoff_s
from lading.jobs.settings import WorkerSettings
from lading.jobs.states import JobState
from lading.jobs.values import Claim
from lading.jobs.wakeup import IdlePace, Wakeup

DATABASE_FAULTS = (DatabaseUnavailable, DatabaseConflict, DatabaseUnusable)
"""Faults of the database that a worker waits out, whatever it was about to do."""

_DATABASE_RETRY_BASE_S = 0.2

_log = structlog.get_logger(__name__)


class StoppedUnasked(InternalError):
    """A handler said that it was stopped, but nobody had asked it to stop."""

    code = "stopped_unasked"


class Ended(StrEnum):
    """How a claimed job left this worker."""

    DONE = "done"
    FAILED = "failed"
    RETRYING = "retrying"
    RELEASED = "released"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class _Ending:
    """What is to be written about a job whose handler returned or raised."""

    ended: Ended
    write: Write | None = None
    error: Exception | None = None
    reason: StopReason | None = None


class DatabaseWait:
    """Growing waits while the database is away, cut short by a stop."""

    def __init__(self, settings: WorkerSettings, stop: StopSignal) -> None:
        self._max_s = settings.database_retry_max_s
        self._stop = stop
        self._tries = 0

    def reset(self) -> None:
        """The database answered."""
        self._tries = 0

    def wait(self, error: Exception) -> bool:
        """Wait before the next try; False when a stop had been asked for already."""
        if self._stop.is_set():
            return False
        self._tries += 1
        jitter = random.random()  # noqa: S311 - spreads workers, guards nothing
        delay_s = backoff_s(
            self._tries, base_s=_DATABASE_RETRY_BASE_S, max_s=self._max_s, jitter=jitter
        )
        _log.warning("waiting for the database", error=str(error), delay_s=round(delay_s, 2))
        self._stop.wait(delay_s)
        return True


class Slot:
    """One job at a time. `count` is told how each job ended."""

    def __init__(
        self,
        worker_id: str,
        queue: Queue,
        handlers: Mapping[str, Handler],
        settings: WorkerSettings,
        *,
        stop: StopSignal,
        wakeup: Wakeup,
        listening: threading.Event,
        count: Callable[[Ended], None],
        drain: bool,
    ) -> None:
        self._worker_id = worker_id
        self._queue = queue
        self._handlers = handlers
        self._kinds = sorted(handlers)
        self._settings = settings
        self._stop = stop
        self._wakeup = wakeup
        self._listening = listening
        self._count = count
        self._drain = drain
        self._pace = IdlePace(settings)
        self._database = DatabaseWait(settings, stop)
        self._job_stop: StopSignal | None = None

    def run(self) -> None:
        """Work until the worker is stopped or, when draining, until nothing is left."""
        with self._queue.fast_lane():
            while not self._stop.is_set():
                seen = self._wakeup.count
                try:
                    claim = self._queue.claim(self._worker_id, self._kinds)
                    left = claim is not None or not self._drain or self._anything_left()
                except DATABASE_FAULTS as error:
                    self._database.wait(error)
                    continue
                self._database.reset()
                if claim is not None:
                    self._pace.reset()
                    self._work(claim)
                elif left:
                    # Who drains also waits for jobs in other hands, of which nobody tells.
                    notified = self._listening.is_set() and not self._drain
                    self._wakeup.wait(seen, self._pace.next_s(notified=notified))
                else:
                    return

    def interrupt(self) -> None:
        """Pass the worker's stop on to the job in hand."""
        job_stop = self._job_stop
        if job_stop is not None:
            job_stop.request(self._stop.reason or StopReason.SHUTDOWN)

    def _anything_left(self) -> bool:
        return self._queue.pending_work(self._kinds)

    def _work(self, claim: Claim) -> None:
        reach(Step.JOB_CLAIMED)
        job_stop = StopSignal()
        self._job_stop = job_stop
        if self._stop.is_set():
            self.interrupt()
        context = JobContext(self._queue, claim, job_stop, self._settings)
        try:
            ended = self._end(context, self._handle(context))
        finally:
            self._job_stop = None
        if ended is Ended.LOST:
            _log.warning(
                "job yielded",
                job_id=claim.job_id,
                lease=claim.lease,
                why="its lease was lost, or its end could not be written",
            )
        self._count(ended)

    def _handle(self, context: JobContext) -> _Ending:
        kind = context.claim.kind
        handler = self._handlers.get(kind)
        if handler is None:
            return _Ending(
                Ended.FAILED, error=UnknownJobKind("no handler for jobs of this kind", subject=kind)
            )
        try:
            return _ending_of(handler(context), context.stop.reason)
        except LeaseLost:
            return _Ending(Ended.LOST)
        except Interrupted as stopped:
            return _stopped(stopped.reason)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its job alone
            return _faulted(error, context)
        except BaseException as error:  # noqa: BLE001 - a crash in Rust code is raised as one
            # Alone too: a worker that it took along would meet the same job again, and so on.
            fault = InternalError(f"{type(error).__name__}: {error}")
            fault.__cause__ = error
            return _faulted(fault, context)

    def _end(self, context: JobContext, ending: _Ending) -> Ended:
        """Write the ending; waits for the database as long as it takes."""
        while ending.ended is not Ended.LOST:
            try:
                ended = self._write_ending(context, ending)
            except LeaseLost:
                break
            except DATABASE_FAULTS as error:
                if not self._database.wait(error):
                    break
            except Exception as error:  # noqa: BLE001 - the handler's last rows could not be written
                if ending.ended is Ended.FAILED:
                    _log.exception("a failure could not be recorded", job_id=context.claim.job_id)
                    break
                ending = _faulted(error, context)
            else:
                self._database.reset()
                reach(Step.JOB_FINISHED)
                return ended
        return Ended.LOST

    def _write_ending(self, context: JobContext, ending: _Ending) -> Ended:
        claim, progress = context.claim, context.progress
        if ending.ended is Ended.DONE:
            self._queue.done(claim, progress=progress, write=ending.write)
            return Ended.DONE
        if ending.reason is not None:
            self._queue.release(claim, ending.reason, progress=progress)
            return Ended.RELEASED
        error = ending.error or InternalError("a job ended without a reason")
        if ending.ended is Ended.FAILED:
            self._queue.fail(claim, error, progress=progress)
            return Ended.FAILED
        delay_s = backoff_s(
            claim.attempt,
            # What is no fault of ours or theirs may last, and each look at it is an event.
            base_s=self._settings.retry_base_s if is_counted(error) else self._settings.retry_max_s,
            max_s=self._settings.retry_max_s,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        state = self._queue.retry_later(claim, error, delay_s=delay_s, progress=progress)
        return Ended.FAILED if state is JobState.FAILED else Ended.RETRYING


def _ending_of(result: JobResult, asked: StopReason | None) -> _Ending:
    if result.kind is ResultKind.DONE:
        return _Ending(Ended.DONE, write=result.write)
    if asked is None:
        return _Ending(Ended.FAILED, error=StoppedUnasked("the handler stopped unasked"))
    return _stopped(asked)


def _stopped(reason: StopReason) -> _Ending:
    if reason is StopReason.LEASE_LOST:
        return _Ending(Ended.LOST)
    return _Ending(Ended.RELEASED, reason=reason)


def _faulted(error: Exception, context: JobContext) -> _Ending:
    claim = context.claim
    if isinstance(error, LadingError):
        _log.warning("job met a fault", job_id=claim.job_id, kind=claim.kind, error=str(error))
        return _Ending(Ended.RETRYING if error.transient else Ended.FAILED, error=error)
    _log.error("job failed", job_id=claim.job_id, kind=claim.kind, exc_info=error)
    return _Ending(Ended.FAILED, error=error)
