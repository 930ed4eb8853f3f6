"""Puts assets and containers in the trash and takes them out again (A17, G11). No row is removed.

What a batch's undo took is read from the ledger when it is taken back, so that what was deleted
by hand before or after stays deleted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, select, update

from lading.ledger.chain import Entry, append_all
from lading.ledger.events import AssetsDeleted, parse_payload
from lading.ledger.tables import ingest_event
from lading.library.containers import container_kind, require_containers
from lading.library.known import UnknownAsset, known_members
from lading.library.statements import chunked, moment
from lading.library.tables import CONTAINERS, ContainerKind, asset
from lading.library.values import ContainerRef

NAMES_PER_EVENT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Trashed:
    """What really changed: content hashes and containers, in the order they arrived."""

    assets: Sequence[str] = ()
    containers: Sequence[ContainerRef] = field(default=())

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.assets or self.containers)


def delete_assets(conn: Connection, hashes: Iterable[str], *, actor: str) -> Trashed:
    """Put assets in the trash; those already there stay as they are. Raises `UnknownAsset`."""
    return _by_hand_assets(conn, hashes, deleted=True, actor=actor)


def restore_assets(conn: Connection, hashes: Iterable[str], *, actor: str) -> Trashed:
    """Take assets out of the trash, with every membership and cover as it was."""
    return _by_hand_assets(conn, hashes, deleted=False, actor=actor)


def delete_containers(conn: Connection, refs: Sequence[ContainerRef], *, actor: str) -> Trashed:
    """Put containers in the trash; their assets stay. Raises `UnknownContainer`."""
    return _by_hand_containers(conn, refs, deleted=True, actor=actor)


def restore_containers(conn: Connection, refs: Sequence[ContainerRef], *, actor: str) -> Trashed:
    """Take containers out of the trash, with their members and covers as they were."""
    return _by_hand_containers(conn, refs, deleted=False, actor=actor)


def retire_batch(conn: Connection, batch_id: int, *, actor: str) -> Trashed:
    """Undo a batch: put in the trash all assets and containers that it was the first to bring.

    What it changed about others stays changed. A second time changes nothing (G11).
    """
    at = moment(conn)
    assets = _mark(conn, asset, asset.c.content_hash, asset.c.batch_id == batch_id, at)
    containers = []
    for kind in ContainerKind:
        container, _ = CONTAINERS[kind]
        keys = _mark(conn, container, container.c.key, container.c.batch_id == batch_id, at)
        containers += [ContainerRef(kind.value, key) for key in keys]
    changed = Trashed(assets, containers)
    _record(conn, changed, restored=False, actor=actor, batch_id=batch_id)
    return changed


def restore_batch(conn: Connection, batch_id: int, *, actor: str) -> Trashed:
    """Take back the last undo of a batch; what was deleted otherwise stays in the trash."""
    retired, at = _last_retirement(conn, batch_id)
    if at is None:
        return Trashed()
    mine = (asset.c.batch_id == batch_id) & (asset.c.deleted_at <= at)
    assets = _mark(conn, asset, asset.c.content_hash, mine, None, among=set(retired.assets))
    containers: list[ContainerRef] = []
    for kind in ContainerKind:
        container, _ = CONTAINERS[kind]
        names = {ref.key for ref in retired.containers if ref.kind == kind}
        mine = (container.c.batch_id == batch_id) & (container.c.deleted_at <= at)
        keys = _mark(conn, container, container.c.key, mine, None, among=names)
        containers += [ContainerRef(kind.value, key) for key in keys]
    changed = Trashed(assets, containers)
    _record(conn, changed, restored=True, actor=actor, batch_id=batch_id)
    return changed


def mark_assets(conn: Connection, hashes: Iterable[str], *, deleted: bool) -> list[str]:
    """Set or clear `deleted_at` without an event, for an import that records its own (A17).

    Returns the hashes that changed; unknown ones are passed over.
    """
    at = moment(conn) if deleted else None
    changed: list[str] = []
    for chunk in chunked(sorted(set(hashes))):
        column = asset.c.content_hash
        changed += _mark(conn, asset, column, column.in_(chunk), at)
    return changed


def mark_containers(
    conn: Connection, refs: Iterable[ContainerRef], *, deleted: bool
) -> list[ContainerRef]:
    """The same for containers; their members and covers stay."""
    at = moment(conn) if deleted else None
    by_kind: dict[ContainerKind, set[str]] = {}
    for ref in refs:
        by_kind.setdefault(container_kind(ref.kind), set()).add(ref.key)
    changed: list[ContainerRef] = []
    for kind, keys in sorted(by_kind.items()):
        container, _ = CONTAINERS[kind]
        for chunk in chunked(sorted(keys)):
            marked = _mark(conn, container, container.c.key, container.c.key.in_(chunk), at)
            changed += [ContainerRef(kind.value, key) for key in marked]
    return changed


def _by_hand_assets(
    conn: Connection, hashes: Iterable[str], *, deleted: bool, actor: str
) -> Trashed:
    wanted = set(hashes)
    unknown = wanted - known_members(conn, wanted)
    if unknown:
        raise UnknownAsset("the library has no such asset", subject=min(unknown))
    changed = Trashed(assets=mark_assets(conn, wanted, deleted=deleted))
    _record(conn, changed, restored=not deleted, actor=actor)
    return changed


def _by_hand_containers(
    conn: Connection, refs: Sequence[ContainerRef], *, deleted: bool, actor: str
) -> Trashed:
    require_containers(conn, refs)
    changed = Trashed(containers=mark_containers(conn, refs, deleted=deleted))
    _record(conn, changed, restored=not deleted, actor=actor)
    return changed


def _mark(
    conn: Connection,
    rows_of: Table,
    name: ColumnElement[str],
    which: ColumnElement[bool],
    deleted_at: datetime | None,
    *,
    among: Container[str] | None = None,
) -> list[str]:
    """Set `deleted_at` where it is not set yet, or clear it with None; names of what changed."""
    # What is live or deleted already is sorted out here: a condition on it invites planners to
    # walk all that is, instead of looking up the few that are asked for.
    rows = conn.execute(
        select(rows_of.c.id, name.label("name"), rows_of.c.deleted_at)
        .where(which)
        .order_by(rows_of.c.id)
        .with_for_update(key_share=True)
    )
    found = [
        (row.id, row.name)
        for row in rows
        if (row.deleted_at is None) == (deleted_at is not None)
        and (among is None or row.name in among)
    ]
    if found:
        changed_at = deleted_at or moment(conn)
        for chunk in chunked(row_id for row_id, _ in found):
            conn.execute(
                update(rows_of)
                .where(rows_of.c.id.in_(chunk))
                .values(deleted_at=deleted_at, updated_at=changed_at)
            )
    return [found_name for _, found_name in found]


def _record(
    conn: Connection,
    changed: Trashed,
    *,
    restored: bool,
    actor: str,
    batch_id: int | None = None,
) -> None:
    """Append the events, each of a bounded size; none when nothing changed."""
    events = [
        AssetsDeleted(content_hashes=chunk, restored=restored)
        for chunk in chunked(changed.assets, NAMES_PER_EVENT)
    ] + [
        AssetsDeleted(content_hashes=[], containers=[str(r) for r in chunk], restored=restored)
        for chunk in chunked(changed.containers, NAMES_PER_EVENT)
    ]
    if events:
        append_all(conn, [Entry(event, actor, batch_id=batch_id) for event in events])


def _last_retirement(conn: Connection, batch_id: int) -> tuple[Trashed, datetime | None]:
    """What the last undo of the batch took, and when the ledger recorded it."""
    assets: list[str] = []
    containers: list[ContainerRef] = []
    at: datetime | None = None
    for event, recorded_at in _trash_events(conn, batch_id):
        if at is not None and (event.restored or recorded_at != at):
            break
        if not event.restored:
            at = recorded_at
            assets += event.content_hashes
            containers += map(ContainerRef.parse, event.containers or ())
    return Trashed(assets, containers), at


def _trash_events(conn: Connection, batch_id: int) -> Iterable[tuple[AssetsDeleted, datetime]]:
    rows: Iterable[Any] = conn.execute(
        select(ingest_event.c.payload, ingest_event.c.at)
        .where(ingest_event.c.batch_id == batch_id, ingest_event.c.kind == AssetsDeleted.kind)
        .order_by(ingest_event.c.seq.desc())
    )
    for row in rows:
        event = parse_payload(AssetsDeleted.kind, row.payload)
        if isinstance(event, AssetsDeleted):
            yield event, row.at
