from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.media.faces.engine import Box, Detected, Embedding
from lading.media.faces.errors import EmbeddingsDiffer, FaceSettingsRefused
from lading.media.faces.matching import FaceToMatch, KnownPersons, Reference, match
from lading.media.faces.references import (
    Flaw,
    ReferenceFace,
    distance,
    review,
    typical_distances,
)
from lading.media.faces.rules import (
    Candidate,
    ChangeKind,
    Id,
    Match,
    Measured,
    Rule,
    Verdict,
    changed_by,
    distance_histogram,
    explain,
    judge,
    same_faces,
)
from lading.media.faces.settings import (
    RANGES,
    DetectionSettings,
    FaceSettings,
    MatchingSettings,
)

KIND = "plane"
# On a grid of eighths all squares are exact, and ties are ties.
VECTORS = st.tuples(*[st.integers(-8, 8).map(lambda eighths: eighths / 8)] * 3)
PERSONS = st.sampled_from(["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gil"])


def at(*numbers: float, kind: str = KIND) -> Embedding:
    return Embedding.of(kind, numbers)


@st.composite
def references(draw: st.DrawFn) -> list[Reference]:
    pairs = draw(st.lists(st.tuples(PERSONS, VECTORS), max_size=12))
    return [Reference(n, person, at(*vector)) for n, (person, vector) in enumerate(pairs)]


@st.composite
def faces_to_match(draw: st.DrawFn) -> FaceToMatch:
    return FaceToMatch(
        draw(st.integers(0, 99)),
        at(*draw(VECTORS)),
        draw(st.integers(20, 120)),
        draw(st.sampled_from([0.0, 0.29, 0.3, 0.31, 2.0])),
        draw(st.frozensets(PERSONS, max_size=2)),
    )


@st.composite
def settings(draw: st.DrawFn) -> MatchingSettings:
    return MatchingSettings(
        draw(st.floats(0.2, 0.9)),
        draw(st.floats(0.0, 0.4)),
        draw(st.integers(20, 120)),
        draw(st.sampled_from([0.0, 0.3, 2.0])),
    )


@st.composite
def measured(draw: st.DrawFn) -> Measured:
    apart = sorted(draw(st.lists(st.floats(0.0, 1.2), max_size=5)))
    candidates = [
        Candidate(f"P{place}", place, far, far - apart[0]) for place, far in enumerate(apart)
    ]
    return Measured(
        draw(st.integers(0, 9)),
        draw(st.integers(20, 120)),
        draw(st.floats(0, 3)),
        tuple(candidates),
    )


def plain_nearest(face: FaceToMatch, known: list[Reference]) -> list[tuple[float, Id, Id]]:
    """As a script would do it: the nearest reference of each person, nearest first."""
    nearest: dict[Id, tuple[float, Id]] = {}
    for reference in known:
        if reference.person in face.not_persons:
            continue
        far = math.dist(face.embedding.numbers(), reference.embedding.numbers())
        if reference.person not in nearest or far < nearest[reference.person][0]:
            nearest[reference.person] = (far, reference.reference)
    order = list(dict.fromkeys(reference.person for reference in known))
    found = [(far, person, reference) for person, (far, reference) in nearest.items()]
    return sorted(found, key=lambda one: (one[0], order.index(one[1])))[:5]


@given(faces=st.lists(faces_to_match(), max_size=8), known=references())
def test_the_nearest_persons_are_those_a_plain_loop_finds(
    faces: list[FaceToMatch], known: list[Reference]
) -> None:
    found = list(KnownPersons(known).nearest(faces))
    assert [one.face for one in found] == [face.face for face in faces]
    for one, face in zip(found, faces, strict=True):
        plain = plain_nearest(face, known)
        assert [(c.person, c.reference) for c in one.candidates] == [each[1:] for each in plain]
        assert [c.distance for c in one.candidates] == pytest.approx(
            [d for d, _, _ in plain], abs=2e-6
        )
        assert [c.behind for c in one.candidates] == pytest.approx(
            [d - plain[0][0] for d, _, _ in plain], abs=3e-6
        )


