"""The scenes of the showing: what each picture is called, when and where it was taken, its look."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from lading.cli.demo.pictures import (
    DAWN,
    DUSK,
    MIST,
    NIGHT,
    NOON,
    SUMMER,
    WINTER,
    Scene,
)

_SUMMER_TIME: Final = timezone(timedelta(hours=2))
_LAKE: Final = (47.5622, 13.6493)
_COAST: Final = (45.5281, 13.5681)
_HILLS: Final = (47.3903, 13.1187)


def _at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=_SUMMER_TIME)


WALK: Final = (
    Scene(11, "First light", DAWN, 1350, 900, _at(1, 5, 48), *_LAKE, 0.30),
    Scene(12, "Noon at the lake", NOON, 800, 1200, _at(1, 12, 6), *_LAKE, 0.52, rotated=True),
    Scene(13, "The long view", NOON, 1600, 900, _at(1, 15, 31), *_LAKE, 0.70),
    Scene(14, "Last light", DUSK, 1100, 1100, _at(1, 20, 12), *_LAKE, 0.86),
)
NIGHTS: Final = (
    Scene(21, "Moon over the water", NIGHT, 1350, 900, _at(2, 23, 40), *_LAKE, 0.35),
    Scene(22, "Before the stars", DUSK, 1350, 900, _at(2, 21, 2), *_LAKE, 0.74),
    Scene(23, "The night ends", DAWN, 800, 1200, _at(3, 5, 12), *_LAKE, 0.20, rotated=True),
    Scene(24, "Lights in the town", NIGHT, 1350, 900, _at(3, 22, 15), *_LAKE, 0.80, "town"),
    Scene(25, "The river after dark", DUSK, 1200, 1200, _at(3, 20, 58), *_LAKE, 0.30, "town"),
)
COAST: Final = (
    Scene(61, "Three sails", SUMMER, 1350, 900, _at(9, 11, 20), *_COAST, 0.64, "coast"),
    Scene(62, "Calm before evening", DUSK, 1350, 900, _at(9, 19, 40), *_COAST, 0.44, "coast"),
    Scene(63, "Harbour mouth", NOON, 1600, 900, _at(10, 13, 5), *_COAST, 0.22, "coast"),
    Scene(64, "The dunes behind", SUMMER, 1350, 900, _at(10, 16, 30), *_COAST, 0.72, "dunes"),
    Scene(65, "Sand in the wind", DUSK, 1350, 900, _at(10, 19, 12), *_COAST, 0.58, "dunes"),
    Scene(66, "Old town at noon", SUMMER, 800, 1200, _at(11, 12, 1), *_COAST, 0.5, "town"),
    Scene(67, "Full moon, flat sea", NIGHT, 1350, 900, _at(11, 23, 2), *_COAST, 0.5, "coast"),
)
HILLS: Final = (
    Scene(71, "Mist in the woods", MIST, 1350, 900, _at(16, 6, 8), *_HILLS, 0.60, "woods"),
    Scene(72, "Edge of the forest", DAWN, 800, 1200, _at(16, 6, 50), *_HILLS, 0.4, "woods"),
    Scene(73, "Late snow", WINTER, 1350, 900, _at(17, 10, 22), *_HILLS, 0.72, "snow"),
    Scene(74, "The pass", WINTER, 1600, 900, _at(17, 13, 45), *_HILLS, 0.3, "snow", rotated=True),
    Scene(75, "Snow at dusk", DUSK, 1350, 900, _at(17, 20, 3), *_HILLS, 0.82, "snow"),
    Scene(76, "Firs under stars", NIGHT, 1350, 900, _at(17, 23, 31), *_HILLS, 0.25, "woods"),
)
MORNING: Final = (
    Scene(31, "Mist", DAWN, 1350, 900, _at(4, 6, 2), *_LAKE, 0.42),
    Scene(32, "A damaged photo", NOON, 1350, 900, _at(4, 9, 15), *_LAKE, 0.60),
    Scene(33, "Clear again", NOON, 1350, 900, _at(4, 10, 44), *_LAKE, 0.66),
)
LATER: Final = Scene(41, "Still on its way", DUSK, 1200, 800, _at(5, 19, 50), *_LAKE)
FILM: Final = Scene(51, "A day at the lake", NOON, 640, 360, _at(1, 5, 30), *_LAKE)
