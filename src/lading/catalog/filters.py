"""Filters on a table as SQL: columns are checked against its shape, values are written as literals.

No text of a caller reaches a statement but inside a literal. DataFusion, which the statements are
for, knows one escape within quotes: the quote itself, twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    if where and shape.bucketed_by in where:
        keys = [key for key in _several(where[shape.bucketed_by]) if isinstance(key, str) and key]
        if buckets := sorted({shape.bucket_of(key) for key in keys}):
            parts.append(f"{BUCKET} IN ({', '.join(map(text_literal, buckets))})")
    return " AND ".join(parts) or "true"


def keys_condition(shape: Shape[Any], bucket: str, keys: Sequence[tuple[str, ...]]) -> str:
    """The condition that finds the rows of these keys, all of one partition."""
    named = [
        " AND ".join(
            f"{name} = {text_literal(part)}" for name, part in zip(shape.key, key, strict=True)
        )
        for key in keys
    ]
    either = " OR ".join(f"({each})" for each in named)
    return f"{BUCKET} = {text_literal(bucket)} AND ({either})"


def text_literal(value: str) -> str:
    """A text as a literal of DataFusion. Raises `CatalogFilterRefused` for what is no Unicode."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CatalogFilterRefused("A value is no Unicode text", found=ascii(value)) from error
    return "'" + value.replace("'", "''") + "'"


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
        moment = value.astimezone(UTC).isoformat(timespec="microseconds")
        return f"arrow_cast({text_literal(moment)}, 'Timestamp(Microsecond, Some(\"UTC\"))')"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CatalogFilterRefused("The value is no number", subject=name, found=repr(value))
        return f"CAST({text_literal(repr(value))} AS DOUBLE)"
    if not isinstance(value, int) or value.bit_length() > 63:
        raise CatalogFilterRefused("The number is out of range", subject=name)
    return f"CAST({text_literal(str(value))} AS BIGINT)"
