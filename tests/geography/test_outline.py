"""The outline of a part of the world is the land that is there, wherever its edges are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from lading.geography.outline import outline
from lading.geography.rules import Box, Point, clip_line, clip_ring, crosses

SQUARE = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)]


def area(rings: Sequence[Sequence[Point]]) -> float:
    """The area of rings, those of holes taken off."""
    return (
        abs(
            sum(
                x1 * y2 - x2 * y1
                for ring in rings
                for (x1, y1), (x2, y2) in pairwise([*ring, ring[0]])
            )
        )
        / 2
    )


@pytest.mark.parametrize(
    ("box", "left"),
    [
        (Box(1, 1, 3, 3), 4.0),
        (Box(-1, -1, 2, 2), 4.0),
        (Box(-9, -9, 9, 9), 16.0),
        (Box(3, -1, 9, 9), 4.0),
        (Box(5, 5, 6, 6), 0.0),
    ],
)
def test_a_ring_is_cut_at_the_edges_of_a_box(box: Box, left: float) -> None:
    ring = clip_ring(SQUARE, box)
    assert (area([ring]) if ring else 0.0) == pytest.approx(left)


def test_a_line_is_left_as_the_stretches_that_pass_a_box() -> None:
    line = [(-5.0, 1.0), (-1.0, 1.0), (5.0, 1.0), (5.0, 9.0), (1.0, 9.0), (1.0, -5.0)]
    assert clip_line(line, Box(0, 0, 2, 2)) == [
        [(-1.0, 1.0), (5.0, 1.0)],
        [(1.0, 9.0), (1.0, -5.0)],
    ]
    assert crosses((-1.0, 1.0), (1.0, 3.5), Box(0, 0, 2, 2)) is False
    assert crosses((1.0, 1.0), (1.0, 1.0), Box(0, 0, 2, 2)) is True


def test_the_world_has_its_land_once_also_when_it_begins_elsewhere() -> None:
    whole = area(outline(Box(-180, -90, 180, 90)).land)
    # Square degrees of 64,800; those of Antarctica are many.
    assert 20_000 < whole < 23_000
    assert area(outline(Box(-20, -90, 340, 90)).land) == pytest.approx(whole, rel=1e-6)
    assert area(outline(Box(-360, -90, 0, 90)).land) == pytest.approx(whole, rel=1e-6)


def test_land_across_the_180th_meridian_is_seen_from_both_sides() -> None:
    here, there = outline(Box(170, 60, 200, 75)), outline(Box(-190, 60, -160, 75))
    assert area(here.land) == pytest.approx(area(there.land))
    east = [x for ring in here.land for x, _ in ring]
    assert min(east) < 180 < max(east)
    assert all(170 <= x <= 200 for x in east)


def test_borders_on_land_are_drawn_and_coasts_are_none() -> None:
    alps = outline(Box(5, 45, 11, 48))
    assert sum(map(len, alps.borders)) > 100
    assert outline(Box(138, -35, 150, -25)).borders == []  # Australia, coast and all
    assert outline(Box(138, -40, 150, -25)).land != []
    assert outline(Box(-35, 20, -30, 25)).land == []
