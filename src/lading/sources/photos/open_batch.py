"""An open folder: what is in it now, or what was decided about it.

Unchanged files are counted and not written down, so that one new picture among many thousand
costs one item. An import therefore works on the decisions, and looks that they still hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.errors import LadingError, printable
from lading.base.stopping import StopSignal
from lading.ingest.source import BatchRefused, Decided, FetchContext, Item, PlannedBatch
from lading.ledger.states import Decision, Outcome
from lading.library.photo_companions import originals_in, save_companions
from lading.library.photo_queries import derivation_keys, files_of_folder, recorded_files
from lading.library.photo_sidecars import share_sidecars, sidecar_readers
from lading.library.photo_values import FileStamp, RecordedFile
from lading.library.rules import ORIGINAL_ROLE
from lading.library.statements import moment
from lading.library.tables import FileRole
from lading.media.rules import sidecar_kind
from lading.sources.photos.discover import ACTION, TYPE, describe
from lading.sources.photos.folders import Listing
from lading.sources.photos.importer import Importer, ReadPhoto
from lading.sources.photos.pairing import companions, edited_copies
from lading.sources.photos.reasons import LASTING, REASONS, facts_of, reason_of
from lading.sources.photos.rules import (
    SeenFile,
    is_as_recorded,
    is_utf8,
    key_of,
    listing_digest,
    looks_unmounted,
)
from lading.sources.photos.sidecars import READER, is_read
from lading.storage.roots import SafeRoot
from lading.storage.transfer import Unmetered, hash_file

FILE: Final = "asset"
SIDECAR: Final = "sidecar"
VANISHED: Final = "vanished"
_NO_STAMP: Final = FileStamp(0, 0, 0)


class FolderBatch:
    """What a folder's batch can do, whether it was just listed or decided about before.

    `stamps` are of the files that are there now, as far as sidecars need them.
    """

    type = TYPE
    action = ACTION

    def __init__(
        self,
        source: str,
        folder: str,
        root: SafeRoot,
        importer: Importer,
        *,
        manifest_sha256: str,
        fetches_max: int,
        stamps: Mapping[str, FileStamp] | None = None,
    ) -> None:
        self.manifest_sha256 = manifest_sha256
        self.fetches_max = fetches_max
        self._source = source
        self._folder = folder
        self._root = root
        self._importer = importer
        self._stamps = stamps or {}

    def decide(
        self, conn: Connection, items: Sequence[Item], *, check_bytes: bool = False
    ) -> Sequence[Decided]:
        """One decision for each file, by one statement for hundreds of them (A5)."""
        files: list[SeenFile] = [item.payload for item in items]
        if items and items[0].kind == VANISHED:
            return [Decided(Decision.REMOVE, detail={"name": file.name}) for file in files]
        names = {file.name for file in files} | {file.of for file in files if file.of}
        asked = {name for name in names if is_utf8(name)}
        recorded = recorded_files(conn, self._source, self._folder, asked)
        made = derivation_keys(conn, {file.asset_id for file in recorded.values()})
        outdated = {name for name, file in recorded.items() if self._is_outdated(file, made)}
        outdated |= _unread(conn, recorded)
        found = [self._decided(file, recorded, outdated, check_bytes) for file in files]
        if check_bytes or not items or items[0].kind != FILE:
            return found
        return self._but_refused(conn, items, found)

    def fetch(
        self,
        item: Item,
        decided: Decision,  # noqa: ARG002 - what is held by now counts
        context: FetchContext,
    ) -> object:
        """Read the file, or look that it is gone; from several threads."""
        file: SeenFile = item.payload
        if item.kind == VANISHED:
            return self._importer.require_gone(file.name)
        if item.kind == SIDECAR:
            return self._importer.read_sidecar(file, context)
        return self._importer.read(file, context)

    def write(self, conn: Connection, item: Item, fetched: object) -> Outcome:
        """Write the rows of one file."""
        file: SeenFile = item.payload
        return self._importer.write(conn, file.name, fetched)

    def content_hash_of(self, fetched: object) -> str | None:
        """What a picture or video turned out to be."""
        return fetched.photo.asset.content_hash if isinstance(fetched, ReadPhoto) else None

    def relate(self, conn: Connection) -> None:
        """Pair what the folder holds now, whatever of it this import brought."""
        originals = originals_in(conn, self._source, self._folder)
        save_companions(conn, self._source, self._folder, originals, companions(originals))
        edited = {
            originals[copy].asset_id: originals[main].asset_id
            for copy, main in edited_copies(originals).items()
        }
        if edited:
            share_sidecars(conn, self._source, self._folder, edited, moment(conn))

    def _is_outdated(self, file: RecordedFile, made: Mapping[int, frozenset[str]]) -> bool:
        """Whether what is installed and configured now derives otherwise what is kept of it."""
        if file.role != ORIGINAL_ROLE or file.media_type is None:
            return False
        wanted = self._importer.derivations(file.media_type)
        return not {one.key for one in wanted} <= made.get(file.asset_id, frozenset())

    def _but_refused(
        self, conn: Connection, items: Sequence[Item], found: Sequence[Decided]
    ) -> list[Decided]:
        """The decisions, but for files that would be refused again for what they are."""
        read = {
            item.key: decided.detail
            for item, decided in zip(items, found, strict=True)
            if decided.decision in {Decision.CREATE, Decision.UPDATE}
        }
        refused = self._importer.last_refusals(conn, list(read)) if read else {}
        again = {
            key: Decided(Decision.REJECT, REASONS[reason], detail)
            for key, (reason, detail) in refused.items()
            if reason in LASTING and all(detail.get(name) == read[key][name] for name in read[key])
        }
        return [again.get(item.key, each) for item, each in zip(items, found, strict=True)]

    def _decided(
        self,
        file: SeenFile,
        recorded: Mapping[str, RecordedFile],
        outdated: Collection[str],
        check_bytes: bool,
    ) -> Decided:
        detail = _detail(file)
        if file.of is None:
            detail["decoders"] = self._importer.decoders
        if not is_utf8(file.name):
            return Decided(Decision.REJECT, REASONS["name_refused"], detail)
        known = recorded.get(file.name)
        if known is None:
            return Decided(Decision.CREATE, detail=detail)
        same = is_as_recorded(file.stamp, known) and file.name not in outdated
        if file.of is not None:
            # Where the picture becomes another asset, its sidecar goes along.
            main, seen = recorded.get(file.of), self._stamps.get(file.of)
            same = same and main is not None and main.asset_id == known.asset_id
            same = same and (seen is None or is_as_recorded(seen, main))
        if same and check_bytes and file.of is None:
            return self._checked(known, detail)
        if same:
            return Decided(Decision.UNCHANGED, detail=detail, recorded=False)
        return Decided(Decision.UPDATE, detail=detail)

    def _checked(self, known: RecordedFile, detail: Mapping[str, Any]) -> Decided:
        """The same after its bytes were read: changes that leave no trace are found so."""
        try:
            found = hash_file(self._root, known.location, meter=Unmetered(), stop=StopSignal())
        except LadingError as error:
            reason = reason_of(error)
            if reason is None:
                raise
            return Decided(Decision.REJECT, reason, {**detail, **facts_of(error)})
        if found.sha256 == known.content_hash:
            return Decided(Decision.UNCHANGED, detail=detail, recorded=False)
        return Decided(Decision.UPDATE, detail=detail)


class ListedFolder(FolderBatch):
    """A folder as it is now; `gone` when a scan did not find it and was believed.

    `digest` is the sha256 of its path, or the beginning of that when its path is not known. With
    `part`, what is missing may lie elsewhere; the manifest is then another one, so that the next
    scan of the whole source has the folder decided about again.
    """

    def __init__(
        self,
        listing: Listing,
        *args: Any,
        digest: str,
        gone: bool,
        part: bool,
        vanish_files_max: int,
        **options: Any,
    ) -> None:
        stamps = {file.name: file.stamp for file in listing.files} if listing.sidecars else {}
        super().__init__(*args, manifest_sha256=listing.digest, stamps=stamps, **options)
        self.detail: Mapping[str, Any] = describe(listing)
        self._listing = listing
        self._digest = digest
        self._gone = gone
        self._part = part
        self._vanish_files_max = vanish_files_max

    def items(self) -> Iterator[Item]:
        """The pictures and videos by name, then the sidecars."""
        for file in self._listing.files:
            yield _item(FILE, file)
        for file in self._listing.sidecars:
            yield _item(SIDECAR, file)

    def vanished(self, conn: Connection) -> Iterator[Item]:
        """What is recorded here and is here no more. Raises `BatchRefused` at the guard (G1)."""
        there = {file.name for file in self._listing.seen()} | set(self._listing.young)
        recorded, gone = 0, []
        for file in files_of_folder(conn, self._source, self._digest):
            recorded += 1
            if file.location.rpartition("/")[2] not in there:
                gone.append(file.location)
        if not self._gone and looks_unmounted(recorded, len(gone), self._vanish_files_max):
            raise BatchRefused(
                REASONS["folder_emptied"],
                subject=printable(self._folder or "."),
                expected=f"some of {recorded} recorded files",
                found="none of them",
            )
        if gone and self._part:
            self.manifest_sha256 = listing_digest([*self._listing.seen(), *map(_missing, gone)])
        for location in sorted(gone):
            yield _item(VANISHED, _missing(location))


class PlannedFolder(FolderBatch):
    """A folder as it was decided about."""

    def __init__(self, planned: PlannedBatch, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._planned = planned

    def items(self) -> Iterator[Item]:
        """The recorded items, in their order."""
        for one in self._planned.items():
            yield _item(one.kind, file_of(one.detail), key=one.key)


def still_holds(planned: PlannedBatch, now: Listing) -> bool:
    """Whether each file is as it was decided about; files that came since do not matter."""
    there = {file.name: file.stamp for file in now.seen()}
    young = set(now.young)
    for one in planned.items():
        file = file_of(one.detail)
        if one.decision is Decision.REJECT:
            continue
        if one.kind == VANISHED:
            name = file.name.rpartition("/")[2]
            if name in there or name in young:
                return False
        elif there.get(file.name) != file.stamp:
            return False
    return True


def _unread(conn: Connection, recorded: Mapping[str, RecordedFile]) -> set[str]:
    """The sidecars of which is not known what this version reads in them."""
    sidecars = {
        name: file.file_id
        for name, file in recorded.items()
        if file.role == FileRole.SIDECAR and is_read(sidecar_kind(name))
    }
    readers = sidecar_readers(conn, sidecars.values()) if sidecars else {}
    return {name for name, file_id in sidecars.items() if readers.get(file_id) != READER}


def file_of(detail: Mapping[str, Any]) -> SeenFile:
    """The file that an item's detail tells of."""
    stamp = _NO_STAMP
    if "mtime_ns" in detail:
        stamp = FileStamp(detail["size_bytes"], detail["mtime_ns"], detail["inode"])
    return SeenFile(detail["name"], stamp, detail.get("of"))


def _detail(file: SeenFile) -> dict[str, Any]:
    """All that importing the file takes, and what people see of it."""
    stamp = file.stamp
    detail: dict[str, Any] = {
        "name": file.name,
        "size_bytes": stamp.size_bytes,
        "mtime_ns": stamp.mtime_ns,
        "inode": stamp.inode,
    }
    return detail if file.of is None else {**detail, "of": file.of}


def _missing(location: str) -> SeenFile:
    return SeenFile(location, _NO_STAMP)


def _item(kind: str, file: SeenFile, *, key: str | None = None) -> Item:
    return Item(
        key or key_of(file.name),
        kind,
        file,
        title=printable(file.name),
        bytes=file.stamp.size_bytes,
    )
