"""Runs what looks into files: in the thread that asks, or in processes that may crash alone."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from lading.base.errors import SourceError
from lading.base.stopping import StopSignal
from lading.library.photo_values import FileStamp
from lading.media.derive import Derived, FileAt, Wanted, derive, derive_open
from lading.media.spawned import BEAT_S, ProcessEnded, SpawnedProcesses, TimeLimitReached
from lading.storage.roots import FileFacts, SafeFile, SafeRoot
from lading.storage.transfer import FileChanged, TransferMeter

SECONDS_MAX: Final = 600.0
BYTES_EACH_S: Final = 500_000
"""A decoder may take so many seconds, and for a large file as long as a slow disk gives its bytes
at this rate; one that takes longer is taken for one that hangs."""


class DecoderCrashed(SourceError):
    """The process that looked into a file ended or hung, also when it was tried once more."""

    code = "decoder_crashed"
    next_step = "Open it in another program; report the file if that shows it."


class Deriving:
    """Looks into files for several threads at once.

    With `processes`, each looks into one file at a time, and a crash or a hang costs that file
    alone. A file that ends its process is tried once more, one such file at a time: what ran
    beside it may have left it no memory. `seconds_max` is for what has few bytes.
    """

    def __init__(
        self,
        processes: int = 0,
        work: Callable[[FileAt, Wanted], Derived] = derive,
        *,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._work = work
        self._alone = threading.Lock()
        self._seconds_max = seconds_max
        self._processes = [SpawnedProcesses(1, limit_s=seconds_max) for _ in range(processes)]
        self._idle: SimpleQueue[SpawnedProcesses] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

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

            def beat() -> None:
                stop.check()
                meter.moved(0)

            limit_s = self._seconds_max + stamp.size_bytes / BYTES_EACH_S
            derived = self._elsewhere(FileAt(str(root.path), relative), limit_s, wanted, beat)
            require_stamp(relative, stamp, root.stat(relative))
            meter.moved(stamp.size_bytes)
            return derived
        with root.open(relative) as file:
            require_stamp(relative, stamp, file.facts())
            derived = derive_open(_Metered(file, meter, stop), wanted, name=relative)
            require_stamp(relative, stamp, file.facts())
        return derived

    def close(self) -> None:
        """End the processes, when none is at work; they are started again when they are needed."""
        for process in self._processes:
            process.close()

    def _elsewhere(
        self, where: FileAt, limit_s: float, wanted: Wanted, beat: Callable[[], None]
    ) -> Derived:
        with self._lent(beat) as process:
            try:
                with suppress(ProcessEnded):
                    return self._answer(process, where, limit_s, wanted, beat)
                with self._alone:
                    return self._answer(process, where, limit_s, wanted, beat)
            except ProcessEnded as ended:
                raise DecoderCrashed(
                    "the decoder broke down over this file",
                    subject=where.relative,
                    found=str(ended),
                ) from ended
            except TimeLimitReached as reached:
                raise DecoderCrashed(
                    "the decoder took too long over this file and was ended",
                    subject=where.relative,
                    expected=f"at most {limit_s:,.0f} s",
                ) from reached

    def _answer(
        self,
        process: SpawnedProcesses,
        where: FileAt,
        limit_s: float,
        wanted: Wanted,
        beat: Callable[[], None],
    ) -> Derived:
        task = process.ask(self._work, where, wanted, limit_s=limit_s)
        try:
            return process.result(task, beat)
        finally:
            process.drop(task)  # when a stop was heard while it is at work

    @contextmanager
    def _lent(self, beat: Callable[[], None]) -> Iterator[SpawnedProcesses]:
        """A process that nobody else uses; there may be more threads than processes."""
        while True:
            try:
                process = self._idle.get(timeout=BEAT_S)
                break
            except Empty:
                beat()
        try:
            yield process
        finally:
            self._idle.put(process)


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
