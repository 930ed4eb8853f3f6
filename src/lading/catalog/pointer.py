"""The pointer: one small object that names the prefix under which the catalog is live (E1).

A catalog that was built anew goes live by replacing it. It is replaced only as what was read: by a
conditional put in a bucket, under a lock in a folder. So of two who flip it at once, one is told.
Its text is JSON, `{"format": 1, "prefix": ..., "previous": ..., "flipped_at": ..., "flip": ...}`;
`flip` is new each time, so that no two texts of it are ever the same.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from lading.base.errors import printable
from lading.catalog.errors import CatalogMoved, PointerGarbled, PointerMissing
from lading.catalog.location import CatalogLocation
from lading.storage.keys import KeyRefused, check_key
from lading.storage.port import ObjectMissing, StoreDenied, StoreUnavailable
from lading.storage.s3 import S3Faults, S3Options, connect

POINTER_NAME: Final = "ursa/ACTIVE.json"
FORMAT: Final = 1
_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pointed:
    """What the pointer said when it was read. `mark` tells this text of it from any other."""

    prefix: str
    previous: str | None
    flipped_at: datetime
    mark: str


class Pointer:
    """The pointer of one location. It keeps nothing: each call reads it anew."""

    def __init__(
        self,
        location: CatalogLocation,
        name: str = POINTER_NAME,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = check_key(name)
        self.location = location
        self._now = now
        self._object: _InBucket | _InFolder = (
            _InFolder(location.root, name)
            if isinstance(location.root, Path)
            else _InBucket(location.root, name)
        )

    def read(self) -> Pointed:
        """What it says now. Raises `PointerMissing` and `PointerGarbled`."""
        body, mark = self._object.read()
        facts = _parsed(body, self.name)
        return Pointed(facts["prefix"], facts["previous"], facts["flipped_at"], mark)

    def create(self, prefix: str) -> Pointed:
        """Make it, naming `prefix`. Raises `CatalogMoved` when there is one already."""
        if not self._object.create(self._text(prefix, None)):
            raise CatalogMoved("There is a pointer already", subject=self.name)
        return self.read()

    def flip(self, prefix: str, *, seen: Pointed) -> Pointed:
        """Name another prefix, if the pointer still says what was `seen` (E1, E10).

        Raises `CatalogMoved` when somebody else flipped it since, and `PointerMissing`.
        """
        body = self._text(prefix, seen.prefix)
        if not self._object.replace(body, seen.mark):
            raise CatalogMoved(
                "The pointer was flipped by somebody else",
                subject=self.name,
                expected=seen.prefix,
                found=self.read().prefix,
            )
        return self.read()

    def _text(self, prefix: str, previous: str | None) -> bytes:
        facts = {
            "format": FORMAT,
            "prefix": check_key(prefix),
            "previous": previous,
            "flipped_at": self._now().isoformat(),
            "flip": uuid4().hex,
        }
        return json.dumps(facts, indent=1).encode() + b"\n"


class _InBucket:
    """A pointer in a bucket, replaced by a put on condition of its ETag."""

    def __init__(self, options: S3Options, name: str) -> None:
        self._name = name
        self._client = connect(options)
        self._faults = S3Faults(options, "catalog")

    def read(self) -> tuple[bytes, str]:
        try:
            with self._faults.translated("get", self._name):
                found = obstore.get(self._client, self._name)
                etag, size = found.meta["e_tag"], found.meta["size"]
                body = bytes(found.bytes()) if size <= _BYTES_MAX else b""
        except ObjectMissing as error:
            raise PointerMissing("There is no pointer", subject=self._name) from error
        if not etag:
            raise StoreUnavailable(
                "The store names no ETag, so a pointer in it cannot be replaced safely",
                subject=self._name,
            )
        return body, etag

    def create(self, body: bytes) -> bool:
        try:
            with self._faults.translated("put", self._name, let=(AlreadyExistsError,)):
                obstore.put(self._client, self._name, body, mode="create")
        except AlreadyExistsError:
            return self.read()[0] == body  # the answer to our own first try may have been lost
        return True

    def replace(self, body: bytes, mark: str) -> bool:
        """Whether it was replaced.

        Ceph before 20 compares the condition with the bare ETag and refuses the quoted one that it
        gave out itself, so a refusal counts only when another object lies there, or when the bare
        one is refused, too. Both ways are conditional: neither can overwrite another flip.
        """
        for condition in (mark, mark.strip('"')):
            try:
                with self._faults.translated("put", self._name, let=(PreconditionError,)):
                    obstore.put(self._client, self._name, body, mode={"e_tag": condition})
            except PreconditionError:
                held, held_mark = self.read()
                if held == body:
                    return True
                if held_mark != mark:
                    return False
            else:
                return True
        raise StoreUnavailable(
            "The store refuses to replace an object on condition of its ETag", subject=self._name
        )


class _InFolder:
    """A pointer in a folder, replaced by a rename under a lock that ends with its holder."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        self._path = root / name

    def read(self) -> tuple[bytes, str]:
        try:
            with self._faults(), self._path.open("rb") as file:
                body = file.read(_BYTES_MAX + 1)
        except FileNotFoundError as error:
            raise PointerMissing("There is no pointer", subject=str(self._path)) from error
        return body if len(body) <= _BYTES_MAX else b"", body.decode("latin-1")

    def create(self, body: bytes) -> bool:
        with self._locked():
            try:
                self.read()
            except PointerMissing:
                self._write(body)
                return True
        return False

    def replace(self, body: bytes, mark: str) -> bool:
        with self._locked():
            if self.read()[1] != mark:
                return False
            self._write(body)
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._faults():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, body: bytes) -> None:
        aside = Path(f"{self._path}.new")
        with self._faults():
            with aside.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise StoreDenied("The pointer's folder refuses us", subject=str(self._path)) from error
        except OSError as error:
            raise StoreUnavailable(
                f"The pointer's folder failed: {error.strerror}", subject=str(self._path)
            ) from error


def _parsed(body: bytes, name: str) -> dict[str, Any]:
    """What a pointer's text says. Raises `PointerGarbled`."""
    shown = printable(body[:200].decode("utf-8", "backslashreplace"))
    try:
        facts = json.loads(body)
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise PointerGarbled(
                "The pointer is of no format known here",
                subject=name,
                expected=f'an object with "format": {FORMAT}',
                found=shown,
            )
        if facts["previous"] is not None:
            check_key(facts["previous"])
        return {
            "prefix": check_key(facts["prefix"]),
            "previous": facts["previous"],
            "flipped_at": datetime.fromisoformat(facts["flipped_at"]),
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, KeyRefused) as error:
        raise PointerGarbled(
            "The pointer cannot be understood", subject=name, found=shown
        ) from error
