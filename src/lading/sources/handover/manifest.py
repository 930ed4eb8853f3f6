"""Reads a manifest once, whole and bounded: its hash, its header, its totals, and a private copy.

The copy is an unnamed temporary file, so that the items which are decided and imported are those
that were hashed, whatever happens to the file upstream (A6).
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from lading.base.units import format_bytes
from lading.sources.handover.fields import shown
from lading.sources.handover.items import (
    AssetItem,
    BadItem,
    ContainerItem,
    kind_of,
    parse_item,
)
from lading.sources.handover.json_window import JsonWindow, NotJson, walk_object
from lading.sources.handover.rules import Fault, Header
from lading.storage.port import StoreFull, StoreUnavailable

CHUNK_BYTES: Final = 256 * 1024

_HEADER_FIELDS: Final = frozenset(
    [
        *("schema_version", "sync_id", "type", "action", "status"),
        *("created_at", "completed_at", "verification"),
    ]
)


class Readable(Protocol):
    """What a manifest is read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of a manifest found.

    `sha256` is over all its bytes, and None when there were more than allowed. `header` is None
    when `fault` says why the text could not be read as a bundle.
    """

    sha256: str | None
    size_bytes: int
    header: Header | None
    fault: Fault | None


class _TooLarge(Exception):
    """More bytes came than the limit allows; the file grew while it was read."""


class _Tap:
    """Passes a file's chunks on, and hashes, counts and copies them as they pass."""

    def __init__(self, file: Readable, spool: BinaryIO | None, bytes_max: int) -> None:
        self._file = file
        self._spool = spool
        self._bytes_max = bytes_max
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            self.size_bytes += len(chunk)
            if self.size_bytes > self._bytes_max:
                raise _TooLarge
            self._digest.update(chunk)
            if self._spool is not None:
                _write(self._spool, chunk)
            yield chunk

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def read_manifest(
    file: Readable, *, size_bytes: int, bytes_max: int, spool: BinaryIO | None = None
) -> Reading:
    """Read a manifest of `size_bytes` bytes to its end, once, copying it to `spool`.

    Whatever is wrong with it is a `fault` of the result. Raises `StoreError` when the copy cannot
    be kept, and what reading `file` raises.
    """
    if size_bytes > bytes_max:
        return _too_large(size_bytes, bytes_max)
    tap = _Tap(file, spool, bytes_max)
    chunks = tap.chunks()
    header: Header | None = None
    fault: Fault | None = None
    try:
        try:
            header = _summarise(JsonWindow(chunks))
        except NotJson as error:
            fault = Fault("manifest_unreadable", "one JSON document in UTF-8", str(error))
        # The hash is over every byte, also behind the place where the text went wrong.
        for _ in chunks:
            pass
    except _TooLarge:
        return _too_large(tap.size_bytes, bytes_max)
    if header is not None and header.items is None:
        found = shown(header.items_found)
        fault = Fault("manifest_unreadable", "`items`, a list", found)
        header = None
    if spool is not None:
        _flush(spool)
    return Reading(tap.hexdigest(), tap.size_bytes, header, fault)


def open_spool() -> BinaryIO:
    """An unnamed temporary file; it is gone with its last descriptor. Raises `StoreError`."""
    try:
        # The caller owns it: it outlives this function on purpose.
        return tempfile.TemporaryFile(prefix="lading-manifest-")
    except OSError as error:
        raise _spool_fault(error) from error


def stream_items(spool: BinaryIO) -> Iterator[AssetItem | ContainerItem | BadItem]:
    """All items of a manifest: assets first, then all others, each in the manifest's order.

    Each call walks the copy from its start and keeps one item at a time, so that several may be
    under way at once.
    """
    others = False
    for number, value in _elements(spool):
        if kind_of(value) == "asset":
            yield parse_item(number, value)
        else:
            others = True
    if not others:
        return
    for number, value in _elements(spool):
        if kind_of(value) != "asset":
            yield parse_item(number, value)


def _elements(spool: BinaryIO) -> Iterator[tuple[int, Any]]:
    number = 0
    for key, element, value in walk_object(JsonWindow(_spooled(spool.fileno())), "items"):
        if element and key == "items":
            yield number, value
            number += 1


def _spooled(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk


def _summarise(window: JsonWindow) -> Header:
    fields: dict[str, Any] = {}
    items = 0
    total = 0
    items_found: object = None
    streamed = True
    for key, element, value in walk_object(window, "items"):
        if element:
            items += 1
            total += _item_bytes(value)
        elif key == "items":
            streamed, items_found = False, value
        elif key in _HEADER_FIELDS:
            fields[key] = value
    if items == 0 and streamed and not window.streamed:
        streamed, items_found = False, "no such field"
    return Header(
        fields=fields,
        items=items if streamed else None,
        bytes=total,
        items_found=items_found,
    )


def _item_bytes(value: object) -> int:
    """The bytes that an item's files claim, as far as they are numbers at all."""
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(files, list):
        return 0
    total = 0
    for file in files:
        size = file.get("bytes") if isinstance(file, dict) else None
        if type(size) is int and size > 0:
            total += size
    return total


def _too_large(found: int, bytes_max: int) -> Reading:
    fault = Fault("manifest_too_large", f"at most {format_bytes(bytes_max)}", format_bytes(found))
    return Reading(None, found, None, fault)


def _write(spool: BinaryIO, chunk: bytes) -> None:
    try:
        spool.write(chunk)
    except OSError as error:
        raise _spool_fault(error) from error


def _flush(spool: BinaryIO) -> None:
    try:
        spool.flush()
    except OSError as error:
        raise _spool_fault(error) from error


def _spool_fault(error: OSError) -> StoreFull | StoreUnavailable:
    cls = StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreUnavailable
    return cls(
        f"the manifest's temporary copy cannot be kept: {error.strerror}",
        subject=tempfile.gettempdir(),
    )


def header_facts(header: Header) -> Mapping[str, Any]:
    """What a scan shows of the header beside type, action and totals."""
    facts = {name: header.fields.get(name) for name in ("created_at", "completed_at", "status")}
    return {name: shown(value) for name, value in facts.items() if isinstance(value, str)}
