"""The library's lists as pages and the API show them: cards of assets and containers, their page.

A card has all that a grid or a row of a table shows; a page of cards costs a constant number of
statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, func, select

from lading.console.listing import Field, ListQuery
from lading.console.readers.import_queue import batch_url
from lading.console.readers.thumbnails import Thumbnail, asset_thumbnails, container_thumbnails
from lading.db import Database
from lading.db.counting import Count, count_capped
from lading.ledger.batches import Batch, get_batches
from lading.ledger.queries import EventView
from lading.library.browsing import (
    AssetSort,
    Facet,
    asset_facets,
    browse_assets,
    count_browsed,
)
from lading.library.containers import (
    MemberCount,
    UnknownContainer,
    container_kind,
    count_members,
    list_members,
    require_containers,
)
from lading.library.filters import (
    AssetFilter,
    ContainerFilter,
    CoverState,
    container_conditions,
)
from lading.library.known import find_assets
from lading.library.named_in_ledger import events_naming
from lading.library.photo_companions import companions_of
from lading.library.photo_stacks import stack_sizes
from lading.library.placements import container_packages, container_sites
from lading.library.queries import list_containers
from lading.library.sites import require_site
from lading.library.statements import chunked
from lading.library.tables import CONTAINERS, ContainerKind, FileRole, asset_file
from lading.library.values import AssetRow, ContainerRef, ContainerRow
from lading.library.visibility import sites_seeing
from lading.media.rules import Companion

KIND_WORDS: Final[Mapping[str, str]] = {
    "photo": "Photo",
    "image": "Image",
    "video": "Film",
    "audio": "Recording",
    "document": "Document",
}
CONTAINER_WORDS: Final[Mapping[ContainerKind, str]] = {
    ContainerKind.GALLERY: "Gallery",
    ContainerKind.COLLECTION: "Collection",
    ContainerKind.EVENT: "Event",
}
CONTAINER_SECTIONS: Final[Mapping[ContainerKind, str]] = {
    ContainerKind.GALLERY: "galleries",
    ContainerKind.COLLECTION: "collections",
    ContainerKind.EVENT: "events",
}
"""Where in `/library` each kind of container has its pages."""

ASSET_SORTS: Final = ("-arrived", "arrived", "-captured", "captured")
ASSET_FIELDS: Final = (
    Field("q", "Search"),
    Field("type", "Type"),
    Field("subtype", "Subtype"),
    Field("batch", "Batch", kind="number"),
    Field("transcript", "Transcript", {"yes": "with", "no": "without"}),
    Field("hls", "Streaming", {"yes": "with", "no": "without"}),
    Field("beside", "Beside a picture", {"no": "left out", "yes": "only those"}),
    Field("cover", "Cover", {"present": "has one", "awaited": "awaited", "none": "none"}),
    Field("camera", "Camera"),
    Field("person", "Person", kind="number"),
    Field("arrived_after", "Arrived from", kind="instant"),
    Field("arrived_before", "Arrived before", kind="instant"),
)
CONTAINER_FIELDS: Final = (Field("q", "Search"), Field("batch", "Batch", kind="number"))


class AssetBadge(StrEnum):
    """What a card says beside the picture."""

    TRANSCRIPT = "transcript"
    HLS = "hls"
    COVER_AWAITED = "cover_awaited"
    IN_TRASH = "in_trash"


COMPANION_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    Companion.RAW: ("+ RAW", "Has a RAW beside it"),
    Companion.LIVE_VIDEO: ("live", "Has a short film beside it"),
}
"""What is beside a picture: the mark on its card, and what that means."""

BADGE_WORDS: Final[Mapping[AssetBadge, str]] = {
    AssetBadge.TRANSCRIPT: "Transcript",
    AssetBadge.HLS: "Streaming",
    AssetBadge.COVER_AWAITED: "Cover awaited",
    AssetBadge.IN_TRASH: "In trash",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetCard:
    """An asset in a list. `sites` are the keys of those that see it; `bytes` those of its files.

    `beside` are the kinds of what is shown with it, such as its RAW; `stack` counts the photos
    of the stack that it is the top of.
    """

    asset: AssetRow
    name: str
    kind: str
    thumbnail: Thumbnail
    badges: Sequence[AssetBadge]
    files: int
    bytes: int
    sites: Sequence[str]
    beside: Sequence[str] = ()
    stack: int = 0

    @property
    def content_hash(self) -> str:
        """What identifies it."""
        return self.asset.facts.content_hash

    @property
    def url(self) -> str:
        """Its page."""
        return asset_url(self.content_hash)

    @property
    def alt(self) -> str:
        """What its picture is to those who do not see it."""
        return f"{self.name} ({self.kind.lower()})"

    @property
    def marks(self) -> Sequence[tuple[str, str]]:
        """What its corner says of what is shown with it, each with what that means."""
        found = [COMPANION_WORDS[kind] for kind in self.beside if kind in COMPANION_WORDS]
        if self.stack:
            found.append((f"stack of {self.stack}", "The others are folded under it"))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetList:
    """A page of assets. `count` and `facets` are of the whole list; `site` None is no site."""

    cards: Sequence[AssetCard]
    count: Count
    facets: Sequence[Facet]
    next_cursor: str | None
    prev_cursor: str | None
    site: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCard:
    """A container in a list."""

    container: ContainerRow
    name: str
    kind: str
    thumbnail: Thumbnail
    members: MemberCount
    sites: Sequence[str]
    batch: Batch | None

    @property
    def url(self) -> str:
        """Its page."""
        return container_url(self.container)

    @property
    def alt(self) -> str:
        """What its picture is to those who do not see it."""
        return f"{self.name} ({self.kind.lower()})"

    @property
    def batch_url(self) -> str | None:
        """The page of the batch that brought it."""
        return batch_url(self.batch) if self.batch else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerList:
    """A page of containers of one kind."""

    kind: ContainerKind
    cards: Sequence[ContainerCard]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None
    site: str | None


class MemberState(StrEnum):
    """Whether what a container names at a position is here."""

    PRESENT = "present"
    AWAITED = "awaited"
    IN_TRASH = "in_trash"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One position of a container; `card` is None while the asset is awaited."""

    position: int
    content_hash: str
    state: MemberState
    card: AssetCard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerDetail:
    """A container with a page of its members, where it is shown, and what happened to it."""

    card: ContainerCard
    members: Sequence[MemberLine]
    next_cursor: str | None
    prev_cursor: str | None
    packages: Sequence[str]
    history: Sequence[EventView] = field(default=())


