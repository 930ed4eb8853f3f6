"""Writes and reads the items of batches: decisions before, outcomes after, and how they add up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from lading.base.errors import InternalError, printable
from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.db.clock import now
from lading.ledger.batches import as_json
from lading.ledger.states import Decision, Outcome
from lading.ledger.tables import ingest_batch_item

TITLE_LENGTH_MAX = 190
ERROR_LENGTH_MAX = 2_000
PAGE_ITEMS = 500

_item = ingest_batch_item.c


# Built once: an import runs it for every item.
_MARK_OUTCOME = (
    update(ingest_batch_item)
    .where(_item.id == bindparam("row"), _item.outcome == Outcome.PENDING.value)
    .values(
        outcome=bindparam("became"),
        attempts=_item.attempts + 1,
        job_id=bindparam("by_job"),
        lease=bindparam("by_lease"),
        updated_at=now(),
    )
)
_NAME_CONTENT = (
    update(ingest_batch_item)
    .where(_item.id == bindparam("row"), _item.outcome == Outcome.PENDING.value)
    .values(content_hash=bindparam("content"))
)


class AccountingMismatch(InternalError):
    """The outcomes of a batch do not add up to the items found in it (G5)."""

    code = "accounting_mismatch"


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One decided item, as preflight records it; `reason` is a code."""

    seq: int
    key: str
    kind: str
    decision: Decision
    title: str | None = None
    content_hash: str | None = None
    bytes: int = 0
    reason: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedItem:
    """What an import needs to know of a recorded item."""

    id: int
    seq: int
    key: str
    decision: Decision
    outcome: Outcome
    bytes: int


def insert_items(
    conn: Connection, batch_id: int, revision: int, items: Iterable[PlannedItem]
) -> None:
    """Record the decisions about items; a rejected one has its outcome already."""
    at = conn.scalar(select(now()))
    bulk_insert(
        conn,
        ingest_batch_item,
        (
            {
                "batch_id": batch_id,
                "revision": revision,
                "seq": item.seq,
                "item_key": item.key,
                "kind": item.kind,
                "title": item.title and printable(item.title, length_max=TITLE_LENGTH_MAX),
                "content_hash": item.content_hash,
                "bytes": item.bytes,
                "decision": item.decision.value,
                "planned": item.decision.value,
                "outcome": (
                    Outcome.REJECTED if item.decision is Decision.REJECT else Outcome.PENDING
                ).value,
                "reason": item.reason,
                "detail": as_json(item.detail),
                "attempts": 0,
                "updated_at": at,
            }
            for item in items
        ),
    )


def delete_unused_decisions(
    conn: Connection, batch_id: int, *, after_revision: int, before_revision: int
) -> None:
    """Forget decisions that no worker was ever given; what was acted on is kept."""
    conn.execute(
        delete(ingest_batch_item).where(
            _item.batch_id == batch_id,
            _item.revision > after_revision,
            _item.revision < before_revision,
        )
    )


