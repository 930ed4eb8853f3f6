"""Photos by where they were taken: clusters on a grid as fine as the area asked for is small.

An area may cross the 180th meridian: then its west is greater than its east.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from sqlalchemy import ColumnElement, FromClause, and_, func, or_, select

from lading.base.errors import RequestError
from lading.console.readers.library import AssetCard, asset_cards
from lading.console.readers.photos import PhotoList, list_photos
from lading.db import Database
from lading.db.grid_cells import grid_cell
from lading.db.keyset import Key
from lading.db.wall_clock import DAY, wall_date
from lading.geography.countries import describe
from lading.geography.rules import Box
from lading.library.known import asset_row
from lading.library.live_photos import live_photos
from lading.library.tables import asset, photo

ZOOM_MAX: Final = 12
CLUSTERS_MAX: Final = 200
_CELL_DEGREES: Final = 30.0
"""How wide a cell is that the whole world is divided by; each step of zoom halves it."""
MANY: Final = 10_000
_INDEXED_ZOOM: Final = 2
_NEAR_DEGREES: Final = 0.005
"""Half the side of the area around one photo: some hundred metres."""


_ALL_ROUND: Final = 300.0
"""From this width on, an area may as well go round the world."""


class BadArea(RequestError):
    """An area that no map has."""

    code = "bad_area"
    next_step = "Write west, south, east and north in degrees, such as 5.9,45.8,10.5,47.8."


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the world in degrees, east and north positive."""

    west: float = -180.0
    south: float = -90.0
    east: float = 180.0
    north: float = 90.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The area that `west,south,east,north` names. Raises `BadArea`."""
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise BadArea("this names no area", subject="bbox", found=text[:100]) from None
        if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
            raise BadArea("there is no such area", subject="bbox", found=text[:100])
        return cls(west, south, east, north)

    @classmethod
    def around(cls, latitude: float, longitude: float) -> Self:
        """What is next to a place."""
        return cls(
            max(longitude - _NEAR_DEGREES, -180.0),
            max(latitude - _NEAR_DEGREES, -90.0),
            min(longitude + _NEAR_DEGREES, 180.0),
            min(latitude + _NEAR_DEGREES, 90.0),
        )

    def __str__(self) -> str:
        """As addresses have it."""
        return ",".join(f"{each:.6g}" for each in (self.west, self.south, self.east, self.north))

    @property
    def url(self) -> str:
        """The page of the area."""
        return "/photos/places" if self == Area() else f"/photos/places?bbox={self}"

    @property
    def width(self) -> float:
        """Degrees from west to east."""
        return self.east - self.west + (360.0 if self.west > self.east else 0.0)

    @property
    def wider(self) -> Self:
        """The area twice as wide and high around this one, as far as the world goes."""
        middle, width = self.west + self.width / 2, max(self.width * 2, _NEAR_DEGREES * 4)
        high = max(self.north - self.south, _NEAR_DEGREES * 2) / 2
        south, north = max(self.south - high, -90.0), min(self.north + high, 90.0)
        if width >= _ALL_ROUND:
            return type(self)(south=south, north=north)
        west, east = (_turned(middle + side * width / 2) for side in (-1, 1))
        return type(self)(west, south, east, north)

    @property
    def zoom(self) -> int:
        """How often the world is halved until it is as narrow as this."""
        narrow = max(self.width, (self.north - self.south) * 2, 360.0 / 2**ZOOM_MAX)
        return max(0, min(ZOOM_MAX, math.floor(math.log2(360.0 / narrow))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Photos that lie together: how many, their middle, from when to when, one of them.

    `first` and `last` are moments, `first_day` and `last_day` dates by the clocks of the places.
    `country` holds for all of them, and may name up to three: `France or Spain`.
    """

    count: int
    latitude: float
    longitude: float
    country: str | None
    area: Area
    first: datetime | None
    last: datetime | None
    first_day: str | None
    last_day: str | None
    card: AssetCard

    @property
    def label(self) -> str:
        """Where it is, as people write it, after the country of all of them if there is one."""
        return label_of_place(self.latitude, self.longitude, self.country)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The clusters of an area, the largest first. `cut`: there are more than are given."""

    area: Area
    zoom: int
    clusters: Sequence[Cluster]
    cut: bool

    @property
    def many(self) -> bool:
        """Whether there are more photos than one would look through."""
        return self.cut or sum(each.count for each in self.clusters) > MANY


def label_of_place(latitude: float, longitude: float, country: str | None) -> str:
    """`France, 48.8584° N, 2.2945° E`."""
    north, east = ("N" if latitude >= 0 else "S"), ("E" if longitude >= 0 else "W")
    where = f"{abs(latitude):.4f}° {north}, {abs(longitude):.4f}° {east}"
    return f"{country}, {where}" if country else where


def country_of(latitude: float, longitude: float) -> str | None:
    """The country of a place, as far as the map knows."""
    return describe(Box(longitude, latitude, longitude, latitude))


def read_places(db: Database, area: Area, zoom: int | None = None) -> Places:
    """The clusters of an area, on the grid of a zoom from 0 to 12; by itself, of the area's."""
    zoom = area.zoom if zoom is None else max(0, min(zoom, ZOOM_MAX))
    size = _CELL_DEGREES / 2**zoom
    latitude, longitude = photo.c.latitude, photo.c.longitude
    row, column = grid_cell(latitude, -90, size).label("r"), grid_cell(longitude, -180, size)
    photos = func.count().label("photos")
    day = wall_date(asset.c.captured_at, asset.c.captured_offset_min, DAY)
    query = (
        live_photos(
            row,
            column.label("c"),
            photos,
            func.avg(latitude).label("latitude"),
            func.avg(longitude).label("longitude"),
            func.min(latitude).label("south"),
            func.max(latitude).label("north"),
            func.min(longitude).label("west"),
            func.max(longitude).label("east"),
            func.min(asset.c.captured_at).label("first"),
            func.max(asset.c.captured_at).label("last"),
            func.min(day).label("first_day"),
            func.max(day).label("last_day"),
            func.max(asset.c.id).label("one"),
        )
        .where(_inside(db, area))
        .group_by("r", "c")
        .order_by(photos.desc(), func.max(asset.c.id).desc())
        .limit(CLUSTERS_MAX + 1)
    )
    with db.read() as conn:
        rows = conn.execute(query).all()
        shown = rows[:CLUSTERS_MAX]
        found = conn.execute(asset.select().where(asset.c.id.in_([each.one for each in shown])))
        cards = {card.asset.id: card for card in asset_cards(conn, [asset_row(r) for r in found])}
    return Places(
        area=area,
        zoom=zoom,
        clusters=[
            Cluster(
                count=each.photos,
                latitude=each.latitude,
                longitude=each.longitude,
                country=describe(Box(each.west, each.south, each.east, each.north)),
                area=_surrounding(each.west, each.south, each.east, each.north),
                first=each.first,
                last=each.last,
                first_day=each.first_day,
                last_day=each.last_day,
                card=cards[each.one],
            )
            for each in shown
        ],
        cut=len(rows) > CLUSTERS_MAX,
    )


