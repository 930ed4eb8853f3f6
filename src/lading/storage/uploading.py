"""Uploads that go on where they were cut off, and show nothing until the object is whole.

What fits in one part is one request. Larger objects are sent in parts; the parts that an earlier
call has sent are kept if they hold the same bytes. The service keeps the account of them, so that
any process on any machine can go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from lading.base.errors import StoreError
from lading.base.steps import RecordingStep, reach
from lading.base.stopping import Interrupted
from lading.storage.keys import check_key
from lading.storage.multipart import (
    MultipartClient,
    Part,
    UnfinishedUpload,
    UploadGone,
    digest_of,
)
from lading.storage.port import ObjectStore
from lading.storage.s3 import PARTS_MAX, S3Store
from lading.storage.transfer import SizeMismatch

ATTEMPTS_MAX: Final = 6
_MIB: Final = 1024 * 1024

Chunks = Callable[[], Iterator[bytes]]


class UploadContested(StoreError):
    """Others wrote to the same key at the same time, and the object there is not the one sent."""

    code = "upload_contested"
    http_status = 409
    next_step = "See to it that one file goes to one key, then run it again."


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object that is in the store, whole.

    `bytes_sent` went over the wire in this call, in full parts; `bytes_resumed` were sent by an
    earlier call that was cut off, and were compared with the file before they were kept.
    """

    size_bytes: int
    bytes_sent: int
    bytes_resumed: int


class Uploader(Protocol):
    """Brings files into one store. Safe to share between threads."""

    def upload(
        self,
        key: str,
        chunks: Chunks,
        *,
        size_bytes: int,
        sha256: str,
        media_type: str | None = None,
    ) -> Uploaded:
        """Store the `size_bytes` bytes of `chunks()` under `key`, replacing what was there.

        `chunks()` gives them from the first on, and is called again where the upload has to start
        afresh. What it raises comes out as it is, and nothing of the object is visible. `sha256`
        (hex) is what it verifies; it is recorded as user metadata where the store can. Raises
        `SizeMismatch` for another number of bytes, `StoreError`, and `MissingExtra`.
        """
        ...


def uploader_for(
    store: ObjectStore, *, resumable: tuple[type[BaseException], ...] = ()
) -> Uploader:
    """The uploader of a store: one that can be resumed for buckets, `put` for all others.

    `resumable` are further exceptions out of `chunks` that speak against going on now and not
    against the bytes, as `Interrupted` does: the parts that were sent stay for the next call.
    """
    if isinstance(store, S3Store):
        return BucketUploader(store, resumable=resumable)
    return PutUploader(store)


