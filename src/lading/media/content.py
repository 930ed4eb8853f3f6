"""The bytes of one file as its readers need them: hashed and buffered in the same read."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any, BinaryIO, Final, cast

from lading.base.errors import SourceError
from lading.base.units import format_bytes
from lading.media.errors import MediaTooLarge
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.packages import vips
from lading.storage.roots import source_fault

HEAD_BYTES: Final = 8192


class Content:
    """One file, open for reading: `size_bytes`, `head`, and `sha256` (hex) if it was asked for.

    `file` is seekable and opened by the caller, who also closes it, or the bytes themselves. A
    small file is read here, once; of a larger one no more than a chunk is held. All reading
    raises `ReadFault` or `FileUnreadable` when the system fails; a decoder that takes no errors
    sees an end there, and `fault` says what it was.
    """

    def __init__(
        self,
        file: BinaryIO | io.RawIOBase | bytes,
        *,
        name: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        hashed: bool = False,
    ) -> None:
        self.name = name
        self.limits = limits
        self.sha256: str | None = None
        self.fault: SourceError | None = None
        self._data = file if isinstance(file, bytes) else None
        self._file = _Reading(io.BytesIO(file) if isinstance(file, bytes) else file, name or "")
        self.size_bytes = self._file.seek(0, os.SEEK_END)
        if self._data is None and self.size_bytes <= limits.buffered_bytes_max:
            self._data = self._read_all()
            self.size_bytes = len(self._data)
        if hashed:
            self.sha256 = self._digest()
        self.head = self._read_head()

    def stream(self) -> BinaryIO:
        """A seekable stream from the start. A file that is not buffered has only this one."""
        if self._data is not None:
            return io.BytesIO(self._data)
        self._file.seek(0)
        return cast("BinaryIO", self._file)

    def whole(self) -> bytes:
        """All bytes, for decoders that cannot stream. Raises `MediaTooLarge`."""
        if self._data is not None:
            return self._data
        if self.size_bytes > self.limits.decoded_bytes_max:
            raise MediaTooLarge(
                "A file of its kind is decoded in memory, and it is too large for that",
                subject=self.name,
                expected=f"at most {format_bytes(self.limits.decoded_bytes_max)}",
                found=format_bytes(self.size_bytes),
                next_step="Keep a JPEG or TIFF of it beside it; those are not held in memory.",
            )
        return self._read_all()

    def source(self) -> Any:
        """A source for libvips, which takes no errors."""
        package = vips()
        if self._data is not None:
            return package.Source.new_from_memory(self._data)
        self._file.seek(0)
        source = package.SourceCustom()
        source.on_read(self._read)
        source.on_seek(self._file.seek)
        return source

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except SourceError as error:
            self.fault = error
            return b""

    def _read_all(self) -> bytes:
        # A file can shrink or grow while it is read; what was read is what counts.
        self._file.seek(0)
        parts: list[bytes] = []
        left = self.size_bytes
        while left > 0 and (part := self._file.read(left)):
            parts.append(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_head(self) -> bytes:
        if self._data is not None:
            return self._data[:HEAD_BYTES]
        self._file.seek(0)
        return self._file.read(HEAD_BYTES)

    def _digest(self) -> str:
        if self._data is not None:
            return hashlib.sha256(self._data).hexdigest()
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()


class _Reading(io.RawIOBase):
    """Somebody's open file; what the system says against reading it is raised as ours."""

    def __init__(self, file: Any, name: str) -> None:
        self._file = file
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            raise source_fault(error, self._name) from error

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return int(self._file.seek(offset, whence))
        except OSError as error:
            raise source_fault(error, self._name) from error

    def tell(self) -> int:
        return int(self._file.tell())
