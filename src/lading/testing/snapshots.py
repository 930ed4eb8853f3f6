"""Pictures of a library and a store that can be compared: names instead of row numbers, no times.

Two runs that ended alike have equal pictures, whatever happened on the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from lading.library import tables as library
from lading.storage.port import ObjectStore

_OMITTED: Final = frozenset({"id", "created_at", "updated_at", "batch_id"})

_NATURAL_KEYS: Final[Mapping[Table, str]] = {
    library.asset: "content_hash",
    library.asset_gallery: "key",
    library.asset_collection: "key",
    library.asset_event: "key",
    library.site: "key",
    library.access_package: "key",
}

LIBRARY_TABLES: Final = tuple(value for value in vars(library).values() if isinstance(value, Table))

Snapshot = dict[str, list[tuple[Any, ...]]]


def library_snapshot(conn: Connection, *, with_times: bool = False) -> Snapshot:
    """Every row of every library table, sorted, with natural keys in place of row numbers.

    With `with_times`, times and row numbers are kept: for two pictures of one database, between
    which nothing may have been written at all.
    """
    names = {table.name: _names(conn, table) for table in _NATURAL_KEYS}
    picture: Snapshot = {}
    for table in LIBRARY_TABLES:
        rows = [dict(row._mapping) for row in conn.execute(select(table))]  # noqa: SLF001
        if not with_times:
            rows = [_natural(table, row, names) for row in rows]
        picture[table.name] = sorted(
            (tuple((k, _plain(v)) for k, v in sorted(row.items())) for row in rows), key=repr
        )
    return picture


def store_snapshot(store: ObjectStore) -> dict[str, str]:
    """The sha256 of every object by key."""
    picture = {}
    for known in store.list():
        digest = hashlib.sha256()
        for chunk in store.get(known.key):
            digest.update(chunk)
        picture[known.key] = digest.hexdigest()
    return picture


def _names(conn: Connection, table: Table) -> dict[int, str]:
    key = table.c[_NATURAL_KEYS[table]]
    return {row[0]: row[1] for row in conn.execute(select(table.c.id, key))}


def _natural(
    table: Table, row: dict[str, Any], names: Mapping[str, Mapping[int, str]]
) -> dict[str, Any]:
    """`row` with references replaced by what they refer to."""
    natural: dict[str, Any] = {}
    for name, value in row.items():
        if name in _OMITTED:
            continue
        references = list(table.c[name].foreign_keys)
        target = references[0].column.table.name if references else ""
        if value is not None and target in names:
            natural[name] = names[target][value]
        elif target == "asset_file" or (name == "deleted_at" and value is not None):
            # Its natural key is in the same row (cover_hash); of a time only that it is set.
            natural[name] = value is not None
        elif name in {"owner_id", "container_id"} and not target:
            kind = row["owner_kind" if name == "owner_id" else "container_kind"]
            owner = "asset" if kind == "asset" else f"asset_{kind}"
            natural[name] = names[owner][value]
        else:
            natural[name] = value
    return natural


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview | bytearray) else value
