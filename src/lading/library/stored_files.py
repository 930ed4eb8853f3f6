"""Finds the file of an asset by its path in the bundle; locations come out, never go in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, select

from lading.library.known import file_row
from lading.library.tables import asset, asset_file
from lading.library.values import FileRow


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, and whether its asset is in the trash."""

    content_hash: str
    in_trash: bool
    file: FileRow


def find_file(conn: Connection, content_hash: str, path: str) -> StoredFile | None:
    """The file at this path of this asset, also one that its upstream no longer names."""
    try:
        digest = hashlib.sha256(path.encode()).hexdigest()
    except UnicodeEncodeError:
        return None  # half of a character, which no path here has
    row = conn.execute(
        select(asset_file, asset.c.deleted_at.label("trashed_at"))
        .join_from(asset_file, asset, asset.c.id == asset_file.c.asset_id)
        .where(asset.c.content_hash == content_hash, asset_file.c.path_sha256 == digest)
    ).one_or_none()
    if row is None:
        return None
    return StoredFile(content_hash, row.trashed_at is not None, file_row(row))
