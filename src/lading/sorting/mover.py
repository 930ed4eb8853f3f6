"""Gives a file its second place and takes its first one away, so that it always is somewhere (G4).

Between the two its rows are committed. On one file system the second place is a hard link; on
another it is a copy that was synced, read back and compared before it got its name.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lading.base.errors import SourceError
from lading.base.steps import SortStep, reach
from lading.base.stopping import StopSignal
from lading.library.photo_values import FileStamp
from lading.sorting.errors import MoveFailed, MoveRefused
from lading.sorting.tree import (
    NO_LINK,
    SortTree,
    faults,
    name_without_replacing,
    new_file,
    split_path,
)
from lading.storage.roots import FileMissing, PathEscapesRoot
from lading.storage.transfer import TransferMeter, hash_chunks, verified_chunks, verify_in_place

_CHUNK: Final = 1024 * 1024
_NOT_LET: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_NO_ATTRIBUTES: Final = frozenset({errno.ENOTSUP, errno.ENOSYS, errno.ENODATA})


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where one file goes, and what it has to be at its start."""

    source: SortTree
    source_path: str
    target: SortTree
    target_path: str
    stamp: FileStamp
    sha256: str
    temporary: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is, and its stamp there."""

    tree: SortTree
    path: str
    stamp: FileStamp


class Removal(StrEnum):
    """What became of a place that was to be taken away."""

    REMOVED = "removed"
    KEPT = "kept"
    CHANGED = "changed"
    LOST = "lost"
    """Kept, as the file is not at its other place any more: this one may be its last."""


class Mover:
    """Moves files for one run. `meter` follows the bytes that are read."""

    def __init__(self, meter: TransferMeter, stop: StopSignal) -> None:
        self._meter = meter
        self._stop = stop

    def check(self, tree: SortTree, path: str, stamp: FileStamp, sha256: str) -> None:
        """Raise unless the file is what it was: by its stamp, and by every byte (G6).

        Raises `MoveRefused`, `HashMismatch`, `Interrupted`, and as `SafeRoot.open` does.
        """
        found = tree.stamp(path)
        if found != stamp:
            raise MoveRefused(
                "The file changed since it was planned",
                subject=path,
                expected=f"{stamp.size_bytes} bytes of {stamp.mtime_ns} ns, inode {stamp.inode}",
                found=f"{found.size_bytes} bytes of {found.mtime_ns} ns, inode {found.inode}",
            )
        verify_in_place(
            tree.root,
            path,
            size_bytes=stamp.size_bytes,
            sha256=sha256,
            meter=self._meter,
            stop=self._stop,
        )

    def place(self, way: Way) -> FileStamp:
        """Give the file its second place, where nothing is; its stamp there.

        A place that an attempt before gave it is kept. Raises `MoveRefused` when something else
        is there, `MoveFailed`, and as `check` does.
        """
        source_folder, source_name = split_path(way.source_path)
        folder, name = split_path(way.target_path)
        with (
            way.source.folder(source_folder) as source_fd,
            way.target.folder(folder, make=True) as to,
            faults(way.target_path, "place the file"),
        ):
            try:
                os.link(
                    source_name, name, src_dir_fd=source_fd, dst_dir_fd=to, follow_symlinks=False
                )
            except FileExistsError:
                if not self._is_ours(way, to, name):
                    raise
            except OSError as error:
                if error.errno not in NO_LINK:
                    raise
                if not self._is_ours(way, to, name):
                    self._copy(way, to, name)
            else:
                # The name may stand for another file than the one that was compared just now.
                if way.source.stamp_at(to, name) != way.stamp:
                    os.unlink(name, dir_fd=to)
                    raise MoveRefused("The file was replaced", subject=way.source_path)
            os.fsync(to)
            placed = way.target.stamp_at(to, name)
        if placed is None or placed.size_bytes != way.stamp.size_bytes:
            raise MoveRefused("What was placed is gone or another file", subject=way.target_path)
        reach(SortStep.SORT_PLACED)
        return placed

    def remove(self, place: Place, kept: Place) -> Removal:
        """Take a place away from a file that lies at another one, which is looked at just before.

        Raises `MoveFailed`, and `RootMissing`.
        """
        folder, name = split_path(place.path)
        try:
            with place.tree.folder(folder) as fd, faults(place.path, "take the old place away"):
                removal = self._unlink(fd, name, place, kept)
        except FileMissing:
            return Removal.REMOVED
        except PathEscapesRoot:
            return Removal.CHANGED  # a link took the place of a folder that leads there
        if removal is Removal.REMOVED:
            reach(SortStep.SORT_REMOVED)
        return removal

    def _unlink(self, folder: int, name: str, place: Place, kept: Place) -> Removal:
        found = place.tree.stamp_at(folder, name)
        if found is None:
            return Removal.REMOVED
        if found != place.stamp:
            return Removal.CHANGED
        if not _is_at(kept):
            return Removal.LOST
        try:
            os.unlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno in _NOT_LET:
                return Removal.KEPT
            raise
        os.fsync(folder)
        return Removal.REMOVED

    def withdraw(self, way: Way, placed: FileStamp) -> None:
        """Take a second place back that was given in vain, if that can be done."""
        with suppress(MoveFailed, SourceError):
            self.remove(
                Place(way.target, way.target_path, placed),
                Place(way.source, way.source_path, way.stamp),
            )

    def _is_ours(self, way: Way, folder: int, name: str) -> bool:
        """Whether an attempt that was cut off put this there: the same file, or a whole copy."""
        there = way.target.stamp_at(folder, name)
        if there is None or there.size_bytes != way.stamp.size_bytes:
            return False
        if there.inode and there == way.stamp:
            return True
        if there.mtime_ns != way.stamp.mtime_ns:
            return False
        with way.target.root.open(way.target_path) as file:
            return hash_chunks(iter(lambda: file.read(_CHUNK) or b"", b""))[0] == way.sha256

    def _copy(self, way: Way, folder: int, name: str) -> None:
        fd = new_file(folder, way.temporary)
        try:
            with way.source.root.open(way.source_path) as file:
                chunks = verified_chunks(
                    file,
                    size_bytes=way.stamp.size_bytes,
                    sha256=way.sha256,
                    meter=self._meter,
                    stop=self._stop,
                )
                for chunk in chunks:
                    _write(fd, chunk)
                _keep_attributes(file.fileno(), fd, way.source_path)
            os.fsync(fd)
            # What the disk says it keeps, not what is still in memory, where that can be asked.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            if hash_chunks(_read(fd), stop=self._stop)[0] != way.sha256:
                raise MoveFailed("The copy is not what was written", subject=way.target_path)
            reach(SortStep.SORT_COPIED)
            name_without_replacing(way.temporary, folder, name, folder)
        finally:
            os.close(fd)
            with suppress(OSError):
                os.unlink(way.temporary, dir_fd=folder)


def _is_at(place: Place) -> bool:
    """Whether a file is at a place, as far as its stamp tells. Raises what may pass."""
    try:
        return place.tree.find(place.path) == place.stamp
    except SourceError as error:
        if error.transient:
            raise
        return False


def _write(fd: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(fd, view) :]


def _read(fd: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(fd, _CHUNK, offset):
        offset += len(chunk)
        yield chunk


def _keep_attributes(source: int, target: int, path: str) -> None:
    """Times, mode and extended attributes. Raises `MoveRefused` if a person's would be lost."""
    status = os.fstat(source)
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise
        names = []
    for name in names:
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            # Those of the system, such as labels, are given by the folder it goes to.
            if name.startswith("user."):
                raise MoveRefused(
                    "The other disk does not keep the file's attributes", subject=path, found=name
                ) from error
    os.fchmod(target, status.st_mode & 0o777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
