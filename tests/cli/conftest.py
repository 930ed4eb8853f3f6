"""Installations in temporary folders, and upstreams for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.bundles import BundlePublisher, Published
from lading.testing.servers_s3 import S3Facts
from tests.cli.program import Program


@pytest.fixture
def upstream(tmp_path: Path) -> BundlePublisher:
    """An upstream that has published nothing yet."""
    return BundlePublisher(tmp_path / "nas")


@pytest.fixture
def bare(tmp_path: Path) -> Program:
    """The program in an empty folder, without settings."""
    folder = tmp_path / "here"
    folder.mkdir()
    return Program(folder)


@pytest.fixture
def program(bare: Program, upstream: BundlePublisher) -> Program:
    """An installation on SQLite with one source, `nas`."""
    bare.run("init", "--source", f"nas={upstream.root}")
    bare.config = bare.folder / "lading.toml"
    return bare


@pytest.fixture
def publish(upstream: BundlePublisher) -> Callable[..., Published]:
    """Publishes a bundle of photos: `publish(3)`, or with one that is damaged afterwards."""

    def make(photos: int = 2, *, damaged: bool = False) -> Published:
        bundle = upstream.bundle()
        for number in range(photos):
            bundle.photo(f"photo-{number}")
        published = bundle.publish()
        if damaged:
            item = bundle.items[-1]
            file = upstream.root / item["path"] / item["files"][0]["path"]
            data = bytearray(file.read_bytes())
            data[-1] ^= 1
            file.write_bytes(data)
        return published

    return make


@pytest.fixture
def bucket(s3_server_of: Callable[[str], S3Facts]) -> ArchiveBucket:
    """An empty bucket of an archive, on the fast imitation, which checks no signatures."""
    return ArchiveBucket(s3_server_of("ministack"))


@pytest.fixture
def archive(bare: Program, bucket: ArchiveBucket) -> Program:
    """The program in an empty folder, with `bucket` in its environment and nothing else."""
    bare.env.update(bucket.environment)
    return bare
