"""Writes and lists galleries, collections and events: their members in order, by content (A14)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, or_, select, update

from lading.base.errors import InternalError, RequestError
from lading.db.bulk import bulk_insert
from lading.db.keyset import Key, fetch_page
from lading.ledger.states import Outcome
from lading.library.covers import resolve_covers, set_cover
from lading.library.known import find_containers, known_members, load_containers
from lading.library.rules import (
    ContainerDifferences,
    check_container,
    container_differences,
    runs,
)
from lading.library.statements import chunked, insert_one, moment
from lading.library.tables import CONTAINERS, ContainerKind, asset
from lading.library.values import (
    ContainerFacts,
    ContainerRef,
    ContainerRow,
    KnownContainer,
    Saved,
    detail_text,
)

__all__ = [
    "ContainerFacts",
    "ContainerRef",
    "ContainerRow",
    "Member",
    "MemberCount",
    "MemberPage",
    "UnknownContainer",
    "compare_containers",
    "container_kind",
    "count_members",
    "find_containers",
    "known_members",
    "list_members",
    "preview_containers",
    "require_containers",
    "save_container",
]

RUNS_PER_STATEMENT: Final = 200


class UnknownContainer(RequestError):
    """A gallery, collection or event that the library does not have."""

    code = "unknown_container"
    http_status = 404
    next_step = "Check the kind and the key; they are those of the bundle that brought it."


@dataclass(frozen=True, slots=True)
class Member:
    """One position of a container. `asset_id` is None while the asset is on its way."""

    position: int
    content_hash: str
    asset_id: int | None
    asset_type: str | None
    title: str | None
    deleted: bool

    @property
    def awaited(self) -> bool:
        """Whether the asset has not arrived yet."""
        return self.asset_id is None


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Members in order, and the cursors of the pages around them."""

    members: Sequence[Member]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class MemberCount:
    """Positions of a container: all, those whose asset is here, and those in the trash."""

    total: int = 0
    present: int = 0
    deleted: int = 0

    @property
    def awaited(self) -> int:
        """Positions whose asset has not arrived yet."""
        return self.total - self.present - self.deleted


def save_container(
    conn: Connection, facts: ContainerFacts, *, batch_id: int | None = None
) -> Saved:
    """Make the library hold this container with these members in this order.

    Only positions that differ are written. `cover_hash` None leaves the cover as it is; a
    container in the trash comes back. Raises `FactsRefused` and `UnknownContainer` for a kind
    that there is not.
    """
    kind = container_kind(facts.kind)
    check_container(facts)
    known = load_containers(conn, [facts.ref], lock=True).get(facts.ref)
    created = False
    if known is None:
        known, created = _create(conn, kind, facts, batch_id)
    found = container_differences(known, facts)
    container_id = known.row.id
    if found.any:
        at = known.row.created_at if created else moment(conn)
        if not created:
            _update_facts(conn, known.row.id, facts, found, at)
        _write_members(conn, kind, container_id, facts.members, found)
        if found.cover and facts.cover_hash is not None:
            replaces = known.cover_hash is not None
            set_cover(conn, kind, container_id, facts.cover_hash, at=at, replaces=replaces)
    if facts.cover_hash is not None:
        resolve_covers(conn, [facts.cover_hash])
    return Saved(container_id, Outcome.CREATED if created else found.outcome)


def preview_containers(conn: Connection, proposals: Sequence[ContainerFacts]) -> list[Outcome]:
    """What `save_container` would make of each, reading only; in the order given."""
    return [found.outcome for found in compare_containers(conn, proposals)]


def compare_containers(
    conn: Connection, proposals: Sequence[ContainerFacts]
) -> Iterator[ContainerDifferences]:
    """What each would change, reading only, with a few statements for many containers."""
    for chunk in chunked(proposals):
        known = load_containers(conn, [facts.ref for facts in chunk])
        for facts in chunk:
            yield container_differences(known.get(facts.ref), facts)


def list_members(
    conn: Connection, ref: ContainerRef, *, cursor: str | None = None, limit: int = 50
) -> MemberPage:
    """A page of members in order, also those on their way and those in the trash."""
    [row] = require_containers(conn, [ref])
    _, item = CONTAINERS[container_kind(ref.kind)]
    query = (
        select(
            item.c.position,
            item.c.content_hash,
            asset.c.id.label("asset_id"),
            asset.c.asset_type,
            asset.c.title,
            asset.c.deleted_at,
        )
        .select_from(item.outerjoin(asset, asset.c.content_hash == item.c.content_hash))
        .where(item.c.container_id == row.id)
    )
    page = fetch_page(conn, query, [Key(item.c.position)], cursor=cursor, limit=limit)
    members = [
        Member(
            position=found.position,
            content_hash=found.content_hash,
            asset_id=found.asset_id,
            asset_type=found.asset_type,
            title=found.title,
            deleted=found.deleted_at is not None,
        )
        for found in page.rows
    ]
    return MemberPage(members, page.next_cursor, page.prev_cursor)


