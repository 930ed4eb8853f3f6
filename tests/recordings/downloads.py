"""Recordings that are stored and registered, and stores that watch or break their own reads."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lading.catalog.values import ModalityRow, RecordingRow
from lading.sources.recordings.downloading import download
from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.querying import query
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import QueryResult
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.port import ObjectInfo
from lading.storage.s3 import S3Options, S3Store
from tests.recordings.making import FILES, REC_ID, make_recording

Watch = Callable[[str, int], None]


class WatchedStore(MemoryStore):
    """Counts its listings and reads, and calls `watch(key, offset)` before each chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int]] = []
        self.listings = 0
        self.watch: Watch = lambda _key, _offset: None
        self._turned: dict[str, bytes] = {}

    def turn(self, key: str, body: bytes) -> None:
        """From now on the object's bytes are others, of the same number; its metadata stays."""
        self._turned[key] = body

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `ObjectStore.get`."""
        self.reads.append((key, offset))
        if key in self._turned:
            yield self._turned[key][offset:]
            return
        for chunk in super().get(key, offset=offset, length=length):
            self.watch(key, offset)
            offset += len(chunk)
            yield chunk

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        self.listings += 1
        return super().list(prefix, after=after)


class WatchedBucket(S3Store):
    """A bucket that notes where its reads begin, and calls `watch(key, offset)` before each."""

    def __init__(self, options: S3Options) -> None:
        super().__init__(options)
        self.offsets: list[int] = []
        self.watch: Watch = lambda _key, _offset: None

    def get_views(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[memoryview]:
        """See `S3Store.get_views`, which `get` reads by as well."""
        self.offsets.append(offset)
        self.watch(key, offset)
        return super().get_views(key, offset=offset, length=length)


class DeadlyStore(FolderStore):
    """Kills its process when it is to give a chunk that lies behind the first `bytes_max`."""

    bytes_max = 0

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `ObjectStore.get`."""
        for chunk in super().get(key, offset=offset, length=length):
            if offset >= self.bytes_max:
                os.kill(os.getpid(), signal.SIGKILL)
            offset += len(chunk)
            yield chunk


def download_and_die(root: Path, dest: Path, bytes_max: int) -> None:
    """Download from the repository in folders below `root`, and be killed in mid-file."""
    from lading.catalog.catalog import Catalog  # noqa: PLC0415 - in a process of its own

    raw = DeadlyStore(root / "raw")
    raw.bytes_max = bytes_max
    repository = Repository.of(raw, Catalog.open(root / "assets"))
    download(repository, query(repository.catalog), dest, max_concurrent_files=1)


def take_in(
    repository: Repository,
    root: Path,
    name: str = REC_ID,
    files: Mapping[str, int] = FILES,
) -> tuple[Path, QueryResult]:
    """A recording made in a folder, stored and registered; its folder, and what a query finds."""
    folder = make_recording(root, name, files)
    taken = ingest_recording(repository, open_local(folder / "manifest.json", folder))
    assert taken.recording is not None
    (result,) = query(repository.catalog, recording_hash=taken.recording.recording_hash)
    return folder, result


def a_result(
    *keys: str, name: str = REC_ID, recording_hash: str = "ab" * 32, location: str = ""
) -> QueryResult:
    """A result that names these objects as the files of one camera, whatever is stored."""
    row = ModalityRow(
        recording_hash=recording_hash,
        modality="camera",
        location=location or f"recordings/{name}",
        keys=keys,
    )
    recording = RecordingRow(
        recording_hash=recording_hash, metadata={"manifest_recording_id": name}
    )
    return QueryResult(recording, {"camera": row})


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recorded(folder: Path) -> dict[str, bytes]:
    """The files of a recording's folder that were recorded."""
    return {
        path: body
        for path, body in files_below(folder).items()
        if path not in ("manifest.json", "participant.txt")
    }
