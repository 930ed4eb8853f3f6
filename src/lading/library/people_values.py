"""People and faces as plain values: what a scan found, what is decided, what is to be matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from lading.library.people_tables import FaceState


class FaceBox(NamedTuple):
    """Where a face is, in shares of the width and height of the upright picture, 0 to 1."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFacts:
    """A face as it was measured; the numbers mean what the engine that measured it says.

    `embedding` holds 32-bit floats, little-endian, to be compared with those of the same kind.
    """

    box: FaceBox
    score: float
    side_px: int
    sharpness: float
    roll_degrees: float
    turn: float
    embedding_kind: str
    embedding: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFacts:
    """A look for faces: by what, how, and what it found, or why it failed.

    While `key` and the content are the same, so are the faces. `width` and `height` are pixels of
    the picture that was looked at.
    """

    key: str
    engine: str
    engine_version: str
    settings_digest: str
    settings: str
    width: int | None = None
    height: int | None = None
    left_out: int = 0
    faces: Sequence[FaceFacts] = ()
    error: str | None = None
    error_text: str | None = None


class KnownFace(NamedTuple):
    """A face that an earlier scan found."""

    face_id: int
    box: FaceBox


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is looked for. `merged_into` is who it turned out to be."""

    id: int
    name: str
    merged_into: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face with its measures; `asset_id` and `content_hash` are None for a file that was given.

    `detached` says that the newest scan of its asset did not find it again.
    """

    id: int
    scan_id: int
    asset_id: int | None
    content_hash: str | None
    name: str | None
    facts: FaceFacts
    detached: bool


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """A face by which a person is recognised."""

    id: int
    person_id: int
    face: StoredFace


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Whom the engine takes a face for, by which reference, how far, and by which rule.

    `margin` is by how much farther the next person is, None when there is none. `scan_id` is the
    scan whose embedding of the face was compared.
    """

    face_id: int
    scan_id: int
    person_id: int
    reference_id: int
    distance: float
    margin: float | None
    rule: str
    settings_digest: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said of a face and a person, and how it came about (C8)."""

    face_id: int
    person_id: int
    state: FaceState
    scan_id: int | None
    reference_id: int | None
    distance: float | None
    margin: float | None
    rule: str | None
    settings_digest: str | None
    decided_by: str
    decided_at: datetime


class Said(NamedTuple):
    """What somebody said of faces and a person, and when."""

    state: str
    by: str
    at: datetime


class GivenFile(NamedTuple):
    """A file that was given as reference image: its scan, its name, its hash in the store."""

    scan_id: int
    name: str
    sha256: str


class FileToScan(NamedTuple):
    """A file in which faces are to be looked for: its content's asset, and where it lies."""

    asset_id: int
    location: str
    size_bytes: int
    mtime_ns: int
    inode: int


class FolderOfFaces(NamedTuple):
    """A folder of photos: its source, the sha256 of its path, and its path (empty for the root)."""

    source: str
    digest: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSummary:
    """A person in a list, with counts of faces and reference images, those of merged ones too."""

    person: Person
    confirmed: int
    suggested: int
    references: int