def count_members(
    conn: Connection, kind: str, container_ids: Sequence[int]
) -> dict[int, MemberCount]:
    """How many positions each container has, and how many of them are here."""
    _, item = CONTAINERS[container_kind(kind)]
    found = {container_id: MemberCount() for container_id in container_ids}
    for chunk in chunked(container_ids):
        for row in conn.execute(
            select(
                item.c.container_id,
                func.count().label("total"),
                func.count(asset.c.id).label("arrived"),
                func.count(asset.c.deleted_at).label("deleted"),
            )
            .select_from(item.outerjoin(asset, asset.c.content_hash == item.c.content_hash))
            .where(item.c.container_id.in_(chunk))
            .group_by(item.c.container_id)
        ):
            found[row.container_id] = MemberCount(row.total, row.arrived - row.deleted, row.deleted)
    return found


def container_kind(kind: str) -> ContainerKind:
    """The kind by its name. Raises `UnknownContainer`."""
    try:
        return ContainerKind(kind)
    except ValueError:
        raise UnknownContainer(
            "there is no such kind of container", expected=", ".join(ContainerKind), found=kind
        ) from None


def require_containers(conn: Connection, refs: Sequence[ContainerRef]) -> list[ContainerRow]:
    """The rows of `refs`, in their order. Raises `UnknownContainer` naming the first missing."""
    for ref in refs:
        container_kind(ref.kind)
    found = find_containers(conn, refs)
    for ref in refs:
        if ref not in found:
            raise UnknownContainer("the library has no such container", subject=str(ref))
    return [found[ref] for ref in refs]


def _create(
    conn: Connection, kind: ContainerKind, facts: ContainerFacts, batch_id: int | None
) -> tuple[KnownContainer, bool]:
    """The new container, or the one that another transaction made meanwhile, and which."""
    container, _ = CONTAINERS[kind]
    at = moment(conn)
    values = {
        "key": facts.key,
        "title": facts.title,
        "detail": detail_text(facts.detail),
        "batch_id": batch_id,
        "created_at": at,
        "updated_at": at,
    }
    container_id = insert_one(conn, container, values)
    if container_id is None:
        known = load_containers(conn, [facts.ref], lock=True).get(facts.ref)
        if known is None:
            raise InternalError("a container is there and is not", subject=str(facts.ref))
        return known, False
    row = ContainerRow(
        id=container_id,
        ref=facts.ref,
        title=facts.title,
        detail=facts.detail,
        batch_id=batch_id,
        created_at=at,
        updated_at=at,
        deleted_at=None,
    )
    return KnownContainer(row=row), True


def _update_facts(
    conn: Connection,
    container_id: int,
    facts: ContainerFacts,
    found: ContainerDifferences,
    at: datetime,
) -> None:
    container, _ = CONTAINERS[container_kind(facts.kind)]
    columns = {"title": facts.title, "detail": detail_text(facts.detail)}
    values: dict[str, Any] = {name: columns[name] for name in found.facts}
    if found.restored:
        values["deleted_at"] = None
    conn.execute(
        update(container).where(container.c.id == container_id).values(**values, updated_at=at)
    )


def _write_members(
    conn: Connection,
    kind: ContainerKind,
    container_id: int,
    members: Sequence[str],
    found: ContainerDifferences,
) -> None:
    """Replace the positions that differ and give up those past the end; assets stay untouched."""
    _, item = CONTAINERS[kind]
    mine = item.c.container_id == container_id
    if found.length_after < found.length_before:
        conn.execute(delete(item).where(mine, item.c.position >= found.length_after))
    taken = [p for p in found.positions if p < found.length_before]
    for chunk in chunked(runs(taken), RUNS_PER_STATEMENT):
        ranges = [item.c.position.between(first, last) for first, last in chunk]
        conn.execute(delete(item).where(mine, or_(*ranges)))
    bulk_insert(
        conn,
        item,
        (
            {"container_id": container_id, "position": p, "content_hash": members[p]}
            for p in found.positions
        ),
    )
