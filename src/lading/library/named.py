"""Things that are no more than a key and a name: sites and access packages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from lading.base.errors import RequestError
from lading.library.statements import insert_one, moment


class KeyTaken(RequestError):
    """A site or access package of that key exists, under another name."""

    code = "key_taken"
    http_status = 409
    next_step = "Choose another key, or use the one that is there."


@dataclass(frozen=True, slots=True)
class Named:
    """A site or access package."""

    id: int
    key: str
    name: str
    created_at: datetime


def create_named(conn: Connection, into: Table, key: str, name: str) -> Named:
    """Create a row with a key and a name, or find the same one. Raises `KeyTaken`."""
    if find_named(conn, into, key) is None:
        insert_one(conn, into, {"key": key, "name": name, "created_at": moment(conn)})
    found = find_named(conn, into, key)
    if found is None or found.name != name:
        raise KeyTaken("this key is taken", subject=key, expected=name, found=found and found.name)
    return found


def list_named(conn: Connection, into: Table) -> list[Named]:
    """All rows by key."""
    return [_named(row) for row in conn.execute(select(into).order_by(into.c.key))]


def find_named(conn: Connection, into: Table, key: str) -> Named | None:
    """The row of that key, or None."""
    row = conn.execute(select(into).where(into.c.key == key)).one_or_none()
    return None if row is None else _named(row)


def _named(row: Row[Any]) -> Named:
    return Named(row.id, row.key, row.name, row.created_at)
