"""Lists and counts the items of a batch's present revision, and shows how they add up (G5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from lading.db.keyset import Key
from lading.db.walks import Walk, fetch_merged, starts_with
from lading.ledger.batches import Batch
from lading.ledger.items import count_outcomes
from lading.ledger.queries import ItemView, item_view
from lading.ledger.states import Decision, Outcome
from lading.ledger.tables import ingest_batch_item

FOUND_BY_NAME_MAX: Final = 1_000
DUPLICATE_ITEM: Final = "duplicate_item"
"""The reason of an item that its batch holds already; told apart because nothing is lost."""

_item = ingest_batch_item.c
_IN_ORDER: Final = (Key(_item.seq),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """Which items; an empty field leaves nothing out. `q` begins an item's key or its title.

    `planned` is the decision as preflight made it; `decisions` has `failed` in its place for an
    item whose import failed.
    """

    decisions: Sequence[Decision] = ()
    planned: Sequence[Decision] = ()
    outcomes: Sequence[Outcome] = ()
    reasons: Sequence[str] = ()
    q: str | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Items in the order of import, and the cursors of the pages around them."""

    items: Sequence[ItemView]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """What became of every item found in a batch, as `found = the sum of the others` (G5).

    Registered are those that were created, updated or removed as they asked. `found` is what the
    manifest announced, the others are counted; before any decision there is nothing to add up.
    """

    found: int
    registered: int
    duplicate: int
    unchanged: int
    rejected: int
    failed: int
    pending: int

    @property
    def counted(self) -> int:
        """All items that have an outcome."""
        return sum(count for _, count in self.parts)

    @property
    def decided(self) -> bool:
        """Whether a preflight has recorded items."""
        return self.counted > 0

    @property
    def adds_up(self) -> bool:
        """Whether each item found has exactly one outcome; True too before any was decided."""
        return not self.decided or self.counted == self.found

    @property
    def parts(self) -> Sequence[tuple[str, int]]:
        """The summands by name, in the order they are said in."""
        return [
            ("registered", self.registered),
            ("duplicate", self.duplicate),
            ("unchanged", self.unchanged),
            ("rejected", self.rejected),
            ("failed", self.failed),
            ("pending", self.pending),
        ]

    def __str__(self) -> str:
        if not self.decided:
            return f"{self.found:,} announced, none decided yet"
        sum_of = " + ".join(f"{count:,} {name}" for name, count in self.parts)
        if self.adds_up:
            return f"{self.found:,} found = {sum_of}"
        return f"{self.found:,} found, but {sum_of} is {self.counted:,}"


def list_item_page(
    conn: Connection,
    batch: Batch,
    filters: ItemFilter = ItemFilter(),
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> ItemPage:
    """One page of a batch's items in the order of import. Raises `BadCursor`."""
    mine = _of(batch)
    if filters.q:
        mine.append(_called(conn, batch, filters.q))
    walks = [Walk([*mine, *conditions]) for conditions in _ways(filters)]
    page = fetch_merged(conn, ingest_batch_item, walks, _IN_ORDER, cursor=cursor, limit=limit)
    return ItemPage([item_view(row) for row in page.rows], page.next_cursor, page.prev_cursor)


def count_plan(conn: Connection, batch: Batch) -> dict[tuple[Decision, Outcome], int]:
    """How many items were planned as what and became what; pairs without items are left out."""
    rows = conn.execute(
        select(_item.planned, _item.outcome, func.count())
        .where(*_of(batch))
        .group_by(_item.planned, _item.outcome)
    )
    return {(Decision(planned), Outcome(outcome)): int(count) for planned, outcome, count in rows}


def read_accounting(
    conn: Connection, batch: Batch, outcomes: Mapping[Outcome, int] | None = None
) -> Accounting:
    """The accounts of the batch's present revision; `outcomes` when they are counted already."""
    if outcomes is None:
        outcomes = count_outcomes(conn, batch.id, batch.revision)
    duplicates = conn.scalar(
        select(func.count()).where(
            *_of(batch),
            _item.reason == DUPLICATE_ITEM,
            _item.outcome == Outcome.REJECTED.value,
        )
    )
    duplicate = int(duplicates or 0)
    return Accounting(
        found=batch.items_total,
        registered=sum(
            outcomes[outcome] for outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.REMOVED)
        ),
        duplicate=duplicate,
        unchanged=outcomes[Outcome.UNCHANGED],
        rejected=outcomes[Outcome.REJECTED] - duplicate,
        failed=outcomes[Outcome.FAILED],
        pending=outcomes[Outcome.PENDING],
    )


def _of(batch: Batch) -> list[ColumnElement[bool]]:
    return [_item.batch_id == batch.id, _item.revision == batch.revision]


def _ways(filters: ItemFilter) -> list[list[ColumnElement[bool]]]:
    """The filter as walks that each follow one index and have no item in common."""
    outcomes = [outcome for outcome in Outcome if outcome in filters.outcomes]
    decided = _among(_item.decision, filters.decisions)
    planned = _among(_item.planned, filters.planned)
    if filters.reasons:
        rest = [*decided, *planned, *_among(_item.outcome, outcomes)]
        return [[_item.reason == reason, *rest] for reason in sorted(set(filters.reasons))]
    if not filters.decisions and not filters.planned:
        return [[_item.outcome == outcome.value] for outcome in outcomes] or [[]]
    plans = set(filters.planned or Decision)
    if filters.decisions and Decision.FAILED not in filters.decisions:
        plans &= set(filters.decisions)
    return [
        [_item.planned == plan.value, _item.outcome == outcome.value, *decided]
        for plan in Decision
        if plan in plans
        for outcome in outcomes or Outcome
    ]


def _among(column: ColumnElement[str], words: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_(sorted({str(word) for word in words}))] if words else []


def _called(conn: Connection, batch: Batch, name: str) -> ColumnElement[bool]:
    """The items whose key or title begins so: by their places where they are few."""
    places: set[int] = set()
    for column in (_item.item_key, _item.title):
        query = select(_item.seq).where(*_of(batch), starts_with(column, name))
        places.update(conn.scalars(query.limit(FOUND_BY_NAME_MAX + 1)))
        if len(places) > FOUND_BY_NAME_MAX:
            return or_(starts_with(_item.item_key, name), starts_with(_item.title, name))
    return _item.seq.in_(sorted(places))
