"""What the library holds of photos, read for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from lading.db import Database
from lading.ingest.rules import GuardLimits
from lading.ledger.items import count_outcomes
from lading.ledger.queries import list_items
from lading.library.tables import asset, asset_file, photo, photo_file
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation
from tests.photos.tree import PhotosBench


def installed(
    database: Database, bench: PhotosBench, folder: Path, limits: GuardLimits | None = None
) -> Installation:
    """An installation with the bench's tree."""
    store = FolderStore(folder / "store", name="library", create=True)
    return Installation(database, store, [bench.source], limits=limits)


def files(installation: Installation) -> dict[str, Any]:
    """The files of photos that are there, by location, with their assets."""
    query = (
        select(asset_file, asset.c.content_hash)
        .add_columns(asset.c.deleted_at.label("trashed_at"))
        .join_from(asset_file, asset, asset.c.id == asset_file.c.asset_id)
        .join(photo_file, photo_file.c.file_id == asset_file.c.id)
        .where(asset_file.c.deleted_at.is_(None))
    )
    with installation.db.read() as conn:
        return {row.location: row for row in conn.execute(query)}


def assets(installation: Installation) -> dict[str, Any]:
    """Every asset by content hash, with what its photo says."""
    query = select(asset, photo).join_from(asset, photo, photo.c.asset_id == asset.c.id)
    with installation.db.read() as conn:
        return {row.content_hash: row for row in conn.execute(query)}


def outcomes(installation: Installation, key: str) -> dict[str, int]:
    """How many items of the batch came to what."""
    batch = installation.batch(key)
    with installation.db.read() as conn:
        counted = count_outcomes(conn, batch.id, batch.revision)
    return {outcome.value: count for outcome, count in counted.items() if count}


def reasons(installation: Installation, key: str) -> dict[str, str]:
    """The reasons of the items that were not taken in, by title."""
    with installation.db.read() as conn:
        items, _ = list_items(conn, installation.batch(key), limit=200)
    return {item.title or item.key: item.reason for item in items if item.reason}
