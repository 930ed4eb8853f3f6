"""Photos by where they lie: a folder of a source, the folders in it, and what became of each.

What is known of a folder is its batch; one without pictures of its own only leads to others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Select, func, or_, select, text

from lading.base.errors import RequestError
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.photos import PhotoList, page_of_photos, photos_sources
from lading.console.readers.photos_folder_state import FolderState, read_state
from lading.console.readers.photos_new import newest_file
from lading.console.readers.scans import SourceScan, read_sources
from lading.db.keyset import Key
from lading.db.walks import starts_with
from lading.ingest.rules import is_gone
from lading.ledger.batches import Batch, get_batches
from lading.ledger.queries import ItemView, item_view
from lading.ledger.states import BatchState
from lading.ledger.tables import SPOILED, ingest_batch, ingest_batch_item
from lading.library.live_photos import photo_places
from lading.library.photo_values import FilePlace
from lading.library.tables import asset, asset_file, photo_file
from lading.sources.photos.folders import ROOT_KEY
from lading.sources.photos.rules import digest_in, is_shortened

SPOILED_SHOWN: Final = 50
_DIGEST_CHARS: Final = 16  # as much of a folder's digest as a shortened key has


class NoSuchFolder(RequestError):
    """A folder of photos that no scan has recorded."""

    code = "no_such_folder"
    http_status = 404
    next_step = "Look at the list of folders; scan the source if it is new."


@dataclass(slots=True)
class FolderLine:
    """A folder in another. Counts are of it and all below: files that lie there, items not taken.

    `batch` is None where no pictures lie right in it.
    """

    name: str
    path: str
    url: str
    photos: int = 0
    folders: int = 0
    failed: int = 0
    batch: Batch | None = None

    @property
    def gone(self) -> bool:
        """Whether a scan missed it, while the library has files of it."""
        return self.batch is not None and self.photos > 0 and is_gone(self.batch.fingerprint)

    @property
    def batch_url(self) -> str | None:
        """The page of its batch."""
        return batch_url(self.batch) if self.batch else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDetail:
    """One folder of a source; the root's path is empty. `spoiled` are the first of `failed`.

    `newest` is the number that files to come are above.
    """

    source: str
    path: str
    own: FolderLine
    folders: Sequence[FolderLine]
    photos: PhotoList
    spoiled: Sequence[ItemView]
    scan: SourceScan
    state: FolderState
    newest: int

    @property
    def place(self) -> str:
        """The folder as addresses name it, with its source."""
        return f"{self.source}/{self.path}" if self.path else self.source

    @property
    def nameable(self) -> bool:
        """Whether its path is known, and not only the beginning of it."""
        return not is_shortened(self.path)

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The folders above it, from the list of sources on: (name, address)."""
        parts = [self.source, *self.path.split("/")] if self.path else []
        return [
            ("Folders", "/photos/folders"),
            *(
                (parts[end - 1], folder_url(self.source, "/".join(parts[1:end])))
                for end in range(1, len(parts))
            ),
        ]


@dataclass(slots=True)
class _Known:
    """What is recorded of a source: batches, files by digest of their folder, spoiled items."""

    batches: Sequence[Any]
    files: Mapping[str, int]
    spoiled: Mapping[int, int]
    lines: dict[str, FolderLine] = field(default_factory=dict)


def folder_url(source: str, path: str = "") -> str:
    """The page of a folder."""
    return "/photos/folders/" + quote(f"{source}/{path}" if path else source, safe="/")


def read_roots(console: Console) -> list[tuple[FolderLine, SourceScan]]:
    """Every configured source of photos as a folder, with its last scan."""
    names = photos_sources(console)
    scans = {scan.name: scan for scan in read_sources(console, names)}
    with console.lading.db.read() as conn:
        return [(_own(conn, _known(conn, name, ""), name, ""), scans[name]) for name in names]


def read_folder(
    console: Console, place: str, *, cursor: str | None = None, limit: int = 50
) -> FolderDetail:
    """The folder that `source/path` names, with a page of what lies right in it.

    Raises `NoSuchFolder` and `BadCursor`.
    """
    source, _, path = place.strip("/").partition("/")
    if source not in photos_sources(console):
        raise NoSuchFolder("there is no such source of photos", subject=source[:100])
    [scan] = read_sources(console, [source])
    with console.lading.db.read() as conn:
        known = _known(conn, source, path)
        if path and not known.batches:
            raise NoSuchFolder("no scan has recorded this folder", subject=place[:200])
        newest = newest_file(conn)  # before what is listed: what comes between is new twice
        own = _own(conn, known, source, path)
        order = [Key(asset.c.id, descending=True)]
        return FolderDetail(
            source=source,
            path=path,
            own=own,
            folders=_inside(conn, known, source, path),
            photos=page_of_photos(conn, _lying_in(source, path), order, cursor, limit),
            spoiled=_spoiled_items(conn, own.batch),
            scan=scan,
            state=read_state(console, conn, source, path, own.batch),
            newest=newest,
        )


