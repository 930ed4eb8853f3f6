"""Reconstructs manifests from what is stored: every file is read once and hashed (path C, E4).

A recording whose manifest is complete, its files all there, is left as it is. The manifest is
written last and at once, so a run that was cut off has changed nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from lading.base.errors import LadingError
from lading.base.stopping import StopReason, StopSignal
from lading.base.version import __version__
from lading.catalog.values import UNKNOWN_PARTICIPANT
from lading.sources.recordings.ending import Ending
from lading.sources.recordings.errors import ManifestInvalid, StoredRecordingMissing
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.ingesting import write_manifest
from lading.sources.recordings.layout import (
    MANIFEST,
    check_id,
    is_data,
    location_of,
    object_name,
    path_of,
)
from lading.sources.recordings.listening import tell
from lading.sources.recordings.manifest import MANIFEST_BYTES_MAX, parse_manifest
from lading.sources.recordings.registering import require_stored
from lading.sources.recordings.repository import Repository, united
from lading.sources.recordings.rules import recording_hash_of
from lading.sources.recordings.stored_names import folder_markers, recorded_names
from lading.sources.recordings.values import Manifest, ManifestFile
from lading.storage.bucket import ObjectChanged
from lading.storage.port import ObjectInfo
from lading.storage.transfer import hash_stored

_PARTICIPANT_FIELD: Final = "participant"
_FACTS_FIELD: Final = "reconstruction"
_DAMAGE_NAMED_MAX: Final = 100


OnRead = Callable[["ReconstructProgress"], None]


class ReconstructionOutcome(StrEnum):
    """What became of a recording that was looked at."""

    VALID = "valid"
    """It has a manifest by which it can be registered; nothing was read or written."""
    RECONSTRUCTED = "reconstructed"
    """Its manifest was written."""
    WANTED = "wanted"
    """It needs a manifest; none was written, as it was asked for (dry run)."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stored file whose bytes are not those that its object or an earlier manifest states."""

    name: str
    expected: str
    found: str
    stated_by: str


@dataclass(frozen=True, slots=True)
class Reconstructed:
    """What became of one recording.

    `files` and `size_bytes` are of what it is registered by. `participant` is the name that was
    recovered, None where nobody is known. `unlisted` counts stored files that a valid manifest does
    not list. `stated_hash` is what an earlier manifest stated, where the files come to another.
    """

    recording_id: str
    outcome: ReconstructionOutcome
    recording_hash: str | None
    files: int
    size_bytes: int
    participant: str | None = None
    unlisted: int = 0
    damaged: tuple[Damage, ...] = ()
    stated_hash: str | None = None


@dataclass(frozen=True, slots=True)
class ReconstructProgress:
    """How far the reading of one recording is, after a file."""

    recording_id: str
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    current_file: str


def reconstruct(
    repository: Repository,
    recording_id: str,
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: OnRead | None = None,
    stop: StopSignal | None = None,
    max_concurrent_files: int = 4,
) -> Reconstructed:
    """Write the manifest of a stored recording that has none, by reading its files (E4).

    All fields of a stub are kept. The participant is who `participant.txt` names, else whom the
    stub does, else `__unknown__`. With `force` the manifest is made anew in any case; without it, a
    manifest that lists files that are not stored raises `StoredFilesMissing`: what is lost would
    else be forgotten. Raises also `StoredRecordingMissing`, `StoredNameRefused`, `ManifestInvalid`
    for a node's manifest, `ObjectChanged` when the recording is being uploaded, `Interrupted`.
    """
    ending = Ending(stop)
    ending.check()
    found = _Found.of(repository, recording_id)
    if found.valid and not force:
        return found.unchanged()
    if not force:
        require_stored(repository, recording_id, found.listed, found.sizes)
    names = recorded_names(found.sizes, recording_id)
    if not names:
        raise ManifestInvalid(
            "There is nothing recorded here",
            subject=location_of(recording_id, repository.prefix),
            expected="files in worker folders such as camera_0",
            next_step="Upload the recording from where its files are, or remove what is left.",
        )
    if dry_run:
        size_bytes = sum(found.sizes[name] for name in names)
        return Reconstructed(
            recording_id, ReconstructionOutcome.WANTED, None, len(names), size_bytes
        )
    reading = _Reading(repository, found, names, ending, progress)
    files, damaged = reading.run(max_concurrent_files)
    return _written(repository, found, files, damaged)


