"""The stores under test, each empty and of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lading.storage.folder import FolderStore
from lading.storage.roots import SafeRoot
from lading.storage.s3 import S3Store
from lading.testing.servers_s3 import S3Facts
from tests.storage.transfers import DATA


@pytest.fixture
def s3_store(s3_facts: S3Facts) -> S3Store:
    """An empty store below a prefix of its own, on each of the S3 servers in turn."""
    return S3Store(s3_facts.options(prefix=f"t/{uuid4().hex}", part_bytes=5 * 1024 * 1024))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[SafeRoot]:
    """A source with one large, one small and one empty file in `in`."""
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "root/in/large").write_bytes(DATA)
    (tmp_path / "root/in/small").write_bytes(b"small")
    (tmp_path / "root/in/empty").write_bytes(b"")
    with SafeRoot(tmp_path / "root") as safe:
        yield safe


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    """An empty folder store."""
    return FolderStore(tmp_path / "store", create=True)
