"""Decides which faces of an earlier scan those of a new one are, by where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from lading.media.faces.engine import Box

OVERLAP_MIN: Final = 0.5
"""From so much overlap on, two boxes hold the same face."""

K = TypeVar("K")


def same_faces(found: Sequence[Box], known: Sequence[tuple[K, Box]]) -> dict[int, K]:
    """By the number of a box in `found`, the known face that it holds; each of them at most once.

    Those that overlap most are taken for one first; of equal ones, those that come first.
    """
    pairs = sorted(
        (-overlap, at, number)
        for number, box in enumerate(found)
        for at, (_, known_box) in enumerate(known)
        if (overlap := box.overlap(known_box)) >= OVERLAP_MIN
    )
    same: dict[int, K] = {}
    taken: set[int] = set()
    for _, at, number in pairs:
        if number not in same and at not in taken:
            same[number] = known[at][0]
            taken.add(at)
    return same
