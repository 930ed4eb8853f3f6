"""Assets: the library as a list, one of them with all that belongs to it, and who sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    Cursor,
    Export,
    Form,
    Instant,
    Limit,
    Whole,
    Word,
    Words,
    asked,
    reads,
    require_beginning,
    whole,
)
from lading.console.parts import Console
from lading.console.readers.assets import (
    CoverView,
    DocumentText,
    Preview,
    SeenBy,
    read_asset,
)
from lading.console.readers.library import (
    ASSET_FIELDS,
    ASSET_SORTS,
    AssetBadge,
    AssetCard,
    asset_cards,
    asset_filter,
    read_assets,
)
from lading.console.readers.sites import read_sight
from lading.ledger.queries import EventView, ItemView
from lading.library.browsing import AssetSort, browse_assets
from lading.library.queries import Membership
from lading.library.sites import require_site
from lading.library.visibility import HiddenBecause, Route

TAG: Final = "library"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetItem:
    """One asset. `files` and `bytes` are of those that are not retired; `sites` see it."""

    id: int
    content_hash: str
    name: str
    type: str
    subtype: str | None
    title: str | None
    captured_at: datetime | None
    captured_offset_min: int | None
    width: int | None
    height: int | None
    duration_s: float | None
    files: int
    bytes: int
    badges: Sequence[AssetBadge]
    sites: Sequence[str]
    batch_id: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    thumbnail_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAnswer:
    """A provenance document. `parsed` is None when it is no JSON or too long; `text` begins it."""

    label: str
    analysis_kind: str | None
    sha256: str
    size_bytes: int
    parsed: Any
    text: str
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetAnswer:
    """One asset with all that belongs to it; its files are a list of their own."""

    asset: AssetItem
    detail: Mapping[str, Any]
    preview: Preview
    memberships: Sequence[Membership]
    sites: Sequence[SeenBy]
    packages: Sequence[str]
    cover: CoverView
    source: DocumentAnswer | None
    ai_runs: Sequence[DocumentAnswer]
    batch_key: str | None
    item: ItemView | None
    history: Sequence[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileItem:
    """One file of an asset. `store` is where its bytes are; `retired` ones are no longer named."""

    role: str
    path: str
    variant: str | None
    sha256: str | None
    md5: str | None
    etag: str | None
    size_bytes: int
    media_type: str | None
    store: str
    location: str
    created_at: datetime
    retired_at: datetime | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SightAnswer:
    """Whether a site sees an asset, by which routes, or why it does not."""

    content_hash: str
    site: str | None
    visible: bool
    sentence: str
    hidden_because: HiddenBecause | None
    routes: Sequence[Route]
    closed_routes: Sequence[Route]
    open: Sequence[str]
    closed: Sequence[str]


def routes() -> list[HTTPRouteHandler]:
    """The list, one asset, its files, and who sees it."""
    return [list_of_assets, one_asset, files, visibility]


def asset_item(card: AssetCard) -> AssetItem:
    """A card as the API tells it."""
    row, facts = card.asset, card.asset.facts
    return AssetItem(
        id=row.id,
        content_hash=facts.content_hash,
        name=card.name,
        type=facts.asset_type,
        subtype=facts.asset_subtype,
        title=facts.title,
        captured_at=facts.captured_at,
        captured_offset_min=facts.captured_offset_min,
        width=facts.width,
        height=facts.height,
        duration_s=facts.duration_s,
        files=card.files,
        bytes=card.bytes,
        badges=card.badges,
        sites=card.sites,
        batch_id=row.batch_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        thumbnail_url=card.thumbnail.url,
    )


@reads(
    "/assets",
    "The assets of the library, or those that a site sees",
    tag=TAG,
    operation_class=Export,
)
def list_of_assets(
    console: NamedDependency[Console],
    *,
    q: Word = None,
    type: Words = None,  # noqa: A002 - the parameter's own name
    subtype: Words = None,
    batch: Whole = None,
    transcript: Word = None,
    hls: Word = None,
    beside: Word = None,
    cover: Word = None,
    camera: Word = None,
    person: Whole = None,
    arrived_after: Instant = None,
    arrived_before: Instant = None,
    site: Word = None,
    sort: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[AssetItem]]:
    """A page of assets, or all of them; what is in the trash has a list of its own."""
    query = asked(
        ASSET_FIELDS,
        {
            "q": q,
            "type": type,
            "subtype": subtype,
            "batch": None if batch is None else str(batch),
            "transcript": transcript,
            "hls": hls,
            "beside": beside,
            "cover": cover,
            "camera": camera,
            "person": None if person is None else str(person),
            "arrived_after": arrived_after,
            "arrived_before": arrived_before,
        },
        cursor=cursor,
        limit=limit,
        sort=sort,
        sorts=ASSET_SORTS,
    )
    filters, order, db = asset_filter(query, site or None), AssetSort(query.sort), console.lading.db
    if form == "json":
        found = read_assets(db, filters, sort=order, cursor=query.cursor, limit=limit)
        return Response(many([asset_item(card) for card in found.cards], found, found.count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[AssetItem], str | None]:
        with db.read() as conn:
            if filters.site is not None:
                require_site(conn, filters.site)
            page = browse_assets(conn, filters, sort=order, cursor=after, limit=EXPORT_PAGE)
            cards = asset_cards(conn, page.assets)
        return [asset_item(card) for card in cards], page.next_cursor

    return export("assets", form, fetch, AssetItem)


@reads("/assets/{content_hash:str}", "One asset, in the trash or not", tag=TAG)
def one_asset(console: NamedDependency[Console], content_hash: FromPath[str]) -> AssetAnswer:
    """An asset with all that belongs to it."""
    found = read_asset(console.lading.db, content_hash)
    return AssetAnswer(
        asset=asset_item(found.card),
        detail=found.view.asset.facts.detail,
        preview=found.preview,
        memberships=found.memberships,
        sites=found.sites,
        packages=found.packages,
        cover=found.cover,
        source=_document(found.source) if found.source else None,
        ai_runs=[_document(run) for run in found.ai_runs],
        batch_key=found.batch.batch_key if found.batch else None,
        item=found.item,
        history=found.history,
    )


@reads("/assets/{content_hash:str}/files", "All files of an asset", tag=TAG)
def files(
    console: NamedDependency[Console], content_hash: FromPath[str], *, role: Word = None
) -> Many[FileItem]:
    """Its files, and those that its upstream no longer names."""
    found = read_asset(console.lading.db, content_hash)
    urls = {line.file.id: line.url for group in found.groups for line in group.files}
    rows = [*found.view.files, *found.view.retired]
    return whole(
        [
            FileItem(
                role=row.facts.role,
                path=row.facts.path,
                variant=row.facts.variant,
                sha256=row.facts.sha256,
                md5=row.facts.md5,
                etag=row.facts.etag,
                size_bytes=row.facts.size_bytes,
                media_type=row.facts.media_type,
                store=row.facts.store,
                location=row.facts.location,
                created_at=row.created_at,
                retired_at=row.deleted_at,
                url=urls.get(row.id),
            )
            for row in rows
            if not role or row.facts.role == role
        ]
    )


@reads(
    "/assets/{content_hash:str}/visibility",
    "Whether a site sees an asset, and why or why not",
    tag=TAG,
)
def visibility(
    console: NamedDependency[Console], content_hash: FromPath[str], *, site: Word = None
) -> SightAnswer:
    """Without a site: whether the library shows it. An asset that is not here is an answer, too."""
    found = read_sight(console.lading.db, site or None, content_hash)
    told = found.explanation
    return SightAnswer(
        content_hash=told.content_hash,
        site=found.site.key if found.site else None,
        visible=told.visible,
        sentence=found.sentence,
        hidden_because=told.hidden_because,
        routes=told.routes,
        closed_routes=told.closed_routes,
        open=found.open,
        closed=found.closed,
    )


def _document(found: DocumentText) -> DocumentAnswer:
    return DocumentAnswer(
        label=found.label,
        analysis_kind=found.document.analysis_kind,
        sha256=found.document.sha256,
        size_bytes=found.size_bytes,
        parsed=found.parsed,
        text=found.text,
        cut=found.cut,
    )
