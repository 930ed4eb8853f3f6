"""Batches: the import queue as a list, and one batch with where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions.batches import preflight_batch, queue_batch
from lading.console.actions.operations import preview_operation
from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    Body,
    Cursor,
    DryRun,
    Export,
    Form,
    Instant,
    Limit,
    Word,
    Words,
    also,
    asked,
    creates,
    reads,
    require_beginning,
)
from lading.console.api.operations import WouldBe, answer_of, would_be
from lading.console.parts import Console
from lading.console.readers.batch import Milestone, PlanRow, find, read_head
from lading.console.readers.import_queue import (
    SORTS,
    VIEWS,
    QueueLine,
    batch_filter,
    queue_fields,
    read_import_queue,
    read_lines,
)
from lading.jobs.states import JobState
from lading.jobs.values import JobRow
from lading.ledger.batch_lists import list_batches
from lading.ledger.batches import Batch
from lading.ledger.item_lists import Accounting
from lading.ledger.states import BatchState
from lading.operations.values import Operation, Resource, Targets, Verb

TAG: Final = "batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """One batch of the list, with its newest import job."""

    id: int
    key: str
    source: str
    type: str
    action: str
    revision: int
    state: BatchState
    reason: str | None
    items: int
    bytes: int
    found_at: datetime
    updated_at: datetime
    preflighted_at: datetime | None
    queued_at: datetime | None
    finished_at: datetime | None
    job_id: int | None
    job_state: JobState | None
    share: float | None
    parts: Mapping[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """One batch: what it is, where it stands, what was planned of it, and how that adds up."""

    batch: Batch
    job: JobRow | None
    acknowledged: bool
    accounting: Accounting
    adds_up: bool
    plan: Sequence[PlanRow]
    reasons: Mapping[str, int]
    milestones: Sequence[Milestone]


class PreflightBody(Body, frozen=True):
    """`check_bytes` has every file read through, too."""

    check_bytes: bool = False


class RetryBody(Body, frozen=True):
    """A small `priority` goes first."""

    priority: int | None = None


def routes() -> list[HTTPRouteHandler]:
    """The list, one batch, and its shorthands of operations."""
    return [list_of_batches, one_batch, preflight, retry]


@reads(
    "/batches",
    "Batches in the order of the import queue, or by their last change",
    tag=TAG,
    operation_class=Export,
)
def list_of_batches(
    console: NamedDependency[Console],
    *,
    view: Word = None,
    status: Words = None,
    type: Word = None,  # noqa: A002 - the parameter's own name
    action: Word = None,
    source: Word = None,
    q: Word = None,
    updated_after: Instant = None,
    updated_before: Instant = None,
    sort: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[BatchLine]]:
    """A page of batches, or all of them."""
    query = asked(
        queue_fields(sorted(console.lading.sources)),
        {
            "status": status,
            "type": type,
            "action": action,
            "source": source,
            "q": q,
            "updated_after": updated_after,
            "updated_before": updated_before,
        },
        cursor=cursor,
        limit=limit,
        sort=sort,
        sorts=SORTS,
        extra={"view": (view, list(VIEWS))},
    )
    if form == "json":
        found = read_import_queue(console, query)
        return Response(many([_line(line) for line in found.lines], found, found.matching))
    filters = batch_filter(query)
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[BatchLine], str | None]:
        with console.lading.db.read() as conn:
            page = list_batches(conn, filters, sort=query.sort, cursor=after, limit=EXPORT_PAGE)
            lines = read_lines(conn, page.batches)
        return [_line(line) for line in lines], page.next_cursor

    return export("batches", form, fetch, BatchLine)


@reads("/batches/{key:str}", "One batch, by its key or number", tag=TAG)
def one_batch(console: NamedDependency[Console], key: FromPath[str]) -> BatchAnswer:
    """Where a batch stands."""
    head = read_head(console, find(console, key))
    return BatchAnswer(
        batch=head.batch,
        job=head.job,
        acknowledged=head.acknowledged,
        accounting=head.accounting,
        adds_up=head.accounting.adds_up,
        plan=head.plan,
        reasons=head.reasons,
        milestones=head.milestones,
    )


@creates(
    "/batches/{key:str}/preflight",
    "Decide about every item of a batch",
    tag=TAG,
    permission=Permission.OPERATE,
    responses=also(202, Operation, "A worker does it."),
)
def preflight(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[PreflightBody],
    *,
    dry_run: DryRun = False,
) -> Response[Operation | WouldBe]:
    """A shorthand of the operation `preflight`."""
    caller.require(Permission.OPERATE)
    batch = find(console, key)
    if dry_run:
        params = {"check_bytes": True} if data.check_bytes else {}
        return would_be(preview_operation(console, caller, Verb.PREFLIGHT, _one(batch), params))
    return answer_of(preflight_batch(console, caller, batch.id, check_bytes=data.check_bytes))


@creates(
    "/batches/{key:str}/retry",
    "Queue a batch again, with its failed items",
    tag=TAG,
    permission=Permission.OPERATE,
    responses=also(202, Operation, "A worker does it."),
)
def retry(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[RetryBody],
    *,
    dry_run: DryRun = False,
) -> Response[Operation | WouldBe]:
    """A shorthand of the operation `queue`; what is imported already stays as it is."""
    caller.require(Permission.OPERATE)
    batch = find(console, key)
    if dry_run:
        params: dict[str, Any] = {} if data.priority is None else {"priority": data.priority}
        return would_be(preview_operation(console, caller, Verb.QUEUE, _one(batch), params))
    return answer_of(queue_batch(console, caller, batch.id, priority=data.priority))


def _one(batch: Batch) -> Targets:
    return Targets(resource=Resource.BATCHES, ids=[batch.id])


def _line(line: QueueLine) -> BatchLine:
    batch, job = line.batch, line.job
    return BatchLine(
        id=batch.id,
        key=batch.batch_key,
        source=batch.source,
        type=batch.type,
        action=batch.action,
        revision=batch.revision,
        state=batch.state,
        reason=batch.reason,
        items=batch.items_total,
        bytes=batch.bytes_total,
        found_at=batch.found_at,
        updated_at=batch.updated_at,
        preflighted_at=batch.preflighted_at,
        queued_at=batch.queued_at,
        finished_at=batch.finished_at,
        job_id=job.id if job else None,
        job_state=job.status if job else None,
        share=job.progress.share if job else None,
        parts=line.parts,
    )
