"""The date on the clock of the place where something was, as SQL on all three databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, String, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

YEAR, MONTH, DAY = 4, 7, 10
"""How many characters of `2024-07-03` say so much."""
_LENGTHS: Final = (YEAR, MONTH, DAY)


class wall_date(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it stands for
    """`2024`, `2024-07` or `2024-07-03`: an instant's date, `offset_min` minutes east of UTC.

    Without an offset it is UTC's date; null of null.
    """

    type = String()
    inherit_cache = False

    def __init__(
        self, at: ColumnElement[datetime], offset_min: ColumnElement[int], length: int = DAY
    ) -> None:
        if length not in _LENGTHS:
            raise ValueError(f"no part of a date has {length} characters")
        super().__init__(at, func.coalesce(offset_min, 0))
        self.length = length


def _parts(element: wall_date, compiler: SQLCompiler, kw: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(wall_date, "postgresql")
def _postgresql(element: wall_date, compiler: SQLCompiler, **kw: Any) -> str:
    at, offset = _parts(element, compiler, kw)
    local = f"({at} AT TIME ZONE 'UTC') + {offset} * interval '1 minute'"
    return f"left(to_char({local}, 'YYYY-MM-DD'), {element.length})"


@compiles(wall_date, "mysql")
@compiles(wall_date, "mariadb")
def _mariadb(element: wall_date, compiler: SQLCompiler, **kw: Any) -> str:
    at, offset = _parts(element, compiler, kw)
    return f"LEFT(CAST(TIMESTAMPADD(MINUTE, {offset}, {at}) AS CHAR), {element.length})"


@compiles(wall_date, "sqlite")
def _sqlite(element: wall_date, compiler: SQLCompiler, **kw: Any) -> str:
    at, offset = _parts(element, compiler, kw)
    # Without its fraction, which SQLite would round up to the next second.
    return f"substr(datetime(substr({at}, 1, 19), {offset} || ' minutes'), 1, {element.length})"
