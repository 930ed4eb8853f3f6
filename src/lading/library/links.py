"""Adds to and takes from the tables that only say that two things belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, select

from lading.library.containers import require_containers
from lading.library.known import UnknownAsset, find_assets
from lading.library.statements import chunked, insert_missing
from lading.library.values import ContainerRef

V = TypeVar("V", int, str)


def add_links(
    conn: Connection,
    into: Table,
    fixed: Mapping[str, Any],
    column: str,
    values: Iterable[V],
    **also: object,
) -> list[V]:
    """Link each of `values` (in `column`) to `fixed`; returns those that were not linked yet.

    `also` are values of further columns of new rows.
    """
    added: list[V] = []
    for chunk in chunked(dict.fromkeys(values)):
        present = _present(conn, into, fixed, column, chunk)
        missing = [value for value in chunk if value not in present]
        insert_missing(conn, into, [{**fixed, column: value, **also} for value in missing])
        added += missing
    return added


def drop_links(
    conn: Connection, into: Table, fixed: Mapping[str, Any], column: str, values: Iterable[V]
) -> list[V]:
    """Unlink each of `values` from `fixed`; returns those that were linked."""
    dropped: list[V] = []
    for chunk in chunked(dict.fromkeys(values)):
        present = _present(conn, into, fixed, column, chunk)
        if present:
            conn.execute(
                delete(into).where(
                    *(into.c[name] == value for name, value in fixed.items()),
                    into.c[column].in_(present),
                )
            )
        dropped += [value for value in chunk if value in present]
    return dropped


def link_containers(
    conn: Connection,
    into: Table,
    fixed: Mapping[str, Any],
    refs: Sequence[ContainerRef],
    **also: object,
) -> list[ContainerRef]:
    """Link containers of all kinds to `fixed`; returns the new. Raises `UnknownContainer`."""
    added: list[ContainerRef] = []
    for kind, ids in _container_ids(conn, refs).items():
        which = {**fixed, "container_kind": kind}
        new = add_links(conn, into, which, "container_id", ids, **also)
        added += [ids[container_id] for container_id in new]
    return added


def unlink_containers(
    conn: Connection, into: Table, fixed: Mapping[str, Any], refs: Sequence[ContainerRef]
) -> list[ContainerRef]:
    """Unlink containers from `fixed`; returns those that were linked."""
    dropped: list[ContainerRef] = []
    for kind, ids in _container_ids(conn, refs).items():
        gone = drop_links(conn, into, {**fixed, "container_kind": kind}, "container_id", ids)
        dropped += [ids[container_id] for container_id in gone]
    return dropped


def require_asset_ids(conn: Connection, hashes: Iterable[str]) -> dict[int, str]:
    """Content hashes by the number of their asset, in order. Raises `UnknownAsset`."""
    wanted = list(dict.fromkeys(hashes))
    found = find_assets(conn, wanted)
    for content_hash in wanted:
        if content_hash not in found:
            raise UnknownAsset("the library has no such asset", subject=content_hash)
    return {found[content_hash].id: content_hash for content_hash in wanted}


def _container_ids(
    conn: Connection, refs: Sequence[ContainerRef]
) -> dict[str, dict[int, ContainerRef]]:
    found: dict[str, dict[int, ContainerRef]] = defaultdict(dict)
    for row in require_containers(conn, refs):
        found[row.ref.kind][row.id] = row.ref
    return found


def _present(
    conn: Connection, into: Table, fixed: Mapping[str, Any], column: str, values: list[V]
) -> set[V]:
    return set(
        conn.scalars(
            select(into.c[column]).where(
                *(into.c[name] == value for name, value in fixed.items()),
                into.c[column].in_(values),
            )
        )
    )
