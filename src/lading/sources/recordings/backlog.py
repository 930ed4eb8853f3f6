"""Takes in many recordings from folders, each on its own (E5).

What is registered already costs its local manifest and a share of two questions to the catalog, so
that a second run is cheap; everything else goes the whole way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from lading.base.errors import LadingError
from lading.catalog.rules import Policies
from lading.catalog.values import UNKNOWN_PARTICIPANT, ModalityRow, Policy, RecordingRow
from lading.sources.recordings.errors import ManifestMissing, UploadInterrupted
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.finding import Unreadable, recording_folders
from lading.sources.recordings.ingesting import LocalRecording, ingest_recording, open_local
from lading.sources.recordings.layout import MANIFEST, check_id, object_name
from lading.sources.recordings.local import augment_manifest, read_manifest, read_participant
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.uploading import IsActive, OnUpload
from lading.sources.recordings.values import IngestResult
from lading.storage.roots import source_fault

TOGETHER: Final = 1_000
"""How many folders the catalog is asked about at once."""

T = TypeVar("T")
Participants = Mapping[str, str]


class BacklogOutcome(StrEnum):
    """What became of one folder."""

    UPLOADED = "uploaded"
    """It was registered; what was stored already was not sent again."""
    REGISTERED = "already_registered"
    """It was registered before, as its manifest says; nothing was done."""
    NO_MANIFEST = "no_manifest"
    """It has no manifest, and none was to be made."""
    FAILED = "failed"
    PAUSED = "paused"
    """The rig began to record; this and all that would have followed are left for the next run."""
    WANTED = "wanted"
    """It would be taken in; nothing was done, as it was asked for (dry run)."""


@dataclass(frozen=True, slots=True)
class BacklogEntry:
    """One folder and what became of it. `failure` says why, also of one without a manifest."""

    folder: Path
    outcome: BacklogOutcome
    recording_hash: str | None = None
    files_uploaded: int = 0
    files_skipped: int = 0
    bytes_uploaded: int = 0
    failure: Failure | None = None


@dataclass
class BacklogSummary:
    """What a backlog came to; every folder is counted once. `failures` are for the end."""

    outcomes: Counter[BacklogOutcome] = field(default_factory=Counter)
    files_uploaded: int = 0
    files_skipped: int = 0
    bytes_uploaded: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, entry: BacklogEntry) -> None:
        """Count one entry."""
        self.outcomes[entry.outcome] += 1
        self.files_uploaded += entry.files_uploaded
        self.files_skipped += entry.files_skipped
        self.bytes_uploaded += entry.bytes_uploaded
        if entry.failure is not None:
            self.failures.append(entry.failure)

    @classmethod
    def of(cls, entries: Iterable[BacklogEntry]) -> BacklogSummary:
        """The summary of all entries, which are taken one by one."""
        summary = cls()
        for entry in entries:
            summary.add(entry)
        return summary


def ingest_backlog(
    repository: Repository,
    roots: Iterable[Path],
    *,
    is_active: IsActive | None = None,
    progress: OnUpload | None = None,
    augment: bool = False,
    participants: Participants | None = None,
    dry_run: bool = False,
    max_concurrent_files: int = 4,
    overwrite: bool = False,
    collapse_modalities: bool = True,
    on_conflict: Policies = Policy.ERROR,
) -> Iterator[BacklogEntry]:
    """Take in every recording found at or below the roots, in order, each as `ingest` would (E5).

    One that fails does not end the others; once `is_active` returns True, the entry that says
    `paused` is the last. With `augment`, manifests that lack hashes are completed in their folders,
    by reading all files; this is the only thing written there. `participants` are by the folder's
    name; without one, `participant.txt` says who it is. With `overwrite`, what is registered is
    sent again as well, and rows that differ are replaced. Raises what asking the catalog raises.
    """
    work = _Backlog(
        repository,
        is_active or _never,
        augment=augment,
        participants=participants or {},
        dry_run=dry_run,
        overwrite=overwrite,
        ingest=partial(
            ingest_recording,
            repository,
            is_active=is_active,
            progress=progress,
            max_concurrent_files=max_concurrent_files,
            overwrite=overwrite,
            collapse_modalities=collapse_modalities,
            on_conflict=on_conflict,
        ),
    )
    found = (each for root in roots for each in recording_folders(Path(root)))
    while some := list(islice(found, TOGETHER)):
        for entry in work.taken_in(some):
            yield entry
            if entry.outcome is BacklogOutcome.PAUSED:
                return


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the manifest of a folder says: enough to know whether all of it is registered."""

    recording_id: str
    recording_hash: str | None
    names: frozenset[str]
    participant: str | None


