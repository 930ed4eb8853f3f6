"""Decides what a file is by its content, and whether its name says something else.

A name that is wrong is a fact about the file and no error: the content decides how it is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

from lading.media.content import Content
from lading.media.packages import filetype
from lading.media.tiff import TiffDamaged, read_header, read_ifd

OCTETS: Final = "application/octet-stream"


class Family(StrEnum):
    """Which readers are for it; `OTHER` has none."""

    PICTURE = "picture"
    RAW = "raw"
    VIDEO = "video"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is: its media type, and the family of readers for it."""

    media_type: str
    family: Family


@dataclass(frozen=True, slots=True)
class NamedKind:
    """What a file is, beside the types its name stands for (none for an unknown ending)."""

    kind: Kind
    named: tuple[str, ...]

    @property
    def mislabelled(self) -> bool:
        """Whether the name's ending stands for something else than the content is."""
        return bool(self.named) and self.kind.media_type not in self.named


_ISO_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"crx ": "image/x-canon-cr3",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"F4A ": "audio/mp4",
}
_HEIF_BRANDS: Final = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})
_QUICKTIME_ATOMS: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_STARTS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    (b"IIRO", "image/x-olympus-orf"),
    (b"IIRS", "image/x-olympus-orf"),
    (b"MMOR", "image/x-olympus-orf"),
    (b"IIU\0", "image/x-panasonic-rw2"),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"FLV\1", "video/x-flv"),
    (b"0&\xb2u\x8ef\xcf\x11", "video/x-ms-wmv"),
)
_RIFF_TYPES: Final = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_PICTURES: Final = frozenset(
    f"image/{name}" for name in ("jpeg", "png", "webp", "tiff", "gif", "heic", "heif", "avif")
)
_RAW_MAKERS: Final = (
    ("NIKON", "image/x-nikon-nef"),
    ("SONY", "image/x-sony-arw"),
    ("PENTAX", "image/x-pentax-pef"),
    ("SAMSUNG", "image/x-samsung-srw"),
)
_RAWS: Final = frozenset(
    {
        "image/x-adobe-dng",
        "image/x-canon-cr2",
        "image/x-canon-cr3",
        "image/x-fuji-raf",
        "image/x-olympus-orf",
        "image/x-panasonic-rw2",
        *(media_type for _, media_type in _RAW_MAKERS),
    }
)
_VIDEOS: Final = frozenset(
    {
        "video/mp4",
        "video/quicktime",
        "video/3gpp",
        "video/x-matroska",
        "video/webm",
        "video/x-msvideo",
        "video/mp2t",
        "video/mpeg",
        "video/x-flv",
        "video/x-ms-wmv",
    }
)
_ENDINGS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif", "mpo", "insp"), ("image/jpeg",)),
    "png": ("image/png",),
    "webp": ("image/webp",),
    "gif": ("image/gif",),
    **dict.fromkeys(("tif", "tiff"), ("image/tiff",)),
    "avif": ("image/avif",),
    **dict.fromkeys(("heic", "hif"), ("image/heic", "image/heif")),
    "heif": ("image/heif", "image/heic"),
    "dng": ("image/x-adobe-dng",),
    "cr2": ("image/x-canon-cr2",),
    "cr3": ("image/x-canon-cr3",),
    "raf": ("image/x-fuji-raf",),
    "orf": ("image/x-olympus-orf",),
    **dict.fromkeys(("rw2", "rwl"), ("image/x-panasonic-rw2",)),
    **dict.fromkeys(("nef", "nrw"), ("image/x-nikon-nef",)),
    "arw": ("image/x-sony-arw",),
    "pef": ("image/x-pentax-pef", "image/x-adobe-dng"),
    "srw": ("image/x-samsung-srw",),
    **dict.fromkeys(("mp4", "m4v"), ("video/mp4",)),
    **dict.fromkeys(("mov", "qt"), ("video/quicktime",)),
    **dict.fromkeys(("3gp", "3g2", "3gpp"), ("video/3gpp",)),
    "mkv": ("video/x-matroska",),
    "webm": ("video/webm",),
    **dict.fromkeys(("avi", "divx"), ("video/x-msvideo",)),
    **dict.fromkeys(("ts", "mts", "m2ts", "m2t", "tod"), ("video/mp2t",)),
    **dict.fromkeys(("mpg", "mpeg", "mpe", "vob", "mod"), ("video/mpeg",)),
    "flv": ("video/x-flv",),
    **dict.fromkeys(("wmv", "asf"), ("video/x-ms-wmv",)),
}
RAW_ENDINGS: Final = frozenset(
    ending for ending, types in _ENDINGS.items() if _RAWS.intersection(types)
)


