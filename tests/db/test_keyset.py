"""Pages by key: complete, without repetition, and deaf to forged cursors."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.db.keyset import PAGE_ROWS_MAX, BadCursor, Key, Page, fetch_page
from tests.db.scratch import sample

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 10_000
QUERY = select(sample.c.number, sample.c.code, sample.c.at, sample.c.id)
ORDERS = {
    "one key": [Key(sample.c.id)],
    "newest first": [Key(sample.c.at, descending=True), Key(sample.c.id, descending=True)],
    "mixed": [Key(sample.c.code), Key(sample.c.at, descending=True), Key(sample.c.id)],
}


def rows_with_ties(numbers: range, seed: int) -> list[dict[str, Any]]:
    """Few codes and few instants, so that most neighbours differ by their id alone."""
    chance = random.Random(seed)
    return [
        {
            "number": number,
            "code": chance.choice(["a", "A", "b", "é"]),
            "at": START + timedelta(microseconds=chance.randrange(40)),
        }
        for number in numbers
    ]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_walking_pages_while_rows_arrive_neither_skips_nor_repeats(
    scratch: Database, order: list[Key]
) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, rows_with_ties(range(ROWS), seed=1))
    seen: list[int] = []
    cursor: str | None = None
    arriving = ROWS
    while True:
        with scratch.read() as conn:
            page = fetch_page(conn, QUERY, order, cursor=cursor, limit=PAGE_ROWS_MAX)
        assert len(page.rows) <= PAGE_ROWS_MAX
        seen += [row.number for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
        if arriving < ROWS + 500:  # some land before the cursor, some after it
            with scratch.write() as conn:
                bulk_insert(conn, sample, rows_with_ties(range(arriving, arriving + 50), seed=2))
            arriving += 50
    assert len(seen) == len(set(seen))
    assert set(range(ROWS)) <= set(seen)
    with scratch.read() as conn:
        whole = QUERY.order_by(
            *(k.column.desc() if k.descending else k.column.asc() for k in order)
        )
        in_order = [row.number for row in conn.execute(whole) if row.number < ROWS]
    assert [number for number in seen if number < ROWS] == in_order


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_going_back_meets_what_was_shown_and_what_came_meanwhile_once(
    scratch: Database, order: list[Key]
) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, rows_with_ties(range(200), seed=1))
    pages: list[Page] = []
    with scratch.read() as conn:
        while not pages or pages[-1].next_cursor is not None:
            cursor = pages[-1].next_cursor if pages else None
            pages.append(fetch_page(conn, QUERY, order, cursor=cursor, limit=17))
    assert pages[0].prev_cursor is None
    arriving = 200
    back = [pages[-1]]
    while back[-1].prev_cursor is not None:
        with scratch.write() as conn:
            bulk_insert(conn, sample, rows_with_ties(range(arriving, arriving + 2), seed=arriving))
        arriving += 2
        with scratch.read() as conn:
            back.append(fetch_page(conn, QUERY, order, cursor=back[-1].prev_cursor, limit=17))
        assert back[-1].next_cursor is not None
    seen = [row.number for page in reversed(back) for row in page.rows]
    assert len(seen) == len(set(seen))
    shown = [row.number for page in pages for row in page.rows]
    assert [number for number in seen if number < 200] == shown


def test_a_page_back_from_which_all_is_gone_is_the_first_page(scratch: Database) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, rows_with_ties(range(20), seed=1))
    with scratch.read() as conn:
        first = fetch_page(conn, QUERY, ORDERS["one key"], limit=5)
        second = fetch_page(conn, QUERY, ORDERS["one key"], cursor=first.next_cursor, limit=5)
    with scratch.write() as conn:
        conn.execute(sample.delete().where(sample.c.id <= first.rows[-1].id))
    with scratch.read() as conn:
        page = fetch_page(conn, QUERY, ORDERS["one key"], cursor=second.prev_cursor, limit=5)
    assert page.rows == second.rows
    assert page.prev_cursor is None


def test_the_last_page_is_known_without_another_query(scratch: Database) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, rows_with_ties(range(20), seed=1))
    statements: list[str] = []
    event.listen(
        scratch.engine, "before_cursor_execute", lambda *facts: statements.append(facts[2])
    )
    with scratch.read() as conn:
        statements.clear()
        first = fetch_page(conn, QUERY, ORDERS["one key"], limit=10)
        second = fetch_page(conn, QUERY, ORDERS["one key"], cursor=first.next_cursor, limit=10)
        assert len(statements) == 2
    assert (len(first.rows), len(second.rows)) == (10, 10)
    assert first.next_cursor is not None
    assert second.next_cursor is None


def test_an_empty_list_is_one_page(scratch: Database) -> None:
    with scratch.read() as conn:
        assert fetch_page(conn, QUERY, ORDERS["mixed"]) == Page([], None)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (10**9, PAGE_ROWS_MAX)])
def test_a_page_has_at_least_one_row_and_at_most_a_thousand(
    scratch: Database, asked: int, given: int
) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, rows_with_ties(range(PAGE_ROWS_MAX + 5), seed=1))
    with scratch.read() as conn:
        assert len(fetch_page(conn, QUERY, ORDERS["mixed"], limit=asked).rows) == given


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


AT = START.isoformat()
FORGED = {
    "empty": "",
    "not base64": "!!!",
    "one letter": "a",
    "not ascii": "é",
    "not text": base64.urlsafe_b64encode(b"\xff\xfe\x00").decode(),
    "not json": base64.urlsafe_b64encode(b"['a'").decode(),
    "not a list": encode({"code": "a"}),
    "back from nowhere": encode({"before": None}),
    "back from too few": encode({"before": ["a", AT]}),
    "back and on": encode({"before": ["a", AT, 1], "after": ["a", AT, 1]}),
    "too short": encode(["a", AT]),
    "too long": encode(["a", AT, 1, 2]),
    "a word for a number": encode(["a", AT, "1"]),
    "a boolean for a number": encode(["a", AT, True]),
    "a fraction for a number": encode(["a", AT, 1.5]),
    "nothing for a number": encode(["a", AT, None]),
    "a number too large": encode(["a", AT, 2**63]),
    "a number for a word": encode([1, AT, 1]),
    "a list for a word": encode([["a"], AT, 1]),
    "half a character": encode(["\ud800", AT, 1]),
    "a null character": encode(["a\0", AT, 1]),
    "no time": encode(["a", "yesterday", 1]),
    "a number for a time": encode(["a", 5, 1]),
    "a time without a zone": encode(["a", "2026-01-01T00:00:00", 1]),
    "a time before time": encode(["a", "0001-01-01T00:00:00+14:00", 1]),
    "deeper than the stack": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
}


@pytest.mark.parametrize("cursor", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("backend", ["sqlite"])  # refused before any database is asked
def test_a_forged_cursor_is_a_wrong_request(scratch: Database, cursor: str) -> None:
    with scratch.read() as conn, pytest.raises(BadCursor):
        fetch_page(conn, QUERY, ORDERS["mixed"], cursor=cursor)


@pytest.mark.parametrize("code", ["'; DROP TABLE sample; --", "%s", "\\", "long" * 50])
def test_a_cursor_is_bound_never_spliced(scratch: Database, code: str) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, rows_with_ties(range(3), seed=1))
    with scratch.read() as conn:
        fetch_page(conn, QUERY, ORDERS["mixed"], cursor=encode([code, AT, 1]))
        assert len(fetch_page(conn, QUERY, ORDERS["one key"]).rows) == 3
