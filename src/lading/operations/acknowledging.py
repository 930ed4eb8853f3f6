"""Takes note that someone knows of a problem: it is hidden until it changes or a time has passed.

An acknowledgement says nothing about what it is of; it stands beside it and touches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    and_,
    delete,
    literal,
    or_,
    select,
    update,
)

from lading.db.clock import now
from lading.ledger.chain import Entry
from lading.ledger.operation_events import ProblemsAcknowledged
from lading.library.statements import chunked, insert_missing
from lading.operations.tables import acknowledgement

BATCH: Final = "batch"
JOB: Final = "job"
SOURCE: Final = "source"

_ack = acknowledgement.c


def is_acknowledged(
    kind: str, target_id: ColumnElement[int], changed_at: Column[Any] | ColumnElement[Any]
) -> ColumnElement[bool]:
    """The condition that a batch or job is hidden: noted since it last changed, and not overdue."""
    return (
        select(literal(1))
        .where(hides(kind, target_id, changed_at))
        .correlate_except(acknowledgement)
        .exists()
    )


def hides(
    kind: str, target_id: ColumnElement[int], changed_at: Column[Any] | ColumnElement[Any]
) -> ColumnElement[bool]:
    """The same as a condition on `acknowledgement`, to join it by: one row at most fulfils it."""
    return and_(
        _ack.target_kind == kind,
        _ack.target_id == target_id,
        _ack.target_name == "",
        _ack.at >= changed_at,
        _still(),
    )


def acknowledged_sources(conn: Connection) -> Mapping[str, Any]:
    """Since when each source is noted whose time has not passed."""
    rows = conn.execute(
        select(_ack.target_name, _ack.at).where(_ack.target_kind == SOURCE, _still())
    )
    return {row.target_name: row.at for row in rows}


def acknowledge(
    conn: Connection,
    kind: str,
    targets: Mapping[tuple[int, str], str],
    *,
    actor: str,
    snooze_s: float | None = None,
    note: str | None = None,
) -> list[Entry]:
    """Note targets, each its number and name (of which one is empty), and how people call it.

    The caller appends the entries.
    """
    if not targets:
        return []
    at, until = conn.execute(select(now(), now(snooze_s or 0))).one()
    values = {
        "actor": actor[:190],
        "at": at,
        "snoozed_until": until if snooze_s else None,
        "note": note,
    }
    for chunk in chunked(targets):
        for which in _which(kind, chunk):
            conn.execute(update(acknowledgement).where(which).values(**values))
    rows = [
        {"target_kind": kind, "target_id": number, "target_name": name, **values}
        for number, name in targets
    ]
    insert_missing(conn, acknowledgement, rows)
    event = ProblemsAcknowledged(
        target_kind=kind,
        targets=list(targets.values()),
        acknowledged=True,
        snoozed_until=until.isoformat() if snooze_s else None,
        note=note,
    )
    return [Entry(event, actor)]


def unacknowledge(
    conn: Connection, kind: str, targets: Mapping[tuple[int, str], str], *, actor: str
) -> list[Entry]:
    """Take the note of these targets back. The caller appends the entries."""
    if not targets:
        return []
    for chunk in chunked(targets):
        for which in _which(kind, chunk):
            conn.execute(delete(acknowledgement).where(which))
    event = ProblemsAcknowledged(
        target_kind=kind, targets=list(targets.values()), acknowledged=False
    )
    return [Entry(event, actor)]


def _which(kind: str, targets: Iterable[tuple[int, str]]) -> Iterable[ColumnElement[bool]]:
    """Conditions that together find these targets: the numbered ones, and the named ones."""
    numbered = sorted(number for number, name in targets if not name)
    named = sorted(name for _, name in targets if name)
    if numbered:
        yield ((_ack.target_kind == kind) & _ack.target_id.in_(numbered) & (_ack.target_name == ""))
    if named:
        yield (_ack.target_kind == kind) & (_ack.target_id == 0) & _ack.target_name.in_(named)


def _still() -> ColumnElement[bool]:
    return or_(_ack.snoozed_until.is_(None), _ack.snoozed_until > now())