def _known(conn: Connection, source: str, path: str) -> _Known:
    """Everything recorded below a folder: three statements, however many folders there are."""
    batch, item = ingest_batch.c, ingest_batch_item.c
    below = batch.source == source
    if path:
        below &= or_(batch.batch_key == path, starts_with(batch.batch_key, f"{path}/"))
    batches = conn.execute(
        select(batch.id, batch.batch_key, batch.state).where(below).order_by(batch.batch_key)
    ).all()
    files = conn.execute(
        photo_places(photo_file.c.folder_sha256, func.count())
        .where(photo_file.c.source == source)
        .group_by(photo_file.c.folder_sha256)
    )
    spoiled = conn.execute(
        select(item.batch_id, func.count())
        .join_from(
            ingest_batch,
            ingest_batch_item,
            (item.batch_id == batch.id) & (item.revision == batch.revision),
        )
        .where(below, text(SPOILED))
        .group_by(item.batch_id)
    )
    return _Known(
        batches,
        {digest[:_DIGEST_CHARS]: int(count) for digest, count in files},
        {int(number): int(count) for number, count in spoiled},
    )


def _own(conn: Connection, known: _Known, source: str, path: str) -> FolderLine:
    """A folder with everything below it counted."""
    line = FolderLine(path.rpartition("/")[2] or source, path, folder_url(source, path))
    key = path or ROOT_KEY
    for row in known.batches:
        _count(line, row, known, own=row.batch_key == key)
    mine = [row.id for row in known.batches if row.batch_key == key]
    line.batch = get_batches(conn, mine).get(mine[0]) if mine else None
    return line


def _inside(conn: Connection, known: _Known, source: str, path: str) -> list[FolderLine]:
    """The folders right in a folder, by name."""
    lines: dict[str, FolderLine] = {}
    mine: dict[int, FolderLine] = {}
    skipped = len(path) + 1 if path else 0
    for row in known.batches:
        name = row.batch_key[skipped:].partition("/")[0]
        if not name or row.batch_key == (path or ROOT_KEY):
            continue
        inside = f"{path}/{name}" if path else name
        if name not in lines:
            lines[name] = FolderLine(name, inside, folder_url(source, inside))
        own = row.batch_key == inside
        _count(lines[name], row, known, own=own)
        if own:
            mine[row.id] = lines[name]
    batches = get_batches(conn, mine)
    for number, line in mine.items():
        line.batch = batches.get(number)
    return [lines[name] for name in sorted(lines)]


def _count(line: FolderLine, row: Any, known: _Known, *, own: bool) -> None:
    line.photos += known.files.get(_digest_of(row.batch_key), 0)
    line.failed += known.spoiled.get(row.id, 0)
    line.folders += 0 if own or row.state == BatchState.SUPERSEDED else 1


def _digest_of(key: str) -> str:
    if is_shortened(key):
        return digest_in(key)
    path = "" if key == ROOT_KEY else key
    return hashlib.sha256(path.encode()).hexdigest()[:_DIGEST_CHARS]


def _lying_in(source: str, path: str) -> Select[Any]:
    """The assets, not in the trash, that have an original right in the folder."""
    digest = FilePlace(source, path, "").folder_sha256
    stands = photo_file.c.folder_sha256 == digest
    if is_shortened(path):
        begins = digest_in(path)
        stands = (photo_file.c.folder_sha256 > begins) & (photo_file.c.folder_sha256 < f"{begins}g")
    here = photo_places(asset_file.c.asset_id).where(photo_file.c.source == source, stands)
    return select(asset).where(asset.c.deleted_at.is_(None), asset.c.id.in_(here))


def _spoiled_items(conn: Connection, batch: Batch | None) -> list[ItemView]:
    if batch is None:
        return []
    item = ingest_batch_item.c
    rows: Iterable[Any] = conn.execute(
        select(ingest_batch_item)
        .where(item.batch_id == batch.id, item.revision == batch.revision, text(SPOILED))
        .order_by(item.seq)
        .limit(SPOILED_SHOWN)
    )
    return [item_view(row) for row in rows]
