"""Reads the photos of a folder with what sorting asks of them, and moves files between places.

A move changes where a file lies and nothing else: its asset, facts and derivations stay (C10).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from lading.library.photo_sidecars import move_sidecar
from lading.library.photo_values import FilePlace, FileStamp
from lading.library.photos import IN_PLACE_PREFIX
from lading.library.statements import insert_one, moment
from lading.library.tables import FileRole, asset, asset_file, photo, photo_file

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedPhoto:
    """A file as it is recorded at a place; `taken` is by the clock of the place, without zone.

    A sidecar has no time and place of its own.
    """

    name: str
    sha256: str | None
    stamp: FileStamp
    trashed: bool
    taken: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None


_IN_FOLDER: Final = (
    select(
        photo_file.c.path_sha256,
        photo_file.c.mtime_ns,
        photo_file.c.inode,
        asset_file.c.location,
        asset_file.c.role,
        asset_file.c.sha256,
        asset_file.c.size_bytes,
        asset.c.captured_at,
        asset.c.captured_offset_min,
        asset.c.deleted_at,
        photo.c.latitude,
        photo.c.longitude,
        photo.c.camera_model,
        photo.c.camera_make,
    )
    .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
    .join(asset, asset.c.id == asset_file.c.asset_id)
    .outerjoin(photo, photo.c.asset_id == asset.c.id)
    .where(asset_file.c.deleted_at.is_(None))
)


def photos_in(conn: Connection, source: str, folder: str) -> dict[str, PlacedPhoto]:
    """Everything recorded right in a folder, by name."""
    found: dict[str, PlacedPhoto] = {}
    digest, after = FilePlace(source, folder, "").folder_sha256, ""
    while True:
        rows = conn.execute(
            _IN_FOLDER.where(
                photo_file.c.source == source,
                photo_file.c.folder_sha256 == digest,
                photo_file.c.path_sha256 > after,
            )
            .order_by(photo_file.c.path_sha256)
            .limit(_PAGE)
        ).all()
        found |= {one.name: one for one in map(_placed, rows)}
        if len(rows) < _PAGE:
            return found
        after = rows[-1].path_sha256


def photo_at(conn: Connection, place: FilePlace) -> PlacedPhoto | None:
    """What is recorded at one place, or None."""
    row = conn.execute(
        _IN_FOLDER.where(
            photo_file.c.source == place.source,
            photo_file.c.folder_sha256 == place.folder_sha256,
            photo_file.c.path_sha256 == place.path_sha256,
        ).limit(1)
    ).one_or_none()
    return None if row is None else _placed(row)


def _placed(row: Any) -> PlacedPhoto:
    original = row.role == "original"
    taken = row.captured_at if original else None
    if taken is not None:
        taken = taken.replace(tzinfo=None) + timedelta(minutes=row.captured_offset_min or 0)
    return PlacedPhoto(
        name=FilePlace.at("", row.location).name,
        sha256=row.sha256,
        stamp=FileStamp(row.size_bytes, row.mtime_ns, row.inode),
        trashed=row.deleted_at is not None,
        taken=taken,
        latitude=row.latitude if original else None,
        longitude=row.longitude if original else None,
        camera=(row.camera_model or row.camera_make) if original else None,
    )


def move_file(
    conn: Connection, before: FilePlace, after: FilePlace, stamp: FileStamp, *, keep: bool = False
) -> bool:
    """Record that the file at `before` lies at `after` now, with this stamp there.

    With `keep` it lies at both. False when nothing is recorded at `before`. Whatever is recorded
    at `after` of the same asset becomes its row again, so that no asset has two for one place.
    """
    at = moment(conn)
    rows = conn.execute(
        select(asset_file)
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .where(
            photo_file.c.source == before.source,
            photo_file.c.folder_sha256 == before.folder_sha256,
            photo_file.c.path_sha256 == before.path_sha256,
            asset_file.c.deleted_at.is_(None),
        )
        .with_for_update(of=asset_file)
    ).all()
    for row in rows:
        _move_row(conn, row, after, stamp, at=at, keep=keep)
    return bool(rows)


def forget_file(conn: Connection, place: FilePlace) -> None:
    """Record that a file is no longer at a place; its asset has another one and stays."""
    here = select(photo_file.c.file_id).where(
        photo_file.c.source == place.source,
        photo_file.c.folder_sha256 == place.folder_sha256,
        photo_file.c.path_sha256 == place.path_sha256,
    )
    ids = list(conn.scalars(here))
    at = moment(conn)
    conn.execute(
        update(asset_file)
        .where(asset_file.c.id.in_(ids), asset_file.c.deleted_at.is_(None))
        .values(deleted_at=at, updated_at=at)
    )


def _move_row(
    conn: Connection, row: Row[Any], after: FilePlace, stamp: FileStamp, *, at: datetime, keep: bool
) -> None:
    placing = {
        "path": after.path,
        "store": IN_PLACE_PREFIX + after.source,
        "location": after.location,
        "size_bytes": stamp.size_bytes,
        "deleted_at": None,
        "updated_at": at,
    }
    there = conn.scalar(
        select(asset_file.c.id).where(
            asset_file.c.asset_id == row.asset_id,
            asset_file.c.path_sha256 == after.path_sha256,
            asset_file.c.id != row.id,
        )
    )
    if there is None and not keep:
        conn.execute(
            update(asset_file)
            .where(asset_file.c.id == row.id)
            .values(**placing, path_sha256=after.path_sha256)
        )
        _stamp(conn, row.id, after, stamp)
        return
    if there is None:
        fresh = (
            {column.name: getattr(row, column.name) for column in asset_file.c}
            | placing
            | {"path_sha256": after.path_sha256, "created_at": at}
        )
        del fresh["id"]
        there = insert_one(conn, asset_file, fresh)
    else:
        same = {name: getattr(row, name) for name in ("role", "variant", "sha256", "media_type")}
        conn.execute(update(asset_file).where(asset_file.c.id == there).values(**placing, **same))
    if there is not None:
        _stamp(conn, int(there), after, stamp)
    if not keep:
        if there is not None and row.role == FileRole.SIDECAR:
            move_sidecar(conn, row.id, int(there))
        conn.execute(
            update(asset_file).where(asset_file.c.id == row.id).values(deleted_at=at, updated_at=at)
        )


def _stamp(conn: Connection, file_id: int, place: FilePlace, stamp: FileStamp) -> None:
    values = {
        "source": place.source,
        "folder_sha256": place.folder_sha256,
        "path_sha256": place.path_sha256,
        "mtime_ns": stamp.mtime_ns,
        "inode": stamp.inode,
        "replaced_by": None,
    }
    known = conn.scalar(select(photo_file.c.file_id).where(photo_file.c.file_id == file_id))
    if known is None:
        conn.execute(insert(photo_file).values(file_id=file_id, **values))
    else:
        conn.execute(update(photo_file).where(photo_file.c.file_id == file_id).values(**values))
