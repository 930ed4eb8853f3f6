"""What a site sees, why something is not seen, and how much there is by each route (A18)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    union,
)

from lading.library.filters import AssetFilter, ContainerFilter
from lading.library.queries import (
    AssetPage,
    ContainerPage,
    count_assets,
    list_assets,
    list_containers,
)
from lading.library.routes import RouteKind, all_ways, open_ways
from lading.library.sites import require_site
from lading.library.statements import chunked
from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    access_package_asset,
    access_package_container,
    asset,
    asset_site_membership,
    container_site_membership,
    site,
    site_access_package,
    site_allow_list,
)
from lading.library.values import ContainerRef


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


def route_sentence(route: Route) -> str:
    """One way from a site to an asset, in words."""
    match route.kind:
        case RouteKind.SITE_MEMBERSHIP:
            words = "It is a member of the site itself"
        case RouteKind.ALLOW_LIST:
            words = "It is on the site's allow list"
        case RouteKind.CONTAINER_MEMBERSHIP:
            words = f"The site shows {route.name}, which holds it"
        case RouteKind.ACCESS_PACKAGE if route.via is not None:
            words = f"The package {route.name} is open to the site and has {route.via} in it"
        case RouteKind.ACCESS_PACKAGE:
            words = f"The package {route.name} is open to the site and has it in it"
    return f"{words}, but that is in the trash." if route.closed else f"{words}."


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
    if site_key is not None:
        require_site(conn, site_key)
    filters = ContainerFilter(site=site_key)
    return list_containers(conn, kind, filters, cursor=cursor, limit=limit)


def visible_to(conn: Connection, site_key: str | None) -> ColumnElement[bool]:
    """The condition on `asset` that a site sees it. Raises `UnknownSite`."""
    live = asset.c.deleted_at.is_(None)
    if site_key is None:
        return live
    ways = open_ways(conn, require_site(conn, site_key).id)
    return and_(live, or_(false(), *(way.exists() for way in ways)))


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
    ways = open_ways(conn, site_id)
    by_route = {
        kind: count_assets(
            conn, where=or_(false(), *(way.exists() for way in ways if way.kind is kind))
        )
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


def sites_seeing(conn: Connection, hashes: Iterable[str]) -> dict[str, list[str]]:
    """The keys of all sites that see each of these assets, by whatever route; a few statements.

    What is in the trash is seen by none.
    """
    found: dict[str, list[str]] = {}
    for chunk in chunked(dict.fromkeys(hashes)):
        ways = union(*(way.where(asset.c.content_hash.in_(chunk)) for way in _sights())).subquery()
        rows = conn.execute(
            select(ways.c.content_hash, ways.c.deleted_at, site.c.key)
            .join_from(ways, site, site.c.id == ways.c.site_id)
            .order_by(ways.c.content_hash, site.c.key)
        )
        for row in rows:
            # Not asked of the database: SQLite would look through all that is not in the trash
            # rather than for these few.
            if row.deleted_at is None:
                found.setdefault(row.content_hash, []).append(row.key)
    return found


def _sights() -> Iterator[Select[Any]]:
    """Every pair of an asset, in the trash or not, and a site shown it, by each of the routes."""
    own, listed, opened = asset_site_membership, site_allow_list, site_access_package
    hash_ = asset.c.content_hash
    assets = select(hash_, asset.c.deleted_at)
    yield assets.add_columns(own.c.site_id).join(own, own.c.asset_id == asset.c.id)
    yield assets.add_columns(listed.c.site_id).join(listed, listed.c.content_hash == hash_)
    packed = access_package_asset
    yield (
        assets.add_columns(opened.c.site_id)
        .join(packed, packed.c.content_hash == hash_)
        .join(opened, opened.c.package_id == packed.c.package_id)
    )
    shown, boxed = container_site_membership, access_package_container
    for kind, (container, item) in CONTAINERS.items():
        inside = (
            assets.join(item, item.c.content_hash == hash_)
            .join(container, container.c.id == item.c.container_id)
            .where(container.c.deleted_at.is_(None))
        )
        yield inside.add_columns(shown.c.site_id).join(
            shown,
            and_(shown.c.container_kind == kind.value, shown.c.container_id == container.c.id),
        )
        yield (
            inside.add_columns(opened.c.site_id)
            .join(
                boxed,
                and_(boxed.c.container_kind == kind.value, boxed.c.container_id == container.c.id),
            )
            .join(opened, opened.c.package_id == boxed.c.package_id)
        )


def _routes(conn: Connection, site_key: str, content_hash: str) -> list[Route]:
    """All routes to one content hash, in one statement; it need not be an asset yet."""
    ways = all_ways(require_site(conn, site_key).id, content_hash)
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
