"""What a planner is told that it cannot know: which condition narrows next to nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class unindexed(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it stands for
    """A column whose index is not to be walked for the condition that it is in.

    SQLite takes an index for any equality before one for a range, as `deleted_at is null` before
    a month. The others count what they have, and need no word.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(unindexed)
def _as_it_is(element: unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return str(compiler.process(next(iter(element.clauses)), **kw))


@compiles(unindexed, "sqlite")
def _without_index(element: unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{_as_it_is(element, compiler, **kw)}"