def already_listed(
    conn: Connection, batch_id: int, revision: int, keys: Sequence[str], hashes: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Which of these item keys and content hashes earlier items of the batch have."""
    mine = (_item.batch_id == batch_id, _item.revision == revision)
    seen_keys = conn.scalars(select(_item.item_key).where(*mine, _item.item_key.in_(keys)))
    seen_hashes = conn.scalars(
        select(_item.content_hash).where(
            *mine, _item.content_hash.in_(hashes), _item.decision != Decision.REJECT.value
        )
    )
    return set(seen_keys), {digest for digest in seen_hashes if digest}


def last_refusals(
    conn: Connection, batch_id: int, *, before_revision: int, keys: Sequence[str]
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Which of these items were refused when the batch was decided about last: reason and detail.

    `keys` are hundreds at most.
    """
    last = (
        select(func.max(_item.revision))
        .where(_item.batch_id == batch_id, _item.revision < before_revision)
        .scalar_subquery()
    )
    rows = conn.execute(
        select(_item.item_key, _item.reason, _item.detail).where(
            _item.batch_id == batch_id,
            _item.revision == last,
            _item.item_key.in_(keys),
            _item.reason.is_not(None),
        )
    )
    return {
        row.item_key: (row.reason, json.loads(row.detail) if row.detail else {}) for row in rows
    }


def refused_anew(conn: Connection, batch_id: int, revision: int) -> bool:
    """Whether an item of this revision was refused or failed and was not just so before.

    Just so: when the batch was decided about last, for the same reason and with the same detail.
    What fails without a reason is always new. Reads until it finds one, some items at a time.
    """
    after = -1
    while True:
        rows = conn.execute(
            select(_item.seq, _item.item_key, _item.reason, _item.detail)
            .where(
                _item.batch_id == batch_id,
                _item.revision == revision,
                _item.seq > after,
                _item.outcome.in_([Outcome.REJECTED.value, Outcome.FAILED.value]),
            )
            .order_by(_item.seq)
            .limit(PAGE_ITEMS)
        ).all()
        keys = [row.item_key for row in rows]
        before = last_refusals(conn, batch_id, before_revision=revision, keys=keys) if keys else {}
        for row in rows:
            detail = json.loads(row.detail) if row.detail else {}
            if before.get(row.item_key) != (row.reason, detail):
                return True
        if len(rows) < PAGE_ITEMS:
            return False
        after = rows[-1].seq


def recorded_items(
    conn: Connection, batch_id: int, revision: int, first_seq: int, count: int
) -> dict[int, RecordedItem]:
    """The recorded items `first_seq` and up, at most `count`, by their place."""
    rows = conn.execute(
        select(_item.id, _item.seq, _item.item_key, _item.decision, _item.outcome, _item.bytes)
        .where(
            _item.batch_id == batch_id,
            _item.revision == revision,
            _item.seq >= first_seq,
            _item.seq < first_seq + count,
        )
        .order_by(_item.seq)
    )
    return {
        row.seq: RecordedItem(
            row.id, row.seq, row.item_key, Decision(row.decision), Outcome(row.outcome), row.bytes
        )
        for row in rows
    }


def planned_items(db: Database, batch_id: int, revision: int) -> Iterator[PlannedItem]:
    """All recorded items of one revision of a batch, in order, some at a time."""
    first = 0
    while True:
        with db.read() as conn:
            rows = conn.execute(
                select(ingest_batch_item)
                .where(
                    _item.batch_id == batch_id,
                    _item.revision == revision,
                    _item.seq >= first,
                    _item.seq < first + PAGE_ITEMS,
                )
                .order_by(_item.seq)
            ).all()
        for row in rows:
            yield PlannedItem(
                seq=row.seq,
                key=row.item_key,
                kind=row.kind,
                decision=Decision(row.planned),
                title=row.title,
                content_hash=row.content_hash,
                bytes=row.bytes,
                reason=row.reason,
                detail=json.loads(row.detail) if row.detail else {},
            )
        if len(rows) < PAGE_ITEMS:
            return
        first += PAGE_ITEMS


def mark_outcomes(
    conn: Connection,
    outcomes: Mapping[int, Outcome],
    *,
    job_id: int,
    lease: int,
    contents: Mapping[int, str] | None = None,
) -> None:
    """Write what became of items, by row id; only items still pending are touched.

    `contents` are the content hashes of those of which they were not known before.
    """
    if contents:
        conn.execute(
            _NAME_CONTENT, [{"row": row, "content": digest} for row, digest in contents.items()]
        )
    changed = conn.execute(
        _MARK_OUTCOME,
        [
            {"row": row, "became": outcome.value, "by_job": job_id, "by_lease": lease}
            for row, outcome in outcomes.items()
        ],
    ).rowcount
    if changed not in {len(outcomes), -1}:
        raise InternalError("an item's outcome was already written", found=changed)


def mark_failed(
    conn: Connection,
    row_id: int,
    *,
    job_id: int,
    lease: int,
    error: str,
    reason: str,
    detail: Mapping[str, Any],
) -> None:
    """Record that importing one item failed and why (A20), beside what was planned of it."""
    planned = conn.scalar(select(_item.detail).where(_item.id == row_id))
    conn.execute(
        update(ingest_batch_item)
        .where(_item.id == row_id, _item.outcome == Outcome.PENDING.value)
        .values(
            decision=Decision.FAILED.value,
            outcome=Outcome.FAILED.value,
            attempts=_item.attempts + 1,
            job_id=job_id,
            lease=lease,
            last_error=printable(error, length_max=ERROR_LENGTH_MAX),
            reason=reason,
            detail=as_json({**(json.loads(planned) if planned else {}), **detail}),
            updated_at=now(),
        )
    )


def count_outcomes(conn: Connection, batch_id: int, revision: int) -> dict[Outcome, int]:
    """How many items of the batch have each outcome, counted by query (C6)."""
    rows = conn.execute(
        select(_item.outcome, func.count())
        .where(_item.batch_id == batch_id, _item.revision == revision)
        .group_by(_item.outcome)
    )
    counted = {Outcome(outcome): int(count) for outcome, count in rows}
    return {outcome: counted.get(outcome, 0) for outcome in Outcome}


def count_decisions(conn: Connection, batch_id: int, revision: int) -> dict[str, int]:
    """How many items have each planned decision."""
    rows = conn.execute(
        select(_item.planned, func.count())
        .where(_item.batch_id == batch_id, _item.revision == revision)
        .group_by(_item.planned)
    )
    return {str(planned): int(count) for planned, count in rows}


def require_accounted(outcomes: Mapping[Outcome, int], items_total: int, subject: str) -> None:
    """Raise `AccountingMismatch` unless every item found has exactly one outcome (G5)."""
    total = sum(outcomes.values())
    if total != items_total:
        raise AccountingMismatch(
            "the outcomes of a batch do not add up to its items",
            subject=subject,
            expected=items_total,
            found=json.dumps({outcome.value: count for outcome, count in outcomes.items()}),
        )
