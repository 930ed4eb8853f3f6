"""Access packages: assets and containers put together once and opened to many sites (A18)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lading.base.errors import RequestError
from lading.library.links import add_links, drop_links, link_containers, unlink_containers
from lading.library.named import Named, create_named, find_named, list_named
from lading.library.sites import require_site
from lading.library.statements import moment
from lading.library.tables import (
    access_package,
    access_package_asset,
    access_package_container,
    site_access_package,
)
from lading.library.values import ContainerRef


class UnknownPackage(RequestError):
    """An access package that was never set up."""

    code = "unknown_package"
    http_status = 404
    next_step = "Check the key of the access package, or create it first."


@dataclass(frozen=True, slots=True)
class PackageContent:
    """Assets and containers that went into a package or out of it."""

    assets: Sequence[str] = ()
    containers: Sequence[ContainerRef] = ()


def create_package(conn: Connection, key: str, name: str) -> Named:
    """Set up an access package; the same one again changes nothing. Raises `KeyTaken`."""
    return create_named(conn, access_package, key, name)


def list_packages(conn: Connection) -> list[Named]:
    """All access packages by key."""
    return list_named(conn, access_package)


def require_package(conn: Connection, key: str) -> Named:
    """The access package of that key. Raises `UnknownPackage`."""
    found = find_named(conn, access_package, key)
    if found is None:
        raise UnknownPackage("there is no such access package", subject=key)
    return found


def add_to_package(
    conn: Connection,
    package_key: str,
    *,
    hashes: Iterable[str] = (),
    containers: Sequence[ContainerRef] = (),
) -> PackageContent:
    """Put content in a package, also assets that are not here yet; returns what was new."""
    fixed = {"package_id": require_package(conn, package_key).id}
    return PackageContent(
        add_links(conn, access_package_asset, fixed, "content_hash", hashes),
        link_containers(conn, access_package_container, fixed, containers),
    )


def remove_from_package(
    conn: Connection,
    package_key: str,
    *,
    hashes: Iterable[str] = (),
    containers: Sequence[ContainerRef] = (),
) -> PackageContent:
    """Take content out of a package; returns what was in it."""
    fixed = {"package_id": require_package(conn, package_key).id}
    return PackageContent(
        drop_links(conn, access_package_asset, fixed, "content_hash", hashes),
        unlink_containers(conn, access_package_container, fixed, containers),
    )


def attach_package(conn: Connection, site_key: str, package_key: str) -> bool:
    """Open a package to a site; False when it was open already."""
    fixed = {"site_id": require_site(conn, site_key).id}
    ids = [require_package(conn, package_key).id]
    at = moment(conn)
    return bool(add_links(conn, site_access_package, fixed, "package_id", ids, created_at=at))


def detach_package(conn: Connection, site_key: str, package_key: str) -> bool:
    """Close a package to a site; False when it was not open."""
    fixed = {"site_id": require_site(conn, site_key).id}
    ids = [require_package(conn, package_key).id]
    return bool(drop_links(conn, site_access_package, fixed, "package_id", ids))
