"""Stores that count what is asked of them, and recordings put into stores without a rig."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import IngestResult
from lading.storage.port import ObjectInfo, ObjectStore


class CountingStore:
    """Behaves as `store`; `asked` counts calls by method, and `got` are the keys that were read."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.name = store.name
        self.abilities = store.abilities
        self.asked: Counter[str] = Counter()
        self.got: list[str] = []
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Count from now on."""
        self.asked.clear()
        self.got.clear()

    def put(self, key: str, chunks: Iterator[bytes], **others: Any) -> ObjectInfo:
        self._count("put")
        return self.store.put(key, chunks, **others)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self._count("get", key)
        return self.store.get(key, offset=offset, length=length)

    def head(self, key: str) -> ObjectInfo | None:
        self._count("head")
        return self.store.head(key)

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        self._count("list")
        return self.store.list(prefix, after=after)

    def delete(self, key: str) -> None:
        self._count("delete")
        self.store.delete(key)

    def clean(self, owner: str) -> int:
        self._count("clean")
        return self.store.clean(owner)

    def _count(self, method: str, key: str | None = None) -> None:
        with self._lock:
            self.asked[method] += 1
            if key is not None:
                self.got.append(key)


def put(repository: Repository, recording_id: str, files: Mapping[str, bytes]) -> None:
    """Store files of a recording as a rig's uploader does: each with its sha256, no manifest."""
    for name, body in files.items():
        sha256 = hashlib.sha256(body).hexdigest()
        repository.raw.put(repository.key(recording_id, name), iter((body,)), sha256=sha256)


def ingest(repository: Repository, folder: Path, **asked: Any) -> IngestResult:
    """Take a folder in, as `DataInterface.ingest` does."""
    opened = open_local(
        folder / "manifest.json", folder, participant=asked.pop("participant", None)
    )
    return ingest_recording(repository, opened, **asked)
