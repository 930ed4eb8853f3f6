"""Draws places on a map of the world: land, borders, a grid of degrees, and a dot for each place.

The sheet is twice as wide as high. A degree to the east is as much shorter than one to the north
as it is in the middle of what is shown, so that shapes are right there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from lading.console.readers.photos_places import Area, Places
from lading.geography.outline import outline
from lading.geography.rules import Box, Point

MAP_WIDTH, MAP_HEIGHT = 720.0, 360.0
FINENESS: Final = 10
"""Paths are in whole tenths, which makes them short."""
_DETAIL: Final = 6
"""What is smaller than so many tenths is left out of paths."""
_BEYOND_PX: Final = 4.0
"""How much beyond the sheet is drawn, so that nobody sees where land was cut off."""
_STEPS: Final = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_LINES_MIN: Final = 4
_RADIUS_MIN, _RADIUS_MAX = 5.0, 22.0
_NARROWEST: Final = 1e-3
_FLATTEST: Final = 0.02


@dataclass(frozen=True, slots=True)
class Dot:
    """A place on the drawing, the page that shows it, and what it is."""

    x: float
    y: float
    radius: float
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A map of `width` by `height`; `land` and `borders` are paths, `FINENESS` times as large.

    Meridians and parallels are `step` degrees apart.
    """

    land: str
    borders: str
    step: float
    meridians: Sequence[float]
    parallels: Sequence[float]
    dots: Sequence[Dot]
    width: float = MAP_WIDTH
    height: float = MAP_HEIGHT


@dataclass(frozen=True, slots=True)
class Sheet:
    """Which part of the world is on the sheet; its west may be less than -180."""

    west: float
    north: float
    wide: float
    high: float

    @classmethod
    def showing(cls, area: Area) -> Sheet:
        """The whole area, in the middle."""
        middle = (area.north + area.south) / 2
        flat = max(math.cos(math.radians(middle)), _FLATTEST)
        wide = max(area.width, (area.north - area.south) * 2 / flat, _NARROWEST)
        high = wide * flat / 2
        return cls(area.west - (wide - area.width) / 2, middle + high / 2, wide, high)

    def place(self, longitude: float, latitude: float) -> Point:
        """Where on the sheet this is."""
        return (
            (longitude - self.west) / self.wide * MAP_WIDTH,
            (self.north - latitude) / self.high * MAP_HEIGHT,
        )

    @property
    def box(self) -> Box:
        """What is on the sheet, and a little more."""
        beyond = _BEYOND_PX / MAP_WIDTH
        whole = Box(self.west, self.north - self.high, self.west + self.wide, self.north)
        return whole.grown(self.wide * beyond, self.high * beyond * 2)


def draw(places: Places) -> Drawing:
    """The clusters of an area, on a map of it."""
    sheet = Sheet.showing(places.area)
    step = next((each for each in _STEPS if sheet.wide / each >= _LINES_MIN), _STEPS[-1])
    found = outline(sheet.box)
    south = sheet.north - sheet.high
    return Drawing(
        land="".join(path(map_to(sheet, ring), closed=True) for ring in found.land),
        borders="".join(path(map_to(sheet, line)) for line in found.borders),
        step=step,
        meridians=[sheet.place(each, 0)[0] for each in _multiples(sheet.west, sheet.wide, step)],
        parallels=[sheet.place(0, each)[1] for each in _multiples(south, sheet.high, step)],
        dots=_dots(places, sheet),
    )


def _dots(places: Places, sheet: Sheet) -> list[Dot]:
    largest = max((cluster.count for cluster in places.clusters), default=1)
    found = []
    for cluster in places.clusters:
        east = sheet.west + (cluster.longitude - sheet.west) % 360.0
        x, y = sheet.place(east, cluster.latitude)
        radius = (_RADIUS_MAX - _RADIUS_MIN) * math.sqrt((cluster.count - 1) / largest)
        title = f"{cluster.label}: {cluster.count:,} {'photo' if cluster.count == 1 else 'photos'}"
        dot = Dot(x, y, _RADIUS_MIN + radius, cluster.area.url, title)
        found += [dot, *_across(dot, 360.0 / sheet.wide * MAP_WIDTH)]
    return found


def _across(dot: Dot, turn: float) -> Iterator[Dot]:
    """The same dot at the other edge, where the sheet goes all the way round and cuts it."""
    for x in (dot.x - turn, dot.x + turn):
        if -dot.radius < x < MAP_WIDTH + dot.radius:
            yield replace(dot, x=x)


def map_to(sheet: Sheet, points: Iterable[Point]) -> list[tuple[int, int]]:
    """Points on the sheet, in tenths; what would not be seen beside the one before is left out."""
    found: list[tuple[int, int]] = []
    here = (0, 0)
    for longitude, latitude in points:
        x, y = sheet.place(longitude, latitude)
        here = (round(x * FINENESS), round(y * FINENESS))
        if not found or abs(here[0] - found[-1][0]) + abs(here[1] - found[-1][1]) >= _DETAIL:
            found.append(here)
    if found and found[-1] != here:
        found.append(here)
    return found


def path(points: Sequence[tuple[int, int]], *, closed: bool = False) -> str:
    """A path through these points, each as the way from the one before; empty for what is none."""
    if len(points) < (4 if closed else 2):
        return ""
    steps = ((x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in pairwise(points))
    # A minus parts two numbers as well as a space does.
    ways = " ".join(f"{x} {y}" for x, y in steps).replace(" -", "-")
    return f"M{points[0][0]} {points[0][1]}l{ways}{'z' if closed else ''}"


def _multiples(low: float, span: float, step: float) -> list[float]:
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor((low + span) / step) + 1)]
