"""What was tried in the lab and what came out, as plain values and as the text that is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from lading.library.people_values import FaceBox
from lading.media.faces.rules import (
    Candidate,
    Change,
    Distances,
    Id,
    Match,
    Measured,
    changed_by,
    judge,
)
from lading.media.faces.settings import FaceSettings, MatchingSettings


@dataclass(frozen=True, slots=True)
class LabFace:
    """A face of a run: where it is, its measures and nearest persons, and who people said it is.

    `measured.face` is its number in the run, which counts through all files. `known` is the face of
    the library at its place; it may be a `reference` image, which lies at no distance from itself.
    """

    file: str
    box: FaceBox
    measured: Measured
    confirmed: int | None
    known: int | None = None
    reference: bool = False


@dataclass(frozen=True, slots=True)
class LabFile:
    """A file of a run: the size in pixels of the picture looked at, or what is wrong with it.

    `error` begins with its code. `asset_id` is the library's; None for runs that did not note it.
    """

    name: str
    width: int | None = None
    height: int | None = None
    error: str | None = None
    asset_id: int | None = None


@dataclass(frozen=True, slots=True)
class LabPairs:
    """Distances of faces that people confirmed in the whole library, as they were at the run.

    Of `confirmed` faces that are no reference images, `compared` were; the distances are sorted.
    """

    distances: Distances
    compared: int
    confirmed: int


NO_PAIRS = LabPairs(Distances((), ()), 0, 0)


@dataclass(frozen=True, slots=True)
class LabResult:
    """What came out of a run. `others` counts faces that are about none of the run's persons.

    `seconds_each` is how long a file took, by `processes` at a time; None when it is not known.
    """

    files: tuple[LabFile, ...] = ()
    faces: tuple[LabFace, ...] = ()
    others: int = 0
    pairs: LabPairs = NO_PAIRS
    seconds_each: float | None = None
    processes: int = 1

    def as_text(self) -> str:
        """As it is kept; `from_text` takes it back."""
        return json.dumps(
            {
                "files": [asdict(one) for one in self.files],
                "faces": [_plain_face(one) for one in self.faces],
                "others": self.others,
                "pairs": {**asdict(self.pairs), "distances": list(self.pairs.distances)},
                "seconds_each": self.seconds_each,
                "processes": self.processes,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_text(cls, text: str) -> LabResult:
        """As it was kept, also by a version that noted less."""
        plain = json.loads(text)
        pairs = plain.get("pairs")
        return cls(
            tuple(LabFile(**one) for one in plain["files"]),
            tuple(map(_face, plain["faces"])),
            plain.get("others", 0),
            NO_PAIRS if pairs is None else _pairs(pairs),
            plain.get("seconds_each"),
            plain.get("processes", 1),
        )


@dataclass(frozen=True, slots=True)
class LabRun:
    """What was tried on what, and what came out; without `finished_at` it has not run yet.

    `persons` are those it is about, None for everybody; faces that are about none of them were
    compared like all others, and are only counted.
    """

    id: int
    source: str
    folder: str
    file_name: str | None
    settings: FaceSettings
    persons: tuple[int, ...] | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    result: LabResult = field(default_factory=LabResult)

    @property
    def finished(self) -> bool:
        """Whether it has a result."""
        return self.finished_at is not None

    @property
    def files(self) -> tuple[LabFile, ...]:
        """The files that were looked at."""
        return self.result.files

    @property
    def faces(self) -> tuple[LabFace, ...]:
        """The faces that it tells of."""
        return self.result.faces

    def verdicts(self, settings: MatchingSettings | None = None) -> list[Match]:
        """The verdict for each face, by these settings or those it was run with."""
        chosen = settings or self.settings.matching
        return [judge(face.measured, chosen) for face in self.faces]

    def changes(self, before: MatchingSettings, after: MatchingSettings) -> list[Change]:
        """The faces of which another is said, and how: new, lost, conflict, other reason."""
        confirmed: dict[Id, Id] = {
            face.measured.face: face.confirmed for face in self.faces if face.confirmed is not None
        }
        return list(changed_by(before, after, (face.measured for face in self.faces), confirmed))


def is_about(measured: Measured, confirmed: int | None, persons: Sequence[int] | None) -> bool:
    """Whether a face concerns these persons: it is one's by people, or lies nearest to one.

    The nearest person stays the nearest under any thresholds, so that this holds for all of them.
    """
    if persons is None:
        return True
    nearest = measured.candidates[0].person if measured.candidates else None
    return confirmed in persons or nearest in persons


def _plain_face(face: LabFace) -> dict[str, Any]:
    measured = face.measured._asdict()
    measured["candidates"] = [one._asdict() for one in face.measured.candidates]
    return {**asdict(face), "box": list(face.box), "measured": measured}


def _face(row: dict[str, Any]) -> LabFace:
    plain = row["measured"]
    candidates = tuple(Candidate(**one) for one in plain["candidates"])
    measured = Measured(**{**plain, "candidates": candidates})
    return LabFace(**{**row, "box": FaceBox(*row["box"]), "measured": measured})


def _pairs(plain: dict[str, Any]) -> LabPairs:
    same, different = plain["distances"]
    distances = Distances(tuple(same), tuple(different))
    return LabPairs(distances, plain["compared"], plain["confirmed"])
