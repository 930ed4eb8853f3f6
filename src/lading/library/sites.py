"""Sites, and the routes by which each may see content: three direct ones, and packages (A18).

The library itself knows no site; everything here is a link that can be given and taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from lading.base.errors import RequestError
from lading.ledger.library_events import LinkChange
from lading.library.links import (
    add_links,
    drop_links,
    link_containers,
    require_asset_ids,
    unlink_containers,
)
from lading.library.named import Named, create_named, find_named, list_named, rename_named
from lading.library.recording import record_site, record_site_content
from lading.library.statements import moment
from lading.library.tables import (
    asset_site_membership,
    container_site_membership,
    site,
    site_allow_list,
)
from lading.library.values import ContainerRef


class UnknownSite(RequestError):
    """A site that was never set up."""

    code = "unknown_site"
    http_status = 404
    next_step = "Check the key of the site, or create the site first."


def create_site(conn: Connection, key: str, name: str, *, actor: str) -> Named:
    """Set up a site; the same one again changes nothing. Raises `KeyTaken`, `NameRefused`."""
    found, created = create_named(conn, site, key, name)
    if created:
        record_site(conn, key, LinkChange.CREATED, actor=actor, after=name)
    return found


def rename_site(conn: Connection, key: str, name: str, *, actor: str) -> Named:
    """Give a site another name; its key, and with it every route, stays."""
    before = rename_named(conn, site, require_site(conn, key), name)
    if before != name:
        record_site(conn, key, LinkChange.RENAMED, actor=actor, before=before, after=name)
    return require_site(conn, key)


def list_sites(conn: Connection) -> list[Named]:
    """All sites by key."""
    return list_named(conn, site)


def find_site(conn: Connection, key: str) -> Named | None:
    """The site of that key, or None."""
    return find_named(conn, site, key)


def require_site(conn: Connection, key: str) -> Named:
    """The site of that key. Raises `UnknownSite`."""
    found = find_named(conn, site, key)
    if found is None:
        raise UnknownSite("there is no such site", subject=key)
    return found


def grant_assets(
    conn: Connection, site_key: str, hashes: Iterable[str], *, actor: str
) -> list[str]:
    """Make assets of the library members of a site; returns those that were not yet.

    Raises `UnknownSite`, and `UnknownAsset` for one that is not here: only an allow-list may
    name what is still on its way.
    """
    fixed = {"site_id": require_site(conn, site_key).id}
    ids = require_asset_ids(conn, hashes)
    at = moment(conn)
    new = add_links(conn, asset_site_membership, fixed, "asset_id", ids, created_at=at)
    added = [ids[asset_id] for asset_id in new]
    record_site_content(conn, site_key, LinkChange.GRANTED, actor=actor, hashes=added)
    return added


def revoke_assets(
    conn: Connection, site_key: str, hashes: Iterable[str], *, actor: str
) -> list[str]:
    """End the membership of assets; returns those that were members."""
    fixed = {"site_id": require_site(conn, site_key).id}
    ids = require_asset_ids(conn, hashes)
    gone = drop_links(conn, asset_site_membership, fixed, "asset_id", ids)
    dropped = [ids[asset_id] for asset_id in gone]
    record_site_content(conn, site_key, LinkChange.REVOKED, actor=actor, hashes=dropped)
    return dropped


def grant_containers(
    conn: Connection, site_key: str, refs: Sequence[ContainerRef], *, actor: str
) -> list[ContainerRef]:
    """Show containers, and so their members, on a site; returns those that were not yet."""
    fixed = {"site_id": require_site(conn, site_key).id}
    at = moment(conn)
    added = link_containers(conn, container_site_membership, fixed, refs, created_at=at)
    record_site_content(conn, site_key, LinkChange.GRANTED, actor=actor, containers=added)
    return added


def revoke_containers(
    conn: Connection, site_key: str, refs: Sequence[ContainerRef], *, actor: str
) -> list[ContainerRef]:
    """Show containers no longer on a site; returns those that were shown."""
    fixed = {"site_id": require_site(conn, site_key).id}
    dropped = unlink_containers(conn, container_site_membership, fixed, refs)
    record_site_content(conn, site_key, LinkChange.REVOKED, actor=actor, containers=dropped)
    return dropped


def allow_hashes(
    conn: Connection, site_key: str, hashes: Iterable[str], *, actor: str
) -> list[str]:
    """Put content on a site's allow-list, also content that is not here yet; returns the new."""
    fixed = {"site_id": require_site(conn, site_key).id}
    at = moment(conn)
    added = add_links(conn, site_allow_list, fixed, "content_hash", hashes, created_at=at)
    record_site_content(conn, site_key, LinkChange.ALLOWED, actor=actor, hashes=added)
    return added


def disallow_hashes(
    conn: Connection, site_key: str, hashes: Iterable[str], *, actor: str
) -> list[str]:
    """Take content off a site's allow-list; returns what was on it."""
    fixed = {"site_id": require_site(conn, site_key).id}
    dropped = drop_links(conn, site_allow_list, fixed, "content_hash", hashes)
    record_site_content(conn, site_key, LinkChange.DISALLOWED, actor=actor, hashes=dropped)
    return dropped
