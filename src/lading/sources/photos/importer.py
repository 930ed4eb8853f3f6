"""Takes one file in: reads it once for all that is derived of it, and then writes its rows.

The file stays where it is. What is derived goes into the installation's store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.errors import InternalError, LadingError, MissingExtra, printable
from lading.ingest.source import BatchRef, FetchContext, ItemRefused
from lading.ledger.items import last_refusals
from lading.ledger.states import Outcome
from lading.library.photo_values import FilePlace, FileStamp, Photo, SidecarFacts
from lading.library.photos import retire_file, save_photo, save_sidecar
from lading.media.derive import Derivation, Wanted, derivations
from lading.media.kind import kind_of_type, known_types
from lading.media.limits import DEFAULT_LIMITS
from lading.media.rules import Companion, sidecar_kind
from lading.media.thumbnails import ThumbnailSpec
from lading.sources.photos.deriving import Deriving, require_stamp
from lading.sources.photos.facts import StoredThumbnail, photo_of, refusal
from lading.sources.photos.reasons import REASONS, reason_of
from lading.sources.photos.rules import SeenFile
from lading.sources.photos.sidecars import read_sidecar
from lading.storage.port import ObjectStore
from lading.storage.roots import FileFacts, FileMissing, RootMissing, SafeRoot
from lading.storage.transfer import hash_and_read

SIDECAR_TYPES: Final[Mapping[Companion | None, str]] = {
    Companion.XMP: "application/rdf+xml",
    Companion.AAE: "application/x-plist",
    Companion.TAKEOUT: "application/json",
}
_DIGEST_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """A picture or video that was read, with its thumbnails in the store."""

    stamp: FileStamp
    photo: Photo


@dataclass(frozen=True, slots=True)
class ReadSidecar:
    """A sidecar that was hashed, the picture it belongs to, and what it says of that."""

    stamp: FileStamp
    of: str
    sha256: str
    said: SidecarFacts | None


@dataclass(frozen=True, slots=True)
class Vanished:
    """Nothing is at this place any more."""

    location: str


class Importer:
    """Takes the files of one folder in; the same one serves several threads.

    Of a batch that is a part, what is gone from the last place of its content is left as it is, as
    it may have been moved to where nobody looked. `require_root` raises `SourceMissing` when the
    source's root is gone or another.
    """

    def __init__(
        self,
        source: str,
        folder: str,
        root: SafeRoot,
        deriving: Deriving,
        *,
        thumbnail_side: int,
        pixels_max: int,
        batch: BatchRef,
        require_root: Callable[[], None],
    ) -> None:
        self._source = source
        self._folder = folder
        self._root = root
        self._deriving = deriving
        self._wanted = Wanted(
            thumbnails=(ThumbnailSpec(thumbnail_side),),
            limits=replace(DEFAULT_LIMITS, pixels_max=pixels_max),
        )
        self._derivations: dict[str, Sequence[Derivation]] = {}
        self._batch = batch
        self._require_root = require_root

    def place(self, name: str) -> FilePlace:
        """Where a file of the folder is."""
        return FilePlace(self._source, self._folder, name)

    def derivations(self, media_type: str) -> Sequence[Derivation]:
        """How a file of this media type would be derived now; nothing where it cannot be."""
        known = self._derivations.get(media_type)
        if known is None:
            try:
                known = derivations(kind_of_type(media_type), self._wanted)
            except MissingExtra:
                known = ()
            self._derivations[media_type] = known
        return known

    @cached_property
    def decoders(self) -> str:
        """What tells all that reads files now from what may read others."""
        keys = [one.key for kind in sorted(known_types()) for one in self.derivations(kind)]
        if self._wanted.limits != DEFAULT_LIMITS:
            keys.append(f"pixels_max={self._wanted.limits.pixels_max}")
        return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:_DIGEST_CHARS]

    def last_refusals(
        self, conn: Connection, keys: Sequence[str]
    ) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """What was refused when the folder was decided about last: reason and detail by key."""
        return last_refusals(conn, self._batch.id, before_revision=self._batch.revision, keys=keys)

    def read(self, file: SeenFile, context: FetchContext) -> ReadPhoto:
        """Read a picture or video, and store its thumbnails. Raises `ItemRefused`."""
        with self._faults(file.name):
            derived = self._deriving.derive(
                self._root,
                self.place(file.name).location,
                file.stamp,
                self._wanted,
                meter=context.meter,
                stop=context.stop,
            )
            refused = refusal(derived)
            if refused is not None:
                raise refused
        thumbnails = [
            StoredThumbnail(one, hashlib.sha256(one.data).hexdigest()) for one in derived.thumbnails
        ]
        for one in thumbnails:
            _store(one, context)
        title = printable(file.name)
        return ReadPhoto(
            file.stamp, photo_of(derived, thumbnails, title=title, store=context.store.name)
        )

    def read_sidecar(self, file: SeenFile, context: FetchContext) -> ReadSidecar:
        """Hash a sidecar, and read what it says. Raises `ItemRefused`."""
        with self._faults(file.name):
            location = self.place(file.name).location
            facts = self._root.stat(location)
            found, data = hash_and_read(
                self._root,
                location,
                bytes_max=DEFAULT_LIMITS.metadata_bytes_max,
                meter=context.meter,
                stop=context.stop,
            )
            require_stamp(
                location, file.stamp, FileFacts(found.size_bytes, found.mtime_ns, facts.inode)
            )
        said = read_sidecar(sidecar_kind(file.name), data, DEFAULT_LIMITS)
        return ReadSidecar(file.stamp, file.of or "", found.sha256, said)

    def require_gone(self, location: str) -> Vanished:
        """Look once more that nothing is there. Raises `ItemRefused`, `SourceMissing`."""
        try:
            self._root.stat(location)
        except FileMissing:
            self._require_root()
            return Vanished(location)
        except LadingError:
            self._require_root()
        raise ItemRefused(REASONS["file_back"], subject=location)

    def write(self, conn: Connection, name: str, fetched: object) -> Outcome:
        """Write the rows of one file in the caller's transaction. Raises `ItemRefused`."""
        place = self.place(name)
        match fetched:
            case ReadPhoto(stamp, photo):
                return save_photo(conn, place, stamp, photo, batch_id=self._batch.id)
            case ReadSidecar(stamp, of, sha256, said):
                with self._faults(name):
                    kind = SIDECAR_TYPES[sidecar_kind(name)]
                    return save_sidecar(
                        conn, place, stamp, of=of, sha256=sha256, media_type=kind, said=said
                    )
            case Vanished(location):
                place = FilePlace.at(self._source, location)
                return retire_file(conn, place, spare_last=self._batch.part)
        raise InternalError("the item was fetched by another source", subject=name)

    @contextmanager
    def _faults(self, name: str) -> Iterator[None]:
        """Tell what is wrong with the file apart from a source that is gone."""
        try:
            yield
        except RootMissing:
            self._require_root()
            raise
        except LadingError as error:
            reason = reason_of(error)
            if reason is None:
                raise
            self._require_root()
            words = error.message if error.found is None else f"{error.message}: {error.found}"
            raise ItemRefused(
                reason, subject=name, expected=error.expected, found=f"{error.code}: {words}"
            ) from error


def _store(made: StoredThumbnail, context: FetchContext) -> None:
    store: ObjectStore = context.store
    if store.head(made.key) is None:
        store.put(
            made.key,
            iter([made.thumbnail.data]),
            sha256=made.sha256,
            media_type=made.thumbnail.media_type,
            owner=context.owner,
        )
