"""Access packages: assets and containers put together once and opened to many sites (A18)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lading.base.errors import RequestError
from lading.ledger.library_events import LinkChange
from lading.library.links import add_links, drop_links, link_containers, unlink_containers
from lading.library.named import Named, create_named, find_named, list_named, rename_named
from lading.library.recording import record_package, record_package_content, record_site
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


def create_package(conn: Connection, key: str, name: str, *, actor: str) -> Named:
    """Set up a package; the same one again changes nothing. Raises `KeyTaken`, `NameRefused`."""
    found, created = create_named(conn, access_package, key, name)
    if created:
        record_package(conn, key, LinkChange.CREATED, actor=actor, after=name)
    return found


def rename_package(conn: Connection, key: str, name: str, *, actor: str) -> Named:
    """Give a package another name; its key, and with it every site it is open to, stays."""
    before = rename_named(conn, access_package, require_package(conn, key), name)
    if before != name:
        record_package(conn, key, LinkChange.RENAMED, actor=actor, before=before, after=name)
    return require_package(conn, key)


def list_packages(conn: Connection) -> list[Named]:
    """All access packages by key."""
    return list_named(conn, access_package)


def find_package(conn: Connection, key: str) -> Named | None:
    """The access package of that key, or None."""
    return find_named(conn, access_package, key)


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
    actor: str,
    hashes: Iterable[str] = (),
    containers: Sequence[ContainerRef] = (),
) -> PackageContent:
    """Put content in a package, also assets that are not here yet; returns what was new."""
    fixed = {"package_id": require_package(conn, package_key).id}
    added = PackageContent(
        add_links(conn, access_package_asset, fixed, "content_hash", hashes),
        link_containers(conn, access_package_container, fixed, containers),
    )
    _record(conn, package_key, LinkChange.ADDED, added, actor)
    return added


def remove_from_package(
    conn: Connection,
    package_key: str,
    *,
    actor: str,
    hashes: Iterable[str] = (),
    containers: Sequence[ContainerRef] = (),
) -> PackageContent:
    """Take content out of a package; returns what was in it."""
    fixed = {"package_id": require_package(conn, package_key).id}
    removed = PackageContent(
        drop_links(conn, access_package_asset, fixed, "content_hash", hashes),
        unlink_containers(conn, access_package_container, fixed, containers),
    )
    _record(conn, package_key, LinkChange.REMOVED, removed, actor)
    return removed


def attach_package(conn: Connection, site_key: str, package_key: str, *, actor: str) -> bool:
    """Open a package to a site; False when it was open already."""
    fixed = {"site_id": require_site(conn, site_key).id}
    ids = [require_package(conn, package_key).id]
    at = moment(conn)
    added = add_links(conn, site_access_package, fixed, "package_id", ids, created_at=at)
    if added:
        record_site(conn, site_key, LinkChange.ATTACHED, actor=actor, package=package_key)
    return bool(added)


def detach_package(conn: Connection, site_key: str, package_key: str, *, actor: str) -> bool:
    """Close a package to a site; False when it was not open."""
    fixed = {"site_id": require_site(conn, site_key).id}
    ids = [require_package(conn, package_key).id]
    dropped = drop_links(conn, site_access_package, fixed, "package_id", ids)
    if dropped:
        record_site(conn, site_key, LinkChange.DETACHED, actor=actor, package=package_key)
    return bool(dropped)


def _record(
    conn: Connection, package_key: str, change: LinkChange, content: PackageContent, actor: str
) -> None:
    record_package_content(
        conn,
        package_key,
        change,
        actor=actor,
        hashes=content.assets,
        containers=content.containers,
    )