@given(faces=st.lists(faces_to_match(), max_size=8), known=references())
def test_how_many_faces_are_compared_at_once_changes_nothing(
    faces: list[FaceToMatch], known: list[Reference]
) -> None:
    at_once = list(KnownPersons(known).nearest(faces))
    assert at_once == [one for face in faces for one in KnownPersons(known).nearest([face])]


def test_two_persons_with_the_same_picture_are_equally_far_from_every_face() -> None:
    numbers = random.Random(5)

    def vector() -> Embedding:
        return at(*[numbers.gauss(0, 0.1) for _ in range(128)])

    shown = [vector() for _ in range(37)]
    known = KnownPersons(Reference(n, n, shown[n % 37]) for n in range(2 * 37))
    faces = [FaceToMatch(n, vector(), 100, 1.0) for n in range(464)]
    faces += [FaceToMatch(n, shown[n], 100, 1.0) for n in range(37)]
    found = list(known.nearest(faces))
    for one in found:
        first, second, *_ = one.candidates
        assert (second.behind, second.person) == (0.0, int(first.person) + 37)
        assert judge(one, MatchingSettings(distance_max=0.9)).person is None
    assert found == [one for face in faces for one in known.nearest([face])]


def test_faces_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[FaceToMatch]:
        nonlocal taken
        while True:
            taken += 1
            yield FaceToMatch(taken, at(taken % 7, 1, 0), 100, 1.0)

    known = KnownPersons(Reference(n, n, at(n, 0, 0)) for n in range(500))
    found = match(endless(), known, MatchingSettings())
    for _ in range(3000):
        next(found)
    assert taken <= 4000


def test_a_vector_survives_being_kept_as_bytes_in_a_known_order() -> None:
    assert at(1.0).vector == b"\x00\x00\x80\x3f"
    assert at(1.0, -0.5).numbers() == (1.0, -0.5)


@pytest.mark.parametrize("other", [at(1, 0, 0, kind="other"), at(1, 0)])
def test_embeddings_of_two_kinds_are_never_compared(other: Embedding) -> None:
    mine = at(1, 0, 0)
    with pytest.raises(EmbeddingsDiffer):
        KnownPersons([Reference(1, 1, mine), Reference(2, 1, other)])
    with pytest.raises(EmbeddingsDiffer):
        list(KnownPersons([Reference(1, 1, mine)]).nearest([FaceToMatch(1, other, 99, 1.0)]))
    with pytest.raises(EmbeddingsDiffer):
        distance(mine, other)


def model(one: Measured, limits: MatchingSettings) -> tuple[str, str]:
    """The rules once more, the other way round: what has to hold for each verdict."""
    usable = one.side_px >= limits.side_min_px and one.score >= limits.score_min
    near = bool(one.candidates) and one.candidates[0].distance <= limits.distance_max
    clear = len(one.candidates) < 2 or one.candidates[1].behind >= limits.margin_min
    if usable and near:
        return ("recognised", "all_passed") if clear else ("ambiguous", "margin_min")
    if usable:
        return "unknown", "distance_max" if one.candidates else "no_references"
    if one.side_px < limits.side_min_px:
        return "too_small", "side_min_px"
    return "low_score", "score_min"


@given(one=measured(), limits=settings())
def test_verdicts_follow_the_rules_and_explain_themselves(
    one: Measured, limits: MatchingSettings
) -> None:
    verdict = judge(one, limits)
    assert (verdict.verdict, verdict.rule) == model(one, limits)
    assert (verdict.person is not None) == (verdict.verdict is Verdict.RECOGNISED)
    assert explain(verdict, limits).endswith(".")


