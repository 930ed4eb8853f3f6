"""Galleries, collections and events with their members, and the trash with what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter

from lading.console.answers import Many, many
from lading.console.api.assets import AssetItem, asset_item
from lading.console.api.conventions import (
    Cursor,
    Limit,
    Number,
    Whole,
    Word,
    asked,
    one_of,
    reads,
    whole,
)
from lading.console.parts import Console
from lading.console.readers.library import (
    CONTAINER_FIELDS,
    CONTAINER_SECTIONS,
    AssetCard,
    ContainerCard,
    MemberState,
    container_at,
    container_filter,
    read_container,
    read_containers,
)
from lading.console.readers.trash import BinnedLine, read_trash, read_undos
from lading.db.counting import Count
from lading.ledger.queries import EventView
from lading.library.containers import MemberCount
from lading.library.tables import ContainerKind
from lading.library.trash_lists import BatchUndo, ComesBack, Removal

TAG: Final = "library"
Section: TypeAlias = Annotated[Literal["galleries", "collections", "events"], PathParameter()]
_KINDS: Final = {section: kind for kind, section in CONTAINER_SECTIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerItem:
    """One container, and how many of its members are here."""

    id: int
    kind: str
    key: str
    name: str
    title: str | None
    members: MemberCount
    sites: Sequence[str]
    batch_id: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    thumbnail_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberItem:
    """One position of a container; `asset` is None while it is awaited."""

    position: int
    content_hash: str
    state: MemberState
    asset: AssetItem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerAnswer:
    """A container with a page of its members, and where it is shown."""

    container: ContainerItem
    detail: Mapping[str, Any]
    packages: Sequence[str]
    members: Many[MemberItem]
    history: Sequence[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedItem:
    """One thing in the trash; `id` is what restoring it takes, `parts` what comes back with it."""

    id: int
    name: str
    title: str
    deleted_at: datetime
    removal: Removal | None
    why: str
    comes_back: str
    parts: ComesBack


def routes() -> list[HTTPRouteHandler]:
    """Containers of each kind, and the trash."""
    return [list_of_containers, one_container, trash, undos]


@reads("/containers/{kind:str}", "Galleries, collections or events, the newest first", tag=TAG)
def list_of_containers(
    console: NamedDependency[Console],
    kind: Section,
    *,
    q: Word = None,
    batch: Whole = None,
    site: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[ContainerItem]:
    """A page of containers of one kind."""
    given = {"q": q, "batch": None if batch is None else str(batch)}
    query = asked(CONTAINER_FIELDS, given, cursor=cursor, limit=limit)
    found = read_containers(
        console.lading.db,
        _KINDS[kind],
        container_filter(query, site or None),
        cursor=query.cursor,
        limit=limit,
    )
    return many([_item(card) for card in found.cards], found, found.count)


@reads("/containers/{kind:str}/{number:int}", "One container with its members", tag=TAG)
def one_container(
    console: NamedDependency[Console],
    kind: Section,
    number: Number,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ContainerAnswer:
    """A container and a page of its members, in order."""
    db = console.lading.db
    ref = container_at(db, _KINDS[kind], number)
    found = read_container(db, ref, cursor=cursor or None, limit=limit)
    members = [
        MemberItem(
            position=line.position,
            content_hash=line.content_hash,
            state=line.state,
            asset=asset_item(line.card) if line.card else None,
        )
        for line in found.members
    ]
    return ContainerAnswer(
        container=_item(found.card),
        detail=found.card.container.detail,
        packages=found.packages,
        members=many(members, found, Count(found.card.members.total)),
        history=found.history,
    )


@reads("/trash", "What is in the trash: of one kind, what came last first", tag=TAG)
def trash(
    console: NamedDependency[Console],
    *,
    kind: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[BinnedItem]:
    """A page of the trash; without a kind, of assets. Restoring is an operation."""
    chosen = one_of("kind", kind or "asset", ["asset", *ContainerKind])
    found = read_trash(console.lading.db, chosen, cursor=cursor or None, limit=limit)
    return many([_binned(line) for line in found.lines], found, found.counts[chosen])


@reads("/trash/undos", "The last undos of batches, the newest first", tag=TAG)
def undos(console: NamedDependency[Console]) -> Many[BatchUndo]:
    """What was put in the trash by undoing a batch."""
    return whole([line.undo for line in read_undos(console.lading.db)])


def _item(card: ContainerCard) -> ContainerItem:
    row = card.container
    return ContainerItem(
        id=row.id,
        kind=row.ref.kind,
        key=row.ref.key,
        name=card.name,
        title=row.title,
        members=card.members,
        sites=card.sites,
        batch_id=row.batch_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        thumbnail_url=card.thumbnail.url,
    )


def _binned(line: BinnedLine) -> BinnedItem:
    card = line.card
    return BinnedItem(
        id=card.asset.id if isinstance(card, AssetCard) else card.container.id,
        name=line.name,
        title=card.name,
        deleted_at=line.deleted_at,
        removal=line.removal,
        why=line.why,
        comes_back=line.comes_back,
        parts=line.parts,
    )
