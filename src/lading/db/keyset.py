"""Pages of a list by key, not by offset: the millionth page costs what the first does."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, and_, or_

from lading.base.errors import RequestError

PAGE_ROWS_MAX: Final = 1_000


class BadCursor(RequestError):
    """A page cursor that this list did not hand out."""

    code = "bad_cursor"
    next_step = "Start again from the first page."


@dataclass(frozen=True, slots=True)
class Key:
    """One column of a list's order. The last key of a list must be unique."""

    column: Column[Any]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and the cursor of the page after them (None on the last page)."""

    rows: Sequence[Row[Any]]
    next_cursor: str | None


def fetch_page(
    conn: Connection,
    query: Select[Any],
    order: Sequence[Key],
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """One page of `query` in `order`, after `cursor`.

    `query` must select the key columns, and none of them may be null. Raises `BadCursor`.
    """
    limit = max(1, min(limit, PAGE_ROWS_MAX))
    if cursor is not None:
        query = query.where(_after(order, _decode(cursor, order)))
    query = query.order_by(
        *(key.column.desc() if key.descending else key.column.asc() for key in order)
    ).limit(limit + 1)
    rows = conn.execute(query).all()
    more = len(rows) > limit
    rows = rows[:limit]
    next_cursor = _encode([rows[-1]._mapping[key.column] for key in order]) if more else None  # noqa: SLF001 - SQLAlchemy's documented name
    return Page(rows, next_cursor)


def _after(order: Sequence[Key], values: Sequence[Any]) -> ColumnElement[bool]:
    """`(a, b) > (x, y)` spelled out, since directions may differ from key to key."""
    alternatives = []
    for index, key in enumerate(order):
        equal = [k.column == v for k, v in zip(order[:index], values[:index], strict=True)]
        beyond = key.column < values[index] if key.descending else key.column > values[index]
        alternatives.append(and_(*equal, beyond))
    first = order[0].column
    # Implied by the rest; said so that every planner walks the index from here.
    bound = first <= values[0] if order[0].descending else first >= values[0]
    return and_(bound, or_(*alternatives))


def _encode(values: Sequence[Any]) -> str:
    plain = [v.isoformat() if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _decode(cursor: str, order: Sequence[Key]) -> list[Any]:
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(raw, list) or len(raw) != len(order):
            raise ValueError("wrong shape")
        values = [_parse(value, key.column) for value, key in zip(raw, order, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadCursor("the page cursor cannot be read") from error
    return values


def _parse(value: object, column: Column[Any]) -> object:
    """A value that the database can compare with `column`; a forged one could make it fail."""
    kind = column.type.python_type
    if kind is datetime and isinstance(value, str):
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError("a time without a zone")
        return instant.astimezone(UTC)
    if type(value) is not kind:
        raise TypeError("wrong type")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("wrong size")
    if isinstance(value, str) and b"\0" in value.encode():  # which refuses halves of characters
        raise ValueError("wrong character")
    return value
