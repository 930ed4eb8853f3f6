"""Turns what people type into batches: names, states, or the batches a plan speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from lading.db import Database
from lading.db.clock import now
from lading.ingest.plan import Plan, PlanOutdated
from lading.ingest.rules import PREFLIGHT_STALE
from lading.ledger.batch_lists import BatchFilter, list_batches
from lading.ledger.batches import Batch, batch_ids
from lading.ledger.queries import find_batch
from lading.ledger.states import BatchState

READY_STATES = (
    BatchState.PENDING,
    BatchState.PREFLIGHT_PASSED,
    BatchState.PREFLIGHT_STALE,  # queueing decides anew, about the manifest as it is now
)
PAGE_BATCHES = 1_000
PREFLIGHT_SILENT_S = 3_600
"""A preflight that lives records its decisions far more often."""


def by_names(db: Database, names: Sequence[str]) -> list[Batch]:
    """The batches named, each once, in the order given. Raises `BatchMissing`."""
    with db.read() as conn:
        found = [find_batch(conn, name) for name in names]
    return list({batch.id: batch for batch in found}.values())


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


def by_plan(db: Database, plan: Plan) -> list[int]:
    """The numbers of the batches a plan speaks of. Raises `PlanOutdated` for an unknown one."""
    keys: dict[str, list[str]] = {}
    for planned in plan.batches:
        keys.setdefault(planned.source, []).append(planned.batch_key)
    with db.read() as conn:
        known = {source: batch_ids(conn, source, names) for source, names in keys.items()}
    numbers = []
    for planned in plan.batches:
        number = known[planned.source].get(planned.batch_key)
        if number is None:
            raise PlanOutdated(
                "the plan speaks of a batch that is not recorded here",
                subject=f"{planned.source}/{planned.batch_key}",
            )
        numbers.append(number)
    return numbers


def _walk(conn: Connection, states: Sequence[BatchState], source: str | None) -> Iterator[Batch]:
    wanted = BatchFilter(states=states, source=source)
    cursor: str | None = None
    while True:
        page = list_batches(conn, wanted, sort="updated", cursor=cursor, limit=PAGE_BATCHES)
        yield from page.batches
        cursor = page.next_cursor
        if cursor is None:
            return
