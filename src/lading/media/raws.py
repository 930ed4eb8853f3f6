"""Finds what the cameras' own kinds of pictures say of themselves, wherever they keep it.

Most are TIFF. Canon's CR3 is a container in ISO's base format with a TIFF for each directory.
Fuji's RAF is a header and a JPEG; Panasonic's RW2 keeps part of its EXIF in a JPEG as well. Nothing
is decoded, and no more than a few kilobytes are read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from lading.media.content import Content
from lading.media.exif import ExifBlock
from lading.media.facts import Statements
from lading.media.kind import Kind
from lading.media.limits import Limits
from lading.media.statements import gather, merge
from lading.media.tiff import TiffDamaged, read_header, read_ifd

# Canon's box in the header of a film, and Adobe's for XMP, which stands beside the header.
_CANON: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_ADOBE_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MAIN, _EXIF, _GPS = b"CMT1", b"CMT2", b"CMT4"
_RAF_JPEG_AT: Final = 84
_JPG_FROM_RAW: Final = 0x2E
_JPEG_EXIF: Final = b"Exif\0\0"
_JPEG_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_DAMAGED: Final = Statements(damaged=("exif",))


def raw_statements(content: Content, kind: Kind) -> Statements:
    """What the metadata of a picture of a camera's own kind says, unjudged.

    Raises `ReadFault` when the system failed to read.
    """
    stream, limits = content.stream(), content.limits
    if kind.media_type == "image/x-canon-cr3":
        return _of_cr3(stream, content.size_bytes, limits)
    if kind.media_type == "image/x-fuji-raf":
        begin, size = _unpacked(stream, _RAF_JPEG_AT, ">II") or (0, 0)
        return _of_jpeg(stream, begin, size, limits)
    block = ExifBlock.read(stream, limits)
    said = merge(block.statements(), gather(xmp=block.xmp, iptc=block.iptc, limits=limits))
    if kind.media_type == "image/x-panasonic-rw2":
        return merge(said, _of_rw2_jpeg(stream, limits))
    return said


def _of_rw2_jpeg(stream: BinaryIO, limits: Limits) -> Statements:
    try:
        order, first = read_header(stream)
        ifd = read_ifd(stream, order, first, (), limits, located=(_JPG_FROM_RAW,))
    except TiffDamaged:
        return Statements()  # which the directory says itself
    place = ifd.places.get(_JPG_FROM_RAW)
    return Statements() if place is None else _of_jpeg(stream, *place, limits)


def _of_jpeg(stream: BinaryIO, begin: int, size: int, limits: Limits) -> Statements:
    """What a JPEG inside says, by the segments before its pixels."""
    blocks: dict[bytes, bytes] = {}
    at, end = begin + 2, begin + size
    if _bytes(stream, begin, 2) != b"\xff\xd8":
        return _DAMAGED
    for _ in range(limits.entries_max):
        head = _unpacked(stream, at, ">BBH")
        if head is None or head[0] != 0xFF or head[2] < 2 or at + 2 + head[2] > end:
            return merge(_said(blocks, limits), _DAMAGED)
        _, marker, length = head
        if marker in (0xDA, 0xD9):
            break
        if marker == 0xE1:
            segment = _bytes(stream, at + 4, length - 2)
            for mark in (_JPEG_EXIF, _JPEG_XMP):
                if segment.startswith(mark):
                    blocks.setdefault(mark, segment.removeprefix(mark))
        at += 2 + length
    return _said(blocks, limits)


def _said(blocks: dict[bytes, bytes], limits: Limits) -> Statements:
    exif, xmp = blocks.get(_JPEG_EXIF, b""), blocks.get(_JPEG_XMP, b"")
    return gather(exif=exif, xmp=xmp, limits=limits)


class _Box(NamedTuple):
    """A box of ISO's base format: its kind, or 16 bytes that name it; where what it holds is."""

    kind: bytes
    begin: int
    end: int


def _of_cr3(stream: BinaryIO, size: int, limits: Limits) -> Statements:
    parts: dict[bytes, bytes] = {}
    xmp = b""
    for box in _boxes(stream, 0, size, limits):
        if box.kind == b"moov":
            for inner in _boxes(stream, box.begin, box.end, limits):
                if inner.kind == _CANON:
                    parts.update(_parts(stream, inner, limits))
        elif box.kind == _ADOBE_XMP:
            xmp = _filling(stream, box, limits)
    if not parts.get(_MAIN):
        return merge(_DAMAGED, gather(xmp=xmp, limits=limits))
    main, exif, gps = (parts.get(name, b"") for name in (_MAIN, _EXIF, _GPS))
    block = ExifBlock.in_parts(main, exif, gps, limits)
    return merge(block.statements(), gather(xmp=xmp, limits=limits))


def _parts(stream: BinaryIO, canon: _Box, limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    for box in _boxes(stream, canon.begin, canon.end, limits):
        if box.kind in (_MAIN, _EXIF, _GPS):
            yield box.kind, _filling(stream, box, limits)


def _boxes(stream: BinaryIO, begin: int, end: int, limits: Limits) -> Iterator[_Box]:
    """The boxes between two places, up to one that cannot be."""
    at = begin
    for _ in range(limits.entries_max):
        head = _unpacked(stream, at, ">I4s")
        if head is None:
            return
        size, kind = head
        filled = at + 8
        if size == 1:
            (size,) = _unpacked(stream, filled, ">Q") or (0,)
            filled += 8
        elif size == 0:
            size = end - at  # the last one
        if kind == b"uuid":
            kind = _bytes(stream, filled, 16)
            filled += 16
        if not filled <= at + size <= end:
            return
        yield _Box(kind, filled, at + size)
        at += size
        if at >= end:
            return


def _filling(stream: BinaryIO, box: _Box, limits: Limits) -> bytes:
    """What is in a box; nothing when that is more than metadata may be."""
    size = box.end - box.begin
    return _bytes(stream, box.begin, size) if size <= limits.metadata_bytes_max else b""


def _unpacked(stream: BinaryIO, at: int, form: str) -> tuple[Any, ...] | None:
    data = _bytes(stream, at, struct.calcsize(form))
    return struct.unpack(form, data) if data else None


def _bytes(stream: BinaryIO, at: int, size: int) -> bytes:
    """So many bytes from a place; none when they are not all there."""
    if not 0 <= at < 1 << 62:
        return b""
    stream.seek(at, os.SEEK_SET)
    data = stream.read(size)
    return data if len(data) == size else b""
