"""Two catalogs side by side: what only one of them has, and what differs.

Both are read once, in the order of their keys, so that memory depends on no number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lading.catalog import rules
from lading.catalog.columns import Shape
from lading.catalog.rules import Difference


class Found(StrEnum):
    """Where a row was found."""

    ONLY_HERE = "only_here"
    ONLY_THERE = "only_there"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class CatalogDifference:
    """A row that two catalogs do not both have alike.

    `columns` are those that differ, with what is held here and proposed there; none where only one
    of the two has the row.
    """

    table: str
    key: tuple[str, ...]
    found: Found
    columns: tuple[Difference, ...] = ()


def differing(
    shape: Shape[Any], here: Iterator[Any], there: Iterator[Any]
) -> Iterator[CatalogDifference]:
    """The differences between the rows of one table in two catalogs, in the order of keys."""
    for one, other in rules.compared(here, there, shape.key_of):
        if other is None:
            yield CatalogDifference(shape.name, shape.key_of(one), Found.ONLY_HERE)
        elif one is None:
            yield CatalogDifference(shape.name, shape.key_of(other), Found.ONLY_THERE)
        elif columns := rules.differences(one, other):
            yield CatalogDifference(shape.name, shape.key_of(one), Found.DIFFERS, columns)
