"""Photos by place: a drawing of where they lie, and the same as a list that leads nearer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

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
    Places,
    read_photos_in,
    read_places,
)
from lading.console.render import page
from lading.console.security.guards import requires

MAP_WIDTH, MAP_HEIGHT = 720.0, 360.0
_STEPS: Final = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_LINES_MIN: Final = 4
_RADIUS_MIN, _RADIUS_MAX = 5.0, 22.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A cluster on the drawing."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where clusters lie, on a grid of meridians and parallels `step` degrees apart."""

    step: float
    meridians: Sequence[float]
    parallels: Sequence[float]
    dots: Sequence[Dot]
    width: float = MAP_WIDTH
    height: float = MAP_HEIGHT


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
        listed = read_photos_in(console.lading.db, area, cursor=query.cursor, limit=query.limit)
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
        listed=listed,
        badge_words=BADGE_WORDS,
        from_list=from_list(query.here),
    )


def draw(places: Places) -> Drawing:
    """The clusters on a sheet twice as wide as high that shows the whole area."""
    area = places.area
    wide = max(area.width, (area.north - area.south) * 2, 1e-3)
    scale = MAP_WIDTH / wide
    west = area.west - (wide - area.width) / 2
    north = (area.north + area.south) / 2 + wide / 4
    step = next((each for each in _STEPS if wide / each >= _LINES_MIN), _STEPS[-1])
    largest = max((cluster.count for cluster in places.clusters), default=1)
    return Drawing(
        step=step,
        meridians=[(each - west) * scale for each in _multiples(west, wide, step)],
        parallels=[(north - each) * scale for each in _multiples(north - wide / 2, wide / 2, step)],
        dots=[
            Dot(
                x=(cluster.longitude - west) % 360.0 * scale,
                y=(north - cluster.latitude) * scale,
                radius=_RADIUS_MIN
                + (_RADIUS_MAX - _RADIUS_MIN) * math.sqrt((cluster.count - 1) / largest),
            )
            for cluster in places.clusters
        ],
    )


def _multiples(low: float, span: float, step: float) -> list[float]:
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor((low + span) / step) + 1)]
