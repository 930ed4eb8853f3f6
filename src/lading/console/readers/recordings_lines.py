"""A recording as lists and pages have it, wherever it was found, and its batch in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from lading.base.errors import LadingError
from lading.catalog.rules import modality_keys
from lading.catalog.values import UNKNOWN_PARTICIPANT, ModalityRow, ParticipantRow, RecordingRow
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.recordings_jobs import Verification
from lading.console.recordings_words import STATES, registered_state
from lading.console.vocabulary import Look
from lading.db.counting import Count
from lading.ledger.batches import Batch
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch

RECORDINGS: Final = "/recordings"


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
        recording_id=identifier_of(row),
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
        return batches_of(conn, source, [recording_id]).get(recording_id)


def batches_of(conn: Connection, source: str, keys: Sequence[str]) -> dict[str, Batch]:
    """The batches of recordings of a source, by their keys: the names of their folders."""
    if not keys:
        return {}
    columns = ingest_batch.c
    rows = conn.execute(
        select(ingest_batch).where(columns.source == source, columns.batch_key.in_(sorted(keys)))
    )
    return {row.batch_key: Batch.from_row(row) for row in rows}


def identifier_of(row: RecordingRow) -> str:
    """The identifier that a recording's manifest gave it, else its hash."""
    return str(row.metadata.get("manifest_recording_id") or row.recording_hash)
