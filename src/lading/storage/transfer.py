"""Moving bytes with one read: every chunk is hashed while its consumer writes or sends it.

Hashing runs in a second thread (it does not hold the interpreter lock), so a copy costs as much
time as the slower of hashing and writing, not their sum.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from lading.base.errors import SourceError
from lading.base.steps import Step, reach
from lading.base.stopping import StopSignal
from lading.storage.placement import content_key
from lading.storage.port import ObjectInfo, ObjectMissing, ObjectStore, StoreMismatch
from lading.storage.roots import FileFacts, SafeFile, SafeRoot, source_fault

CHUNK_BYTES = 4 * 1024 * 1024
_INLINE_BYTES = (
    256 * 1024
)  # below this, handing a chunk to the other thread costs more than it saves


class SizeMismatch(SourceError):
    """The file has another size than its manifest says."""

    code = "size_mismatch"


class HashMismatch(SourceError):
    """The file's bytes have another sha256 than its manifest says."""

    code = "hash_mismatch"


class FileChanged(SourceError):
    """The file was written to while it was being read."""

    code = "file_changed"
    next_step = "Wait until the upstream has finished writing, then scan again."


class TransferMeter(Protocol):
    """Takes note of bytes as they move, so that heartbeats and progress follow them."""

    def moved(self, count: int) -> None:
        """`count` bytes were read from the source; may raise `Interrupted` to stop in mid-file."""
        ...

    def skipped(self, count: int) -> None:
        """`count` bytes needed no transfer."""
        ...


class Unmetered:
    """A meter that takes no note, for bytes of which nobody asks how far they are."""

    def moved(self, count: int) -> None:
        """Bytes were read."""

    def skipped(self, count: int) -> None:
        """Bytes needed no transfer."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Content that is in the store. `moved` is False when it was there already."""

    key: str
    size_bytes: int
    moved: bool


@dataclass(frozen=True, slots=True)
class Hashed:
    """What was found by reading a file whole: sha256 in hex, size in bytes, mtime in ns."""

    sha256: str
    size_bytes: int
    mtime_ns: int


def verified_chunks(
    file: SafeFile,
    *,
    size_bytes: int,
    sha256: str,
    meter: TransferMeter,
    stop: StopSignal,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[bytes]:
    """The bytes of `file`, read once, in chunks; ends only when they are what was promised.

    `sha256` is lower-case hex. What is wrong comes out as an exception at the end at the latest,
    before the iterator is exhausted, so that a store's `put` leaves nothing behind: `SizeMismatch`
    (before the first chunk), `HashMismatch`, `FileChanged`, `FileUnreadable`, or `Interrupted`
    between chunks.
    """
    if file.size_bytes != size_bytes:
        raise SizeMismatch(
            "The file has another size than its manifest says",
            subject=file.relative,
            expected=size_bytes,
            found=file.size_bytes,
        )
    digest = _Digest()
    yield from _hashed_chunks(file, digest, meter, stop, chunk_bytes)
    _require_hash(file.relative, sha256, digest.hexdigest())


def copy_in(
    root: SafeRoot,
    relative: str,
    store: ObjectStore,
    *,
    size_bytes: int,
    sha256: str,
    media_type: str | None = None,
    owner: str,
    meter: TransferMeter,
    stop: StopSignal,
) -> Stored:
    """Bring a file's verified bytes into `store` under their content key.

    When the store holds that content already, the file is looked at (it must exist with the size
    promised) but not read. Raises what `SafeRoot.open` and `verified_chunks` raise, and
    `StoreError`; whatever is raised, no unverified object is left.
    """
    stop.check()
    key = content_key(sha256)
    if _is_held(store.head(key), size_bytes, sha256):
        _require_size(relative, size_bytes, root.stat(relative).size_bytes)
        meter.skipped(size_bytes)
        return Stored(key, size_bytes, moved=False)
    with root.open(relative) as file:
        reach(Step.FILE_OPENED)
        info = store.put(
            key,
            verified_chunks(file, size_bytes=size_bytes, sha256=sha256, meter=meter, stop=stop),
            sha256=sha256,
            media_type=media_type,
            owner=owner,
        )
    if not _is_held(info, size_bytes, sha256):
        store.delete(key)
        raise StoreMismatch(
            "The store holds something else than was sent; it was removed again",
            subject=relative,
            expected=f"{size_bytes} bytes, sha256 {sha256}",
            found=f"{info.size_bytes} bytes, sha256 {info.metadata.get('sha256', 'unknown')}",
        )
    return Stored(key, size_bytes, moved=True)


def hash_file(root: SafeRoot, relative: str, *, meter: TransferMeter, stop: StopSignal) -> Hashed:
    """Read a file whole and say what it holds. Raises like `SafeRoot.open`, and `FileChanged`."""
    stop.check()
    digest = _Digest()
    with root.open(relative) as file:
        reach(Step.FILE_OPENED)
        for _ in _hashed_chunks(file, digest, meter, stop, CHUNK_BYTES):
            pass
        return Hashed(digest.hexdigest(), file.size_bytes, file.mtime_ns)


def hash_and_read(
    root: SafeRoot, relative: str, *, bytes_max: int, meter: TransferMeter, stop: StopSignal
) -> tuple[Hashed, bytes | None]:
    """`hash_file`, and what was hashed; None in its place when that is more than `bytes_max`."""
    stop.check()
    digest, kept = _Digest(), bytearray()
    with root.open(relative) as file:
        reach(Step.FILE_OPENED)
        for chunk in _hashed_chunks(file, digest, meter, stop, CHUNK_BYTES):
            if file.size_bytes <= bytes_max:
                kept += chunk
        hashed = Hashed(digest.hexdigest(), file.size_bytes, file.mtime_ns)
    return hashed, bytes(kept) if hashed.size_bytes <= bytes_max else None


def verify_in_place(
    root: SafeRoot,
    relative: str,
    *,
    size_bytes: int,
    sha256: str,
    meter: TransferMeter,
    stop: StopSignal,
) -> Hashed:
    """Verify a file where it lies, without copying it. Raises like `copy_in`, no `StoreError`."""
    _require_size(relative, size_bytes, root.stat(relative).size_bytes)
    hashed = hash_file(root, relative, meter=meter, stop=stop)
    _require_size(relative, size_bytes, hashed.size_bytes)
    _require_hash(relative, sha256, hashed.sha256)
    return hashed


def hash_stored(
    store: ObjectStore,
    key: str,
    *,
    meter: TransferMeter | None = None,
    stop: StopSignal | None = None,
) -> tuple[str, int]:
    """The sha256 and size of what the store really holds, by reading it. For `verify`.

    Raises `ObjectMissing`, other `StoreError`s, and `Interrupted` between chunks.
    """
    return hash_chunks(store.get(key), meter=meter, stop=stop)


def hash_chunks(
    chunks: Iterable[bytes | memoryview],
    *,
    meter: TransferMeter | None = None,
    stop: StopSignal | None = None,
) -> tuple[str, int]:
    """The sha256 and size of bytes, wherever they come from. Raises what `chunks` raises."""
    (sha256,), size = digest_chunks(chunks, ("sha256",), meter=meter, stop=stop)
    return sha256, size


def digest_chunks(
    chunks: Iterable[bytes | memoryview],
    algorithms: Sequence[str],
    *,
    meter: TransferMeter | None = None,
    stop: StopSignal | None = None,
) -> tuple[tuple[str, ...], int]:
    """The digests and the size of bytes, read once for all of them. Raises what `chunks` raises."""
    digest = _Digest(algorithms)
    size = 0
    for chunk in chunks:
        if stop is not None:
            stop.check()
        digest.update(chunk)
        size += len(chunk)
        if meter is not None:
            meter.moved(len(chunk))
    return digest.hexdigests(), size


def require_stored(store: ObjectStore, key: str) -> ObjectInfo:
    """What the store says of `key`; raises `ObjectMissing` when it is not there."""
    info = store.head(key)
    if info is None:
        raise ObjectMissing("The object is not in the store", subject=key)
    return info


class _Digest:
    """Digests that take large chunks in other threads, one chunk behind the caller."""

    def __init__(self, algorithms: Sequence[str] = ("sha256",)) -> None:
        # md5 is what archives state; it tells damage from integrity, and secures nothing.
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
        self._pending: list[Future[None]] = []

    def update(self, chunk: bytes | memoryview) -> None:
        self._settle()
        if len(chunk) < _INLINE_BYTES:
            for one in self._hashes:
                one.update(chunk)
        else:
            self._pending = [_hashers().submit(one.update, chunk) for one in self._hashes]

    def hexdigest(self) -> str:
        return self.hexdigests()[0]

    def hexdigests(self) -> tuple[str, ...]:
        self._settle()
        return tuple(one.hexdigest() for one in self._hashes)

    def _settle(self) -> None:
        pending, self._pending = self._pending, []
        for one in pending:
            one.result()


_pool: ThreadPoolExecutor | None = None


def _hashers() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603 - one pool for the process, as wide as it has processors
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="hash")
    return _pool


