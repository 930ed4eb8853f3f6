"""Which batches are ready to be queued, and queueing what a scan found where a source says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, select

from lading.base.stopping import StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.ingest.parts import IngestParts
from lading.ingest.queueing import QueueResult, queue_batches
from lading.ingest.rules import PREFLIGHT_STALE
from lading.ledger.batch_lists import BatchFilter, list_batches
from lading.ledger.batches import Batch
from lading.ledger.states import BatchState

READY_STATES: Final = (
    BatchState.PENDING,
    BatchState.PREFLIGHT_PASSED,
    BatchState.PREFLIGHT_STALE,  # queueing decides anew, about the manifest as it is now
)
PREFLIGHT_SILENT_S: Final = 3_600
"""A preflight that lives records its decisions far more often."""
_PAGE_BATCHES: Final = 1_000


def by_states(
    db: Database, states: Sequence[BatchState], *, source: str | None = None
) -> list[Batch]:
    """All batches in these states, the oldest first: first in, first out (A7)."""
    with db.read() as conn:
        return sorted(_walk(conn, states, source), key=lambda batch: batch.id)


def ready(db: Database, *, source: str | None = None) -> list[Batch]:
    """What can be queued: preflight passed, gone stale, or pending with nothing against it.

    Also what has long been in preflight without a sign of life: whoever was at it was killed.
    """
    with db.read() as conn:
        silent_since = conn.scalars(select(now(-PREFLIGHT_SILENT_S))).one()
    return [
        batch
        for batch in by_states(db, (*READY_STATES, BatchState.PREFLIGHTING), source=source)
        if batch.reason in {None, PREFLIGHT_STALE.code}
        and (batch.state is not BatchState.PREFLIGHTING or batch.updated_at < silent_since)
    ]


def queue_found(
    parts: IngestParts,
    source: str,
    *,
    actor: str,
    stop: StopSignal | None = None,
    on_result: Callable[[QueueResult], None] | None = None,
) -> list[QueueResult]:
    """Queue what is ready of a source whose settings say `auto_queue`; nothing of others (C3).

    Raises as `queue_batches` does; what is queued by then stays queued.
    """
    if source not in parts.auto_queue:
        return []
    found = [batch.id for batch in ready(parts.db, source=source)]
    return queue_batches(parts, found, actor=actor, stop=stop, on_result=on_result)


def _walk(conn: Connection, states: Sequence[BatchState], source: str | None) -> Iterator[Batch]:
    wanted = BatchFilter(states=states, source=source)
    cursor: str | None = None
    while True:
        page = list_batches(conn, wanted, sort="updated", cursor=cursor, limit=_PAGE_BATCHES)
        yield from page.batches
        cursor = page.next_cursor
        if cursor is None:
            return
