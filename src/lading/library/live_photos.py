"""Asks for photos: assets that came out of pictures and videos and are not in the trash."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from lading.db.planning import unindexed
from lading.library.photo_companions import is_companion
from lading.library.photo_stacks import is_folded
from lading.library.tables import asset, asset_file, photo, photo_file


def live_photos(*columns: Any) -> Select[Any]:
    """These columns of `asset` and `photo`, of every photo that is not in the trash.

    What is shown with another is none of them: a RAW or film that belongs to a picture, and what
    is folded into a stack.
    """
    return (
        select(*columns)
        .join_from(asset, photo, photo.c.asset_id == asset.c.id)
        .where(unindexed(asset.c.deleted_at).is_(None), ~is_companion(), ~is_folded())
    )


def photo_places(*columns: Any) -> Select[Any]:
    """These columns of `asset_file` and `photo_file`, of every place where an original lies."""
    return (
        select(*columns)
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .where(asset_file.c.deleted_at.is_(None), asset_file.c.role == "original")
    )
