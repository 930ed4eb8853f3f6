"""Queue: gives batches to the workers, preflighting first where needed (A7), and keeps their
states in step with their jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from lading.base.errors import LadingError, StoreError
from lading.base.stopping import StopSignal
from lading.db.clock import now
from lading.ingest.parts import ALL_OR_NOTHING, IMPORT_JOB_KIND, IngestParts
from lading.ingest.plan import Plan, PlanOutdated, require_current
from lading.ingest.preflight import preflight
from lading.ingest.rules import PREFLIGHT_STALE, STORE_FAULT, is_gone, state_after_import
from lading.jobs.states import JobState
from lading.jobs.values import PRIORITY_MAX, JobMoved, NewJob
from lading.ledger import chain
from lading.ledger.batches import Batch, BatchOvertaken, get_batch, move
from lading.ledger.chain import Entry
from lading.ledger.events import BatchMoved, BatchQueued
from lading.ledger.items import count_outcomes
from lading.ledger.states import ACTIVE_BATCH_STATES, BATCH_TRANSITIONS, BatchState

IMPORT_ATTEMPTS_MAX: Final = 12
"""With the worker's waits in between, a store or a mount may be away for half an hour."""


class QueueOutcome(StrEnum):
    """What became of a request to queue one batch."""

    QUEUED = "queued"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class QueueResult:
    """What became of one batch; `reason` is a code, `sentence` says it in words.

    `known` is of a refused one in which nothing changed since it was refused before.
    """

    batch_id: int
    batch_key: str
    outcome: QueueOutcome
    job_id: int | None = None
    reason: str | None = None
    sentence: str | None = None
    decisions: dict[str, int] | None = None
    known: bool = False


