"""Faces that wait for a name, those that are alike together; and those that were passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.listing import Field, read_query
from lading.console.pages.people import PEOPLE, UNASSIGNED, VIEWS
from lading.console.parts import Console
from lading.console.readers.faces_unassigned import read_unassigned
from lading.console.readers.people import read_names
from lading.console.readers.people_told import read_told
from lading.console.readers.photos import photos_sources
from lading.console.render import page
from lading.console.security.guards import requires
from lading.library.face_lists import FaceFilter

WAITING, PASSED_OVER = "", "passed_over"
SHOWN: Final[Mapping[str, str]] = {WAITING: "Waiting", PASSED_OVER: "Passed over"}


def routes() -> list[HTTPRouteHandler]:
    """The lists; what is decided there, `pages.people` does."""
    return [unassigned_page]


@get(UNASSIGNED, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def unassigned_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One of the lists, of everything, a source, or a folder of it."""
    sources = photos_sources(console)
    size = int(caller.account.preferences.get("page_size", "50"))
    fields = [
        Field("show", "List", {PASSED_OVER: SHOWN[PASSED_OVER]}),
        Field("source", "Source", {name: name for name in sources}),
        Field("folder", "Folder"),
    ]
    query = read_query(request, fields, page_size=size)
    show, source = query.one("show") or WAITING, query.one("source")
    folder = query.one("folder") if source else None
    filters = FaceFilter(passed_over=bool(show), source=source, folder=folder)
    found = read_unassigned(console, filters, cursor=query.cursor, limit=query.limit)
    return page(
        console,
        caller,
        "pages/people_unassigned.html",
        section=PEOPLE,
        live="topics=engine,people",
        crumbs=[(VIEWS[PEOPLE], PEOPLE)],
        views=VIEWS,
        query=query,
        here=query.here,
        sources=sources,
        waiting=console.faces_waiting.read(),
        found=found,
        singles=[group.faces[0] for group in found.groups if len(group.faces) == 1],
        show=show,
        show_word=SHOWN[show],
        tabs=[(word, query.url(show=name or None), None) for name, word in SHOWN.items()],
        current=query.url(show=show or None),
        names=read_names(console.lading.db) if caller.may(Permission.OPERATE) else [],
        told=read_told(console.lading.db, query.done),
    )
