"""Photos by place: a drawing of where they lie, and the same as a list that leads nearer."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.listing import Field
from lading.console.pages.library_scope import from_list
from lading.console.pages.photos import PHOTOS, VIEWS, photos_query, without
from lading.console.parts import Console
from lading.console.readers.library import BADGE_WORDS
from lading.console.readers.photos import photos_sources
from lading.console.readers.photos_places import (
    Area,
    BadArea,
    read_photos_in,
    read_places,
)
from lading.console.render import page
from lading.console.security.guards import requires
from lading.console.world_map import FINENESS, draw


def routes() -> list[HTTPRouteHandler]:
    """The page of places."""
    return [places_page]


@get(
    "/photos/places",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def places_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """The clusters of the world or of an area, and of an area its photos as well."""
    query = photos_query(request, caller, Field("bbox", "Area"))
    area = Area()
    try:
        area = Area.parse(query.one("bbox") or str(area))
    except BadArea as error:
        query = without(query, "bbox", error)
    places = read_places(console.lading.db, area)
    listed = None
    if query.one("bbox"):
        listed = read_photos_in(
            console.lading.db, area, cursor=query.cursor, limit=query.limit, many=places.many
        )
    return page(
        console,
        caller,
        "pages/photos_places.html",
        section=PHOTOS,
        crumbs=[("Photos", PHOTOS), ("Places", "/photos/places")] if listed else [],
        query=query,
        views=VIEWS,
        sources=photos_sources(console),
        places=places,
        drawing=draw(places),
        fineness=FINENESS,
        wider=area.wider if listed else None,
        listed=listed,
        badge_words=BADGE_WORDS,
        from_list=from_list(query.here),
    )