def _forget_hashers() -> None:
    global _pool  # noqa: PLW0603 - a forked child has none of its parent's threads
    _pool = None


os.register_at_fork(after_in_child=_forget_hashers)


def _hashed_chunks(
    file: SafeFile, digest: _Digest, meter: TransferMeter, stop: StopSignal, chunk_bytes: int
) -> Iterator[bytes]:
    """Exactly the bytes the file had when it was opened; `FileChanged` when that is not so."""
    left = file.size_bytes
    if left > chunk_bytes and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
    while left > 0:
        stop.check()
        chunk = _read(file, min(left, chunk_bytes))
        if not chunk:
            raise _changed(file, file.size_bytes - left)
        left -= len(chunk)
        digest.update(chunk)
        meter.moved(len(chunk))
        yield chunk
    facts = _facts_now(file)
    if (facts.size_bytes, facts.mtime_ns) != (file.size_bytes, file.mtime_ns):
        raise _changed(file, facts.size_bytes)


def _read(file: SafeFile, size: int) -> bytes:
    try:
        return file.read(size) or b""
    except OSError as error:
        raise source_fault(error, file.relative) from error


def _facts_now(file: SafeFile) -> FileFacts:
    try:
        return file.facts()
    except OSError as error:
        raise source_fault(error, file.relative) from error


def _changed(file: SafeFile, found_bytes: int) -> FileChanged:
    return FileChanged(
        "The file was written to while it was being read",
        subject=file.relative,
        expected=f"{file.size_bytes} bytes, unchanged",
        found=f"{found_bytes} bytes" if found_bytes != file.size_bytes else "a newer mtime",
    )


def _require_size(relative: str, expected: int, found: int) -> None:
    if expected != found:
        raise SizeMismatch(
            "The file has another size than its manifest says",
            subject=relative,
            expected=expected,
            found=found,
        )


def _require_hash(relative: str, expected: str, found: str) -> None:
    if expected != found:
        raise HashMismatch(
            "The file's bytes are not those its manifest promises",
            subject=relative,
            expected=f"sha256 {expected}",
            found=f"sha256 {found}",
        )


def _is_held(info: ObjectInfo | None, size_bytes: int, sha256: str) -> bool:
    if info is None or info.size_bytes != size_bytes:
        return False
    return info.metadata.get("sha256", sha256) == sha256
