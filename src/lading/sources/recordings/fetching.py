"""Brings one stored file to its place: kept, gone on with, or fetched; and verified in one pass.

Large files come as several ranges at a time, written and hashed in order, so that what is on the
disk is always the file's beginning and can be gone on with.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Self

from lading.base.errors import StoreError
from lading.base.stopping import StopSignal
from lading.sources.recordings.errors import StoredBytesDiffer
from lading.sources.recordings.expecting import ExpectedFile, require_sha256
from lading.sources.recordings.placing import Destination, Part
from lading.sources.recordings.repository import Repository
from lading.storage.port import ObjectStore
from lading.storage.s3 import S3Store
from lading.storage.transfer import hash_chunks

RANGED_BYTES_MIN: Final = 32 * 1024 * 1024
"""From this size on, a file comes in ranges."""
RANGE_BYTES: Final = 8 * 1024 * 1024
RANGES_AT_ONCE: Final = 8
BREAKS_MAX: Final = 5
"""How often a transfer that breaks off is gone on with, each time that some bytes came before."""

Chunk = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is in place; `kept` says that it was there before."""

    kept: bool
    size_bytes: int
    bytes_transferred: int


class Fetcher:
    """Fetches single files of a repository; safe from several threads."""

    def __init__(
        self,
        repository: Repository,
        destination: Destination,
        stop: StopSignal,
        *,
        overwrite: bool = False,
    ) -> None:
        self._repository = repository
        self._destination = destination
        self._stop = stop
        self._overwrite = overwrite
        self._ranges = RangeReader(repository.raw)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ranges.close()

    def fetch(self, file: ExpectedFile, relative: str) -> Fetched:
        """Bring a file to `relative` below the destination.

        Raises `StoredBytesDiffer`, `Sha256Unknown`, `StoreError`, `Interrupted`, and what
        `Destination` and `Place` raise. Whatever is raised, nothing new has the file's name; what
        came before a break stays beside it for the next call.
        """
        self._stop.check()
        size_bytes = file.require_stored_bytes()
        sha256 = require_sha256(self._repository, file)
        with self._destination.place(relative, sha256) as place:
            if place.holds(size_bytes, self._stop, overwrite=self._overwrite):
                return Fetched(True, size_bytes, 0)
            with place.part() as part:
                try:
                    self._complete(part, file.key, size_bytes, sha256)
                except StoredBytesDiffer:
                    place.discard()
                    raise
                place.settle(overwrite=self._overwrite)
                return Fetched(False, size_bytes, part.bytes_written)

    def _complete(self, part: Part, key: str, size_bytes: int, sha256: str) -> None:
        """Fetch what the part lacks, until all of it is verified."""
        breaks = 0
        if part.size_bytes > size_bytes:
            part.restart()
        while True:
            resumed_bytes = part.size_bytes
            try:
                with closing(self._chunks(part, key, size_bytes)) as chunks:
                    found = hash_chunks(chunks, stop=self._stop)
            except StoreError as error:
                breaks += 1
                if part.size_bytes > resumed_bytes and error.transient and breaks <= BREAKS_MAX:
                    continue
                raise
            if found == (sha256, size_bytes):
                return
            part.restart()
            if resumed_bytes == 0:
                raise StoredBytesDiffer(
                    "The object's bytes are not those that were registered",
                    subject=key,
                    expected=f"{size_bytes} bytes, sha256 {sha256}",
                    found=f"{found[1]} bytes, sha256 {found[0]}",
                )

    def _chunks(self, part: Part, key: str, size_bytes: int) -> Generator[Chunk, None, None]:
        """All bytes of the file: those of the part, then those of the store, which are added."""
        yield from part.chunks()
        if part.size_bytes == size_bytes:
            return
        for chunk in self._ranges.read(key, part.size_bytes, size_bytes):
            if part.size_bytes + len(chunk) <= size_bytes:
                part.append(chunk)
                yield chunk
            else:
                yield chunk  # more than there should be: it is hashed to be refused, not written
                return


class RangeReader:
    """Reads objects of one store, large ones as several ranges at a time, in order.

    Files that are read at once share the ranges in flight, which bounds the memory.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._in_ranges = not store.abilities.local_path
        self._get = store.get_views if isinstance(store, S3Store) else store.get
        self._pool = ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="range")
        self._counting = threading.Lock()
        self._readers = 0

    def close(self) -> None:
        """Wait for what is in flight and end the threads."""
        self._pool.shutdown(cancel_futures=True)

    def read(self, key: str, start: int, end: int) -> Iterator[Chunk]:
        """The object's bytes from `start`; `end` is its size. Raises like `ObjectStore.get`."""
        if end - start < RANGED_BYTES_MIN or not self._in_ranges:
            return self._get(key, offset=start)
        return self._ranged(key, start, end)

    def _ranged(self, key: str, start: int, end: int) -> Iterator[Chunk]:
        starts = iter(range(start, end, RANGE_BYTES))
        window: deque[Future[list[Chunk]]] = deque()
        with self._counting:
            self._readers += 1
        try:
            while True:
                at_once = max(1, RANGES_AT_ONCE // self._readers)
                while len(window) < at_once and (at := next(starts, None)) is not None:
                    length = min(RANGE_BYTES, end - at)
                    window.append(self._pool.submit(self._range, key, at, length))
                if not window:
                    return
                yield from window.popleft().result()
        finally:
            for future in window:
                future.cancel()
            with self._counting:
                self._readers -= 1

    def _range(self, key: str, offset: int, length: int) -> list[Chunk]:
        return list(self._get(key, offset=offset, length=length))
