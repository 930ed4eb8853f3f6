"""What processes of their own do with recordings; by `spawn`, as the clients survive no fork."""

from __future__ import annotations

from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from lading.catalog.catalog import Catalog
from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.repository import Repository
from lading.storage.s3 import S3Options, S3Store
from lading.testing.faults import Fault, install
from tests.recordings.making import PREFIX


def repository_in(options: S3Options) -> Repository:
    """The repository in a bucket whose catalog is there already."""
    return Repository.of(S3Store(options), Catalog.open(options, prefix=PREFIX))


def ingest_until(options: S3Options, folder: Path, fault: str) -> None:
    """Take a recording in, and be killed at a step."""
    repository = repository_in(options)
    recording = open_local(folder / "manifest.json", folder)
    install(Fault.parse(fault))
    ingest_recording(repository, recording)


def ingest_together(options: S3Options, folder: Path, start: Barrier, said: Queue[Any]) -> None:
    """Take a recording in once everybody is ready to, and say what came of it."""
    repository = repository_in(options)
    recording = open_local(folder / "manifest.json", folder)
    start.wait()
    result = ingest_recording(repository, recording)
    assert result.recording is not None
    said.put((result.recording.recording_hash, result.files_uploaded + result.files_skipped))
