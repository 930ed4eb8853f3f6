"""Sites: what each sees and by which route, and granting and taking back what it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions import library as actions
from lading.console.actions.editing import edit_site
from lading.console.actions.library import ContentNames
from lading.console.answers import Many, many
from lading.console.api.assets import AssetItem, asset_item
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    Done,
    DryRun,
    IfMatch,
    Limit,
    Name,
    also,
    creates,
    edits,
    reads,
    rehearsed,
    unchanged_check,
    whole,
    with_etag,
)
from lading.console.parts import Console
from lading.console.readers.sites import Entries, SiteLine, read_site, read_sites
from lading.db.counting import Count
from lading.ledger.queries import EventView
from lading.library.granted import GrantedContainer
from lading.library.named import Named
from lading.library.visibility import SiteSummary

TAG: Final = "sites"
OPERATE: Final = Permission.OPERATE
Names = Annotated[list[Name], msgspec.Meta(min_length=1, max_length=actions.NAMES_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryItem:
    """Content that is named; `asset` is None while it is awaited."""

    content_hash: str
    asset: AssetItem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswer:
    """A site: how much it sees by each route, and what it was given."""

    site: Named
    summary: SiteSummary
    containers: Sequence[GrantedContainer]
    packages: Sequence[Named]
    members: Many[EntryItem]
    allowed: Many[EntryItem]
    history: Sequence[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How many of what was named were changed; the others were so before."""

    key: str
    changed: int


class NamedBody(Body, frozen=True):
    """A new site or access package; the same one again changes nothing."""

    key: Name
    name: Name


class NameBody(Body, frozen=True):
    """Another name for people; the key stays."""

    name: Name


class ContentBody(Body, frozen=True):
    """Content hashes, and containers as `gallery:KEY`, `collection:KEY` or `event:KEY`."""

    names: Names

    @property
    def parsed(self) -> ContentNames:
        """The same, told apart. Raises `NameUnclear`."""
        return actions.parse_names("\n".join(self.names))


class HashesBody(Body, frozen=True):
    """Content hashes, also of what is not here yet."""

    hashes: Names

    @property
    def parsed(self) -> list[str]:
        """The hashes alone. Raises `NameUnclear`."""
        return actions.parse_hashes("\n".join(self.hashes))


class PackageBody(Body, frozen=True):
    """The key of an access package."""

    package: Name


def routes() -> list[HTTPRouteHandler]:
    """The sites, one of them, and what it is given."""
    return [
        list_of_sites,
        add_site,
        one_site,
        rename,
        grant,
        revoke,
        allow,
        disallow,
        attach,
        detach,
    ]


def entries(found: Entries, count: Count | None = None) -> Many[EntryItem]:
    """A page of content that is named."""
    items = [
        EntryItem(
            content_hash=entry.content_hash, asset=asset_item(entry.card) if entry.card else None
        )
        for entry in found.entries
    ]
    return many(items, found, count)


def named_state(found: Named) -> Mapping[str, Any]:
    """What of a site or package an edit is about."""
    return {"key": found.key, "name": found.name}


@reads("/sites", "All sites, and how much each sees", tag=TAG)
def list_of_sites(console: NamedDependency[Console]) -> Many[SiteLine]:
    """The sites by key."""
    return whole(read_sites(console.lading.db))


@creates(
    "/sites",
    "Set up a site",
    tag=TAG,
    permission=OPERATE,
    status_code=201,
    responses=also(200, Done[Named], "A dry run: nothing was made."),
)
def add_site(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[NamedBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[Named]]:
    """Set up a site."""
    with rehearsed(dry_run):
        made = actions.create_site(console, caller, data.key, data.name)
    return Response(
        Done(dry_run=dry_run, result=made),
        status_code=200 if dry_run else 201,
        headers={} if dry_run else {"Location": f"{BASE}/sites/{made.key}"},
    )


@reads("/sites/{key:str}", "One site: what it sees by each route", tag=TAG)
def one_site(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    awaited: Annotated[
        bool | None, QueryParameter(description="Of the allow list only what is not here, or is.")
    ] = None,
    members_cursor: Cursor = None,
    allowed_cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[SiteAnswer]:
    """A site, with the ETag of what can be changed of it."""
    found = read_site(
        console.lading.db,
        key,
        awaited=awaited,
        members_cursor=members_cursor or None,
        allowed_cursor=allowed_cursor or None,
        limit=limit,
    )
    answer = SiteAnswer(
        site=found.site,
        summary=found.summary,
        containers=found.containers,
        packages=found.packages,
        members=entries(found.members),
        allowed=entries(found.allowed),
        history=found.history,
    )
    return with_etag(answer, named_state(found.site))


@edits("/sites/{key:str}", "Give a site another name", tag=TAG, permission=OPERATE)
def rename(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[NameBody],
    *,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> Response[Done[Named]]:
    """Rename a site."""
    check = unchanged_check(if_match, data, subject=f"site {key}")
    with rehearsed(dry_run):
        after = edit_site(
            console, caller, key, data.name, check=lambda site: check(named_state(site))
        )
    return with_etag(Done(dry_run=dry_run, result=after), named_state(after))


@creates(
    "/sites/{key:str}/grant",
    "Show assets and containers on a site",
    tag=TAG,
    permission=OPERATE,
)
def grant(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[ContentBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Make content visible on a site."""
    return changed(
        key, lambda: actions.grant_content(console, caller, key, data.parsed), dry_run=dry_run
    )


@creates(
    "/sites/{key:str}/revoke",
    "Take assets and containers off a site",
    tag=TAG,
    permission=OPERATE,
)
def revoke(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[ContentBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Take the route back."""
    return changed(
        key, lambda: actions.revoke_content(console, caller, key, data.parsed), dry_run=dry_run
    )


@creates(
    "/sites/{key:str}/allow",
    "Put content on a site's allow list, here or not",
    tag=TAG,
    permission=OPERATE,
)
def allow(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[HashesBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Allow content."""
    return changed(
        key, lambda: actions.allow_hashes(console, caller, key, data.parsed), dry_run=dry_run
    )


@creates(
    "/sites/{key:str}/disallow",
    "Take content off a site's allow list",
    tag=TAG,
    permission=OPERATE,
)
def disallow(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[HashesBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Allow content no more."""
    return changed(
        key, lambda: actions.disallow_hashes(console, caller, key, data.parsed), dry_run=dry_run
    )


@creates("/sites/{key:str}/attach", "Open a package to a site", tag=TAG, permission=OPERATE)
def attach(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[PackageBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Open an access package."""
    return changed(
        key, lambda: actions.attach_package(console, caller, key, data.package), dry_run=dry_run
    )


@creates("/sites/{key:str}/detach", "Close a package to a site", tag=TAG, permission=OPERATE)
def detach(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[PackageBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Close an access package."""
    return changed(
        key, lambda: actions.detach_package(console, caller, key, data.package), dry_run=dry_run
    )


def changed(key: str, work: Callable[[], int | bool], *, dry_run: bool) -> Done[Changed]:
    """Do it, or rehearse it, and say how much it changed."""
    with rehearsed(dry_run):
        count = work()
    return Done(dry_run=dry_run, result=Changed(key=key, changed=int(count)))
