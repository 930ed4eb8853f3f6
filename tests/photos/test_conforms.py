"""A tree of photos is a source like every other: the conformance suite holds of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.db import Database
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation
from lading.testing.source_suite import SourceBench, SourceSuite
from tests.photos.tree import PhotosBench


class TestPhotos(SourceSuite):
    """Folders of pictures, recorded in each kind of database."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> SourceBench:
        return PhotosBench(tmp_path)

    @pytest.fixture
    def installation(self, bench: SourceBench, database: Database, tmp_path: Path) -> Installation:
        store = FolderStore(tmp_path / "store", name="library", create=True)
        return Installation(database, store, [bench.source])
