"""Decides how far two colours are apart, as WCAG 2 counts it, where one may shine through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

TEXT_MIN = 4.5
LARGE_TEXT_MIN = 3.0
LARGE_PX = 24.0
LARGE_BOLD_PX = 18.66
BOLD_WEIGHT = 700
WHITE = (255.0, 255.0, 255.0, 1.0)

Colour = tuple[float, float, float, float]
"""Red, green and blue from 0 to 255, and how much of it covers what is below, from 0 to 1."""


@dataclass(frozen=True)
class Painted:
    """Text as a page paints it; `layers` are what lies below it, the topmost first.

    A layer of several colours is a gradient; the worst of them counts.
    """

    words: str
    colour: Colour
    layers: Sequence[Sequence[Colour]]
    size_px: float
    weight: int

    @property
    def needed(self) -> float:
        large = self.size_px >= (LARGE_BOLD_PX if self.weight >= BOLD_WEIGHT else LARGE_PX)
        return LARGE_TEXT_MIN if large else TEXT_MIN


def blend(over: Colour, below: Colour) -> Colour:
    """What is seen when `over` is painted on an opaque `below`."""
    share = over[3]
    mixed = [share * top + (1 - share) * base for top, base in zip(over, below, strict=True)]
    return (mixed[0], mixed[1], mixed[2], 1.0)


def luminance(colour: Colour) -> float:
    """Relative luminance of an opaque colour, from 0 to 1."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in colour[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ratio(one: Colour, other: Colour) -> float:
    """From 1, no contrast at all, to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ground_of(layers: Sequence[Sequence[Colour]]) -> list[Colour]:
    """The opaque colours that `layers` may come to, on a white page."""
    grounds: list[Colour] = [WHITE]
    for layer in reversed(layers):
        grounds = [blend(colour, ground) for colour in layer for ground in grounds]
    return grounds


def contrast_of(painted: Painted) -> float:
    """The contrast of text with what it stands on, where it is least."""
    grounds = ground_of(painted.layers)
    return reduce(min, (ratio(blend(painted.colour, ground), ground) for ground in grounds))
