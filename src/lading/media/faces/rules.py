"""Decides whose face it is, by distances that are known: no pixels, no vectors, no clock.

Rules are asked in this order, and the first that objects decides: the face is large enough, its
score high enough, there is somebody to compare with, the nearest person is near enough, and the
next one is farther by a margin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from lading.media.faces.engine import Box
from lading.media.faces.settings import MatchingSettings

Id: TypeAlias = int | str
"""What the caller calls a face, a person or a reference."""

DISTANCE_DIGITS: Final = 6
"""Distances have so many decimals, so that one that was kept gives the verdict it gave before."""


class Verdict(StrEnum):
    """What is said of a face."""

    RECOGNISED = "recognised"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"
    TOO_SMALL = "too_small"
    LOW_SCORE = "low_score"


class Rule(StrEnum):
    """What decided it: the setting of that name, or that there is nobody to compare with."""

    SIDE_MIN = "side_min_px"
    SCORE_MIN = "score_min"
    NO_REFERENCES = "no_references"
    DISTANCE_MAX = "distance_max"
    MARGIN_MIN = "margin_min"
    ALL_PASSED = "all_passed"


class Candidate(NamedTuple):
    """A person a face may be of: the nearest of their references, and how far it is.

    `behind` is by how much farther it is than the nearest candidate's, which has 0.
    """

    person: Id
    reference: Id
    distance: float
    behind: float


class Measured(NamedTuple):
    """A face as it is judged: what detection said of it, and its nearest persons, nearest first."""

    face: Id
    side_px: int
    score: float
    candidates: tuple[Candidate, ...]


class Match(NamedTuple):
    """A verdict, the rule that decided it, and the face with its candidates.

    `nearest` is the first candidate. `margin` is how far the second one lies behind it, None when
    there is none.
    """

    measured: Measured
    verdict: Verdict
    rule: Rule

    @property
    def nearest(self) -> Candidate | None:
        """The nearest candidate, whatever the verdict."""
        return self.measured.candidates[0] if self.measured.candidates else None

    @property
    def margin(self) -> float | None:
        """By how much farther the next person is."""
        return self.measured.candidates[1].behind if len(self.measured.candidates) > 1 else None

    @property
    def person(self) -> Id | None:
        """The person, if the face was recognised."""
        return self.measured.candidates[0].person if self.verdict is Verdict.RECOGNISED else None


def judge(measured: Measured, settings: MatchingSettings) -> Match:
    """The verdict for one face."""
    verdict, rule = _judged(measured, settings)
    return Match(measured, verdict, rule)


def _judged(measured: Measured, settings: MatchingSettings) -> tuple[Verdict, Rule]:
    candidates = measured.candidates
    if measured.side_px < settings.side_min_px:
        return Verdict.TOO_SMALL, Rule.SIDE_MIN
    if measured.score < settings.score_min:
        return Verdict.LOW_SCORE, Rule.SCORE_MIN
    if not candidates:
        return Verdict.UNKNOWN, Rule.NO_REFERENCES
    if candidates[0].distance > settings.distance_max:
        return Verdict.UNKNOWN, Rule.DISTANCE_MAX
    if len(candidates) > 1 and candidates[1].behind < settings.margin_min:
        return Verdict.AMBIGUOUS, Rule.MARGIN_MIN
    return Verdict.RECOGNISED, Rule.ALL_PASSED


def explain(match: Match, settings: MatchingSettings) -> str:
    """Why the verdict is what it is, in a sentence with the numbers that count."""
    measured, nearest, margin = match.measured, match.nearest, match.margin
    if match.rule is Rule.SIDE_MIN:
        return f"The face is {measured.side_px} px wide, below the {settings.side_min_px} px asked."
    if match.rule is Rule.SCORE_MIN:
        return f"The score is {measured.score:.2f}, below the {settings.score_min:.2f} asked."
    if nearest is None:
        return "There is no reference image to compare with."
    if match.rule is Rule.DISTANCE_MAX:
        return (
            f"The nearest person is {nearest.distance:.3f} away, beyond the"
            f" {settings.distance_max:.3f} allowed."
        )
    near = f"The nearest person is {nearest.distance:.3f} away"
    if margin is None:
        return f"{near}, within {settings.distance_max:.3f}, and there is no other."
    relation = "below" if match.rule is Rule.MARGIN_MIN else "at least"
    return f"{near} and the next one {margin:.3f} farther, {relation} {settings.margin_min:.3f}."


class ChangeKind(StrEnum):
    """How a draft of the settings changes what is said of a face.

    `conflict` is a face that the draft, and not the settings before, takes for somebody else than
    the person it was confirmed to be. `reason` is one that is recognised by neither.
    """

    NEW = "new"
    LOST = "lost"
    CONFLICT = "conflict"
    REASON = "reason"


class Change(NamedTuple):
    """A face that another verdict is given to."""

    kind: ChangeKind
    before: Match
    after: Match


def changed_by(
    before: MatchingSettings,
    after: MatchingSettings,
    faces: Iterable[Measured],
    confirmed: Mapping[Id, Id] | None = None,
) -> Iterator[Change]:
    """The faces whose verdict changes, from distances alone; nothing is detected or compared.

    `confirmed` says, by face, which person people said it is of. The nearest person stays the
    nearest whatever the settings, so none is taken for one person before and another after.
    """
    known = confirmed or {}
    for measured in faces:
        old, new = judge(measured, before), judge(measured, after)
        if (old.verdict, old.rule) == (new.verdict, new.rule):
            continue
        if new.person is None:
            kind = ChangeKind.REASON if old.person is None else ChangeKind.LOST
        else:
            differs = known.get(measured.face, new.person) != new.person
            kind = ChangeKind.CONFLICT if differs else ChangeKind.NEW
        yield Change(kind, old, new)


class Histogram(NamedTuple):
    """How many distances lie in each bin of `width`, the first of which begins at 0.

    `same` counts those to the person that a face was confirmed to be of, `different` those to
    others; a good `distance_max` lies between the two. The last bin holds all that lies beyond.
    """

    width: float
    same: tuple[int, ...]
    different: tuple[int, ...]


class Distances(NamedTuple):
    """How far faces that people confirmed lie from the person they are of, and from others.

    `different` has each of the nearest other persons; a good `distance_max` parts the two.
    """

    same: tuple[float, ...]
    different: tuple[float, ...]

    def lost(self, distance_max: float) -> int:
        """How many faces are too far from their own person."""
        return sum(distance > distance_max for distance in self.same)

    def taken(self, distance_max: float) -> int:
        """How many pairs of a face and somebody else are near enough to be taken for one."""
        return sum(distance <= distance_max for distance in self.different)

    def histogram(self, *, bins: int = 24, width: float = 0.05) -> Histogram:
        """How many of them lie where."""
        counted = [[0] * bins, [0] * bins]
        for counts, distances in zip(counted, self, strict=True):
            for distance in distances:
                # 0.3 by 0.05 is a little less than 6.
                counts[min(int(round(distance / width, DISTANCE_DIGITS)), bins - 1)] += 1
        return Histogram(width, tuple(counted[0]), tuple(counted[1]))


def distances_of(faces: Iterable[Measured], confirmed: Mapping[Id, Id]) -> Distances:
    """The distances of faces that people confirmed, of which `confirmed` says the person."""
    same: list[float] = []
    different: list[float] = []
    for measured in faces:
        if (person := confirmed.get(measured.face)) is None:
            continue
        for candidate in measured.candidates:
            (same if candidate.person == person else different).append(candidate.distance)
    return Distances(tuple(same), tuple(different))


def distance_histogram(
    faces: Iterable[Measured],
    confirmed: Mapping[Id, Id],
    *,
    bins: int = 24,
    width: float = 0.05,
) -> Histogram:
    """How many of the distances of confirmed faces lie where; see `distances_of`."""
    return distances_of(faces, confirmed).histogram(bins=bins, width=width)


SAME_FACE_OVERLAP: Final = 0.4
"""From this overlap on, boxes of two scans of one picture are of one face."""


def same_faces(before: Sequence[Box], after: Sequence[Box]) -> dict[int, int]:
    """Which face of a new scan is which of an earlier one: places in `before`, by that in `after`.

    So what people said of a face stays with it. Each is paired once, the best overlaps first.
    """
    overlaps = sorted(
        (-old.overlap(new), at, to)
        for at, old in enumerate(before)
        for to, new in enumerate(after)
        if old.overlap(new) >= SAME_FACE_OVERLAP
    )
    paired: dict[int, int] = {}
    for _, at, to in overlaps:
        if to not in paired and at not in paired.values():
            paired[to] = at
    return paired
