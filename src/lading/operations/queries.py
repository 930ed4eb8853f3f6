"""Reads operations and their results. An operation's state is its job's while it is carried out."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, or_, select

from lading.db.clock import now
from lading.db.counting import Count, count_capped
from lading.db.keyset import Key, fetch_page
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.operations.errors import UnknownOperation
from lading.operations.rules import INVERSES
from lading.operations.states import OperationState, TargetOutcome
from lading.operations.tables import operation, operation_result, selection
from lading.operations.values import (
    Operation,
    OperationPage,
    Resource,
    Result,
    ResultPage,
    Verb,
)

CUT_OFF_AFTER_S: Final = 300
"""What was begun in a request and has not ended by then was cut off with it."""

_op = operation.c
_undone = operation.alias("undone")
_undoing = operation.alias("undoing")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFilter:
    """Which operations to list; an empty field leaves nothing out."""

    actor: str | None = None
    verbs: Collection[Verb] = ()
    states: Collection[OperationState] = ()
    since: datetime | None = None


def require_operation(conn: Connection, key: str) -> Operation:
    """The operation of this key. Raises `UnknownOperation`."""
    return _require(conn, _op.key == key, key)


def require_operation_by_id(conn: Connection, operation_id: int) -> Operation:
    """The operation of this number. Raises `UnknownOperation`."""
    return _require(conn, _op.id == operation_id, str(operation_id))


def list_operations(
    conn: Connection, filters: OperationFilter, *, cursor: str | None, limit: int
) -> OperationPage:
    """A page of operations, newest first. Raises `BadCursor`."""
    query = _query().where(*_conditions(filters))
    page = fetch_page(conn, query, [Key(_op.id, descending=True)], cursor=cursor, limit=limit)
    return OperationPage([_from_row(row) for row in page.rows], page.next_cursor, page.prev_cursor)


def count_operations(conn: Connection, filters: OperationFilter) -> Count:
    """How many operations there are in the whole list."""
    joined = operation.outerjoin(import_job, import_job.c.id == _op.job_id)
    return count_capped(conn, select(_op.id).select_from(joined).where(*_conditions(filters)))


def _conditions(filters: OperationFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.actor is not None:
        found.append(_op.actor == filters.actor)
    if filters.verbs:
        found.append(_op.verb.in_(sorted(filters.verbs)))
    if filters.states:
        found.append(_state().in_(sorted(filters.states)))
    if filters.since is not None:
        found.append(_op.created_at >= filters.since)
    return found


def list_results(
    conn: Connection,
    operation_id: int,
    *,
    outcomes: Collection[TargetOutcome],
    cursor: str | None,
    limit: int,
) -> ResultPage:
    """A page of results in the order in which they came. Raises `BadCursor`."""
    result = operation_result.c
    query = select(operation_result).where(result.operation_id == operation_id)
    if outcomes:
        query = query.where(result.outcome.in_(sorted(outcomes)))
    page = fetch_page(conn, query, [Key(result.position)], cursor=cursor, limit=limit)
    return ResultPage(
        [
            Result(
                position=row.position,
                target_kind=row.target_kind,
                target_id=row.target_id,
                target_name=row.target_name,
                outcome=TargetOutcome(row.outcome),
                code=row.code,
                sentence=row.sentence,
                job_id=row.job_id,
            )
            for row in page.rows
        ],
        page.next_cursor,
        page.prev_cursor,
    )


def _require(conn: Connection, which: ColumnElement[bool], name: str) -> Operation:
    row = conn.execute(_query().where(which)).one_or_none()
    if row is None:
        raise UnknownOperation("there is no such operation", subject=name)
    return _from_row(row)


def _query() -> Select[Any]:
    return select(
        operation,
        selection.c.key.label("selection_key"),
        selection.c.filter.label("filter"),
        _state().label("live_state"),
        import_job.c.error.label("job_error"),
        import_job.c.error_code.label("job_error_code"),
        _undone.c.key.label("undoes_key"),
        _undoing.c.key.label("undone_by_key"),
        now().label("now"),
    ).select_from(
        operation.join(selection, selection.c.id == _op.selection_id)
        .outerjoin(import_job, import_job.c.id == _op.job_id)
        .outerjoin(_undone, _undone.c.id == _op.undoes_id)
        .outerjoin(_undoing, _undoing.c.id == _op.undone_by_id)
    )


def _state() -> ColumnElement[str]:
    """The state as it is now: written once it has ended, until then that of the job."""
    status = import_job.c.status
    waits = or_(status == JobState.QUEUED.value, status == JobState.WAITING.value)
    cut_off = and_(_op.job_id.is_(None), _op.created_at < now(-CUT_OFF_AFTER_S))
    return case(
        (_op.state != OperationState.RUNNING.value, _op.state),
        (or_(cut_off, status == JobState.FAILED.value), OperationState.FAILED.value),
        (status == JobState.CANCELLED.value, OperationState.CANCELLED.value),
        (status == JobState.PAUSED.value, OperationState.PAUSED.value),
        (waits, OperationState.QUEUED.value),
        else_=OperationState.RUNNING.value,
    )


def _from_row(row: Row[Any]) -> Operation:
    verb, state = Verb(row.verb), OperationState(row.live_state)
    failed = state is OperationState.FAILED
    return Operation(
        id=row.id,
        key=row.key,
        verb=verb,
        resource=Resource(row.resource),
        params=json.loads(row.params),
        actor=row.actor,
        selection=row.selection_key,
        filter=None if row.filter is None else json.loads(row.filter),
        as_of=row.as_of,
        state=state,
        job_id=row.job_id,
        total=row.total,
        totals={outcome: int(getattr(row, outcome.value)) for outcome in TargetOutcome},
        created_at=row.created_at,
        finished_at=row.finished_at,
        undoes=row.undoes_key,
        undone_by=row.undone_by_key,
        undo_until=row.undo_until,
        undoable=verb in INVERSES
        and state is OperationState.DONE
        and row.undone_by_id is None
        and row.done > 0
        and row.undo_until is not None
        and row.undo_until > row.now,
        error=_error(row) if failed else None,
        error_code=(row.job_error_code or "cut_off") if failed else None,
    )


def _error(row: Row[Any]) -> str:
    return row.job_error or "It was cut off before all targets had their result; start it again."
