"""Whether the first page of a list depends on how long the list is.

    python benchmarks/bench_lists.py [--items 1000000] [--rows 100000] [--postgresql] [--json]

One run, one machine: two databases, one with 1,000 items in a batch and 1,000 batches, jobs and
events, the other with many, the few that are looked for far from where a list begins. Every page
is read from both, by turns, as the console reads it. Prints the medians and their ratio; 3 is the
most that is wanted. Counts that must be exact read every row, and are listed apart.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, text

from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.jobs.figures import failure_groups
from lading.jobs.queries import count_jobs_by_state, list_jobs, next_jobs
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import JobFilter
from lading.ledger.batch_lists import BatchFilter, count_batches_by_state, list_batches
from lading.ledger.batches import Batch
from lading.ledger.event_lists import EventFilter, list_event_page
from lading.ledger.item_lists import ItemFilter, count_plan, list_item_page, read_accounting
from lading.ledger.states import Decision, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item, ingest_event
from lading.testing.servers_db import Backend, database_server, fresh_database

SMALL: Final = 1_000
RARE: Final = 60
UNFINISHED: Final = 18
ROUNDS: Final = 40
TARGET: Final = 3.0
NOW: Final = datetime.now(UTC)
LINEAR: Final = frozenset({"items: accounts, exact", "items: plan and outcome, exact"})

Read = Callable[[Connection, "Filled"], object]


class Filled:
    """A filled database, and what is asked of it."""

    def __init__(self, db: Database, items: int, rows: int) -> None:
        self.db = db
        self.items = items
        self.rows = rows
        with db.write() as conn:
            bulk_insert(conn, ingest_batch, _batches(rows, items))
            bulk_insert(conn, ingest_batch_item, _items(items))
            bulk_insert(conn, import_job, _jobs(rows))
            bulk_insert(conn, ingest_event, _events(rows))
        with db.autocommit() as conn:
            for table in (ingest_batch, ingest_batch_item, import_job, ingest_event):
                verb = "ANALYZE TABLE" if db.dialect == "mariadb" else "ANALYZE"
                conn.execute(text(f"{verb} {table.name}")).close()
        with db.read() as conn:
            row = conn.execute(select(ingest_batch).where(ingest_batch.c.id == 1)).one()
            self.batch = Batch.from_row(row)
        # As a reader has it who came to the middle of the items.
        middle = json.dumps([0, items // 2]).encode()
        self.cursor = base64.urlsafe_b64encode(middle).decode().rstrip("=")


def _rare(number: int, count: int) -> bool:
    return number % max(1, count // RARE) == 0


def _batches(count: int, items: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        unfinished = number < UNFINISHED
        at = NOW - timedelta(seconds=count - number)
        yield {
            "source": "rig" if _rare(number, count) else "nas",
            "batch_key": f"{number * 2_654_435_761 % 2**32:08x}-{number:08d}",
            "revision": 1,
            "type": "event" if _rare(number, count) else "asset",
            "action": "import",
            "state": "pending" if unfinished else "imported",
            "fingerprint": "1",
            "items_total": items if number == 0 else 10,
            "found_at": at,
            "updated_at": at,
            "finished_at": None if unfinished else at,
        }


def _items(count: int) -> Iterator[dict[str, Any]]:
    for seq in range(count):
        failed = _rare(seq, count)
        planned = "remove" if _rare(seq + 7, count) else "create"
        yield {
            "batch_id": 1,
            "revision": 1,
            "seq": seq,
            "item_key": f"{seq * 2_654_435_761 % 2**32:08x}",
            "kind": "asset",
            "title": f"Photo {seq}",
            "content_hash": f"{seq:064x}",
            "bytes": 1_000_000,
            "decision": "failed" if failed else planned,
            "planned": planned,
            "outcome": "failed" if failed else "removed" if planned == "remove" else "created",
            "reason": "hash_mismatch" if failed else None,
            "updated_at": NOW,
        }


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        at = NOW - timedelta(seconds=count - number)
        failed = _rare(number, count)
        state = "queued" if number % (count // 300) == 1 else "failed" if failed else "done"
        yield {
            "kind": "scan" if failed else "import_batch",
            "params": "{}",
            "batch_id": number + 1,
            "status": state,
            "created_at": at,
            "queued_at": at,
            "started_at": at,
            "finished_at": None if state == "queued" else at,
            "error_code": "store_full" if failed else None,
        }


def _events(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        rare = _rare(number, count)
        yield {
            "seq": number,
            "at": NOW - timedelta(seconds=60 * (count - number)),
            "kind": "scan_finished" if rare else "job_done",
            "actor": "user:ana" if rare else "worker:w1",
            "source": "nas" if rare else None,
            "job_id": number,
            "payload": "{}",
            "hash": "0" * 64,
        }


PAGES: Final[Mapping[str, Read]] = {
    "items": lambda c, f: list_item_page(c, f.batch),
    "items: from the middle": lambda c, f: list_item_page(c, f.batch, cursor=f.cursor),
    "items: failed": lambda c, f: list_item_page(c, f.batch, ItemFilter(outcomes=[Outcome.FAILED])),
    "items: to be removed": lambda c, f: list_item_page(
        c, f.batch, ItemFilter(decisions=[Decision.REMOVE])
    ),
    "items: one reason": lambda c, f: list_item_page(
        c, f.batch, ItemFilter(reasons=["hash_mismatch"])
    ),
    "items: beginning of a key": lambda c, f: list_item_page(c, f.batch, ItemFilter(q="9e37")),
    "items: beginning of a title": lambda c, f: list_item_page(
        c, f.batch, ItemFilter(q="Photo 99")
    ),
    "items: accounts, exact": lambda c, f: read_accounting(c, f.batch),
    "items: plan and outcome, exact": lambda c, f: count_plan(c, f.batch),
    "import queue": lambda c, _: list_batches(c),
    "import queue: newest": lambda c, _: list_batches(c, sort="-updated"),
    "import queue: a rare source": lambda c, _: list_batches(c, BatchFilter(source="rig")),
    "import queue: a rare type": lambda c, _: list_batches(c, BatchFilter(type="event")),
    "import queue: beginning of a key": lambda c, _: list_batches(c, BatchFilter(q="9e37")),
    "import queue: counts by state": lambda c, _: count_batches_by_state(c, cap=1_000),
    "jobs": lambda c, _: list_jobs(c, JobFilter(), cursor=None, limit=50),
    "jobs: failed": lambda c, _: list_jobs(
        c, JobFilter(states=[JobState.FAILED]), cursor=None, limit=50
    ),
    "jobs: of a rare kind": lambda c, _: list_jobs(
        c, JobFilter(kinds=["scan"]), cursor=None, limit=50
    ),
    "jobs: made lately": lambda c, _: list_jobs(
        c, JobFilter(since=NOW - timedelta(seconds=300)), cursor=None, limit=50
    ),
    "jobs: who is next": lambda c, _: next_jobs(c),
    "jobs: counts by state": lambda c, _: count_jobs_by_state(c, cap=1_000),
    "jobs: failures by reason": lambda c, _: failure_groups(c),
    "audit": lambda c, _: list_event_page(c),
    "audit: of a person": lambda c, _: list_event_page(c, EventFilter(actor="user:ana")),
    "audit: of a rare kind": lambda c, _: list_event_page(
        c, EventFilter(kinds=["scan_finished", "scan_refused"])
    ),
    "audit: about a source": lambda c, _: list_event_page(c, EventFilter(source="nas")),
    "audit: of the last day": lambda c, _: list_event_page(
        c, EventFilter(since=NOW - timedelta(days=1)), newest_first=False
    ),
}


def measure(backend: Backend, items: int, rows: int) -> list[dict[str, Any]]:
    """The medians of every page on a short and on a long list of one kind of database."""
    with ExitStack() as stack:
        server = stack.enter_context(database_server(backend))
        short = Filled(stack.enter_context(fresh_database(server)), SMALL, SMALL)
        long = Filled(stack.enter_context(fresh_database(server)), items, rows)
        results = []
        for name, read in PAGES.items():
            rounds = 5 if name in LINEAR else ROUNDS
            times: dict[Filled, list[float]] = {short: [], long: []}
            for number in range(rounds + 2):
                for filled in (short, long):
                    began = time.perf_counter()
                    with filled.db.read() as conn:
                        read(conn, filled)
                    if number >= 2:
                        times[filled].append(time.perf_counter() - began)
            small_ms, large_ms = (statistics.median(t) * 1_000 for t in times.values())
            results.append(
                {
                    "backend": backend,
                    "page": name,
                    "small_ms": small_ms,
                    "large_ms": large_ms,
                    "ratio": large_ms / small_ms,
                }
            )
        return results


def main() -> int:
    """Measure and print; 1 when a page is slower than is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--mariadb", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    backends: list[Backend] = ["sqlite"]
    if options.postgresql:
        backends.append("postgresql")
    if options.mariadb:
        backends.append("mariadb")
    results = []
    for backend in backends:
        results += measure(backend, options.items, options.rows)
    if options.json:
        print(json.dumps(results))
        return 0
    print(f"{SMALL:,} against {options.items:,} items and {options.rows:,} other rows")
    slow = 0
    for result in results:
        linear = result["page"] in LINEAR
        slow += not linear and result["ratio"] > TARGET
        mark = "reads all" if linear else "SLOW" if result["ratio"] > TARGET else ""
        print(
            f"{result['backend']:<11} {result['page']:<34} {result['small_ms']:8.2f} ms"
            f" {result['large_ms']:8.2f} ms {result['ratio']:7.2f} {mark}"
        )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
