"""An empty catalog in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.catalog.catalog import Catalog
from tests.catalog.rows import no_wait

PREFIX = "ursa/catalog-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a catalog; its name has what names have."""
    folder = tmp_path / "assets of ours é"
    folder.mkdir()
    return folder


@pytest.fixture
def catalog(folder: Path) -> Catalog:
    """An empty catalog, live in `folder`."""
    return Catalog.create(folder, prefix=PREFIX, wait=no_wait)
