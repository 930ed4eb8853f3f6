"""One recording's folder, read once: what its manifest says, and what lies beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lading.base.errors import LadingError, SourceError
from lading.sources.recordings.errors import ManifestInvalid
from lading.sources.recordings.layout import MANIFEST, NODE_MANIFESTS, PARTICIPANT, check_id
from lading.sources.recordings.local import (
    LocalManifest,
    data_files,
    read_manifest,
    read_participant,
)
from lading.sources.recordings.manifest import file_entry, manifest_text, parse_manifest
from lading.sources.recordings.rules import recording_hash_of
from lading.sources.recordings.values import ManifestFile
from lading.storage.roots import FileFacts, FileMissing, SafeRoot
from lading.storage.transfer import SizeMismatch

RECORDED: Final = "rec_"
"""How the folders of recordings begin."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of a recording. `sha256` is None until it was hashed, `size_bytes` where unknown."""

    rel_path: str
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RecordingFolder:
    """A recording as its folder has it; `digest` stands for all that was read.

    Without a complete manifest, the files are those that lie in the folder. `newest_ns` is when the
    newest of them was written; 0 where the manifest names them, which then were finished.
    """

    path: Path
    recording_id: str
    local: LocalManifest
    participant: str | None
    files: tuple[RecordedFile, ...]
    digest: str
    newest_ns: int = 0

    @property
    def complete(self) -> bool:
        """Whether the manifest has the hashes of all files."""
        return self.local.manifest.complete

    @property
    def size_bytes(self) -> int:
        """What the files have in all, as far as it is known."""
        return sum(file.size_bytes or 0 for file in self.files)

    def augmented(self, files: Sequence[ManifestFile]) -> LocalManifest:
        """The manifest with these files and their hash, as `augment_manifest` would write it."""
        facts = {
            **self.local.manifest.body,
            "recording_hash": recording_hash_of(file.sha256 for file in files),
            "files": [file_entry(file) for file in files],
        }
        text = manifest_text(facts)
        return LocalManifest(parse_manifest(text, str(self.path / MANIFEST)), {MANIFEST: text})


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that was looked at: as it lies in the folder, or why it cannot be taken."""

    file: RecordedFile
    fault: LadingError | None = None


def read_folder(path: Path, *, augment: bool) -> RecordingFolder:
    """Read the manifest of a recording; with `augment`, list the files of one that lacks them.

    Raises `ManifestMissing`, `ManifestInvalid`, `ManifestsDisagree`, `ManifestIncomplete`,
    `RecordingIdRefused`, and what `SafeRoot` raises.
    """
    local = read_manifest(path / MANIFEST, path)
    manifest = local.manifest
    recording_id = check_id(manifest.recording_id or path.name)
    participant = read_participant(path)
    said = [f"{name}\0{hashlib.sha256(body).hexdigest()}" for name, body in local.bodies.items()]
    said.append(f"{PARTICIPANT}\0{participant or ''}")
    newest_ns = 0
    if manifest.complete:
        files = [RecordedFile(f.rel_path, f.sha256, f.size_bytes) for f in manifest.files]
    else:
        # The halves of a session say who recorded what; that is not made up.
        if not augment or MANIFEST not in local.bodies:
            manifest.require_complete(str(path / MANIFEST))
        listed = _listed(path)
        files = [RecordedFile(name, None, facts.size_bytes) for name, facts in listed]
        said += [f"{name}\0{facts.size_bytes}\0{facts.mtime_ns}" for name, facts in listed]
        newest_ns = max(facts.mtime_ns for _, facts in listed)
    digest = hashlib.sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()
    return RecordingFolder(path, recording_id, local, participant, tuple(files), digest, newest_ns)


def look_at(root: SafeRoot, files: Sequence[RecordedFile]) -> list[Looked]:
    """Each file as it lies below the recording's folder, by one look and without reading it."""
    return [_look_at(root, file) for file in files]


def _look_at(root: SafeRoot, file: RecordedFile) -> Looked:
    try:
        size_bytes = root.stat(file.rel_path).size_bytes
    except SourceError as error:
        return Looked(file, error)
    if file.size_bytes not in {None, size_bytes}:
        fault = SizeMismatch(
            "The file has another size than its manifest says",
            subject=file.rel_path,
            expected=file.size_bytes,
            found=size_bytes,
        )
        return Looked(file, fault)
    return Looked(RecordedFile(file.rel_path, file.sha256, size_bytes))


def stamps(root: SafeRoot, key: str) -> list[tuple[str, FileFacts]]:
    """The files of a recording's folder that say what it is, with what the system says of them.

    Empty for a folder that has no manifest. Raises what `SafeRoot` does for what is no plain file.
    """
    found = _stamp(root, key, MANIFEST)
    if not found:
        for name in _names(root, f"{key}/{NODE_MANIFESTS}"):
            found += _stamp(root, key, f"{NODE_MANIFESTS}/{name}")
    return found and found + _stamp(root, key, PARTICIPANT)


def _stamp(root: SafeRoot, key: str, name: str) -> list[tuple[str, FileFacts]]:
    try:
        return [(name, root.stat(f"{key}/{name}"))]
    except FileMissing:
        return []


def _names(root: SafeRoot, folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in root.names(folder) if entry.name.endswith(".json"))
    except FileMissing:
        return []


def _listed(path: Path) -> list[tuple[str, FileFacts]]:
    with SafeRoot(path) as root:
        listed = [(name, root.stat(name)) for name in data_files(root)]
    if not listed:
        raise ManifestInvalid(
            "There is nothing recorded in this folder",
            subject=str(path),
            expected="worker folders such as camera_0 with files in them",
        )
    return listed
