"""One asset: what it looks like, where it is shown, what it is made of, where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.console.pages.library_scope import ASSETS, audit_lines, from_list, origin_of
from lading.console.parts import Console
from lading.console.readers.asset_faces import read_asset_faces
from lading.console.readers.assets import AssetDetail, read_asset
from lading.console.readers.library import (
    BADGE_WORDS,
    CONTAINER_WORDS,
    asset_filter,
    asset_url,
    container_address,
)
from lading.console.readers.operations import told_of
from lading.console.readers.people import read_names
from lading.console.readers.people_told import read_told
from lading.console.readers.photo_decisions import read_correction, read_stack
from lading.console.readers.photo_facts import read_photo
from lading.console.readers.sites import ROUTE_WORDS, read_packages, read_sight, site_choices
from lading.console.render import page
from lading.console.security.guards import requires
from lading.library.browsing import AssetSort
from lading.library.filters import AssetFilter, CoverState
from lading.library.tables import ContainerKind, FileRole

TABS: Final[Mapping[str, str]] = {
    "files": "Files",
    "renditions": "Renditions",
    "ai": "AI runs",
    "provenance": "Provenance",
    "history": "History",
}
_STILL: Final = (FileRole.ORIGINAL, FileRole.DERIVATIVE)
_PLAYED: Final = (FileRole.ORIGINAL, FileRole.HLS, FileRole.TRANSCRIPT, FileRole.LIBRARY_COVER)
_EXPECTED: Final[Mapping[str, Sequence[FileRole]]] = {
    "photo": _STILL,
    "image": _STILL,
    "video": _PLAYED,
    "audio": (FileRole.ORIGINAL, FileRole.TRANSCRIPT),
}
"""What an asset of each type usually has; whatever else is there is listed as well."""

RENDITION_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    FileRole.ORIGINAL: ("Original", "What arrived, byte for byte."),
    FileRole.SIDECAR: ("Sidecars", "What another program noted beside it, such as an .xmp file."),
    FileRole.DERIVATIVE: ("Derivatives", "Smaller pictures, for grids and previews."),
    FileRole.STREAMING: ("Streaming copy", "The same in a form that plays while it arrives."),
    FileRole.HLS: ("Streaming (HLS)", "A playlist and its segments, for players."),
    FileRole.TRANSCRIPT: ("Transcript", "What is said, for captions and for search."),
    FileRole.CLOUD_PACKAGE: ("Cloud package", "Everything in one file, for another place."),
    FileRole.LIBRARY_COVER: ("Library cover", "The picture that stands for it in lists."),
    FileRole.COVER: ("Cover", "A cover that came beside it."),
}


@dataclass(frozen=True, slots=True)
class RenditionLine:
    """One kind of file an asset usually has, or has."""

    label: str
    meaning: str
    expected: bool
    files: int
    bytes: int
    variants: Sequence[str]


def routes() -> list[HTTPRouteHandler]:
    """One asset, each of its tabs at an address of its own."""
    return [asset_page, asset_tab]


@get(
    "/library/assets/{content_hash:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def asset_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    content_hash: FromPath[str],
) -> Response[str]:
    """One asset and its files, in the trash or not."""
    return _one(request, console, caller, content_hash, "files")


@get(
    "/library/assets/{content_hash:str}/{tab:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def asset_tab(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    content_hash: FromPath[str],
    tab: FromPath[str],
) -> Response[str]:
    """The same with another of its tabs."""
    if tab not in TABS:
        raise NotFoundException(detail="There is no such page.")
    return _one(request, console, caller, content_hash, tab)


def _one(
    request: Request[Any, Any, Any], console: Console, caller: Caller, content_hash: str, tab: str
) -> Response[str]:
    origin = origin_of(request, console)
    within, sort = AssetFilter(), AssetSort.NEWEST
    if origin is not None and origin.query is not None:
        within = asset_filter(origin.query, origin.site)
        sort = AssetSort(origin.query.sort)
    walks = origin is None or origin.query is not None
    found = read_asset(console.lading.db, content_hash, within=within if walks else None, sort=sort)
    operating = caller.may(Permission.OPERATE)
    given = request.query_params
    sites = site_choices(console.lading.db)
    asked = next((site.key for site in sites if site.key == given.get("site")), None)
    url = asset_url(found.card.content_hash)
    carried = from_list(origin.url) if origin else ""
    faces = read_asset_faces(console.lading.db, found.card.asset.id) if tab == "files" else None
    return page(
        console,
        caller,
        "pages/asset.html",
        section=ASSETS,
        crumbs=[(origin.label if origin else "Assets", origin.url if origin else ASSETS)],
        found=found,
        facts=found.card.asset.facts,
        photo=read_photo(console.lading.db, found.card.asset.id),
        correction=read_correction(console.lading.db, found.card.asset.id),
        stack=read_stack(console.lading.db, found.card.asset.id),
        faces=faces,
        names=read_names(console.lading.db) if faces and operating else [],
        faces_told=read_told(console.lading.db, given.get("done")),
        url=url,
        here=(url if tab == "files" else f"{url}/{tab}") + carried,
        carried=carried,
        list_url=origin.url if origin else "",
        tab=tab,
        tabs=[
            (label, (url if name == "files" else f"{url}/{name}") + carried, _count(found, name))
            for name, label in TABS.items()
        ],
        badge_words=BADGE_WORDS,
        sites=sites,
        asked=asked,
        sight=read_sight(console.lading.db, asked, content_hash) if asked else None,
        route_words=ROUTE_WORDS,
        places=_places(found),
        renditions=renditions(found),
        cover_states=CoverState,
        lines=audit_lines(console, found.history) if tab == "history" else (),
        packages=[line.package for line in read_packages(console.lading.db)] if operating else [],
        told=told_of(console, given.get("done")),
    )


def renditions(found: AssetDetail) -> list[RenditionLine]:
    """What the asset usually has and what it has, side by side."""
    groups = {group.role: group for group in found.groups}
    expected = _EXPECTED.get(found.card.asset.facts.asset_type, (FileRole.ORIGINAL,))
    roles = [*expected, *(role for role in groups if role not in expected)]
    lines = []
    for role in roles:
        group = groups.get(role)
        label, meaning = RENDITION_WORDS.get(role, (group.label if group else role, ""))
        lines.append(
            RenditionLine(
                label=label,
                meaning=meaning,
                expected=role in expected,
                files=group.total if group else 0,
                bytes=group.bytes if group else 0,
                variants=sorted({f.facts.variant for f in group.files if f.facts.variant})
                if group
                else (),
            )
        )
    return lines


def _count(found: AssetDetail, tab: str) -> int | None:
    if tab == "files":
        return sum(group.total for group in found.groups)
    return len(found.ai_runs) if tab == "ai" else None


def _places(found: AssetDetail) -> list[tuple[str, str, str, int, bool]]:
    """The containers it is in: kind, name, address, the position people count from one, trash."""
    return [
        (
            CONTAINER_WORDS[ContainerKind(member.container.kind)],
            member.title or member.container.key,
            container_address(ContainerKind(member.container.kind), member.container_id),
            member.position + 1,
            member.deleted,
        )
        for member in found.memberships
    ]
