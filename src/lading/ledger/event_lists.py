"""Lists the ledger's events for people, newest or oldest first, filtered, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection

from lading.db.keyset import Key
from lading.db.walks import Walk, fetch_merged, first_number_since
from lading.ledger.events import event_kinds
from lading.ledger.queries import EventView, event_view
from lading.ledger.tables import ingest_event

_event = ingest_event.c
_NEWEST_FIRST: Final = (Key(_event.seq, descending=True),)
_OLDEST_FIRST: Final = (Key(_event.seq),)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; an empty field leaves nothing out. `since` is included, `until` is not."""

    actor: str | None = None
    kinds: Sequence[str] = ()
    source: str | None = None
    batch_id: int | None = None
    job_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_seq: int | None = None
    before_seq: int | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order, and the cursors of the pages around them."""

    events: Sequence[EventView]
    next_cursor: str | None
    prev_cursor: str | None = None


def event_conditions(filters: EventFilter) -> list[ColumnElement[bool]]:
    """The filter as conditions on `ingest_event`."""
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (_event.actor, filters.actor),
        (_event.source, filters.source),
        (_event.batch_id, filters.batch_id),
        (_event.job_id, filters.job_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if filters.kinds:
        conditions.append(_event.kind.in_(sorted(set(filters.kinds))))
    if filters.since is not None:
        conditions.append(_event.at >= filters.since)
    if filters.until is not None:
        conditions.append(_event.at < filters.until)
    if filters.after_seq is not None:
        conditions.append(_event.seq > filters.after_seq)
    if filters.before_seq is not None:
        conditions.append(_event.seq < filters.before_seq)
    return conditions


def list_event_page(
    conn: Connection,
    filters: EventFilter = EventFilter(),
    *,
    newest_first: bool = True,
    cursor: str | None = None,
    limit: int = 50,
) -> EventPage:
    """One page of events by their number. Raises `BadCursor`."""
    page = fetch_merged(
        conn,
        ingest_event,
        [Walk(conditions) for conditions in _ways(bounded(conn, filters))],
        _NEWEST_FIRST if newest_first else _OLDEST_FIRST,
        cursor=cursor,
        limit=limit,
    )
    return EventPage([event_view(row) for row in page.rows], page.next_cursor, page.prev_cursor)


def bounded(conn: Connection, filters: EventFilter) -> EventFilter:
    """The filter with its `since` also as a number, so that older events are not even looked at."""
    if filters.since is None:
        return filters
    first = first_number_since(conn, _event.seq, _event.at, filters.since)
    return replace(filters, after_seq=max(first - 1, filters.after_seq or 0))


def _ways(filters: EventFilter) -> list[list[ColumnElement[bool]]]:
    """The filter as walks that each follow one index by number."""
    by_kind = bool(filters.kinds) or filters.source is not None
    if not by_kind or filters.batch_id is not None or filters.job_id is not None:
        return [event_conditions(filters)]
    # Of a source alone there is no index by number. Whoever has an event of a kind that this
    # version does not know is refused its database, so that these are all.
    kinds = sorted(set(filters.kinds)) or list(event_kinds())
    return [event_conditions(replace(filters, kinds=[kind])) for kind in kinds]