class _Backlog:
    """One call."""

    def __init__(
        self,
        repository: Repository,
        is_active: IsActive,
        *,
        augment: bool,
        participants: Participants,
        dry_run: bool,
        overwrite: bool,
        ingest: Callable[[LocalRecording], IngestResult],
    ) -> None:
        self._repository = repository
        self._is_active = is_active
        self._augment = augment
        self._participants = participants
        self._dry_run = dry_run
        self._overwrite = overwrite
        self._ingest = ingest

    def taken_in(self, found: Sequence[Path | Unreadable]) -> Iterator[BacklogEntry]:
        """What becomes of some folders."""
        looked = {
            each: _attempt(each, self._look) for each in found if not isinstance(each, Unreadable)
        }
        held, modalities = self._registered(looked.values())
        for each in found:
            if isinstance(each, Unreadable):
                yield _failed(each.folder, each.error)
                continue
            local = looked[each]
            if isinstance(local, LadingError):
                yield self._refused(each, local)
            elif not self._overwrite and _is_registered(local, held, modalities):
                yield BacklogEntry(each, BacklogOutcome.REGISTERED, local.recording_hash)
            else:
                yield self._brought(each)

    def _look(self, folder: Path) -> _Looked:
        manifest = read_manifest(folder / MANIFEST, folder).manifest
        return _Looked(
            check_id(manifest.recording_id or folder.name),
            manifest.recording_hash if manifest.complete else None,
            frozenset(object_name(file.rel_path) for file in manifest.files),
            self._participants.get(folder.name) or read_participant(folder),
        )

    def _registered(
        self, looked: Iterable[_Looked | LadingError]
    ) -> tuple[Mapping[str, RecordingRow], Mapping[str, list[ModalityRow]]]:
        """What the catalog has of these: two queries, or one when it has none."""
        hashes = {
            each.recording_hash
            for each in looked
            if isinstance(each, _Looked) and each.recording_hash
        }
        held = self._repository.catalog.recordings_held(hashes)
        return held, self._repository.catalog.modalities_of(held)

    def _refused(self, folder: Path, error: LadingError) -> BacklogEntry:
        if not isinstance(error, ManifestMissing):
            return _failed(folder, error)
        if self._augment:
            return self._brought(folder)
        return _failed(folder, error, BacklogOutcome.NO_MANIFEST)

    def _brought(self, folder: Path) -> BacklogEntry:
        if self._dry_run:
            opened = None if self._augment else _attempt(folder, self._opened)
            if isinstance(opened, LadingError):
                return _failed(folder, opened)
            return BacklogEntry(folder, BacklogOutcome.WANTED)
        if self._is_active():
            return BacklogEntry(folder, BacklogOutcome.PAUSED)
        try:
            done = _attempt(folder, self._bring)
        except UploadInterrupted:
            return BacklogEntry(folder, BacklogOutcome.PAUSED)
        return _failed(folder, done) if isinstance(done, LadingError) else done

    def _bring(self, folder: Path) -> BacklogEntry:
        path = folder / MANIFEST
        if self._augment and not _is_complete(path, folder):
            augment_manifest(path, folder, progress=self._interrupt)
        result = self._ingest(self._opened(folder))
        return BacklogEntry(
            folder,
            BacklogOutcome.PAUSED if result.paused else BacklogOutcome.UPLOADED,
            result.recording.recording_hash if result.recording else None,
            result.files_uploaded,
            result.files_skipped,
            result.bytes_uploaded,
        )

    def _opened(self, folder: Path) -> LocalRecording:
        participant = self._participants.get(folder.name)
        return open_local(folder / MANIFEST, folder, participant=participant)

    def _interrupt(self, _path: str) -> None:
        if self._is_active():
            raise UploadInterrupted("The rig is recording")


def _is_registered(
    local: _Looked,
    held: Mapping[str, RecordingRow],
    modalities: Mapping[str, list[ModalityRow]],
) -> bool:
    """Whether all of it is registered: the other half of a session has the same hash (E9)."""
    row = held.get(local.recording_hash or "")
    if row is None or row.metadata.get("manifest_recording_id") != local.recording_id:
        return False
    if local.participant and row.participant_ids == (UNKNOWN_PARTICIPANT,):
        return False
    return local.names <= {
        key for each in modalities.get(row.recording_hash, ()) for key in each.keys
    }


def _is_complete(path: Path, folder: Path) -> bool:
    try:
        return read_manifest(path, folder).manifest.complete
    except ManifestMissing:
        return False


def _attempt(folder: Path, do: Callable[[Path], T]) -> T | LadingError:
    """What `do` makes of a folder, or the error that is about it."""
    try:
        return do(folder)
    except LadingError as error:
        return error
    except OSError as error:
        return source_fault(error, str(folder))


def _failed(
    folder: Path, error: LadingError, outcome: BacklogOutcome = BacklogOutcome.FAILED
) -> BacklogEntry:
    return BacklogEntry(folder, outcome, failure=Failure(str(folder), error))


def _never() -> bool:
    return False
