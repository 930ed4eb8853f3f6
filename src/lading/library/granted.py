"""Lists what a site was given and what a package holds, a page at a time, whether here or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select, union_all

from lading.db.keyset import Key, fetch_page
from lading.library.known import asset_row
from lading.library.named import Named
from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    access_package,
    access_package_asset,
    access_package_container,
    asset,
    asset_site_membership,
    container_site_membership,
    site,
    site_access_package,
    site_allow_list,
)
from lading.library.values import AssetRow, ContainerRef


@dataclass(frozen=True, slots=True)
class GrantedAsset:
    """Content that a site or package names; `asset` is None while it is awaited."""

    content_hash: str
    asset: AssetRow | None


@dataclass(frozen=True, slots=True)
class GrantedAssets:
    """A page of what is named, and the cursors of the pages around it."""

    entries: Sequence[GrantedAsset]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True)
class GrantedContainer:
    """A container that a site or package was given; one in the trash leads nowhere."""

    id: int
    ref: ContainerRef
    title: str | None
    deleted: bool


@dataclass(frozen=True, slots=True)
class PackageSize:
    """How much a package holds, and how many sites it is open to."""

    assets: int = 0
    containers: int = 0
    sites: int = 0


def site_members(
    conn: Connection, site_id: int, *, cursor: str | None = None, limit: int = 50
) -> GrantedAssets:
    """Assets that are members of the site themselves, the last to arrive first."""
    link = asset_site_membership
    query = (
        select(asset)
        .join_from(link, asset, asset.c.id == link.c.asset_id)
        .where(link.c.site_id == site_id)
    )
    order = [Key(asset.c.id, descending=True)]
    page = fetch_page(conn, query, order, cursor=cursor, limit=limit)
    entries = [GrantedAsset(row.content_hash, asset_row(row)) for row in page.rows]
    return GrantedAssets(entries, page.next_cursor, page.prev_cursor)


def allowed_content(
    conn: Connection,
    site_id: int,
    *,
    awaited: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> GrantedAssets:
    """The site's allow list by hash; `awaited` shows only what is not here, or only the rest."""
    link = site_allow_list
    mine = link.c.site_id == site_id
    return _by_hash(conn, link, mine, awaited=awaited, cursor=cursor, limit=limit)


def packed_content(
    conn: Connection, package_id: int, *, cursor: str | None = None, limit: int = 50
) -> GrantedAssets:
    """The assets that a package names by hash, whether here or awaited."""
    link = access_package_asset
    mine = link.c.package_id == package_id
    return _by_hash(conn, link, mine, awaited=None, cursor=cursor, limit=limit)


def site_containers(conn: Connection, site_id: int) -> list[GrantedContainer]:
    """Containers that are shown on the site by themselves."""
    link = container_site_membership
    return _containers(conn, link, link.c.site_id == site_id)


def packed_containers(conn: Connection, package_id: int) -> list[GrantedContainer]:
    """Containers in a package."""
    link = access_package_container
    return _containers(conn, link, link.c.package_id == package_id)


def site_packages(conn: Connection, site_id: int) -> list[Named]:
    """The packages that are open to a site."""
    return _linked(conn, access_package, site_access_package.c.package_id, site_id=site_id)


def package_sites(conn: Connection, package_id: int) -> list[Named]:
    """The sites that a package is open to."""
    return _linked(conn, site, site_access_package.c.site_id, package_id=package_id)


def package_sizes(conn: Connection) -> dict[int, PackageSize]:
    """The sizes of all packages that hold anything or are open to anybody."""
    counted = [
        {
            row[0]: int(row[1])
            for row in conn.execute(
                select(link.c.package_id, func.count()).group_by(link.c.package_id)
            )
        }
        for link in (access_package_asset, access_package_container, site_access_package)
    ]
    assets, containers, sites = counted
    return {
        number: PackageSize(assets.get(number, 0), containers.get(number, 0), sites.get(number, 0))
        for number in {*assets, *containers, *sites}
    }


def _by_hash(
    conn: Connection,
    link: Table,
    mine: ColumnElement[bool],
    *,
    awaited: bool | None,
    cursor: str | None,
    limit: int,
) -> GrantedAssets:
    name = link.c.content_hash.label("named_hash")
    query = (
        select(name, *asset.c)
        .select_from(link.outerjoin(asset, asset.c.content_hash == link.c.content_hash))
        .where(mine)
    )
    if awaited is not None:
        query = query.where(asset.c.id.is_(None) if awaited else asset.c.id.is_not(None))
    page = fetch_page(conn, query, [Key(name)], cursor=cursor, limit=limit)
    entries = [
        GrantedAsset(row.named_hash, None if row.id is None else asset_row(row))
        for row in page.rows
    ]
    return GrantedAssets(entries, page.next_cursor, page.prev_cursor)


def _containers(conn: Connection, link: Table, mine: ColumnElement[bool]) -> list[GrantedContainer]:
    parts = [
        select(
            link.c.container_kind,
            container.c.id,
            container.c.key,
            container.c.title,
            container.c.deleted_at,
        )
        .join_from(link, container, container.c.id == link.c.container_id)
        .where(mine, link.c.container_kind == kind.value)
        for kind, (container, _) in CONTAINERS.items()
    ]
    rows = conn.execute(union_all(*parts)).all()
    kinds = list(ContainerKind)
    return [
        GrantedContainer(
            row.id, ContainerRef(row.container_kind, row.key), row.title, row.deleted_at is not None
        )
        for row in sorted(rows, key=lambda row: (kinds.index(row.container_kind), row.key))
    ]


def _linked(conn: Connection, into: Table, column: Column[Any], **which: int) -> list[Named]:
    link = site_access_package
    rows = conn.execute(
        select(into)
        .join_from(into, link, into.c.id == column)
        .where(*(link.c[name] == value for name, value in which.items()))
        .order_by(into.c.key)
    )
    return [Named(row.id, row.key, row.name, row.created_at) for row in rows]
