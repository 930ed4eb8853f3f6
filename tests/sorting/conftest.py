"""Trees to be sorted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.db import Database
from tests.sorting.scene import SortScene


@pytest.fixture
def scene(sqlite_database: Database, tmp_path: Path) -> SortScene:
    """Two trees on one file system."""
    return SortScene(sqlite_database, tmp_path / "home", tmp_path / "away")
