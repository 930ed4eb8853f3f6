"""One function for large inserts; it takes each database's fast path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.schema import ScalarElementColumnDefault

CHUNK_ROWS: Final = 1_000
COPY_FROM_ROWS: Final = 200
"""Below this, PostgreSQL's COPY costs more in set-up than it saves."""


def bulk_insert(conn: Connection, into: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert `rows` (all with the same keys) in constant memory; returns how many.

    COPY on PostgreSQL, multi-row `executemany` elsewhere. Never returns generated keys: natural
    keys identify what was inserted.
    """
    count = 0
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK_ROWS)):
        if conn.dialect.name == "postgresql" and len(chunk) >= COPY_FROM_ROWS:
            _copy(conn, into, chunk)
        else:
            conn.execute(insert(into), chunk)
        count += len(chunk)
    return count


def _copy(conn: Connection, into: Table, chunk: list[Mapping[str, Any]]) -> None:
    # What SQLAlchemy's insert would do by itself: constant defaults, conversion, errors of its own.
    defaults = {
        column.name: column.default.arg
        for column in into.columns
        if isinstance(column.default, ScalarElementColumnDefault) and column.name not in chunk[0]
    }
    names = [*chunk[0], *defaults]
    processors = [into.c[name].type.bind_processor(conn.dialect) for name in names]
    quote = conn.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in names)
    statement = f"COPY {quote(into.name)} ({columns}) FROM STDIN"
    driver: Any = conn.connection.dbapi_connection
    errors: Any = conn.dialect.loaded_dbapi
    try:
        with driver.cursor().copy(statement) as copy:
            for row in chunk:
                values = ((row[name] if name in row else defaults[name]) for name in names)
                copy.write_row(
                    [
                        process(value) if process is not None else value
                        for process, value in zip(processors, values, strict=True)
                    ]
                )
    except errors.Error as error:
        raise DBAPIError.instance(
            statement,
            None,
            error,
            errors.Error,
            hide_parameters=True,
            connection_invalidated=conn.dialect.is_disconnect(error, driver, None),
            dialect=conn.dialect,
        ) from error
