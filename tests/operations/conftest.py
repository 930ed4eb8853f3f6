"""Installations with batches, jobs and a library to do things to."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.registry import build_source
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation
from lading.testing.publisher import Publisher


class Scene:
    """An upstream, and an installation that takes from it."""

    def __init__(self, db: Database, folder: Path, *, seed: int = 3) -> None:
        self.db = db
        self.folder = folder
        self.upstream = Publisher(folder / "upstream", seed=seed)
        self.source = build_source("handover", "nas", {"root": str(self.upstream.root)})
        store = FolderStore(folder / "store", name="library", create=True)
        self.installation = Installation(db, store, [self.source])
        self.operations = self.installation.operations
        self.ingest = self.installation.ingest

    def publish(self, count: int = 1, *, photos: int = 1) -> list[str]:
        """Publish bundles of tiny assets; their sync ids."""
        return [self.upstream.publish_many(photos).sync_id for _ in range(count)]

    def found(self, count: int, *, photos: int = 1) -> list[int]:
        """Publish and scan; the numbers of the new batches."""
        self.publish(count, photos=photos)
        return sorted(self.installation.scan())

    def ready(self, count: int) -> list[int]:
        """Publish, scan and preflight; the numbers of the batches."""
        ids = self.found(count)
        for batch_id in ids:
            self.ingest.preflight(batch_id, actor="test")
        return ids

    def states(self, ids: list[int]) -> list[str]:
        return [self.installation.batch(batch_id).state.value for batch_id in ids]


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    """A scene on each kind of database."""
    return Scene(database, tmp_path)


@pytest.fixture
def quick_scene(sqlite_database: Database, tmp_path: Path) -> Scene:
    """A scene on SQLite, for what no database does its own way."""
    return Scene(sqlite_database, tmp_path)
