"""A run of an archive as a command tells of it: how it ended, its report, its rejections.

Rejections can be gone through as often as there are reports to write, and are never all in memory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import select

from lading.base.errors import all_error_classes
from lading.cli.failures import NEEDS_A_PERSON
from lading.db import Database
from lading.ingest.item_writing import ImportAborted
from lading.ingest.parts import ALL_OR_NOTHING, IMPORT_JOB_KIND
from lading.jobs.queue import Queue
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.batches import Batch, BatchMissing, get_batch
from lading.ledger.queries import find_batch
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState
from lading.ledger.tables import ingest_batch
from lading.sources.archive.open_batch import TYPE
from lading.sources.archive.reports import (
    Rejection,
    RunReport,
    rejections_of_run,
    report_of_run,
)

LAST: Final = "last"
SPOOL_BYTES: Final = 1024 * 1024


class Ending(StrEnum):
    """How far a run has come, as seen by whoever asks for its report."""

    REHEARSED = "rehearsed"  # a dry run
    DONE = "done"  # decided about, and imported as far as that can be
    NOTHING_NEW = "nothing_new"  # the listing is that of a run that is done
    SAFE_STOP = "safe_stop"  # a safe run met its first warning
    FAILED = "failed"  # its job gave up
    UNDER_WAY = "under_way"  # not yet ended; somebody works on it or will
    HELD = "held"  # waits for a person: its job, or all intake, is paused
    STOPPED = "stopped"  # this process was told to end


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRun:
    """A run and everything there is to say about it. `error` are words, `error_code` its code.

    `followed` says that somebody else had begun the run when it was asked for.
    """

    ending: Ending
    report: RunReport
    rejections: Iterable[Rejection]
    followed: bool = False
    error: str | None = None
    error_code: str | None = None

    @property
    def exit_status(self) -> int:
        """What the command ends with; `docs/how-to/archive.md` lists the reasons."""
        if self.ending is Ending.NOTHING_NEW:
            return 0
        if self.ending is Ending.FAILED:
            return _status_of(self.error_code)
        whole = self.ending in {Ending.DONE, Ending.REHEARSED} and not self.report.problems
        return 0 if whole and not self.report.pending else NEEDS_A_PERSON

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody who only wants to hear of problems wants to hear of this run."""
        return self.exit_status != 0


class RecordedRejections:
    """The rejections of a recorded run, read anew each time."""

    def __init__(self, db: Database, batch_id: int) -> None:
        self._db = db
        self._batch_id = batch_id

    def __iter__(self) -> Iterator[Rejection]:
        return rejections_of_run(self._db, self._batch_id)


class RejectionSpool:
    """The rejections of a dry run, of which nothing else keeps a record. Close it at the end."""

    def __init__(self) -> None:
        self._file: Any = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - see `close`

    def add(self, rejection: Rejection) -> None:
        """Keep one more; not while somebody goes through them."""
        self._file.write(json.dumps(asdict(rejection)).encode() + b"\n")

    def __iter__(self) -> Iterator[Rejection]:
        self._file.seek(0)
        for line in self._file:
            yield Rejection(**json.loads(line))

    def close(self) -> None:
        """Forget them."""
        self._file.close()


def find_run(db: Database, name: str) -> Batch:
    """The run of this number or (begun) key, or the `last` one. Raises `BatchMissing`."""
    with db.read() as conn:
        if name == LAST:
            newest = conn.scalar(
                select(ingest_batch.c.id)
                .where(ingest_batch.c.type == TYPE)
                .order_by(ingest_batch.c.id.desc())
                .limit(1)
            )
            if newest is None:
                raise BatchMissing(
                    "no archive was run yet", next_step="Start one: `lading archive run`."
                )
            return get_batch(conn, newest)
        batch = find_batch(conn, name)
    if batch.type != TYPE:
        raise BatchMissing(
            "this batch is no run of an archive",
            subject=batch.batch_key,
            next_step="`lading batch` tells of any batch, `lading batches` lists them.",
        )
    return batch


def recorded_run(db: Database, queue: Queue, batch_id: int) -> ArchiveRun:
    """A recorded run as it stands now. Raises `BatchMissing`."""
    with db.read() as conn:
        batch = get_batch(conn, batch_id)
    job = newest_import(queue, batch_id)
    safe_run = job is not None and bool(job.params.get(ALL_OR_NOTHING))
    report = report_of_run(db, batch_id, safe_run=safe_run)
    failed = job is not None and job.status is JobState.FAILED
    return ArchiveRun(
        ending=_ending(batch, job if failed else None),
        report=replace(report, job_id=None if job is None else job.id),
        rejections=RecordedRejections(db, batch_id),
        error=job.error if failed and job is not None else None,
        error_code=job.error_code if failed and job is not None else None,
    )


def newest_import(queue: Queue, batch_id: int) -> JobRow | None:
    """The last job that was made to import a batch."""
    return next(
        iter(queue.list(JobFilter(batch_id=batch_id, kinds=[IMPORT_JOB_KIND]), limit=1).jobs), None
    )


def _ending(batch: Batch, failed: JobRow | None) -> Ending:
    if failed is not None and batch.state not in ACTIVE_BATCH_STATES:
        if failed.error_code == ImportAborted.code:
            return Ending.SAFE_STOP
        return Ending.FAILED
    done = {BatchState.IMPORTED, BatchState.PARTIAL, BatchState.FAILED, BatchState.PREFLIGHT_FAILED}
    return Ending.DONE if batch.state in done else Ending.UNDER_WAY


def _status_of(code: str | None) -> int:
    """The exit status of the error that a job recorded by its code."""
    known = {cls.code: cls.exit_status for cls in all_error_classes()}
    return known.get(code or "", NEEDS_A_PERSON)
