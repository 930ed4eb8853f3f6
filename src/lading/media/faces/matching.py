"""Finds the nearest persons of many faces at once; what follows from that, `rules` decides.

A person is as near as the nearest of their reference images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from typing import Any, Final, NamedTuple

from lading.media.faces.engine import Embedding
from lading.media.faces.errors import EmbeddingsDiffer
from lading.media.faces.rules import DISTANCE_DIGITS, Candidate, Id, Match, Measured, judge
from lading.media.faces.settings import MatchingSettings
from lading.media.packages import numpy

CANDIDATES_MAX: Final = 5
# Of the distances that are held at a time; each takes 8 bytes, and is held up to three times.
_DISTANCES_MAX: Final = 1_000_000
_FACES_AT_ONCE_MAX: Final = 2_000
# The last digits depend on how many faces are computed at once; two equal ones have to stay equal.
_SQUARE_DIGITS: Final = 12


class Reference(NamedTuple):
    """A reference image: whose face it shows."""

    reference: Id
    person: Id
    embedding: Embedding


class FaceToMatch(NamedTuple):
    """A face whose person is asked for; people said already that it is none of `not_persons`."""

    face: Id
    embedding: Embedding
    side_px: int
    score: float
    not_persons: frozenset[Id] = frozenset()


class KnownPersons:
    """The reference images of all persons that faces are compared with.

    Raises `EmbeddingsDiffer` for embeddings of more than one kind.
    """

    def __init__(self, references: Iterable[Reference]) -> None:
        by_person: dict[Id, list[Reference]] = {}
        for reference in references:
            by_person.setdefault(reference.person, []).append(reference)
        ordered = [reference for group in by_person.values() for reference in group]
        # What all others have to be like.
        self._pattern = [reference.embedding for reference in ordered[:1]]
        self._number_of = {person: number for number, person in enumerate(by_person)}
        self._bounds = [0, *accumulate(len(group) for group in by_person.values())]
        if not ordered:
            return
        self._persons = _column(list(by_person))
        self._references = _column([reference.reference for reference in ordered])
        self._vectors = self._table([one.embedding for one in ordered])

    def nearest(
        self, faces: Iterable[FaceToMatch], *, candidates_max: int = CANDIDATES_MAX
    ) -> Iterator[Measured]:
        """Each face, in order, with its nearest persons; memory does not grow with the faces.

        Of equally near persons or references, those given first come first. Raises
        `EmbeddingsDiffer`, and `MissingExtra` without NumPy.
        """
        at_once = min(_FACES_AT_ONCE_MAX, _DISTANCES_MAX // max(1, self._bounds[-1]) + 1)
        rest = iter(faces)
        while batch := list(islice(rest, at_once)):
            if not self._number_of:
                yield from (Measured(each.face, each.side_px, each.score, ()) for each in batch)
            else:
                yield from self._nearest(batch, candidates_max)

    def _nearest(self, batch: list[FaceToMatch], candidates_max: int) -> Iterator[Measured]:
        np = numpy()
        squares, which = self._squares(batch)
        wanted = min(candidates_max, len(self._number_of))
        every = np.arange(len(batch))
        persons = np.empty((len(batch), wanted), np.intp)
        found = np.empty((len(batch), wanted))
        references = np.empty((len(batch), wanted), np.intp)
        for place in range(wanted):
            person = persons[:, place] = squares.argmin(axis=1)
            found[:, place] = squares[every, person]
            references[:, place] = which[person, every]
            squares[every, person] = np.inf
        distances = np.round(np.sqrt(found), DISTANCE_DIGITS)
        # A person that people said it is not is infinitely far, as is nobody at all.
        counts = np.isfinite(distances).sum(axis=1).tolist()
        with np.errstate(invalid="ignore"):
            behind = np.round(distances - distances[:, :1], DISTANCE_DIGITS)
        rows = zip(
            batch,
            counts,
            self._persons[persons].tolist(),
            self._references[references].tolist(),
            distances.tolist(),
            behind.tolist(),
            strict=True,
        )
        for face, count, *columns in rows:
            candidates = tuple(map(Candidate, *columns))
            yield Measured(face.face, face.side_px, face.score, candidates[:count])

    def _squares(self, batch: list[FaceToMatch]) -> tuple[Any, Any]:
        """Squared distances (faces, persons), and which reference they are to (persons, faces)."""
        np = numpy()
        vectors = self._table([face.embedding for face in batch])
        squares = self._vectors @ vectors.T
        squares *= -2.0
        squares += np.square(self._vectors).sum(axis=1)[:, None]
        squares += np.square(vectors).sum(axis=1)
        np.maximum(squares, 0.0, out=squares)
        np.round(squares, _SQUARE_DIGITS, out=squares)
        which = np.empty((len(self._number_of), len(batch)), np.intp)
        for number, (start, end) in enumerate(
            zip(self._bounds[:-1], self._bounds[1:], strict=True)
        ):
            which[number] = start if end - start == 1 else squares[start:end].argmin(axis=0) + start
        by_person = np.ascontiguousarray(squares[which, np.arange(len(batch))].T)
        for row, face in enumerate(batch):
            for person in face.not_persons:
                if (number_of := self._number_of.get(person)) is not None:
                    by_person[row, number_of] = np.inf
        return by_person, which

    def _table(self, embeddings: list[Embedding]) -> Any:
        """Their vectors as rows of 64-bit floats. Raises `EmbeddingsDiffer`."""
        np = numpy()
        kinds = {(one.kind, len(one.vector) // 4) for one in (*embeddings, *self._pattern)}
        if len(kinds) > 1:
            raise EmbeddingsDiffer(
                "Embeddings of two kinds cannot be compared",
                found=", ".join(f"{kind} of {count} numbers" for kind, count in sorted(kinds)),
            )
        data = b"".join(embedding.vector for embedding in embeddings)
        return np.frombuffer(data, "<f4").reshape(len(embeddings), -1).astype(np.float64)


def _column(ids: list[Id]) -> Any:
    """As an array of what the ids are; NumPy would make text of a number beside text."""
    column = numpy().empty(len(ids), object)
    column[:] = ids
    return column


def match(
    faces: Iterable[FaceToMatch], known: KnownPersons, settings: MatchingSettings
) -> Iterator[Match]:
    """The verdict for each face, in order, with its nearest persons and what decided it.

    Raises `EmbeddingsDiffer`, and `MissingExtra`.
    """
    return (judge(measured, settings) for measured in known.nearest(faces))
