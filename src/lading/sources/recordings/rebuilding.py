"""Rebuilds the catalog from what is stored, under a fresh prefix, beside the live one (E10).

All rows come from manifests and `participant.txt`; nothing of the raw store is written. The live
catalog only says who is meant by a name, and what was registered while the rebuild ran.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lading.base.errors import LadingError, RequestError
from lading.base.stopping import StopSignal
from lading.catalog.catalog import Catalog
from lading.catalog.columns import PARTICIPANTS
from lading.catalog.comparing import Found
from lading.catalog.errors import PointerMissing
from lading.catalog.pointer import POINTER_NAME, Pointer
from lading.catalog.registering import Registration
from lading.catalog.values import ParticipantRow, Policy, RecordingRow
from lading.sources.recordings.ending import Ending
from lading.sources.recordings.errors import RecordingHeldElsewhere
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.flipping import versions_of
from lading.sources.recordings.ingesting import require_any
from lading.sources.recordings.layout import MANIFEST
from lading.sources.recordings.listening import tell
from lading.sources.recordings.registering import participants_named, require_stored
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import modality_rows, recording_row
from lading.sources.recordings.values import Manifest, ManifestFile

FAILURES_KEPT_MAX: Final = 1_000
_TOGETHER_MAX: Final = 1_000
_KEYS_TOGETHER_MAX: Final = 200_000


OnRebuilt = Callable[["RebuildProgress"], None]


class PrefixInUse(RequestError):
    """A catalog cannot be rebuilt under a prefix that is, or was just now, the live one."""

    code = "catalog_prefix_in_use"
    http_status = 409
    next_step = "Name a prefix of its own, such as the live one with the day of today."


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """How far a rebuild is. There is no total: recordings are found as it goes."""

    recordings_done: int
    recordings_failed: int
    current: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to.

    `recordings` were found in the store: `written` are new or other than an earlier run left them,
    `unchanged` as it left them, `failed` not rebuilt; `failures` are the first 1,000 of those.
    `caught_up` were read once more, since the live catalog has them otherwise and was written to
    while the rebuild ran; `written` and `unchanged` count them again.
    """

    prefix: str
    recordings: int
    written: int
    unchanged: int
    failed: int
    caught_up: int
    failures: tuple[Failure, ...]