def queue_batches(
    parts: IngestParts,
    batch_ids: Sequence[int],
    *,
    actor: str,
    priority: int = 5,
    plan: Plan | None = None,
    dry_run: bool = False,
    all_or_nothing: bool = False,
    stop: StopSignal | None = None,
    on_result: Callable[[QueueResult], None] | None = None,
) -> list[QueueResult]:
    """Queue any number of batches, in the order given; one that cannot be queued stops no other.

    Raises `BatchMissing`, and `StoreError` when the database is away; what is queued by then stays
    queued.

    With `plan`, a batch is queued only as the plan says. `dry_run` preflights and says what would
    be queued. A batch that a job has already is skipped. `all_or_nothing` makes each import one
    transaction that the first refused item undoes (B7).
    """
    request = _Request(parts, actor, priority, plan, dry_run, all_or_nothing, stop)
    results = []
    for batch_id in batch_ids:
        if stop is not None:
            stop.check()
        with parts.db.read() as conn:
            batch = get_batch(conn, batch_id)
        try:
            result = _queue_one(request, batch)
        except LadingError as error:
            if isinstance(error, StoreError) and error.transient:
                raise  # the database is away: no other batch will fare better
            result = QueueResult(
                batch_id,
                batch.batch_key,
                QueueOutcome.REFUSED,
                reason=error.code,
                sentence=f"{error} {error.advice}",
            )
        results.append(result)
        if on_result is not None:
            on_result(result)
    return results


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for all batches of one request alike."""

    parts: IngestParts
    actor: str
    priority: int
    plan: Plan | None
    dry_run: bool
    all_or_nothing: bool
    stop: StopSignal | None


def _queue_one(request: _Request, batch: Batch) -> QueueResult:
    db, batch_id, key = request.parts.db, batch.id, batch.batch_key
    if batch.state in ACTIVE_BATCH_STATES:
        return QueueResult(
            batch_id, key, QueueOutcome.SKIPPED, None, "already_queued", "A job has it already."
        )
    if request.plan is not None:
        _require_planned(request.plan, batch)
    elif batch.state is not BatchState.PREFLIGHT_PASSED:
        report = preflight(request.parts, batch_id, actor=request.actor, stop=request.stop)
        if not report.passed:
            sentence = "Preflight found nothing of it that can be imported."
            if report.known:
                sentence = "All that is left of it was refused before, and has not changed."
            return QueueResult(
                batch_id,
                key,
                QueueOutcome.REFUSED,
                None,
                report.reason,
                str(report.error["message"]) if report.error else sentence,
                report.decisions,
                report.known,
            )
    job_id = None if request.dry_run else db.run(lambda conn: _enqueue(conn, request, batch_id))
    return QueueResult(batch_id, key, QueueOutcome.QUEUED, job_id)


def _require_planned(plan: Plan, batch: Batch) -> None:
    planned = plan.find(batch.source, batch.batch_key)
    if planned is None:
        raise PlanOutdated("the plan does not speak of this batch", subject=batch.batch_key)
    require_current(planned, batch)


def _enqueue(conn: Connection, request: _Request, batch_id: int) -> int:
    if request.plan is not None:
        _require_planned(request.plan, get_batch(conn, batch_id, lock=True))
    return enqueue_batch(
        conn,
        request.parts,
        batch_id,
        actor=request.actor,
        priority=request.priority,
        all_or_nothing=request.all_or_nothing,
    )


def enqueue_batch(
    conn: Connection,
    parts: IngestParts,
    batch_id: int,
    *,
    actor: str,
    priority: int,
    all_or_nothing: bool = False,
) -> int:
    """Give one preflighted batch to the workers, last in the caller's transaction; its job.

    Raises `BatchMissing`, and `BatchOvertaken` for one that is not fit to be queued by now.
    """
    batch = get_batch(conn, batch_id, lock=True)
    if batch.state is not BatchState.PREFLIGHT_PASSED:
        raise BatchOvertaken(
            "the batch was moved by someone else",
            subject=batch.batch_key,
            expected=BatchState.PREFLIGHT_PASSED,
            found=batch.state,
        )
    move(
        conn,
        batch,
        BatchState.QUEUED,
        subject=batch.batch_key,
        queued_at=now(),
        queued_revision=batch.revision,
    )
    params: dict[str, object] = {"revision": batch.revision, "plan_digest": batch.plan_digest}
    if all_or_nothing:
        params[ALL_OR_NOTHING] = True
    job = NewJob(
        IMPORT_JOB_KIND,
        params=params,
        batch_id=batch.id,
        # What moved is to be found at its new place before it is gone from the old one.
        priority=min(priority + is_gone(batch.fingerprint), PRIORITY_MAX),
        active_key=f"{IMPORT_JOB_KIND}:{batch.id}",
        attempts_max=IMPORT_ATTEMPTS_MAX,
    )
    entries: list[Entry] = []
    (enqueued,) = parts.queue.enqueue(conn, [job], actor=actor, entries=entries)
    job_id = enqueued.job_id
    event = BatchQueued(job_id=job_id, priority=priority, plan_digest=batch.plan_digest)
    queued = Entry(event, actor, source=batch.source, batch_id=batch.id, job_id=job_id)
    if parts.on_import_queued is not None:
        entries.extend(parts.on_import_queued(conn, batch, job_id, actor=actor, priority=priority))
    chain.append_all(conn, [queued, *entries])
    return job_id


def follow_job(conn: Connection, moved: JobMoved) -> Sequence[Entry]:
    """The hook by which a batch goes where its import job goes, in the same transaction."""
    if moved.kind != IMPORT_JOB_KIND or moved.batch_id is None:
        return ()
    if moved.after in {JobState.RUNNING, JobState.DONE}:
        return ()  # the import itself moves the batch then, with what it knows
    batch = get_batch(conn, moved.batch_id, lock=True)
    after, reason = _state_after_job(conn, batch, moved)
    if after is batch.state or after not in BATCH_TRANSITIONS[batch.state]:
        return ()
    finished = now() if after not in {BatchState.QUEUED, BatchState.PREFLIGHT_STALE} else None
    move(conn, batch, after, subject=batch.batch_key, reason=reason, finished_at=finished)
    event = BatchMoved(before=batch.state.value, after=after.value, reason=reason)
    return [Entry(event, moved.actor, source=batch.source, batch_id=batch.id, job_id=moved.job_id)]


def _state_after_job(
    conn: Connection, batch: Batch, moved: JobMoved
) -> tuple[BatchState, str | None]:
    if moved.after is JobState.CANCELLED:
        return BatchState.CANCELLED, None
    if moved.after is not JobState.FAILED:
        return BatchState.QUEUED, None
    if moved.error_code == PREFLIGHT_STALE.code:
        return BatchState.PREFLIGHT_STALE, PREFLIGHT_STALE.code
    outcomes = count_outcomes(conn, batch.id, batch.revision)
    state = state_after_import(outcomes)
    # A job that failed did not finish its batch, even if no item failed.
    return (
        BatchState.PARTIAL if state is BatchState.IMPORTED else state,
        moved.error_code or STORE_FAULT.code,
    )
