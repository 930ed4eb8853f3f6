"""Counts that know when to stop: exact up to a limit, then "that many or more"."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Integer, Select, func, literal, select, union_all

from lading.base.counts import Count

__all__ = ["COUNT_CAP", "Count", "count_capped", "count_each_capped"]

COUNT_CAP: Final = 10_000

K = TypeVar("K", bound=Hashable)


def count_capped(conn: Connection, query: Select[Any], cap: int = COUNT_CAP) -> Count:
    """How many rows `query` has; reads at most one more than `cap` of them."""
    return count_each_capped(conn, {0: query}, cap)[0]


def count_each_capped(
    conn: Connection, queries: Mapping[K, Select[Any]], cap: int = COUNT_CAP
) -> dict[K, Count]:
    """How many rows each of the queries has, in one statement; in the order given."""
    keys = list(queries)
    if not keys:
        return {}
    counts = []
    for number, key in enumerate(keys):
        # The limit stands inside, so that the database stops counting and not only showing.
        rows = queries[key].order_by(None).limit(cap + 1).subquery()
        counts.append(
            select(
                literal(number, Integer).label("number"), func.count().label("counted")
            ).select_from(rows)
        )
    found = {
        int(number): int(value)
        for number, value in conn.execute(counts[0] if len(counts) == 1 else union_all(*counts))
    }
    return {
        key: Count(min(found[number], cap), exact=found[number] <= cap)
        for number, key in enumerate(keys)
    }
