"""Which step of time an instant is in, counted from 1970 in UTC, as SQL on all three databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_EPOCH: Final = "1970-01-01 00:00:00"


class step_number(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it stands for
    """The number of the step of `step_s` whole seconds that an instant is in; null of null."""

    type = BigInteger()
    inherit_cache = False

    def __init__(self, at: ColumnElement[datetime], step_s: int) -> None:
        super().__init__(at)
        # A number, never text from outside: it is written into the statement.
        self.step_s = int(step_s)


@compiles(step_number, "postgresql")
def _postgresql(element: step_number, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"CAST(floor(extract(epoch FROM {at}) / {element.step_s}) AS bigint)"


@compiles(step_number, "mysql")
@compiles(step_number, "mariadb")
def _mariadb(element: step_number, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"(TIMESTAMPDIFF(SECOND, '{_EPOCH}', {at}) DIV {element.step_s})"


@compiles(step_number, "sqlite")
def _sqlite(element: step_number, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    # Without its fraction, which SQLite would round up to the next second.
    return f"(CAST(strftime('%s', substr({at}, 1, 19)) AS INTEGER) / {element.step_s})"
