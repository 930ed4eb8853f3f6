"""Reading below a root that somebody else fills, without ever leaving it.

A path from a manifest is a claim by a stranger. It is walked one component at a time from the
root's own descriptor, no symbolic link is followed, and only regular files are opened: a device
or pipe is refused without touching it. Nothing here writes.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Self

from lading.base.errors import SourceError

NAME_BYTES_MAX = 255
FOLDERS_KEPT_MAX = 32
FOLDERS_KEPT_S = 2.0

_WALK = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOCTTY", 0)

_PASSING = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.EREMOTEIO,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENODEV,
        errno.EMFILE,
        errno.ENFILE,
        errno.EINTR,
        errno.EAGAIN,
    }
)


class PathEscapesRoot(SourceError):
    """A path is not plainly below its root: absolute, with dots, or through a symbolic link."""

    code = "path_escapes_root"
    next_step = "Ask the upstream to name files by plain relative paths, without links."


class FileMissing(SourceError):
    """There is no such file below the root."""

    code = "file_missing"
    next_step = "Ask the upstream to publish the file, then run it again."


class NotARegularFile(SourceError):
    """The path names a folder, pipe, socket or device, which are not read."""

    code = "not_a_regular_file"
    next_step = "Ask the upstream to publish a plain file in its place."


class RootMissing(SourceError):
    """The root itself is gone or not a folder, most often a mount that is not there (G1)."""

    code = "root_missing"
    http_status = 503
    transient = True
    next_step = "Mount it or correct its address; nothing was changed."


class FileUnreadable(SourceError):
    """The system does not let us read the file, most often for lack of permission."""

    code = "file_unreadable"
    next_step = "Give Lading permission to read it, then run it again."


class ReadFault(FileUnreadable):
    """The disk or network under the root failed while reading. May pass."""

    code = "read_fault"
    transient = True
    next_step = "Check the disk or network mount under the source, then run it again."


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the file system says of a regular file: size in bytes, mtime in ns, inode number."""

    size_bytes: int
    mtime_ns: int
    inode: int


class SafeFile(FileIO):
    """A regular file below a `SafeRoot`, open for unbuffered binary reading from its start.

    `relative` is its path below the root; `size_bytes`, `mtime_ns` are as they were at opening.
    """

    def __init__(self, fd: int, relative: str, facts: FileFacts) -> None:
        super().__init__(fd, "rb")
        self.relative = relative
        self.size_bytes = facts.size_bytes
        self.mtime_ns = facts.mtime_ns

    def facts(self) -> FileFacts:
        """The facts as they are now, of the file that is open (not of what has its name)."""
        return _facts(os.fstat(self.fileno()))


class _Folder:
    """An open folder, closed when its last user lets go of it."""

    __slots__ = ("fd", "opened_s")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.opened_s = time.monotonic()

    def __del__(self) -> None:
        os.close(self.fd)


