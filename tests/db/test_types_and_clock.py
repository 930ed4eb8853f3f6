"""Instants and bulk rows come back as they went in, and time is the database's."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError, StatementError

from lading.db import Database
from lading.db.bulk import CHUNK_ROWS, COPY_FROM_ROWS, bulk_insert
from lading.db.clock import now
from tests.db.scratch import sample

INSTANTS = [
    datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1839, 1, 7, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2100, 12, 31, 23, 59, 59, 123_456, tzinfo=timezone(timedelta(hours=-11))),
    datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
]
OFFSETS_S = [0.25, -0.001, 90.5, -3600.0, 400 * 86_400.0, 1e-3]
TEXTS = [
    "",
    " leading and trailing ",
    "quote ' double \" back \\ slash",
    "tab\tnewline\nreturn\r\nvertical\x0b",
    r"\N",
    r"\.",
    "\\.\n",
    "%s %(name)s :name {x}",
    "Ünïcödé é e\u0301 \u200f \U0001f4f7 \U0001d11e 漢字",
    "NULL",
]


def test_an_instant_comes_back_equal_to_the_microsecond_and_in_utc(scratch: Database) -> None:
    with scratch.write() as conn:
        conn.execute(insert(sample), [{"number": n, "at": at} for n, at in enumerate(INSTANTS)])
    with scratch.read() as conn:
        back = list(conn.scalars(select(sample.c.at).order_by(sample.c.number)))
    assert back == INSTANTS
    assert {instant.utcoffset() for instant in back} == {timedelta(0)}


def test_instants_are_compared_and_ordered_as_instants(scratch: Database) -> None:
    with scratch.write() as conn:
        conn.execute(insert(sample), [{"number": n, "at": at} for n, at in enumerate(INSTANTS)])
        ordered = list(conn.scalars(select(sample.c.at).order_by(sample.c.at)))
        assert ordered == sorted(INSTANTS)
        for pivot in INSTANTS:
            later = set(conn.scalars(select(sample.c.at).where(sample.c.at > pivot)))
            assert later == {instant for instant in INSTANTS if instant > pivot}


def test_a_time_without_a_zone_is_refused(scratch: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the mistake this test is about
    with pytest.raises(StatementError, match="without a zone"), scratch.write() as conn:
        conn.execute(insert(sample).values(number=1, at=naive))


@pytest.mark.parametrize("offset_s", OFFSETS_S)
def test_now_with_an_offset_is_now_plus_that_many_seconds(
    scratch: Database, offset_s: float
) -> None:
    with scratch.read() as conn:
        base, moved = conn.execute(select(now(), now(offset_s))).one()
    assert moved - base == timedelta(seconds=offset_s)


def test_now_is_this_instant_in_utc_whatever_the_session_thinks(scratch: Database) -> None:
    with scratch.read() as conn:
        instant = conn.scalar(select(now()))
    assert instant is not None
    assert instant.utcoffset() == timedelta(0)
    # An hour or more off would be a time zone; a given server's clock may be a little off.
    assert abs(instant - datetime.now(UTC)) < timedelta(minutes=10)


def test_now_can_be_stored_and_compared_with_what_is_stored(scratch: Database) -> None:
    with scratch.write() as conn:
        conn.execute(insert(sample).values(number=1, at=now()))
        conn.execute(insert(sample).values(number=2, at=now(-60)))
        conn.execute(insert(sample).values(number=3, at=now(60)))
    with scratch.write() as conn:
        before = select(sample.c.number).order_by(sample.c.number)
        assert list(conn.scalars(before.where(sample.c.at <= now()))) == [1, 2]
        assert list(conn.scalars(before.where(sample.c.at < now(-30)))) == [2]
        conn.execute(update(sample).where(sample.c.number == 3).values(at=now(-7200)))
        assert list(conn.scalars(before.where(sample.c.at < now(-3600)))) == [3]


def rows_of_every_kind(count: int) -> list[dict[str, Any]]:
    """Rows whose every column takes its awkward values in turn, and None among them."""
    bodies = [b"", bytes(range(256)), b"\\x00\\N\n\t", None]
    return [
        {
            "number": n,
            "name": (TEXTS[n % len(TEXTS)] or None) if n % 3 else None,
            "code": TEXTS[n % len(TEXTS)][:64],
            "digest": f"{n:064x}",
            "story": TEXTS[n % len(TEXTS)] * (1 + n % 50) if n % 4 else None,
            "body": bodies[n % len(bodies)],
            "at": INSTANTS[n % len(INSTANTS)] if n % 5 else None,
            "flag": (True, False, None)[n % 3],
            "share": (0.1, -1e300, math.pi, None)[n % 4],
            "size": (2**63 - 1, -(2**63), 0)[n % 3],
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, COPY_FROM_ROWS - 1, COPY_FROM_ROWS, CHUNK_ROWS + 250])
def test_rows_inserted_in_bulk_come_back_as_they_were(scratch: Database, count: int) -> None:
    rows = rows_of_every_kind(count)
    with scratch.write() as conn:
        assert bulk_insert(conn, sample, iter(rows)) == count
    with scratch.read() as conn:
        columns = [column for column in sample.c if column.name != "id"]
        found = conn.execute(select(*columns).order_by(sample.c.number)).mappings().all()
    assert [dict(row) for row in found] == rows


@pytest.mark.parametrize("count", [3, COPY_FROM_ROWS])
def test_a_bulk_insert_fills_in_constant_defaults(scratch: Database, count: int) -> None:
    with scratch.write() as conn:
        bulk_insert(conn, sample, ({"number": n} for n in range(count)))
        assert set(conn.scalars(select(sample.c.size))) == {7}


@pytest.mark.parametrize("count", [3, COPY_FROM_ROWS])
def test_a_duplicate_in_a_bulk_insert_is_an_integrity_error_and_nothing_stays(
    scratch: Database, count: int
) -> None:
    with scratch.write() as conn:
        conn.exec_driver_sql("CREATE UNIQUE INDEX only_once ON sample (digest)")
    with pytest.raises(IntegrityError), scratch.write() as conn:
        bulk_insert(conn, sample, ({"number": n, "digest": "same"} for n in range(count)))
    with scratch.read() as conn:
        assert conn.execute(select(sample.c.id)).all() == []
