"""Runs an archive once, from the listing to the last row, within this process (B3-B7).

Whoever calls is the worker as well. What was begun elsewhere, by another cron job or by a call
that was killed, is gone on with, or followed while somebody else has it in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from lading.base.progress import Progress
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.bootstrap import Lading, open_lading
from lading.cli.archive.runs import ArchiveRun, Ending, RejectionSpool, recorded_run
from lading.cli.setting_up import set_up
from lading.db.engine import DatabaseNotMade
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.ingest.rehearsal import rehearse
from lading.jobs.queue import Queue
from lading.jobs.states import FINAL_JOB_STATES, JobState
from lading.jobs.values import JobRow
from lading.jobs.worker import Worker
from lading.ledger.batches import get_batch
from lading.ledger.states import BatchState
from lading.settings import Settings
from lading.settings.model import default_values
from lading.sources.archive.reports import rejection_of_refused, report_of_rehearsal
from lading.sources.archive.runs import RunOutcome, StartedRun, start_run
from lading.sources.archive.source import ArchiveSource

LOOK_EVERY_S: Final = 0.2
"""How often a run in hand is looked at, to see whether it has ended."""
STARTS_MAX: Final = 3
SILENT_LOOKS_MAX: Final = 300
"""So many looks without a sign of life and whoever decides about a run is taken for dead."""

OnProgress = Callable[[Progress], None]

_log = structlog.get_logger("lading.archive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for. `within` narrows a run to keys below it, `again` repeats one."""

    actor: str
    safe_run: bool
    within: str = ""
    again: bool = False


@contextmanager
def opened_for_a_dry_run(settings: Settings) -> Iterator[Lading]:
    """The installation as it is. Where none was made yet, nothing is held: an empty one, for now.

    Raises `DatabaseNotMigrated` for a database that has other tables than this version needs.
    """
    with ExitStack() as stack:
        try:
            lading = stack.enter_context(open_lading(settings))
        except DatabaseNotMade:
            empty = _for_now(settings, stack.enter_context(TemporaryDirectory(prefix="lading-")))
            set_up(empty)
            lading = stack.enter_context(open_lading(empty))
        yield lading


def _for_now(settings: Settings, folder: str) -> Settings:
    """The same settings, with a database and a store of their own in `folder`."""
    made = default_values(folder)
    database = settings.database.model_copy(update=made["database"])
    store = settings.store.model_copy(update=made["store"])
    return settings.model_copy(update={"data_dir": folder, "database": database, "store": store})


def dry_run(
    lading: Lading,
    source: ArchiveSource,
    asked: Asked,
    spool: RejectionSpool,
    *,
    stop: StopSignal,
    on_progress: OnProgress | None = None,
) -> ArchiveRun:
    """Everything but the writes (B6); rejections go into `spool`.

    Raises `SourceMissing`, `StoreUnavailable`, and `Interrupted` after a stop request.
    """
    started_at = datetime.now(UTC)
    found = rehearse(
        lading.ingest.parts,
        source.narrowed(asked.within),
        strict=asked.safe_run,
        stop=stop,
        on_refused=lambda item: spool.add(rejection_of_refused(item)),
        on_progress=on_progress,
    )
    report = report_of_rehearsal(
        found,
        source=source.name,
        safe_run=asked.safe_run,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
    return ArchiveRun(ending=Ending.REHEARSED, report=report, rejections=spool)


def run(
    lading: Lading,
    source: ArchiveSource,
    asked: Asked,
    *,
    stop: StopSignal,
    on_progress: OnProgress | None = None,
) -> ArchiveRun:
    """Start a run and work until it has ended, `stop` is set, or it waits for a person.

    Raises `SourceMissing`, `StoreUnavailable`, `ScanNotBelieved`, and `Interrupted` when the stop
    came before there was a job.
    """
    started = _start(lading, source, asked, stop)
    _log.info("archive run", run=started.batch_key, outcome=started.outcome, job=started.job_id)
    ending = Ending.NOTHING_NEW if started.outcome is RunOutcome.NOTHING_NEW else None
    if started.job_id is not None and ending is None:
        ending = _work_until_ended(lading, started.job_id, stop, on_progress)
    ended = recorded_run(lading.db, lading.queue, started.batch_id)
    return replace(
        ended,
        ending=ending or ended.ending,
        followed=started.outcome is RunOutcome.UNDER_WAY,
    )


def _start(lading: Lading, source: ArchiveSource, asked: Asked, stop: StopSignal) -> StartedRun:
    """Start the run; when another process decides about the same one just now, after it has."""
    for _ in range(STARTS_MAX):
        started = start_run(
            lading.ingest,
            source,
            actor=asked.actor,
            safe_run=asked.safe_run,
            within=asked.within,
            again=asked.again,
            stop=stop,
        )
        overtaken = started.outcome is RunOutcome.NOTHING_TO_IMPORT
        if not overtaken or not _decided_elsewhere(lading, started.batch_id, stop):
            break
    return started


def _decided_elsewhere(lading: Lading, batch_id: int, stop: StopSignal) -> bool:
    """Wait until nobody decides about the batch any more; whether it may have a job now."""
    seen, silent_looks = None, 0
    while True:
        with lading.db.read() as conn:
            batch = get_batch(conn, batch_id)
        if batch.state is not BatchState.PREFLIGHTING:
            return batch.state is not BatchState.PREFLIGHT_FAILED
        silent_looks = silent_looks + 1 if batch.updated_at == seen else 0
        if silent_looks > SILENT_LOOKS_MAX:
            return True
        seen = batch.updated_at
        if stop.wait(LOOK_EVERY_S):
            raise Interrupted(stop.reason or StopReason.SHUTDOWN)


def _work_until_ended(
    lading: Lading, job_id: int, stop: StopSignal, on_progress: OnProgress | None
) -> Ending | None:
    """Be a worker until the job has ended; how it stands if it has not, else None.

    Jobs are claimed by kind, in their order: imports that are in line before this one are worked
    on too. One that follows may be claimed at the very end; it goes back in line unharmed.
    """
    limits = lading.settings.worker.model_copy(update={"slots": 1}).limits
    Worker(
        lading.db,
        lading.queue,
        {IMPORT_JOB_KIND: lading.handlers[IMPORT_JOB_KIND]},
        limits,
        stop=stop,
        duty=_Watch(lading.queue, job_id, stop, on_progress),
    ).run()
    job = lading.queue.get(job_id)
    if job.status in FINAL_JOB_STATES:
        return None
    return Ending.HELD if _waits_for_a_person(lading.queue, job) else Ending.STOPPED


class _Watch:
    """What the worker does beside its work: stop itself once there is nothing more to wait for."""

    def __init__(
        self, queue: Queue, job_id: int, stop: StopSignal, on_progress: OnProgress | None
    ) -> None:
        self._queue = queue
        self._job_id = job_id
        self._stop = stop
        self._on_progress = on_progress

    def __call__(self, _actor: str) -> float:
        job = self._queue.get(self._job_id)
        if self._on_progress is not None:
            self._on_progress(job.progress)
        if job.status in FINAL_JOB_STATES or _waits_for_a_person(self._queue, job):
            self._stop.request(StopReason.SHUTDOWN)
        return LOOK_EVERY_S


def _waits_for_a_person(queue: Queue, job: JobRow) -> bool:
    if job.status is JobState.PAUSED:
        return True
    return job.status is JobState.QUEUED and queue.intake().paused
