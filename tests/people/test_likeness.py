"""Faces of a page are grouped by likeness, and no chain of likenesses joins two people."""

from __future__ import annotations

from lading.media.faces.engine import Embedding
from lading.people.likeness import alike


def at(*numbers: float, kind: str = "toy") -> Embedding:
    return Embedding.of(kind, numbers)


def test_faces_that_are_all_near_to_one_another_are_a_group_the_largest_first() -> None:
    faces = [("a", at(0, 0)), ("x", at(9, 9)), ("b", at(0.3, 0)), ("c", at(0, 0.3))]
    assert alike(faces, 0.5) == [["a", "b", "c"], ["x"]]
    assert alike([], 0.5) == []


def test_a_face_between_two_people_joins_one_of_them_and_not_both() -> None:
    faces = [("left", at(0.0)), ("middle", at(0.4)), ("right", at(0.8))]
    assert alike(faces, 0.5) == [["left", "middle"], ["right"]]


def test_embeddings_of_other_kinds_or_lengths_are_never_together() -> None:
    faces = [("a", at(0, 0)), ("b", at(0, 0, kind="other")), ("c", at(0))]
    assert alike(faces, 0.5) == [["a"], ["b"], ["c"]]