@given(one=measured(), limits=settings(), looser=st.floats(0.2, 0.9))
def test_a_looser_distance_loses_nobody_and_changes_no_person(
    one: Measured, limits: MatchingSettings, looser: float
) -> None:
    strict = judge(one, limits)
    loose = judge(one, replace(limits, distance_max=max(looser, limits.distance_max)))
    if strict.person is not None:
        assert loose.person == strict.person


EXPLAINED: list[tuple[Measured, Verdict, str]] = [
    (Measured(1, 59, 1.0, ()), Verdict.TOO_SMALL, "59 px wide, below the 60 px"),
    (Measured(1, 60, 0.29, ()), Verdict.LOW_SCORE, "0.29, below the 0.30"),
    (Measured(1, 60, 0.3, ()), Verdict.UNKNOWN, "no reference"),
    (Measured(1, 60, 0.3, (Candidate(1, 1, 0.500001, 0),)), Verdict.UNKNOWN, "beyond the 0.500"),
    (Measured(1, 60, 0.3, (Candidate(1, 1, 0.5, 0),)), Verdict.RECOGNISED, "there is no other"),
    (
        Measured(1, 60, 0.3, (Candidate(1, 1, 0.4, 0), Candidate(2, 2, 0.449, 0.049))),
        Verdict.AMBIGUOUS,
        "0.049 farther, below 0.050",
    ),
    (
        Measured(1, 60, 0.3, (Candidate(1, 1, 0.4, 0), Candidate(2, 2, 0.45, 0.05))),
        Verdict.RECOGNISED,
        "0.050 farther, at least 0.050",
    ),
]


@pytest.mark.parametrize(("one", "verdict", "words"), EXPLAINED)
def test_each_rule_holds_at_its_limit_and_says_so(
    one: Measured, verdict: Verdict, words: str
) -> None:
    found = judge(one, MatchingSettings())
    assert found.verdict is verdict
    assert words in explain(found, MatchingSettings())


@given(
    faces=st.lists(measured(), max_size=8),
    before=settings(),
    after=settings(),
    confirmed=st.dictionaries(st.integers(0, 9), st.sampled_from(["P0", "P1"])),
)
def test_a_draft_changes_what_judging_anew_would_change(
    faces: list[Measured],
    before: MatchingSettings,
    after: MatchingSettings,
    confirmed: dict[Id, Id],
) -> None:
    changes = list(changed_by(before, after, faces, confirmed))
    pairs = [(judge(one, before), judge(one, after)) for one in faces]
    assert [(c.before, c.after) for c in changes] == [
        (old, new) for old, new in pairs if (old.verdict, old.rule) != (new.verdict, new.rule)
    ]

    def persons(matches: list[Match]) -> int:
        return sum(one.person is not None for one in matches)

    kinds = [change.kind for change in changes]
    gained = kinds.count(ChangeKind.NEW) + kinds.count(ChangeKind.CONFLICT)
    assert gained - kinds.count(ChangeKind.LOST) == persons([new for _, new in pairs]) - persons(
        [old for old, _ in pairs]
    )
    for change in changes:
        said = confirmed.get(change.after.measured.face)
        conflict = change.after.person is not None and said not in (None, change.after.person)
        assert (change.kind is ChangeKind.CONFLICT) == conflict


def test_a_distance_that_was_kept_gives_the_verdict_it_gave_before() -> None:
    face = FaceToMatch(1, at(0.1, 0.2, 0.3), 100, 1.0)
    known = KnownPersons([Reference(7, "Ada", at(0.3, 0.1, 0.7)), Reference(8, "Ben", at(1, 1, 1))])
    (first,) = known.nearest([face])
    exactly = first.candidates[0].distance
    assert exactly == round(exactly, 6)
    assert judge(first, MatchingSettings(distance_max=exactly)).person == "Ada"
    assert judge(first, MatchingSettings(distance_max=exactly - 1e-6)).rule is Rule.DISTANCE_MAX


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("distance_max", 0.95),
        ("distance_max", float("nan")),
        ("distance_max", "0.5"),
        ("margin_min", -0.1),
        ("side_min_px", 60.5),
        ("side_min_px", True),
        ("score_min", None),
        ("side_max", 100),
        ("engine", ""),
        ("model", 3),
        ("threshold", 0.5),
    ],
)
def test_a_setting_that_is_not_possible_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(FaceSettingsRefused) as refused:
        FaceSettings.from_dict({name: value})
    assert refused.value.subject == name
    assert refused.value.expected


