"""Finds what the picture of a face is cut from: the thumbnails of its photo, and the files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from lading.library.known import file_row
from lading.library.people import UnknownFace
from lading.library.people_tables import face, face_scan
from lading.library.people_values import FaceBox
from lading.library.tables import FileRole, asset_file
from lading.library.values import FileFacts
from lading.media.faces.crops import CROP_VERSION

_VERSION_CHARS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFiles:
    """Where a face is, and the files that show it; `given` is the hash of one in the store.

    `version` names this box of this scan: another one has another picture.
    """

    version: str
    box: FaceBox
    name: str
    thumbnails: Sequence[FileFacts] = ()
    originals: Sequence[FileFacts] = ()
    given: str | None = None


def picture_version(scan: object, box: FaceBox) -> str:
    """What the address of a face's picture says of it, so that browsers may keep it for good."""
    told = f"{CROP_VERSION}\0{scan}\0{','.join(map(repr, box))}"
    return hashlib.sha256(told.encode()).hexdigest()[:_VERSION_CHARS]


def face_picture_url(face_id: int, scan_id: int, box: FaceBox) -> str:
    """The address of the picture of a face."""
    return f"/media/faces/{face_id}?v={picture_version(scan_id, box)}"


def read_face_files(conn: Connection, face_id: int) -> FaceFiles:
    """What shows this face, the smallest thumbnail first. Raises `UnknownFace`."""
    row = conn.execute(
        select(
            face.c.scan_id,
            face.c.box_left,
            face.c.box_top,
            face.c.box_width,
            face.c.box_height,
            face_scan.c.asset_id,
            face_scan.c.name,
            face_scan.c.sha256,
        )
        .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .where(face.c.id == face_id)
    ).one_or_none()
    if row is None:
        raise UnknownFace("there is no such face", subject=f"face {face_id}")
    box = FaceBox(*row[1:5])
    version = picture_version(row.scan_id, box)
    if row.asset_id is None:
        return FaceFiles(version=version, box=box, name=row.name or "", given=row.sha256)
    found = conn.execute(
        select(asset_file)
        .where(
            asset_file.c.asset_id == row.asset_id,
            asset_file.c.role.in_([FileRole.DERIVATIVE.value, FileRole.ORIGINAL.value]),
            asset_file.c.deleted_at.is_(None),
        )
        .order_by(asset_file.c.size_bytes, asset_file.c.id)
    )
    files = [file_row(each).facts for each in found]
    originals = [each for each in files if each.role == FileRole.ORIGINAL]
    return FaceFiles(
        version=version,
        box=box,
        name=originals[0].path.rpartition("/")[2] if originals else "",
        thumbnails=[each for each in files if each.role == FileRole.DERIVATIVE],
        originals=originals,
    )


def face_alt(file_name: str, person: str | None = None, *, sure: bool = False) -> str:
    """What the picture of a face shows, for those who do not see it."""
    shown = f"Face in {file_name}" if file_name else "Face"
    if person is None:
        return shown
    return f"{shown}, {person}" if sure else f"{shown}, perhaps {person}"
