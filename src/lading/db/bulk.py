"""One function for large inserts; it takes each database's fast path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

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
    names = list(chunk[0])
    processors = [into.c[name].type.bind_processor(conn.dialect) for name in names]
    quote = conn.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in names)
    driver: Any = conn.connection.dbapi_connection
    with driver.cursor().copy(f"COPY {quote(into.name)} ({columns}) FROM STDIN") as copy:
        for row in chunk:
            copy.write_row(
                [
                    process(row[name]) if process is not None else row[name]
                    for name, process in zip(names, processors, strict=True)
                ]
            )
