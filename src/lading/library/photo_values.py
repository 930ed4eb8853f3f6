"""Photos as plain values: where a file is and how it was seen, what it says, what was derived."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from lading.library.values import AssetFacts, FileFacts

FROM_SIDECAR: Final = "sidecar"
"""Where a time or place of a photo comes from that its file does not say."""


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a file is: the source, its folder below the root (empty for the root), its name."""

    source: str
    folder: str
    name: str

    @classmethod
    def at(cls, source: str, location: str) -> Self:
        """The place of a path below the root."""
        folder, _, name = location.rpartition("/")
        return cls(source, folder, name)

    @property
    def location(self) -> str:
        """The path below the root."""
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def path(self) -> str:
        """What tells this file of an asset from one at the same place of another source."""
        return f"{self.source}/{self.location}"

    @property
    def path_sha256(self) -> str:
        """The digest by which it is looked up."""
        return hashlib.sha256(self.path.encode()).hexdigest()

    @property
    def folder_sha256(self) -> str:
        """The digest by which all files of the folder are looked up."""
        return hashlib.sha256(self.folder.encode()).hexdigest()


class FileStamp(NamedTuple):
    """What a rescan compares: size in bytes, mtime in ns since 1970, inode number."""

    size_bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """A file as it is recorded at a place, and the content hash of its asset."""

    file_id: int
    asset_id: int
    content_hash: str
    path_sha256: str
    location: str
    role: str
    media_type: str | None
    stamp: FileStamp


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOriginal:
    """A picture or video that is recorded in a folder; `duration_s` is of a video."""

    file_id: int
    asset_id: int
    media_type: str | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class CompanionOf:
    """What a file is to another of its folder, by their names."""

    to: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFacts:
    """What a picture or video says, beside what `AssetFacts` has.

    Degrees north and east, metres above the sea; `orientation` is EXIF's 1 to 8; `captured_from`
    says where in the file the capture time stands, and `capture_doubt` what is unsure about it.
    Either that or `place_from` is `FROM_SIDECAR` where a sidecar says it.
    """

    captured_from: str | None = None
    capture_doubt: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    place_from: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    orientation: int = 1
    frames: int = 1
    perceptual_hash: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarFacts:
    """What a sidecar says of its picture: `kind` is what it is, `reader` what read it.

    Times, doubt, degrees and metres are as in `AssetFacts` and `PhotoFacts`; `detail` has what
    stands in it and does not count.
    """

    kind: str
    reader: str
    taken_at: datetime | None = None
    taken_offset_min: int | None = None
    doubt: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationFacts:
    """How something was derived of an asset; `file` is what came out, `error` why nothing did.

    `variant` tells those of one name apart. While `key` and the content are the same, so is what
    comes out. `width` and `height` are pixels of `file`.
    """

    name: str
    key: str
    tool: str
    version: str
    settings: str
    variant: str = ""
    file: FileFacts | None = None
    width: int | None = None
    height: int | None = None
    error: str | None = None
    error_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """All that is known of one picture or video after it was read."""

    asset: AssetFacts
    size_bytes: int
    media_type: str
    facts: PhotoFacts
    derivations: Sequence[DerivationFacts] = ()
