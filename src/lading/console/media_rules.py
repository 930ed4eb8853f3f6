"""Decides which bytes of a file are answered and as what, and which file stands for its asset.

Nothing here reads or sends anything. What a bundle says of a file is a claim by a stranger: only
types that a browser cannot run are shown in it, everything else is offered for saving.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from lading.library.tables import FileRole

ORIGINAL_THUMBNAIL_BYTES_MAX: Final = 300_000
"""A larger original is not sent to stand for itself in a grid."""

PREVIEW_BYTES_MAX: Final = 25_000_000
NAME_LENGTH_MAX: Final = 150
YEAR_S: Final = 31_536_000
OCTETS: Final = "application/octet-stream"
PDF: Final = "application/pdf"

BROWSER_IMAGES: Final = frozenset(
    {"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"}
)
PLAYLISTS: Final = frozenset({"application/vnd.apple.mpegurl", "application/x-mpegurl"})
BROWSER_FILMS: Final = frozenset({"video/mp4", "video/webm", "video/ogg"})
BROWSER_SOUNDS: Final = frozenset(
    {"audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/webm", "audio/flac", "audio/aac"}
)
_INLINE: Final = (
    BROWSER_IMAGES
    | BROWSER_FILMS
    | BROWSER_SOUNDS
    | PLAYLISTS
    | {
        PDF,
        "audio/x-wav",
        "image/heic",
        "image/heif",
        "image/jxl",
        "image/tiff",
        "text/plain",
        "text/vtt",
        "video/iso.segment",
        "video/mp2t",
        "video/quicktime",
        "video/x-matroska",
    }
)
_SAVED: Final = frozenset({"application/json", "application/zip", "application/gzip", "text/csv"})
_TEXTS: Final = frozenset({"text/plain", "text/vtt", "text/csv"})
_BY_ENDING: Final = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "csv": "text/csv",
    "flac": "audio/flac",
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "m4s": "video/iso.segment",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "ts": "video/mp2t",
    "txt": "text/plain",
    "vtt": "text/vtt",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "zip": "application/zip",
}
_TOKEN: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_RANGE: Final = re.compile(
    r"[ \t]*bytes[ \t]*=[ \t]*([0-9]{0,19})[ \t]*-[ \t]*([0-9]{0,19})[ \t]*", re.IGNORECASE
)
_ETAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers of a request that decide what of a file is answered; None where there is none."""

    range: str | None = None
    if_range: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status of the answer, and the part to send with 206; 304, 412 and 416 send nothing."""

    status: int
    part: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Presentation:
    """As what a file is sent: its type, and whether a browser may show it by itself."""

    content_type: str
    inline: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that could stand for its asset."""

    file_id: int
    role: str
    media_type: str | None
    size_bytes: int
    path: str
    content_hash: str  # of the asset it is a file of
    sha256: str
    variant: str | None = None


def judge(conditions: Conditions, *, etag: str, size: int, head: bool = False) -> Verdict:
    """What to answer of a file with this strong `etag`, in the order that HTTP prescribes."""
    if conditions.if_match is not None and not _names(conditions.if_match, etag, weakly=False):
        return Verdict(412)
    if conditions.if_none_match is not None and _names(conditions.if_none_match, etag, weakly=True):
        return Verdict(304)
    if head or conditions.range is None:
        return Verdict(200)
    if conditions.if_range is not None and conditions.if_range.strip() != etag:
        # Another version, or a date, which we never said one of: the whole file then.
        return Verdict(200)
    return _judge_range(conditions.range, size)


def _judge_range(text: str, size: int) -> Verdict:
    """One range is served; several, or what is no range at all, mean the whole file."""
    found = _RANGE.fullmatch(text)
    if found is None or found.group(1) == found.group(2) == "":
        return Verdict(200)
    first, last = found.group(1), found.group(2)
    if not first:
        wanted = int(last)
        if wanted == 0:
            return Verdict(416)
        # All of an empty file is nothing, which no 206 can say.
        return Verdict(206, ByteRange(max(0, size - wanted), size - 1)) if size else Verdict(200)
    if last and int(last) < int(first):
        return Verdict(200)
    if int(first) >= size:
        return Verdict(416)
    return Verdict(206, ByteRange(int(first), min(int(last), size - 1) if last else size - 1))