class SafeRoot:
    """A folder filled by others, read from outside. Safe to share between threads.

    Relative paths are POSIX paths with `/`; a backslash is a character like any other. Folders
    are kept open for two seconds at most, so that the many files of one folder cost one walk and
    a folder that was replaced is seen.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._folders: OrderedDict[str, _Folder] = OrderedDict()

    def __repr__(self) -> str:
        return f"SafeRoot({str(self.path)!r})"

    def open(self, relative: str) -> SafeFile:
        """The regular file at `relative`, open for reading.

        Raises `PathEscapesRoot`, `FileMissing`, `NotARegularFile`, `FileUnreadable` or
        `RootMissing`; never waits for a pipe or touches a device.
        """
        folder, name = self._parent(relative)
        self._look(folder, name, relative)
        try:
            fd = os.open(name, _READ, dir_fd=folder.fd)
        except OSError as error:
            raise source_fault(error, relative) from error
        try:
            return SafeFile(fd, relative, _require_regular(os.fstat(fd), relative))
        except BaseException:
            os.close(fd)
            raise

    def stat(self, relative: str) -> FileFacts:
        """The facts of the regular file at `relative`, without opening it. Raises like `open`."""
        folder, name = self._parent(relative)
        return self._look(folder, name, relative)

    def names(self, relative_folder: str = "") -> Iterator[os.DirEntry[str]]:
        """The entries of a folder (the root when empty), unsorted, one at a time.

        Ask an entry only with `follow_symlinks=False`. Raises like `open`.
        """
        if relative_folder:
            parent, name = self._parent(relative_folder)
        else:
            parent, name = self._folder(()), "."
        try:
            fd = os.open(name, _LIST, dir_fd=parent.fd)
        except OSError as error:
            raise self._walk_fault(error, parent.fd, name, relative_folder) from error
        try:
            with os.scandir(fd) as entries:
                yield from entries
        except OSError as error:
            raise source_fault(error, relative_folder) from error
        finally:
            os.close(fd)

    def identity(self) -> str:
        """What tells this root from another one mounted in its place (G1).

        The file system's identifier and the inode of the folder: stable over restarts for local
        disks; network file systems that give no identifier are told apart by the inode alone.
        """
        folder = self._open_root()
        try:
            return f"{os.fstatvfs(folder.fd).f_fsid:x}:{os.fstat(folder.fd).st_ino:x}"
        except OSError as error:
            raise RootMissing(f"Its root cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the folders kept open. The root can be used again afterwards."""
        with self._lock:
            self._folders.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _look(self, folder: _Folder, name: str, relative: str) -> FileFacts:
        # Looked at before it is opened, because opening a device can already do something.
        try:
            status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
        except OSError as error:
            raise source_fault(error, relative) from error
        return _require_regular(status, relative)

    def _parent(self, relative: str) -> tuple[_Folder, str]:
        *folders, name = split_relative(relative)
        return self._folder(tuple(folders)), name

    def _folder(self, segments: tuple[str, ...]) -> _Folder:
        key = "/".join(segments)
        with self._lock:
            kept = self._folders.get(key)
            if kept is not None and time.monotonic() - kept.opened_s < FOLDERS_KEPT_S:
                self._folders.move_to_end(key)
                return kept
        folder = self._open_root()
        for depth, segment in enumerate(segments, start=1):
            try:
                folder = _Folder(os.open(segment, _WALK, dir_fd=folder.fd))
            except OSError as error:
                walked = "/".join(segments[:depth])
                raise self._walk_fault(error, folder.fd, segment, walked) from error
        with self._lock:
            self._folders[key] = folder
            self._folders.move_to_end(key)
            while len(self._folders) > FOLDERS_KEPT_MAX:
                self._folders.popitem(last=False)
        return folder

    def _open_root(self) -> _Folder:
        try:
            return _Folder(os.open(self.path, _WALK & ~os.O_NOFOLLOW))
        except OSError as error:
            raise RootMissing(
                f"Its root cannot be opened: {error.strerror}", subject=str(self.path)
            ) from error

    @staticmethod
    def _walk_fault(error: OSError, folder_fd: int, name: str, relative: str) -> SourceError:
        # The system says "not a directory" of a link and of a plain file alike.
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            try:
                status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
            except OSError as second:
                return source_fault(second, relative)
            if modes.S_ISLNK(status.st_mode):
                return PathEscapesRoot("A folder of the path is a symbolic link", subject=relative)
            return FileMissing("What should be a folder is not one", subject=relative)
        return source_fault(error, relative)


def split_relative(relative: str) -> list[str]:
    """The segments of a path that is plainly relative; raises `PathEscapesRoot` otherwise."""
    if relative.startswith("/"):
        raise PathEscapesRoot("The path is absolute", subject=relative)
    if "\0" in relative:
        raise PathEscapesRoot("The path holds a NUL character", subject=relative)
    segments = relative.split("/")
    for segment in segments:
        if segment in ("", ".", ".."):
            raise PathEscapesRoot(
                "The path has an empty segment or one of dots alone", subject=relative
            )
        try:
            size = len(segment.encode())
        except UnicodeEncodeError:
            raise PathEscapesRoot(
                "The path holds a character that cannot be encoded", subject=relative
            ) from None
        if size > NAME_BYTES_MAX:
            raise PathEscapesRoot(
                "A name in the path is too long",
                subject=relative,
                expected=f"at most {NAME_BYTES_MAX} bytes",
                found=f"{size} bytes",
            )
    return segments


def source_fault(error: OSError, relative: str) -> SourceError:
    """What an error of the system about the source file `relative` means to people."""
    what = error.strerror or str(error)
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return FileMissing("The file is not there", subject=relative)
        case errno.ELOOP:
            return PathEscapesRoot("The path is a symbolic link", subject=relative)
        case errno.ENXIO | errno.EISDIR:
            return NotARegularFile("It is not a regular file", subject=relative)
        case errno.ENAMETOOLONG:
            return PathEscapesRoot("The path is too long", subject=relative)
        case code if code in _PASSING:
            return ReadFault(f"The file cannot be read now: {what}", subject=relative)
    return FileUnreadable(f"The file cannot be read: {what}", subject=relative)


def _require_regular(status: os.stat_result, relative: str) -> FileFacts:
    if modes.S_ISREG(status.st_mode):
        return _facts(status)
    if modes.S_ISLNK(status.st_mode):
        raise PathEscapesRoot("The path is a symbolic link", subject=relative)
    raise NotARegularFile(
        "It is not a regular file",
        subject=relative,
        expected="regular file",
        found=_kind(status.st_mode),
    )


def _kind(mode: int) -> str:
    kinds = {
        modes.S_IFDIR: "folder",
        modes.S_IFIFO: "named pipe",
        modes.S_IFSOCK: "socket",
        modes.S_IFCHR: "character device",
        modes.S_IFBLK: "block device",
    }
    return kinds.get(modes.S_IFMT(mode), "something else")


def _facts(status: os.stat_result) -> FileFacts:
    return FileFacts(status.st_size, status.st_mtime_ns, status.st_ino)
