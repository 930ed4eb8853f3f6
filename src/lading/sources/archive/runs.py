"""Starts a run of an archive: looks, plans what is new, and puts it in line (B3-B7).

A run that finds the listing of the last one has nothing to do, and writes nothing but that it
looked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from lading.base.errors import InternalError, RequestError
from lading.base.stopping import StopSignal
from lading.ingest import Ingest
from lading.ingest.item_writing import ImportAborted
from lading.ingest.parts import IMPORT_JOB_KIND, IngestParts
from lading.ingest.queueing import QueueOutcome
from lading.ingest.rules import ALL_REJECTED, INTERNAL_FAULT
from lading.ingest.scan import scan
from lading.jobs.values import JobFilter
from lading.ledger import chain
from lading.ledger.batches import Batch, BatchOvertaken, batch_ids, get_batch, move
from lading.ledger.chain import Entry
from lading.ledger.events import BatchMoved
from lading.ledger.items import count_outcomes
from lading.ledger.queries import count_reasons
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.sources.archive.source import ArchiveSource

REPLACED: Final = "replaced_by_newer_run"
WORTH_ANOTHER_TRY: Final = frozenset(
    {
        "object_changed",
        "object_missing",
        "object_denied",
        "object_unreadable",
        "safe_run_noted",
        INTERNAL_FAULT.code,
        ImportAborted.code,
    }
)
"""Why an item may fail that may do well the next time though its files are the same."""


class NotAnArchive(RequestError):
    """The source is of another kind."""

    code = "not_an_archive"
    http_status = 409
    next_step = "Name a source of kind `archive`; `lading config show` lists the sources."


class RunOutcome(StrEnum):
    """What became of a request for a run."""

    QUEUED = "queued"  # a job imports what is new
    UNDER_WAY = "under_way"  # a job has this very listing already
    NOTHING_NEW = "nothing_new"  # the listing is that of a run that is done
    NOTHING_TO_IMPORT = "nothing_to_import"  # everything that is new was rejected


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run and the job that imports it, if there is anything to import."""

    batch_id: int
    batch_key: str
    outcome: RunOutcome
    job_id: int | None = None


def archive_source(parts: IngestParts, name: str | None) -> ArchiveSource:
    """The archive source of this name, or the only one. Raises `NotAnArchive`, `UnknownSource`."""
    if name is None:
        archives = sorted(n for n, s in parts.sources.items() if isinstance(s, ArchiveSource))
        if len(archives) != 1:
            raise NotAnArchive(
                "it has to be said which archive is meant" if archives else "there is no archive",
                expected="one source of kind `archive`",
                found=", ".join(archives) or "none",
                next_step=None if archives else "Set BUCKET_NAME, or add one to the settings.",
            )
        (name,) = archives
    source = parts.source(name)
    if not isinstance(source, ArchiveSource):
        raise NotAnArchive("this source is no archive", subject=name, found=source.kind)
    return source


