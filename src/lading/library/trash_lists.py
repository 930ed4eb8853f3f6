"""Reads the trash: what is in it, by whom, when and why, and what comes back with each thing.

Nothing leaves the trash but by being restored: there is no purge and no retention (A17).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, func, select

from lading.db.keyset import Key, fetch_page
from lading.ledger.events import AssetsDeleted, parse_payload
from lading.ledger.states import Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item, ingest_event
from lading.library.containers import count_members
from lading.library.known import ASSET_OWNER, container_row
from lading.library.statements import chunked
from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    access_package_asset,
    access_package_container,
    asset_cover,
    asset_file,
    asset_site_membership,
    container_site_membership,
    site_allow_list,
)
from lading.library.values import AssetRow, ContainerRow

EVENTS_LOOKED_AT_MAX: Final = 5_000
_EVENTS_AT_ONCE: Final = 100
_REMOVE: Final = "remove"
_CLOSE: Final = timedelta(minutes=10)
"""A removal by an import notes the item in the transaction that marks what it removes."""


class RemovalWay(StrEnum):
    """How something came into the trash."""

    BY_HAND = "by_hand"
    UNDO = "undo"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Removal:
    """How, by whom and through what something came into the trash; `seq` is the event's number."""

    way: RemovalWay
    actor: str | None
    batch_id: int | None
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComesBack:
    """What a thing that is restored brings back with it: where it is shown, and what it holds."""

    containers: int = 0
    sites: int = 0
    packages: int = 0
    covers: int = 0
    files: int = 0
    bytes: int = 0
    members: int = 0


@dataclass(frozen=True, slots=True)
class BinnedContainers:
    """Containers in the trash, the last one put there first, and the cursors around them."""

    containers: Sequence[ContainerRow]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(slots=True)
class BatchUndo:
    """One undo of a batch: all that it took. Numbers are those of the ledger's events."""

    batch_id: int
    at: datetime
    actor: str
    assets: int = 0
    containers: int = 0
    seqs: list[int] = field(default_factory=list)
    taken_back: bool = False


def binned_containers(
    conn: Connection, kind: ContainerKind, *, cursor: str | None = None, limit: int = 50
) -> BinnedContainers:
    """A page of the containers of a kind that are in the trash. Raises `BadCursor`."""
    container, _ = CONTAINERS[kind]
    gone = container.c.deleted_at
    order = [Key(gone, descending=True), Key(container.c.id, descending=True)]
    query = select(container).where(gone.is_not(None))
    page = fetch_page(conn, query, order, cursor=cursor, limit=limit)
    rows = [container_row(kind.value, row) for row in page.rows]
    return BinnedContainers(rows, page.next_cursor, page.prev_cursor)


def asset_removals(conn: Connection, assets: Sequence[AssetRow]) -> dict[str, Removal]:
    """How each of these assets came into the trash, by content hash, as far as it is recorded."""
    gone = {a.facts.content_hash: a.deleted_at for a in assets if a.deleted_at is not None}
    found = _from_events(conn, gone)
    left = {name: at for name, at in gone.items() if name not in found}
    if left:
        item = ingest_batch_item.c
        for chunk in chunked(sorted(left)):
            query = _removed_items("asset").where(item.content_hash.in_(chunk))
            for row in conn.execute(query):
                if _is_close(row.updated_at, left[row.content_hash]):
                    found[row.content_hash] = Removal(RemovalWay.IMPORT, None, row.batch_id, None)
    return found


def container_removals(conn: Connection, rows: Sequence[ContainerRow]) -> dict[str, Removal]:
    """How each of these containers came into the trash, by `kind:key`."""
    gone = {str(row.ref): row.deleted_at for row in rows if row.deleted_at is not None}
    found = _from_events(conn, gone)
    for row in rows:
        name, at = str(row.ref), row.deleted_at
        if name in found or at is None:
            continue
        # An item of a container is known by what its bundle calls it, and by when it was removed.
        item = ingest_batch_item.c
        near = item.updated_at.between(at - _CLOSE, at + _CLOSE)
        for removed in conn.execute(_removed_items(row.ref.kind).where(near)):
            if json.loads(removed.detail or "{}").get("container_key") == row.ref.key:
                found[name] = Removal(RemovalWay.IMPORT, None, removed.batch_id, None)
    return found


def assets_come_back(conn: Connection, assets: Sequence[AssetRow]) -> dict[str, ComesBack]:
    """What restoring each of these assets brings back, by content hash."""
    ids = {row.id: row.facts.content_hash for row in assets}
    hashes = list(ids.values())
    containers: Counter[str] = Counter()
    for container, item in CONTAINERS.values():
        for chunk in chunked(hashes):
            query = (
                select(item.c.content_hash, func.count(item.c.container_id.distinct()))
                .join_from(item, container, container.c.id == item.c.container_id)
                .where(item.c.content_hash.in_(chunk), container.c.deleted_at.is_(None))
                .group_by(item.c.content_hash)
            )
            containers.update(_pairs(conn, query))
    direct = _count(conn, asset_site_membership, "asset_id", ids)
    allowed = _count(conn, site_allow_list, "content_hash", hashes)
    packages = _count(conn, access_package_asset, "content_hash", hashes)
    covers = _count(conn, asset_cover, "cover_asset_id", ids)
    files = _files(conn, ids)
    return {
        name: ComesBack(
            containers=containers[name],
            sites=direct[number] + allowed[name],
            packages=packages[name],
            covers=covers[number],
            files=files.get(number, (0, 0))[0],
            bytes=files.get(number, (0, 0))[1],
        )
        for number, name in ids.items()
    }


