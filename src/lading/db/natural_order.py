"""The order in which people count names, IMG_9 before IMG_10, as SQL on all three databases."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

DIGITS: Final = 20
"""Numbers count as far as their last so many digits; names have no longer ones."""
_NUMBER: Final = re.compile(r"[0-9]+")


class natural_key(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it stands for
    """A text to order by: the given one with each of its numbers made as long as any other."""

    type = String()
    inherit_cache = True

    def __init__(self, text: ColumnElement[str]) -> None:
        super().__init__(text)


def natural_key_of(text: str | None) -> str | None:
    """What `natural_key` is on SQLite, which has no such function of its own."""
    if text is None:
        return None
    return _NUMBER.sub(lambda number: number[0][-DIGITS:].rjust(DIGITS, "0"), text)


@compiles(natural_key, "postgresql")
def _postgresql(element: natural_key, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = (compiler.process(clause, **kw) for clause in element.clauses)
    longer = rf"regexp_replace({text}, '([0-9]+)', '{'0' * DIGITS}\1', 'g')"
    alike = rf"regexp_replace({longer}, '[0-9]*([0-9]{{{DIGITS}}})', '\1', 'g')"
    return f'({alike} COLLATE "C")'


@compiles(natural_key, "mysql")
@compiles(natural_key, "mariadb")
def _mariadb(element: natural_key, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = (compiler.process(clause, **kw) for clause in element.clauses)
    longer = rf"REGEXP_REPLACE({text}, '([0-9]+)', '{'0' * DIGITS}\\1')"
    return rf"REGEXP_REPLACE({longer}, '[0-9]*([0-9]{{{DIGITS}}})', '\\1')"


@compiles(natural_key, "sqlite")
def _sqlite(element: natural_key, compiler: SQLCompiler, **kw: Any) -> str:
    return f"natural_key({compiler.process(element.clauses, **kw)})"
