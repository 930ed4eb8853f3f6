"""Recordings on the rig that the catalog does not have, as scans and imports know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from lading.console.listing import parse_instant
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.recordings_held import RecordingsSlow, bounded, sources_of
from lading.console.readers.recordings_lines import Person, RecordingLine, RecordingList
from lading.console.recordings_words import local_state
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
from lading.sources.recordings.layout import begun_at
from lading.sources.recordings.open_batch import REGISTRATION
from lading.sources.recordings.source import RecordingsSource

RIG_ANSWERS_WITHIN_S: Final = 2.0
_ENDED_WELL: Final = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
_NOT_REGISTERED: Final = tuple(
    state for state in BatchState if state not in {BatchState.IMPORTED, BatchState.SUPERSEDED}
)


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


def read_local(
    console: Console, source: RecordingsSource, *, q: str | None, cursor: str | None, limit: int
) -> RecordingList:
    """A page of them, those that changed last first. Raises `BadCursor`."""
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
    rig_active = _is_active(source)
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


def _is_active(source: RecordingsSource) -> bool:
    """Whether the rig records, by one look at its disk; no where the disk does not answer."""
    try:
        return bounded(source, source.rig.is_active, within_s=RIG_ANSWERS_WITHIN_S)
    except RecordingsSlow:
        return False


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
