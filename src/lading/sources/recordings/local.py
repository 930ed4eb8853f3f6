"""A recording in a folder: its manifests, its participant, its files; and its manifest made.

Everything is opened below the recording's folder, without following links out of it.
"""

from __future__ import annotations

import os
import stat as modes
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lading.base.errors import RequestError
from lading.base.stopping import StopReason, StopSignal
from lading.sources.recordings.ending import Ending
from lading.sources.recordings.errors import ManifestInvalid, ManifestMissing
from lading.sources.recordings.layout import (
    MANIFEST,
    NODE_MANIFESTS,
    PARTICIPANT,
    check_id,
    is_about_it,
    is_data,
)
from lading.sources.recordings.manifest import (
    MANIFEST_BYTES_MAX,
    file_entry,
    manifest_text,
    parse_manifest,
)
from lading.sources.recordings.repository import participant_name
from lading.sources.recordings.rules import merged, recording_hash_of
from lading.sources.recordings.values import Manifest, ManifestFile
from lading.storage.roots import FileMissing, NotARegularFile, SafeRoot, split_relative
from lading.storage.transfer import SizeMismatch, TransferMeter, Unmetered, hash_file

_PARTICIPANT_READ_MAX: Final = 4097
_HASHES_AT_ONCE: Final = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class LocalManifest:
    """A recording's manifest as its folder has it.

    `bodies` are the manifests that were read, by the names under which they are stored.
    """

    manifest: Manifest
    bodies: Mapping[str, bytes]


def read_manifest(manifest_path: Path, source_dir: Path) -> LocalManifest:
    """The manifest at a path; where there is none, those of the nodes in `source_dir`, merged.

    Raises `ManifestMissing`, `ManifestInvalid`, `ManifestsDisagree`.
    """
    try:
        body = _read_bounded(manifest_path)
    except FileNotFoundError:
        return _node_manifests(source_dir, manifest_path)
    manifest = parse_manifest(body, str(manifest_path))
    return LocalManifest(manifest, {MANIFEST: body})


def read_participant(source_dir: Path) -> str | None:
    """The name in the folder's `participant.txt`, if there is one."""
    try:
        with SafeRoot(source_dir) as root, root.open(PARTICIPANT) as file:
            return participant_name(file.read(_PARTICIPANT_READ_MAX))
    except (FileMissing, NotARegularFile):
        return None


def data_files(root: SafeRoot, folder: str = "") -> Iterator[str]:
    """The paths of what was recorded, below the root, in order; one folder in memory at a time.

    Links and special files raise `NotARegularFile`: a recording that lacks what it seems to have
    would be worse than one that is refused.
    """
    entries = sorted(root.names(folder), key=lambda entry: entry.name)
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not is_data(path):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from data_files(root, path)
        elif entry.is_file(follow_symlinks=False):
            split_relative(path)
            yield path
        else:
            raise NotARegularFile("This is neither a file nor a folder", subject=path)


def resolved(root: SafeRoot, files: Sequence[ManifestFile]) -> list[ManifestFile]:
    """The files with their sizes, each of them looked at.

    Raises `FileMissing`, `SizeMismatch`, and `ManifestInvalid` for one whose place in the store is
    that of what is said of the recording.
    """
    found = []
    for file in files:
        if is_about_it(file.rel_path):
            raise ManifestInvalid(
                "The manifest lists what is no file of the recording, but is about it",
                subject=file.rel_path,
                next_step="Augment the manifest anew (force), which leaves it out.",
            )
        size_bytes = root.stat(file.rel_path).size_bytes
        if file.size_bytes not in (None, size_bytes):
            raise SizeMismatch(
                "The file has another size than its manifest says",
                subject=file.rel_path,
                expected=file.size_bytes,
                found=size_bytes,
                next_step="If the file is right, augment the manifest anew (force).",
            )
        found.append(ManifestFile(file.rel_path, file.sha256, size_bytes))
    return found


def augment_manifest(
    manifest_path: Path | str,
    source_dir: Path | str | None = None,
    *,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
    stop: StopSignal | None = None,
) -> Manifest:
    """Add `recording_hash` and `files` to a manifest, by hashing what lies beside it (D6).

    Reads every file once. A manifest that has both is left as it is, unless `force`. Where there
    is no manifest, one is made, named after the folder. All other fields are kept. `progress`
    hears each file's path when it is hashed. Raises what reading files raises,
    `ManifestInvalid`, and `Interrupted` by `stop`; the manifest is then as it was.
    """
    path = Path(manifest_path)
    folder = path.parent if source_dir is None else Path(source_dir)
    body: dict[str, Any] = {}
    try:
        held = parse_manifest(_read_bounded(path), str(path))
        if held.complete and not force:
            return held
        body = dict(held.body)
    except FileNotFoundError:
        body = {"recording_id": check_id(folder.absolute().name)}
    files = _hashed(folder, progress, Ending(stop))
    if not files:
        raise ManifestInvalid(
            "There is nothing recorded in this folder",
            subject=str(folder),
            expected="worker folders such as camera_0 with files in them",
            next_step="Check that it is a recording's folder.",
        )
    body["recording_hash"] = recording_hash_of(file.sha256 for file in files)
    body["files"] = [file_entry(file) for file in files]
    text = manifest_text(body)
    write_aside(path, text)
    return parse_manifest(text, str(path))


def write_aside(path: Path, body: bytes) -> None:
    """Write a small file so that it is there whole or as it was: aside, synced, renamed."""
    fd, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, _mode_for_new_files(path))
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def _mode_for_new_files(path: Path) -> int:
    try:
        return modes.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0o644


def _hashed(
    folder: Path, progress: Callable[[str], None] | None, stop: StopSignal
) -> list[ManifestFile]:
    with (
        SafeRoot(folder) as root,
        ThreadPoolExecutor(_HASHES_AT_ONCE, thread_name_prefix="augment") as pool,
    ):
        meter: TransferMeter = Unmetered()

        def hashed(path: str) -> ManifestFile:
            found = hash_file(root, path, meter=meter, stop=stop)
            return ManifestFile(path, found.sha256, found.size_bytes)

        files = []
        try:
            for file in pool.map(hashed, data_files(root)):
                files.append(file)
                if progress is not None:
                    progress(file.rel_path)
        except BaseException:
            stop.request(StopReason.OPERATOR)  # the threads shall not read on for nobody
            raise
        return files


def _node_manifests(source_dir: Path, manifest_path: Path) -> LocalManifest:
    folder = source_dir / NODE_MANIFESTS
    bodies: dict[str, bytes] = {}
    if folder.is_dir():
        for path in sorted(folder.glob("*.json")):
            bodies[f"{NODE_MANIFESTS}/{path.name}"] = _read_bounded(path)
    if not bodies:
        raise ManifestMissing("The recording has no manifest", subject=str(manifest_path))
    parsed = [(name, parse_manifest(body, f"{source_dir}/{name}")) for name, body in bodies.items()]
    return LocalManifest(merged(parsed), bodies)


def _read_bounded(path: Path) -> bytes:
    """A manifest's bytes, one more than allowed at the most. Raises `FileNotFoundError`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RequestError(
            f"The manifest cannot be read: {error.strerror}", subject=str(path)
        ) from error
    with os.fdopen(fd, "rb") as file:
        if not modes.S_ISREG(os.fstat(fd).st_mode):
            raise ManifestInvalid("The manifest is no regular file", subject=str(path))
        return file.read(MANIFEST_BYTES_MAX + 1)