def etag_of(version: str) -> str:
    """The strong entity tag of content."""
    return f'"{version}"'


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(f'"{tag}"' == etag and (weakly or not weak) for weak, tag in _ETAG.findall(header))


def present(media_type: str | None, path: str) -> Presentation:
    """As what a file is sent, by what its bundle says of it, else by how its name ends.

    What a browser might run (pages, SVG, scripts) and what is not known is bytes to be saved.
    """
    said = (media_type or "").partition(";")[0].strip().lower()
    if not said or said == OCTETS or _TOKEN.fullmatch(said) is None:
        said = _BY_ENDING.get(ending(path), OCTETS)
    if said not in _INLINE | _SAVED:
        return Presentation(OCTETS, inline=False)
    return Presentation(
        f"{said}; charset=utf-8" if said in _TEXTS else said, inline=said in _INLINE
    )


def security_policy(content_type: str) -> str:
    """What a file may do when it is opened by itself: be looked at, and run nothing.

    Browsers wrap a picture or film in a page of their own, which loads the file again and has
    styles; that is what is let through. Their reader of PDF refuses to work in a sandbox, and has
    one of its own.
    """
    allowed = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
    return allowed if content_type == PDF else f"sandbox allow-same-origin; {allowed}"


def ending(path: str) -> str:
    """How the name of a file ends, in lower case, without the dot; empty without one."""
    name = path.rpartition("/")[2]
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def disposition(path: str, *, inline: bool) -> str:
    """The value of Content-Disposition: the name in ASCII, and as it is (RFC 6266, RFC 8187)."""
    name = "".join(c for c in path.rpartition("/")[2] if c.isprintable()) or "file"
    if len(name) > NAME_LENGTH_MAX:
        last = ending(name)[:16]
        name = name[: NAME_LENGTH_MAX - len(last) - 1] + (f".{last}" if last else "")
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    kind = "inline" if inline else "attachment"
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return value


def file_url(content_hash: str, path: str, version: str) -> str:
    """The address of a file of an asset. It names the content, so that it may be kept for good."""
    return f"/media/assets/{content_hash}/files/{quote(path, safe='/')}?v={quote(version, safe='')}"


def cache_control(named: str | None, version: str) -> str:
    """How long the answer may be kept: for good when the address named just this content."""
    if named == version:
        return f"private, max-age={YEAR_S}, immutable"
    return "private, no-cache"


def choose_thumbnail(
    files: Sequence[Candidate], cover: Candidate | None = None
) -> Candidate | None:
    """The file that stands for an asset in a grid, or None where only an icon can.

    The library's own cover first, then the cover its bundle named (`cover`) or brought, then the
    smallest derivative, at last the original if it is small. Always one that browsers show.
    """
    shown = [file for file in files if is_browser_image(file)]
    library_covers = [f for f in shown if f.role == FileRole.LIBRARY_COVER]
    if library_covers:
        return min(library_covers, key=_smallest)
    if cover is not None and is_browser_image(cover):
        return cover
    for role in (FileRole.COVER, FileRole.DERIVATIVE):
        of_role = [f for f in shown if f.role == role]
        if of_role:
            return min(of_role, key=_smallest)
    originals = [
        f
        for f in shown
        if f.role == FileRole.ORIGINAL and f.size_bytes <= ORIGINAL_THUMBNAIL_BYTES_MAX
    ]
    return min(originals, key=_smallest, default=None)


def choose_preview(files: Sequence[Candidate], thumbnail: Candidate | None) -> Candidate | None:
    """The picture a page about one asset shows: the largest derivative, or the original."""
    shown = [f for f in files if is_browser_image(f) and f.size_bytes <= PREVIEW_BYTES_MAX]
    for role in (FileRole.DERIVATIVE, FileRole.ORIGINAL):
        of_role = [f for f in shown if f.role == role]
        if of_role:
            return max(of_role, key=_smallest)
    return thumbnail


def is_browser_image(file: Candidate) -> bool:
    """Whether every browser shows this file as a picture."""
    return present(file.media_type, file.path).content_type in BROWSER_IMAGES


def _smallest(file: Candidate) -> tuple[int, int]:
    return file.size_bytes, file.file_id
