"""Reads the library: lists, one asset with all that belongs to it, and counts (C6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, literal, select, union_all

from lading.db.keyset import Key, fetch_page
from lading.library.filters import (
    AssetFilter,
    ContainerFilter,
    asset_conditions,
    container_conditions,
)
from lading.library.known import (
    ASSET_OWNER,
    UnknownAsset,
    asset_row,
    container_row,
    load_files,
)
from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    asset,
    asset_ai_run,
    asset_cover,
    asset_file,
    asset_source,
)
from lading.library.values import AssetRow, ContainerRef, ContainerRow, FileRow


@dataclass(frozen=True, slots=True)
class AssetPage:
    """Assets, newest first, and the cursor of the page after them (None on the last page)."""

    assets: Sequence[AssetRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ContainerPage:
    """Containers, newest first, and the cursors of the pages around them."""

    containers: Sequence[ContainerRow]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """What an asset or container shows itself by; both ids are None while it is on its way."""

    cover_hash: str
    file_id: int | None
    asset_id: int | None


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A provenance document, verbatim; `analysis_kind` is None for `source.json`."""

    analysis_kind: str | None
    sha256: str
    body: bytes = field(repr=False)
    batch_id: int | None
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """One position at which a container, of this kind and number, names an asset."""

    container: ContainerRef
    title: str | None
    position: int
    deleted: bool
    container_id: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """An asset with all that belongs to it. `source` and `ai_runs` are the current ones.

    `retired` are files that its upstream no longer names.
    """

    asset: AssetRow
    files: Sequence[FileRow]
    cover: Cover | None
    source: KeptDocument | None
    ai_runs: Sequence[KeptDocument]
    memberships: Sequence[Membership]
    retired: Sequence[FileRow] = ()


@dataclass(frozen=True, slots=True)
class TypeCount:
    """Assets of one type and subtype: those shown and those in the trash."""

    asset_type: str
    asset_subtype: str | None
    live: int
    deleted: int


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """What the library holds. Files and bytes are those of assets that are not in the trash."""

    types: Sequence[TypeCount]
    files: int
    bytes: int
    containers: dict[str, int]
    covers_awaited: int

    @property
    def assets(self) -> int:
        """Assets that are not in the trash."""
        return sum(count.live for count in self.types)

    @property
    def deleted(self) -> int:
        """Assets in the trash."""
        return sum(count.deleted for count in self.types)


