"""The nouns of an archive: its files, what is wrong with one, and the master they speak of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class CodeKind(StrEnum):
    """What an inventory code says its master is, by its first letter: V or A."""

    VIDEO = "video"
    AUDIO = "audio"


class FileKind(StrEnum):
    """What a file of an inventory code is for (B2)."""

    STREAMING = "streaming"  # the copy people look at or listen to: .mp4, .mp3
    METADATA = "metadata"  # what mediainfo or ffprobe said of the master: .json
    CHECKSUM = "checksum"  # .md5
    REPORT = "report"  # of quality control: .pdf


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something is rejected. `code` is one of the source's reasons, `key` the object's."""

    code: str
    expected: str | None = None
    found: str | None = None
    key: str | None = None

    def detail(self) -> dict[str, Any]:
        """What is recorded beside the reason, without what is not known."""
        facts = {"expected": self.expected, "found": self.found, "key": self.key}
        return {name: value for name, value in facts.items() if value is not None}


class Faulty(Exception):
    """A rejection on its way out of the pure parts; it is a result, and ends the reading."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One object of an inventory code as the listing shows it. `etag` is without its quotes."""

    key: str
    kind: FileKind
    size_bytes: int
    etag: str | None = None

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def extension(self) -> str:
        """In lower case, without its dot."""
        return self.name.rpartition(".")[2].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterFacts:
    """What the metadata sidecars say of a master, and where its MIME type comes from (B5).

    `mime_source` names dialect and field, such as `ffprobe format.format_name`. `notes` are
    sentences about what is odd but does not speak against the master.
    """

    mime: str
    mime_source: str
    container: str
    tool: str | None = None
    file_name: str | None = None
    size_bytes: int | None = None
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    audio_channels: int | None = None
    sample_rate_hz: int | None = None
    notes: tuple[str, ...] = field(default=())
