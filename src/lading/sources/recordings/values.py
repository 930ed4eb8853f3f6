"""Manifests as they were understood; what uploads and downloads tell, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from lading.catalog.values import ModalityRow, ParticipantRow, RecordingRow
from lading.sources.recordings.errors import ManifestIncomplete


class Phase(StrEnum):
    """The boundaries at which a download speaks (E8)."""

    START = "start"
    PLAN_DONE = "plan_done"
    MODALITY_START = "modality_start"
    FILE_DONE = "file_done"
    MODALITY_DONE = "modality_done"
    FINISH = "finish"


class HeldBy(StrEnum):
    """How a stored file was recognised as the one that would be uploaded."""

    SHA256 = "size_and_sha256"
    """The object has the size, and the sha256: in its metadata or, in a folder, by its bytes."""
    SIZE = "size"
    """The object has the size; the store tells no more."""
    REGISTERED = "size_and_registration"
    """The object has the size, and the catalog has the recording, so it was verified before."""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a recording; `size_bytes` is None where the manifest does not say."""

    rel_path: str
    sha256: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says. `body` is all of it, as it was read."""

    recording_hash: str | None = None
    files: tuple[ManifestFile, ...] = ()
    recording_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    node: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether a recording can be registered by it (D6)."""
        return bool(self.recording_hash and self.files)

    def require_complete(self, subject: str) -> str:
        """The recording's hash. Raises `ManifestIncomplete` without it or without files (D6)."""
        if not self.recording_hash or not self.files:
            missing = [
                name
                for name, there in (("recording_hash", self.recording_hash), ("files", self.files))
                if not there
            ]
            raise ManifestIncomplete(
                "The manifest was not augmented",
                subject=subject,
                found=f"no {', no '.join(missing)}",
            )
        return self.recording_hash


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """Where an upload stands after a file (D7). All figures are of this call, from its start.

    `bytes_uploaded` counts what was sent; `bytes_processed` counts files that were there already
    as well, and so reaches `bytes_total`.
    """

    files_done: int
    files_total: int
    bytes_uploaded: int
    bytes_processed: int
    bytes_total: int
    current_file: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What taking a recording in came to (D3).

    With `paused`, the rig began to record: `recording` is None and nothing was registered.
    `skipped_by` says of the files skipped how they were recognised, by `HeldBy`.
    """

    paused: bool
    recording: RecordingRow | None
    files_uploaded: int
    files_skipped: int
    bytes_uploaded: int
    skipped_by: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A recording with those of its modalities that were asked for, by their keys (E7)."""

    recording: RecordingRow
    modalities: Mapping[str, ModalityRow]
    participants: tuple[ParticipantRow, ...] = ()

    @property
    def recording_hash(self) -> str:
        """The recording's hash."""
        return self.recording.recording_hash


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """Where a download stands (E8). All figures are of this call, over all recordings of it.

    `bytes_processed` counts what is in place and verified, also when it was there before;
    `bytes_transferred` counts what came over the wire.
    """

    phase: Phase
    files_done: int
    files_total: int
    bytes_processed: int
    bytes_transferred: int
    bytes_total: int
    recording_hash: str | None = None
    modality: str | None = None
    current_file: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """What a download came to: every file is in place and verified.

    `bytes_transferred` came over the wire; `bytes_processed` counts what was there before as well.
    `folders` are those of the recordings, in the order in which they were asked for.
    """

    files_downloaded: int
    files_kept: int
    bytes_transferred: int
    bytes_processed: int
    folders: tuple[Path, ...] = ()


class CheckedBy(StrEnum):
    """What of a stored file was compared."""

    SIZE = "size"
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Whether one stored file is what it shall be.

    `expected` and `found` are sizes in bytes, or sha256 in hex. `expected` is None when nothing
    states it; `found` is None when there is no object.
    """

    recording_hash: str
    modality: str
    name: str
    ok: bool
    checked: CheckedBy
    expected: int | str | None
    found: int | str | None