class PutUploader:
    """Uploads by `ObjectStore.put`, each from its start."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def upload(
        self,
        key: str,
        chunks: Chunks,
        *,
        size_bytes: int,
        sha256: str,
        media_type: str | None = None,
    ) -> Uploaded:
        """See `Uploader.upload`."""
        body = _exactly(chunks(), size_bytes, key)
        self._store.put(key, body, sha256=sha256, media_type=media_type)
        return Uploaded(size_bytes, size_bytes, 0)


class BucketUploader:
    """Uploads to a bucket that can be resumed; see `uploader_for`.

    A call holds at most `parts_in_flight_max + 1` parts in memory. When it is cut off, it first
    waits for the parts that are being sent: until then the service may still take them.
    """

    def __init__(self, store: S3Store, *, resumable: tuple[type[BaseException], ...] = ()) -> None:
        self._store = store
        self._client = MultipartClient(store.options, name=store.name)
        self._resumable: tuple[type[BaseException], ...] = (Interrupted, *resumable)

    def upload(
        self,
        key: str,
        chunks: Chunks,
        *,
        size_bytes: int,
        sha256: str,
        media_type: str | None = None,
    ) -> Uploaded:
        """See `Uploader.upload`."""
        check_key(key)
        if size_bytes <= self._store.options.part_bytes:
            body = b"".join(_exactly(chunks(), size_bytes, key))
            self._store.put_whole(key, body, sha256=sha256, media_type=media_type)
            return Uploaded(size_bytes, size_bytes, 0)
        wanted = _Wanted(key, chunks, size_bytes, sha256, media_type)
        return _LargeUpload(self._store, self._client, wanted, self._resumable).run()


@dataclass(frozen=True, slots=True)
class _Wanted:
    key: str
    chunks: Chunks
    size_bytes: int
    sha256: str
    media_type: str | None


class _End(Enum):
    """How an attempt ended that did not raise."""

    COMPLETED = auto()
    GONE = auto()  # somebody else completed or aborted the upload
    OTHER_CONTENT = auto()  # what was there is of another file


class _OtherContent(Exception):
    """A part that an earlier upload has sent holds other bytes than the file."""


class _LargeUpload:
    """One object on its way in parts.

    Several processes may send the same object at once: they may share an upload, and whoever
    completes first ends it for the others, who find it gone, the object there, and are done.
    Uploads found besides are aborted only when the object is there, for the same reason.
    """

    def __init__(
        self,
        store: S3Store,
        client: MultipartClient,
        wanted: _Wanted,
        resumable: tuple[type[BaseException], ...],
    ) -> None:
        self._store = store
        self._client = client
        self._wanted = wanted
        self._resumable = resumable
        self._part_bytes = part_bytes_for(wanted.size_bytes, store.options.part_bytes)
        self._stale: set[str] = set()  # uploads to abort when the object is there
        self._refused: set[str] = set()  # those of them that are not to be gone on with
        self._counting = threading.Lock()
        self._bytes_sent = 0
        self._bytes_resumed = 0

    def run(self) -> Uploaded:
        for _ in range(ATTEMPTS_MAX):
            found = self._choose()
            upload_id = found.upload_id if found else self._begin()
            self._refused.add(upload_id)
            end = self._attempt(upload_id, dict(found.parts) if found else {})
            if end is not _End.OTHER_CONTENT and self._is_held():
                self._abort_stale(upload_id)
                return Uploaded(self._wanted.size_bytes, self._bytes_sent, self._bytes_resumed)
            if end is _End.COMPLETED and found is None:
                break
            # Otherwise it was begun for a file of another hash, or ended by somebody else.
        raise UploadContested(
            "Another object than was sent lies there, or others ended the upload each time",
            subject=self._wanted.key,
            expected=f"{self._wanted.size_bytes} bytes, sha256 {self._wanted.sha256}",
        )

    def _choose(self) -> UnfinishedUpload | None:
        """The unfinished upload that promises most, with those of its parts that may be ours."""
        found = self._client.unfinished(self._wanted.key)
        self._stale |= {upload.upload_id for upload in found}
        promising = [
            UnfinishedUpload(upload.upload_id, self._fitting(upload.parts))
            for upload in found
            if upload.upload_id not in self._refused
        ]
        best = max(promising, key=lambda upload: upload.size_bytes, default=None)
        return best if best and best.parts else None

    def _fitting(self, held: Mapping[int, Part]) -> dict[int, Part]:
        """The parts of our sizes. None when one is too long: that is of another file.

        A shorter one may have been cut off on its way, and is sent again in its place.
        """
        size, part = self._wanted.size_bytes, self._part_bytes
        expected = {number: min(part, size - (number - 1) * part) for number in held}
        if any(held[number].size_bytes > expected[number] for number in held):
            return {}
        return {n: each for n, each in held.items() if each.size_bytes == expected[n]}

    def _begin(self) -> str:
        wanted = self._wanted
        return self._client.begin(wanted.key, sha256=wanted.sha256, media_type=wanted.media_type)

    def _attempt(self, upload_id: str, held: dict[int, Part]) -> _End:
        """Send what is missing and complete the upload; abort it when the file is not good."""
        key = self._wanted.key
        try:
            parts = self._send(upload_id, held)
            reach(RecordingStep.BYTES_SENT)
            self._client.complete(key, upload_id, [parts[number] for number in sorted(parts)])
        except _OtherContent:
            return _End.OTHER_CONTENT
        except UploadGone:
            return _End.GONE
        except StoreError:
            # Ceph answers so when an upload is completed that is gone.
            if self._is_gone(upload_id):
                return _End.GONE
            raise
        except self._resumable:
            raise
        except BaseException:
            with suppress(StoreError):
                self._client.abort(key, upload_id)
            raise
        return _End.COMPLETED

    def _send(self, upload_id: str, held: dict[int, Part]) -> dict[int, Part]:
        """All parts, by number: those of `held` that the file has too, the others sent."""
        wanted = self._wanted
        in_flight_max = self._store.options.parts_in_flight_max
        parts: dict[int, Part] = {}
        in_flight: dict[Future[Part], int] = {}
        self._bytes_resumed = 0

        def settle(futures: set[Future[Part]]) -> None:
            for future in futures:
                parts[in_flight.pop(future)] = future.result()

        # Leaving the pool waits for what is in flight, so that an abort comes after the last part.
        with (
            ThreadPoolExecutor(in_flight_max, thread_name_prefix="upload") as pool,
            closing(_exactly(wanted.chunks(), wanted.size_bytes, wanted.key)) as chunks,
        ):
            for number, pieces in enumerate(_in_parts(chunks, self._part_bytes), start=1):
                if number in held:
                    parts[number] = self._kept(held[number], pieces)
                    continue
                if len(in_flight) == in_flight_max:
                    settle(wait(in_flight, return_when=FIRST_COMPLETED).done)
                in_flight[pool.submit(self._send_part, upload_id, number, pieces)] = number
            settle(set(in_flight))
        return parts

    def _kept(self, held: Part, pieces: list[memoryview]) -> Part:
        if digest_of("md5", pieces).hexdigest() != held.etag:
            raise _OtherContent
        self._bytes_resumed += held.size_bytes
        return held

    def _send_part(self, upload_id: str, number: int, pieces: list[memoryview]) -> Part:
        part = self._client.send(self._wanted.key, upload_id, number, pieces)
        with self._counting:
            self._bytes_sent += part.size_bytes
        reach(RecordingStep.PART_SENT)
        return part

    def _is_held(self) -> bool:
        """Whether the object is there as it shall be, no matter who completed it."""
        info = self._store.head(self._wanted.key)
        return (
            info is not None
            and info.size_bytes == self._wanted.size_bytes
            and info.metadata.get("sha256") == self._wanted.sha256
        )

    def _is_gone(self, upload_id: str) -> bool:
        try:
            return not self._client.is_there(self._wanted.key, upload_id)
        except StoreError:
            return False  # the first error says more

    def _abort_stale(self, completed: str) -> None:
        for upload_id in self._stale - {completed}:
            with suppress(StoreError):  # what is left, the bucket's lifecycle rule removes
                self._client.abort(self._wanted.key, upload_id)


def part_bytes_for(size_bytes: int, part_bytes: int) -> int:
    """The size of the parts: `part_bytes`, or whole MiB more where those would be too many."""
    if size_bytes <= part_bytes * PARTS_MAX:
        return part_bytes
    return -(-size_bytes // (PARTS_MAX * _MIB)) * _MIB


def _exactly(chunks: Iterator[bytes], size_bytes: int, key: str) -> Generator[bytes, None, None]:
    """The chunks, which raise `SizeMismatch` before their end unless they are `size_bytes` long."""
    found = 0
    for chunk in chunks:
        found += len(chunk)
        if found > size_bytes:
            break
        yield chunk
    if found != size_bytes:
        raise SizeMismatch(
            "The file has another size than was said",
            subject=key,
            expected=size_bytes,
            found=found if found < size_bytes else "more",
        )


def _in_parts(chunks: Iterator[bytes], part_bytes: int) -> Iterator[list[memoryview]]:
    """The same bytes in pieces, together `part_bytes` a time; the last part may be shorter."""
    pieces: list[memoryview] = []
    left = part_bytes
    for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest) >= left:
            pieces.append(rest[:left])
            yield pieces
            rest, pieces, left = rest[left:], [], part_bytes
        if rest:
            pieces.append(rest)
            left -= len(rest)
    if pieces:
        yield pieces
