"""Which photos belong to which: a RAW or the film of a live photo to its picture, per folder.

The relation is one of files, so that a pair that is moved together stays one. It counts while
both lie in the same folder; what vanished or was taken apart is no pair, whatever is recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, select

from lading.library.photo_values import CompanionOf, FilePlace, HeldOriginal
from lading.library.rules import ORIGINAL_ROLE
from lading.library.statements import chunked, insert_missing
from lading.library.tables import asset, asset_file, photo_companion, photo_file


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionAsset:
    """The other asset of a pair and where its file lies; `kind` is what the companion is."""

    kind: str
    asset_id: int
    content_hash: str
    title: str | None
    source: str
    location: str


_FILE: Final = asset_file.alias("companion_file")
_PLACE: Final = photo_file.alias("companion_place")
_MAIN_FILE: Final = asset_file.alias("main_file")
_MAIN_PLACE: Final = photo_file.alias("main_place")


def originals_in(conn: Connection, source: str, folder: str) -> dict[str, HeldOriginal]:
    """The pictures and videos that are recorded right in a folder, by name; one statement."""
    query = (
        select(
            asset_file.c.id,
            asset_file.c.asset_id,
            asset_file.c.location,
            asset_file.c.media_type,
            asset.c.duration_s,
        )
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .join(asset, asset.c.id == asset_file.c.asset_id)
        .where(
            photo_file.c.source == source,
            photo_file.c.folder_sha256 == FilePlace(source, folder, "").folder_sha256,
            asset_file.c.role == ORIGINAL_ROLE,
            asset_file.c.deleted_at.is_(None),
        )
    )
    return {
        FilePlace.at(source, row.location).name: HeldOriginal(
            file_id=row.id,
            asset_id=row.asset_id,
            media_type=row.media_type,
            duration_s=row.duration_s,
        )
        for row in conn.execute(query)
    }


def save_companions(
    conn: Connection,
    source: str,
    folder: str,
    originals: Mapping[str, HeldOriginal],
    companions: Mapping[str, CompanionOf],
) -> None:
    """Make these the pairs of a folder, by name of the companion; whatever else it had is none.

    `originals` are those of `originals_in`, read in the same transaction. Only what differs is
    written.
    """
    of_folder = (
        select(photo_companion)
        .join(photo_file, photo_file.c.file_id == photo_companion.c.file_id)
        .where(
            photo_file.c.source == source,
            photo_file.c.folder_sha256 == FilePlace(source, folder, "").folder_sha256,
        )
    )
    before = {row.file_id: (row.of_file_id, row.kind) for row in conn.execute(of_folder)}
    after = {
        originals[name].file_id: (originals[one.to].file_id, one.kind)
        for name, one in companions.items()
    }
    stale = [file_id for file_id, pair in before.items() if after.get(file_id) != pair]
    for chunk in chunked(stale):
        conn.execute(delete(photo_companion).where(photo_companion.c.file_id.in_(chunk)))
    fresh = [
        {"file_id": file_id, "of_file_id": pair[0], "kind": pair[1]}
        for file_id, pair in after.items()
        if before.get(file_id) != pair
    ]
    insert_missing(conn, photo_companion, fresh)


def companions_of(
    conn: Connection, asset_ids: Collection[int]
) -> dict[int, tuple[CompanionAsset, ...]]:
    """The companions of these pictures that are not in the trash, by the pictures' asset ids.

    One statement for hundreds; a picture without any is not in it.
    """
    return _paired(conn, _MAIN_FILE, _FILE, _PLACE, asset_ids)


def pictures_of(
    conn: Connection, asset_ids: Collection[int]
) -> dict[int, tuple[CompanionAsset, ...]]:
    """The pictures that these assets are companions of, not in the trash, by the assets' ids.

    One statement for hundreds; an asset that is no companion is not in it.
    """
    return _paired(conn, _FILE, _MAIN_FILE, _MAIN_PLACE, asset_ids)


def is_companion() -> ColumnElement[bool]:
    """That an `asset` is shown with a picture, which is not in the trash, wherever else it lies.

    For lists that show each picture once: all others, and the pictures, are `~is_companion()`.
    """
    picture = asset.alias("companion_picture")
    return (
        _pairs(photo_companion.c.file_id)
        .join(picture, picture.c.id == _MAIN_FILE.c.asset_id)
        .where(_FILE.c.asset_id == asset.c.id, picture.c.deleted_at.is_(None))
        .correlate(asset)
        .exists()
    )


def _pairs(*columns: Any) -> Select[Any]:
    """These columns of every pair that counts: both files are there, in the same folder."""
    return (
        select(*columns)
        .select_from(photo_companion)
        .join(_FILE, _FILE.c.id == photo_companion.c.file_id)
        .join(_PLACE, _PLACE.c.file_id == photo_companion.c.file_id)
        .join(_MAIN_FILE, _MAIN_FILE.c.id == photo_companion.c.of_file_id)
        .join(
            _MAIN_PLACE,
            (_MAIN_PLACE.c.file_id == photo_companion.c.of_file_id)
            & (_MAIN_PLACE.c.source == _PLACE.c.source)
            & (_MAIN_PLACE.c.folder_sha256 == _PLACE.c.folder_sha256),
        )
        .where(_FILE.c.deleted_at.is_(None), _MAIN_FILE.c.deleted_at.is_(None))
    )


def _paired(
    conn: Connection, of: Any, other: Any, other_place: Any, asset_ids: Collection[int]
) -> dict[int, tuple[CompanionAsset, ...]]:
    """For each asset the other side of its pairs; the same content at two places counts once."""
    query = (
        _pairs(
            of.c.asset_id.label("of_asset_id"),
            photo_companion.c.kind,
            asset.c.id,
            asset.c.content_hash,
            asset.c.title,
            other_place.c.source,
            other.c.location,
        )
        .join(asset, asset.c.id == other.c.asset_id)
        .where(asset.c.deleted_at.is_(None))
        .order_by(photo_companion.c.kind, photo_companion.c.file_id)
    )
    found: dict[int, dict[tuple[int, str], CompanionAsset]] = defaultdict(dict)
    for chunk in chunked(dict.fromkeys(asset_ids)):
        for row in conn.execute(query.where(of.c.asset_id.in_(chunk))):
            one = CompanionAsset(
                kind=row.kind,
                asset_id=row.id,
                content_hash=row.content_hash,
                title=row.title,
                source=row.source,
                location=row.location,
            )
            found[row.of_asset_id].setdefault((one.asset_id, one.kind), one)
    return {asset_id: tuple(ones.values()) for asset_id, ones in found.items()}