def list_assets(
    conn: Connection,
    filters: AssetFilter | None = None,
    *,
    where: ColumnElement[bool] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> AssetPage:
    """A page of assets, newest first. `where` narrows it further, as a site's view does."""
    query = select(asset).where(*asset_conditions(conn, filters or AssetFilter()))
    if where is not None:
        query = query.where(where)
    page = fetch_page(conn, query, [Key(asset.c.id, descending=True)], cursor=cursor, limit=limit)
    return AssetPage([asset_row(row) for row in page.rows], page.next_cursor)


def list_containers(
    conn: Connection,
    kind: ContainerKind,
    filters: ContainerFilter | None = None,
    *,
    where: ColumnElement[bool] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> ContainerPage:
    """A page of containers of one kind, newest first."""
    container, _ = CONTAINERS[kind]
    query = select(container).where(*container_conditions(kind, filters or ContainerFilter()))
    if where is not None:
        query = query.where(where)
    order = [Key(container.c.id, descending=True)]
    page = fetch_page(conn, query, order, cursor=cursor, limit=limit)
    rows = [container_row(kind, row) for row in page.rows]
    return ContainerPage(rows, page.next_cursor, page.prev_cursor)


def get_asset(conn: Connection, content_hash: str) -> AssetView:
    """One asset, in the trash or not, with all that belongs to it. Raises `UnknownAsset`."""
    row = conn.execute(select(asset).where(asset.c.content_hash == content_hash)).one_or_none()
    if row is None:
        raise UnknownAsset("the library has no such asset", subject=content_hash)
    found = asset_row(row)
    files = load_files(conn, [found.id], deleted=True).get(found.id, [])
    return AssetView(
        asset=found,
        files=[file for file in files if not file.deleted],
        retired=[file for file in files if file.deleted],
        cover=get_cover(conn, ASSET_OWNER, found.id),
        source=next(iter(source_history(conn, found.id, limit=1)), None),
        ai_runs=_current_ai_runs(conn, found.id),
        memberships=_memberships(conn, content_hash),
    )


def get_cover(conn: Connection, owner_kind: str, owner_id: int) -> Cover | None:
    """The cover of an asset (`asset`) or of a container (its kind), or None."""
    row = conn.execute(
        select(asset_cover.c.cover_hash, asset_cover.c.file_id, asset_cover.c.cover_asset_id).where(
            asset_cover.c.owner_kind == owner_kind, asset_cover.c.owner_id == owner_id
        )
    ).one_or_none()
    return None if row is None else Cover(row.cover_hash, row.file_id, row.cover_asset_id)


def source_history(conn: Connection, asset_id: int, *, limit: int = 50) -> list[KeptDocument]:
    """The asset's `source.json` documents, the current one first."""
    rows = conn.execute(
        select(asset_source)
        .where(asset_source.c.asset_id == asset_id)
        .order_by(asset_source.c.created_at.desc(), asset_source.c.id.desc())
        .limit(limit)
    )
    return [
        KeptDocument(None, row.sha256, bytes(row.body), row.batch_id, row.created_at)
        for row in rows
    ]


def ai_run_history(
    conn: Connection, asset_id: int, analysis_kind: str, *, limit: int = 50
) -> list[KeptDocument]:
    """The asset's AI runs of one kind, the current one first."""
    rows = conn.execute(
        select(asset_ai_run)
        .where(asset_ai_run.c.asset_id == asset_id, asset_ai_run.c.analysis_kind == analysis_kind)
        .order_by(asset_ai_run.c.created_at.desc(), asset_ai_run.c.id.desc())
        .limit(limit)
    )
    return [_ai_run(row) for row in rows]


def count_library(conn: Connection) -> LibraryCounts:
    """All counts of the library, by query."""
    types = [
        TypeCount(row.asset_type, row.asset_subtype, row.total - row.deleted, row.deleted)
        for row in conn.execute(
            select(
                asset.c.asset_type,
                asset.c.asset_subtype,
                func.count().label("total"),
                func.count(asset.c.deleted_at).label("deleted"),
            )
            .group_by(asset.c.asset_type, asset.c.asset_subtype)
            .order_by(asset.c.asset_type, asset.c.asset_subtype)
        )
    ]
    files, size = conn.execute(
        select(func.count(), func.coalesce(func.sum(asset_file.c.size_bytes), 0))
        .select_from(asset_file.join(asset, asset.c.id == asset_file.c.asset_id))
        .where(asset_file.c.deleted_at.is_(None), asset.c.deleted_at.is_(None))
    ).one()
    containers = {
        kind.value: conn.scalar(
            select(func.count()).select_from(container).where(container.c.deleted_at.is_(None))
        )
        or 0
        for kind, (container, _) in CONTAINERS.items()
    }
    awaited = conn.scalar(
        select(func.count())
        .select_from(asset_cover)
        .where(asset_cover.c.file_id.is_(None), asset_cover.c.cover_asset_id.is_(None))
    )
    return LibraryCounts(types, int(files), int(size), containers, awaited or 0)


def count_assets(
    conn: Connection,
    filters: AssetFilter | None = None,
    *,
    where: ColumnElement[bool] | None = None,
) -> int:
    """How many assets a list with these filters has."""
    conditions = asset_conditions(conn, filters or AssetFilter())
    query = select(func.count()).select_from(asset).where(*conditions)
    if where is not None:
        query = query.where(where)
    return conn.scalar(query) or 0


def _current_ai_runs(conn: Connection, asset_id: int) -> list[KeptDocument]:
    """The newest run of each kind; only their bodies are read."""
    current: dict[str, int] = {}
    for row in conn.execute(
        select(asset_ai_run.c.id, asset_ai_run.c.analysis_kind)
        .where(asset_ai_run.c.asset_id == asset_id)
        .order_by(asset_ai_run.c.created_at, asset_ai_run.c.id)
    ):
        current[row.analysis_kind] = row.id
    rows = conn.execute(
        select(asset_ai_run)
        .where(asset_ai_run.c.id.in_(sorted(current.values())))
        .order_by(asset_ai_run.c.analysis_kind)
    )
    return [_ai_run(row) for row in rows]


def _ai_run(row: Row[Any]) -> KeptDocument:
    return KeptDocument(
        row.analysis_kind, row.sha256, bytes(row.body), row.batch_id, row.created_at
    )


def _memberships(conn: Connection, content_hash: str) -> list[Membership]:
    found = union_all(
        *(
            select(
                literal(kind.value).label("kind"),
                item.c.container_id,
                container.c.key,
                container.c.title,
                item.c.position,
                container.c.deleted_at,
            )
            .select_from(item.join(container, container.c.id == item.c.container_id))
            .where(item.c.content_hash == content_hash)
            for kind, (container, item) in CONTAINERS.items()
        )
    ).subquery()
    rows = conn.execute(select(found).order_by(found.c.kind, found.c.key, found.c.position))
    return [
        Membership(
            ContainerRef(row.kind, row.key),
            row.title,
            row.position,
            row.deleted_at is not None,
            row.container_id,
        )
        for row in rows
    ]
