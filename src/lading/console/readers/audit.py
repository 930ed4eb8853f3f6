"""The audit: every event of the ledger as who did what to which thing, before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from lading.base.naming import short_name
from lading.console.listing import Field, ListQuery
from lading.console.parts import Console
from lading.db.counting import Count, count_capped
from lading.ledger.batches import get_batches
from lading.ledger.event_lists import EventFilter, event_conditions, list_event_page
from lading.ledger.events import REQUEST_FIELD, event_kinds
from lading.ledger.queries import EventView
from lading.ledger.tables import ingest_event

LATELY: Final = 20
VALUE_SHOWN_MAX: Final = 300
_BEFORE_AND_AFTER: Final = ("before", "after")


def action_words(kind: str) -> str:
    """A kind of event in words: `batch_queued` is `Batch queued`."""
    return kind.replace("_", " ").capitalize()


AUDIT_FIELDS: Final = (
    Field("actor", "Who"),
    Field("action", "What", {kind: action_words(kind) for kind in event_kinds()}),
    Field("source", "Source"),
    Field("batch", "Batch number", kind="number"),
    Field("job", "Job number", kind="number"),
    Field("since", "Since", kind="instant"),
    Field("until", "Until", kind="instant"),
)
"""What the audit is asked by, on its page and by programs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that an event changed; a value that was not there is None."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about, and where that is to be seen."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One event for people. `facts` are what it says besides what it changed."""

    seq: int
    at: datetime
    actor: str
    action: str  # the kind of event, in words
    kind: str
    targets: Sequence[Target]
    result: str | None = None
    reason: str | None = None
    request_id: str | None = None
    differences: Sequence[Difference] = ()
    facts: Sequence[tuple[str, str]] = ()
    hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuditList:
    """A page of the audit, and how many events there are in all."""

    lines: Sequence[AuditLine]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None


def audit_filter(query: ListQuery) -> EventFilter:
    """What a query by `AUDIT_FIELDS` asks of the ledger."""
    return EventFilter(
        actor=query.one("actor"),
        kinds=query.many("action"),
        source=query.one("source"),
        batch_id=query.number("batch"),
        job_id=query.number("job"),
        since=query.instant("since"),
        until=query.instant("until"),
    )


def read_audit(
    console: Console, filters: EventFilter, *, cursor: str | None = None, limit: int = 50
) -> AuditList:
    """One page of the audit, the newest first. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        found = list_event_page(conn, filters, cursor=cursor, limit=limit)
        count = count_capped(conn, select(ingest_event.c.seq).where(*event_conditions(filters)))
        ids = {event.batch_id for event in found.events if event.batch_id is not None}
        keys = {number: batch.batch_key for number, batch in get_batches(conn, ids).items()}
    lines = [describe(event, keys) for event in found.events]
    return AuditList(lines, count, found.next_cursor, found.prev_cursor)


def read_audit_of(console: Console, actor: str) -> Sequence[AuditLine]:
    """The last things somebody did."""
    return read_audit(console, EventFilter(actor=actor), limit=LATELY).lines


def describe(event: EventView, batch_keys: Mapping[int, str]) -> AuditLine:
    """An event as a line of the audit."""
    payload = dict(event.payload)
    request_id = payload.pop(REQUEST_FIELD, None)
    before, after = (payload.pop(name, None) for name in _BEFORE_AND_AFTER)
    reason = payload.pop("why", None) or payload.pop("reason", None)
    result = payload.pop("error", None) or payload.pop("message", None)
    return AuditLine(
        seq=event.seq,
        at=event.at,
        actor=event.actor,
        action=action_words(event.kind),
        kind=event.kind,
        targets=_targets(event, batch_keys),
        result=None if result is None else _shown(result),
        reason=None if reason is None else _shown(reason),
        request_id=request_id,
        differences=differences(before, after),
        facts=[(name.replace("_", " "), _shown(value)) for name, value in payload.items()],
        hash=event.hash,
    )


def differences(before: object, after: object) -> list[Difference]:
    """What changed, field by field; of plain values the one change there is."""
    if before is None and after is None:
        return []
    if not isinstance(before, Mapping | None) or not isinstance(after, Mapping | None):
        return [Difference("value", _shown_or_none(before), _shown_or_none(after))]
    names = dict.fromkeys([*(before or {}), *(after or {})])
    return [
        Difference(
            name.replace("_", " "),
            _shown_or_none((before or {}).get(name)),
            _shown_or_none((after or {}).get(name)),
        )
        for name in names
        if (before or {}).get(name) != (after or {}).get(name)
    ]


def _targets(event: EventView, batch_keys: Mapping[int, str]) -> list[Target]:
    found = []
    if event.batch_id is not None:
        key = batch_keys.get(event.batch_id, str(event.batch_id))
        found.append(Target(f"batch {short_name(key)}", f"/import/batches/{event.batch_id}"))
    if event.job_id is not None:
        found.append(Target(f"job {event.job_id}", f"/jobs/{event.job_id}"))
    for name, words, path in (
        ("operation", "operation", "/operations"),
        ("site", "site", "/library/sites"),
        ("package", "package", "/library/packages"),
    ):
        value = event.payload.get(name)
        if isinstance(value, str):
            found.append(Target(f"{words} {value}", f"{path}/{value}"))
    if event.source is not None and not found:
        found.append(Target(f"source {event.source}", f"/sources/{event.source}"))
    return found


def _shown_or_none(value: object) -> str | None:
    return None if value is None else _shown(value)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_SHOWN_MAX else f"{text[: VALUE_SHOWN_MAX - 1]}…"
