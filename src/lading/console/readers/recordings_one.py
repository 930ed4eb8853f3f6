"""One registered recording: modalities by worker, files, participants, manifests and history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogVersionMissing, RecordingMissing
from lading.catalog.rules import differences, modality_keys
from lading.catalog.values import ModalityRow, ParticipantRow, RecordingRow
from lading.console.parts import Console
from lading.console.readers.recordings_held import ask, source_of, sources_of
from lading.console.readers.recordings_jobs import (
    Verification,
    events_of,
    latest_verifications,
)
from lading.console.readers.recordings_lines import RecordingLine, line_of
from lading.console.readers.recordings_lines import find_batch_of as batch_of
from lading.console.recordings_words import FIELD_WORDS, shown_value
from lading.db.keyset import BadCursor
from lading.ledger.queries import EventView
from lading.ledger.recording_events import RecordingVerified
from lading.sources.recordings.expecting import ExpectedFile, expected_files
from lading.sources.recordings.layout import MANIFEST, object_name
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.source import RecordingsSource
from lading.sources.recordings.values import Manifest, QueryResult

VERSIONS_MAX: Final = 200
"""How many versions of the catalog's table are looked at for earlier rows."""
ROWS_MAX: Final = 10
VERIFICATIONS_SHOWN: Final = 10
_DIGITS_MAX: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one worker recorded of one family."""

    key: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Families as rows and workers as columns; a worker without a name is `(none)`."""

    workers: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One registered recording with all that the catalog has of it."""

    source: RecordingsSource
    line: RecordingLine
    row: RecordingRow
    modalities: Mapping[str, ModalityRow]
    people: Sequence[ParticipantRow]
    verification: Verification | None

    @property
    def recording_hash(self) -> str:
        """Its hash."""
        return self.row.recording_hash

    @property
    def result(self) -> QueryResult:
        """It as `query` gives it."""
        return QueryResult(self.row, self.modalities, tuple(self.people))

    @property
    def matrix(self) -> Matrix:
        """Its modalities by family and worker."""
        workers = sorted({row.worker_id for row in self.modalities.values()})
        cells: dict[str, dict[str, Cell]] = {}
        for key, row in self.modalities.items():
            cell = Cell(key=key, files=row.files_count, size_bytes=row.size_bytes)
            cells.setdefault(row.modality, {})[row.worker_id] = cell
        return Matrix(
            workers=[worker or "(none)" for worker in workers],
            rows=[(name, [held.get(w) for w in workers]) for name, held in sorted(cells.items())],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One file. `stored` says whether the object is there, `compared` what was compared.

    `good` is None where nothing states what the file shall be.
    """

    modality: str
    name: str
    size_bytes: int | None
    stored_bytes: int | None
    sha256: str | None
    stored: bool
    compared: str
    good: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """A page of files, in the order of modalities and names; `first` counts from 1."""

    files: Sequence[FileLine]
    total: int
    bad: int
    first: int
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestLine:
    """One stored manifest. `whole` says whether each file that it lists is stored by its size."""

    name: str
    node: str | None
    files: int
    files_stored: int
    duration_s: float | None
    recording_hash: str | None
    reconstructed_at: str | None
    unknown_participant: bool

    @property
    def whole(self) -> bool:
        """Whether each of its files is stored."""
        return self.files > 0 and self.files == self.files_stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that a version of the row changed."""

    word: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowVersion:
    """The recording's row as it was from `at` on. `version` is that of the table, if it was read.

    Without `changes` it is the row that was registered first, or the oldest that is still known.
    """

    at: datetime | None
    version: int | None
    first: bool
    changes: Sequence[Change]


def read_recording(console: Console, name: str | None, recording_hash: str) -> Recording:
    """One recording, of the source of this name or of the first that has it.

    Raises `RecordingMissing`, `NotRecordings`, and what asking the catalog raises.
    """
    wanted = sources_of(console) if name is None else [source_of(console, name)]
    if not wanted:
        wanted = [source_of(console, None)]
    for source in wanted:
        found = ask(source, lambda held: _held(held.catalog, recording_hash))
        if found is not None:
            return _recording(console, source, *found)
    raise RecordingMissing("The catalog has no such recording", subject=recording_hash[:100])


def read_files(recording: Recording, *, cursor: str | None, limit: int) -> FileList:
    """A page of a recording's files, compared with the store's listing.

    Raises `BadCursor`, `StoreError`.
    """
    expected = ask(recording.source, lambda held: expected_files(held, recording.result))
    lines = [_file(key, file) for key, files in expected.items() for file in files]
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < _DIGITS_MAX):
        raise BadCursor("this is no cursor of this list", found=cursor[:50])
    first = min(int(cursor or 0), max(0, len(lines) - 1))
    after = first + limit
    return FileList(
        files=lines[first:after],
        total=len(lines),
        bad=sum(line.good is False for line in lines),
        first=first + 1 if lines else 0,
        next_cursor=str(after) if after < len(lines) else None,
        prev_cursor=str(max(0, first - limit)) if first else None,
    )


def read_manifests(recording: Recording) -> list[ManifestLine]:
    """The manifests that are stored with a recording, its own first. Raises `StoreError`."""
    return ask(recording.source, lambda held: _manifests(held, recording))


def read_versions(recording: Recording) -> list[RowVersion]:
    """The row as it is and as it was, the newest first, by the catalog's time travel."""
    return ask(recording.source, lambda held: _versions(held.catalog, recording.row))


