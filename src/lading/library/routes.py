"""The ways from a site to an asset, each written once as a query (A18).

Lists ask whether a way exists for each asset, an explanation asks which ones there are, and a
summary counts by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, literal, select

from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    access_package,
    access_package_asset,
    access_package_container,
    asset,
    asset_site_membership,
    container_site_membership,
    site_access_package,
    site_allow_list,
)


class RouteKind(StrEnum):
    """The four routes by which a site sees content."""

    SITE_MEMBERSHIP = "site_membership"
    CONTAINER_MEMBERSHIP = "container_membership"
    ALLOW_LIST = "allow_list"
    ACCESS_PACKAGE = "access_package"


@dataclass(frozen=True, slots=True)
class Way:
    """A query that has a row for each way of this kind to one asset.

    Its columns are `route`, `package_key`, `container_kind`, `container_key` (empty text where
    there is no such part) and `closed` (1 through a container in the trash). `open` is what must
    hold for the way to lead anywhere. `granted` has a row when the site has such a way at all.
    """

    kind: RouteKind
    query: Select[Any]
    granted: Select[Any]
    open: ColumnElement[bool] | None = None

    def exists(self) -> ColumnElement[bool]:
        """The condition on `asset` of the enclosing query that this way leads to it."""
        query = self.query.with_only_columns(literal(1), maintain_column_froms=True)
        if self.open is not None:
            query = query.where(self.open)
        return query.correlate(asset).exists()


@dataclass(frozen=True, slots=True)
class ContainerGrant:
    """The rows that show containers of one kind on a site, and the container each shows."""

    rows: FromClause
    of_site: ColumnElement[bool]
    container_id: ColumnElement[int]

    def exists(self, container_id: ColumnElement[int]) -> ColumnElement[bool]:
        """The condition that the container of the enclosing query is shown."""
        return _any(self.rows, self.of_site, self.container_id == container_id).exists()


def open_ways(conn: Connection, site_id: int) -> list[Way]:
    """The ways the site really has: most sites use few, and each costs a look-up per asset."""
    ways = all_ways(site_id)
    given = conn.execute(select(*(way.granted.exists() for way in ways))).one()
    return [way for way, is_given in zip(ways, given, strict=True) if is_given]


def all_ways(site_id: int, content_hash: str | None = None) -> list[Way]:
    """Every way from a site to the asset of the enclosing query, or to one content hash."""
    wanted: Any = asset.c.content_hash if content_hash is None else literal(content_hash)
    ways = [
        _membership(site_id, content_hash),
        _allow_list(site_id, wanted),
        _package_asset(site_id, wanted),
    ]
    for kind in ContainerKind:
        container, item = CONTAINERS[kind]
        for route, grant in container_grants(site_id, kind).items():
            shown = item.join(container, container.c.id == item.c.container_id).join(
                grant.rows, and_(grant.of_site, grant.container_id == container.c.id)
            )
            query = _columns(route, kind).select_from(shown)
            ways.append(
                Way(
                    route,
                    query.where(item.c.content_hash == wanted),
                    _any(grant.rows, grant.of_site),
                    container.c.deleted_at.is_(None),
                )
            )
    return ways


def container_grants(site_id: int, kind: ContainerKind) -> Mapping[RouteKind, ContainerGrant]:
    """How containers of a kind are shown on a site: by themselves, or in a package."""
    own = container_site_membership
    packed = access_package_container
    packages = packed.join(
        site_access_package, site_access_package.c.package_id == packed.c.package_id
    ).join(access_package, access_package.c.id == packed.c.package_id)
    return {
        RouteKind.CONTAINER_MEMBERSHIP: ContainerGrant(
            own,
            and_(own.c.site_id == site_id, own.c.container_kind == kind.value),
            own.c.container_id,
        ),
        RouteKind.ACCESS_PACKAGE: ContainerGrant(
            packages,
            and_(site_access_package.c.site_id == site_id, packed.c.container_kind == kind.value),
            packed.c.container_id,
        ),
    }


def _membership(site_id: int, content_hash: str | None) -> Way:
    link = asset_site_membership
    asset_id: Any = asset.c.id
    if content_hash is not None:
        asset_id = select(asset.c.id).where(asset.c.content_hash == content_hash).scalar_subquery()
    query = _columns(RouteKind.SITE_MEMBERSHIP).select_from(link)
    return Way(
        RouteKind.SITE_MEMBERSHIP,
        query.where(link.c.site_id == site_id, link.c.asset_id == asset_id),
        _any(link, link.c.site_id == site_id),
    )


def _allow_list(site_id: int, wanted: Any) -> Way:
    link = site_allow_list
    query = _columns(RouteKind.ALLOW_LIST).select_from(link)
    return Way(
        RouteKind.ALLOW_LIST,
        query.where(link.c.site_id == site_id, link.c.content_hash == wanted),
        _any(link, link.c.site_id == site_id),
    )


def _package_asset(site_id: int, wanted: Any) -> Way:
    link = site_access_package
    packed = access_package_asset
    packages = link.join(packed, packed.c.package_id == link.c.package_id).join(
        access_package, access_package.c.id == link.c.package_id
    )
    query = _columns(RouteKind.ACCESS_PACKAGE).select_from(packages)
    return Way(
        RouteKind.ACCESS_PACKAGE,
        query.where(link.c.site_id == site_id, packed.c.content_hash == wanted),
        _any(packages, link.c.site_id == site_id),
    )


def _columns(route: RouteKind, kind: ContainerKind | None = None) -> Select[Any]:
    in_package = route is RouteKind.ACCESS_PACKAGE
    container = CONTAINERS[kind][0] if kind else None
    return select(
        literal(route.value).label("route"),
        (access_package.c.key if in_package else literal("")).label("package_key"),
        literal(kind.value if kind else "").label("container_kind"),
        (literal("") if container is None else container.c.key).label("container_key"),
        (
            literal(0)
            if container is None
            else case((container.c.deleted_at.is_(None), 0), else_=1)
        ).label("closed"),
    )


def _any(rows: FromClause, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(literal(1)).select_from(rows).where(*conditions)
