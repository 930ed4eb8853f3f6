"""Lists that no single index has in order: several walks through one, merged a page at a time.

"Unfinished first, newest change first" is one walk for each state, each cut off after a page;
what lies behind is never read, however much it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    FunctionElement,
    Integer,
    Row,
    Select,
    Table,
    and_,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.operators import OperatorType

from lading.db.keyset import Key, Page, Position, beyond, sorting, walk_page

TRANSACTION_LASTS_MAX_S: Final = 3_600
"""Rows are numbered at their transaction's end but may bear the time of its beginning."""

_LAST_CHARACTER: Final = "\U0010ffff"
_NEAREST: Final = "nearest"
_GROUP: Final = literal_column(f"{_NEAREST}.walk_group", Integer).label("walk_group")


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows that an index has in the list's order. Those of a smaller `group` come first.

    No row may be met on two walks.
    """

    conditions: Sequence[ColumnElement[bool]] = field(default_factory=list)
    group: int = 0


def fetch_merged(
    conn: Connection,
    source: Table,
    walks: Sequence[Walk],
    order: Sequence[Key],
    *,
    cursor: str | None,
    limit: int,
) -> Page:
    """A page of the rows of `source` on all walks: by group, then in `order`.

    The last key of `order` tells any two of these rows apart. Raises `BadCursor`.
    """

    columns = list(dict.fromkeys([*(key.column for key in order), *source.primary_key]))

    def fetch(position: Position | None, rows_max: int) -> Sequence[Row[Any]]:
        back = position is not None and position.back
        arms = [
            select(literal(walk.group, Integer).label("walk_group"), *columns)
            .where(*conditions)
            .order_by(*sorting(order, back=back))
            .limit(rows_max)
            for walk in walks
            if (conditions := _left(walk, order, position)) is not None
        ]
        if not arms:
            return []
        return conn.execute(_merged(source, arms, order, rows_max, back=back)).all()

    return walk_page(fetch, [Key(_GROUP), *order], cursor=cursor, limit=limit)


def _left(
    walk: Walk, order: Sequence[Key], position: Position | None
) -> list[ColumnElement[bool]] | None:
    """The conditions of what is left of a walk, or None when nothing is."""
    if position is None:
        return list(walk.conditions)
    reached, *values = position.values
    if walk.group == reached:
        return [*walk.conditions, beyond(order, Position(values, position.back))]
    ahead = walk.group < reached if position.back else walk.group > reached
    return list(walk.conditions) if ahead else None


def _merged(
    source: Table, arms: Sequence[Select[Any]], order: Sequence[Key], rows_max: int, *, back: bool
) -> Select[Any]:
    wrapped = [select(arm.subquery()) for arm in arms]
    merged = (wrapped[0] if len(wrapped) == 1 else union_all(*wrapped)).subquery()
    keys = [
        Key(merged.c.walk_group),
        *(Key(merged.c[str(key.column.key)], key.descending) for key in order),
    ]
    nearest = select(merged).order_by(*sorting(keys, back=back)).limit(rows_max).subquery(_NEAREST)
    same_row = [column == nearest.c[str(column.key)] for column in source.primary_key]
    final = [Key(nearest.c.walk_group), *order]
    return (
        select(source, _GROUP)
        .select_from(nearest)
        .join(source, and_(*same_row))
        .order_by(*sorting(final, back=back))
    )


def first_number_since(
    conn: Connection, number: Column[int], at: Column[datetime], since: datetime
) -> int:
    """A number before which no row bears the time `since` or a later one, found by halving.

    For tables whose numbers and times grow together and that have no index on the time.
    """
    since -= timedelta(seconds=TRANSACTION_LASTS_MAX_S)
    low, high = 0, int(conn.scalar(select(func.max(number))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = conn.execute(
            select(number, at).where(number >= middle).order_by(number).limit(1)
        ).one_or_none()
        if row is None or row[1] >= since:
            high = middle
        else:
            low = int(row[0]) + 1
    return low


class starts_with(FunctionElement[bool]):  # noqa: N801 - reads as the SQL function it stands for
    """A column begins with exactly this text, said so that each database walks an index.

    On PostgreSQL that index is one of `varchar_pattern_ops`, whatever the collation.
    """

    type = Boolean()
    inherit_cache = True
    name = "starts_with"

    def __init__(self, column: ColumnElement[Any], text: str) -> None:
        pattern = text.replace("/", "//").replace("%", "/%").replace("_", "/_") + "%"
        super().__init__(column, literal(text), literal(text + _LAST_CHARACTER), literal(pattern))

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Stand as it is: made into `(…) = 1`, as a value would be, it walks no index."""
        del against
        return self


@compiles(starts_with)
def _like(element: starts_with, compiler: SQLCompiler, **kw: Any) -> str:
    column, _, _, pattern = (compiler.process(part, **kw) for part in element.clauses)
    return f"({column} LIKE {pattern} ESCAPE '/')"


@compiles(starts_with, "sqlite")
def _between(element: starts_with, compiler: SQLCompiler, **kw: Any) -> str:
    # Its LIKE is blind to the case of letters and walks no index for that reason.
    column, low, high, _ = (compiler.process(part, **kw) for part in element.clauses)
    return f"({column} >= {low} AND {column} < {high})"