def reconstruct_all(
    repository: Repository,
    *,
    recording_ids: Iterable[str] | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: OnRead | None = None,
    stop: StopSignal | None = None,
    max_concurrent_files: int = 4,
) -> Iterator[Reconstructed | Failure]:
    """Reconstruct every stored recording, or those named, one after the other.

    One that fails is a `Failure` and ends nothing. Run again, it passes over what is valid by then.
    Recordings that are being uploaded have no manifest yet: let uploads end first. Raises
    `Interrupted`, and `StoreError` when the store cannot be listed.
    """
    for recording_id in repository.recording_ids() if recording_ids is None else recording_ids:
        try:
            done: Reconstructed | Failure = reconstruct(
                repository,
                recording_id,
                force=force,
                dry_run=dry_run,
                progress=progress,
                stop=stop,
                max_concurrent_files=max_concurrent_files,
            )
        except LadingError as error:
            done = Failure(recording_id, error)
        yield done


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store has of a recording before anything is read of its files.

    `stub` is its own manifest, `ruin` the bytes of one that is none, `stated` what its manifests
    say together.
    """

    recording_id: str
    infos: Mapping[str, ObjectInfo]
    sizes: Mapping[str, int]
    stub: Manifest
    ruin: bytes | None
    stated: Manifest | None

    @classmethod
    def of(cls, repository: Repository, recording_id: str) -> _Found:
        infos = {info.key: info for info in repository.stored(check_id(recording_id))}
        if not infos:
            raise StoredRecordingMissing(
                "Nothing is stored of this recording",
                subject=location_of(recording_id, repository.prefix),
            )
        sizes = {name: info.size_bytes for name, info in infos.items()}
        held = repository.manifests(recording_id, (name for name in sizes if name != MANIFEST))
        body, ruin = None, None
        if MANIFEST in sizes:
            body = repository.read(recording_id, MANIFEST, MANIFEST_BYTES_MAX)
        if body is not None:
            try:
                held[MANIFEST] = parse_manifest(body, repository.key(recording_id, MANIFEST))
            except ManifestInvalid:
                ruin = body
        return cls(
            recording_id,
            infos,
            sizes,
            held.get(MANIFEST, Manifest()),
            ruin,
            None if ruin is not None else united(held, sizes),
        )

    @property
    def listed(self) -> Sequence[ManifestFile]:
        """The files that its manifests list."""
        return self.stated.files if self.stated else ()

    @property
    def valid(self) -> bool:
        """Whether it can be registered as it is."""
        return bool(self.stated and self.stated.complete) and all(
            (size := self.sizes.get(object_name(file.rel_path))) is not None
            and file.size_bytes in (None, size)
            for file in self.listed
        )

    def unchanged(self) -> Reconstructed:
        """What is said of a recording that is valid."""
        listed = {object_name(file.rel_path) for file in self.listed}
        stored = {name for name in self.sizes if is_data(name)} - folder_markers(self.sizes)
        return Reconstructed(
            self.recording_id,
            ReconstructionOutcome.VALID,
            self.stated.recording_hash if self.stated else None,
            len(listed),
            sum(self.sizes[name] for name in listed),
            unlisted=len(stored - listed),
        )


@dataclass(slots=True)
class _Reading:
    """The files of one recording being read, several at a time, each a chunk in memory."""

    repository: Repository
    found: _Found
    names: Sequence[str]
    stop: StopSignal
    progress: OnRead | None
    files: list[ManifestFile] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    listed: Mapping[str, str] = field(init=False)
    bytes_total: int = field(init=False)
    bytes_done: int = 0

    def __post_init__(self) -> None:
        self.listed = {object_name(file.rel_path): file.sha256 for file in self.found.listed}
        self.bytes_total = sum(self.found.sizes[name] for name in self.names)

    def run(self, max_concurrent_files: int) -> tuple[list[ManifestFile], list[Damage]]:
        """All files with their hashes, in order, and those that are not what they shall be."""
        rest = iter(self.names)
        running: set[Future[ManifestFile]] = set()
        with ThreadPoolExecutor(max_concurrent_files, thread_name_prefix="reconstruct") as pool:
            try:
                while True:
                    wanted = islice(rest, 2 * max_concurrent_files - len(running))
                    running |= {pool.submit(self._read, name) for name in wanted}
                    if not running:
                        break
                    ended, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in ended:
                        self._take(future.result())
            except BaseException:
                self.stop.request(StopReason.OPERATOR)
                pool.shutdown(cancel_futures=True)
                raise
        self.files.sort(key=lambda file: file.rel_path)
        self.damaged.sort(key=lambda each: each.name)
        return self.files, self.damaged

    def _read(self, name: str) -> ManifestFile:
        self.stop.check()
        key = self.repository.key(self.found.recording_id, name)
        sha256, size_bytes = hash_stored(self.repository.raw, key, stop=self.stop)
        if size_bytes != self.found.sizes[name]:
            raise _changed(key, f"{self.found.sizes[name]} bytes", f"{size_bytes} bytes")
        self._compare(name, sha256)
        return ManifestFile(path_of(name), sha256, size_bytes)

    def _compare(self, name: str, sha256: str) -> None:
        stated = {"a manifest": self.listed.get(name)}
        if self.repository.raw.abilities.user_metadata:
            info = self.repository.raw.head(self.repository.key(self.found.recording_id, name))
            stated["its object"] = info.metadata.get("sha256") if info else None
        for stated_by, expected in stated.items():
            if expected is not None and expected.lower() != sha256:
                self.damaged.append(Damage(name, expected.lower(), sha256, stated_by))

    def _take(self, file: ManifestFile) -> None:
        self.files.append(file)
        self.bytes_done += file.size_bytes or 0
        if self.progress is None:
            return
        said = ReconstructProgress(
            self.found.recording_id,
            files_done=len(self.files),
            files_total=len(self.names),
            bytes_done=self.bytes_done,
            bytes_total=self.bytes_total,
            current_file=file.rel_path,
        )
        tell(self.progress, said, file=file.rel_path)


def _written(
    repository: Repository, found: _Found, files: list[ManifestFile], damaged: Sequence[Damage]
) -> Reconstructed:
    """Write the manifest, if the recording is still what was read."""
    recording_id, stub = found.recording_id, found.stub
    name = repository.participant(recording_id) or _named_by(stub)
    stated_hash = found.stated.recording_hash if found.stated else None
    recording_hash = recording_hash_of(file.sha256 for file in files)
    if stated_hash == recording_hash:
        stated_hash = None
    facts: dict[str, Any] = {
        "reconstructed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reconstructed_by": f"lading {__version__}",
        "files": len(files),
        "reconstructed_participant": name is None,
    }
    if stated_hash:
        facts["recording_hash_before"] = stated_hash
    if damaged:
        facts["damaged"] = [each.name for each in damaged[:_DAMAGE_NAMED_MAX]]
    body = {
        **({} if stub.recording_id else {"recording_id": recording_id}),
        **stub.body,
        _PARTICIPANT_FIELD: name or UNKNOWN_PARTICIPANT,
        _FACTS_FIELD: facts,
    }
    _require_same(repository, found)
    if found.ruin is not None:
        # What could not be understood may still be read by a person.
        aside = f".manifest-{hashlib.sha256(found.ruin).hexdigest()[:12]}.unreadable"
        repository.write(recording_id, aside, found.ruin)
    write_manifest(repository, recording_id, body, files)
    return Reconstructed(
        recording_id,
        ReconstructionOutcome.RECONSTRUCTED,
        recording_hash,
        len(files),
        sum(file.size_bytes or 0 for file in files),
        participant=name,
        damaged=tuple(damaged),
        stated_hash=stated_hash,
    )


def _require_same(repository: Repository, found: _Found) -> None:
    """Raise `ObjectChanged` when the store has something else of the recording by now."""

    def looked_at(infos: Iterable[ObjectInfo]) -> dict[str, tuple[int, str | None]]:
        return {info.key: (info.size_bytes, info.etag) for info in infos}

    before, now = looked_at(found.infos.values()), looked_at(repository.stored(found.recording_id))
    if before != now:
        name = min(key for key in {*before, *now} if before.get(key) != now.get(key))
        key = repository.key(found.recording_id, name)
        raise _changed(key, _state(before.get(name)), _state(now.get(name)))


def _state(looked_at: tuple[int, str | None] | None) -> str:
    return "nothing" if looked_at is None else f"{looked_at[0]} bytes, ETag {looked_at[1]}"


def _changed(key: str, expected: str, found: str) -> ObjectChanged:
    return ObjectChanged(
        "The recording changed while it was read, so no manifest was written",
        subject=key,
        expected=expected,
        found=found,
        next_step="Let the upload end; then run it again, should there be no manifest still.",
    )


def _named_by(stub: Manifest) -> str | None:
    value = stub.body.get(_PARTICIPANT_FIELD)
    name = " ".join(value.split()) if isinstance(value, str) else ""
    return name if name and name != UNKNOWN_PARTICIPANT else None
