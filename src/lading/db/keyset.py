"""Pages of a list by key, not by offset: the millionth page costs what the first does.

A cursor says beside which row a page begins and in which direction it goes from there, so that
one string leads on or back. Rows come in the order of the list either way.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_

from lading.base.errors import RequestError

PAGE_ROWS_MAX: Final = 1_000
_BEFORE: Final = "before"

T = TypeVar("T")


class BadCursor(RequestError):
    """A page cursor that this list did not hand out."""

    code = "bad_cursor"
    next_step = "Start again from the first page."


class UnknownSort(RequestError):
    """An order that this list cannot be had in: no index would make it cheap."""

    code = "unknown_sort"
    next_step = "Sort by one of those that are expected."


@dataclass(frozen=True, slots=True)
class Key:
    """One column of a list's order. The last key of a list must be unique."""

    column: ColumnElement[Any]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and the cursors of the pages around them.

    `next_cursor` is None on the last page, `prev_cursor` on the first.
    """

    rows: Sequence[Row[Any]]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: after the row with these key values, or, going back, before it."""

    values: Sequence[Any]
    back: bool = False


def fetch_page(
    conn: Connection,
    query: Select[Any],
    order: Sequence[Key],
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """One page of `query` in `order`, on the side of `cursor` that it names.

    `query` must select the key columns, and none of them may be null. Raises `BadCursor`.
    """

    def fetch(position: Position | None, rows_max: int) -> Sequence[Row[Any]]:
        narrowed = query if position is None else query.where(beyond(order, position))
        back = position is not None and position.back
        return conn.execute(narrowed.order_by(*sorting(order, back=back)).limit(rows_max)).all()

    return walk_page(fetch, order, cursor=cursor, limit=limit)


def walk_page(
    fetch: Callable[[Position | None, int], Sequence[Row[Any]]],
    order: Sequence[Key],
    *,
    cursor: str | None,
    limit: int,
) -> Page:
    """A page out of what `fetch` gives: at most so many rows from a position on, nearest first.

    A page back from which nothing is left is the first page: what is newest is there.
    """
    limit = max(1, min(limit, PAGE_ROWS_MAX))
    position = None if cursor is None else read_cursor(cursor, order)
    rows = list(fetch(position, limit + 1))
    if position is not None and position.back and not rows:
        position = None
        rows = list(fetch(None, limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    back = position is not None and position.back
    if back:
        rows.reverse()
    if not rows:
        return Page([], None)
    leads_on = more or back
    leads_back = more if back else position is not None
    return Page(
        rows,
        _encode(_values(rows[-1], order)) if leads_on else None,
        _encode({_BEFORE: _values(rows[0], order)}) if leads_back else None,
    )


def choose_sort(sorts: Mapping[str, T], name: str) -> T:
    """The order that a list has under this name. Raises `UnknownSort`."""
    try:
        return sorts[name]
    except KeyError:
        raise UnknownSort(
            "this list is not sorted like that", expected=", ".join(sorts), found=name
        ) from None


def sorting(order: Sequence[Key], *, back: bool = False) -> list[ColumnElement[Any]]:
    """What `order_by` takes; with `back`, the other way around."""
    return [key.column.desc() if key.descending is not back else key.column.asc() for key in order]


def beyond(order: Sequence[Key], position: Position) -> ColumnElement[bool]:
    """`(a, b) > (x, y)` spelled out, since directions may differ from key to key."""
    values = position.values
    downwards = [key.descending is not position.back for key in order]
    alternatives = []
    for index, key in enumerate(order):
        equal = [k.column == v for k, v in zip(order[:index], values[:index], strict=True)]
        past = key.column < values[index] if downwards[index] else key.column > values[index]
        alternatives.append(and_(*equal, past))
    first = order[0].column
    # Implied by the rest; said so that every planner walks the index from here.
    bound = first <= values[0] if downwards[0] else first >= values[0]
    return and_(bound, or_(*alternatives))


def read_cursor(cursor: str, order: Sequence[Key]) -> Position:
    """The position that a cursor stands for. Raises `BadCursor`."""
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        back = isinstance(raw, dict) and raw.keys() == {_BEFORE}
        if back:
            raw = raw[_BEFORE]
        if not isinstance(raw, list) or len(raw) != len(order):
            raise ValueError("wrong shape")
        values = [_parse(value, key.column) for value, key in zip(raw, order, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadCursor("the page cursor cannot be read") from error
    return Position(values, back)


def _values(row: Row[Any], order: Sequence[Key]) -> list[Any]:
    values = [row._mapping[key.column] for key in order]  # noqa: SLF001 - SQLAlchemy's documented name
    return [v.isoformat() if isinstance(v, datetime) else v for v in values]


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _parse(value: object, column: ColumnElement[Any]) -> object:
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
