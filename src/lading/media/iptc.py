"""Reads the time of creation from IPTC records, bare or among Photoshop's resources."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from lading.media.facts import Statements, TimeOrigin
from lading.media.limits import Limits
from lading.media.rules import parse_time

_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_RESOURCE: Final = b"8BIM"
_IPTC_RESOURCE: Final = 0x0404
_DATE_CREATED: Final = (2, 55)
_TIME_CREATED: Final = (2, 60)


def read_iptc(block: bytes, limits: Limits) -> Statements:
    """What the block says; nothing but `damaged` when it is too large."""
    if len(block) > limits.metadata_bytes_max:
        return Statements(damaged=("iptc",))
    try:
        records = dict(_records(_iptc_of(block)))
    except (struct.error, IndexError):
        return Statements(damaged=("iptc",))
    date = records.get(_DATE_CREATED, b"").decode("ascii", "replace")
    if not date:
        return Statements()
    time = records.get(_TIME_CREATED, b"").decode("ascii", "replace")
    text = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    if len(time) >= 6:
        text += f" {time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}"
    return Statements(times=(parse_time(TimeOrigin.IPTC_CREATED, text),))


def _iptc_of(block: bytes) -> bytes:
    """The records, taken out of the resources they may stand among."""
    block = block.removeprefix(_PHOTOSHOP)
    at = 0
    while block[at : at + 4] == _RESOURCE:
        (kind,) = struct.unpack_from(">H", block, at + 4)
        name_bytes = 1 + block[at + 6]
        at += 6 + name_bytes + name_bytes % 2
        (size,) = struct.unpack_from(">I", block, at)
        if kind == _IPTC_RESOURCE:
            return block[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return block if at == 0 else b""


def _records(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = 0
    while at < len(data) and data[at] == 0x1C:
        record, number, size = struct.unpack_from(">BBH", data, at + 1)
        at += 5
        if size & 0x8000:
            # The length of a long value stands in the bytes that follow; none is wanted.
            return
        yield (record, number), data[at : at + size]
        at += size
