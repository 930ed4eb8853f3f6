"""Filters on a table as SQL: columns are checked against its shape, values are written as literals.

No text of a caller reaches a statement but inside a literal. DataFusion, which the statements are
for, knows one escape within quotes: the quote itself, twice.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from lading.base.errors import printable
from lading.catalog.columns import BUCKET, Kind, Shape
from lading.catalog.errors import CatalogFilterRefused

Where = Mapping[str, object]
"""A column with the value it shall have, or with several of which it shall have one.

None is for a column without a value; a list such as `participant_ids` shall hold the value.
"""

_VALUES_MAX: Final = 10_000
_ANY_TYPE: Final[Mapping[Kind, tuple[type, ...]]] = {
    Kind.TEXT: (str,),
    Kind.TEXTS: (str,),
    Kind.REAL: (int, float),
    Kind.WHOLE: (int,),
    Kind.MOMENT: (datetime,),
}


def condition(shape: Shape[Any], where: Where | None) -> str:
    """A condition in SQL, `true` for none. Raises `CatalogFilterRefused`.

    A key that is given narrows the partitions that are read.
    """
    parts = [_column(shape, name, wanted) for name, wanted in (where or {}).items()]
    if buckets := buckets_named(shape, where):
        parts.append(in_buckets(BUCKET, buckets))
    return " AND ".join(parts) or "true"


def buckets_named(shape: Shape[Any], where: Where | None) -> Sequence[str] | None:
    """The partitions in which rows can be that the filter finds; None where it does not say."""
    if not where or shape.bucketed_by not in where:
        return None
    keys = [key for key in _several(where[shape.bucketed_by]) if isinstance(key, str) and key]
    return sorted({shape.bucket_of(key) for key in keys})


def first_keys_condition(shape: Shape[Any], first_keys: Collection[str]) -> str:
    """The condition that finds the rows whose keys begin so, which may lie in many partitions.

    Of a key of several columns only the first is compared: long chains of AND and OR are slow.
    """
    wanted = sorted({key for key in first_keys if key})
    if not wanted:
        return "false"
    buckets = sorted({shape.bucket_of(key) for key in wanted})
    return f"{in_buckets(BUCKET, buckets)} AND {shape.bucketed_by} IN ({_listed(wanted)})"


def in_buckets(column: str, buckets: Collection[str]) -> str:
    """The condition that a column names one of these partitions, as literals that Delta sees."""
    return f"{column} IN ({_listed(buckets)})"


def text_literal(value: str) -> str:
    """A text as a literal of DataFusion. Raises `CatalogFilterRefused` for what is no Unicode."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CatalogFilterRefused("A value is no Unicode text", found=ascii(value)) from error
    return "'" + value.replace("'", "''") + "'"


def moment_literal(value: datetime) -> str:
    """A time with a zone as a literal of DataFusion."""
    moment = value.astimezone(UTC).isoformat(timespec="microseconds")
    return f"arrow_cast({text_literal(moment)}, 'Timestamp(Microsecond, Some(\"UTC\"))')"


def limit_clause(limit: object) -> str:
    """`LIMIT n`, or nothing."""
    if limit is None:
        return ""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit < 2**63:
        raise CatalogFilterRefused("A limit is a whole number", found=repr(limit))
    return f"LIMIT {limit}"


def _column(shape: Shape[Any], name: str, wanted: object) -> str:
    kind = shape.columns.get(str(name))
    if kind is None or kind is Kind.JSON:
        raise CatalogFilterRefused(
            f"The table {shape.name} cannot be filtered by this",
            subject=printable(str(name)),
            expected=", ".join(n for n, k in shape.columns.items() if k is not Kind.JSON),
        )
    values = _several(wanted)
    if len(values) > _VALUES_MAX:
        raise CatalogFilterRefused(
            "These are too many values for one filter",
            subject=str(name),
            expected=f"at most {_VALUES_MAX}",
            found=len(values),
        )
    literals = [_literal(str(name), kind, value) for value in values if value is not None]
    parts = []
    if kind is Kind.TEXTS:
        parts += [f"array_has({name}, {literal})" for literal in literals]
        parts += [f"coalesce(cardinality({name}), 0) = 0"] * (None in values)
    else:
        parts += [f"{name} IN ({', '.join(literals)})"] * bool(literals)
        parts += [f"{name} IS NULL"] * (None in values)
    return f"({' OR '.join(parts) or 'false'})"


def _listed(values: Collection[str]) -> str:
    return ", ".join(map(text_literal, values))


def _several(wanted: object) -> Sequence[object]:
    return list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]


def _literal(name: str, kind: Kind, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, _ANY_TYPE[kind]):
        raise CatalogFilterRefused(
            "The column never holds such a value",
            subject=name,
            expected=" or ".join(each.__name__ for each in _ANY_TYPE[kind]),
            found=printable(repr(value)),
        )
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise CatalogFilterRefused("A time needs a zone", subject=name, found=repr(value))
        return moment_literal(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CatalogFilterRefused("The value is no number", subject=name, found=repr(value))
        return f"CAST({text_literal(repr(value))} AS DOUBLE)"
    if not isinstance(value, int) or value.bit_length() > 63:
        raise CatalogFilterRefused("The number is out of range", subject=name)
    return f"CAST({text_literal(str(value))} AS BIGINT)"
