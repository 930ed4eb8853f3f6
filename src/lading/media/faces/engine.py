"""The port to whatever finds and measures faces, and the engines that are installed.

An engine is found through the entry points `lading.faces`: the name is the engine's, the object a
callable without arguments that gives a `FaceEngine`. It runs in a process of its own.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import EntryPoints, entry_points
from typing import Final, NamedTuple, Protocol, runtime_checkable

from lading.base.errors import LadingError
from lading.media.faces.errors import BrokenFaceEngine, UnknownFaceEngine
from lading.media.faces.settings import DetectionSettings

GROUP: Final = "lading.faces"


class Point(NamedTuple):
    """A place in an upright picture: 0, 0 is its upper left corner and 1, 1 its lower right."""

    x: float
    y: float


class Box(NamedTuple):
    """A part of an upright picture, each number a share of its width or height, from 0 to 1."""

    left: float
    top: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """What both cover, by what either covers: 1 for the same box, 0 for boxes apart.

        Detectors place the same face anew in each copy of a picture; from 0.5 on it is the same.
        """
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        shared = max(across, 0.0) * max(down, 0.0)
        either = self.width * self.height + other.width * other.height - shared
        return shared / either if either > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Pixels:
    """An upright picture in sRGB: rows of red, green and blue, a byte each, without gaps."""

    width: int
    height: int
    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != self.width * self.height * 3:
            raise ValueError(f"{len(self.data)} bytes are no {self.width} x {self.height} pixels")


@dataclass(frozen=True, slots=True)
class Embedding:
    """A face as a point in space: faces of one person lie close together.

    `vector` holds 32-bit floats, little-endian. Distances are Euclidean, and mean something only
    between embeddings of one `kind`; an engine that compares by angles gives vectors of length 1.
    """

    kind: str
    vector: bytes

    @classmethod
    def of(cls, kind: str, numbers: Sequence[float]) -> Embedding:
        """The embedding of these numbers."""
        return cls(kind, _turned(array("f", numbers)).tobytes())

    def numbers(self) -> tuple[float, ...]:
        """The vector, as numbers."""
        return tuple(_turned(array("f", self.vector)))


def _turned(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


@dataclass(frozen=True, slots=True)
class Detected:
    """A face in a picture.

    `score` says how sure the detector is, on a scale of its own on which 0 is just enough.
    `side_px` is the longer side of the box in pixels of the picture as it was given. `sharpness`
    is 0 for a flat or wholly blurred face. `roll_degrees` is by how much the head leans, clockwise;
    `turn` is 0 for a face seen from the front and about -1 or 1 for one seen half from the side.
    """

    box: Box
    score: float
    side_px: int
    sharpness: float
    roll_degrees: float
    turn: float
    embedding: Embedding
    landmarks: tuple[Point, ...] = ()


class Detections(NamedTuple):
    """The faces of a picture, and how many more were found that are not among them."""

    faces: tuple[Detected, ...]
    left_out: int = 0


@runtime_checkable
class FaceEngine(Protocol):
    """Finds and measures faces.

    `version` changes whenever the same picture may give other results. `models` are its ways of
    finding faces, best known first. All embeddings it gives are of `embedding_kind`.
    """

    @property
    def name(self) -> str:
        """Its name, which is also that of its entry point."""
        ...

    @property
    def version(self) -> str:
        """Of code and data together."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """The values that `DetectionSettings.model` may have."""
        ...

    @property
    def embedding_kind(self) -> str:
        """What its embeddings can be compared with."""
        ...

    def detect(self, pixels: Pixels, settings: DetectionSettings) -> Detections:
        """All faces with a score of 0 or more, the surest first; raises whatever it has to.

        Of more faces than `settings.faces_max`, those with the largest boxes are measured.
        """
        ...


def face_engines() -> tuple[str, ...]:
    """The names of all installed engines."""
    return tuple(sorted({point.name for point in _points(tuple(sys.path))}))


def face_engine(name: str) -> FaceEngine:
    """The engine of this name, made once in a process.

    Raises `UnknownFaceEngine`, `BrokenFaceEngine`, and `MissingExtra`.
    """
    return _engine(name, tuple(sys.path))


@cache
def _engine(name: str, path: tuple[str, ...]) -> FaceEngine:
    points = _points(path).select(name=name)
    if len({point.value for point in points}) != 1:
        if points:
            found = ", ".join(sorted({point.value for point in points}))
            raise BrokenFaceEngine("Two packages offer this engine", subject=name, found=found)
        offered = ", ".join(face_engines()) or "none"
        raise UnknownFaceEngine("No such engine is installed", subject=name, expected=offered)
    try:
        engine = next(iter(points)).load()()
    except LadingError:
        raise
    # Whatever a package of strangers raises, it is that package that is broken.
    except Exception as error:
        raise BrokenFaceEngine(f"{type(error).__name__}: {error}", subject=name) from error
    if not isinstance(engine, FaceEngine) or engine.name != name:
        raise BrokenFaceEngine(
            "The entry point gives no face engine of this name",
            subject=name,
            found=f"{type(engine).__name__} {getattr(engine, 'name', '')}".strip(),
        )
    return engine


@lru_cache(maxsize=1)
def _points(_path: tuple[str, ...]) -> EntryPoints:
    """The entry points of all that is installed there; to find them, each package is opened."""
    return entry_points(group=GROUP)


def require_sound(found: Detections, engine: FaceEngine) -> None:
    """Raises `BrokenFaceEngine` for results that nobody could keep or compare."""
    sizes = set()
    for face in found.faces:
        embedding = face.embedding
        numbers = embedding.numbers()
        sizes.add(len(numbers))
        sound = (
            embedding.kind == engine.embedding_kind
            and all(map(math.isfinite, (*numbers, face.score, face.sharpness, face.turn)))
            and all(0.0 <= share <= 1.0 for share in face.box)
            and face.side_px > 0
        )
        if not sound or len(sizes) != 1 or not numbers:
            raise BrokenFaceEngine(
                "It gave a face that breaks what is agreed with engines",
                subject=engine.name,
                found=f"{face.box}, score {face.score}, {len(numbers)} numbers {embedding.kind}",
            )
