"""Decides what of a ring or a line lies in a rectangle; plain numbers, whatever they measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, its edges in it; in degrees, x is the longitude and y the latitude."""

    west: float
    south: float
    east: float
    north: float

    def meets(self, other: Box) -> bool:
        """Whether they have a point in common."""
        return (
            self.west <= other.east
            and other.west <= self.east
            and self.south <= other.north
            and other.south <= self.north
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies in this one as a whole."""
        return (
            self.west <= other.west
            and other.east <= self.east
            and self.south <= other.south
            and other.north <= self.north
        )

    def moved(self, east: float) -> Box:
        """The same rectangle so much farther east."""
        return Box(self.west + east, self.south, self.east + east, self.north)

    def grown(self, across: float, along: float) -> Box:
        """With so much more to the east and the west, and to the north and the south."""
        return Box(self.west - across, self.south - along, self.east + across, self.north + along)


def clip_ring(ring: Iterable[Point], box: Box) -> list[Point]:
    """The part of a ring's area that is in a box, as one ring; empty when there is none.

    Parts that hang together only outside the box are joined along its edge.
    """
    found = list(ring)
    for axis, limit, sign in (
        (0, box.west, 1),
        (0, box.east, -1),
        (1, box.south, 1),
        (1, box.north, -1),
    ):
        found = _cut(found, axis, limit, sign) if found else []
    return found


def _cut(ring: Sequence[Point], axis: int, limit: float, sign: int) -> list[Point]:
    """What of a ring lies where one coordinate is at least (or, with -1, at most) this."""
    found: list[Point] = []
    before = ring[-1]
    was = (before[axis] - limit) * sign
    for point in ring:
        here = (point[axis] - limit) * sign
        if (here >= 0) != (was >= 0):
            part = was / (was - here)
            found.append(
                (
                    before[0] + (point[0] - before[0]) * part,
                    before[1] + (point[1] - before[1]) * part,
                )
            )
        if here >= 0:
            found.append(point)
        before, was = point, here
    return found


def clip_line(line: Iterable[Point], box: Box) -> list[list[Point]]:
    """The stretches of a line that pass a box, each with the points just outside of it."""
    found: list[list[Point]] = []
    before: Point | None = None
    going: list[Point] = []
    for point in line:
        if before is not None:
            if crosses(before, point, box):
                if not going:
                    going = [before]
                    found.append(going)
                going.append(point)
            else:
                going = []
        before = point
    return found


def crosses(a: Point, b: Point, box: Box) -> bool:
    """Whether the stretch from `a` to `b` has a point in a box."""
    low, high = 0.0, 1.0
    for axis, least, most in ((0, box.west, box.east), (1, box.south, box.north)):
        start, step = a[axis], b[axis] - a[axis]
        if step == 0:
            if not least <= start <= most:
                return False
            continue
        first, last = sorted(((least - start) / step, (most - start) / step))
        low, high = max(low, first), min(high, last)
        if low > high:
            return False
    return True