def known_types() -> frozenset[str]:
    """The media types of all that is looked into, if what reads it is installed."""
    return _PICTURES | _RAWS | _VIDEOS


def types_by_name(name: str) -> tuple[str, ...]:
    """The media types that the ending of `name` stands for; none for an unknown ending."""
    stem, _, ending = name.rpartition(".")
    return _ENDINGS.get(ending.lower(), ()) if stem else ()


def kind_of(content: Content) -> Kind:
    """What `content` is. Never raises for what is in it: the unknown is `OTHER`, octets."""
    return kind_of_type(_media_type(content))


def kind_of_type(media_type: str) -> Kind:
    """What content of a media type that was told here is."""
    if media_type in _PICTURES:
        return Kind(media_type, Family.PICTURE)
    if media_type in _RAWS:
        return Kind(media_type, Family.RAW)
    return Kind(media_type, Family.VIDEO if media_type in _VIDEOS else Family.OTHER)


def named_kind(content: Content, name: str) -> NamedKind:
    """What `content` is, and what `name` would have it be."""
    return NamedKind(kind_of(content), types_by_name(name))


def _media_type(content: Content) -> str:
    head = content.head
    for start, media_type in _STARTS:
        if head.startswith(start):
            return media_type
    for looks_alike, media_type_of in (
        (_is_iso, _iso_type),
        (_is_tiff, lambda head: _tiff_type(head, content)),
        (_is_riff, lambda head: _RIFF_TYPES.get(head[8:12], "")),
        (_is_matroska, lambda head: "video/webm" if b"webm" in head[:64] else "video/x-matroska"),
        (_is_transport_stream, lambda _: "video/mp2t"),
    ):
        if looks_alike(head) and (media_type := media_type_of(head)):
            return media_type
    guessed = filetype().guess(head)
    return OCTETS if guessed is None else str(guessed.mime)


def _is_iso(head: bytes) -> bool:
    return head[4:8] == b"ftyp" or head[4:8] in _QUICKTIME_ATOMS


def _is_tiff(head: bytes) -> bool:
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _is_riff(head: bytes) -> bool:
    return head[:4] == b"RIFF"


def _is_matroska(head: bytes) -> bool:
    return head[:4] == b"\x1a\x45\xdf\xa3"


def _is_transport_stream(head: bytes) -> bool:
    # Packets of 188 bytes, or of 192 with the time code of camcorders.
    return any(
        all(head[first + number * length :][:1] == b"\x47" for number in range(5))
        for first, length in ((0, 188), (4, 192))
    )


def _iso_type(head: bytes) -> str:
    """The type of a file in ISO's base format: by its own brand, else by those it agrees with."""
    if head[4:8] != b"ftyp":
        # QuickTime wrote no brand at first.
        return "video/quicktime"
    size = min(struct.unpack_from(">I", head)[0], len(head))
    major = head[8:12]
    others = [head[at : at + 4] for at in range(16, size - 3, 4)]
    if major in _ISO_BRANDS:
        return _ISO_BRANDS[major]
    if major in _HEIF_BRANDS:
        known = (_ISO_BRANDS.get(brand, "") for brand in others)
        return next((found for found in known if found in _PICTURES), "image/heif")
    return "video/3gpp" if major[:2] == b"3g" else "video/mp4"


def _tiff_type(head: bytes, content: Content) -> str:
    """TIFF, or one of the RAW kinds that look like it up to their first directory."""
    if head[8:10] == b"CR":
        return "image/x-canon-cr2"
    stream: BinaryIO = content.stream()
    try:
        order, first = read_header(stream)
        ifd = read_ifd(stream, order, first, _RAW_TAGS, content.limits)
    except TiffDamaged:
        return "image/tiff"
    if _DNG_VERSION in ifd:
        return "image/x-adobe-dng"
    make = ifd.text(_MAKE).upper()
    # Cameras keep a small picture, or pixels in a compression of their own, in the directory
    # in which scanners and editors that note the same maker keep the picture.
    if ifd.number(_SUBFILE_TYPE) == 1 or (ifd.number(_COMPRESSION) or 0) >= 0x7FFF:
        return next((kind for name, kind in _RAW_MAKERS if make.startswith(name)), "image/tiff")
    return "image/tiff"


_SUBFILE_TYPE: Final = 254
_COMPRESSION: Final = 259
_MAKE: Final = 271
_DNG_VERSION: Final = 50706
_RAW_TAGS: Final = frozenset({_SUBFILE_TYPE, _COMPRESSION, _MAKE, _DNG_VERSION})
