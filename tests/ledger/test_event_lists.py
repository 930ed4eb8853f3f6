"""The ledger as a list: newest or oldest first, filtered, from one time to another."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from lading.db import Database
from lading.db.clock import now
from lading.db.walks import first_number_since
from lading.ledger.event_lists import EventFilter, event_conditions, list_event_page
from lading.ledger.tables import ingest_event

EVENTS = 300
KINDS = ["batch_found", "scan_finished", "job_started", "job_done"]


def fill(db: Database) -> None:
    """Events of the last ten hours, two minutes apart; now and then one comes in a little late."""
    chance = random.Random(9)
    with db.write() as conn:
        at = conn.scalars(select(now())).one()
        rows = [
            {
                "seq": seq,
                "at": at - timedelta(minutes=2 * (EVENTS - seq) + chance.choice([0, 0, 0, 9])),
                "kind": chance.choice(KINDS),
                "actor": chance.choice(["user:ana", "worker:w1"]),
                "source": chance.choice(["nas", "rig", None]),
                "batch_id": chance.choice([1, 2, None]),
                "job_id": chance.choice([7, 8, None]),
                "payload": "{}",
                "hash": "0" * 64,
            }
            for seq in range(1, EVENTS + 1)
        ]
        conn.execute(insert(ingest_event), rows)


@pytest.mark.parametrize("newest_first", [True, False], ids=["newest first", "oldest first"])
def test_every_filter_lists_just_what_its_conditions_say_forth_and_back(
    database: Database, newest_first: bool
) -> None:
    fill(database)
    with database.read() as conn:
        at = conn.scalars(select(now())).one()
    filters = [
        EventFilter(),
        EventFilter(actor="user:ana"),
        EventFilter(kinds=["job_started", "job_done"]),
        EventFilter(source="nas"),
        EventFilter(source="nas", kinds=["scan_finished"], actor="worker:w1"),
        EventFilter(batch_id=1, kinds=["batch_found", "job_done"]),
        EventFilter(job_id=7, source="rig"),
        EventFilter(since=at - timedelta(hours=3), until=at - timedelta(hours=1)),
        EventFilter(since=at - timedelta(hours=3), kinds=["job_done"]),
        EventFilter(since=at + timedelta(days=1)),
        EventFilter(after_seq=EVENTS - 30),
    ]
    for wanted in filters:
        with database.read() as conn:
            expected = sorted(
                conn.scalars(select(ingest_event.c.seq).where(*event_conditions(wanted))),
                reverse=newest_first,
            )
            pages = [list_event_page(conn, wanted, newest_first=newest_first, limit=23)]
            while (cursor := pages[-1].next_cursor) is not None:
                pages.append(
                    list_event_page(
                        conn, wanted, newest_first=newest_first, cursor=cursor, limit=23
                    )
                )
            assert [e.seq for page in pages for e in page.events] == expected, wanted
            back = [pages[-1]]
            while (cursor := back[-1].prev_cursor) is not None:
                back.append(
                    list_event_page(
                        conn, wanted, newest_first=newest_first, cursor=cursor, limit=23
                    )
                )
        assert [e.seq for page in reversed(back) for e in page.events] == expected, wanted


def test_the_first_number_of_a_time_is_found_by_halving_and_never_too_late(
    database: Database,
) -> None:
    fill(database)
    number, at = ingest_event.c.seq, ingest_event.c.at
    with database.read() as conn:
        end = conn.scalars(select(now())).one()
        for hours in (0, 1, 5, 9, 100):
            since = end - timedelta(hours=hours)
            first = first_number_since(conn, number, at, since)
            lately = conn.scalars(select(number).where(at >= since)).all()
            assert all(seq >= first for seq in lately)
            assert first >= min(EVENTS, EVENTS - 30 * (hours + 1)) - 10 or hours > 9
