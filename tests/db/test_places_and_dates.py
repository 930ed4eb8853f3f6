"""Dates of a place, cells of a grid and orders of names are the same on all three databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Double, Integer, String, literal, select

from lading.db import Database
from lading.db.grid_cells import grid_cell
from lading.db.natural_order import natural_key
from lading.db.types import UtcDateTime
from lading.db.wall_clock import DAY, MONTH, YEAR, wall_date

LAST_MOMENT = datetime(2023, 12, 31, 15, 30, 59, 999_999, tzinfo=UTC)


def test_a_date_is_that_of_the_place(database: Database) -> None:
    def date_of(offset: int | None, length: int) -> object:
        at, minutes = literal(LAST_MOMENT, UtcDateTime()), literal(offset, Integer())
        with database.read() as conn:
            return conn.scalar(select(wall_date(at, minutes, length)))

    assert date_of(None, DAY) == "2023-12-31"
    assert date_of(510, DAY) == "2024-01-01"
    assert date_of(509, DAY) == "2023-12-31"  # its fraction is not rounded up
    assert date_of(540, MONTH) == "2024-01"
    assert date_of(540, YEAR) == "2024"
    assert date_of(-960, DAY) == "2023-12-30"
    with pytest.raises(ValueError, match="5 characters"):
        date_of(0, 5)


def test_a_value_is_in_the_cell_that_it_begins_or_lies_in(database: Database) -> None:
    def cell(value: float, origin: float, size: float) -> int:
        with database.read() as conn:
            return int(conn.scalar(select(grid_cell(literal(value, Double()), origin, size))) or 0)

    assert [cell(value, -90, 30) for value in (-90, -60.001, -60, 0, 14.99, 89.9)] == [
        0, 0, 1, 3, 3, 5,
    ]  # fmt: skip
    assert cell(16.0, -90, 30) == 3  # the farther half is not rounded up
    assert cell(178.4419, -180, 0.5) == 716


def test_names_are_in_the_order_in_which_people_count(database: Database) -> None:
    def key(text: str | None) -> object:
        with database.read() as conn:
            return conn.scalar(select(natural_key(literal(text, String()))))

    names = [
        "",
        "2 b",
        "10 a",
        "IMG_9",
        "IMG_09b",
        "IMG_10",
        "IMG_10 2",
        "IMG_10 11",
        "a" + "9" * 30,
    ]
    assert sorted(names, key=lambda name: str(key(name))) == names
    assert key("IMG_007.jpg") == key("IMG_7.jpg") == "IMG_00000000000000000007.jpg"
    assert (
        key("caf\u00e9 \\1 100% 'x'")
        == "caf\u00e9 \\00000000000000000001 00000000000000000100% 'x'"
    )
    assert key(None) is None
