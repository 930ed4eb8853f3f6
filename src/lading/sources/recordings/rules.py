"""What a recording is, worked out from manifests: its hash, its halves merged, its rows; pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lading.catalog.rules import Conflict, Policies, register_recording
from lading.catalog.values import UNKNOWN_PARTICIPANT, ModalityRow, Policy, RecordingRow
from lading.sources.recordings.errors import ManifestsDisagree, WorkerFolderRefused
from lading.sources.recordings.layout import begun_at, location_of, object_name
from lading.sources.recordings.values import HeldBy, Manifest, ManifestFile

SESSION: Final = "session"
"""The modality of files that lie beside the worker folders."""
HALVES: Final[Policies] = (Policy.EXTEND, Policy.MERGE_PARTICIPANTS)
"""How the second half of a session is registered beside the first (E9)."""
_FOLDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(_[A-Za-z0-9._-]*)?")


def recording_hash_of(sha256s: Iterable[str]) -> str:
    """The hash of a recording: sha256 over the sorted hashes of its files, one a line."""
    return hashlib.sha256("\n".join(sorted(sha256s)).encode()).hexdigest()


def merged(manifests: Sequence[tuple[str, Manifest]]) -> Manifest:
    """The manifests of several nodes as one (E3, E9); each comes with its name, for errors.

    The files are united, the recording spans all of them, and the hash is the one that they state;
    where none does, it is worked out. Raises `ManifestsDisagree`.
    """
    (_, first), *others = manifests
    if not others:
        return first
    files: dict[str, tuple[str, ManifestFile]] = {}
    for name, each in manifests:
        for file in each.files:
            held_name, held = files.setdefault(file.rel_path, (name, file))
            sizes = {held.size_bytes, file.size_bytes} - {None}
            if held.sha256 != file.sha256 or len(sizes) > 1:
                raise ManifestsDisagree(
                    "Two manifests list one file with other contents",
                    subject=file.rel_path,
                    expected=f"{_content(held)} by {held_name}",
                    found=f"{_content(file)} by {name}",
                )
            if held.size_bytes is None:
                files[file.rel_path] = (name, file)
    united = tuple(file for _, file in files.values())
    stated = _the_one("recording_hash", [(n, m.recording_hash) for n, m in manifests])
    starts = [each.started_at for _, each in manifests if each.started_at]
    ends = [each.ended_at for _, each in manifests if each.ended_at]
    durations = [each.duration_s for _, each in manifests if each.duration_s is not None]
    return Manifest(
        recording_hash=stated or (recording_hash_of(f.sha256 for f in united) if united else None),
        files=united,
        recording_id=_the_one("recording_id", [(n, m.recording_id) for n, m in manifests]),
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None),
        duration_s=max(durations, default=None),
        body={"recording_hash": stated, "merged_from": [name for name, _ in manifests]},
    )


def with_halves(own: Manifest, halves: Sequence[Manifest], stored: Collection[str]) -> Manifest:
    """A recording's own manifest with the halves that arrived since, as far as they are stored.

    A half states the same hash and lists files that the recording's own does not. One of which a
    file is not stored is left out whole: it will arrive later, and is not made up (E9).
    """
    files = {file.rel_path: file for file in own.files}
    longest = own
    for half in halves:
        added = [file for file in half.files if file.rel_path not in files]
        there = all(object_name(file.rel_path) in stored for file in added)
        if added and there and half.recording_hash == own.recording_hash:
            files |= {file.rel_path: file for file in added}
            if _length(half) > _length(longest):
                longest = half
    if len(files) == len(own.files):
        return own
    return replace(
        own,
        files=tuple(files.values()),
        duration_s=longest.duration_s,
        ended_at=longest.ended_at or _end_by_length(own, longest),
    )


def kept_beside(held: Manifest | None, proposed: Manifest) -> bool:
    """Whether a manifest is one half and the stored one another, so that both are kept (E9)."""
    if held is None or not held.complete or held.recording_hash != proposed.recording_hash:
        return False
    return not {f.rel_path for f in held.files} <= {f.rel_path for f in proposed.files}


def covers(held: Manifest | None, proposed: Manifest) -> bool:
    """Whether the stored manifest says all that the proposed one does."""
    if held is None or held.recording_hash != proposed.recording_hash:
        return False
    stated = {file.rel_path: file.sha256 for file in held.files}
    return all(stated.get(file.rel_path) == file.sha256 for file in proposed.files)


def recording_row(
    manifest: Manifest, recording_id: str, recording_hash: str, participant_ids: Sequence[str]
) -> RecordingRow:
    """The recording's row. Where the manifest does not say when it began, its identifier does."""
    return RecordingRow(
        recording_hash=recording_hash,
        started_at=manifest.started_at or begun_at(recording_id),
        ended_at=manifest.ended_at,
        duration_s=manifest.duration_s,
        participant_ids=tuple(participant_ids) or (UNKNOWN_PARTICIPANT,),
        metadata={"manifest_recording_id": recording_id},
    )


@dataclass(frozen=True, slots=True)
class Modalities:
    """The rows of a recording's modalities, and the families that several workers recorded (D9)."""

    rows: tuple[ModalityRow, ...]
    collided: tuple[str, ...]


