"""Turns the filters of a list, as an address or a request has them, into conditions in SQL.

The conditions are those of the lists themselves, so that "all that match" are those which the
list shows.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import Column, ColumnElement, Connection, Table, cast, func, literal, select
from sqlalchemy.types import BigInteger

from lading.jobs.queries import job_conditions
from lading.jobs.tables import import_job
from lading.jobs.values import JobFilter
from lading.ledger.batch_lists import BatchFilter, batch_conditions
from lading.ledger.tables import ingest_batch
from lading.library.filters import (
    AssetFilter,
    ContainerFilter,
    asset_conditions,
    container_conditions,
)
from lading.library.tables import CONTAINERS, ContainerKind, asset, asset_file
from lading.operations.acknowledging import BATCH, JOB, is_acknowledged
from lading.operations.errors import BadFilter
from lading.operations.values import Resource

F = TypeVar("F")

Raw = Mapping[str, str | Sequence[str]]
"""Filters by name, each with one value or several; several may also be written `a,b`."""

CONTAINER_KINDS: Final[Mapping[Resource, ContainerKind]] = {
    Resource.GALLERIES: ContainerKind.GALLERY,
    Resource.COLLECTIONS: ContainerKind.COLLECTION,
    Resource.EVENTS: ContainerKind.EVENT,
}
KINDS: Final[Mapping[Resource, str]] = {
    Resource.BATCHES: "batch",
    Resource.JOBS: "job",
    Resource.ASSETS: "asset",
    **{resource: kind.value for resource, kind in CONTAINER_KINDS.items()},
}
"""What results call a target of each resource."""

_TRUE: Final = frozenset({"true", "yes", "1", "on"})
_FALSE: Final = frozenset({"false", "no", "0", "off"})
_NUMBER_MAX: Final = 2**63 - 1
_ANY: Final = frozenset({"any", "all", ""})


def table_of(resource: Resource) -> Table:
    """The table whose rows are selected."""
    match resource:
        case Resource.BATCHES:
            return ingest_batch
        case Resource.JOBS:
            return import_job
        case Resource.ASSETS:
            return asset
    return CONTAINERS[CONTAINER_KINDS[resource]][0]


def name_column(resource: Resource) -> Column[str]:
    """What people call a row of this resource; of a job, its kind."""
    names = {Resource.BATCHES: "batch_key", Resource.JOBS: "kind", Resource.ASSETS: "content_hash"}
    column: Column[str] = table_of(resource).c[names.get(resource, "key")]
    return column


def bytes_column(resource: Resource) -> ColumnElement[int]:
    """How many bytes a row of this resource stands for; 0 where nobody counts them."""
    match resource:
        case Resource.BATCHES:
            return ingest_batch.c.bytes_total
        case Resource.JOBS:
            return func.coalesce(import_job.c.bytes_total, 0)
        case Resource.ASSETS:
            total = (
                select(func.coalesce(func.sum(asset_file.c.size_bytes), 0))
                .where(asset_file.c.asset_id == asset.c.id, asset_file.c.deleted_at.is_(None))
                .correlate(asset)
                .scalar_subquery()
            )
            return cast(total, BigInteger)
    return literal(0, BigInteger)


def conditions(conn: Connection, resource: Resource, raw: Raw) -> list[ColumnElement[bool]]:
    """What a row must fulfil to match `raw`. Raises `BadFilter`."""
    match resource:
        case Resource.BATCHES:
            raw, noted = _without_noted(raw, BATCH, ingest_batch.c.updated_at, ingest_batch.c.id)
            return batch_conditions(parse(BatchFilter, raw)) + noted
        case Resource.JOBS:
            raw, noted = _without_noted(raw, JOB, import_job.c.finished_at, import_job.c.id)
            return job_conditions(parse(JobFilter, raw)) + noted
        case Resource.ASSETS:
            return asset_conditions(conn, parse(AssetFilter, raw))
    return container_conditions(CONTAINER_KINDS[resource], parse(ContainerFilter, raw))


def _without_noted(
    raw: Raw, kind: str, changed_at: Column[Any], target_id: Column[int]
) -> tuple[Raw, list[ColumnElement[bool]]]:
    """The filters without `acknowledged`, of which the shelf knows nothing, and its conditions."""
    if "acknowledged" not in raw:
        return raw, []
    wanted = _value("acknowledged", bool | None, _texts(raw["acknowledged"]))
    condition = is_acknowledged(kind, target_id, changed_at)
    conditions = [] if wanted is None else [condition if wanted else ~condition]
    return {name: value for name, value in raw.items() if name != "acknowledged"}, conditions


def parse(cls: Callable[..., F], raw: Raw) -> F:
    """A filter of this class from the texts of a request. Raises `BadFilter`."""
    hints = get_type_hints(cls)
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type] # a dataclass
    given: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in known:
            raise BadFilter(
                "the list has no such filter", subject=name, expected=", ".join(sorted(known))
            )
        given[name] = _value(name, hints[name], _texts(value))
    return cls(**given)


def _texts(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _value(name: str, hint: Any, texts: Sequence[str]) -> Any:
    if get_origin(hint) in {Union, types.UnionType}:
        inner = [part for part in get_args(hint) if part is not types.NoneType]
        if all(text.lower() in _ANY for text in texts):
            return None
        hint = inner[0]
    if get_origin(hint) is not None:  # a sequence of something
        parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        return [_one(name, get_args(hint)[0], part) for part in parts]
    if len(texts) != 1:
        raise BadFilter("this filter takes one value", subject=name, found=len(texts))
    return _one(name, hint, texts[0])


def _one(name: str, kind: Any, text: str) -> Any:
    try:
        if kind is bool:
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError("yes or no")
            return text.lower() in _TRUE
        if kind is datetime:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise ValueError("a time with its offset from UTC")
            return at.astimezone(UTC)
        if kind is int and abs(int(text)) > _NUMBER_MAX:
            raise ValueError("a number that a row can have")
        return kind(text)
    except (ValueError, OverflowError) as error:
        words = [member.value for member in kind] if _is_words(kind) else []
        raise BadFilter(
            "the filter cannot take this value",
            subject=name,
            expected=", ".join(words) or str(error),
            found=text,
        ) from error


def _is_words(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)
