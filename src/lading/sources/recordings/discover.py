"""Finds the folders of recordings in one pass, and reads the manifests of those that changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from lading.base.errors import LadingError, printable
from lading.base.reasons import Reason
from lading.ingest.source import Discovered, SourceMissing
from lading.sources.recordings.folder import RECORDED, RecordingFolder, read_folder, stamps
from lading.sources.recordings.options import RecordingsOptions
from lading.sources.recordings.reasons import REASONS, facts_of, reason_of
from lading.storage.roots import RootMissing, SafeRoot

TYPE: Final = "recording"
ACTION: Final = "import"
_KEY_LENGTH_MAX: Final = 190
_NS: Final = 1_000_000_000
# What a fingerprint ends with when something beside the files decides about the recording.
_YOUNG: Final = ";young"
_PLAIN: Final = ";not augmented"
_AGAIN: Final = ";again"

log = structlog.get_logger("lading.recordings")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look at a folder told: its stamp, and when the newest of its files was written."""

    stamp: str
    newest_ns: int = 0
    fault: LadingError | None = None


def discover(
    root: SafeRoot, known: Mapping[str, str], options: RecordingsOptions
) -> Iterator[Discovered]:
    """Every recording there is; of an unchanged one nothing is read.

    Raises `SourceMissing` when the root cannot be listed.
    """
    try:
        names = sorted(entry.name for entry in root.names() if entry.is_dir(follow_symlinks=False))
    except RootMissing as error:
        raise SourceMissing(error.message, subject=str(root.path)) from error
    for name in names:
        if name.startswith("."):
            continue
        seen = _look(root, name)
        if seen is None:
            continue
        if len(name) > _KEY_LENGTH_MAX or printable(name) != name:
            log.warning("a folder's name cannot identify a recording", folder=printable(name))
            continue
        unchanged = _unchanged(known.get(name), seen, options)
        yield Discovered(name, unchanged) if unchanged else _read(name, seen, options)


def is_young(newest_ns: int, options: RecordingsOptions) -> bool:
    """Whether something was written so recently that more may follow."""
    return time.time_ns() - newest_ns < options.stable_for_s * _NS


def _look(root: SafeRoot, name: str) -> _Seen | None:
    """What the folder tells without reading a file; None when it is none of a recording."""
    try:
        found = stamps(root, name)
    except RootMissing as error:
        raise SourceMissing(error.message, subject=str(root.path)) from error
    except LadingError as error:
        return _Seen("-", fault=error)
    if not found and not name.startswith(RECORDED):
        return None
    lines = [f"{n}\0{f.size_bytes}\0{f.mtime_ns}\0{f.inode}" for n, f in found]
    stamp = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    return _Seen(stamp, max((facts.mtime_ns for _, facts in found), default=0))


def _unchanged(recorded: str | None, seen: _Seen, options: RecordingsOptions) -> str | None:
    """The recorded fingerprint, when it still says all."""
    if recorded is None or seen.fault is not None:
        return None
    holds = recorded == seen.stamp
    holds |= recorded == seen.stamp + _PLAIN and not options.augment
    holds |= recorded == seen.stamp + _YOUNG and is_young(seen.newest_ns, options)
    return recorded if holds else None


def _read(name: str, seen: _Seen, options: RecordingsOptions) -> Discovered:
    if seen.fault is not None:
        return _refused(name, seen.stamp + _AGAIN, seen.fault)
    try:
        folder = read_folder(options.path / name, augment=options.augment)
    except RootMissing as error:  # of the recording's own folder: it is being taken away
        return _discovered(name, seen.stamp + _AGAIN, None, REASONS["folder_gone"], error)
    except LadingError as error:
        reason = reason_of(error)
        if reason is not None and reason.code == "not_augmented":
            return _refused(name, seen.stamp + _PLAIN, error)
        passing = reason is None or reason.code == "unreadable"
        return _refused(name, seen.stamp + _AGAIN * passing, error)
    if is_young(max(seen.newest_ns, folder.newest_ns), options):
        # Data files may be younger than the stamps, which alone are looked at next time.
        mark = _YOUNG if is_young(seen.newest_ns, options) else _AGAIN
        return _discovered(name, seen.stamp + mark, folder, REASONS["still_written"])
    return _discovered(name, seen.stamp, folder)


def _refused(name: str, fingerprint: str, error: LadingError) -> Discovered:
    reason = reason_of(error) or REASONS["unreadable"]
    return _discovered(name, fingerprint, None, reason, error)


def _discovered(
    name: str,
    fingerprint: str,
    folder: RecordingFolder | None,
    reason: Reason | None = None,
    error: LadingError | None = None,
) -> Discovered:
    return Discovered(
        key=name,
        fingerprint=fingerprint,
        manifest_sha256=folder.digest if folder else None,
        type=TYPE if folder else "",
        action=ACTION if folder else "",
        items=len(folder.files) + 1 if folder else 0,
        bytes=folder.size_bytes if folder else 0,
        reason=reason,
        detail=facts_of(error) if error else describe(folder) if folder else {},
    )


def describe(folder: RecordingFolder) -> dict[str, object]:
    """What a recording says of itself, for people."""
    manifest = folder.local.manifest
    facts: dict[str, object] = {
        "recording_id": folder.recording_id,
        "recording_hash": manifest.recording_hash,
        "participant": folder.participant,
        "started_at": manifest.started_at and manifest.started_at.isoformat(),
        "duration_s": manifest.duration_s,
    }
    return {name: value for name, value in facts.items() if value is not None}