def asset_filter(query: ListQuery, site: str | None = None) -> AssetFilter:
    """The filter that the address of a list of assets asks for."""
    cover = query.one("cover")
    return AssetFilter(
        q=query.one("q"),
        types=_parts(query, "type"),
        subtypes=_parts(query, "subtype"),
        batch_id=query.number("batch"),
        has_transcript=_yes_or_no(query.one("transcript")),
        has_hls=_yes_or_no(query.one("hls")),
        beside=_yes_or_no(query.one("beside")),
        cover=CoverState(cover) if cover else None,
        camera=query.one("camera"),
        person=query.number("person"),
        created_after=query.instant("arrived_after"),
        created_before=query.instant("arrived_before"),
        site=site,
    )


def container_filter(query: ListQuery, site: str | None = None) -> ContainerFilter:
    """The filter that the address of a list of containers asks for."""
    return ContainerFilter(q=query.one("q"), batch_id=query.number("batch"), site=site)


def read_assets(
    db: Database,
    filters: AssetFilter,
    *,
    sort: AssetSort = AssetSort.NEWEST,
    cursor: str | None = None,
    limit: int = 50,
) -> AssetList:
    """A page of assets. Raises `UnknownSite` and `BadCursor`."""
    with db.read() as conn:
        if filters.site is not None:
            require_site(conn, filters.site)
        page = browse_assets(conn, filters, sort=sort, cursor=cursor, limit=limit)
        facets = asset_facets(conn, filters)
        return AssetList(
            cards=asset_cards(conn, page.assets),
            count=count_browsed(conn, filters, facets),
            facets=facets,
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
            site=filters.site,
        )


