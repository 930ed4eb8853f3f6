"""The ledger cannot be changed unseen: every edit, deletion, swap and truncation is found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from lading.base.tracing import request_id
from lading.db import Database
from lading.ledger import chain
from lading.ledger.events import BatchMoved, JobCancelled, QueuePaused, parse_payload
from lading.ledger.queries import list_events, walk_events
from lading.ledger.tables import ingest_event, ledger_head
from lading.ledger.verify import Checkpoint, verify_chain

EVENTS = 12


@pytest.fixture
def ledger(database: Database) -> Database:
    """A ledger with some events of several kinds, subjects and transactions."""
    for number in range(EVENTS // 2):
        with database.write() as conn:
            chain.append_all(
                conn,
                [
                    chain.Entry(
                        BatchMoved(before="pending", after="queued", reason=f"ünïcode {number}"),
                        "cli:ana",
                        source="nas",
                        batch_id=number,
                    ),
                    chain.Entry(JobCancelled(why='a "quoted"\nline'), "cli:bo", job_id=number),
                ],
            )
    return database


def faults(db: Database, expected: Checkpoint | None = None) -> list[tuple[int, str]]:
    with db.read() as conn:
        return [(f.seq, f.kind) for f in verify_chain(conn, expected=expected).faults]


def test_an_untouched_ledger_is_whole(ledger: Database) -> None:
    with ledger.read() as conn:
        report = verify_chain(conn)
    assert report.whole
    assert report.events == report.head.seq == EVENTS


def _edit_payload(conn: Connection) -> None:
    conn.execute(update(ingest_event).where(ingest_event.c.seq == 5).values(payload="{}"))


def _edit_actor(conn: Connection) -> None:
    conn.execute(update(ingest_event).where(ingest_event.c.seq == 5).values(actor="cli:eve"))


def _edit_time(conn: Connection) -> None:
    at = conn.scalar(select(ingest_event.c.at).where(ingest_event.c.seq == 5))
    assert at is not None
    later = at + timedelta(microseconds=1000)
    conn.execute(update(ingest_event).where(ingest_event.c.seq == 5).values(at=later))


def _edit_subject(conn: Connection) -> None:
    conn.execute(update(ingest_event).where(ingest_event.c.seq == 5).values(batch_id=99))


def _edit_hash(conn: Connection) -> None:
    conn.execute(update(ingest_event).where(ingest_event.c.seq == 5).values(hash="f" * 64))


def _delete_one(conn: Connection) -> None:
    conn.execute(delete(ingest_event).where(ingest_event.c.seq == 5))


def _delete_first(conn: Connection) -> None:
    conn.execute(delete(ingest_event).where(ingest_event.c.seq == 1))


def _delete_last(conn: Connection) -> None:
    conn.execute(delete(ingest_event).where(ingest_event.c.seq == EVENTS))


def _delete_all(conn: Connection) -> None:
    conn.execute(delete(ingest_event))


def _swap(conn: Connection) -> None:
    for before, after in ((5, 900), (6, 5), (900, 6)):
        conn.execute(update(ingest_event).where(ingest_event.c.seq == before).values(seq=after))


def _forge_beyond_the_head(conn: Connection) -> None:
    row = conn.execute(select(ingest_event).where(ingest_event.c.seq == 5)).one()._mapping
    conn.execute(insert(ingest_event).values({**row, "seq": EVENTS + 1}))


def _forge_before_the_first(conn: Connection) -> None:
    row = conn.execute(select(ingest_event).where(ingest_event.c.seq == 5)).one()._mapping
    conn.execute(insert(ingest_event).values({**row, "seq": 0}))


def _move_the_head_back(conn: Connection) -> None:
    conn.execute(update(ledger_head).values(seq=EVENTS - 1))


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_edit_payload, (5, "altered")),
        (_edit_actor, (5, "altered")),
        (_edit_time, (5, "altered")),
        (_edit_subject, (5, "altered")),
        (_edit_hash, (5, "altered")),
        (_delete_one, (5, "missing")),
        (_delete_first, (1, "missing")),
        (_delete_last, (EVENTS, "missing")),
        (_delete_all, (1, "missing")),
        (_swap, (5, "altered")),
        (_forge_beyond_the_head, (EVENTS + 1, "unexpected")),
        (_forge_before_the_first, (0, "unexpected")),
        (_move_the_head_back, (EVENTS - 1, "head")),
    ],
)
def test_tampering_is_found_and_named(
    tamper: Callable[[Connection], None], found: tuple[int, str], ledger: Database
) -> None:
    with ledger.write() as conn:
        tamper(conn)
    assert found in faults(ledger)


def test_a_noted_checkpoint_reveals_a_ledger_cut_off_and_written_on(ledger: Database) -> None:
    with ledger.read() as conn:
        noted = verify_chain(conn).head
    with ledger.write() as conn:
        hash_before = conn.scalar(select(ingest_event.c.hash).where(ingest_event.c.seq == 8))
        conn.execute(delete(ingest_event).where(ingest_event.c.seq > 8))
        conn.execute(update(ledger_head).values(seq=8, hash=hash_before))
        for _ in range(EVENTS):
            chain.append(conn, QueuePaused(paused=True), actor="cli:eve")
    assert faults(ledger) == []
    assert faults(ledger, noted) == [(EVENTS, "head")]
    assert Checkpoint.parse(str(noted)) == noted


def test_writers_at_once_get_dense_numbers_in_the_order_of_their_commits(
    ledger: Database,
) -> None:
    def write() -> None:
        for _ in range(10):
            ledger.run(lambda conn: chain.append(conn, QueuePaused(paused=False), actor="cli:many"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as conn:
        assert [e.seq for e in walk_events(conn)] == list(range(1, EVENTS + 41))
    assert faults(ledger) == []


def test_an_event_of_a_transaction_that_rolls_back_leaves_no_gap(ledger: Database) -> None:
    def fail(conn: Connection) -> None:
        chain.append(conn, QueuePaused(paused=True), actor="cli:ana")
        raise KeyError

    with pytest.raises(KeyError):
        ledger.run(fail)
    with ledger.write() as conn:
        assert chain.append(conn, QueuePaused(paused=True), actor="cli:ana") == EVENTS + 1
    assert faults(ledger) == []


@pytest.mark.parametrize("backend", ["postgresql"])  # the one with a single-statement path
def test_postgresql_hashes_an_event_as_python_does(database: Database) -> None:
    db = database
    payload = JobCancelled(why='tab\t "quote" ünïcode \\ back').to_json()
    subject = (
        "s AS (SELECT %(kind)s::text AS event_kind, %(actor)s::text AS event_actor,"
        " %(batch)s::bigint AS event_batch_id, %(job)s::bigint AS event_job_id,"
        " %(payload)s::text AS event_payload)"
    )
    sql = f"WITH {subject}, {chain.postgresql_append_sql('s')} SELECT seq FROM h"
    for batch, job in ((None, 7), (3, None), (3, 7)):
        facts = {
            "kind": "job_cancelled",
            "actor": "worker:höst",
            "batch": batch,
            "job": job,
            "payload": payload,
        }
        with db.write() as conn:
            conn.exec_driver_sql(sql, facts)
    assert faults(db) == []
    with db.read() as conn:
        assert [event.seq for event in list_events(conn)] == [1, 2, 3]


def test_a_payload_survives_being_stored() -> None:
    event = BatchMoved(before="queued", after="importing", reason=None)
    assert parse_payload("batch_moved", event.to_json()) == event
    assert parse_payload("of_a_later_version", '{"a":1}') == {"a": 1}


def test_what_a_request_causes_names_the_request(sqlite_database: Database) -> None:
    token = request_id.set("req-7")
    try:
        with sqlite_database.write() as conn:
            chain.append(conn, JobCancelled(why="by hand"), actor="user:ana")
    finally:
        request_id.reset(token)
    with sqlite_database.write() as conn:
        chain.append(conn, JobCancelled(why="by a worker"), actor="worker:w")
    with sqlite_database.read() as conn:
        first, second = list_events(conn)
    assert first.payload == {"why": "by hand", "request_id": "req-7"}
    assert second.payload == {"why": "by a worker"}
    assert parse_payload("job_cancelled", json.dumps(first.payload)) == JobCancelled(why="by hand")