def test_a_picture_is_not_enlarged_beyond_measure() -> None:
    DetectionSettings(side_max=4000, upsample=1)
    with pytest.raises(FaceSettingsRefused, match="doubled"):
        DetectionSettings(side_max=4000, upsample=2)


def test_settings_are_safe_as_they_come_and_say_what_follows_when_they_are_not() -> None:
    plain = FaceSettings()
    assert plain.consequences() == {}
    assert FaceSettings.from_dict(plain.as_dict()) == plain
    assert set(RANGES) == set(plain.as_dict()) - {"engine", "model"}
    loose = FaceSettings.from_dict({"distance_max": 0.7, "margin_min": 0.01})
    assert "hard to repair" in loose.consequences()["distance_max"]
    assert "by a hair" in loose.consequences()["margin_min"]
    for limits in RANGES.values():
        assert limits.least <= limits.safe_least < limits.safe_most <= limits.most
        assert limits.too_low or limits.safe_least == limits.least
        assert limits.too_high or limits.safe_most == limits.most


def test_a_digest_tells_which_settings_make_new_detection_necessary() -> None:
    plain = FaceSettings()
    stricter = FaceSettings.from_dict({"distance_max": 0.45})
    larger = FaceSettings.from_dict({"side_max": 2000})
    assert stricter.detection.digest == plain.detection.digest
    assert stricter.matching.digest != plain.matching.digest
    assert larger.detection.digest != plain.detection.digest
    assert larger.matching.digest == plain.matching.digest
    assert len({plain.digest, stricter.digest, larger.digest}) == 3
    whole = FaceSettings.from_dict({"score_min": 1})
    assert whole.digest == FaceSettings.from_dict({"score_min": 1.0}).digest


def reference(number: int, *numbers: float, person: str = "Ada", **face: Any) -> ReferenceFace:
    plain = Detected(Box(0, 0, 1, 1), 1.0, 100, 0.1, 0.0, 0.0, at(*numbers))
    return ReferenceFace(number, person, replace(plain, **face))


CORNERS = [(0, 0, 0), (0.3, 0, 0), (0, 0.3, 0), (0, 0, 0.3), (0.3, 0.3, 0.3)]
GOOD = [reference(number, *corner) for number, corner in enumerate(CORNERS)]


def test_good_references_get_no_advice() -> None:
    far = reference(90, 9, 9, 9, person="Ben")
    assert review(GOOD, [far]) == ()


@pytest.mark.parametrize(
    ("added", "flaw", "other"),
    [
        (reference(9, 0.2, 0.2, 0.2, side_px=79), Flaw.TOO_SMALL, None),
        (reference(9, 0.2, 0.2, 0.2, sharpness=0.009), Flaw.BLURRED, None),
        (reference(9, 0.2, 0.2, 0.2, turn=-0.6), Flaw.TURNED, None),
        (reference(9, 0.0, 0.31, 0.05), Flaw.TOO_ALIKE, 2),
        (reference(9, 0.4, 0.3, 1.0), Flaw.OUTLIER, None),
    ],
)
def test_a_bad_reference_is_named_with_what_is_wrong(
    added: ReferenceFace, flaw: Flaw, other: int | None
) -> None:
    (advice,) = review([*GOOD, added])
    assert (advice.flaw, advice.reference, advice.other) == (flaw, 9, other)
    assert advice.text.endswith(".")