def read_containers(
    db: Database,
    kind: ContainerKind,
    filters: ContainerFilter,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> ContainerList:
    """A page of containers of one kind, the newest first. Raises `UnknownSite`, `BadCursor`."""
    with db.read() as conn:
        if filters.site is not None:
            require_site(conn, filters.site)
        page = list_containers(conn, kind, filters, cursor=cursor, limit=limit)
        query = select(CONTAINERS[kind][0].c.id).where(*container_conditions(kind, filters))
        return ContainerList(
            kind=kind,
            cards=container_cards(conn, kind, page.containers),
            count=count_capped(conn, query),
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
            site=filters.site,
        )


def read_container(
    db: Database, ref: ContainerRef, *, cursor: str | None = None, limit: int = 50
) -> ContainerDetail:
    """A container with a page of its members, in order. Raises `UnknownContainer`."""
    with db.read() as conn:
        [row] = require_containers(conn, [ref])
        kind = container_kind(ref.kind)
        page = list_members(conn, ref, cursor=cursor, limit=limit)
        known = find_assets(conn, [member.content_hash for member in page.members])
        cards = {card.content_hash: card for card in asset_cards(conn, list(known.values()))}
        lines = [
            MemberLine(
                position=member.position,
                content_hash=member.content_hash,
                state=MemberState.AWAITED
                if member.awaited
                else MemberState.IN_TRASH
                if member.deleted
                else MemberState.PRESENT,
                card=cards.get(member.content_hash),
            )
            for member in page.members
        ]
        return ContainerDetail(
            card=container_cards(conn, kind, [row])[0],
            members=lines,
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
            packages=container_packages(conn, kind, [row.id]).get(row.id, []),
            history=events_naming(conn, str(ref), row.batch_id),
        )


def container_at(db: Database, kind: ContainerKind, number: int) -> ContainerRef:
    """The container of that kind with this number, as addresses have it. Raises the same."""
    container, _ = CONTAINERS[kind]
    with db.read() as conn:
        key = conn.scalar(select(container.c.key).where(container.c.id == number))
    if key is None:
        raise UnknownContainer("the library has no such container", subject=f"{kind} {number}")
    return ContainerRef(kind.value, str(key))


def asset_cards(conn: Connection, assets: Sequence[AssetRow]) -> list[AssetCard]:
    """The cards of these assets, in their order."""
    thumbnails = asset_thumbnails(conn, [row.id for row in assets])
    files = _summed_files(conn, [row.id for row in assets])
    sites = sites_seeing(conn, [row.facts.content_hash for row in assets])
    beside = companions_of(conn, [row.id for row in assets])
    stacks = stack_sizes(conn, [row.id for row in assets])
    return [
        AssetCard(
            asset=row,
            name=_name(row, files[row.id]),
            kind=kind_word(row.facts.asset_type, row.facts.asset_subtype),
            thumbnail=thumbnails[row.id],
            badges=_badges(row, files[row.id], thumbnails[row.id]),
            files=sum(role.files for role in files[row.id].values()),
            bytes=sum(role.bytes for role in files[row.id].values()),
            sites=sites.get(row.facts.content_hash, []),
            beside=list(dict.fromkeys(each.kind for each in beside.get(row.id, ()))),
            stack=stacks.get(row.id, 0),
        )
        for row in assets
    ]


def container_cards(
    conn: Connection, kind: ContainerKind, rows: Sequence[ContainerRow]
) -> list[ContainerCard]:
    """The cards of these containers, all of one kind, in their order."""
    ids = [row.id for row in rows]
    thumbnails = container_thumbnails(conn, kind.value, ids)
    members = count_members(conn, kind.value, ids)
    sites = container_sites(conn, kind, ids)
    batches = get_batches(conn, {row.batch_id for row in rows if row.batch_id is not None})
    return [
        ContainerCard(
            container=row,
            name=row.title or row.ref.key,
            kind=CONTAINER_WORDS[kind],
            thumbnail=thumbnails[row.id],
            members=members[row.id],
            sites=sites.get(row.id, []),
            batch=None if row.batch_id is None else batches.get(row.batch_id),
        )
        for row in rows
    ]


def kind_word(asset_type: str, asset_subtype: str | None = None) -> str:
    """`Film (video simple)`: what an asset is, as people read it."""
    word = KIND_WORDS.get(asset_type) or asset_type.replace("_", " ").capitalize()
    return f"{word} ({asset_subtype.replace('_', ' ')})" if asset_subtype else word


def asset_url(content_hash: str) -> str:
    """The page of an asset."""
    return f"/library/assets/{content_hash}"


def container_url(row: ContainerRow) -> str:
    """The page of a container, by its number: a key may hold what no address can."""
    return container_address(ContainerKind(row.ref.kind), row.id)


def container_address(kind: ContainerKind, number: int) -> str:
    """The page of the container of this kind and number."""
    return f"/library/{CONTAINER_SECTIONS[kind]}/{number}"


@dataclass(frozen=True, slots=True)
class _Role:
    files: int
    bytes: int
    path: str


def _summed_files(conn: Connection, asset_ids: Sequence[int]) -> Mapping[int, dict[str, _Role]]:
    """How many files of each role the assets have: a film can have thousands of segments."""
    column = asset_file.c
    found: defaultdict[int, dict[str, _Role]] = defaultdict(dict)
    for chunk in chunked(asset_ids):
        for row in conn.execute(
            select(
                column.asset_id,
                column.role,
                func.count().label("files"),
                func.sum(column.size_bytes).label("bytes"),
                func.min(column.path).label("path"),
            )
            .where(column.asset_id.in_(chunk), column.deleted_at.is_(None))
            .group_by(column.asset_id, column.role)
        ):
            found[row.asset_id][row.role] = _Role(row.files, int(row.bytes), row.path)
    return found


def _name(row: AssetRow, files: Mapping[str, _Role]) -> str:
    """The title, else the name of the original, else the beginning of the hash."""
    if row.facts.title and row.facts.title.strip():
        return row.facts.title
    original = files.get(FileRole.ORIGINAL)
    return original.path.rpartition("/")[2] if original else row.facts.content_hash[:12]


def _badges(row: AssetRow, files: Mapping[str, Any], thumbnail: Thumbnail) -> list[AssetBadge]:
    badges = {
        AssetBadge.TRANSCRIPT: FileRole.TRANSCRIPT in files,
        AssetBadge.HLS: FileRole.HLS in files,
        AssetBadge.COVER_AWAITED: thumbnail.cover_awaited,
        AssetBadge.IN_TRASH: row.deleted,
    }
    return [badge for badge, shown in badges.items() if shown]


def _parts(query: ListQuery, name: str) -> tuple[str, ...]:
    return tuple(part for text in query.many(name) for part in text.split(",") if part)


def _yes_or_no(text: str | None) -> bool | None:
    return None if text is None else text == "yes"
