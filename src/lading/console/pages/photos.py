"""Photos as a timeline: years, months and days to choose from, and one of them in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.console.listing import Field, ListQuery, read_query
from lading.console.live.fragments import Fragments, Notice, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.library_assets import ticked_of
from lading.console.pages.library_scope import from_list
from lading.console.parts import Console
from lading.console.readers.library import BADGE_WORDS
from lading.console.readers.operations import told_of
from lading.console.readers.photos import (
    BUCKETS,
    label_of,
    photos_sources,
    read_days,
    read_photos,
    read_timeline,
)
from lading.console.readers.photos_new import new_photos, newest_photo
from lading.console.render import page
from lading.console.security.guards import requires
from lading.db.wall_clock import MONTH, YEAR
from lading.library.photo_timeline import NoSuchDate, parse_on
from lading.operations.values import Resource, Selection

PHOTOS: Final = "/photos"
VIEWS: Final[Mapping[str, str]] = {
    PHOTOS: "Timeline",
    "/photos/places": "Places",
    "/photos/folders": "Folders",
    "/photos/duplicates": "Duplicates",
    "/photos/sorting": "Sorting",
}
"""The ways to look at photos, by address."""


def routes() -> list[HTTPRouteHandler]:
    """The timeline."""
    return [photos_page]


@get(PHOTOS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def photos_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """The newest month, or what the address asks for."""
    db = console.lading.db
    query = photos_query(request, caller, Field("on", "Taken"))
    with db.read() as conn:
        newest = newest_photo(conn)
    timeline = read_timeline(db)
    try:
        on = parse_on(query.one("on") or timeline.newest)
    except NoSuchDate as error:
        query, on = without(query, "on", error), timeline.newest
    listed = read_photos(db, on, cursor=query.cursor, limit=query.limit)
    dated = on not in BUCKETS
    selectable = caller.may(Permission.OPERATE)
    selection = _selection(console, query) if selectable else None
    told = told_of(console, query.done)
    running = f"&job={told.job_id}" if told and told.running and told.job_id else ""
    return page(
        console,
        caller,
        "pages/photos.html",
        section=PHOTOS,
        query=query,
        views=VIEWS,
        sources=photos_sources(console),
        timeline=timeline,
        on=on,
        label=label_of(on),
        months=[each for each in timeline.months if dated and each.on.startswith(on[:YEAR])],
        days=read_days(db, on[:MONTH]) if dated and len(on) >= MONTH else [],
        listed=listed,
        badge_words=BADGE_WORDS,
        from_list=from_list(query.url(cursor=query.cursor, done=None, sel=None)),
        live=f"topics=engine,photos,told{running}&above={newest}",
        selectable=selectable,
        selection=selection,
        ticked=ticked_of(console, selection, [card.asset.id for card in listed.cards]),
        told=told,
    )


def _selection(console: Console, query: ListQuery) -> Selection | None:
    """The photos that are ticked, if the address names such a selection."""
    if not query.selection:
        return None
    found = console.operations.get_selection(query.selection)
    return found if found.resource is Resource.ASSETS else None


def live(fragments: Fragments) -> None:
    """What changes on the timeline: that photos arrived, which wait until they are asked for."""
    fragments.register("photos", _live_new)


def _live_new(console: Console, _caller: Caller, visible: Visible, _tick: Tick) -> list[Notice]:
    with console.lading.db.read() as conn:
        return [Notice("photos:changed", {"new": new_photos(conn, visible.above)})]


def photos_query(request: Request[Any, Any, Any], caller: Caller, *fields: Field) -> ListQuery:
    """What the address of a page of photos asks for."""
    size = int(caller.account.preferences.get("page_size", "50"))
    return read_query(request, fields, page_size=size)


def without(query: ListQuery, name: str, error: RequestError) -> ListQuery:
    """The query as if this filter had not been given; the page says that it was left out."""
    values = {each: given for each, given in query.values.items() if each != name}
    return replace(query, values=values, ignored=[*query.ignored, f"{name}={error.found}"])
