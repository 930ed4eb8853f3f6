"""The trash as pages and the API show it: what is in it, who put it there and why, what comes back.

Nothing leaves it but by being restored; there is no purge, and nothing runs out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from lading.base.naming import short_name
from lading.console.readers.import_queue import batch_url
from lading.console.readers.library import (
    AssetCard,
    ContainerCard,
    asset_cards,
    container_cards,
)
from lading.db import Database
from lading.db.counting import Count, count_each_capped
from lading.ledger.batches import Batch, get_batches
from lading.library.browsing import AssetSort, browse_assets
from lading.library.filters import AssetFilter
from lading.library.tables import CONTAINERS, ContainerKind, asset
from lading.library.trash_lists import (
    BatchUndo,
    ComesBack,
    Removal,
    RemovalWay,
    asset_removals,
    assets_come_back,
    binned_containers,
    container_removals,
    containers_come_back,
    recent_undos,
)

KEPT: Final = "Nothing is ever removed for good: it stays here until it is restored."
"""What the page says in place of a date of purging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedLine:
    """One thing in the trash; `name` is what restoring takes: a content hash or `kind:key`."""

    name: str
    card: AssetCard | ContainerCard
    deleted_at: datetime
    removal: Removal | None
    batch: Batch | None
    why: str
    comes_back: str
    parts: ComesBack

    @property
    def batch_url(self) -> str | None:
        """The page of the batch it was undone with, or removed by."""
        return batch_url(self.batch) if self.batch else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trash:
    """A page of one kind of thing in the trash; `counts` are of the whole trash, by kind."""

    kind: str
    lines: Sequence[BinnedLine]
    counts: Mapping[str, Count]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoLine:
    """One undo of a batch, which can be taken back as a whole unless it was already."""

    undo: BatchUndo
    batch: Batch | None

    @property
    def batch_url(self) -> str | None:
        """The page of the batch."""
        return batch_url(self.batch) if self.batch else None


@dataclass(frozen=True, slots=True)
class _Found:
    removals: Mapping[str, Removal]
    back: Mapping[str, ComesBack]
    batches: Mapping[int, Batch]


def read_trash(
    db: Database, kind: str = "asset", *, cursor: str | None = None, limit: int = 50
) -> Trash:
    """A page of the trash: `asset`, or a kind of container; what came last first."""
    if kind == "asset":
        return _read_assets(db, cursor, limit)
    return _read_containers(db, ContainerKind(kind), cursor, limit)


def read_undos(db: Database, *, limit: int = 20) -> list[UndoLine]:
    """The last undos of batches, the newest first."""
    with db.read() as conn:
        undos = recent_undos(conn, limit=limit)
        batches = get_batches(conn, {undo.batch_id for undo in undos})
    return [UndoLine(undo=undo, batch=batches.get(undo.batch_id)) for undo in undos]


def _read_assets(db: Database, cursor: str | None, limit: int) -> Trash:
    with db.read() as conn:
        filters = AssetFilter(deleted=True)
        page = browse_assets(conn, filters, sort=AssetSort.DELETED_LAST, cursor=cursor, limit=limit)
        cards = asset_cards(conn, page.assets)
        back = assets_come_back(conn, page.assets)
        found = _find(conn, asset_removals(conn, page.assets), back)
        lines = [_line(card.content_hash, card, card.asset.deleted_at, found) for card in cards]
        return Trash(
            kind="asset",
            lines=lines,
            counts=_counts(conn),
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
        )


def _read_containers(db: Database, kind: ContainerKind, cursor: str | None, limit: int) -> Trash:
    with db.read() as conn:
        page = binned_containers(conn, kind, cursor=cursor, limit=limit)
        cards = container_cards(conn, kind, page.containers)
        back = containers_come_back(conn, kind, page.containers)
        found = _find(conn, container_removals(conn, page.containers), back)
        lines = [_line(str(c.container.ref), c, c.container.deleted_at, found) for c in cards]
        return Trash(
            kind=kind.value,
            lines=lines,
            counts=_counts(conn),
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
        )


def _line(
    name: str,
    card: AssetCard | ContainerCard,
    deleted_at: datetime | None,
    found: _Found,
) -> BinnedLine:
    assert deleted_at is not None  # noqa: S101 - the list holds nothing else
    removal, parts = found.removals.get(name), found.back[name]
    batch = None
    if removal is not None and removal.batch_id is not None:
        batch = found.batches.get(removal.batch_id)
    return BinnedLine(
        name=name,
        card=card,
        deleted_at=deleted_at,
        removal=removal,
        batch=batch,
        why=why_sentence(removal, batch),
        comes_back=back_sentence(parts),
        parts=parts,
    )


def _find(
    conn: Connection, removals: Mapping[str, Removal], back: Mapping[str, ComesBack]
) -> _Found:
    numbers = {r.batch_id for r in removals.values() if r.batch_id is not None}
    return _Found(removals, back, get_batches(conn, numbers))


def why_sentence(removal: Removal | None, batch: Batch | None) -> str:
    """Why something is in the trash, in a sentence."""
    if removal is None:
        return "The ledger's newest pages do not say how it came here."
    named = f"batch {short_name(batch.batch_key)}" if batch else f"batch number {removal.batch_id}"
    match removal.way:
        case RemovalWay.BY_HAND:
            return f"Put here by {removal.actor}."
        case RemovalWay.UNDO:
            return f"Went with {named}, which {removal.actor} undid."
        case RemovalWay.IMPORT:
            return f"Its upstream removed it with {named}."


def back_sentence(parts: ComesBack) -> str:
    """What restoring brings back, in a sentence."""
    named = [
        _counted(parts.files, "file"),
        _counted(parts.members, "place for a member", "places for members"),
        _counted(parts.containers, "container it is in", "containers it is in"),
        _counted(parts.sites, "site", "sites"),
        _counted(parts.packages, "access package", "access packages"),
        _counted(parts.covers, "cover that it is", "covers that it is"),
    ]
    found = [words for words in named if words]
    return f"Comes back with {', '.join(found)}." if found else "Comes back by itself."


def _counted(count: int, one: str, many: str | None = None) -> str:
    if not count:
        return ""
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def _counts(conn: Connection) -> dict[str, Count]:
    tables = {"asset": asset} | {k.value: c for k, (c, _) in CONTAINERS.items()}
    return count_each_capped(
        conn,
        {
            name: select(table.c.id).where(table.c.deleted_at.is_not(None))
            for name, table in tables.items()
        },
    )
