"""Lists walk indexes from where a page begins: no table is read through, whatever is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from lading.db import Database
from lading.db.counting import count_capped
from lading.jobs.queries import count_jobs, count_jobs_by_state, list_jobs, oldest_queued_s
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter
from lading.ledger.batch_lists import BatchFilter, count_batches_by_state, list_batches
from lading.ledger.batches import get_batch
from lading.ledger.event_lists import EventFilter, list_event_page
from lading.ledger.item_lists import (
    ItemFilter,
    count_plan,
    list_item_page,
    read_accounting,
)
from lading.ledger.states import Decision, Outcome
from lading.library.tables import asset
from lading.testing.seed_57 import insert_seed_57

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def items(filters: ItemFilter) -> Callable[[Connection], object]:
    return lambda conn: list_item_page(conn, get_batch(conn, 1), filters)


def jobs(**filters: Any) -> Callable[[Connection], object]:
    return lambda conn: list_jobs(conn, JobFilter(**filters), cursor=None, limit=50)


def batches(**filters: Any) -> Callable[[Connection], object]:
    return lambda conn: list_batches(conn, BatchFilter(**filters))


def events(**filters: Any) -> Callable[[Connection], object]:
    return lambda conn: list_event_page(conn, EventFilter(**filters))


READS: dict[str, Callable[[Connection], object]] = {
    "import queue": batches(),
    "import queue, beginning of a key": batches(q="49f8"),
    "import queue, source": batches(source="nas", states=["pending"]),
    "import queue, type": batches(type="event"),
    "import queue, time": batches(updated_after=LONG_AGO),
    "import queue, counts": count_batches_by_state,
    "items": items(ItemFilter()),
    "items, outcome": items(ItemFilter(outcomes=[Outcome.FAILED])),
    "items, decision": items(ItemFilter(decisions=[Decision.REMOVE])),
    "items, reason": items(ItemFilter(reasons=["hash_mismatch"])),
    "items, beginning of a name": items(ItemFilter(q="photo")),
    "items, accounts": lambda conn: read_accounting(conn, get_batch(conn, 1)),
    "items, plan": lambda conn: count_plan(conn, get_batch(conn, 1)),
    "jobs": jobs(),
    "jobs, failed": jobs(states=[JobState.FAILED]),
    "jobs, waiting and queued": jobs(states=[JobState.WAITING, JobState.QUEUED]),
    "jobs, kind": jobs(kinds=["scan"]),
    "jobs, beginning of a key": jobs(q="49f8"),
    "jobs, since": jobs(since=LONG_AGO),
    "jobs, counts": count_jobs_by_state,
    "jobs, all counts": count_jobs,
    "jobs, oldest": oldest_queued_s,
    "audit": events(),
    "audit, actor": events(actor="user:ana"),
    "audit, kinds": events(kinds=["job_done", "job_failed"]),
    "audit, source": events(source="nas"),
    "audit, since": events(since=LONG_AGO),
}


WHOLE = {"jobs", "jobs, since", "audit", "audit, since", "jobs, all counts"}
"""In the order of its own numbers a table is an index; and who counts all reads all."""


def plans(db: Database, read: Callable[[Connection], object]) -> list[str]:
    """How SQLite goes about every statement of `read`, a line for each table it opens."""
    seen: list[tuple[str, Any]] = []

    def note(*execution: Any) -> None:
        seen.append((execution[2], execution[3]))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        with db.read() as conn:
            read(conn)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    lines = []
    with db.read() as conn:
        for statement, values in seen:
            if statement.startswith("SELECT"):
                explained = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                lines += [str(row[3]) for row in explained]
    return lines


def read_through(lines: list[str]) -> list[str]:
    """Tables and indexes that are read from end to end, not from a place in them."""
    tables = {"ingest_batch", "ingest_batch_item", "import_job", "ingest_event", "asset"}
    return [line for line in lines if line.startswith("SCAN ") and line.split()[1] in tables]


NAMED = {
    "import queue, beginning of a key": ["batch_key>?"],
    "items, beginning of a name": ["item_key>?", "title>?"],
    "jobs, beginning of a key": ["batch_key>?"],
}
"""Where the beginning of a text is looked up in an index by just that."""


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "never analyzed"])
def test_no_list_reads_a_table_through(sqlite_database: Database, analyzed: bool) -> None:
    with sqlite_database.write() as conn:
        insert_seed_57(conn)
    if analyzed:
        with sqlite_database.autocommit() as conn:
            conn.execute(text("ANALYZE")).close()
    for name, read in READS.items():
        lines = plans(sqlite_database, read)
        if name not in WHOLE:
            assert read_through(lines) == [], name
        for looked_up in NAMED.get(name, []):
            assert [line for line in lines if looked_up in line], (name, looked_up, lines)
    # The check itself can fail: this one has no index.
    whole = plans(
        sqlite_database,
        lambda conn: count_capped(conn, asset.select().where(asset.c.title == "x")),
    )
    assert read_through(whole) != []
