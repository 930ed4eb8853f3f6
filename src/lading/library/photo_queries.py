"""Reads what is recorded of the files of one folder: a few columns of each, to be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select

from lading.base.identifiers import is_sha256
from lading.library.photo_values import FilePlace, FileStamp, RecordedFile
from lading.library.rules import ORIGINAL_ROLE
from lading.library.statements import chunked
from lading.library.tables import asset, asset_file, derivation, photo_file

_PAGE: Final = 1_000

_RECORDED: Final = (
    select(
        photo_file.c.file_id,
        photo_file.c.path_sha256,
        photo_file.c.mtime_ns,
        photo_file.c.inode,
        asset_file.c.asset_id,
        asset_file.c.location,
        asset_file.c.role,
        asset_file.c.media_type,
        asset_file.c.size_bytes,
        asset.c.content_hash,
    )
    .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
    .join(asset, asset.c.id == asset_file.c.asset_id)
    .where(asset_file.c.deleted_at.is_(None))
)


def recorded_files(
    conn: Connection, source: str, folder: str, names: Collection[str]
) -> dict[str, RecordedFile]:
    """What is recorded of these files of a folder, by name; one statement for hundreds of them."""
    by_digest = {FilePlace(source, folder, name).path_sha256: name for name in names}
    found = {}
    for chunk in chunked(by_digest):
        query = _RECORDED.where(
            photo_file.c.source == source,
            photo_file.c.folder_sha256 == FilePlace(source, folder, "").folder_sha256,
            photo_file.c.path_sha256.in_(chunk),
        )
        for row in conn.execute(query):
            found[by_digest[row.path_sha256]] = _recorded(row)
    return found


def derivation_keys(conn: Connection, asset_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """How all that is derived of each asset was derived, whether it came out or failed."""
    found: dict[int, set[str]] = defaultdict(set)
    for chunk in chunked(dict.fromkeys(asset_ids)):
        query = select(derivation.c.asset_id, derivation.c.key)
        for row in conn.execute(query.where(derivation.c.asset_id.in_(chunk))):
            found[row.asset_id].add(row.key)
    return {asset_id: frozenset(keys) for asset_id, keys in found.items()}


def files_of_folder(conn: Connection, source: str, digest: str) -> Iterator[RecordedFile]:
    """Everything recorded of a folder, without those below it, some at a time.

    `digest` is the sha256 of the folder's path, or as much of its beginning as is known.
    """
    is_it = in_folder(digest)
    after = ""
    while True:
        rows = conn.execute(
            _RECORDED.where(photo_file.c.source == source, is_it)
            .where(photo_file.c.path_sha256 > after)
            .order_by(photo_file.c.path_sha256)
            .limit(_PAGE)
        ).all()
        yield from map(_recorded, rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].path_sha256


def live_locations(
    conn: Connection, source: str, digest: str, *, limit: int
) -> tuple[int, list[str]]:
    """How many files are recorded right in a folder, and the first of their paths.

    `digest` is as `files_of_folder` takes it.
    """
    rows = conn.execute(
        select(asset_file.c.location, func.count().over().label("every"))
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .where(asset_file.c.deleted_at.is_(None), photo_file.c.source == source, in_folder(digest))
        .order_by(photo_file.c.path_sha256)
        .limit(limit)
    ).all()
    return (int(rows[0].every) if rows else 0), sorted(row.location for row in rows)


def is_brought_otherwise(conn: Connection, asset_id: int) -> bool:
    """Whether an original of the asset is no place of a photo."""
    query = (
        select(asset_file.c.id)
        .outerjoin(photo_file, photo_file.c.file_id == asset_file.c.id)
        .where(
            asset_file.c.asset_id == asset_id,
            asset_file.c.role == ORIGINAL_ROLE,
            asset_file.c.deleted_at.is_(None),
            photo_file.c.file_id.is_(None),
        )
        .limit(1)
    )
    return conn.scalar(query) is not None


def in_folder(digest: str) -> ColumnElement[bool]:
    """That a file lies right in a folder, by the sha256 of its path or the beginning of that."""
    column = photo_file.c.folder_sha256
    if is_sha256(digest):
        return column == digest
    # After the last of hexadecimal digits.
    return (column > digest) & (column < f"{digest}g")


def _recorded(row: Any) -> RecordedFile:
    return RecordedFile(
        file_id=row.file_id,
        asset_id=row.asset_id,
        content_hash=row.content_hash,
        path_sha256=row.path_sha256,
        location=row.location,
        role=row.role,
        media_type=row.media_type,
        stamp=FileStamp(row.size_bytes, row.mtime_ns, row.inode),
    )
