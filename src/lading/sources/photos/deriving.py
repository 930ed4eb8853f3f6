"""Runs what looks into files: in the thread that asks, or in processes that may crash alone."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import Any, Final

from lading.base.errors import SourceError
from lading.base.stopping import StopSignal
from lading.library.photo_values import FileStamp
from lading.media.derive import Derived, FileAt, Wanted, derive, derive_open
from lading.media.spawned import end_with_parent
from lading.storage.roots import FileFacts, SafeFile, SafeRoot
from lading.storage.transfer import FileChanged, TransferMeter

_BEAT_S: Final = 1.0
_BEATS_MAX: Final = 3_600
"""A decoder that says nothing for longer is taken for one that hangs."""


class DecoderCrashed(SourceError):
    """The process that looked into a file ended, also when the file had one to itself."""

    code = "decoder_crashed"
    next_step = "Open it in another program; report the file if that shows it."


class Deriving:
    """Looks into files for several threads at once.

    With `processes`, a crash ends one of them; what ran beside it is tried once more, one at a
    time, so that only the file that crashes is refused.
    """

    def __init__(self, processes: int = 0, work: Callable[[FileAt, Wanted], Derived] = derive):
        self._processes = processes
        self._work = work
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def derive(
        self,
        root: SafeRoot,
        relative: str,
        stamp: FileStamp,
        wanted: Wanted,
        *,
        meter: TransferMeter,
        stop: StopSignal,
    ) -> Derived:
        """What is wanted of the file, which is as `stamp` says before and after.

        Raises `FileChanged`, `DecoderCrashed`, `Interrupted`, and as `SafeRoot.open` does.
        """
        stop.check()
        if self._processes:
            require_stamp(relative, stamp, root.stat(relative))
            derived = self._elsewhere(FileAt(str(root.path), relative), wanted, meter, stop)
            require_stamp(relative, stamp, root.stat(relative))
            meter.moved(stamp.size_bytes)
            return derived
        with root.open(relative) as file:
            require_stamp(relative, stamp, file.facts())
            derived = derive_open(_Metered(file, meter, stop), wanted, name=relative)
            require_stamp(relative, stamp, file.facts())
        return derived

    def close(self) -> None:
        """End the processes; they are started again when they are needed."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _elsewhere(
        self, where: FileAt, wanted: Wanted, meter: TransferMeter, stop: StopSignal
    ) -> Derived:
        with suppress(BrokenProcessPool):
            return _awaited(self._submitted(where, wanted), meter, stop)
        with self._alone, _pool(1) as alone:
            try:
                return _awaited(alone.submit(self._work, where, wanted), meter, stop)
            except BrokenProcessPool as error:
                raise DecoderCrashed(
                    "the decoder broke down over this file", subject=where.relative
                ) from error

    def _submitted(self, where: FileAt, wanted: Wanted) -> Future[Derived]:
        with self._lock:
            if self._pool is None:
                self._pool = _pool(self._processes)
            try:
                return self._pool.submit(self._work, where, wanted)
            except BrokenProcessPool:
                self._pool = _pool(self._processes)
                return self._pool.submit(self._work, where, wanted)


class _Metered(io.RawIOBase):
    """An open file whose first reading is metered and can be stopped.

    All bytes are read once before anything is decoded. Decoders are not stopped: they would take
    that for damage.
    """

    def __init__(self, file: SafeFile, meter: TransferMeter, stop: StopSignal) -> None:
        self._file = file
        self._meter = meter
        self._stop = stop
        self._left = file.size_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = bytes(self._file.read(size) or b"")
        counted = min(len(data), self._left)
        if counted:
            self._left -= counted
            self._stop.check()
            self._meter.moved(counted)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _pool(processes: int) -> ProcessPoolExecutor:
    # Spawned: the process that asks has threads, which a forked one would not.
    return ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with_parent
    )


def _awaited(future: Future[Derived], meter: TransferMeter, stop: StopSignal) -> Derived:
    """The result of the other process; meanwhile the job's heart beats and a stop is heard."""
    for _ in range(_BEATS_MAX):
        try:
            return future.result(timeout=_BEAT_S)
        except TimeoutError:
            if future.done():
                raise
            stop.check()
            meter.moved(0)
    return future.result()


def require_stamp(relative: str, stamp: FileStamp, facts: FileFacts) -> None:
    """Raise `FileChanged` unless the file is as it was seen; an inode of 0 was not looked at."""
    found = stamp_of(facts.size_bytes, facts.mtime_ns, facts.inode if stamp.inode else 0)
    if found != stamp:
        raise FileChanged(
            "The file was written to after it was decided about",
            subject=relative,
            expected=f"{stamp.size_bytes} bytes of {stamp.mtime_ns} ns, inode {stamp.inode}",
            found=f"{found.size_bytes} bytes of {found.mtime_ns} ns, inode {found.inode}",
        )


def stamp_of(size_bytes: int, mtime_ns: int, inode: int) -> FileStamp:
    """The stamp of a file as every database keeps it: inodes may have one bit more."""
    return FileStamp(size_bytes, mtime_ns, inode & (2**63 - 1))
