"""Every store goes through the same suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.s3 import S3Store
from lading.testing.faulty_store import FaultyStore
from lading.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestFolderStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(tmp_path / "store", create=True)


class TestS3Store(StoreSuite):
    @pytest.fixture
    def store(self, s3_store: S3Store) -> S3Store:
        return s3_store


class TestFaultyStoreWithoutFault(StoreSuite):
    @pytest.fixture
    def store(self) -> FaultyStore:
        return FaultyStore(MemoryStore())
