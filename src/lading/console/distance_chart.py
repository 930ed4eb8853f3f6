"""Lays out how far faces lie from their own person and from others, with the limits on that scale.

What is of the same person stands upward and what is of others hangs down, each to its own scale, so
that no colour is needed to tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.console.charts import HEIGHT, WIDTH
from lading.media.faces.rules import Distances

BINS: Final = 24
BIN_WIDTH: Final = 0.05
_MIDDLE: Final = HEIGHT / 2
_VISIBLE_MIN: Final = 1.5
_GAP_SHARE: Final = 0.16


@dataclass(frozen=True, slots=True)
class DistanceBar:
    """A bar as drawn."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class DistanceRow:
    """The distances from `label` on, up to the next row's."""

    label: str
    same: int
    different: int


@dataclass(frozen=True, slots=True)
class DistanceChart:
    """Both halves, where the limits lie, and what each would lose and take wrongly."""

    same: Sequence[DistanceBar]
    different: Sequence[DistanceBar]
    rows: Sequence[DistanceRow]
    draft: float
    held: float
    draft_x: float
    held_x: float
    pairs_same: int
    pairs_different: int
    lost: tuple[int, int]
    taken: tuple[int, int]


def distance_chart(distances: Distances, *, draft: float, held: float) -> DistanceChart | None:
    """The chart for a limit that is tried and the one that holds; None without any distances.

    `lost` and `taken` are by the draft, and by what holds.
    """
    if not distances.same and not distances.different:
        return None
    found = distances.histogram(bins=BINS, width=BIN_WIDTH)
    return DistanceChart(
        same=_bars(found.same, up=True),
        different=_bars(found.different, up=False),
        rows=[
            DistanceRow(f"{number * BIN_WIDTH:.2f}", same, different)
            for number, (same, different) in enumerate(
                zip(found.same, found.different, strict=True)
            )
            if same or different
        ],
        draft=draft,
        held=held,
        draft_x=_x(draft),
        held_x=_x(held),
        pairs_same=len(distances.same),
        pairs_different=len(distances.different),
        lost=(distances.lost(draft), distances.lost(held)),
        taken=(distances.taken(draft), distances.taken(held)),
    )


def _bars(counts: Sequence[int], *, up: bool) -> list[DistanceBar]:
    most = max(counts)
    slot = WIDTH / len(counts)
    bars = []
    for number, count in enumerate(counts):
        if not count:
            continue
        height = max(_VISIBLE_MIN, (_MIDDLE - 2) * count / most)
        bars.append(
            DistanceBar(
                x=round(slot * (number + _GAP_SHARE / 2), 2),
                y=round(_MIDDLE - height, 2) if up else _MIDDLE,
                width=round(slot * (1 - _GAP_SHARE), 2),
                height=round(height, 2),
            )
        )
    return bars


def _x(distance: float) -> float:
    return round(min(WIDTH, WIDTH * distance / (BINS * BIN_WIDTH)), 2)
