"""The photos source: a tree of folders becomes library rows, and not one original is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from lading.base.errors import RequestError, SourceError, printable
from lading.ingest.source import (
    BatchRef,
    BatchRefused,
    Discovered,
    ItemRefused,
    OpenBatch,
    PlannedBatch,
    SourceDefinition,
    SourceMissing,
)
from lading.library.photo_values import FilePlace
from lading.media.packages import vips
from lading.sources.photos.deriving import Deriving
from lading.sources.photos.discover import discover
from lading.sources.photos.folders import (
    ROOT_KEY,
    Listing,
    folder_of,
    is_folder,
    is_media,
    is_sidecar,
    lies_below,
    list_folder,
)
from lading.sources.photos.importer import Importer
from lading.sources.photos.open_batch import ListedFolder, PlannedFolder, still_holds
from lading.sources.photos.options import PhotosOptions, parse_options
from lading.sources.photos.reasons import REASONS, folder_reason, reason_of
from lading.sources.photos.rules import digest_in, is_ignored, is_shortened, key_of
from lading.storage.roots import (
    FileMissing,
    RootMissing,
    SafeRoot,
    source_fault,
    split_relative,
)

KIND: Final = "photos"
_READ_BYTES: Final = 1024 * 1024


class BadFolder(RequestError):
    """What was given is no path of a folder below the root of a source."""

    code = "bad_folder"
    next_step = "Give its path below the source's root, such as 2019/Crete."


class PhotosSource:
    """One configured tree of photos. Everything it does to the tree is reading."""

    kind: str = KIND
    retires_vanished: bool = True

    def __init__(self, name: str, options: PhotosOptions) -> None:
        self.name = name
        self.options = options
        self._root = SafeRoot(options.path)
        self._deriving = Deriving(options.processes)

    @property
    def watched_root(self) -> Path | None:
        """The tree, if workers are to watch it."""
        return self.options.path if self.options.watch else None

    @property
    def stable_for_s(self) -> float:
        """For how long a file is to be left alone before it is taken in."""
        return self.options.stable_for_s

    def concerns(self, relative: str) -> bool:
        """Whether a change of this path is one of a picture, video, sidecar or folder."""
        if any(is_ignored(part, self.options.ignore) for part in Path(relative).parts):
            return False
        # What is neither there nor named like a file of ours may have been a folder.
        known = is_media(relative) or is_sidecar(relative)
        return known or not (self.options.path / relative).is_file()

    def identity(self) -> str:
        """What tells this tree from another mounted in its place. Raises `SourceMissing`."""
        try:
            return self._root.identity()
        except RootMissing as error:
            raise SourceMissing(error.message, subject=str(self.options.path)) from error

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Every folder with pictures or videos; an unchanged one costs one look."""
        return discover(self._root, known, self.options)

    def folder_meant(self, folder: str) -> str:
        """The batch key of a folder that people name; empty for the root. Raises `BadFolder`."""
        path = folder.strip("/")
        if path in {"", ROOT_KEY}:
            return ""
        try:
            split_relative(path)
        except SourceError as error:
            raise BadFolder(error.message, subject=printable(folder)) from error
        return path if is_shortened(path) else key_of(path)

    def discover_below(self, folder: str, known: Mapping[str, str]) -> Iterator[Discovered]:
        """The folders with pictures below a folder, with all their files looked at."""
        self._root.close()
        try:
            path = folder_of(self._root, folder)
            if path is None or not is_folder(self._root, path, self.options):
                return
        except RootMissing as error:
            raise SourceMissing(error.message, subject=str(self.options.path)) from error
        # Whoever asks for one folder has a reason; a file written over is to be found.
        options = replace(self.options, full_every_h=0)
        yield from discover(self._root, known, options, below=path)

    def lies_below(self, key: str, folder: str) -> bool:
        """Whether a batch is this folder or surely below it."""
        return lies_below(key, folder)

    def is_there(self, key: str) -> bool:
        """Whether there is such a folder now. Raises `SourceMissing`."""
        try:
            path = folder_of(self._root, key)
            return path is not None and is_folder(self._root, path, self.options)
        except RootMissing as error:
            raise SourceMissing(error.message, subject=str(self.options.path)) from error
        except SourceError:
            return False

    @contextmanager
    def open_batch(self, batch: BatchRef) -> Iterator[OpenBatch]:
        """List the folder as it is now.

        Raises `BatchRefused`, `SourceMissing`, and `MissingExtra` without the extra `media`.
        """
        vips()
        identity = self.identity()
        listing = self._listing(batch)
        folder = listing.folder
        shortened = batch.gone and is_shortened(folder)
        digest = digest_in(folder) if shortened else FilePlace(self.name, folder, "").folder_sha256
        if listing.young and not listing.files:
            raise BatchRefused(REASONS["still_written"], subject=batch.key)
        yield ListedFolder(
            listing,
            self.name,
            listing.folder,
            self._root,
            self._importer(batch, listing.folder, identity),
            fetches_max=self._fetches_max,
            digest=digest,
            gone=batch.gone and not listing.there,
            part=batch.part,
            vanish_files_max=self.options.vanish_files_max,
        )

    @contextmanager
    def reopen(self, planned: PlannedBatch) -> Iterator[OpenBatch]:
        """The folder as it was decided about, if each of those files still is as it was.

        Its manifest is another one when not. Raises as `open_batch` does.
        """
        vips()
        identity = self.identity()
        listing = self._listing(planned.ref)
        holds = still_holds(planned, listing)
        yield PlannedFolder(
            planned,
            self.name,
            listing.folder,
            self._root,
            self._importer(planned.ref, listing.folder, identity),
            manifest_sha256=planned.manifest_sha256 if holds else listing.digest,
            fetches_max=self._fetches_max,
        )

    def stat_location(self, location: str) -> int:
        """The size in bytes of a file. Raises `ItemRefused`, `SourceMissing`."""
        with self._faults(location):
            return self._root.stat(location).size_bytes

    def read_location(self, location: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from `offset` on. Raises `ItemRefused`, `SourceMissing`."""
        with self._faults(location), self._root.open(location) as file:
            try:
                file.seek(offset)
                while chunk := file.read(_READ_BYTES):
                    yield chunk
            except OSError as error:
                raise source_fault(error, location) from error

    def close(self) -> None:
        """End the processes that look into files."""
        self._deriving.close()

    @property
    def _fetches_max(self) -> int:
        return self.options.processes or self.options.threads

    def _importer(self, batch: BatchRef, folder: str, identity: str) -> Importer:
        return Importer(
            self.name,
            folder,
            self._root,
            self._deriving,
            thumbnail_side=self.options.thumbnail_side,
            pixels_max=self.options.pixels_max,
            batch=batch,
            require_root=partial(self._require, identity),
        )

    def _listing(self, batch: BatchRef) -> Listing:
        """What is in the folder; nothing, when a scan found that it is gone and was believed."""
        self._root.close()  # folders that were replaced a moment ago are to be seen
        refused = partial(BatchRefused, subject=printable(batch.key))
        folder = None
        try:
            folder = folder_of(self._root, batch.key)
            if folder is None:
                raise FileMissing("There is no folder of this key", subject=batch.key)
            listing = list_folder(self._root, folder, self.options)
        except RootMissing as error:
            raise SourceMissing(error.message, subject=str(self.options.path)) from error
        except FileMissing as error:
            if not batch.gone:
                raise refused(REASONS["folder_gone"]) from error
            return Listing("" if batch.key == ROOT_KEY else batch.key, there=False)
        except SourceError as error:
            raise refused(folder_reason(folder or ""), found=error.message) from error
        if listing.empty and not batch.gone:
            raise refused(REASONS["folder_gone"])
        return listing

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
    def _faults(self, location: str) -> Iterator[None]:
        try:
            yield
        except RootMissing as error:
            raise SourceMissing(error.message, subject=str(self.options.path)) from error
        except SourceError as error:
            reason = reason_of(error)
            if reason is None:
                raise
            raise ItemRefused(reason, subject=location, found=error.message) from error


def build(name: str, options: Mapping[str, Any]) -> PhotosSource:
    """A source from its settings. Raises `BadPhotosOptions`. The folder need not be there yet."""
    return PhotosSource(name, parse_options(name, options))


definition = SourceDefinition(
    kind=KIND,
    build=build,
    reasons=REASONS,
    summary="Folders of pictures and videos, kept where they are, with facts and thumbnails.",
)

__all__ = ["KIND", "PhotosSource", "build", "definition"]
