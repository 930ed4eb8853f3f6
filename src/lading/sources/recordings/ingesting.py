"""Takes recordings in: uploads and registers (path A), or registers what is stored (path B).

A recording's row is written after all its bytes, its participant's name and its manifest are in
the store, so that whatever is found in the catalog can be fetched (D2), and the catalog can be made
anew from the store alone (E10).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from lading.base.steps import RecordingStep, reach
from lading.catalog.errors import CatalogConflict
from lading.catalog.rules import Policies
from lading.catalog.values import Policy, RecordingRow
from lading.sources.recordings.errors import (
    ManifestInvalid,
    Sha256Unknown,
    StoredRecordingMissing,
)
from lading.sources.recordings.layout import (
    MANIFEST,
    NODE_MANIFESTS,
    check_id,
    location_of,
    path_of,
)
from lading.sources.recordings.local import (
    LocalManifest,
    read_manifest,
    read_participant,
    resolved,
)
from lading.sources.recordings.manifest import (
    MANIFEST_BYTES_MAX,
    file_entry,
    manifest_text,
    parse_manifest,
)
from lading.sources.recordings.registering import (
    Proposal,
    propose,
    register,
    require_same_contents,
    require_stored,
)
from lading.sources.recordings.repository import PARTICIPANT_FILES, Repository
from lading.sources.recordings.rules import covers, kept_beside, known_name, recording_hash_of
from lading.sources.recordings.stored_names import recorded_names
from lading.sources.recordings.uploading import (
    FileUploader,
    IsActive,
    OnUpload,
    RigWatch,
    Uploads,
    upload_all,
)
from lading.sources.recordings.values import IngestResult, Manifest, ManifestFile
from lading.storage.roots import SafeRoot

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class LocalRecording:
    """A recording in a folder, read and looked at, before anything is moved."""

    source_dir: Path
    recording_id: str
    local: LocalManifest
    files: list[ManifestFile]
    participant: str | None

    @property
    def manifest(self) -> Manifest:
        """What it is registered by."""
        return self.local.manifest


def open_local(
    manifest_path: Path, source_dir: Path, *, participant: str | None = None
) -> LocalRecording:
    """Read a recording's manifest and look at each of its files, without reading them.

    Without a `participant`, the folder's `participant.txt` says who it is. Raises
    `ManifestMissing`, `ManifestIncomplete`, `FileMissing`, `SizeMismatch` and the like.
    """
    local = read_manifest(manifest_path, source_dir)
    local.manifest.require_complete(str(manifest_path))
    with SafeRoot(source_dir) as root:
        files = resolved(root, local.manifest.files)
    recording_id = check_id(local.manifest.recording_id or source_dir.absolute().name)
    typed = participant if (participant or "").strip() else read_participant(source_dir)
    return LocalRecording(source_dir, recording_id, local, files, known_name(typed))


def ingest_recording(
    repository: Repository,
    recording: LocalRecording,
    *,
    is_active: IsActive | None = None,
    progress: OnUpload | None = None,
    overwrite: bool = False,
    collapse_modalities: bool = True,
    max_concurrent_files: int = 4,
    on_conflict: Policies = Policy.ERROR,
) -> IngestResult:
    """Upload a recording's files and register it (D1 to D9).

    What would be refused by the catalog is refused before a byte is moved. With `overwrite`, every
    file is sent again and a row that differs is replaced (E5, E6).
    """
    watch = RigWatch(is_active)
    proposed = partial(
        propose,
        repository,
        recording.manifest,
        recording.files,
        recording.recording_id,
        participant=recording.participant,
        collapse_modalities=collapse_modalities,
        on_conflict=Policy.OVERWRITE if overwrite else on_conflict,
    )
    proposal = proposed()
    sizes = repository.sizes(recording.recording_id)
    if proposal.held is not None and not overwrite:
        require_same_contents(repository, recording.recording_id, recording.manifest, sizes)
    with SafeRoot(recording.source_dir) as root:
        uploader = FileUploader(
            repository,
            root,
            recording.recording_id,
            sizes,
            vouched=proposal.settled,
            overwrite=overwrite,
        )
        uploads = upload_all(
            uploader,
            recording.files,
            watch=watch,
            progress=progress,
            max_concurrent_files=max_concurrent_files,
        )
    if uploads.paused:
        return _result(uploads, None)
    if overwrite:  # uploads take long: a half that came meanwhile is not overwritten, either
        proposal = proposed()
    store_what_is_said(repository, recording, overwrite=overwrite and not proposal.leaves_others)
    try:
        return _result(uploads, register(repository, proposal))
    except CatalogConflict:  # another half may have come since, beside which this one merges
        return _result(uploads, register(repository, proposed()))


def register_stored(
    repository: Repository,
    recording_id: str,
    *,
    participant: str | None = None,
    collapse_modalities: bool = True,
    on_conflict: Policies = Policy.ERROR,
    keep_participant: bool = False,
) -> IngestResult:
    """Register a recording whose files are stored already (path B, D10, E3).

    Without a `participant`, the stored `participant.txt` says who it is; with `keep_participant`,
    a name that was given is stored where there was none, for a rebuild to find (E10). Raises
    `ManifestMissing`, `ManifestIncomplete`, `StoredFilesMissing`, `StoredRecordingMissing`,
    `CatalogConflict`.
    """
    proposal = propose_stored(
        repository,
        recording_id,
        participant=participant,
        collapse_modalities=collapse_modalities,
        on_conflict=on_conflict,
    )
    if keep_participant and (name := known_name(participant)):
        _store_participant(repository, recording_id, name)
    return _result(Uploads(), register(repository, proposal))


def propose_stored(
    repository: Repository,
    recording_id: str,
    *,
    participant: str | None = None,
    collapse_modalities: bool = True,
    on_conflict: Policies = Policy.ERROR,
) -> Proposal:
    """What `register_stored` would register; nothing is written. Raises what it raises."""
    sizes = require_any(repository, recording_id)
    manifest = repository.manifest(recording_id, sizes)
    manifest.require_complete(repository.key(recording_id, MANIFEST))
    files = require_stored(repository, recording_id, manifest.files, sizes)
    return propose(
        repository,
        manifest,
        files,
        recording_id,
        participant=participant
        if (participant or "").strip()
        else repository.participants(recording_id, sizes),
        collapse_modalities=collapse_modalities,
        on_conflict=on_conflict,
    )


def augment_stored(repository: Repository, recording_id: str) -> Manifest:
    """Add hash and files to a stored manifest by the sha256 that each object carries (D10).

    No object is read. A manifest that has both is left as it is. Raises `Sha256Unknown` when an
    object carries none: then the manifest has to be reconstructed.
    """
    sizes = require_any(repository, recording_id)
    held = repository.manifests(recording_id, sizes)
    if MANIFEST in held and held[MANIFEST].complete:
        return held[MANIFEST]
    files = []
    names = recorded_names(sizes, recording_id)
    for name, metadata in repository.metadata(recording_id, names):
        sha256 = metadata.get("sha256", "").lower()
        if not sha256:
            raise Sha256Unknown(
                "A stored file carries no sha256", subject=repository.key(recording_id, name)
            )
        files.append(ManifestFile(path_of(name), sha256, sizes[name]))
    body = dict(held[MANIFEST].body) if MANIFEST in held else {"recording_id": recording_id}
    return write_manifest(repository, recording_id, body, files)


def write_manifest(
    repository: Repository, recording_id: str, body: Mapping[str, object], files: list[ManifestFile]
) -> Manifest:
    """Put a recording's manifest into the store, with the hash of these files."""
    if not files:
        raise ManifestInvalid(
            "There is nothing recorded here",
            subject=location_of(recording_id, repository.prefix),
            expected="files in worker folders such as camera_0",
        )
    facts = {
        **body,
        "recording_hash": recording_hash_of(file.sha256 for file in files),
        "files": [file_entry(file) for file in files],
    }
    text = manifest_text(facts)
    key = repository.key(recording_id, MANIFEST)
    manifest = parse_manifest(text, key)
    repository.write(recording_id, MANIFEST, text, media_type=_JSON)
    return manifest


