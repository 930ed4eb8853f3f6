"""Sites and access packages as pages and the API show them: what each sees or holds, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from lading.base.identifiers import parse_content_hash
from lading.console.readers.library import AssetCard, asset_cards
from lading.db import Database
from lading.ledger.queries import EventView
from lading.library.granted import (
    GrantedAssets,
    GrantedContainer,
    PackageSize,
    allowed_content,
    package_sites,
    package_sizes,
    packed_containers,
    packed_content,
    site_containers,
    site_members,
    site_packages,
)
from lading.library.known import UnknownAsset, find_assets
from lading.library.named import Named
from lading.library.named_in_ledger import events_about_package, events_about_site
from lading.library.packages import list_packages, require_package
from lading.library.queries import count_assets
from lading.library.routes import RouteKind
from lading.library.sites import list_sites, require_site
from lading.library.visibility import (
    HIDDEN_SENTENCES,
    Explanation,
    SiteSummary,
    explain,
    route_sentence,
    site_summary,
    visible_to,
)

ROUTE_WORDS: Final[Mapping[RouteKind, str]] = {
    RouteKind.SITE_MEMBERSHIP: "Membership",
    RouteKind.CONTAINER_MEMBERSHIP: "Gallery, collection or event",
    RouteKind.ALLOW_LIST: "Allow list",
    RouteKind.ACCESS_PACKAGE: "Access package",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    """A site in a list, and how many assets it sees."""

    site: Named
    visible: int

    @property
    def url(self) -> str:
        """Its page."""
        return f"/library/sites/{self.site.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Content that is named; `card` is None while it is awaited."""

    content_hash: str
    card: AssetCard | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """A page of content that is named."""

    entries: Sequence[Entry]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDetail:
    """A site: how much it sees by each route, what it was given, what was done to it."""

    site: Named
    summary: SiteSummary
    containers: Sequence[GrantedContainer]
    packages: Sequence[Named]
    members: Entries
    allowed: Entries
    history: Sequence[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLine:
    """A package in a list, how much it holds and to how many sites it is open."""

    package: Named
    size: PackageSize

    @property
    def url(self) -> str:
        """Its page."""
        return f"/library/packages/{self.package.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDetail:
    """A package: what is in it, to which sites it is open, what was done to it."""

    package: Named
    containers: Sequence[GrantedContainer]
    content: Entries
    sites: Sequence[Named]
    history: Sequence[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Whether a site sees an asset, in a sentence, and each way there or closed."""

    site: Named | None
    explanation: Explanation
    sentence: str
    open: Sequence[str]
    closed: Sequence[str]
    card: AssetCard | None


def read_sites(db: Database) -> list[SiteLine]:
    """All sites by key."""
    with db.read() as conn:
        return [
            SiteLine(site=site, visible=count_assets(conn, where=visible_to(conn, site.key)))
            for site in list_sites(conn)
        ]


def site_choices(db: Database) -> list[Named]:
    """The sites to choose from, without counting anything."""
    with db.read() as conn:
        return list_sites(conn)


def read_site(
    db: Database,
    key: str,
    *,
    awaited: bool | None = None,
    members_cursor: str | None = None,
    allowed_cursor: str | None = None,
    limit: int = 50,
) -> SiteDetail:
    """One site; `awaited` narrows its allow list. Raises `UnknownSite` and `BadCursor`."""
    with db.read() as conn:
        site = require_site(conn, key)
        members = site_members(conn, site.id, cursor=members_cursor, limit=limit)
        allowed = allowed_content(
            conn, site.id, awaited=awaited, cursor=allowed_cursor, limit=limit
        )
        return SiteDetail(
            site=site,
            summary=site_summary(conn, key),
            containers=site_containers(conn, site.id),
            packages=site_packages(conn, site.id),
            members=_entries(conn, members),
            allowed=_entries(conn, allowed),
            history=events_about_site(conn, key),
        )


def read_packages(db: Database) -> list[PackageLine]:
    """All packages by key."""
    with db.read() as conn:
        sizes = package_sizes(conn)
        return [
            PackageLine(package=package, size=sizes.get(package.id, PackageSize()))
            for package in list_packages(conn)
        ]


def read_package(
    db: Database, key: str, *, cursor: str | None = None, limit: int = 50
) -> PackageDetail:
    """One package. Raises `UnknownPackage` and `BadCursor`."""
    with db.read() as conn:
        package = require_package(conn, key)
        content = packed_content(conn, package.id, cursor=cursor, limit=limit)
        return PackageDetail(
            package=package,
            containers=packed_containers(conn, package.id),
            content=_entries(conn, content),
            sites=package_sites(conn, package.id),
            history=events_about_package(conn, key),
        )


def read_sight(db: Database, site_key: str | None, content_hash: str) -> Sight:
    """Why a site sees an asset or does not; without a site, why the library shows it or not.

    Raises `UnknownSite`; an asset that is not here is part of the answer.
    """
    digest = parse_content_hash(content_hash.strip())
    if digest is None:
        raise UnknownAsset("this is no content hash", subject=content_hash)
    with db.read() as conn:
        site = None if site_key is None else require_site(conn, site_key)
        found = explain(conn, site_key, digest)
        rows = find_assets(conn, [digest])
        cards = asset_cards(conn, list(rows.values()))
    return Sight(
        site=site,
        explanation=found,
        sentence=_sentence(found, site),
        open=[route_sentence(route) for route in found.routes],
        closed=[route_sentence(route) for route in found.closed_routes],
        card=cards[0] if cards else None,
    )


def _sentence(found: Explanation, site: Named | None) -> str:
    if found.hidden_because is not None:
        return HIDDEN_SENTENCES[found.hidden_because]
    if site is None:
        return "It is in the library. No site is selected."
    return f"{site.name} sees it."


def _entries(conn: Connection, page: GrantedAssets) -> Entries:
    rows = [entry.asset for entry in page.entries if entry.asset is not None]
    cards = {card.content_hash: card for card in asset_cards(conn, rows)}
    return Entries(
        entries=[
            Entry(content_hash=entry.content_hash, card=cards.get(entry.content_hash))
            for entry in page.entries
        ],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )
