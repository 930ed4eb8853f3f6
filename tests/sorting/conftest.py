"""Trees to be sorted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.db import Database
from tests.sorting.scene import SortScene


@pytest.fixture
def scene(sqlite_database: Database, tmp_path: Path) -> SortScene:
    """Two trees on one file system."""
    return SortScene(sqlite_database, tmp_path / "home", tmp_path / "away")


@pytest.fixture
def disks(sqlite_database: Database, tmp_path: Path) -> Iterator[SortScene]:
    """Two trees on two file systems."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.fail("a second file system is required")
    folder = Path(tempfile.mkdtemp(dir=memory))
    yield SortScene(sqlite_database, tmp_path / "home", folder / "away")
    shutil.rmtree(folder)
