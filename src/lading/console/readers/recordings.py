"""Lists of recordings: those of the catalog, those on the rig, and those that are only stored.

Rows of the catalog come with what the ledger knows of them: their batch, their last verification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from lading.catalog.catalog import Catalog
from lading.catalog.pages import cursor_after
from lading.catalog.rules import modality_keys
from lading.catalog.values import ModalityRow, ParticipantRow, RecordingRow
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.recordings_held import ask
from lading.console.readers.recordings_jobs import Verification, latest_verifications
from lading.console.readers.recordings_lines import (
    RecordingLine,
    RecordingList,
    batches_of,
    identifier_of,
    line_of,
)
from lading.console.readers.recordings_local import read_local
from lading.console.recordings_words import (
    STATES,
    UNREGISTERED,
    VERIFIED,
    VERIFY_FAILED,
)
from lading.db.counting import Count
from lading.ledger.batches import Batch
from lading.sources.recordings.errors import RecordingIdRefused
from lading.sources.recordings.layout import begun_at, check_id, location_of
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.source import RecordingsSource

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
WALKED_MAX: Final = 2_000
"""How many recordings one page looks at for those that have a modality, or are not registered."""
_WALKED_AT_ONCE: Final = 500


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
        return read_local(console, source, q=q, cursor=cursor, limit=limit)
    if view == STORED:
        return _only_stored(source, q=q, cursor=cursor, limit=limit)
    with console.lading.db.read() as conn:
        verified = latest_verifications(conn, source.name)
    where: dict[str, Any] = {"participant_ids": participant} if participant else {}
    if view:
        bad = view == VERIFY_FAILED
        where["recording_hash"] = [
            each for each, one in verified.items() if bool(one.files_failed) is bad
        ]
        if not where["recording_hash"]:
            return RecordingList(count=Count(0))
    found = ask(
        source, lambda held: _page(held.catalog, where, q, modality, cursor=cursor, limit=limit)
    )
    with console.lading.db.read() as conn:
        batches = batches_of(conn, source.name, [identifier_of(row) for row in found.rows])
    return RecordingList(
        lines=[
            _registered(source.name, row, found, batches.get(identifier_of(row)), verified)
            for row in found.rows
        ],
        count=found.count,
        next_cursor=found.next,
        seen=found.seen,
    )


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