def test_references_that_look_like_somebody_else_come_first() -> None:
    ben = [reference(90 + n, 0.2, 0.2, n, person="Ben") for n in range(2)]
    found = review([*GOOD, reference(9, 5, 5, 5)], ben)
    assert found[0].flaw is Flaw.LIKE_ANOTHER_PERSON
    assert {advice.other for advice in found if advice.other} == {90}
    assert (found[-1].flaw, found[-1].reference) == (Flaw.OUTLIER, 9)


def test_too_few_and_too_many_references_are_told() -> None:
    assert [advice.flaw for advice in review(GOOD[:2])] == [Flaw.TOO_FEW]
    # Of two that differ, neither is the stranger.
    far = [reference(1, 0, 0, 0), reference(2, 1, 1, 1)]
    assert [advice.flaw for advice in review(far)] == [Flaw.TOO_FEW]
    many = [reference(n, 0.01 * n, 0.2 * (n % 2), 0.2 * (n // 2 % 2)) for n in range(31)]
    assert Flaw.TOO_MANY in [advice.flaw for advice in review(many)]


def test_the_weakest_reference_is_the_one_farthest_from_the_others() -> None:
    typical = typical_distances([*GOOD, reference(9, 2, 2, 2)])
    assert max(typical, key=lambda one: typical[one]) == 9
    assert typical_distances(GOOD[:1]) == {}
    assert set(typical) == {0, 1, 2, 3, 4, 9}


def test_boxes_overlap_by_what_they_share() -> None:
    box = Box(0.0, 0.0, 0.5, 0.5)
    assert box.overlap(box) == 1.0
    assert box.overlap(Box(0.5, 0.5, 0.5, 0.5)) == 0.0
    assert box.overlap(Box(0.25, 0.0, 0.5, 0.5)) == pytest.approx(1 / 3)
    assert Box(0.1, 0.1, 0.0, 0.0).overlap(Box(0.1, 0.1, 0.0, 0.0)) == 0.0


def test_distances_to_the_right_person_and_to_others_are_counted_apart() -> None:
    def one(face: int, *distances: float) -> Measured:
        found = [Candidate(f"P{n}", n, far, far - distances[0]) for n, far in enumerate(distances)]
        return Measured(face, 100, 1.0, tuple(found))

    faces = [one(1, 0.3, 0.72), one(2, 0.1, 0.6), one(3, 0.3, 0.9), one(4)]
    found = distance_histogram(faces, {1: "P0", 2: "P1", 4: "P0"}, bins=7, width=0.1)
    assert found.same == (0, 0, 0, 1, 0, 0, 1)
    assert found.different == (0, 1, 0, 0, 0, 0, 1)


def test_faces_keep_what_was_said_of_them_when_a_picture_is_scanned_anew() -> None:
    left, right, group = Box(0.1, 0.1, 0.2, 0.2), Box(0.5, 0.1, 0.2, 0.2), Box(0.1, 0.6, 0.1, 0.1)
    nudged = left._replace(left=0.13, width=0.21)
    assert same_faces([left, right], [right, group, nudged]) == {0: 1, 2: 0}
    assert same_faces([left], [nudged, left]) == {1: 0}
    assert same_faces([], [left]) == same_faces([left], []) == {}


BOXES = st.lists(
    st.builds(
        Box, *[st.sampled_from([0.0, 0.1, 0.2, 0.3])] * 2, *[st.sampled_from([0.3, 0.5])] * 2
    ),
    max_size=5,
)


@given(before=BOXES, after=BOXES)
def test_no_face_is_paired_twice_nor_left_alone_beside_its_equal(
    before: list[Box], after: list[Box]
) -> None:
    paired = same_faces(before, after)
    assert len(set(paired.values())) == len(paired)
    for to, new in enumerate(after):
        for at, old in enumerate(before):
            if old == new:
                assert to in paired or at in paired.values()
