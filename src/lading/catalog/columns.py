"""The three tables: their columns, their keys, and rows to and from Arrow.

Times are UTC in microseconds, lists are sorted, metadata is JSON as text. `bucket` is the
partition, a hexadecimal digit made of the key; nothing else may depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from importlib import import_module
from typing import Any, Final, Generic

from lading.catalog.rules import Row, bucket_of_hash, bucket_of_participant
from lading.catalog.values import ModalityRow, ParticipantRow, RecordingRow, metadata_text

BUCKET: Final = "bucket"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(Enum):
    """What a column holds, by the name Delta gives it."""

    TEXT = "string"
    TEXTS = "array"
    REAL = "double"
    WHOLE = "long"
    MOMENT = "timestamp"
    JSON = "string of JSON"


@dataclass(frozen=True, slots=True)
class Shape(Generic[Row]):
    """One table: name, columns, the columns that are its key, and the partition of a key."""

    name: str
    row: type[Row]
    columns: Mapping[str, Kind]
    key: tuple[str, ...]
    bucket_of: Callable[[str], str]
    buckets_in_order: bool
    """Whether keys in order lie in partitions in order, so that these can be read in turn."""

    @property
    def bucketed_by(self) -> str:
        """The column that the partition is made of."""
        return self.key[0]

    def key_of(self, row: Row) -> tuple[str, ...]:
        """The key of a row."""
        return tuple(getattr(row, name) for name in self.key)

    def bucket_of_row(self, row: Row) -> str:
        """The partition of a row."""
        return self.bucket_of(getattr(row, self.bucketed_by))

    def schema(self) -> Any:
        """The table's schema, as deltalake has it. Keys are never null."""
        delta = import_module("deltalake.schema")
        fields = [delta.Field(BUCKET, delta.PrimitiveType("string"), nullable=False)]
        for name, kind in self.columns.items():
            if kind is Kind.TEXTS:
                held = delta.ArrayType(delta.PrimitiveType("string"), contains_null=True)
            else:
                held = delta.PrimitiveType("string" if kind is Kind.JSON else kind.value)
            fields.append(delta.Field(name, held, nullable=name not in self.key))
        return delta.Schema(fields)

    def table(self, rows: Sequence[Row]) -> Any:
        """The rows as an Arrow table."""
        arrow = import_module("arro3.core")
        schema = arrow.Schema.from_arrow(self.schema())
        columns = [arrow.Array([self.bucket_of_row(row) for row in rows], arrow.DataType.string())]
        for name, kind in self.columns.items():
            values = [_stored(kind, getattr(row, name)) for row in rows]
            columns.append(_array(arrow, kind, values, schema.field(name).type))
        return arrow.Table.from_arrays(columns, schema=schema)

    def rows(self, batch: Any) -> Iterator[Row]:
        """The rows of an Arrow batch that has this table's columns."""
        columns = [batch.column(name).to_pylist() for name in self.columns]
        kinds = list(self.columns.items())
        for values in zip(*columns, strict=True):
            pairs = zip(kinds, values, strict=True)
            yield self.row(**{name: _read(kind, value) for (name, kind), value in pairs})


_BOOKKEEPING: Final = {"created_at": Kind.MOMENT, "updated_at": Kind.MOMENT}

RECORDINGS: Final = Shape(
    "recordings",
    RecordingRow,
    {
        "recording_hash": Kind.TEXT,
        "started_at": Kind.MOMENT,
        "ended_at": Kind.MOMENT,
        "duration_s": Kind.REAL,
        "participant_ids": Kind.TEXTS,
        "status": Kind.TEXT,
        "metadata": Kind.JSON,
        **_BOOKKEEPING,
    },
    ("recording_hash",),
    bucket_of_hash,
    buckets_in_order=True,
)
MODALITIES: Final = Shape(
    "modalities",
    ModalityRow,
    {
        "recording_hash": Kind.TEXT,
        "modality": Kind.TEXT,
        "worker_id": Kind.TEXT,
        "status": Kind.TEXT,
        "location": Kind.TEXT,
        "keys": Kind.TEXTS,
        "size_bytes": Kind.WHOLE,
        "metadata": Kind.JSON,
        **_BOOKKEEPING,
    },
    ("recording_hash", "modality", "worker_id", "status"),
    bucket_of_hash,
    buckets_in_order=True,
)
PARTICIPANTS: Final = Shape(
    "participants",
    ParticipantRow,
    {
        "participant_id": Kind.TEXT,
        "display_name": Kind.TEXT,
        "metadata": Kind.JSON,
        **_BOOKKEEPING,
    },
    ("participant_id",),
    bucket_of_participant,
    buckets_in_order=False,
)


def _stored(kind: Kind, value: Any) -> Any:
    if kind is Kind.JSON:
        return metadata_text(value)
    if kind is Kind.MOMENT and value is not None:
        return (value - _EPOCH) // timedelta(microseconds=1)
    return value


def _read(kind: Kind, value: Any) -> Any:
    if kind is Kind.JSON:
        return json.loads(value) if value else {}
    if kind is Kind.TEXTS:
        return tuple(value or ())
    if kind is Kind.MOMENT and value is not None:
        return value.astimezone(UTC)
    return value


def _array(arrow: Any, kind: Kind, values: Sequence[Any], held: Any) -> Any:
    if kind is Kind.MOMENT:
        return arrow.Array(values, arrow.DataType.int64()).cast(held)
    if kind is Kind.TEXTS:
        flat, ends = [], [0]
        for value in values:
            flat.extend(value)
            ends.append(len(flat))
        offsets = arrow.Array(ends, arrow.DataType.int32())
        return arrow.list_array(offsets, arrow.Array(flat, arrow.DataType.string())).cast(held)
    return arrow.Array(values, held)
