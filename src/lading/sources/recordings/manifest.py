"""A recording's manifest: parsed within bounds, and written back with all that others put in it.

The rig writes it; `augment_manifest` adds `recording_hash` and `files`. Fields that Lading does not
know are kept. Several spellings of a field are understood where rigs differ.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lading.base.errors import SourceError, printable
from lading.sources.recordings.errors import ManifestInvalid
from lading.sources.recordings.values import Manifest, ManifestFile
from lading.storage.roots import split_relative

MANIFEST_BYTES_MAX: Final = 64 * 1024 * 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_RECORDING_HASH: Final = re.compile(r"[0-9a-f]{16,64}")
_IDS: Final = ("recording_id", "rec_id", "session_id")
_STARTS: Final = ("started_at", "start_time")
_ENDS: Final = ("ended_at", "end_time")
_DURATIONS: Final = ("duration_s", "duration_seconds", "duration")
_NODES: Final = ("hostname", "node", "host")
_SIZES: Final = ("size_bytes", "size", "bytes")
_EPOCH_S_MAX: Final = 32_503_680_000  # the year 3000


def parse_manifest(body: bytes, subject: str) -> Manifest:
    """The manifest that `body` is; `subject` names it in errors. Raises `ManifestInvalid`."""
    if len(body) > MANIFEST_BYTES_MAX:
        raise ManifestInvalid(
            "The manifest is too large",
            subject=subject,
            expected=f"at most {MANIFEST_BYTES_MAX} bytes",
            found=len(body),
        )
    try:
        facts = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(
            f"The manifest is no JSON: {printable(str(error), length_max=200)}", subject=subject
        ) from error
    if not isinstance(facts, dict):
        raise ManifestInvalid(
            "The manifest is no JSON object", subject=subject, found=type(facts).__name__
        )
    return _Reader(facts, subject).manifest()


def file_entry(file: ManifestFile) -> dict[str, Any]:
    """A file as manifests list it."""
    return {"rel_path": file.rel_path, "size_bytes": file.size_bytes, "sha256": file.sha256}


def manifest_text(body: Mapping[str, Any]) -> bytes:
    """A manifest as it is written.

    Fields of the rig's may hold what JSON has no word for, such as NaN; they stay as they came.
    """
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return text.encode(errors="backslashreplace") + b"\n"  # half a surrogate pair: its escape


def _since_1970(seconds: float) -> datetime:
    if not 0 <= seconds < _EPOCH_S_MAX:
        raise ValueError(seconds)
    return datetime.fromtimestamp(seconds, UTC)


class _Reader:
    """Reads the fields of one manifest, and says which is wrong."""

    def __init__(self, facts: dict[str, Any], subject: str) -> None:
        self._facts = facts
        self._subject = subject

    def manifest(self) -> Manifest:
        files = self._facts.get("files")
        if files is not None and not isinstance(files, list):
            raise self._wrong("files", "a list", files)
        started_at, ended_at = self._moment(_STARTS), self._moment(_ENDS)
        duration_s = self._duration()
        if duration_s is None and started_at and ended_at and ended_at >= started_at:
            duration_s = (ended_at - started_at).total_seconds()
        return Manifest(
            recording_hash=self._hash("recording_hash", _RECORDING_HASH),
            files=self._files(files or []),
            recording_id=self._text(_IDS),
            started_at=started_at,
            ended_at=ended_at,
            duration_s=duration_s,
            node=self._text(_NODES),
            body=self._facts,
        )

    def _files(self, entries: list[Any]) -> tuple[ManifestFile, ...]:
        files, seen = [], set()
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise self._wrong(f"files[{number}]", "an object", entry)
            file = self._file(entry, f"files[{number}]")
            if file.rel_path in seen:
                raise self._wrong(f"files[{number}].rel_path", "each file once", file.rel_path)
            seen.add(file.rel_path)
            files.append(file)
        return tuple(files)

    def _file(self, entry: dict[str, Any], name: str) -> ManifestFile:
        path, sha256 = entry.get("rel_path"), entry.get("sha256")
        if not isinstance(path, str):
            raise self._wrong(f"{name}.rel_path", "a path", path)
        try:
            split_relative(path)
            path.encode()
        except (SourceError, UnicodeEncodeError) as error:
            raise self._wrong(f"{name}.rel_path", "a plain path below the folder", path) from error
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256.lower()):
            raise self._wrong(f"{name}.sha256", "64 hexadecimal digits", sha256)
        size = next((entry[key] for key in _SIZES if entry.get(key) is not None), None)
        if size is not None and (
            isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**63
        ):
            raise self._wrong(f"{name}.size_bytes", "a number of bytes", size)
        return ManifestFile(path, sha256.lower(), size)

    def _hash(self, name: str, pattern: re.Pattern[str]) -> str | None:
        value = self._facts.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not pattern.fullmatch(value.lower()):
            raise self._wrong(name, "16 to 64 hexadecimal digits", value)
        return value.lower()

    def _first(self, names: tuple[str, ...]) -> tuple[str, Any]:
        for name in names:
            if self._facts.get(name) not in (None, ""):
                return name, self._facts[name]
        return names[0], None

    def _text(self, names: tuple[str, ...]) -> str | None:
        name, value = self._first(names)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "a text", value)
        return value

    def _moment(self, names: tuple[str, ...]) -> datetime | None:
        """A time in UTC, from ISO 8601 (without a zone: UTC) or seconds since 1970."""
        name, value = self._first(names)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            if not isinstance(value, bool) and isinstance(value, int | float):
                return _since_1970(value)
        except (ValueError, OverflowError):
            pass
        raise self._wrong(name, "a time, as ISO 8601 or in seconds since 1970", value)

    def _duration(self) -> float | None:
        name, value = self._first(_DURATIONS)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number of seconds", value)
        try:
            duration_s = float(value)
        except OverflowError:
            duration_s = math.inf
        if not math.isfinite(duration_s) or duration_s < 0:
            raise self._wrong(name, "a number of seconds", value)
        return duration_s

    def _wrong(self, name: str, expected: str, found: object) -> ManifestInvalid:
        return ManifestInvalid(
            f"The manifest's {name} is not one",
            subject=self._subject,
            expected=expected,
            found=printable(repr(found), length_max=120),
        )
