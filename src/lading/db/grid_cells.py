"""Which cell of a grid a number lies in, as SQL on all three databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class grid_cell(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it stands for
    """The number of the cell `size` wide that a value of `origin` or more lies in, from 0."""

    type = BigInteger()
    inherit_cache = False

    def __init__(self, value: ColumnElement[float], origin: float, size: float) -> None:
        super().__init__(value)
        # Numbers, never text from outside: they are written into the statement.
        self.origin, self.size = float(origin), float(size)

    def text(self, compiler: SQLCompiler, kw: dict[str, Any]) -> str:
        """The value in widths of a cell, as SQL."""
        value = compiler.process(self.clauses, **kw)
        return f"({value} - ({self.origin!r})) / {self.size!r}"


@compiles(grid_cell)
def _floored(element: grid_cell, compiler: SQLCompiler, **kw: Any) -> str:
    return f"floor({element.text(compiler, kw)})"


@compiles(grid_cell, "sqlite")
def _sqlite(element: grid_cell, compiler: SQLCompiler, **kw: Any) -> str:
    # It has `floor` only if it was built so; what is not negative is cut off to the same.
    return f"CAST({element.text(compiler, kw)} AS INTEGER)"