def require_any(repository: Repository, recording_id: str) -> dict[str, int]:
    """The sizes of a recording's objects by name. Raises `StoredRecordingMissing` for none."""
    sizes = repository.sizes(check_id(recording_id))
    if not sizes:
        raise StoredRecordingMissing(
            "Nothing is stored of this recording",
            subject=location_of(recording_id, repository.prefix),
        )
    return sizes


def store_what_is_said(
    repository: Repository,
    recording: LocalRecording,
    *,
    overwrite: bool = False,
) -> None:
    """Store the participant's name and the manifests beside the files, where they are not yet.

    A half goes beside the manifest of the other half, never over it (E9). With `overwrite`, the
    participant takes the place of all who were named.
    """
    recording_id = recording.recording_id
    if recording.participant and overwrite:
        repository.write_participants(recording_id, [recording.participant], PARTICIPANT_FILES)
    elif recording.participant:
        _store_participant(repository, recording_id, recording.participant)
    for name, body in recording.local.bodies.items():
        _store_manifest(repository, recording_id, name, body)
    reach(RecordingStep.MANIFEST_STORED)


def _store_participant(repository: Repository, recording_id: str, name: str) -> None:
    """Add a name to those stored by now, if it is not among them."""
    stored = repository.participants(recording_id, PARTICIPANT_FILES)
    if name not in stored:
        repository.write_participants(recording_id, [*stored, name], PARTICIPANT_FILES)


def _store_manifest(repository: Repository, recording_id: str, name: str, body: bytes) -> None:
    proposed = parse_manifest(body, name)
    for place in (name, *_places_beside(proposed, body)):
        held_body = repository.read(recording_id, place, MANIFEST_BYTES_MAX)
        held = _understood(held_body, place)
        if held_body == body or covers(held, proposed):
            return
        if not kept_beside(held, proposed):
            break
    repository.write(recording_id, place, body, media_type=_JSON)


def _understood(body: bytes | None, name: str) -> Manifest | None:
    """A stored manifest; None for a ruin as well, which says nothing that ours could hide."""
    if body is None:
        return None
    try:
        return parse_manifest(body, name)
    except ManifestInvalid:
        return None


def _places_beside(manifest: Manifest, body: bytes) -> Iterator[str]:
    """Where a half's manifest may go: named by its node; by itself, as nodes may bring several."""
    node = manifest.node or ""
    if node and node.isascii() and node.replace("-", "").replace(".", "").isalnum():
        yield f"{NODE_MANIFESTS}/{node}.json"
    yield f"{NODE_MANIFESTS}/half-{hashlib.sha256(body).hexdigest()[:12]}.json"


def _result(uploads: Uploads, recording: RecordingRow | None) -> IngestResult:
    return IngestResult(
        paused=uploads.paused,
        recording=recording,
        files_uploaded=uploads.files_uploaded,
        files_skipped=uploads.files_skipped,
        bytes_uploaded=uploads.bytes_uploaded,
        skipped_by={each.value: count for each, count in uploads.skipped_by.items()},
    )
