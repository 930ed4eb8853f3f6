"""The rows of the catalog: a recording, its modalities, the participants; as they shall be held.

A row that exists is well-formed: times are UTC, participants sorted and named once, metadata plain
JSON. Whoever makes one with anything else gets `CatalogRowRefused`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from lading.catalog.errors import CatalogRowRefused

RAW: Final = "raw"
"""The status of what is held as it was recorded. Other words are for what was made from it."""

UNKNOWN_PARTICIPANT: Final = "__unknown__"
_HASH: Final = re.compile(r"[0-9a-f]{16,64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEXT_LENGTH_MAX: Final = 1024
_YEARS: Final = range(1900, 3000)
_DURATION_S_MAX: Final = 1e9


class Policy(StrEnum):
    """What may become of a row that is held and differs from the one proposed (E6)."""

    ERROR = "error"
    EXTEND = "extend"
    MERGE_PARTICIPANTS = "merge_participants"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRow:
    """One recording, known by the hash over the sorted hashes of its files.

    `metadata["manifest_recording_id"]` keeps the identifier that its manifest gave it (E7).
    `created_at` and `updated_at` are set by the catalog.
    """

    recording_hash: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    participant_ids: tuple[str, ...] = ()
    status: str = RAW
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        _require(self, "recording_hash", _HASH, "16 to 64 digits 0-9a-f")
        _require(self, "status", _NAME, "a word")
        for name in ("started_at", "ended_at", "created_at", "updated_at"):
            _put(self, name, _moment(name, getattr(self, name)))
        _put(self, "duration_s", _duration(self.duration_s))
        _put(self, "participant_ids", _names("participant_ids", self.participant_ids))
        _put(self, "metadata", _plain(self.metadata))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityRow:
    """What one worker recorded of one family (`eeg`, `camera`), and where its bytes are.

    `keys` are the objects below `location`, a prefix in the store of raw bytes. A recording has at
    most one row for each family, worker and status.
    """

    recording_hash: str
    modality: str
    worker_id: str = ""
    status: str = RAW
    location: str = ""
    keys: tuple[str, ...] = ()
    size_bytes: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        _require(self, "recording_hash", _HASH, "16 to 64 digits 0-9a-f")
        _require(self, "modality", _NAME, "letters, digits, '.', '_', '-'")
        _require(self, "status", _NAME, "a word")
        if self.worker_id != "":
            _require(self, "worker_id", _NAME, "letters, digits, '.', '_', '-'")
        for name in ("created_at", "updated_at"):
            _put(self, name, _moment(name, getattr(self, name)))
        if isinstance(self.size_bytes, bool) or not isinstance(self.size_bytes, int):
            raise CatalogRowRefused("size_bytes is no whole number", found=repr(self.size_bytes))
        if not 0 <= self.size_bytes < 2**63:
            raise CatalogRowRefused("size_bytes is out of range", found=self.size_bytes)
        _text("location", self.location)
        _put(self, "keys", _names("keys", self.keys))
        _put(self, "metadata", _plain(self.metadata))

    @property
    def files_count(self) -> int:
        """How many files it has."""
        return len(self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRow:
    """One participant, by the identifier that recordings name."""

    participant_id: str
    display_name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.participant_id:
            raise CatalogRowRefused("A participant needs an identifier")
        _text("participant_id", self.participant_id)
        _text("display_name", self.display_name)
        for name in ("created_at", "updated_at"):
            _put(self, name, _moment(name, getattr(self, name)))
        _put(self, "metadata", _plain(self.metadata))


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """Metadata as it is stored: JSON with sorted keys, so that equal ones are equal texts."""
    return json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _put(row: object, name: str, value: object) -> None:
    object.__setattr__(row, name, value)


def _require(row: object, name: str, pattern: re.Pattern[str], expected: str) -> None:
    value = getattr(row, name)
    _text(name, value)
    if not pattern.fullmatch(value):
        raise CatalogRowRefused(f"{name} is not one", expected=expected, found=repr(value))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise CatalogRowRefused(f"{name} is no text", found=type(value).__name__)
    if len(value) > _TEXT_LENGTH_MAX:
        raise CatalogRowRefused(
            f"{name} is too long", expected=f"at most {_TEXT_LENGTH_MAX}", found=len(value)
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CatalogRowRefused(f"{name} is no Unicode text", found=ascii(value)) from error
    return value


def _names(field_name: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise CatalogRowRefused(f"{field_name} shall be several texts", found=repr(values))
    names = sorted({_text(field_name, value) for value in values})
    if "" in names:
        raise CatalogRowRefused(f"{field_name} holds an empty text")
    return tuple(names)


def _moment(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise CatalogRowRefused(f"{name} is no time with a zone", found=repr(value))
    if value.year not in _YEARS:
        raise CatalogRowRefused(f"{name} is out of range", found=value.isoformat())
    return value.astimezone(UTC)


def _duration(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogRowRefused("duration_s is no number", found=repr(value))
    if not math.isfinite(value) or not 0 <= value <= _DURATION_S_MAX:
        raise CatalogRowRefused("duration_s is no length of time", found=repr(value))
    return float(value)


def _plain(metadata: object) -> dict[str, Any]:
    if not isinstance(metadata, Mapping):
        raise CatalogRowRefused("metadata is no mapping", found=type(metadata).__name__)
    try:
        text = json.dumps(dict(metadata), sort_keys=True, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise CatalogRowRefused("metadata is no plain JSON", found=str(error)) from error
    plain: dict[str, Any] = json.loads(text)
    return plain
