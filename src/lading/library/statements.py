"""Statements that each database spells its own way, and lists too long for one statement.

Writers select first and insert what is missing; these inserts are the net under two transactions
that do so at once. Whoever comes second waits for the first and then finds its row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Insert, Table, exc, insert, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from lading.base.errors import InternalError
from lading.db.clock import now

VALUES_PER_STATEMENT: Final = 900
"""Below MariaDB's threshold for turning a list of values into a temporary table."""

_DUPLICATE_KEY_MARIADB: Final = 1062

# Building a statement costs more than running it on a local database; what every item of an
# import runs is built once.
_NOW: Final = select(now())

T = TypeVar("T")


def chunked(items: Iterable[T], size: int = VALUES_PER_STATEMENT) -> Iterator[list[T]]:
    """`items` in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def moment(conn: Connection) -> datetime:
    """The database's time, for all rows of one change."""
    at: datetime | None = conn.scalar(_NOW)
    if at is None:
        raise InternalError("the database did not say what time it is")
    return at


def insert_one(conn: Connection, into: Table, row: Mapping[str, Any]) -> int | None:
    """Insert `row` into a table with an `id`; None when its unique key is taken already."""
    if conn.dialect.name in {"postgresql", "sqlite"}:
        found = conn.execute(_insert_returning(conn.dialect.name, into), dict(row)).scalar()
        return None if found is None else int(found)
    try:
        # The failed statement alone is undone, the transaction goes on. What `ON DUPLICATE KEY`
        # reports does not tell a new row from an old one.
        key = conn.execute(insert(into).values(**row)).inserted_primary_key
    except exc.IntegrityError as error:
        if error.orig is not None and error.orig.args[:1] == (_DUPLICATE_KEY_MARIADB,):
            return None
        raise
    return None if key is None else int(key[0])


def insert_missing(conn: Connection, into: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of `rows` whose unique key is not taken; the others stay as they are."""
    for chunk in chunked(rows):
        conn.execute(_tolerant(conn.dialect.name, into), chunk)


@cache
def _insert_returning(dialect: str, into: Table) -> ReturningInsert[Any]:
    return _tolerant(dialect, into).returning(into.c.id)


@cache
def _tolerant(dialect: str, into: Table) -> Insert:
    if dialect == "postgresql":
        return postgresql.insert(into).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(into).on_conflict_do_nothing()
    # INSERT IGNORE would swallow every other fault as well.
    key = next(iter(into.primary_key.columns))
    return mysql.insert(into).on_duplicate_key_update({key.name: key})
