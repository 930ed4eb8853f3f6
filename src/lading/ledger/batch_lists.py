"""Lists and counts batches for people: filtered, in a cheap order, a page at a time (A23).

Every list is a walk for each state, merged, so that a few unfinished batches of last year cost
what those of today do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from lading.db.counting import COUNT_CAP, Count, count_each_capped
from lading.db.keyset import Key, choose_sort
from lading.db.walks import Walk, fetch_merged, starts_with
from lading.ledger.batches import Batch
from lading.ledger.states import FINAL_BATCH_STATES, BatchState
from lading.ledger.tables import ingest_batch

FOUND_BY_NAME_MAX: Final = 1_000
"""Up to here, batches found by the beginning of their key are looked up; above, they are met."""

_batch = ingest_batch.c


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Which batches; an empty field leaves nothing out. `q` is a number or begins a batch key.

    `hindered` is about pending ones alone: whether a reason speaks against each of them, so that it
    waits for its upstream, or none does, so that it waits for us.
    """

    states: Sequence[BatchState] = ()
    source: str | None = None
    type: str | None = None
    action: str | None = None
    q: str | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    ids: Sequence[int] | None = None
    hindered: bool | None = None


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Batches in order, and the cursors of the pages around them (None at either end)."""

    batches: Sequence[Batch]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class _Order:
    keys: Sequence[Key]
    unfinished_first: bool = False


_NEWEST = (Key(_batch.updated_at, descending=True), Key(_batch.id, descending=True))

BATCH_SORTS: Final[Mapping[str, _Order]] = {
    "import_queue": _Order(_NEWEST, unfinished_first=True),
    "-updated": _Order(_NEWEST),
    "updated": _Order((Key(_batch.updated_at), Key(_batch.id))),
}
"""The orders a list of batches can be had in; the first one is that of the page (A23)."""


def batch_conditions(filters: BatchFilter) -> list[ColumnElement[bool]]:
    """The filter as conditions on `ingest_batch`, for counts, selections and lists alike."""
    conditions: list[ColumnElement[bool]] = []
    if filters.states:
        conditions.append(_batch.state.in_(sorted(set(filters.states))))
    for column, value in (
        (_batch.source, filters.source),
        (_batch.type, filters.type),
        (_batch.action, filters.action),
    ):
        if value is not None:
            conditions.append(column == value)
    if filters.q:
        conditions.append(_named(filters.q))
    if filters.updated_after is not None:
        conditions.append(_batch.updated_at >= filters.updated_after)
    if filters.updated_before is not None:
        conditions.append(_batch.updated_at < filters.updated_before)
    if filters.ids is not None:
        conditions.append(_batch.id.in_(sorted(set(filters.ids))))
    if filters.hindered is not None:
        reason = _batch.reason
        is_so = reason.is_not(None) if filters.hindered else reason.is_(None)
        conditions.append(or_(_batch.state != BatchState.PENDING.value, is_so))
    return conditions


def list_batches(
    conn: Connection,
    filters: BatchFilter = BatchFilter(),
    *,
    sort: str = "import_queue",
    cursor: str | None = None,
    limit: int = 50,
) -> BatchPage:
    """One page of batches. Raises `BadCursor` and `UnknownSort`."""
    order = choose_sort(BATCH_SORTS, sort)
    filters = look_up_names(conn, filters)
    if filters.ids is not None and not filters.ids:
        return BatchPage([], None)
    walks = _walks(filters, unfinished_first=order.unfinished_first)
    page = fetch_merged(conn, ingest_batch, walks, order.keys, cursor=cursor, limit=limit)
    return BatchPage([Batch.from_row(row) for row in page.rows], page.next_cursor, page.prev_cursor)


def count_batches_by_state(
    conn: Connection,
    filters: BatchFilter = BatchFilter(),
    cap: int = COUNT_CAP,
) -> dict[BatchState, Count]:
    """How many batches of the whole set are in each state; the filter's own states do not count."""
    filters = look_up_names(conn, filters)
    common = batch_conditions(replace(filters, states=()))
    return count_each_capped(
        conn,
        {
            state: select(_batch.id).where(_batch.state == state.value, *common)
            for state in BatchState
        },
        cap,
    )


def _walks(filters: BatchFilter, *, unfinished_first: bool) -> list[Walk]:
    common = batch_conditions(replace(filters, states=()))
    wanted = [state for state in BatchState if not filters.states or state in filters.states]
    # Chosen numbers are few and looked up one by one, so that no walk by state is needed.
    together = [
        [state for state in wanted if (state in FINAL_BATCH_STATES) is final]
        for final in (False, True)
    ]
    parts = [[state] for state in wanted] if filters.ids is None else together
    return [
        Walk(
            [or_(*(_batch.state == state.value for state in states)), *common],
            group=int(unfinished_first and states[0] in FINAL_BATCH_STATES),
        )
        for states in parts
        if states
    ]


def look_up_names(conn: Connection, filters: BatchFilter) -> BatchFilter:
    """The filter with `q` turned into numbers, where it names few enough batches for that.

    Few among many would otherwise be looked for all along the list.
    """
    if not filters.q:
        return filters
    found = find_batch_ids(conn, filters.q)
    if found is None:
        return filters
    if filters.ids is not None:
        found = sorted(set(found) & set(filters.ids))
    return replace(filters, q=None, ids=found)


def find_batch_ids(conn: Connection, name: str) -> list[int] | None:
    """The numbers of the batches that are called so or begin so; None for too many."""
    query = (
        select(_batch.id).where(starts_with(_batch.batch_key, name)).limit(FOUND_BY_NAME_MAX + 1)
    )
    found = set(conn.scalars(query))
    if len(found) > FOUND_BY_NAME_MAX:
        return None
    number = batch_number(name)
    if number is not None:
        found |= set(conn.scalars(select(_batch.id).where(_batch.id == number)))
    return sorted(found)


def batch_number(name: str) -> int | None:
    """The number that a name may be, as typed by a person."""
    return int(name) if name.isascii() and name.isdigit() and len(name) < 19 else None


def _named(name: str) -> ColumnElement[bool]:
    begins = starts_with(_batch.batch_key, name)
    number = batch_number(name)
    return begins if number is None else or_(begins, _batch.id == number)
