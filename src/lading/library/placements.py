"""Where containers and assets were put: the sites that show them and the packages they are in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, and_, select, union

from lading.library.statements import chunked
from lading.library.tables import (
    ContainerKind,
    access_package,
    access_package_asset,
    access_package_container,
    container_site_membership,
    site,
    site_access_package,
)


def container_sites(
    conn: Connection, kind: ContainerKind, ids: Sequence[int]
) -> dict[int, list[str]]:
    """The keys of the sites that show each of these containers, by membership or in a package."""
    shown, boxed, opened = container_site_membership, access_package_container, site_access_package
    found: dict[int, list[str]] = defaultdict(list)
    for chunk in chunked(ids):
        direct = select(shown.c.container_id, shown.c.site_id).where(
            shown.c.container_kind == kind.value, shown.c.container_id.in_(chunk)
        )
        packed = (
            select(boxed.c.container_id, opened.c.site_id)
            .join_from(boxed, opened, opened.c.package_id == boxed.c.package_id)
            .where(boxed.c.container_kind == kind.value, boxed.c.container_id.in_(chunk))
        )
        ways = union(direct, packed).subquery()
        for row in conn.execute(
            select(ways.c.container_id, site.c.key)
            .join_from(ways, site, site.c.id == ways.c.site_id)
            .order_by(ways.c.container_id, site.c.key)
        ):
            found[row.container_id].append(row.key)
    return found


def container_packages(
    conn: Connection, kind: ContainerKind, ids: Sequence[int]
) -> dict[int, list[str]]:
    """The keys of the access packages that hold each of these containers."""
    boxed = access_package_container
    found: dict[int, list[str]] = defaultdict(list)
    for chunk in chunked(ids):
        for row in conn.execute(
            select(boxed.c.container_id, access_package.c.key)
            .join_from(boxed, access_package, access_package.c.id == boxed.c.package_id)
            .where(and_(boxed.c.container_kind == kind.value, boxed.c.container_id.in_(chunk)))
            .order_by(boxed.c.container_id, access_package.c.key)
        ):
            found[row.container_id].append(row.key)
    return found


def asset_packages(conn: Connection, content_hash: str) -> list[str]:
    """The keys of the access packages that hold an asset by itself."""
    packed = access_package_asset
    return list(
        conn.scalars(
            select(access_package.c.key)
            .join_from(packed, access_package, access_package.c.id == packed.c.package_id)
            .where(packed.c.content_hash == content_hash)
            .order_by(access_package.c.key)
        )
    )