def modality_rows(
    files: Sequence[ManifestFile],
    recording_id: str,
    recording_hash: str,
    *,
    prefix: str,
    collapse: bool = True,
) -> Modalities:
    """A row for each worker folder, with its files (D9, E7).

    Collapsed, `camera_0` is the family `camera` with the worker `0`, which readers see as `camera`
    or, where another worker has the same family, as `camera_0`. Uncollapsed, the folder's name is
    the family; so it is for folders that would collapse to one worker, as `camera_0` and
    `camera__0`. Sizes of all files are known by now. Raises `WorkerFolderRefused`.
    """
    folders: dict[str, list[ManifestFile]] = defaultdict(list)
    for file in files:
        folders[file.rel_path.rpartition("/")[0].partition("/")[0]].append(file)
    named = {folder: _worker(folder, collapse=collapse) for folder in folders}
    families, shared = Counter(family for family, _ in named.values()), Counter(named.values())
    workers: dict[tuple[str, str], list[ManifestFile]] = defaultdict(list)
    for folder, held in folders.items():
        worker = named[folder]
        if shared[worker] > 1:
            worker = _worker(folder, collapse=False)
        workers[worker] += held
    rows = tuple(
        ModalityRow(
            recording_hash=recording_hash,
            modality=family,
            worker_id=worker_id,
            location=location_of(recording_id, prefix),
            keys=tuple(object_name(file.rel_path) for file in held),
            size_bytes=sum(file.size_bytes or 0 for file in held),
        )
        for (family, worker_id), held in sorted(workers.items())
    )
    return Modalities(rows, tuple(sorted(family for family, n in families.items() if n > 1)))


def proposed_beside(held: RecordingRow, proposed: RecordingRow) -> RecordingRow:
    """A recording as it is proposed where another half, or an earlier run, is held (E9).

    When it began is what was registered first, a participant nobody knows yields to one who is
    known, and of two lengths that are equal the held end stays.
    """
    unknown = proposed.participant_ids == (UNKNOWN_PARTICIPANT,)
    same_length = held.duration_s == proposed.duration_s
    return replace(
        proposed,
        started_at=held.started_at,
        ended_at=held.ended_at if same_length and held.ended_at else proposed.ended_at,
        participant_ids=held.participant_ids if unknown else proposed.participant_ids,
        status=held.status,
        metadata={**proposed.metadata, **held.metadata},
    )


def overwritten_half(held: RecordingRow, proposed: RecordingRow) -> RecordingRow:
    """A recording of which one half is taken in anew: what the other one brought stays (E9)."""
    beside = replace(proposed_beside(held, proposed), metadata=held.metadata)
    decided = register_recording(held, beside, HALVES)
    return proposed if isinstance(decided, Conflict) else decided.row


def leaves_others(held: Iterable[ModalityRow], proposed: Iterable[ModalityRow]) -> bool:
    """Whether something is held of a recording that is not among what is proposed (E9)."""
    return bool(_workers(held) - _workers(proposed))


def is_half(held: Iterable[ModalityRow], proposed: Iterable[ModalityRow]) -> bool:
    """Whether what is proposed and what is held are different parts of a recording (E9)."""
    return _workers(held) != _workers(proposed)


def held_by(
    file: ManifestFile, size_bytes: int | None, metadata: Mapping[str, str] | None
) -> HeldBy | None:
    """How a stored object is recognised as the file, or None when it is not (D5).

    `size_bytes` is None when there is no object, `metadata` when the store keeps none.
    """
    if size_bytes is None or size_bytes != file.size_bytes:
        return None
    stored = (metadata or {}).get("sha256")
    if stored is None:
        return HeldBy.SIZE
    return HeldBy.SHA256 if stored.lower() == file.sha256 else None


def participant_ids(name: str | None) -> tuple[str, ...]:
    """The participant that somebody typed, as identifiers; without white space around it."""
    clean = " ".join((name or "").split())
    return (clean or UNKNOWN_PARTICIPANT,)


def known_name(name: str | None) -> str | None:
    """The name of somebody, without white space around it; None where it says that nobody knows."""
    (clean,) = participant_ids(name)
    return None if clean == UNKNOWN_PARTICIPANT else clean


def _content(file: ManifestFile) -> str:
    size = "" if file.size_bytes is None else f", {file.size_bytes} bytes"
    return f"sha256 {file.sha256}{size}"


def _length(manifest: Manifest) -> float:
    return -1.0 if manifest.duration_s is None else manifest.duration_s


def _end_by_length(own: Manifest, longest: Manifest) -> datetime | None:
    """When a recording ended whose longer half does not say, as `extend` has it in the catalog."""
    if longest is own or longest.duration_s is None:
        return own.ended_at
    started_at = own.started_at or begun_at(own.recording_id or "")
    return started_at and started_at + timedelta(seconds=longest.duration_s)


def _workers(rows: Iterable[ModalityRow]) -> set[tuple[str, str]]:
    return {(row.modality, row.worker_id) for row in rows}


def _worker(folder: str, *, collapse: bool) -> tuple[str, str]:
    if not folder:
        return SESSION, ""
    if not _FOLDER.fullmatch(folder):
        raise WorkerFolderRefused("No modality can be made of this folder's name", subject=folder)
    if not collapse:
        return folder, ""
    family, _, worker_id = folder.partition("_")
    return family, worker_id.strip("_.-")


def _the_one(field: str, stated: Sequence[tuple[str, Any]]) -> Any:
    known = [(name, value) for name, value in stated if value]
    if not known:
        return None
    first_name, first = known[0]
    for name, value in known[1:]:
        if value != first:
            raise ManifestsDisagree(
                f"Two manifests state another {field}",
                subject=name,
                expected=f"{first} by {first_name}",
                found=value,
            )
    return first
