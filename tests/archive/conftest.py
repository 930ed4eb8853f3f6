"""Archives in buckets, on servers of ours or behind a front that fails, and who takes them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lading.db import Database
from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.servers_s3 import S3Facts
from tests.archive.front import Front, FrontArchive, running_front
from tests.archive.taking_in import TakingIn

MakeTakingIn = Callable[..., TakingIn]


@pytest.fixture
def archive(s3_server_of: Callable[[str], S3Facts]) -> ArchiveBucket:
    """An empty bucket of this test's own."""
    return ArchiveBucket(s3_server_of("ministack"))


@pytest.fixture
def front() -> Iterator[Front]:
    """A service that counts, and fails where it is told."""
    with running_front() as front:
        yield front


@pytest.fixture
def behind_front(front: Front) -> FrontArchive:
    """An empty bucket behind it."""
    return FrontArchive(front)


@pytest.fixture
def take_in_by(tmp_path: Path) -> MakeTakingIn:
    """Wires an installation: `take_in_by(database, archive, **options of the source)`."""

    def make(db: Database, archive: ArchiveBucket, **options: Any) -> TakingIn:
        return TakingIn(db, archive, tmp_path / "store", **options)

    return make


@pytest.fixture
def here(database: Database, archive: ArchiveBucket, take_in_by: MakeTakingIn) -> TakingIn:
    """An installation with the bucket `archive`, on each kind of database."""
    return take_in_by(database, archive)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as opened:
        yield opened
