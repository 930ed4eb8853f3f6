"""A tree of photos that may be written to: names are given and taken away, bytes never changed.

Folders are walked from the root's own descriptor without following links, as `SafeRoot` reads.
A name is only ever given where there is none.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from lading.base.errors import SourceError
from lading.library.photo_values import FileStamp
from lading.sorting.errors import MoveFailed, MoveRefused
from lading.storage.roots import FileMissing, PathEscapesRoot, ReadFault, SafeRoot, split_relative

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_RENAME_NOREPLACE: Final = 1
_INODE_MASK: Final = 2**63 - 1
# What systems say that have no hard links, or not for this file.
NO_LINK: Final = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)
# What a disk says that never takes this file, or this name: FAT has files of 4 GB at most.
_NEVER: Final = frozenset({errno.EFBIG, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})
_TEMPORARY: Final = ".lading-sort-"


class SortTree:
    """The root folder of a photos source, by the source's name.

    Without `inodes` they count as 0, as its scans record them: some systems make them up.
    """

    def __init__(self, name: str, path: str | os.PathLike[str], *, inodes: bool = True) -> None:
        self.name = name
        self._inodes = inodes
        self.root = SafeRoot(path)

    def __repr__(self) -> str:
        return f"SortTree({self.name!r}, {str(self.root.path)!r})"

    def stamp(self, relative: str) -> FileStamp:
        """Size, time and inode of the regular file at `relative`. Raises as `SafeRoot.open`."""
        facts = self.root.stat(relative)
        inode = facts.inode & _INODE_MASK if self._inodes else 0
        return FileStamp(facts.size_bytes, facts.mtime_ns, inode)

    def stamp_from(self, status: os.stat_result) -> FileStamp:
        """The stamp by what the system says of a file of this tree."""
        stamp = stamp_from(status)
        return stamp if self._inodes else FileStamp(stamp.size_bytes, stamp.mtime_ns, 0)

    def stamp_at(self, folder: int, name: str) -> FileStamp | None:
        """The stamp of a regular file by its open folder; None when there is none of that name."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self.stamp_from(status) if modes.S_ISREG(status.st_mode) else None

    def find(self, relative: str) -> FileStamp | None:
        """The stamp, or None when nothing has the name. Raises as `SafeRoot.open` otherwise."""
        try:
            return self.stamp(relative)
        except FileMissing:
            return None

    @contextmanager
    def folder(self, relative: str, *, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder; with `make` it and those above are made and synced.

        Raises `FileMissing`, `PathEscapesRoot` for a link in the way, `MoveFailed`.
        """
        segments = split_relative(relative) if relative else []
        with faults(relative, "open the folder"):
            fd = os.open(self.root.path, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for segment in segments:
                parent, fd = fd, self._inside(fd, segment, relative, make=make)
                os.close(parent)
            yield fd
        finally:
            os.close(fd)

    def _inside(self, parent: int, segment: str, relative: str, *, make: bool) -> int:
        try:
            return os.open(segment, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise FileMissing("The folder is not there", subject=relative) from None
        except (NotADirectoryError, OSError) as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                raise PathEscapesRoot(
                    "A folder of the path is a link or a file", subject=relative
                ) from error
            raise MoveFailed(f"The folder cannot be opened: {error}", subject=relative) from error
        with faults(relative, "make the folder"):
            with suppress(FileExistsError):
                os.mkdir(segment, dir_fd=parent)
            os.fsync(parent)
            return os.open(segment, _FOLDER, dir_fd=parent)

    def is_writable(self, folder: str) -> bool:
        """Whether names may be taken away from this folder, as far as the system tells."""
        with self.folder(folder) as fd:
            return os.access(".", os.W_OK | os.X_OK, dir_fd=fd)

    def names(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """The entries of a folder, one at a time, to be asked before the next; none without it.

        Raises as `SafeRoot.names`.
        """
        try:
            yield from self.root.names(folder)
        except FileMissing:
            return


def is_of_one(error: SourceError) -> bool:
    """Whether a fault is that of one file or folder: a bad sector stays one, however often."""
    return isinstance(error, ReadFault) or not error.transient


def split_path(relative: str) -> tuple[str, str]:
    """The folder of a path below a root, empty for the root itself, and the name in it."""
    folder, _, name = relative.rpartition("/")
    return folder, name


def temporary_name(run_id: int, position: int) -> str:
    """The name of a copy under way; it begins with a dot, so that scans pass it over."""
    return f"{_TEMPORARY}{run_id}-{position}"


def new_file(folder: int, name: str) -> int:
    """A new file for reading and writing; one left by an attempt that was cut off is replaced."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    return os.open(name, _NEW, 0o600, dir_fd=folder)


def name_without_replacing(source: str, source_fd: int, name: str, folder: int) -> None:
    """Rename a file where nothing has the new name. Raises `FileExistsError`, other `OSError`s."""
    try:
        os.link(source, name, src_dir_fd=source_fd, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        rename_without_replacing(source, source_fd, name, folder)
    else:
        os.unlink(source, dir_fd=source_fd)


def rename_without_replacing(source: str, source_fd: int, name: str, folder: int) -> None:
    """The same by one call of Linux, for file systems without hard links, such as exFAT's."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name)
    done = call(source_fd, os.fsencode(source), folder, os.fsencode(name), _RENAME_NOREPLACE)
    if done != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)


def stamp_from(status: os.stat_result) -> FileStamp:
    """The stamp as databases keep it: inodes may have one bit more."""
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ino & _INODE_MASK)


@contextmanager
def faults(subject: str, verb: str) -> Iterator[None]:
    """Turn an error of the system into one for people."""
    try:
        yield
    except FileExistsError as error:
        raise MoveRefused("Something else has the name already", subject=subject) from error
    except OSError as error:
        if error.errno in _NEVER:
            raise MoveRefused(
                f"The disk does not take the file: {error.strerror}",
                subject=subject,
                next_step="Sort it to another disk, or by a pattern with shorter names.",
            ) from error
        raise MoveFailed(
            f"The system could not {verb}: {error.strerror or error}", subject=subject
        ) from error
