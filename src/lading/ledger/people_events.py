"""What people decided about persons and faces, as events of the ledger (C7-C9)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from lading.ledger.events import Event


class PersonChange(StrEnum):
    """What was done to a person."""

    ADDED = "added"
    RENAMED = "renamed"
    MERGED = "merged"
    UNMERGED = "unmerged"
    REFERENCE_ADDED = "reference_added"
    REFERENCE_REMOVED = "reference_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChanged(Event):
    """A person was added, renamed, merged into another or not any more, or got other references.

    `before` is a former name, `other` the person it was merged into.
    """

    kind: ClassVar[str] = "person_changed"
    person: int
    name: str
    change: str
    before: str | None = None
    other: int | None = None
    reference: int | None = None
    face: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesDecided(Event):
    """Somebody said of faces that they are a person's, or are not, or took that back.

    `before` says of whom faces were confirmed to be, by face, where that was somebody else.
    """

    kind: ClassVar[str] = "faces_decided"
    person: int
    name: str
    decision: str
    faces: list[int]
    before: dict[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesPassedOver(Event):
    """Somebody said of faces that they are nobody's who is looked for, or with `again`, took it
    back.
    """

    kind: ClassVar[str] = "faces_passed_over"
    faces: list[int]
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesReset(Event):
    """What the engine said of faces was forgotten, or files are to be scanned anew."""

    kind: ClassVar[str] = "faces_reset"
    what: str
    count: int
    source: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettingsAdopted(Event):
    """Other settings for faces hold from now on; `changed` has what differs, before and after.

    They are those that were tried in `lab_run`, or of the version `again_of`, which holds again.
    """

    kind: ClassVar[str] = "face_settings_adopted"
    version: int
    changed: dict[str, list[Any]]
    lab_run: int | None = None
    again_of: int | None = None
