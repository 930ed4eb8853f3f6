"""The tables of people and faces: who there is, what was found in which file, whose face it is.

Decisions of people are rows of their own kind, which no scan overwrites.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, SmallInteger, UniqueConstraint

from lading.db.schema import row_id, table
from lading.db.types import Code, LongBytes, LongText, Name, Sha256Hex, UtcDateTime


class FaceState(StrEnum):
    """What is said of a face and a person; `suggested` by the engine, the others by people."""

    SUGGESTED = "suggested"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


BY_ENGINE = "engine"
"""Who decided it, where that was no one."""

person = table(
    "person",
    row_id(),
    Column("name", Name, nullable=False),
    # The person it turned out to be; rows stay with who they were about, so that it can be undone.
    Column("merged_into", ForeignKey("person.id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("name"),
    Index("ix_person_merged_into", "merged_into"),
)

face_scan = table(
    "face_scan",  # a look for faces: in the content of an asset, or in a file that was given
    row_id(),
    Column("asset_id", ForeignKey("asset.id")),
    Column("current", SmallInteger),  # 1 for the newest scan of an asset, otherwise NULL
    Column("name", LongText),  # of a file that was given
    Column("sha256", Sha256Hex),  # of that file, which is in the store
    Column("key", Code),  # of engine, version and settings together; NULL asks for a new scan
    Column("engine", Code, nullable=False),
    Column("engine_version", Name, nullable=False),
    Column("settings_digest", Code, nullable=False),
    Column("settings", LongText, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("left_out", Integer, nullable=False),  # faces beyond those that were kept
    Column("error", Code),  # why the latest look failed; the faces are of one before it
    Column("error_text", LongText),
    Column("scanned_at", UtcDateTime, nullable=False),
    UniqueConstraint("asset_id", "current"),
)

face = table(
    "face",
    row_id(),
    # The scan that saw it last; when that is not the current one, a later scan did not find it.
    Column("scan_id", ForeignKey("face_scan.id"), nullable=False),
    # Shares of the width and height of the upright picture.
    Column("box_left", Double, nullable=False),
    Column("box_top", Double, nullable=False),
    Column("box_width", Double, nullable=False),
    Column("box_height", Double, nullable=False),
    Column("score", Double, nullable=False),
    Column("side_px", Integer, nullable=False),
    Column("sharpness", Double, nullable=False),
    Column("roll_degrees", Double, nullable=False),
    Column("turn", Double, nullable=False),
    Column("embedding_kind", Code, nullable=False),
    Column("embedding", LongBytes, nullable=False),  # 32-bit floats, little-endian
    # Nobody who is looked for, or no face at all, as people said; it waits for no name.
    Column("passed_over_by", Name),
    Column("passed_over_at", UtcDateTime),
    Index("ix_face_scan", "scan_id", "id"),
)

reference_image = table(
    "reference_image",
    row_id(),
    Column("person_id", ForeignKey("person.id"), nullable=False),
    Column("face_id", ForeignKey("face.id"), nullable=False),
    Column("created_by", Name, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),  # kept, as decisions name it
    UniqueConstraint("person_id", "face_id"),
    Index("ix_reference_image_face", "face_id"),
)

face_person = table(
    "face_person",  # what is said of a face and a person, by whom, and by which reference
    Column("face_id", ForeignKey("face.id"), primary_key=True, autoincrement=False),
    Column("person_id", ForeignKey("person.id"), primary_key=True, autoincrement=False),
    Column("state", Code, nullable=False),
    # The scan, reference, distance and rule that the engine went by, also where people agreed.
    Column("scan_id", ForeignKey("face_scan.id")),
    Column("reference_id", ForeignKey("reference_image.id")),
    Column("distance", Double),
    Column("margin", Double),
    Column("rule", Code),
    Column("settings_digest", Code),
    Column("decided_by", Name, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Index("ix_face_person_person", "person_id", "state", "face_id"),
    Index("ix_face_person_reference", "reference_id"),
    Index("ix_face_person_scan", "scan_id"),
)

face_settings = table(
    "face_settings",  # the settings for faces that were adopted; the newest row holds
    row_id(),
    Column("settings", LongText, nullable=False),  # JSON, by name
    Column("digest", Code, nullable=False),
    Column("lab_run_id", ForeignKey("face_lab_run.id")),
    Column("adopted_by", Name, nullable=False),
    Column("adopted_at", UtcDateTime, nullable=False),
)

face_lab_run = table(
    "face_lab_run",  # settings that were tried on a file or folder, with what came out
    row_id(),
    Column("source", Name, nullable=False),
    Column("folder", LongText, nullable=False),
    Column("file_name", LongText),  # of the one file, if it is not the whole folder
    Column("settings", LongText, nullable=False),
    Column("persons", LongText),  # JSON, numbers of those it is about; NULL for everybody
    Column("result", LongText),  # JSON; NULL until it has run
    Column("created_by", Name, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)