def containers_come_back(
    conn: Connection, kind: ContainerKind, rows: Sequence[ContainerRow]
) -> dict[str, ComesBack]:
    """What restoring each of these containers of one kind brings back, by `kind:key`."""
    ids = [row.id for row in rows]
    members = count_members(conn, kind.value, ids)
    sites = _count_containers(conn, container_site_membership, kind, ids)
    packages = _count_containers(conn, access_package_container, kind, ids)
    return {
        str(row.ref): ComesBack(
            members=members[row.id].total, sites=sites[row.id], packages=packages[row.id]
        )
        for row in rows
    }


def recent_undos(conn: Connection, *, limit: int = 20) -> list[BatchUndo]:
    """The last undos of batches, the newest first, and whether they were taken back since."""
    event = ingest_event.c
    rows = conn.execute(
        select(event.seq, event.at, event.actor, event.batch_id, event.payload)
        .where(event.kind == AssetsDeleted.kind, event.batch_id.is_not(None))
        .order_by(event.seq.desc())
        .limit(limit * 10)
    )
    undos: dict[tuple[int, datetime], BatchUndo] = {}
    taken_back: set[int] = set()
    for row in rows:
        payload = parse_payload(AssetsDeleted.kind, row.payload)
        if not isinstance(payload, AssetsDeleted):
            continue
        if payload.restored:
            if all(number != row.batch_id for number, _ in undos):
                taken_back.add(row.batch_id)
            continue
        key = (row.batch_id, row.at)
        is_last = all(number != row.batch_id for number, _ in undos)
        undo = undos.setdefault(key, BatchUndo(row.batch_id, row.at, row.actor))
        undo.taken_back |= is_last and row.batch_id in taken_back
        undo.assets += len(payload.content_hashes)
        undo.containers += len(payload.containers or ())
        undo.seqs.insert(0, row.seq)
    return list(undos.values())[:limit]


def _from_events(conn: Connection, gone: Mapping[str, datetime]) -> dict[str, Removal]:
    """The first event that says each was deleted, of those since it was marked."""
    found: dict[str, Removal] = {}
    if not gone:
        return found
    for row in _deletions(conn, since=min(gone.values())):
        event = parse_payload(AssetsDeleted.kind, row.payload)
        if not isinstance(event, AssetsDeleted) or event.restored:
            continue
        way = RemovalWay.BY_HAND if row.batch_id is None else RemovalWay.UNDO
        removal = Removal(way, row.actor, row.batch_id, row.seq)
        for name in (*event.content_hashes, *(event.containers or ())):
            if name not in found and name in gone and row.at >= gone[name]:
                found[name] = removal
        if len(found) == len(gone):
            break
    return found


def _deletions(conn: Connection, *, since: datetime) -> Iterator[Any]:
    event, after = ingest_event.c, 0
    for _ in range(EVENTS_LOOKED_AT_MAX // _EVENTS_AT_ONCE):
        rows = conn.execute(
            select(event.seq, event.at, event.actor, event.batch_id, event.payload)
            .where(event.kind == AssetsDeleted.kind, event.seq > after, event.at >= since)
            .order_by(event.seq)
            .limit(_EVENTS_AT_ONCE)
        ).all()
        yield from rows
        if len(rows) < _EVENTS_AT_ONCE:
            return
        after = rows[-1].seq


def _removed_items(kind: str) -> Any:
    item, batch = ingest_batch_item.c, ingest_batch.c
    return (
        select(item.content_hash, item.batch_id, item.updated_at, item.detail)
        .join_from(ingest_batch_item, ingest_batch, batch.id == item.batch_id)
        .where(
            batch.action == _REMOVE,
            item.revision == batch.revision,
            item.kind == kind,
            item.outcome == Outcome.REMOVED.value,
        )
        .order_by(item.id)
    )


def _is_close(one: datetime, other: datetime) -> bool:
    return abs(one - other) <= _CLOSE


def _count(conn: Connection, links: Table, column: str, names: Any) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for chunk in chunked(names):
        query = (
            select(links.c[column], func.count())
            .where(links.c[column].in_(chunk))
            .group_by(links.c[column])
        )
        if links is asset_cover:
            query = query.where(
                (asset_cover.c.owner_kind != ASSET_OWNER)
                | (asset_cover.c.owner_id != asset_cover.c.cover_asset_id)
            )
        found.update(_pairs(conn, query))
    return found


def _count_containers(
    conn: Connection, links: Table, kind: ContainerKind, ids: Sequence[int]
) -> Counter[int]:
    found: Counter[int] = Counter()
    for chunk in chunked(ids):
        query = (
            select(links.c.container_id, func.count())
            .where(links.c.container_kind == kind.value, links.c.container_id.in_(chunk))
            .group_by(links.c.container_id)
        )
        found.update(_pairs(conn, query))
    return found


def _pairs(conn: Connection, query: Select[Any]) -> dict[Any, int]:
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def _files(conn: Connection, ids: Mapping[int, str]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for chunk in chunked(ids):
        query = (
            select(asset_file.c.asset_id, func.count(), func.sum(asset_file.c.size_bytes))
            .where(asset_file.c.asset_id.in_(chunk), asset_file.c.deleted_at.is_(None))
            .group_by(asset_file.c.asset_id)
        )
        found.update({number: (int(n), int(size)) for number, n, size in conn.execute(query)})
    return found
