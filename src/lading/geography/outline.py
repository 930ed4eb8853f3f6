"""What of the land and of the borders on it lies in a part of the world, for drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lading.geography.rules import Box, Point, clip_line, clip_ring
from lading.geography.world import Detail, Line, read_world

WORLD_DEGREES: Final = 100.0
"""From this width on, the coarser map is detailed enough for a drawing on a page."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Rings of land and lines of borders, longitude first, none far outside what was asked for."""

    land: Sequence[Sequence[Point]]
    borders: Sequence[Sequence[Point]]


def outline(box: Box) -> Outline:
    """The land in a box. Its west and east may be any, so that it goes on past 180°."""
    world = read_world(Detail.WORLD if box.east - box.west >= WORLD_DEGREES else Detail.REGION)
    land: list[Sequence[Point]] = []
    for ring, east in _meeting(world.land, box):
        moved = [(x + east, y) for x, y in ring]
        clipped = moved if box.holds(ring.box.moved(east)) else clip_ring(moved, box)
        if clipped:
            land.append(clipped)
    borders: list[Sequence[Point]] = []
    for line, east in _meeting(world.borders, box):
        borders += clip_line([(x + east, y) for x, y in line], box)
    return Outline(land, borders)


def _meeting(lines: Sequence[Line], box: Box) -> Iterator[tuple[Line, float]]:
    """What lies in a box, with how far east it has to be moved for that: whole turns."""
    for turns in (-2, -1, 0, 1, 2):
        east = 360.0 * turns
        for line in lines:
            if box.meets(line.box.moved(east)):
                yield line, east
