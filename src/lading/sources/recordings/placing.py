"""Puts downloaded files into a folder of somebody's machine: aside first, and never outside of it.

Paths come from a store that others fill. They are walked one component at a time from the folder's
own descriptor; no link is followed, and nothing that lies there already is replaced unasked.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

from lading.base.errors import LadingError
from lading.base.stopping import StopSignal
from lading.sources.recordings.errors import (
    DestinationUnusable,
    DownloadContested,
    FileInTheWay,
    PlaceRefused,
)
from lading.storage.roots import SafeRoot, split_relative
from lading.storage.transfer import CHUNK_BYTES, Unmetered, hash_file

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PART: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_IN_THE_WAY: Final = frozenset(
    {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENXIO}
)
_NOT_TAKEN: Final = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EFBIG})
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class Destination:
    """A folder that downloads go to; made when it is not there. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with destination_faults(str(path)):
            path.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, _FOLDER & ~os.O_NOFOLLOW)
        self._root = SafeRoot(path)

    def close(self) -> None:
        """Let go of the folder."""
        self._root.close()
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @contextmanager
    def place(self, relative: str, sha256: str) -> Iterator[Place]:
        """The place of a file, its folders made. Raises `PathEscapesRoot` and what faults mean."""
        *folders, name = split_relative(relative)
        fd = self._open_folder(folders, relative)
        try:
            yield Place(self._root, fd, relative, name, sha256)
        finally:
            os.close(fd)

    def tells_case_apart(self) -> bool:
        """Whether two names may differ in upper and lower case alone; tried out."""
        name = f".case-{uuid4().hex}"
        with destination_faults(str(self.path)):
            os.close(os.open(name, _PART | os.O_EXCL, dir_fd=self._fd))
            try:
                os.stat(name.upper(), dir_fd=self._fd, follow_symlinks=False)
            except FileNotFoundError:
                return True
            finally:
                os.unlink(name, dir_fd=self._fd)
        return False

    def _open_folder(self, segments: list[str], relative: str) -> int:
        with destination_faults(relative):
            fd = os.dup(self._fd)
            try:
                for segment in segments:
                    outer, fd = fd, _open_or_make(segment, fd)
                    os.close(outer)
            except BaseException:
                os.close(fd)
                raise
        return fd


