"""Looks things up in the ledger: a batch by name, its items and accounts, events by number."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, case, func, literal_column, select

from lading.db.keyset import Key, Page, fetch_page
from lading.db.walks import starts_with
from lading.ledger.batch_lists import batch_number
from lading.ledger.batches import Batch, BatchMissing
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item, ingest_event

NAME_PREFIX_LENGTH_MIN: Final = 4
NUMBER_PREFIX: Final = "number:"
EVENTS_PAGE: Final = 500

_batch = ingest_batch.c
_item = ingest_batch_item.c
_event = ingest_event.c


class DigitsAre(Enum):
    """What digits alone mean where they are a key and a number of two batches."""

    KEY = "key"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item as people see it."""

    seq: int
    key: str
    kind: str
    title: str | None
    content_hash: str | None
    bytes: int
    decision: str
    planned: str
    outcome: str
    reason: str | None
    detail: Mapping[str, Any]
    last_error: str | None
    attempts: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EventView:
    """One event as stored; `payload` is parsed."""

    seq: int
    at: datetime
    kind: str
    actor: str
    source: str | None
    batch_id: int | None
    job_id: int | None
    payload: Mapping[str, Any]
    hash: str


def find_batch(conn: Connection, name: str, *, digits: DigitsAre | None = None) -> Batch:
    """The batch with this key, number, or unique beginning of a key. Raises `BatchMissing`.

    A folder may be called `2019` while another batch has that number. Then `digits` says which is
    meant; without it nothing is guessed. `number:2019` is a number whatever there is.
    """
    explicit = name.startswith(NUMBER_PREFIX)
    number = batch_number(name.removeprefix(NUMBER_PREFIX))
    numbered = _numbered(conn, number)
    if numbered and (explicit or digits is DigitsAre.NUMBER):
        return numbered[0]
    # A short name may be a key, such as a folder's, and is too little for a beginning.
    short = len(name) < NAME_PREFIX_LENGTH_MIN
    rows = conn.execute(
        select(ingest_batch)
        .where(_batch.batch_key == name if short else starts_with(_batch.batch_key, name))
        .order_by(_batch.batch_key, _batch.id)
        .limit(3)
    ).all()
    begun = [Batch.from_row(row) for row in rows]
    called = [batch for batch in begun if batch.batch_key == name]
    if digits is not DigitsAre.KEY or not called:
        called += [batch for batch in numbered if batch not in called]
    found = called or begun
    if len(found) == 1:
        return found[0]
    if found:
        raise BatchMissing(
            "more than one batch is called so" if called else "more than one batch begins so",
            subject=name,
            found=", ".join(f"{one.source}/{one.batch_key} (number {one.id})" for one in found),
            next_step=f"Name it by its number, such as `{NUMBER_PREFIX}{found[0].id}`.",
        )
    raise BatchMissing("no such batch", subject=name)


def _numbered(conn: Connection, number: int | None) -> list[Batch]:
    if number is None:
        return []
    rows = conn.execute(select(ingest_batch).where(_batch.id == number))
    return [Batch.from_row(row) for row in rows]


def count_batches(conn: Connection) -> dict[BatchState, int]:
    """How many batches are in each state."""
    rows = conn.execute(select(_batch.state, func.count()).group_by(_batch.state))
    counted = {BatchState(state): int(count) for state, count in rows}
    return {state: counted.get(state, 0) for state in BatchState}


def list_items(
    conn: Connection,
    batch: Batch,
    *,
    outcomes: Collection[Outcome] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[ItemView], str | None]:
    """One page of a batch's items in the order of import, and the next page's cursor."""
    query = select(ingest_batch_item).where(
        _item.batch_id == batch.id, _item.revision == batch.revision
    )
    if outcomes:
        query = query.where(_item.outcome.in_(sorted(outcomes)))
    page: Page = fetch_page(conn, query, [Key(_item.seq)], cursor=cursor, limit=limit)
    return [item_view(row) for row in page.rows], page.next_cursor


def item_view(row: Row[Any]) -> ItemView:
    """An item from its database row."""
    return ItemView(
        seq=row.seq,
        key=row.item_key,
        kind=row.kind,
        title=row.title,
        content_hash=row.content_hash,
        bytes=row.bytes,
        decision=row.decision,
        planned=row.planned,
        outcome=row.outcome,
        reason=row.reason,
        detail=json.loads(row.detail) if row.detail else {},
        last_error=row.last_error,
        attempts=row.attempts,
        updated_at=row.updated_at,
    )


def count_reasons(conn: Connection, batch: Batch) -> dict[str, int]:
    """How many items of the batch were rejected or failed for each reason."""
    rows = conn.execute(
        select(_item.reason, func.count())
        .where(
            _item.batch_id == batch.id,
            _item.revision == batch.revision,
            _item.reason.is_not(None),
        )
        .group_by(_item.reason)
    )
    return {str(reason): int(count) for reason, count in rows}


def sum_bytes(conn: Connection, batch: Batch) -> tuple[int, int]:
    """Bytes of the batch's items that are settled, and of those still pending."""
    settled: ColumnElement[int] = case(
        (_item.outcome == Outcome.PENDING.value, literal_column("0")), else_=_item.bytes
    )
    row = conn.execute(
        select(func.coalesce(func.sum(settled), 0), func.coalesce(func.sum(_item.bytes), 0)).where(
            _item.batch_id == batch.id, _item.revision == batch.revision
        )
    ).one()
    return int(row[0]), int(row[1]) - int(row[0])


def list_events(
    conn: Connection,
    *,
    after: int = 0,
    batch_id: int | None = None,
    job_id: int | None = None,
    kinds: Collection[str] = (),
    limit: int = EVENTS_PAGE,
) -> list[EventView]:
    """Events with a number above `after`, in order. Numbers are dense: nothing comes in late."""
    query = select(ingest_event).where(_event.seq > after).order_by(_event.seq).limit(limit)
    if batch_id is not None:
        query = query.where(_event.batch_id == batch_id)
    if job_id is not None:
        query = query.where(_event.job_id == job_id)
    if kinds:
        query = query.where(_event.kind.in_(sorted(kinds)))
    return [event_view(row) for row in conn.execute(query)]


def event_view(row: Row[Any]) -> EventView:
    """An event from its database row."""
    return EventView(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        source=row.source,
        batch_id=row.batch_id,
        job_id=row.job_id,
        payload=json.loads(row.payload),
        hash=row.hash,
    )


def walk_events(conn: Connection, *, after: int = 0) -> Iterator[EventView]:
    """All events above `after`, page by page, in constant memory."""
    while events := list_events(conn, after=after):
        yield from events
        after = events[-1].seq


def last_event(conn: Connection, *, source: str, kind: str) -> EventView | None:
    """The newest event of this kind about this source."""
    seq = conn.scalar(
        select(func.max(_event.seq)).where(_event.source == source, _event.kind == kind)
    )
    if seq is None:
        return None
    return list_events(conn, after=int(seq) - 1, limit=1)[0]
