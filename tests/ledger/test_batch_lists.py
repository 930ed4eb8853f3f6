"""The import queue as a list: in the order of the page, whole while it changes, and counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.db.counting import Count
from lading.db.keyset import BadCursor, UnknownSort
from lading.ledger.batch_lists import (
    BATCH_SORTS,
    FOUND_BY_NAME_MAX,
    BatchFilter,
    batch_conditions,
    count_batches_by_state,
    list_batches,
)
from lading.ledger.batches import Batch
from lading.ledger.states import FINAL_BATCH_STATES, BatchState
from lading.ledger.tables import ingest_batch
from lading.testing.seed_57 import SEED_57, SOURCE, insert_seed_57

START = datetime(2026, 1, 1, tzinfo=UTC)
S = BatchState


def batch_row(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "source": "nas",
        "batch_key": f"batch-{number:05d}",
        "type": "asset",
        "action": "import",
        "state": "pending",
        "fingerprint": "1",
        "found_at": START,
        "updated_at": START + timedelta(seconds=number),
        **columns,
    }


def fill(db: Database, rows: Sequence[dict[str, Any]]) -> None:
    with db.write() as conn:
        bulk_insert(conn, ingest_batch, rows)


def walk(
    db: Database,
    filters: BatchFilter = BatchFilter(),  # noqa: B008 - frozen
    *,
    limit: int,
    sort: str = "import_queue",
    between: Callable[[], None] = lambda: None,
) -> tuple[list[list[Batch]], list[list[Batch]]]:
    """All pages to the end, and then all pages back from there, in the order they were shown."""
    there: list[list[Batch]] = []
    cursor: str | None = None
    last: str | None = None
    while True:
        with db.read() as conn:
            page = list_batches(conn, filters, sort=sort, cursor=cursor, limit=limit)
        there.append(list(page.batches))
        if page.next_cursor is None:
            last = page.prev_cursor
            break
        cursor = page.next_cursor
        between()
    back: list[list[Batch]] = [there[-1]]
    while last is not None:
        with db.read() as conn:
            page = list_batches(conn, filters, sort=sort, cursor=last, limit=limit)
        back.append(list(page.batches))
        last = page.prev_cursor
        between()
    return there, back


def flat(pages: Sequence[Sequence[Batch]]) -> list[int]:
    return [batch.id for page in pages for batch in page]


@pytest.mark.parametrize("limit", [5, 12, 57])
def test_the_fifty_seven_come_in_the_order_of_the_page_forth_and_back(
    database: Database, limit: int
) -> None:
    with database.write() as conn:
        ids = insert_seed_57(conn)
    there, back = walk(database, limit=limit)
    assert flat(there) == ids
    assert flat(list(reversed(back))) == ids
    shown = [
        (b.batch_key, b.type, b.action, b.state, b.items_total, b.bytes_total, b.updated_at)
        for page in there
        for b in page
    ]
    assert shown == [
        (s.sync_id, s.type, s.action, s.state, s.items, s.bytes, s.updated_at) for s in SEED_57
    ]


def test_the_fifty_seven_are_counted_by_state(database: Database) -> None:
    with database.write() as conn:
        insert_seed_57(conn)
    with database.read() as conn:
        counts = count_batches_by_state(conn)
        capped = count_batches_by_state(conn, cap=15)
        galleries = count_batches_by_state(conn, BatchFilter(type="gallery", states=[S.FAILED]))
    assert {state: count for state, count in counts.items() if count} == {
        S.PENDING: Count(15),
        S.PREFLIGHT_PASSED: Count(3),
        S.IMPORTED: Count(39),
    }
    assert capped[S.PENDING] == Count(15)
    assert capped[S.IMPORTED] == Count(15, exact=False)
    assert (galleries[S.PENDING], galleries[S.IMPORTED]) == (Count(4), Count(2))


FILTERS = {
    "states": BatchFilter(states=[S.PENDING, S.IMPORTED]),
    "finished states alone": BatchFilter(states=[S.FAILED, S.PARTIAL]),
    "source": BatchFilter(source="rig"),
    "type and action": BatchFilter(type="gallery", action="update"),
    "beginning of a key": BatchFilter(q="batch-0000"),
    "beginning of a key and states": BatchFilter(q="batch-000", states=[S.QUEUED, S.PENDING]),
    "number": BatchFilter(q="7"),
    "nothing like it": BatchFilter(q="Batch"),
    "an underscore is no wildcard": BatchFilter(q="batch_"),
    "time": BatchFilter(
        updated_after=START + timedelta(seconds=40), updated_before=START + timedelta(seconds=120)
    ),
    "chosen": BatchFilter(ids=[3, 5, 150, 9_999]),
    "none chosen": BatchFilter(ids=[]),
    "chosen by key": BatchFilter(ids=[3, 5, 150], q="batch-000"),
}


@pytest.mark.parametrize("sort", BATCH_SORTS)
def test_every_filter_lists_just_what_its_conditions_say_in_order(
    database: Database, sort: str
) -> None:
    chance = random.Random(5)
    fill(
        database,
        [
            batch_row(
                number,
                source=chance.choice(["nas", "rig"]),
                type=chance.choice(["asset", "gallery"]),
                action=chance.choice(["import", "update"]),
                state=chance.choice(list(S)).value,
                updated_at=START + timedelta(seconds=chance.randrange(160)),
            )
            for number in range(200)
        ],
    )
    for filters in (BatchFilter(), *FILTERS.values()):
        with database.read() as conn:
            rows = conn.execute(select(ingest_batch).where(*batch_conditions(filters))).all()
        expected = [Batch.from_row(row) for row in rows]
        expected.sort(key=lambda b: (b.updated_at, b.id), reverse=sort != "updated")
        if sort == "import_queue":
            expected.sort(key=lambda b: b.state in FINAL_BATCH_STATES)
        there, back = walk(database, filters, limit=17, sort=sort)
        assert flat(there) == [b.id for b in expected], filters
        assert flat(list(reversed(back))) == [b.id for b in expected], filters
        with database.read() as conn:
            counts = count_batches_by_state(conn, replace(filters, states=()))
        for state, count in counts.items():
            if not filters.states or state in filters.states:
                assert count == Count(sum(b.state is state for b in expected)), (filters, state)


def test_a_beginning_that_most_keys_share_is_met_along_the_list(database: Database) -> None:
    fill(database, [batch_row(number) for number in range(FOUND_BY_NAME_MAX + 50)])
    fill(database, [batch_row(0, batch_key="other")])
    there, _ = walk(database, BatchFilter(q="batch-"), limit=500)
    assert len(flat(there)) == FOUND_BY_NAME_MAX + 50


def test_batches_found_while_paging_are_neither_skipped_nor_repeated(database: Database) -> None:
    fill(database, [batch_row(n, state=(S.IMPORTED if n % 3 else S.PENDING)) for n in range(120)])
    known = set(range(1, 121))
    arriving = iter(range(120, 10_000))

    def find_more() -> None:
        fill(database, [batch_row(next(arriving)), batch_row(next(arriving), state=S.FAILED)])

    there, back = walk(database, limit=10, between=find_more)
    for seen in (flat(there), flat(list(reversed(back)))):
        assert len(seen) == len(set(seen))
        assert known <= set(seen)
    assert len(flat(back)) > len(flat(there))  # what came meanwhile is at the top


def test_a_page_back_from_the_first_batch_is_the_first_page_again(database: Database) -> None:
    fill(database, [batch_row(number) for number in range(20)])
    with database.read() as conn:
        second = list_batches(conn, limit=5, cursor=list_batches(conn, limit=5).next_cursor)
    with database.write() as conn:
        conn.execute(ingest_batch.delete().where(ingest_batch.c.id > 15))
    with database.read() as conn:
        page = list_batches(conn, limit=5, cursor=second.prev_cursor)
    assert [batch.id for batch in page.batches] == [15, 14, 13, 12, 11]
    assert page.prev_cursor is None
    assert page.next_cursor is not None


def test_orders_and_cursors_that_were_never_handed_out_are_refused(
    sqlite_database: Database,
) -> None:
    with sqlite_database.write() as conn:
        insert_seed_57(conn, source=SOURCE)
    with sqlite_database.read() as conn:
        cursor = list_batches(conn, limit=5).next_cursor
        with pytest.raises(UnknownSort, match="import_queue, -updated, updated"):
            list_batches(conn, sort="-bytes_total")
        with pytest.raises(BadCursor):
            list_batches(conn, cursor="nonsense")
        assert list_batches(conn, cursor=cursor, limit=5).prev_cursor is not None
