"""Time is the database's: now, and now plus or minus seconds, as SQL on all three databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from lading.db.types import UtcDateTime


class now(ColumnElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock in UTC with microseconds, `offset_s` seconds from now."""

    # Statements are compiled once per offset; without this, every one with a time in it would be
    # compiled each time it runs.
    inherit_cache = True
    _traverse_internals = [("offset_us", InternalTraversal.dp_plain_obj)]  # noqa: RUF012
    type = UtcDateTime()

    def __init__(self, offset_s: float = 0) -> None:
        # A number, never text from outside: it is written into the statement.
        self.offset_us = round(offset_s * 1_000_000)


@compiles(now, "postgresql")
def _postgresql(element: now, _compiler: SQLCompiler, **_kw: Any) -> str:
    if not element.offset_us:
        return "now()"
    return f"(now() + interval '{element.offset_us} microseconds')"


@compiles(now, "mysql")
@compiles(now, "mariadb")
def _mariadb(element: now, _compiler: SQLCompiler, **_kw: Any) -> str:
    if not element.offset_us:
        return "UTC_TIMESTAMP(6)"
    return f"(UTC_TIMESTAMP(6) + INTERVAL {element.offset_us} MICROSECOND)"


@compiles(now, "sqlite")
def _sqlite(element: now, _compiler: SQLCompiler, **_kw: Any) -> str:
    seconds = f", '{element.offset_us / 1_000_000:+.3f} seconds'" if element.offset_us else ""
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now'{seconds}) || '000')"
