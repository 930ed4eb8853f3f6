"""A store in a folder of this machine: written aside, synced, and only then given its name.

An object appears under its key by one rename after its bytes are on the disk, so a crash leaves
either the whole object or a file in `.incoming` that `clean` removes. That folder is also the
mark of the store: where it is missing, a mount is missing, and nothing is written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from lading.base.errors import LadingError
from lading.base.steps import Step, reach
from lading.storage.keys import INCOMING, KeyRefused, check_key, check_prefix
from lading.storage.port import (
    Abilities,
    ObjectInfo,
    ObjectMissing,
    StoreDenied,
    StoreFull,
    StoreMismatch,
    StoreUnavailable,
)

READ_BYTES = 1024 * 1024
WRITE_BACK_BYTES = 8 * 1024 * 1024
_OWNER_LENGTH_MAX = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OBJECT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderStore:
    """Objects as files below `root`. The folder is made only with `create`, never again later.

    Listings come in key order and honour `after`; they hold the names of one folder at a time.
    Links and special files that somebody put there are not objects.
    """

    abilities = Abilities(
        user_metadata=False, atomic_create=True, local_path=True, checksum_sha256=False
    )

    def __init__(
        self, root: str | os.PathLike[str], *, name: str = "folder", create: bool = False
    ) -> None:
        self.name = name
        self.root = Path(root)
        if create:
            with self._faults("create the store"):
                (self.root / INCOMING).mkdir(parents=True, exist_ok=True)
        os.close(self._open_root())

    def __repr__(self) -> str:
        return f"FolderStore({str(self.root)!r}, name={self.name!r})"

    def path_of(self, key: str) -> Path:
        """Where the object is as a file. It may only be read."""
        return self.root / check_key(key)

    def put(
        self,
        key: str,
        chunks: Iterator[bytes],
        *,
        sha256: str | None = None,  # noqa: ARG002 - a folder has no place for user metadata
        media_type: str | None = None,  # noqa: ARG002
        owner: str = "",
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Write aside, sync, rename, sync the folder; see `ObjectStore.put`."""
        check_key(key)
        if if_absent and (held := self.head(key)) is not None:
            return held
        root = self._open_root()
        try:
            incoming = f"{INCOMING}/{_mark(owner)}{uuid4().hex}"
            with self._new_file(root, incoming, key) as fd:
                size = self._write(fd, chunks, key)
                reach(Step.FILE_WRITTEN)
                with self._faults("sync", key):
                    os.fsync(fd)
                    written = os.fstat(fd)
                if written.st_size != size:
                    raise StoreMismatch(
                        "The disk kept another number of bytes than were written",
                        subject=key,
                        expected=size,
                        found=written.st_size,
                    )
                reach(Step.FILE_SYNCED)
                with self._faults("place", key):
                    placed = self._place(root, incoming, key, if_absent=if_absent)
            reach(Step.FILE_PLACED)
        finally:
            os.close(root)
        if not placed and (held := self.head(key)) is not None:
            return held
        return _info(key, written)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read the file in chunks of 1 MiB; see `ObjectStore.get`."""
        check_key(key)
        with self._faults("read", key):
            try:
                fd = os.open(self.root / key, _OBJECT)
            except (FileNotFoundError, NotADirectoryError) as error:
                self._require_root()
                raise ObjectMissing("The object is not in the store", subject=key) from error
        try:
            if not modes.S_ISREG(os.fstat(fd).st_mode):
                raise ObjectMissing("What has the object's name is not a file", subject=key)
            left = length
            while left is None or left > 0:
                size = READ_BYTES if left is None else min(left, READ_BYTES)
                with self._faults("read", key):
                    chunk = os.pread(fd, size, offset)
                if not chunk:
                    return
                offset += len(chunk)
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            os.close(fd)

    def head(self, key: str) -> ObjectInfo | None:
        """The file's facts; see `ObjectStore.head`."""
        check_key(key)
        with self._faults("look at", key):
            try:
                status = os.stat(self.root / key, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                self._require_root()
                return None
        return _info(key, status) if modes.S_ISREG(status.st_mode) else None

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """The objects below `prefix` in key order; see `ObjectStore.list`."""
        check_prefix(prefix)
        self._require_root()
        return self._walk(prefix, after)

    def delete(self, key: str) -> None:
        """Remove the file and sync its folder; see `ObjectStore.delete`."""
        check_key(key)
        path = self.root / key
        with self._faults("delete", key):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                self._require_root()
                return
            folder = os.open(path.parent, _FOLDER)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def clean(self, owner: str) -> int:
        """Remove the unfinished files of `owner`; see `ObjectStore.clean`."""
        self._require_root()
        removed = 0
        with self._faults("clean"), os.scandir(self.root / INCOMING) as entries:
            for entry in entries:
                if entry.name.startswith(_mark(owner)):
                    with suppress(FileNotFoundError):
                        os.unlink(entry.path)
                        removed += 1
        return removed

    def _open_root(self) -> int:
        """A descriptor of the root, which has to carry the store's mark."""
        try:
            root = os.open(self.root, _FOLDER)
        except OSError as error:
            raise self._root_fault(error) from error
        try:
            os.stat(INCOMING, dir_fd=root, follow_symlinks=False)
        except OSError as error:
            os.close(root)
            raise self._root_fault(error) from error
        return root

    def _require_root(self) -> None:
        os.close(self._open_root())

    def _root_fault(self, error: OSError) -> LadingError:
        if error.errno in (errno.EACCES, errno.EPERM):
            return StoreDenied(f"The store {self.name} may not be entered", subject=str(self.root))
        return StoreUnavailable(
            f"The folder of the store {self.name} is not there or not a store",
            subject=str(self.root),
            next_step="Mount its disk, or create the store if it never was; nothing was written.",
        )

    @contextmanager
    def _faults(self, verb: str, key: str | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise store_fault(error, self.name, verb, key) from error

    @contextmanager
    def _new_file(self, root: int, incoming: str, key: str) -> Iterator[int]:
        """A new file aside, open for writing; gone again at the end unless it was renamed."""
        with self._faults("write", key):
            fd = os.open(incoming, _NEW, 0o644, dir_fd=root)
        try:
            yield fd
        finally:
            os.close(fd)
            with suppress(OSError):
                os.unlink(incoming, dir_fd=root)

    def _write(self, fd: int, chunks: Iterator[bytes], key: str) -> int:
        size = started = 0
        for chunk in chunks:
            with self._faults("write", key):
                view = memoryview(chunk)
                while view:
                    count = os.write(fd, view)
                    size += count
                    view = view[count:]
                if size - started >= WRITE_BACK_BYTES and hasattr(os, "posix_fadvise"):
                    # Starts the disk writing now, so that the sync at the end finds little to do.
                    os.posix_fadvise(fd, started, size - started, os.POSIX_FADV_DONTNEED)
                    started = size
        return size

    def _place(self, root: int, incoming: str, key: str, *, if_absent: bool) -> bool:
        """Give the synced file its name; False when `if_absent` and somebody was first."""
        folder_name, _, name = key.rpartition("/")
        folder = _open_folder(root, folder_name)
        try:
            if if_absent:
                try:
                    os.link(incoming, name, src_dir_fd=root, dst_dir_fd=folder)
                except FileExistsError:
                    return False
            else:
                os.rename(incoming, name, src_dir_fd=root, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def _walk(self, prefix: str, after: str | None) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(self.root / prefix) as entries:
                # A folder sorts as its keys do, with the slash that follows its name.
                found = sorted(
                    prefix + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
                    for entry in entries
                    if prefix or entry.name != INCOMING
                )
        except (FileNotFoundError, NotADirectoryError):
            self._require_root()
            return
        except OSError as error:
            raise store_fault(error, self.name, "list", prefix) from error
        for key in found:
            if key.endswith("/"):
                if after is None or key > after or after.startswith(key):
                    yield from self._walk(key, after)
            elif after is None or key > after:
                info = self._listed(key)
                if info is not None:
                    yield info

    def _listed(self, key: str) -> ObjectInfo | None:
        try:
            status = os.stat(self.root / key, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_fault(error, self.name, "list", key) from error
        return _info(key, status) if modes.S_ISREG(status.st_mode) else None


def store_fault(error: OSError, store: str, verb: str, key: str | None) -> LadingError:
    """What an error of the system about a file of the store means to people."""
    what = f"The store {store} could not {verb}: {error.strerror or error}"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return StoreFull(what, subject=key)
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return StoreDenied(what, subject=key)
        case errno.ENOTDIR | errno.EISDIR | errno.EEXIST | errno.ENAMETOOLONG if key:
            return KeyRefused(what, subject=key)
    return StoreUnavailable(what, subject=key)


def _open_folder(root: int, relative: str) -> int:
    """A descriptor of the folder below the root, made and synced into its parent when new."""
    try:
        return os.open(relative or ".", _FOLDER, dir_fd=root)
    except FileNotFoundError:
        pass
    folder = os.dup(root)
    try:
        for segment in relative.split("/"):
            with suppress(FileExistsError):
                os.mkdir(segment, dir_fd=folder)
            # Also when another writer made it a moment ago and has not synced it yet.
            os.fsync(folder)
            parent, folder = folder, os.open(segment, _FOLDER, dir_fd=folder)
            os.close(parent)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _mark(owner: str) -> str:
    """How names of unfinished files of `owner` begin; no other owner's begin the same."""
    name = quote(owner, safe="")
    if len(name) > _OWNER_LENGTH_MAX:
        name = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}@"


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size_bytes=status.st_size,
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        etag=f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}",
    )
