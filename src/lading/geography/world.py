"""Reads the maps that Lading brings along: TopoJSON, where neighbours share the arcs between them.

https://github.com/topojson/topojson-specification. Reading takes a moment and is done once a
process, when it is first asked for.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, Final

from lading.geography.rules import Box, Point

_HALF_TURN: Final = 180.0


class Detail(StrEnum):
    """A scale that there is a map of, by its file."""

    WORLD = "countries-110m-2.0.2.json"
    REGION = "countries-50m-2.0.2.json"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Points in degrees, longitude first, and what surrounds them. A ring ends where it began."""

    xs: Sequence[float]
    ys: Sequence[float]
    box: Box

    def __iter__(self) -> Iterator[Point]:
        return zip(self.xs, self.ys, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The land as rings (those of lakes among them), borders on land as lines, and countries.

    `countries` are pairs of a name and the rings of its area; what lies in an even number of
    them is outside. What lies across the 180th meridian has longitudes that go on past it.
    """

    land: Sequence[Line]
    borders: Sequence[Line]
    countries: Sequence[tuple[str, Sequence[Line]]]


@cache
def read_world(detail: Detail) -> World:
    """The map of this scale."""
    data = json.loads((files("lading.geography") / "vendor" / detail).read_bytes())
    arcs = [_decoded(arc, data["transform"]) for arc in data["arcs"]]
    countries = data["objects"]["countries"]["geometries"]
    used = Counter(
        number if number >= 0 else ~number
        for country in countries
        for ring in _rings(country)
        for number in ring
    )
    return World(
        land=[
            _ring(arcs, ring)
            for part in data["objects"]["land"]["geometries"]
            for ring in _rings(part)
        ],
        borders=[
            _line(_unturned(arcs[number][0]), arcs[number][1])
            for number, times in sorted(used.items())
            if times > 1
        ],
        countries=[
            (str(each["properties"]["name"]), [_ring(arcs, ring) for ring in _rings(each)])
            for each in countries
        ],
    )


def _rings(geometry: Mapping[str, Any]) -> Iterator[Sequence[int]]:
    """The rings of a shape, as numbers of arcs."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    for polygon in polygons:
        yield from polygon


def _decoded(
    arc: Sequence[Sequence[int]], transform: Mapping[str, Sequence[float]]
) -> tuple[array[float], array[float]]:
    """An arc's longitudes and latitudes: each is stated as the way from the one before."""
    (wide, high), (west, south) = transform["scale"], transform["translate"]
    return (
        array("d", (x * wide + west for x in accumulate(step[0] for step in arc))),
        array("d", (y * high + south for y in accumulate(step[1] for step in arc))),
    )


def _ring(arcs: Sequence[tuple[array[float], array[float]]], numbers: Sequence[int]) -> Line:
    """Arcs one after the other; each begins where the one before ended. `~n` is `n` backwards."""
    xs, ys = array("d"), array("d")
    for number in numbers:
        xs_of, ys_of = arcs[number if number >= 0 else ~number]
        if number < 0:
            xs_of, ys_of = xs_of[::-1], ys_of[::-1]
        begin = 1 if xs else 0
        xs += xs_of[begin:]
        ys += ys_of[begin:]
    xs = _unturned(xs)
    if abs(xs[-1] - xs[0]) > _HALF_TURN:  # once round the world: it is closed at its pole
        pole = math.copysign(90.0, ys[0])
        xs += array("d", (xs[-1], xs[0], xs[0]))
        ys += array("d", (pole, pole, ys[0]))
    return _line(xs, ys)


def _unturned(xs: array[float]) -> array[float]:
    """Longitudes that go on past 180 where they were stated as from -180 on, and the other way."""
    turned, before = 0.0, xs[0]
    found = array("d")
    for x in xs:
        if abs(x - before) > _HALF_TURN:
            turned += math.copysign(2 * _HALF_TURN, before - x)
        before = x
        found.append(x + turned)
    return found


def _line(xs: array[float], ys: array[float]) -> Line:
    return Line(xs, ys, Box(min(xs), min(ys), max(xs), max(ys)))