def read_events(console: Console, recording: Recording) -> list[EventView]:
    """What the ledger says of it, the newest first."""
    line = recording.line
    with console.lading.db.read() as conn:
        names = {recording.recording_hash, line.recording_id}
        return events_of(conn, line.source, names, line.batch_id)


def read_verifications(console: Console, recording: Recording) -> list[Verification]:
    """Its verifications, the newest first."""
    with console.lading.db.read() as conn:
        events = events_of(conn, recording.line.source, {recording.recording_hash}, None)
    return [Verification.of(each) for each in events if each.kind == RecordingVerified.kind][
        :VERIFICATIONS_SHOWN
    ]


_Held = tuple[RecordingRow, Sequence[ModalityRow], Sequence[ParticipantRow]]


def _held(catalog: Catalog, recording_hash: str) -> _Held | None:
    row = catalog.recordings_held([recording_hash]).get(recording_hash)
    if row is None:
        return None
    modalities = catalog.modalities_of([recording_hash])[recording_hash]
    return row, modalities, catalog.participants_of([recording_hash])[recording_hash]


def _recording(
    console: Console,
    source: RecordingsSource,
    row: RecordingRow,
    modalities: Sequence[ModalityRow],
    people: Sequence[ParticipantRow],
) -> Recording:
    with console.lading.db.read() as conn:
        verification = latest_verifications(conn, source.name).get(row.recording_hash)
    identifier = str(row.metadata.get("manifest_recording_id") or row.recording_hash)
    line = line_of(
        source.name,
        row,
        modalities=modalities,
        people=people,
        batch=batch_of(console, source.name, identifier),
        verification=verification,
    )
    return Recording(
        source=source,
        line=line,
        row=row,
        modalities=modality_keys(modalities),
        people=people,
        verification=verification,
    )


def _file(modality: str, file: ExpectedFile) -> FileLine:
    stored, known = file.stored_bytes is not None, file.size_bytes is not None
    good: bool | None = stored and file.stored_bytes == file.size_bytes
    if stored and not known:
        good = None
    compared = "size" if stored and known else "presence"
    return FileLine(
        modality=modality,
        name=file.name,
        size_bytes=file.size_bytes,
        stored_bytes=file.stored_bytes,
        sha256=file.sha256,
        stored=stored,
        compared=compared,
        good=good,
    )


def _manifests(held: Repository, recording: Recording) -> list[ManifestLine]:
    recording_id = recording.line.recording_id
    sizes = held.sizes(recording_id)
    found = held.manifests(recording_id, sizes)
    return [
        _manifest(name, manifest, sizes)
        for name, manifest in sorted(found.items(), key=lambda each: (each[0] != MANIFEST, each[0]))
    ]


def _manifest(name: str, manifest: Manifest, sizes: Mapping[str, int]) -> ManifestLine:
    facts = manifest.body.get("reconstruction")
    made = facts if isinstance(facts, Mapping) else {}
    stored = 0
    for file in manifest.files:
        size = sizes.get(object_name(file.rel_path))
        stored += size is not None and file.size_bytes in {None, size}
    return ManifestLine(
        name=name,
        node=manifest.node,
        files=len(manifest.files),
        files_stored=stored,
        duration_s=manifest.duration_s,
        recording_hash=manifest.recording_hash,
        reconstructed_at=str(made["reconstructed_at"]) if "reconstructed_at" in made else None,
        unknown_participant=bool(made.get("reconstructed_participant")),
    )


def _versions(catalog: Catalog, row: RecordingRow) -> list[RowVersion]:
    """Steps back from each row to what stood before the commit that wrote it."""
    rows: list[tuple[RecordingRow, int | None]] = [(row, None)]
    numbers = None
    while len(rows) <= ROWS_MAX and rows[-1][0].updated_at != rows[-1][0].created_at:
        if numbers is None:
            numbers = sorted(
                (v.number, v.committed_at)
                for v in catalog.versions("recordings", limit=VERSIONS_MAX)
            )
        at = rows[-1][0].updated_at
        # Times are of the machine that wrote, and cut to milliseconds in the table's history.
        later = [
            n
            for n, moment in numbers
            if at is not None and moment >= at.replace(microsecond=at.microsecond // 1000 * 1000)
        ]
        before = _before(catalog, row.recording_hash, rows[-1][0], later)
        if before is None:
            break
        rows.append(before)
    return [
        RowVersion(
            at=one.updated_at,
            version=version,
            first=one.updated_at == one.created_at,
            changes=_changes(rows[index + 1][0], one) if index + 1 < len(rows) else [],
        )
        for index, (one, version) in enumerate(rows)
    ]


def _before(
    catalog: Catalog, recording_hash: str, row: RecordingRow, later: Sequence[int]
) -> tuple[RecordingRow, int] | None:
    """The row as it was before the first of these versions; None where nothing tells."""
    if not later or later[0] == 0:
        return None
    version = later[0] - 1
    try:
        found = catalog.get_recording(recording_hash, version=version)
    except (RecordingMissing, CatalogVersionMissing):
        return None
    return None if found.updated_at == row.updated_at else (found, version)


def _changes(before: RecordingRow, after: RecordingRow) -> list[Change]:
    return [
        Change(
            word=FIELD_WORDS.get(each.column, each.column),
            before=shown_value(each.held),
            after=shown_value(each.proposed),
        )
        for each in differences(before, after)
    ]
