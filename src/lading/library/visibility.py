"""What a site sees, by which routes, and why something is not seen (A18).

A route is written once, as a query for one asset. Lists ask whether one exists for each asset,
an explanation asks which ones do, and a summary counts per route.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union,
)

from lading.library.queries import (
    AssetFilter,
    AssetPage,
    ContainerPage,
    count_assets,
    list_assets,
    list_containers,
)
from lading.library.sites import require_site
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
from lading.library.values import ContainerRef


class RouteKind(StrEnum):
    """The four routes by which a site sees content."""

    SITE_MEMBERSHIP = "site_membership"
    CONTAINER_MEMBERSHIP = "container_membership"
    ALLOW_LIST = "allow_list"
    ACCESS_PACKAGE = "access_package"


class HiddenBecause(StrEnum):
    """Why a site does not see an asset."""

    ASSET_UNKNOWN = "asset_unknown"
    ASSET_DELETED = "asset_deleted"
    CONTAINER_DELETED = "container_deleted"
    NO_ROUTE = "no_route"


HIDDEN_SENTENCES: Final = {
    HiddenBecause.ASSET_UNKNOWN: "The library does not have this asset.",
    HiddenBecause.ASSET_DELETED: "The asset is in the trash.",
    HiddenBecause.CONTAINER_DELETED: "Every container that leads to the asset is in the trash.",
    HiddenBecause.NO_ROUTE: "Nothing makes the asset visible on this site.",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One way from a site to an asset. A `closed` one leads through a container in the trash.

    `name` is what was granted: the site itself, a container (`gallery:key`), or a package.
    `via` is the container within a package.
    """

    kind: RouteKind
    name: str
    via: ContainerRef | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a site sees an asset. `routes` are the open ones, `closed_routes` the others."""

    content_hash: str
    visible: bool
    routes: Sequence[Route] = ()
    closed_routes: Sequence[Route] = ()
    hidden_because: HiddenBecause | None = None


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """Assets a site sees: all of them, each once, and how many by each route.

    `awaited` are entries of its allow-list that have not arrived yet.
    """

    site_key: str
    visible: int
    by_route: dict[RouteKind, int]
    awaited: int


@dataclass(frozen=True, slots=True)
class _Way:
    """A query that has a row for each way of this kind to one asset."""

    kind: RouteKind
    query: Select[Any]
    open: ColumnElement[bool] | None


def visible_assets(
    conn: Connection,
    site_key: str | None,
    *,
    filters: AssetFilter | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> AssetPage:
    """A page of the assets a site sees, newest first, each once; deleted ones never.

    `site_key` None is "no site selected": everything that is not in the trash. Raises
    `UnknownSite`.
    """
    where = visible_to(conn, site_key)
    return list_assets(conn, filters, where=where, cursor=cursor, limit=limit)


def visible_containers(
    conn: Connection,
    site_key: str | None,
    kind: ContainerKind,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> ContainerPage:
    """A page of the containers of a kind that a site shows, by membership or in a package."""
    where = None
    if site_key is not None:
        container, _ = CONTAINERS[kind]
        site_id = require_site(conn, site_key).id
        where = or_(
            *(
                select(literal(1)).select_from(table).where(*conditions).exists()
                for table, conditions in (
                    _container_grant(site_id, kind, container.c.id),
                    _package_container_grant(site_id, kind, container.c.id),
                )
            )
        )
    return list_containers(conn, kind, where=where, cursor=cursor, limit=limit)


def visible_to(conn: Connection, site_key: str | None) -> ColumnElement[bool]:
    """The condition on `asset` that a site sees it. Raises `UnknownSite`."""
    live = asset.c.deleted_at.is_(None)
    if site_key is None:
        return live
    ways = _ways(require_site(conn, site_key).id)
    return and_(live, or_(*(_exists(way) for way in ways)))


def explain(conn: Connection, site_key: str | None, content_hash: str) -> Explanation:
    """Why a site sees an asset, by every route there is, or why it does not."""
    row = conn.execute(
        select(asset.c.id, asset.c.deleted_at).where(asset.c.content_hash == content_hash)
    ).one_or_none()
    found = [] if site_key is None else _routes(conn, site_key, content_hash)
    routes = [route for route in found if not route.closed]
    closed = [route for route in found if route.closed]
    because = None
    if row is None:
        because = HiddenBecause.ASSET_UNKNOWN
    elif row.deleted_at is not None:
        because = HiddenBecause.ASSET_DELETED
    elif site_key is not None and not routes:
        because = HiddenBecause.CONTAINER_DELETED if closed else HiddenBecause.NO_ROUTE
    return Explanation(content_hash, because is None, routes, closed, because)


def site_summary(conn: Connection, site_key: str) -> SiteSummary:
    """Counts of what a site sees, by query. Raises `UnknownSite`."""
    site_id = require_site(conn, site_key).id
    ways = _ways(site_id)
    by_route = {
        kind: count_assets(conn, where=or_(*(_exists(w) for w in ways if w.kind is kind)))
        for kind in RouteKind
    }
    awaited = conn.scalar(
        select(func.count())
        .select_from(site_allow_list)
        .where(
            site_allow_list.c.site_id == site_id,
            ~select(literal(1))
            .where(asset.c.content_hash == site_allow_list.c.content_hash)
            .exists(),
        )
    )
    visible = count_assets(conn, where=visible_to(conn, site_key))
    return SiteSummary(site_key, visible, by_route, awaited or 0)


def _exists(way: _Way) -> ColumnElement[bool]:
    query = way.query.with_only_columns(literal(1), maintain_column_froms=True)
    if way.open is not None:
        query = query.where(way.open)
    return query.correlate(asset).exists()


def _routes(conn: Connection, site_key: str, content_hash: str) -> list[Route]:
    """All routes to one content hash, in one statement; it need not be an asset yet."""
    ways = _ways(require_site(conn, site_key).id, content_hash)
    found = union(*(way.query for way in ways)).subquery()
    rows = conn.execute(
        select(found).order_by(
            found.c.route, found.c.package_key, found.c.container_kind, found.c.container_key
        )
    )
    routes = []
    for row in rows:
        kind = RouteKind(row.route)
        via = ContainerRef(row.container_kind, row.container_key) if row.container_kind else None
        if kind is RouteKind.ACCESS_PACKAGE:
            routes.append(Route(kind, row.package_key, via, bool(row.closed)))
        else:
            routes.append(Route(kind, str(via) if via else site_key, None, bool(row.closed)))
    return sorted(routes, key=lambda route: list(RouteKind).index(route.kind))


def _ways(site_id: int, content_hash: str | None = None) -> list[_Way]:
    """Every way from a site to the asset of the enclosing query, or to one content hash."""
    wanted: Any = asset.c.content_hash if content_hash is None else literal(content_hash)
    asset_id: Any = (
        asset.c.id
        if content_hash is None
        else select(asset.c.id).where(asset.c.content_hash == content_hash).scalar_subquery()
    )
    member = _columns(RouteKind.SITE_MEMBERSHIP).select_from(asset_site_membership)
    allowed = _columns(RouteKind.ALLOW_LIST).select_from(site_allow_list)
    package = (
        _columns(RouteKind.ACCESS_PACKAGE, package=True)
        .select_from(
            site_access_package.join(
                access_package, access_package.c.id == site_access_package.c.package_id
            ).join(
                access_package_asset,
                access_package_asset.c.package_id == site_access_package.c.package_id,
            )
        )
        .where(
            site_access_package.c.site_id == site_id,
            access_package_asset.c.content_hash == wanted,
        )
    )
    ways = [
        _Way(
            RouteKind.SITE_MEMBERSHIP,
            member.where(
                asset_site_membership.c.site_id == site_id,
                asset_site_membership.c.asset_id == asset_id,
            ),
            None,
        ),
        _Way(
            RouteKind.ALLOW_LIST,
            allowed.where(
                site_allow_list.c.site_id == site_id, site_allow_list.c.content_hash == wanted
            ),
            None,
        ),
        _Way(RouteKind.ACCESS_PACKAGE, package, None),
    ]
    for kind in ContainerKind:
        ways += _container_ways(site_id, kind, wanted)
    return ways


def _container_ways(site_id: int, kind: ContainerKind, wanted: Any) -> list[_Way]:
    container, item = CONTAINERS[kind]
    ways = []
    for route, (granted, conditions) in (
        (RouteKind.CONTAINER_MEMBERSHIP, _container_grant(site_id, kind, container.c.id)),
        (RouteKind.ACCESS_PACKAGE, _package_container_grant(site_id, kind, container.c.id)),
    ):
        query = (
            _columns(route, kind, package=route is RouteKind.ACCESS_PACKAGE)
            .select_from(
                item.join(container, container.c.id == item.c.container_id).join(
                    granted, and_(*conditions)
                )
            )
            .where(item.c.content_hash == wanted)
        )
        ways.append(_Way(route, query, container.c.deleted_at.is_(None)))
    return ways


def _container_grant(
    site_id: int, kind: ContainerKind, container_id: ColumnElement[int]
) -> tuple[Any, list[ColumnElement[bool]]]:
    link = container_site_membership
    return link, [
        link.c.site_id == site_id,
        link.c.container_kind == kind.value,
        link.c.container_id == container_id,
    ]


def _package_container_grant(
    site_id: int, kind: ContainerKind, container_id: ColumnElement[int]
) -> tuple[Any, list[ColumnElement[bool]]]:
    link = access_package_container
    granted = link.join(
        site_access_package, site_access_package.c.package_id == link.c.package_id
    ).join(access_package, access_package.c.id == link.c.package_id)
    return granted, [
        site_access_package.c.site_id == site_id,
        link.c.container_kind == kind.value,
        link.c.container_id == container_id,
    ]


def _columns(
    route: RouteKind, kind: ContainerKind | None = None, *, package: bool = False
) -> Select[Any]:
    """The columns an explanation reads; empty text where a route has no such part."""
    container = CONTAINERS[kind][0] if kind else None
    return select(
        literal(route.value).label("route"),
        (access_package.c.key if package else literal("")).label("package_key"),
        literal(kind.value if kind else "").label("container_kind"),
        (literal("") if container is None else container.c.key).label("container_key"),
        (
            literal(0)
            if container is None
            else case((container.c.deleted_at.is_(None), 0), else_=1)
        ).label("closed"),
    )
