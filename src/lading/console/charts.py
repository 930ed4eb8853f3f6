"""Lays charts out as plain numbers for `parts/charts.html`: columns over time, and spans by kind.

What is drawn is stretched to the width there is, so it holds no text: words stand in HTML beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 1000.0
HEIGHT: Final = 100.0
_GAP_SHARE: Final = 0.16
_VISIBLE_MIN: Final = 1.5
"""Something that is not nothing is drawn at least so high: it must be seen to be there."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column to draw: what it stands for, how much, the same in words, and where it leads.

    `brief` are fewer words, for where there is little room.
    """

    label: str
    value: float
    words: str
    url: str | None = None
    brief: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One column as drawn; `slot_x` and `slot_width` are the area that belongs to it."""

    x: float
    y: float
    width: float
    height: float
    slot_x: float
    slot_width: float
    column: Column


@dataclass(frozen=True, slots=True)
class BarChart:
    """Columns over time. `peak` says how much the highest one is; empty when all are nothing."""

    bars: Sequence[Bar]
    peak: str

    @property
    def first(self) -> str:
        """The label under the left edge."""
        return self.bars[0].column.label if self.bars else ""

    @property
    def middle(self) -> str:
        """The label under the middle."""
        return self.bars[len(self.bars) // 2].column.label if len(self.bars) > 2 else ""

    @property
    def last(self) -> str:
        """The label under the right edge."""
        return self.bars[-1].column.label if len(self.bars) > 1 else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A typical and a long value as widths on one scale with all others."""

    typical: float
    long: float


def bar_chart(columns: Sequence[Column]) -> BarChart:
    """Columns side by side, the highest as high as the chart."""
    if not columns:
        return BarChart((), "")
    top = max(columns, key=lambda column: column.value)
    slot = WIDTH / len(columns)
    bars = []
    for index, column in enumerate(columns):
        height = 0.0
        if column.value > 0:
            height = max(_VISIBLE_MIN, HEIGHT * column.value / top.value)
        bars.append(
            Bar(
                x=round(slot * (index + _GAP_SHARE / 2), 2),
                y=round(HEIGHT - height, 2),
                width=round(slot * (1 - _GAP_SHARE), 2),
                height=round(height, 2),
                slot_x=round(slot * index, 2),
                slot_width=round(slot, 2),
                column=column,
            )
        )
    return BarChart(bars, (top.brief or top.words) if top.value > 0 else "")


def spans(values: Sequence[tuple[float, float]]) -> list[Span]:
    """Pairs of a typical and a long value, to one scale."""
    longest = max((long for _, long in values), default=0.0)
    if longest <= 0:
        return [Span(0.0, 0.0) for _ in values]
    return [
        Span(round(WIDTH * typical / longest, 2), round(WIDTH * long / longest, 2))
        for typical, long in values
    ]


def part(value: float, whole: float) -> float:
    """How wide a bar of `value` of `whole` is."""
    if whole <= 0:
        return 0.0
    return round(WIDTH * min(1.0, max(0.0, value / whole)), 2)
