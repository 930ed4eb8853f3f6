"""Appends events to the ledger, each chained to the one before by its hash (G10).

The head of the chain is one row. Its lock is taken last in a transaction and gives every event
its number, so numbers are dense and in commit order: who follows the ledger by number misses
nothing, and an edited, deleted or moved event breaks the chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, insert, select, update

from lading.base.errors import InternalError, printable
from lading.db.clock import now
from lading.ledger.events import Event
from lading.ledger.tables import ingest_event, ledger_head

HEAD_ID: Final = 1
GENESIS_HASH: Final = "0" * 64


class LedgerNotReady(InternalError):
    """The row that heads the chain is missing: the database was not migrated, or was damaged."""

    code = "ledger_not_ready"
    next_step = "Run `lading db upgrade`; if that changes nothing, restore a backup."


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to append, with what it is about."""

    event: Event
    actor: str
    source: str | None = None
    batch_id: int | None = None
    job_id: int | None = None


def lock(conn: Connection) -> None:
    """Take the head's lock now, so that this transaction and others like it take turns."""
    conn.execute(
        select(ledger_head.c.seq).where(ledger_head.c.id == HEAD_ID).with_for_update()
    ).one_or_none()


def append(
    conn: Connection,
    event: Event,
    *,
    actor: str,
    source: str | None = None,
    batch_id: int | None = None,
    job_id: int | None = None,
) -> int:
    """Append one event in the caller's writing transaction; returns its number."""
    return append_all(conn, [Entry(event, actor, source, batch_id, job_id)])


def append_all(conn: Connection, entries: Sequence[Entry]) -> int:
    """Append events in order, with one lock and one insert; returns the last number (0: none).

    Call it as the last thing in a transaction: others wait for the head from here to the commit.
    """
    if not entries:
        return 0
    head = conn.execute(
        select(ledger_head.c.seq, ledger_head.c.hash, now().label("at"))
        .where(ledger_head.c.id == HEAD_ID)
        .with_for_update()
    ).one_or_none()
    if head is None:
        raise LedgerNotReady("the ledger has no head")
    seq, digest, at = head
    rows = []
    for entry in entries:
        seq += 1
        payload, actor = entry.event.to_json(), printable(entry.actor, length_max=190)
        digest = link(
            digest,
            seq=seq,
            at=at,
            kind=entry.event.kind,
            actor=actor,
            source=entry.source,
            batch_id=entry.batch_id,
            job_id=entry.job_id,
            payload=payload,
        )
        rows.append(
            {
                "seq": seq,
                "at": at,
                "kind": entry.event.kind,
                "actor": actor,
                "source": entry.source,
                "batch_id": entry.batch_id,
                "job_id": entry.job_id,
                "payload": payload,
                "hash": digest,
            }
        )
    conn.execute(insert(ingest_event), rows)
    conn.execute(
        update(ledger_head).where(ledger_head.c.id == HEAD_ID).values(seq=seq, hash=digest)
    )
    return int(seq)


def link(
    before: str,
    *,
    seq: int,
    at: datetime,
    kind: str,
    actor: str,
    source: str | None,
    batch_id: int | None,
    job_id: int | None,
    payload: str,
) -> str:
    """The hash of an event: sha256 in hex over the hash before it and every field, a line each."""
    lines = (
        before,
        str(seq),
        at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        kind,
        actor,
        source or "",
        "" if batch_id is None else str(batch_id),
        "" if job_id is None else str(job_id),
        payload,
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def postgresql_append_sql(subject: str) -> str:
    """CTEs `h, e` that append one event per row of CTE `subject`, for single-statement paths.

    `subject` must have at most one row, with the columns `event_kind`, `event_actor`,
    `event_batch_id`, `event_job_id` and `event_payload`. The hash is the one of `link`.
    """
    return f"""
h AS (
  UPDATE ledger_head SET seq = ledger_head.seq + 1, hash = encode(sha256(convert_to(
      concat_ws(chr(10), ledger_head.hash, ledger_head.seq + 1,
        to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        s.event_kind, s.event_actor, '', coalesce(s.event_batch_id::text, ''),
        coalesce(s.event_job_id::text, ''), s.event_payload), 'UTF8')), 'hex')
  FROM {subject} s WHERE ledger_head.id = {HEAD_ID}
  RETURNING ledger_head.seq, ledger_head.hash
),
e AS (
  INSERT INTO ingest_event (seq, at, kind, actor, batch_id, job_id, payload, hash)
  SELECT h.seq, now(), s.event_kind, s.event_actor, s.event_batch_id, s.event_job_id,
         s.event_payload, h.hash
  FROM h, {subject} s
)"""