def start_run(
    ingest: Ingest,
    source: ArchiveSource,
    *,
    actor: str,
    safe_run: bool,
    within: str = "",
    again: bool = False,
    stop: StopSignal | None = None,
    on_found: Callable[[int], None] | None = None,
    job_id: int | None = None,
) -> StartedRun:
    """List the bucket, decide about what is new, and put it in line for the workers.

    `within` narrows the run to keys below a prefix. `again` also takes up a run whose rejections
    cannot have changed. Raises `SourceMissing`, `StoreUnavailable` and `ScanNotBelieved`.
    """
    narrowed = source.narrowed(within)
    parts = replace(ingest.parts, sources={**ingest.parts.sources, source.name: narrowed})
    scan(parts, source.name, actor=actor, on_found=on_found, job_id=job_id)
    key = narrowed.listed_key
    with parts.db.read() as conn:
        found = batch_ids(conn, source.name, [key])
        batch = get_batch(conn, found[key]) if key in found else None
        if batch is None:
            raise InternalError("a scan did not record the run that it found", subject=key)
        worth_it = again or _was_written_over(conn, batch) or _is_worth_another_try(conn, batch)
    if batch.state in ACTIVE_BATCH_STATES:
        return StartedRun(batch.id, key, RunOutcome.UNDER_WAY, _job_of(parts, batch))
    if not worth_it:
        return StartedRun(batch.id, key, RunOutcome.NOTHING_NEW)
    if not within:
        parts.db.run(lambda conn: _replace_older(conn, source.name, batch, actor))
    (result,) = Ingest(parts).queue([batch.id], actor=actor, all_or_nothing=safe_run, stop=stop)
    if result.outcome is QueueOutcome.QUEUED:
        return StartedRun(batch.id, key, RunOutcome.QUEUED, result.job_id)
    if result.outcome is QueueOutcome.SKIPPED:
        return StartedRun(batch.id, key, RunOutcome.UNDER_WAY, _job_of(parts, batch))
    return StartedRun(batch.id, key, RunOutcome.NOTHING_TO_IMPORT)


def _is_worth_another_try(conn: Connection, batch: Batch) -> bool:
    """Whether anything of a run that was looked at before can end otherwise now."""
    if batch.state is BatchState.IMPORTED:
        return False
    if batch.state is BatchState.PREFLIGHT_FAILED:
        return batch.reason != ALL_REJECTED.code
    if batch.state not in {BatchState.PARTIAL, BatchState.FAILED}:
        return True
    outcomes = count_outcomes(conn, batch.id, batch.revision)
    if outcomes[Outcome.PENDING]:
        return True
    reasons = count_reasons(conn, batch)
    return bool(outcomes[Outcome.FAILED] and WORTH_ANOTHER_TRY & reasons.keys())


def _was_written_over(conn: Connection, batch: Batch) -> bool:
    """Whether a run that ended later changed what was held: a bucket may be again what it was."""
    ended = batch.finished_at or batch.preflighted_at
    if ended is None:
        return False
    later = (
        select(ingest_batch.c.id, ingest_batch.c.queued_revision)
        .where(ingest_batch.c.source == batch.source, ingest_batch.c.finished_at > ended)
        .subquery()
    )
    item = ingest_batch_item.c
    written = select(item.id).where(
        item.batch_id == later.c.id,
        item.revision == later.c.queued_revision,
        item.outcome == Outcome.UPDATED.value,
    )
    return conn.scalar(written.limit(1)) is not None


def _job_of(parts: IngestParts, batch: Batch) -> int | None:
    """The last job that was made for the batch."""
    jobs = parts.queue.list(JobFilter(batch_id=batch.id, kinds=[IMPORT_JOB_KIND])).jobs
    return max((job.id for job in jobs), default=None)


def _replace_older(conn: Connection, source: str, newer: Batch, actor: str) -> None:
    """Earlier runs that nobody imported have nothing that the newer one does not have."""
    waiting = {BatchState.PENDING, BatchState.PREFLIGHT_PASSED, BatchState.PREFLIGHT_STALE}
    ids = conn.scalars(
        select(ingest_batch.c.id).where(
            ingest_batch.c.source == source,
            ingest_batch.c.state.in_([state.value for state in waiting]),
            ingest_batch.c.id < newer.id,
        )
    ).all()
    entries = []
    for batch_id in ids:
        older = get_batch(conn, batch_id, lock=True)
        try:
            move(conn, older, BatchState.SUPERSEDED, subject=older.batch_key, reason=REPLACED)
        except BatchOvertaken:
            continue  # somebody takes it up after all
        event = BatchMoved(
            before=older.state.value, after=BatchState.SUPERSEDED.value, reason=REPLACED
        )
        entries.append(Entry(event, actor, source=source, batch_id=older.id))
    chain.append_all(conn, entries)
