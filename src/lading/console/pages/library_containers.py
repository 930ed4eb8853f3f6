"""Galleries, collections and events: lists of them, and the members of one in their order (A14)."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.console.listing import read_query
from lading.console.pages.library_assets import selection_of, ticked_of
from lading.console.pages.library_scope import (
    audit_lines,
    containers_selection,
    from_list,
    origin_of,
    scoped_query,
)
from lading.console.parts import Console
from lading.console.readers.library import (
    BADGE_WORDS,
    CONTAINER_FIELDS,
    CONTAINER_SECTIONS,
    CONTAINER_WORDS,
    MemberState,
    container_at,
    container_filter,
    read_container,
    read_containers,
)
from lading.console.readers.operations import told_of
from lading.console.readers.sites import read_packages, site_choices
from lading.console.render import page
from lading.console.security.guards import requires
from lading.library.containers import UnknownContainer
from lading.library.tables import ContainerKind
from lading.library.values import ContainerRef

PARTS: Final = ("members", "history")
_NUMBER_DIGITS_MAX: Final = 18


def routes() -> list[HTTPRouteHandler]:
    """A list and a page for each kind of container."""
    return [handler for kind in ContainerKind for handler in _routes_of(kind)]


def _routes_of(kind: ContainerKind) -> list[HTTPRouteHandler]:
    path = f"/library/{CONTAINER_SECTIONS[kind]}"
    reading = [requires(Permission.READ)]

    @get(path, guards=reading, sync_to_thread=True, include_in_schema=False)
    def containers_page(
        request: Request[Any, Any, Any],
        console: NamedDependency[Console],
        caller: NamedDependency[Caller],
    ) -> Response[str]:
        return _list(request, console, caller, kind)

    @get(f"{path}/{{name:str}}", guards=reading, sync_to_thread=True, include_in_schema=False)
    def container_page(
        request: Request[Any, Any, Any],
        console: NamedDependency[Console],
        caller: NamedDependency[Caller],
        name: FromPath[str],
    ) -> Response[str]:
        return _one(request, console, caller, kind, name)

    return [containers_page, container_page]


def _list(
    request: Request[Any, Any, Any], console: Console, caller: Caller, kind: ContainerKind
) -> Response[str]:
    query, scope = scoped_query(request, console, caller, CONTAINER_FIELDS)
    filters = container_filter(query, scope.key)
    listed = read_containers(
        console.lading.db, kind, filters, cursor=query.cursor, limit=query.limit
    )
    selectable = caller.may(Permission.OPERATE)
    selection = selection_of(console, query, selectable=selectable)
    section = CONTAINER_SECTIONS[kind]
    return page(
        console,
        caller,
        "pages/containers.html",
        section=query.path,
        query=query,
        scope=scope,
        listed=listed,
        kind=kind.value,
        title=section.capitalize(),
        resource=section,
        nouns=(CONTAINER_WORDS[kind].lower(), section),
        view=query.extra.get("view", "grid"),
        from_list=from_list(query.url(cursor=query.cursor, done=None, sel=None)),
        selectable=selectable,
        selection=selection,
        ticked=ticked_of(console, selection, [card.container.id for card in listed.cards]),
        selection_query=containers_selection(section, filters),
        packages=[line.package for line in read_packages(console.lading.db)] if selectable else [],
        told=told_of(console, query.done),
    )


def _one(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    kind: ContainerKind,
    name: str,
) -> Response[str]:
    query = read_query(
        request,
        (),
        page_size=int(caller.account.preferences.get("page_size", "50")),
        # Where one came from is told by `origin_of`, and kept by the tabs.
        extra={"list": [str(request.query_params.get("list", ""))], "part": list(PARTS)},
    )
    found = read_container(
        console.lading.db, _ref(console, kind, name), cursor=query.cursor, limit=query.limit
    )
    origin = origin_of(request, console)
    section = CONTAINER_SECTIONS[kind]
    operating = caller.may(Permission.OPERATE)
    part = query.extra.get("part", "members")
    return page(
        console,
        caller,
        "pages/container.html",
        section=f"/library/{section}",
        crumbs=[
            (section.capitalize(), origin.url if origin else f"/library/{section}"),
        ],
        query=query,
        found=found,
        card=found.card,
        container=found.card.container,
        states=MemberState,
        kind_word=CONTAINER_WORDS[kind],
        resource=section,
        part=part,
        tabs=[
            ("Members", query.url(part=None), found.card.members.total),
            ("History", query.url(part="history"), None),
        ],
        current_tab=query.url(part=None if part == "members" else part),
        from_list=from_list(query.url(cursor=query.cursor, done=None, list=None)),
        badge_words=BADGE_WORDS,
        lines=audit_lines(console, found.history) if part == "history" else (),
        sites=site_choices(console.lading.db),
        packages=[line.package for line in read_packages(console.lading.db)] if operating else [],
        told=told_of(console, query.done),
    )


def _ref(console: Console, kind: ContainerKind, name: str) -> ContainerRef:
    """What an address names: a number, as all links have it, else a key that someone typed."""
    if name.isascii() and name.isdigit() and len(name) <= _NUMBER_DIGITS_MAX:
        try:
            return container_at(console.lading.db, kind, int(name))
        except UnknownContainer:
            pass
    return ContainerRef(kind.value, name)
