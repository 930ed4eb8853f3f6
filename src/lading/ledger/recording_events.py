"""What was done with recordings by jobs, as events of the ledger (D10, E4, E6, E7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lading.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingVerified(Event):
    """The stored files of a recording were compared, by their size or by every byte.

    `failures` are the first files that are not what they shall be, `files_failed` how many.
    """

    kind: ClassVar[str] = "recording_verified"
    recording_hash: str
    recording_id: str
    checked: str
    files: int
    files_failed: int
    bytes_processed: int
    bytes_transferred: int
    failures: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingDownloaded(Event):
    """A recording was brought into the source's folder for downloads, every byte verified."""

    kind: ClassVar[str] = "recording_downloaded"
    recording_hash: str
    recording_id: str
    folder: str
    files_downloaded: int
    files_kept: int
    bytes_processed: int
    bytes_transferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRegistered(Event):
    """A recording was registered on request: `upload` from the rig, `register` what was stored."""

    kind: ClassVar[str] = "recording_registered"
    recording_hash: str
    recording_id: str
    mode: str
    policies: list[str]
    files_uploaded: int
    files_skipped: int
    bytes_uploaded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingReconstructed(Event):
    """The manifest of a stored recording was made from its files, or found to be good."""

    kind: ClassVar[str] = "recording_reconstructed"
    recording_hash: str | None
    recording_id: str
    outcome: str
    files: int
    bytes_read: int
    participant: str | None
    damaged: list[str]