def read_photos_in(
    db: Database, area: Area, *, cursor: str | None = None, limit: int = 50, many: bool = False
) -> PhotoList:
    """A page of the photos of an area, the newest arrivals first. Raises `BadCursor`.

    `many`: it holds so many that the page is soon full when all photos are gone through.
    """
    which = _lies_in(area, photo) if many else _inside(db, area)
    order = [Key(asset.c.id, descending=True)]
    return list_photos(db, which, order, cursor=cursor, limit=limit)


def _inside(db: Database, area: Area) -> ColumnElement[bool]:
    """That a photo lies there, found by the index of places where that helps."""
    if db.dialect != "sqlite" or area.zoom < _INDEXED_ZOOM:
        return _lies_in(area, photo)
    # Without figures of what its tables hold, SQLite would rather go through everything that is
    # not in the trash. It looks a list of numbers up, and makes that by the index.
    placed = photo.alias("placed")
    return asset.c.id.in_(select(placed.c.asset_id).where(_lies_in(area, placed)))


def _lies_in(area: Area, of: FromClause) -> ColumnElement[bool]:
    latitude, longitude = of.c.latitude, of.c.longitude
    if area.west > area.east:
        across = or_(longitude >= area.west, longitude <= area.east)
    else:
        across = longitude.between(area.west, area.east)
    return and_(latitude.between(area.south, area.north), across)


def _surrounding(west: float, south: float, east: float, north: float) -> Area:
    """An area with room around these, so that nothing lies on its edge."""
    low, high = Area.around(south, west), Area.around(north, east)
    return Area(low.west, low.south, high.east, high.north)


def _turned(longitude: float) -> float:
    """The same longitude between -180 and 180."""
    return longitude if -180 <= longitude <= 180 else (longitude + 180.0) % 360.0 - 180.0
