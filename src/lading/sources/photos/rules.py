"""Pure decisions about folders and files: what is looked at, what changed, what is plausible."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, NamedTuple, Self

from lading.base.errors import printable
from lading.library.photo_values import FileStamp, RecordedFile
from lading.media.facts import CaptureTime, OffsetOrigin

KEY_CHARS_MAX: Final = 190
_DIGEST_CHARS: Final = 16
# What other programs leave beside pictures: previews, indexes, deleted files.
_IGNORED: Final = frozenset(
    {"@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "#recycle"}
)
_RACY_NS: Final = 2_000_000_000
"""Some file systems note the time of a change by two seconds: a folder may change unseen."""
_NS: Final = 1_000_000_000


class SeenFile(NamedTuple):
    """A file of a folder as a listing shows it; `of` is the picture that a sidecar belongs to."""

    name: str
    stamp: FileStamp
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a scan remembers of a folder, to know it again by one look.

    `looked_at_s` is when all its files were looked at, in seconds since 1970. `again`: it may
    have changed since without a trace, or has files that are left for later.
    """

    mtime_ns: int
    inode: int
    folders: int
    options: str
    looked_at_s: int
    digest: str
    again: bool = False

    def __str__(self) -> str:
        """The text that `parse` reads, below 190 characters."""
        numbers = (self.mtime_ns, self.inode, self.folders, self.looked_at_s)
        parts = [*(f"{number:x}" for number in numbers), self.options, self.digest]
        return ".".join(parts) + (".again" if self.again else "")

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The fingerprint that `str` wrote; None for any other text."""
        parts = (text or "").split(".")
        again = parts[-1] == "again"
        try:
            mtime, inode, folders, looked_at, options, digest = parts[: 6 if again else None]
            numbers = [int(part, 16) for part in (mtime, inode, folders, looked_at)]
        except ValueError:
            return None
        mtime_ns, inode_number, inside, at_s = numbers
        return cls(mtime_ns, inode_number, inside, options, at_s, digest, again)


def is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether an entry is never looked at: hidden, left by a program, or by a pattern."""
    if name.startswith(".") or name.lower() in _IGNORED:
        return True
    return bool(patterns) and any(fnmatchcase(name, pattern) for pattern in patterns)


def is_young(written_ns: int, now_ns: int, stable_for_s: float) -> bool:
    """Whether something was written so recently that more may follow.

    A time that lies ahead by more than that is a clock that is wrong, and says nothing.
    """
    return abs(now_ns - written_ns) < stable_for_s * _NS


def may_change_unseen(mtime_ns: int, now_ns: int) -> bool:
    """Whether a folder changed so recently that a further change may leave its time as it is."""
    return abs(now_ns - mtime_ns) < _RACY_NS


def listing_digest(files: Iterable[SeenFile]) -> str:
    """What tells one state of a folder from another: names, sizes, times, inodes."""
    lines = [
        f"{name}\0{size_bytes}\0{mtime_ns}\0{inode}\0{of}\n"
        for name, (size_bytes, mtime_ns, inode), of in files
    ]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def key_of(path: str) -> str:
    """What the ledger calls a folder or file: its path, or its beginning and a digest of it.

    Paths that are long, or have characters that cannot be shown, are told apart by the digest.
    """
    if len(path) <= KEY_CHARS_MAX and "…" not in path and printable(path) == path:
        return path
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    shown = printable(path, length_max=KEY_CHARS_MAX - _DIGEST_CHARS - 1).rstrip("…")
    return f"{shown}…{digest[:_DIGEST_CHARS]}"


def digest_in(key: str) -> str:
    """The beginning of the sha256 of the path that a shortened key stands for."""
    return key.rpartition("…")[2]


def is_shortened(key: str) -> bool:
    """Whether the path of a key is not the key itself."""
    return "…" in key


def is_utf8(name: str) -> bool:
    """Whether the system's bytes of a name are text."""
    return not any(unicodedata.category(character) == "Cs" for character in name)


def is_as_recorded(seen: FileStamp, recorded: RecordedFile | None) -> bool:
    """Whether a file is what it was, as far as can be told without reading it."""
    return recorded is not None and recorded.stamp == seen


def looks_unmounted(recorded: int, vanished: int, vanish_files_max: int) -> bool:
    """Whether it is more plausible that a disk is missing than that all was deleted (G1)."""
    return vanished == recorded and vanished > vanish_files_max


def capture_doubt(capture: CaptureTime | None) -> str | None:
    """What is unsure about a capture time: all of it, its zone, or by which clock it was."""
    if capture is None:
        return "undated"
    if capture.offset_minutes is None:
        return "offset_unknown"
    return "zone_unknown" if capture.offset_origin is OffsetOrigin.UTC else None
