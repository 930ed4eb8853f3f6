"""Groups faces that are alike, so that those of one unknown person can be named at once.

Each face joins the first group whose every face is near: no chain of likenesses brings two people
together. Pure, and quadratic in the faces, of which a page has few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from lading.media.faces.engine import Embedding

T = TypeVar("T")


def alike(faces: Sequence[tuple[T, Embedding]], distance_max: float) -> list[list[T]]:
    """The faces in groups, the largest first, else in the order given.

    Faces of different kinds of embedding are never in one group.
    """
    groups: list[tuple[str, list[T], list[tuple[float, ...]]]] = []
    for one, embedding in faces:
        numbers = embedding.numbers()
        for kind, members, vectors in groups:
            if kind != embedding.kind or len(vectors[0]) != len(numbers):
                continue
            if all(math.dist(numbers, other) <= distance_max for other in vectors):
                members.append(one)
                vectors.append(numbers)
                break
        else:
            groups.append((embedding.kind, [one], [numbers]))
    return sorted((members for _, members, _ in groups), key=len, reverse=True)
