"""The recordings source: folders that rigs leave on a disk, taken into a raw store and a catalog.

Nothing is ever written to the folders: a manifest that lacks its hashes is completed in memory, and
so it goes to the store.
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from lading.base.errors import LadingError
from lading.ingest.source import (
    BatchRef,
    BatchRefused,
    Discovered,
    ItemRefused,
    KeptFile,
    OpenBatch,
    SourceDefinition,
    SourceMissing,
)
from lading.sources.recordings.activity import Rig
from lading.sources.recordings.discover import discover, is_young
from lading.sources.recordings.folder import RecordingFolder, look_at, read_folder, stamps
from lading.sources.recordings.importer import Importer, not_stored
from lading.sources.recordings.open_batch import FILE, RecordingBatch
from lading.sources.recordings.options import RecordingsOptions, parse_options
from lading.sources.recordings.profiles import ROLES, load_profile
from lading.sources.recordings.reasons import REASONS, reason_of
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.standing import standing_of
from lading.storage.port import ObjectMissing
from lading.storage.roots import RootMissing, SafeRoot

KIND: Final = "recordings"


class RecordingsSource:
    """One configured folder of recordings. Everything it does to the folder is reading.

    `open_repository` opens where the recordings go, when it is first needed.
    """

    kind: str = KIND

    def __init__(
        self, name: str, options: RecordingsOptions, open_repository: Callable[[], Repository]
    ) -> None:
        self.name = name
        self.options = options
        self._root = SafeRoot(options.path)
        marker = options.active_marker
        self.rig = Rig(name, None if marker is None else options.path / marker)
        self._open_repository = open_repository
        self._opening = threading.Lock()
        self._repository: Repository | None = None

    @property
    def repository(self) -> Repository:
        """Where the recordings go. Raises what opening it raises."""
        with self._opening:
            if self._repository is None:
                self._repository = self._open_repository()
            return self._repository

    def identity(self) -> str:
        """What tells this folder from another mounted in its place. Raises `SourceMissing`."""
        try:
            return self._root.identity()
        except RootMissing as error:
            raise SourceMissing(error.message, subject=str(self.options.path)) from error

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Every recording there is, by a few looks each; while the rig records, those known.

        Raises `SourceMissing`.
        """
        if self.rig.is_active():
            return (Discovered(key, fingerprint) for key, fingerprint in known.items())
        return discover(self._root, known, self.options)

    @contextmanager
    def open_batch(self, batch: BatchRef) -> Iterator[OpenBatch]:
        """Read the recording's manifest, look at its files and at what is held of it.

        Raises `BatchRefused`, `SourceMissing`, and what the store and the catalog raise.
        """
        identity = self.identity()
        with self._refusals(identity, batch.key):
            folder = self._folder(batch.key)
        self._look_at_pointer()
        with SafeRoot(folder.path) as root:
            with self._refusals(identity, batch.key):
                opened = self._opened(folder, root, identity)
            yield opened

    def stat_location(self, location: str) -> int:
        """The size in bytes of a stored object. Raises `ItemRefused`, `StoreError`."""
        info = self.repository.raw.head(location)
        if info is None:
            raise not_stored(location)
        return info.size_bytes

    def read_location(self, location: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a stored object, from `offset` on. Raises `ItemRefused`, `StoreError`."""
        try:
            yield from self.repository.raw.get(location, offset=offset)
        except ObjectMissing as error:
            raise not_stored(location) from error

    def kept_file(self, kind: str, detail: Mapping[str, Any]) -> KeptFile | None:
        """The stored object of a file."""
        if kind != FILE:
            return None
        return KeptFile(
            detail["path"], detail["location"], detail["size_bytes"], detail.get("sha256")
        )

    def require_kept(self, kind: str, detail: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Raise `ItemRefused` when the catalog does not have the recording."""
        wanted = {"location": detail["place"]}
        if "recording_hash" in detail:
            wanted["recording_hash"] = detail["recording_hash"]
        if not any(True for _ in self.repository.catalog.list_modalities(wanted, limit=1)):
            raise ItemRefused(REASONS["not_registered"], subject=detail["place"])

    def _look_at_pointer(self) -> None:
        """Go on with the catalog that is live now, should another have been flipped to (E1)."""
        current = self.repository.current()
        with self._opening:
            self._repository = current

    def _folder(self, key: str) -> RecordingFolder:
        path = self.options.path / key
        try:
            is_folder = stat.S_ISDIR(path.lstat().st_mode)
        except OSError:
            is_folder = False
        if not is_folder:
            raise BatchRefused(REASONS["folder_gone"], subject=key)
        found = stamps(self._root, key)  # which follows no link
        folder = read_folder(path, augment=self.options.augment)
        newest_ns = max(folder.newest_ns, *(facts.mtime_ns for _, facts in found), 0)
        if is_young(newest_ns, self.options):
            raise BatchRefused(REASONS["still_written"], subject=key)
        return folder

    def _opened(self, folder: RecordingFolder, root: SafeRoot, identity: str) -> RecordingBatch:
        looked = look_at(root, folder.files)
        standing = standing_of(self.repository, folder, looked)
        importer = Importer(
            self.repository,
            folder,
            looked,
            standing,
            root=root,
            rig=self.rig,
            require_root=partial(self._require, identity),
        )
        return RecordingBatch(
            self.repository,
            folder,
            looked,
            standing,
            importer,
            rig=self.rig,
            fetches_max=self.options.max_concurrent_files,
        )

    def _require(self, identity: str) -> None:
        """Raise `SourceMissing` unless the root is still the one of this `identity`."""
        found = self.identity()
        if found != identity:
            raise SourceMissing(
                "the source's root was replaced by another",
                subject=str(self.options.path),
                expected=identity,
                found=found,
            )

    @contextmanager
    def _refusals(self, identity: str, key: str) -> Iterator[None]:
        """Tell what is wrong with the recording apart from a source that is gone."""
        try:
            yield
        except LadingError as error:
            self._require(identity)
            reason = reason_of(error)
            if isinstance(error, RootMissing):  # of the recording's folder: the source's is there
                reason = REASONS["folder_gone"]
            if reason is None:
                raise
            raise BatchRefused(
                reason,
                subject=error.subject or key,
                expected=error.expected,
                found=error.message if error.found is None else error.found,
            ) from error


def build(name: str, options: Mapping[str, Any]) -> RecordingsSource:
    """A source from its settings. Raises `BadRecordingsOptions`.

    The folder, the profile and what it names need not be there yet.
    """
    chosen = parse_options(name, options)

    def open_repository() -> Repository:
        return load_profile(chosen.profile, chosen.config_path).open(ROLES)

    return RecordingsSource(name, chosen, open_repository)


definition = SourceDefinition(
    kind=KIND,
    build=build,
    reasons=REASONS,
    summary="Recordings that rigs leave in folders, taken into a raw store and a catalog.",
)

__all__ = ["KIND", "RecordingsSource", "build", "definition"]
