"""The map shows places where they lie, with the land around them, right in its middle."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lading.console.readers.photos_places import Area, Places
from lading.console.world_map import (
    FINENESS,
    MAP_HEIGHT,
    MAP_WIDTH,
    Drawing,
    Sheet,
    draw,
    map_to,
    path,
)


def drawn(*area: float) -> Drawing:
    return draw(Places(area=Area(*area), zoom=0, clusters=[], cut=False))


def corners(text: str) -> list[tuple[float, float]]:
    """The points that a path goes through, in units of the sheet."""
    found: list[tuple[float, float]] = []
    for start, ways in re.findall(r"M([-\d ]+)l([-\d ]+)", text):
        x, y = (int(number) for number in start.split())
        found.append((x / FINENESS, y / FINENESS))
        steps = [int(number) for number in re.findall(r"-?\d+", ways)]
        for right, down in zip(steps[::2], steps[1::2], strict=True):
            x, y = x + right, y + down
            found.append((x / FINENESS, y / FINENESS))
    return found


@pytest.mark.parametrize(
    "area",
    [
        (-180, -90, 180, 90),
        (-9.5, 38, -8.5, 39.2),
        (5, 45, 12, 48),
        (170, -50, -170, -10),
        (-20, 60, 30, 85),
        (20, 70, 30, 90),
    ],
)
def test_all_of_an_area_is_on_the_sheet_and_nothing_is_drawn_far_beyond(area: Any) -> None:
    sheet, asked = Sheet.showing(Area(*area)), Area(*area)
    for longitude in (asked.west, asked.west + asked.width):
        for latitude in (asked.south, asked.north):
            x, y = sheet.place(longitude, latitude)
            assert -0.01 <= x <= MAP_WIDTH + 0.01
            assert -0.01 <= y <= MAP_HEIGHT + 0.01
    land = corners(drawn(*area).land)
    assert land
    assert all(-6 <= x <= MAP_WIDTH + 6 and -6 <= y <= MAP_HEIGHT + 6 for x, y in land)


def test_shapes_are_as_wide_as_high_in_the_middle_of_the_sheet() -> None:
    sheet = Sheet.showing(Area(10, 59, 12, 61))
    east = sheet.place(12, 60)[0] - sheet.place(10, 60)[0]
    north = sheet.place(10, 59)[1] - sheet.place(10, 60)[1]
    assert east / north == pytest.approx(1.0, abs=0.01)  # a degree is half as wide there as high


def test_a_path_says_each_way_from_the_point_before_and_nothing_too_small_to_see() -> None:
    assert path([(1, 2), (4, -2), (4, 9)]) == "M1 2l3-4 0 11"
    assert path([(0, 0), (9, 0), (9, 9), (0, 0)], closed=True) == "M0 0l9 0 0 9-9-9z"
    assert path([(0, 0), (9, 0), (0, 0)], closed=True) == ""
    assert path([(0, 0)]) == ""
    sheet = Sheet.showing(Area())
    # A degree is two units: a tenth of one is too little to be seen, but the end is kept.
    assert map_to(sheet, [(0, 0), (0.1, 0), (1, 0), (1.1, 0)]) == [
        (3600, 1800),
        (3620, 1800),
        (3622, 1800),
    ]


def test_maps_are_not_heavy() -> None:
    sizes = {
        area: sum(map(len, (drawn(*area).land, drawn(*area).borders)))
        for area in ((-180, -90, 180, 90), (-10, 35, 40, 72), (95, -12, 150, 20))
    }
    assert max(sizes.values()) < 60_000


def test_the_area_around_an_area_is_larger_to_the_whole_world() -> None:
    area, seen = Area.around(38.7, -9.1), set()
    while area != Area():
        wider = area.wider
        assert wider.width > area.width
        assert wider not in seen
        seen.add(wider)
        area = wider
    assert len(seen) < 20
    across = Area(179, -20, -179, -10).wider
    assert (across.west, across.east) == (178, -178)
