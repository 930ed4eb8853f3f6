"""Counts stop at their cap, say so, and are one statement however many there are."""

from __future__ import annotations

from sqlalchemy import event, select

from lading.base.counts import Count
from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.db.counting import count_capped, count_each_capped
from tests.db.scratch import sample

QUERY = select(sample.c.id).order_by(sample.c.id)


def test_a_count_is_exact_up_to_its_cap_and_says_when_there_are_more(scratch: Database) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, ({"number": number} for number in range(12)))
    with scratch.read() as conn:
        assert count_capped(conn, QUERY) == Count(12)
        assert count_capped(conn, QUERY, cap=12) == Count(12)
        assert count_capped(conn, QUERY, cap=11) == Count(11, exact=False)
        assert count_capped(conn, QUERY.where(sample.c.number > 99)) == Count(0)
    assert str(Count(10_000, exact=False)) == "10,000+"
    assert Count(1).of("job") == "1 job"
    assert Count(1, exact=False).of("job") == "1+ jobs"
    assert Count(2) + Count(3, exact=False) == Count(5, exact=False)


def test_many_counts_are_one_statement_in_the_order_given(scratch: Database) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, ({"number": number % 3} for number in range(10)))
    statements: list[str] = []
    event.listen(
        scratch.engine, "before_cursor_execute", lambda *facts: statements.append(facts[2])
    )
    with scratch.read() as conn:
        statements.clear()
        queries = {number: QUERY.where(sample.c.number == number) for number in (2, 0, 5)}
        counts = count_each_capped(conn, queries, cap=3)
        assert len(statements) == 1
        assert count_each_capped(conn, {}) == {}
    assert list(counts.items()) == [(2, Count(3)), (0, Count(3, exact=False)), (5, Count(0))]
