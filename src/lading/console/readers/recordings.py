"""Lists of recordings: those of the catalog, those on the rig, and those that are only stored.

Rows of the catalog come with what the ledger knows of them: their batch, their last verification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from lading.base.errors import LadingError
from lading.catalog.catalog import Catalog
from lading.catalog.pages import cursor_after
from lading.catalog.rules import modality_keys
from lading.catalog.values import UNKNOWN_PARTICIPANT, ModalityRow, ParticipantRow, RecordingRow
from lading.console.listing import Field, parse_instant
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.recordings_held import ask, sources_of
from lading.console.readers.recordings_jobs import Verification, latest_verifications
from lading.console.recordings_words import (
    STATES,
    UNREGISTERED,
    VERIFIED,
    VERIFY_FAILED,
    local_state,
    registered_state,
)
from lading.console.vocabulary import Look
from lading.db.counting import Count, count_capped
from lading.ingest.source import SourceBusy
from lading.jobs.queries import newest_jobs
from lading.jobs.states import JobState
from lading.jobs.values import JobRow
from lading.ledger.batch_lists import BatchFilter, count_batches_by_state, list_batches
from lading.ledger.batches import Batch
from lading.ledger.events import BatchFound
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item, ingest_event
from lading.sources.recordings.errors import RecordingIdRefused
from lading.sources.recordings.jobs import rig_of
from lading.sources.recordings.layout import begun_at, check_id, location_of
from lading.sources.recordings.open_batch import REGISTRATION
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.source import RecordingsSource

RECORDINGS: Final = "/recordings"
LOCAL: Final = "local"
STORED: Final = "stored"
VIEWS: Final[Mapping[str, str]] = {
    "": "Registered",
    VERIFIED: STATES[VERIFIED].word,
    VERIFY_FAILED: STATES[VERIFY_FAILED].word,
    LOCAL: "On the rig",
    STORED: "Stored, unregistered",
}
"""The lists there are, by `state` in the address."""
RECORDING_FIELDS: Final = (
    Field("state", "List", {name: word for name, word in VIEWS.items() if name}),
    Field("q", "Recording"),
    Field("modality", "Modality"),
    Field("participant", "Participant"),
    Field("source", "Source"),
)
WALKED_MAX: Final = 5_000
"""How many recordings one page looks at for those that have a modality, or are not registered."""
_WALKED_AT_ONCE: Final = 500
_ENDED_WELL: Final = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
_NOT_REGISTERED: Final = tuple(
    state for state in BatchState if state not in {BatchState.IMPORTED, BatchState.SUPERSEDED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A participant of a recording; `known` is False of `__unknown__`."""

    id: str
    name: str
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingLine:
    """One recording in a list. `local` and `stored` are None where nobody looked.

    `checked` says what the last verification compared; it is None when there was none lately.
    """

    source: str
    recording_id: str
    recording_hash: str | None
    state: str
    started_at: datetime | None
    duration_s: float | None
    participants: Sequence[Person]
    modalities: Sequence[str]
    files: int | None
    size_bytes: int | None
    local: bool | None
    stored: bool | None
    registered: bool
    checked: str | None = None
    checked_at: datetime | None = None
    batch_id: int | None = None
    batch_url: str | None = None
    reason: str | None = None

    @property
    def look(self) -> Look:
        """How its state is shown."""
        return STATES[self.state]

    @property
    def url(self) -> str:
        """Its page: that of the recording or, before it is registered, how to take it in."""
        if self.registered and self.recording_hash:
            return recording_url(self.source, self.recording_hash)
        return ingest_url(self.source, self.recording_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingList:
    """A page of recordings. `count` is None where nobody counts; `error` says why there are none.

    `seen` is how many were looked at when that many were not enough to fill the page.
    """

    lines: Sequence[RecordingLine] = ()
    count: Count | None = None
    next_cursor: str | None = None
    prev_cursor: str | None = None
    error: LadingError | None = None
    seen: int | None = None


def recording_url(source: str, recording_hash: str, tab: str = "") -> str:
    """The page of a registered recording."""
    return (
        f"{RECORDINGS}/{recording_hash}{f'/{tab}' if tab else ''}?{urlencode({'source': source})}"
    )


def ingest_url(source: str, recording_id: str) -> str:
    """The page that says how a recording can be taken in."""
    return f"{RECORDINGS}/ingest?{urlencode({'source': source, 'id': recording_id})}"


def read_recordings(
    console: Console,
    source: RecordingsSource,
    *,
    view: str = "",
    q: str | None = None,
    modality: str | None = None,
    participant: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> RecordingList:
    """A page of one of the lists. Raises what asking the catalog or the store raises."""
    if view == LOCAL:
        return _on_the_rig(console, source, q=q, cursor=cursor, limit=limit)
    if view == STORED:
        return _only_stored(source, q=q, cursor=cursor, limit=limit)
    with console.lading.db.read() as conn:
        verified = latest_verifications(conn, source.name)
    where: dict[str, Any] = {"participant_ids": participant} if participant else {}
    if view:
        bad = view == VERIFY_FAILED
        where["recording_hash"] = [
            h for h, one in verified.items() if bool(one.files_failed) is bad
        ]
        if not where["recording_hash"]:
            return RecordingList(count=Count(0))
    found = ask(
        source, lambda held: _page(held.catalog, where, q, modality, cursor=cursor, limit=limit)
    )
    with console.lading.db.read() as conn:
        batches = _batches_of(conn, source.name, [_identifier(row) for row in found.rows])
    return RecordingList(
        lines=[
            _registered(source.name, row, found, batches.get(_identifier(row)), verified)
            for row in found.rows
        ],
        count=found.count,
        next_cursor=found.next,
        seen=found.seen,
    )


def line_of(
    source: str,
    row: RecordingRow,
    *,
    modalities: Sequence[ModalityRow],
    people: Sequence[ParticipantRow],
    batch: Batch | None,
    verification: Verification | None,
) -> RecordingLine:
    """A registered recording as lists have it."""
    named = {each.participant_id: each.display_name for each in people}
    return RecordingLine(
        source=source,
        recording_id=_identifier(row),
        recording_hash=row.recording_hash,
        state=registered_state(verification.files_failed if verification else None),
        started_at=row.started_at,
        duration_s=row.duration_s,
        participants=[
            Person(id=each, name=named.get(each) or each, known=each != UNKNOWN_PARTICIPANT)
            for each in row.participant_ids
        ],
        modalities=list(modality_keys(modalities)),
        files=sum(each.files_count for each in modalities),
        size_bytes=sum(each.size_bytes for each in modalities),
        local=None if batch is None else batch.state is not BatchState.SUPERSEDED,
        stored=not (verification and verification.files_failed),
        registered=True,
        checked=verification.checked if verification else None,
        checked_at=verification.at if verification else None,
        batch_id=batch.id if batch else None,
        batch_url=batch_url(batch) if batch else None,
    )


def find_batch_of(console: Console, source: str, recording_id: str) -> Batch | None:
    """The batch of a recording, as scans of its folder know it."""
    with console.lading.db.read() as conn:
        return _batches_of(conn, source, [recording_id]).get(recording_id)


def count_local(console: Console, source: RecordingsSource) -> Count:
    """How many recordings scans found on the rig that are not registered by them."""
    with console.lading.db.read() as conn:
        counts = count_batches_by_state(conn, BatchFilter(source=source.name))
    return sum((counts[state] for state in _NOT_REGISTERED), Count(0))


def count_newer(console: Console, since: int) -> int:
    """How many recordings scans found after this number of the ledger."""
    columns = ingest_event.c
    names = [source.name for source in sources_of(console)]
    query = select(columns.seq).where(
        columns.source.in_(names), columns.kind == BatchFound.kind, columns.seq > since
    )
    with console.lading.db.read() as conn:
        return count_capped(conn, query).value


def read_local_lines(
    console: Console, sources: Sequence[RecordingsSource], ids: Sequence[int]
) -> list[RecordingLine]:
    """The recordings of these batches, for rows that change while they are seen."""
    lines = []
    for source in sources:
        with console.lading.db.read() as conn:
            rows = conn.execute(
                select(ingest_batch).where(
                    ingest_batch.c.id.in_(sorted(ids)), ingest_batch.c.source == source.name
                )
            )
            batches = [Batch.from_row(row) for row in rows]
            lines += _local_lines(conn, source, batches)
    return lines


@dataclass(frozen=True, slots=True)
class _Page:
    rows: Sequence[RecordingRow]
    modalities: Mapping[str, Sequence[ModalityRow]]
    people: Mapping[str, Sequence[ParticipantRow]]
    count: Count | None
    next: str | None
    seen: int | None = None


def _page(
    catalog: Catalog,
    where: Mapping[str, Any],
    text: str | None,
    modality: str | None,
    *,
    cursor: str | None,
    limit: int,
) -> _Page:
    if modality is None:
        page = catalog.page(where, text=text, limit=limit, after=cursor)
        hashes = [row.recording_hash for row in page.rows]
        return _Page(
            page.rows,
            catalog.modalities_of(hashes),
            catalog.participants_of(hashes),
            Count(catalog.count(where, text=text)),
            page.next,
        )
    rows: list[RecordingRow] = []
    modalities: dict[str, Sequence[ModalityRow]] = {}
    seen, after, last = 0, cursor, None
    while seen < WALKED_MAX:
        page = catalog.page(where, text=text, limit=_WALKED_AT_ONCE, after=after)
        held = catalog.modalities_of([row.recording_hash for row in page.rows])
        for row in page.rows:
            here = held[row.recording_hash]
            if modality in {each.modality for each in here} | set(modality_keys(here)):
                if len(rows) == limit:
                    last = cursor_after(rows[-1], newest_first=True)
                    break
                rows.append(row)
                modalities[row.recording_hash] = here
        seen, after = seen + len(page.rows), page.next
        if last is not None or after is None:
            break
    people = catalog.participants_of(modalities)
    stopped = last is None and after is not None
    return _Page(rows, modalities, people, None, last or after, seen if stopped else None)


def _registered(
    source: str,
    row: RecordingRow,
    found: _Page,
    batch: Batch | None,
    verified: Mapping[str, Verification],
) -> RecordingLine:
    modalities, people = found.modalities[row.recording_hash], found.people[row.recording_hash]
    return line_of(
        source,
        row,
        modalities=modalities,
        people=people,
        batch=batch,
        verification=verified.get(row.recording_hash),
    )


def _on_the_rig(
    console: Console, source: RecordingsSource, *, q: str | None, cursor: str | None, limit: int
) -> RecordingList:
    filters = BatchFilter(source=source.name, states=_NOT_REGISTERED, q=q)
    with console.lading.db.read() as conn:
        page = list_batches(conn, filters, sort="-updated", cursor=cursor, limit=limit)
        counts = count_batches_by_state(conn, filters)
        lines = _local_lines(conn, source, page.batches)
    return RecordingList(
        lines=lines,
        count=sum((counts[state] for state in _NOT_REGISTERED), Count(0)),
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def _local_lines(
    conn: Connection, source: RecordingsSource, batches: Sequence[Batch]
) -> list[RecordingLine]:
    jobs = newest_jobs(conn, [batch.id for batch in batches])
    stored = _with_all_files_stored(conn, batches)
    rig_active = rig_of(source).is_active()
    return [
        _local_line(
            batch,
            local_state(
                batch.state,
                waits_for_rig=_waits_for_rig(jobs.get(batch.id)),
                rig_active=rig_active,
                files_stored=batch.id in stored,
            ),
            stored=batch.id in stored,
        )
        for batch in batches
    ]


def _local_line(batch: Batch, state: str, *, stored: bool) -> RecordingLine:
    facts = batch.detail
    name, started = facts.get("participant"), facts.get("started_at")
    recording_id = str(facts.get("recording_id") or batch.batch_key)
    duration = facts.get("duration_s")
    return RecordingLine(
        source=batch.source,
        recording_id=batch.batch_key,
        recording_hash=facts.get("recording_hash"),
        state=state,
        started_at=parse_instant(str(started)) if started else begun_at(recording_id),
        duration_s=float(duration) if isinstance(duration, int | float) else None,
        participants=[Person(id=str(name), name=str(name), known=True)] if name else [],
        modalities=[],
        files=max(0, batch.items_total - 1),
        size_bytes=batch.bytes_total,
        local=True,
        stored=stored,
        registered=batch.state is BatchState.IMPORTED,
        batch_id=batch.id,
        batch_url=batch_url(batch),
        reason=batch.reason,
    )


def _waits_for_rig(job: JobRow | None) -> bool:
    return job is not None and job.status is JobState.WAITING and job.error_code == SourceBusy.code


def _with_all_files_stored(conn: Connection, batches: Sequence[Batch]) -> set[int]:
    """Those batches of which every file is stored, and the registration alone is missing."""
    ids = [batch.id for batch in batches if batch.state is BatchState.PARTIAL]
    if not ids:
        return set()
    item = ingest_batch_item.c
    lacking = select(item.batch_id).where(
        item.batch_id.in_(ids),
        item.batch_id == ingest_batch.c.id,
        item.revision == ingest_batch.c.revision,
        item.kind != REGISTRATION,
        item.outcome.not_in([outcome.value for outcome in _ENDED_WELL]),
    )
    return set(ids) - set(conn.scalars(lacking.distinct()))


def _only_stored(
    source: RecordingsSource, *, q: str | None, cursor: str | None, limit: int
) -> RecordingList:
    text = (q or "").lower()
    found, seen, more = ask(source, lambda held: _unregistered(held, text, cursor, limit))
    return RecordingList(
        lines=[_stored_line(source.name, recording_id) for recording_id in found],
        next_cursor=more,
        seen=seen,
    )


def _unregistered(
    held: Repository, text: str, cursor: str | None, limit: int
) -> tuple[list[str], int | None, str | None]:
    """Recordings of which something is stored and nothing registered, by their identifiers.

    Also how many were looked at, if there are more than that, and after which to go on.
    """
    names = (name for name in held.recording_ids() if cursor is None or name > cursor)
    found: list[str] = []
    seen = 0
    while some := list(islice(names, _WALKED_AT_ONCE)):
        places = {
            location_of(name, held.prefix): name
            for name in some
            if text in name.lower() and is_id(name)
        }
        wanted = {"location": sorted(places)}
        taken = {row.location for row in held.catalog.list_modalities(wanted)} if places else set()
        for place, name in places.items():
            if place not in taken:
                if len(found) == limit:
                    return found, None, found[-1]
                found.append(name)
        seen += len(some)
        if seen >= WALKED_MAX:
            return found, seen, some[-1]
    return found, None, None


def is_id(name: str) -> bool:
    """Whether a recording can be called so."""
    try:
        check_id(name)
    except RecordingIdRefused:
        return False
    return True


def _stored_line(source: str, recording_id: str) -> RecordingLine:
    return RecordingLine(
        source=source,
        recording_id=recording_id,
        recording_hash=None,
        state=UNREGISTERED,
        started_at=begun_at(recording_id),
        duration_s=None,
        participants=[],
        modalities=[],
        files=None,
        size_bytes=None,
        local=None,
        stored=True,
        registered=False,
    )


def _batches_of(conn: Connection, source: str, keys: Sequence[str]) -> dict[str, Batch]:
    if not keys:
        return {}
    columns = ingest_batch.c
    rows = conn.execute(
        select(ingest_batch).where(columns.source == source, columns.batch_key.in_(sorted(keys)))
    )
    return {row.batch_key: Batch.from_row(row) for row in rows}


def _identifier(row: RecordingRow) -> str:
    return str(row.metadata.get("manifest_recording_id") or row.recording_hash)
