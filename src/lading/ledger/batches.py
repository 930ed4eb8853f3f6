"""Writes batches: recorded by a scan, moved from state to state, each step guarded by the last.

A batch row says where a bundle stands now; what happened to it is in its events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, update

from lading.base.errors import RequestError
from lading.db.bulk import bulk_insert
from lading.db.clock import now
from lading.ledger.states import BatchState, require_batch_transition
from lading.ledger.tables import ingest_batch

LOOKUP_KEYS_MAX: Final = 500


class BatchMissing(RequestError):
    """No batch is recorded under this name."""

    code = "batch_missing"
    http_status = 404
    next_step = "Look it up with `lading batches`; if it is new, run `lading scan` first."


class BatchOvertaken(RequestError):
    """The batch went on to another state while something was being done to it."""

    code = "batch_overtaken"
    http_status = 409
    next_step = "Look at the batch again, then repeat what still makes sense."


@dataclass(frozen=True, slots=True)
class Batch:
    """One recorded batch, as its row says."""

    id: int
    source: str
    batch_key: str
    revision: int
    queued_revision: int | None
    type: str
    action: str
    state: BatchState
    reason: str | None
    detail: Mapping[str, Any]
    fingerprint: str
    manifest_sha256: str | None
    preflight_sha256: str | None
    plan_digest: str | None
    items_total: int
    bytes_total: int
    found_at: datetime
    updated_at: datetime
    preflighted_at: datetime | None
    queued_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any]) -> Batch:
        """A batch from a row that has the columns of `ingest_batch`."""
        facts = {f.name: getattr(row, f.name) for f in fields(cls)}
        facts["state"] = BatchState(row.state)
        facts["detail"] = json.loads(row.detail) if row.detail else {}
        return cls(**facts)


@dataclass(frozen=True, slots=True)
class FoundBatch:
    """What a scan records of a batch; `reason` is a code."""

    batch_key: str
    fingerprint: str
    manifest_sha256: str | None
    type: str
    action: str
    items_total: int
    bytes_total: int
    reason: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """The columns a scan writes."""
        return {
            "fingerprint": self.fingerprint,
            "manifest_sha256": self.manifest_sha256,
            "type": self.type,
            "action": self.action,
            "items_total": self.items_total,
            "bytes_total": self.bytes_total,
            "reason": self.reason,
            "detail": as_json(self.detail),
        }


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """What a scan compares with: a few columns of every batch of one source.

    `was_queued`: workers were given it at least once, so something of it may be in the library.
    """

    id: int
    state: BatchState
    fingerprint: str
    manifest_sha256: str | None
    reason: str | None
    was_queued: bool = False


def as_json(detail: Mapping[str, Any]) -> str | None:
    """`detail` as stored: null when there is nothing to say."""
    return json.dumps(detail, sort_keys=True, ensure_ascii=True) if detail else None


def known_batches(conn: Connection, source: str) -> dict[str, KnownBatch]:
    """Every recorded batch of `source` by key, in one statement."""
    columns = ingest_batch.c
    rows = conn.execute(
        select(
            columns.batch_key,
            columns.id,
            columns.state,
            columns.fingerprint,
            columns.manifest_sha256,
            columns.reason,
            columns.queued_revision,
        ).where(columns.source == source)
    )
    return {
        row.batch_key: KnownBatch(
            row.id,
            BatchState(row.state),
            row.fingerprint,
            row.manifest_sha256,
            row.reason,
            row.queued_revision is not None,
        )
        for row in rows
    }


def record_new(conn: Connection, source: str, found: Sequence[FoundBatch]) -> dict[str, int]:
    """Insert batches a scan saw for the first time; returns their ids by key."""
    at = conn.scalar(select(now()))
    bulk_insert(
        conn,
        ingest_batch,
        (
            {
                "source": source,
                "batch_key": batch.batch_key,
                "revision": 0,
                "state": BatchState.PENDING.value,
                "found_at": at,
                "updated_at": at,
                **batch.values(),
            }
            for batch in found
        ),
    )
    return batch_ids(conn, source, [batch.batch_key for batch in found])


def batch_ids(conn: Connection, source: str, keys: Sequence[str]) -> dict[str, int]:
    """The ids of `source`'s batches with these keys."""
    ids: dict[str, int] = {}
    for start in range(0, len(keys), LOOKUP_KEYS_MAX):
        rows = conn.execute(
            select(ingest_batch.c.batch_key, ingest_batch.c.id).where(
                ingest_batch.c.source == source,
                ingest_batch.c.batch_key.in_(keys[start : start + LOOKUP_KEYS_MAX]),
            )
        )
        ids.update((row.batch_key, row.id) for row in rows)
    return ids


def record_touched(conn: Connection, fingerprints: Mapping[int, str]) -> None:
    """Remember new fingerprints of batches whose manifest reads the same as before."""
    if fingerprints:
        conn.execute(
            update(ingest_batch)
            .where(ingest_batch.c.id == bindparam("batch_id"))
            .values(fingerprint=bindparam("print")),
            [{"batch_id": key, "print": value} for key, value in fingerprints.items()],
        )


def move(
    conn: Connection,
    batch: Batch | KnownBatch,
    after: BatchState,
    *,
    subject: str,
    **values: Any,
) -> None:
    """Move a batch to `after`, setting further columns, if it still is where `batch` says.

    Raises `IllegalTransition` when the table does not connect the states, and `BatchOvertaken` when
    someone else was quicker.
    """
    require_batch_transition(batch.state, after, subject)
    touched = conn.execute(
        update(ingest_batch)
        .where(ingest_batch.c.id == batch.id, ingest_batch.c.state == batch.state.value)
        .values(state=after.value, updated_at=now(), **values)
    ).rowcount
    if touched != 1:
        found = conn.scalar(select(ingest_batch.c.state).where(ingest_batch.c.id == batch.id))
        raise BatchOvertaken(
            "the batch was moved by someone else",
            subject=subject,
            expected=batch.state,
            found=found,
        )


def get_batch(conn: Connection, batch_id: int, *, lock: bool = False) -> Batch:
    """The batch with this id, its row locked if asked. Raises `BatchMissing`."""
    query = select(ingest_batch).where(ingest_batch.c.id == batch_id)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise BatchMissing("no such batch", subject=str(batch_id))
    return Batch.from_row(row)


def get_batches(conn: Connection, ids: Iterable[int]) -> dict[int, Batch]:
    """The batches with these ids that exist."""
    wanted = list(ids)
    found: dict[int, Batch] = {}
    for start in range(0, len(wanted), LOOKUP_KEYS_MAX):
        chunk = wanted[start : start + LOOKUP_KEYS_MAX]
        rows = conn.execute(select(ingest_batch).where(ingest_batch.c.id.in_(chunk)))
        found.update((row.id, Batch.from_row(row)) for row in rows)
    return found