def rebuild(
    repository: Repository,
    *,
    prefix: str,
    pointer: str = POINTER_NAME,
    collapse_modalities: bool = True,
    recording_ids: Iterable[str] | None = None,
    progress: OnRebuilt | None = None,
    stop: StopSignal | None = None,
    max_concurrent_recordings: int = 8,
) -> Rebuilt:
    """Derive the rows of every stored recording, or of those named, into the catalog at `prefix`.

    A recording without a complete manifest, or of which a file is missing, is not rebuilt and does
    not end the others. Run again, it goes on: what is held there as it would be written is left.
    What was registered in the live catalog meanwhile is rebuilt in a second pass. Raises
    `PrefixInUse`, `Interrupted`, and `StoreError` when the store cannot be listed.
    """
    ending = Ending(stop)
    ending.check()
    _require_own_prefix(repository.catalog, prefix, pointer)
    rebuilt = Catalog(repository.catalog.location, prefix)
    versions = versions_of(repository.catalog)
    work = _Rebuild(repository, rebuilt, ending, progress, collapse=collapse_modalities)
    ids = repository.recording_ids() if recording_ids is None else iter(recording_ids)
    work.run(ids, max_concurrent_recordings)
    found, caught_up = work.recordings, 0
    if recording_ids is None and versions_of(repository.catalog) != versions:
        work.run(_not_rebuilt(repository.catalog, rebuilt), max_concurrent_recordings)
        caught_up = work.recordings - found
    failures = tuple(islice(work.failures.values(), FAILURES_KEPT_MAX))
    return Rebuilt(
        prefix, found, work.written, work.unchanged, len(work.failures), caught_up, failures
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """What the store says of one recording; `names` are those of who was recorded."""

    recording_id: str
    manifest: Manifest
    files: Sequence[ManifestFile]
    names: tuple[str, ...]


@dataclass(slots=True)
class _Chunk:
    """Registrations on their way, by hash, with the identifiers they have in the store."""

    registrations: dict[str, Registration] = field(default_factory=dict)
    keys: int = 0

    @property
    def full(self) -> bool:
        return len(self.registrations) >= _TOGETHER_MAX or self.keys >= _KEYS_TOGETHER_MAX


class _Rebuild:
    """One rebuild: recordings read side by side, registered some at a time."""

    def __init__(
        self,
        repository: Repository,
        rebuilt: Catalog,
        stop: StopSignal,
        progress: OnRebuilt | None,
        *,
        collapse: bool,
    ) -> None:
        self.recordings = self.written = self.unchanged = 0
        self.failures: dict[str, Failure] = {}
        self._repository = repository
        self._rebuilt = rebuilt
        self._stop = stop
        self._progress = progress
        self._collapse = collapse
        self._known: dict[tuple[str, ...], tuple[ParticipantRow, ...]] = {}

    def run(self, recording_ids: Iterator[str], max_concurrent: int) -> None:
        """Rebuild these recordings."""
        chunk = _Chunk()
        for recording_id, future in self._reading(recording_ids, max_concurrent):
            self.recordings += 1
            try:
                registration = self._registration(future.result())
            except LadingError as error:
                self._failed(recording_id, error)
            else:
                self.failures.pop(recording_id, None)
                self._add(chunk, registration)
            if chunk.full:
                self._register(chunk)
                chunk = _Chunk()
            self._tell(recording_id)
        self._register(chunk)

    def _reading(
        self, recording_ids: Iterator[str], max_concurrent: int
    ) -> Iterator[tuple[str, Future[_Read]]]:
        """What is read of each, in order; a few are read ahead."""
        window: deque[tuple[str, Future[_Read]]] = deque()
        with ThreadPoolExecutor(max_concurrent, thread_name_prefix="rebuild") as pool:
            try:
                for recording_id in recording_ids:
                    self._stop.check()
                    window.append((recording_id, pool.submit(self._read, recording_id)))
                    if len(window) >= 2 * max_concurrent:
                        yield window.popleft()
                while window:
                    self._stop.check()
                    yield window.popleft()
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, recording_id: str) -> _Read:
        repository = self._repository
        sizes = require_any(repository, recording_id)
        manifest = repository.manifest(recording_id, sizes)
        manifest.require_complete(repository.key(recording_id, MANIFEST))
        files = require_stored(repository, recording_id, manifest.files, sizes)
        names = repository.participants(recording_id, sizes)
        return _Read(recording_id, manifest, files, names)

    def _registration(self, read: _Read) -> Registration:
        recording_hash = read.manifest.require_complete(read.recording_id)
        if read.names not in self._known:
            self._known[read.names] = participants_named(self._repository.catalog, read.names)
        participants = self._known[read.names]
        modalities = modality_rows(
            read.files,
            read.recording_id,
            recording_hash,
            prefix=self._repository.prefix,
            collapse=self._collapse,
        )
        ids = [each.participant_id for each in participants]
        recording = recording_row(read.manifest, read.recording_id, recording_hash, ids)
        return Registration(recording, modalities.rows, participants)

    def _add(self, chunk: _Chunk, registration: Registration) -> None:
        held = chunk.registrations.get(registration.recording_hash)
        if held is not None and _id_of(held.recording) != _id_of(registration.recording):
            self._register(chunk)  # the second of two copies meets the first as one that is held
            chunk.registrations.clear()
            chunk.keys = 0
        chunk.registrations[registration.recording_hash] = registration
        chunk.keys += sum(len(row.keys) for row in registration.modalities)

    def _register(self, chunk: _Chunk) -> None:
        """Write what is not there as it is; of copies, the one that the live catalog has."""
        self._stop.check()
        held = self._rebuilt.recordings_held(chunk.registrations)
        live = self._repository.catalog.recordings_held(held)
        wanted = []
        for recording_hash, registration in chunk.registrations.items():
            own, other = _id_of(registration.recording), _id_of(held.get(recording_hash))
            if other in (None, own):
                wanted.append(registration)
            elif _id_of(live.get(recording_hash)) == own:
                wanted.append(registration)
                self._failed(other or "", _copy(other, own, recording_hash))
            else:
                self._failed(own or "", _copy(own, other, recording_hash))
        done = self._rebuilt.register_many(wanted, on_conflict=Policy.OVERWRITE)
        self.written += done.recordings_written
        self.unchanged += done.unchanged
        for recording_hash, conflict in done.conflicts:
            self._failed(
                _id_of(chunk.registrations[recording_hash].recording) or recording_hash, conflict
            )

    def _failed(self, recording_id: str, error: LadingError) -> None:
        self.failures[recording_id] = Failure(recording_id, error)

    def _tell(self, recording_id: str) -> None:
        said = RebuildProgress(self.recordings, len(self.failures), recording_id)
        tell(self._progress, said, recording=recording_id)


def _not_rebuilt(live: Catalog, rebuilt: Catalog) -> Iterator[str]:
    """The identifiers of recordings that the live catalog has and the rebuilt one has not alike."""
    hashes = (
        difference.key[0]
        for difference in live.compare(rebuilt)
        if difference.table != PARTICIPANTS.name and difference.found is not Found.ONLY_THERE
    )
    while some := list(islice(hashes, _TOGETHER_MAX)):
        for row in live.recordings_held(some).values():
            recording_id = _id_of(row)
            if recording_id is not None:
                yield recording_id


def _require_own_prefix(live: Catalog, prefix: str, pointer: str) -> None:
    taken = {live.prefix}
    try:
        pointed = Pointer(live.location, pointer).read()
        taken |= {each for each in (pointed.prefix, pointed.previous) if each}
    except PointerMissing:
        pass  # a catalog that was opened by its prefix
    for each in sorted(taken):
        if f"{each}/".startswith(f"{prefix}/") or f"{prefix}/".startswith(f"{each}/"):
            raise PrefixInUse(
                "Under this prefix is a catalog in use, or the one to go back to",
                subject=prefix,
                found=each,
            )


def _copy(recording_id: str | None, held_as: str | None, recording_hash: str) -> LadingError:
    return RecordingHeldElsewhere(
        "The same recording is stored under another identifier, by which it was rebuilt",
        subject=recording_id,
        expected=recording_hash,
        found=str(held_as),
    )


def _id_of(row: RecordingRow | None) -> str | None:
    found = row.metadata.get("manifest_recording_id") if row else None
    return found if isinstance(found, str) else None
