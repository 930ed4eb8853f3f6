"""Judges reference images: which ones make recognition worse, and what to do about each.

Good references of a person are sharp, large, seen from the front, and differ from one another:
in light, age, glasses, beard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from lading.base.units import format_count
from lading.media.faces.engine import Detected, Embedding
from lading.media.faces.errors import EmbeddingsDiffer
from lading.media.faces.rules import Id
from lading.media.faces.settings import MatchingSettings


class ReferenceFace(NamedTuple):
    """The face in a reference image of a person, as it was detected."""

    reference: Id
    person: Id
    face: Detected


@dataclass(frozen=True, slots=True)
class ReferencePolicy:
    """What is asked of references; the numbers fit embeddings of the engine dlib.

    `turn_max` of 0.5 is a head turned by some thirty degrees. Two images of one person nearer than
    `alike_distance` teach nothing that one of them does not.
    """

    side_min_px: int = 80
    sharpness_min: float = 0.01
    turn_max: float = 0.5
    alike_distance: float = 0.15
    count_min: int = 5
    count_max: int = 30


class Flaw(StrEnum):
    """What is wrong with a reference image, or with how many there are."""

    LIKE_ANOTHER_PERSON = "like_another_person"
    OUTLIER = "outlier"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TURNED = "turned"
    TOO_ALIKE = "too_alike"
    TOO_FEW = "too_few"
    TOO_MANY = "too_many"


class Advice(NamedTuple):
    """A flaw, what to do about it, and the reference; None when it is about all of a person's.

    `other` is the reference it is about as well: the one it is too alike to, or somebody else's.
    """

    flaw: Flaw
    text: str
    reference: Id | None = None
    other: Id | None = None


def distance(first: Embedding, second: Embedding) -> float:
    """The Euclidean distance of two embeddings. Raises `EmbeddingsDiffer`."""
    require_alike(first, second)
    return math.dist(first.numbers(), second.numbers())


def require_alike(first: Embedding, second: Embedding) -> None:
    """Raises `EmbeddingsDiffer` for embeddings that cannot be compared."""
    if first.kind != second.kind or len(first.vector) != len(second.vector):
        raise EmbeddingsDiffer(
            "Embeddings of two kinds cannot be compared", expected=first.kind, found=second.kind
        )


def review(
    own: Sequence[ReferenceFace],
    others: Iterable[ReferenceFace] = (),
    *,
    settings: MatchingSettings | None = None,
    policy: ReferencePolicy | None = None,
) -> tuple[Advice, ...]:
    """What is to be said of one person's references, gravest first; `others` are other persons'.

    The distance up to which faces count as one person's is `settings.distance_max`. Raises
    `EmbeddingsDiffer`.
    """
    limit = (settings or MatchingSettings()).distance_max
    policy = policy or ReferencePolicy()
    found = [
        *_like_others(own, list(others), limit),
        *_outliers(own, limit),
        *(advice for one in own for advice in _flaws_of(one, policy)),
        *_alike(own, policy),
        *_number(len(own), policy),
    ]
    gravity = {flaw: place for place, flaw in enumerate(Flaw)}
    return tuple(sorted(found, key=lambda advice: gravity[advice.flaw]))


def typical_distances(own: Sequence[ReferenceFace]) -> dict[Id, float]:
    """By reference, its median distance to the person's others; nothing for a single one.

    The weakest reference is the one with the largest. Raises `EmbeddingsDiffer`.
    """
    if len(own) < 2:
        return {}
    far: list[list[float]] = [[] for _ in own]
    numbers = _numbers(own)
    for at, one in enumerate(numbers):
        for place in range(at):
            apart = math.dist(one, numbers[place])
            far[at].append(apart)
            far[place].append(apart)
    return {one.reference: median(apart) for one, apart in zip(own, far, strict=True)}


def _numbers(faces: Sequence[ReferenceFace]) -> list[tuple[float, ...]]:
    """Their embeddings as numbers. Raises `EmbeddingsDiffer`."""
    for one in faces[1:]:
        require_alike(faces[0].face.embedding, one.face.embedding)
    return [one.face.embedding.numbers() for one in faces]


def _like_others(
    own: Sequence[ReferenceFace], others: Sequence[ReferenceFace], limit: float
) -> Iterable[Advice]:
    if not others:
        return
    numbers = _numbers([*own, *others])
    of_others = list(zip(numbers[len(own) :], others, strict=True))
    for one, here in zip(own, numbers, strict=False):
        near, other = min(
            ((math.dist(here, there), each) for there, each in of_others),
            key=lambda pair: pair[0],
        )
        if near <= limit:
            yield Advice(
                Flaw.LIKE_ANOTHER_PERSON,
                f"It is only {near:.2f} from a reference image of somebody else. Check whose face"
                " both show: remove the wrong one, or merge the two if they are one person.",
                one.reference,
                other.reference,
            )


def _outliers(own: Sequence[ReferenceFace], limit: float) -> Iterable[Advice]:
    # Of two that differ nobody can say which is the stranger.
    if len(own) < 3:
        return
    for reference, typical in typical_distances(own).items():
        if typical > limit:
            yield Advice(
                Flaw.OUTLIER,
                f"It is {typical:.2f} from most of this person's other images, farther than faces"
                " of one person should be. Remove it if it shows somebody else.",
                reference,
            )


def _flaws_of(one: ReferenceFace, policy: ReferencePolicy) -> Iterable[Advice]:
    face = one.face
    if face.side_px < policy.side_min_px:
        yield Advice(
            Flaw.TOO_SMALL,
            f"The face is {face.side_px} px wide; choose an image in which it has"
            f" {policy.side_min_px} px or more.",
            one.reference,
        )
    if face.sharpness < policy.sharpness_min:
        yield Advice(
            Flaw.BLURRED,
            "The face is blurred, and blurred faces look like one another. Choose a sharper image.",
            one.reference,
        )
    if abs(face.turn) > policy.turn_max:
        yield Advice(
            Flaw.TURNED,
            "The face is seen from the side. Choose an image that shows it from the front.",
            one.reference,
        )


def _alike(own: Sequence[ReferenceFace], policy: ReferencePolicy) -> Iterable[Advice]:
    """Images that an earlier one makes superfluous; the earlier one stays without advice."""
    kept: list[ReferenceFace] = []
    for one in own:
        near = [
            other
            for other in kept
            if distance(one.face.embedding, other.face.embedding) < policy.alike_distance
        ]
        if not near:
            kept.append(one)
            continue
        yield Advice(
            Flaw.TOO_ALIKE,
            "It is almost the same as another image of this person and adds nothing. Choose one"
            " of another day, in another light.",
            one.reference,
            near[0].reference,
        )


def _number(count: int, policy: ReferencePolicy) -> Iterable[Advice]:
    there = f"There {'is' if count == 1 else 'are'} {format_count(count, 'reference image')}"
    text = f"{there}; {policy.count_min} to {policy.count_max} that differ are advised."
    if count < policy.count_min:
        yield Advice(Flaw.TOO_FEW, text)
    if count > policy.count_max:
        yield Advice(Flaw.TOO_MANY, text)
