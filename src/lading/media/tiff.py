"""Reads directories of TIFF, which EXIF, TIFF and most RAW files are made of, within bounds.

Only wanted entries are read, each directory once, and no more bytes than are there; nothing is
followed but what the caller asks for.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from typing import BinaryIO, Final

from lading.media.limits import Limits

# By type: bytes of one value, and how struct calls it; rationals are two numbers.
_TYPES: Final = {
    1: (1, "B"),
    2: (1, "s"),
    3: (2, "H"),
    4: (4, "I"),
    5: (8, "I"),
    6: (1, "b"),
    7: (1, "s"),
    8: (2, "h"),
    9: (4, "i"),
    10: (8, "i"),
    13: (4, "I"),
    16: (8, "Q"),
}
_BYTES: Final = frozenset({1, 2, 7})
NUMBERS_MAX: Final = 64
_RATIONALS: Final = frozenset({5, 10})

Number = int | Fraction | None
"""A value of an entry; None for a rational whose divisor is zero."""


class TiffDamaged(ValueError):
    """The bytes are no TIFF header or directory."""


@dataclass(frozen=True, slots=True)
class ByteOrder:
    """How numbers are written: `mark` for struct, and whether offsets have 64 bits."""

    mark: str
    big: bool = False


@dataclass(slots=True)
class Ifd:
    """The wanted entries of one directory; `damaged` when some of them could not be read.

    `places` has where those that were only to be located begin, and how many bytes they have.
    """

    values: dict[int, bytes | tuple[Number, ...]] = field(default_factory=dict)
    damaged: bool = False
    places: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __contains__(self, tag: int) -> bool:
        return tag in self.values

    def text(self, tag: int) -> str:
        """The text of an entry up to its first NUL, stripped; empty when there is none."""
        value = self.values.get(tag)
        if not isinstance(value, bytes):
            return ""
        raw = value.split(b"\0", 1)[0]
        try:
            return raw.decode().strip()
        except UnicodeDecodeError:
            return raw.decode("latin-1").strip()

    def bytes(self, tag: int) -> bytes:
        """The bytes of an entry, empty when there is none."""
        value = self.values.get(tag)
        return value if isinstance(value, bytes) else b""

    def numbers(self, tag: int) -> tuple[Number, ...]:
        """The numbers of an entry, none when there is none."""
        value = self.values.get(tag)
        if isinstance(value, tuple):
            return value
        return tuple(value or ())

    def number(self, tag: int) -> int | None:
        """The first number of an entry, if it is a whole one."""
        first = next(iter(self.numbers(tag)), None)
        return first if isinstance(first, int) else None


def read_header(stream: BinaryIO) -> tuple[ByteOrder, int]:
    """The byte order, and where the first directory is. Raises `TiffDamaged`."""
    stream.seek(0)
    head = stream.read(16)
    mark = {b"II": "<", b"MM": ">"}.get(head[:2])
    if mark is None or len(head) < 8:
        raise TiffDamaged("no TIFF header")
    magic, first = struct.unpack_from(f"{mark}HI", head, 2)
    if magic != 43:
        # Olympus and Panasonic write a number of their own and are TIFF otherwise.
        return ByteOrder(mark), first
    if len(head) < 16:
        raise TiffDamaged("no BigTIFF header")
    return ByteOrder(mark, big=True), struct.unpack_from(f"{mark}Q", head, 8)[0]


def read_ifd(
    stream: BinaryIO,
    order: ByteOrder,
    offset: int,
    wanted: Collection[int],
    limits: Limits,
    *,
    located: Collection[int] = (),
) -> Ifd:
    """The entries of the directory at `offset` whose tags are `wanted`. Raises `TiffDamaged`.

    Of `located` ones, which are larger than what is read, it only tells where they are.
    """
    count_format, entry_format = ("Q", "HHQ") if order.big else ("H", "HHI")
    inline = 8 if order.big else 4
    head_bytes = struct.calcsize(f"={entry_format}")
    (count,) = struct.unpack(
        f"{order.mark}{count_format}", _read(stream, offset, struct.calcsize(f"={count_format}"))
    )
    # Phones that may not tell where they are write a directory for it with nothing in it.
    if count > limits.entries_max:
        raise TiffDamaged(f"a directory of {count} entries")
    begin = offset + struct.calcsize(f"={count_format}")
    table = _read(stream, begin, count * (head_bytes + inline))
    ifd = Ifd()
    for at in range(0, len(table), head_bytes + inline):
        tag, kind, number = struct.unpack_from(f"{order.mark}{entry_format}", table, at)
        if tag not in wanted and tag not in located:
            continue
        if tag in ifd.values or kind not in _TYPES:
            continue
        size = number * _TYPES[kind][0]
        field_bytes = table[at + head_bytes : at + head_bytes + inline]
        if tag in located:
            ifd.places[tag] = (_pointer(order, field_bytes), size)
            continue
        try:
            if size > limits.metadata_bytes_max or (kind not in _BYTES and number > NUMBERS_MAX):
                raise TiffDamaged(f"an entry of {size} bytes")
            if size > inline:
                data = _read(stream, _pointer(order, field_bytes), size)
            else:
                data = field_bytes[:size]
        except TiffDamaged:
            ifd.damaged = True
            continue
        ifd.values[tag] = _values(order.mark, kind, number, data)
    return ifd


def _pointer(order: ByteOrder, field_bytes: bytes) -> int:
    return int(struct.unpack(f"{order.mark}{'Q' if order.big else 'I'}", field_bytes)[0])


def _values(mark: str, kind: int, count: int, data: bytes) -> bytes | tuple[Number, ...]:
    if kind in _BYTES:
        return data
    letter = _TYPES[kind][1]
    if kind not in _RATIONALS:
        return struct.unpack(f"{mark}{count}{letter}", data)
    parts = struct.unpack(f"{mark}{2 * count}{letter}", data)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return tuple(Fraction(over, under) if under else None for over, under in pairs)


def _read(stream: BinaryIO, offset: int, size: int) -> bytes:
    # Beyond 2**63 a seek is an error of its own.
    if not 0 <= offset < 1 << 62:
        raise TiffDamaged(f"an offset of {offset}")
    stream.seek(offset)
    parts = b""
    while len(parts) < size and (part := stream.read(size - len(parts))):
        parts += part
    if len(parts) < size:
        raise TiffDamaged(f"{size} bytes at {offset} are not there")
    return parts