class Place:
    """Where one file goes, with the part beside it that its bytes are gathered in.

    The part's name has the sha256 in it, so that what an earlier call left is of the same content.
    """

    def __init__(self, root: SafeRoot, folder: int, relative: str, name: str, sha256: str) -> None:
        self._root = root
        self._folder = folder
        self._relative = relative
        self._name = name
        self._sha256 = sha256
        # Two files of one folder may have the same content; a name may leave no room for more.
        mark = hashlib.sha256(name.encode()).hexdigest()[:12]
        self._part = f".{sha256}-{mark}.part"

    def holds(self, size_bytes: int, stop: StopSignal, *, overwrite: bool) -> bool:
        """Whether the file is in place with its content, which is read and hashed.

        False when it is to be brought. Raises `FileInTheWay` for anything else that lies there;
        with `overwrite`, a file of other content is no obstacle.
        """
        with destination_faults(self._relative):
            try:
                status = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            except FileNotFoundError:
                return False
        if not modes.S_ISREG(status.st_mode):
            raise FileInTheWay(
                "What lies where the file would go is no regular file",
                subject=self._relative,
                next_step="Move it away, or download to another folder.",
            )
        found = f"{status.st_size} bytes"
        if status.st_size == size_bytes:
            sha256 = hash_file(self._root, self._relative, meter=Unmetered(), stop=stop).sha256
            if sha256 == self._sha256:
                with suppress(OSError):  # also a folder that can only be read holds the file
                    self._remove_part()
                return True
            found = f"sha256 {sha256}"
        if overwrite:
            return False
        raise FileInTheWay(
            "A file of other content lies where the file would go",
            subject=self._relative,
            expected=f"{size_bytes} bytes, sha256 {self._sha256}",
            found=found,
        )

    @contextmanager
    def part(self) -> Iterator[Part]:
        """The part, open and ours alone. Raises `DownloadContested` when another has it."""
        with destination_faults(self._relative):
            fd = self._open_part()
            try:
                self._lock(fd)
                status = os.fstat(fd)
            except BaseException:
                os.close(fd)
                raise
        try:
            yield Part(fd, self._relative, status.st_size)
        finally:
            os.close(fd)

    def settle(self, *, overwrite: bool) -> None:
        """Give the verified part its final name."""
        with destination_faults(self._relative):
            if overwrite:
                self._rename()
                return
            try:
                # Unlike a rename, this fails when somebody put a file there in the meantime.
                os.link(
                    self._part,
                    self._name,
                    src_dir_fd=self._folder,
                    dst_dir_fd=self._folder,
                    follow_symlinks=False,
                )
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._rename()
                return
            self._remove_part()

    def discard(self) -> None:
        """Remove the part, of which nothing can be made."""
        with destination_faults(self._relative):
            self._remove_part()

    def _open_part(self) -> int:
        fd = os.open(self._part, _PART, 0o666, dir_fd=self._folder)
        status = os.fstat(fd)
        if modes.S_ISREG(status.st_mode) and status.st_nlink <= 1:
            return fd
        # Something else under that name, or a file with a second name that is not ours to write.
        os.close(fd)
        os.unlink(self._part, dir_fd=self._folder)
        return os.open(self._part, _PART | os.O_EXCL, 0o666, dir_fd=self._folder)

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._contested() from error
        except OSError:
            pass  # a file system without locks
        try:
            named = os.stat(self._part, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError as error:
            raise self._contested() from error
        if named.st_ino != os.fstat(fd).st_ino:
            raise self._contested()

    def _contested(self) -> DownloadContested:
        return DownloadContested(
            "Another download brings this file to the same place", subject=self._relative
        )

    def _rename(self) -> None:
        os.replace(self._part, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _remove_part(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._part, dir_fd=self._folder)


class Part:
    """The first bytes of a file, `size_bytes` of them; `bytes_written` were written through it."""

    def __init__(self, fd: int, relative: str, size_bytes: int) -> None:
        self._fd = fd
        self._relative = relative
        self.size_bytes = size_bytes
        self.bytes_written = 0

    def chunks(self) -> Iterator[bytes]:
        """What was there, from its start; whatever is written meanwhile follows from elsewhere."""
        left, offset = self.size_bytes, 0
        while left > 0:
            with destination_faults(self._relative):
                chunk = os.pread(self._fd, min(left, CHUNK_BYTES), offset)
            if not chunk:
                return
            left -= len(chunk)
            offset += len(chunk)
            yield chunk

    def append(self, chunk: bytes | memoryview) -> None:
        """Write bytes behind those that are there."""
        view = memoryview(chunk)
        while view:
            with destination_faults(self._relative):
                count = os.pwrite(self._fd, view, self.size_bytes)
            self.size_bytes += count
            self.bytes_written += count
            view = view[count:]

    def restart(self) -> None:
        """Forget what is there."""
        with destination_faults(self._relative):
            os.ftruncate(self._fd, 0)
        self.size_bytes = 0


@contextmanager
def destination_faults(relative: str) -> Iterator[None]:
    """Errors of the system about the destination come out as ours."""
    try:
        yield
    except OSError as error:
        raise _fault(error, relative) from error


def _fault(error: OSError, relative: str) -> LadingError:
    what = error.strerror or str(error)
    if error.errno in _IN_THE_WAY:
        return FileInTheWay(
            f"Something else lies where the file or its folder would go: {what}",
            subject=relative,
            next_step="Move it away, or download to another folder.",
        )
    if error.errno in _NOT_TAKEN:
        return PlaceRefused(f"The file system does not take this file: {what}", subject=relative)
    return DestinationUnusable(f"The destination cannot be written to: {what}", subject=relative)


def _open_or_make(segment: str, folder: int) -> int:
    try:
        return os.open(segment, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(segment, dir_fd=folder)
        return os.open(segment, _FOLDER, dir_fd=folder)
