"""Things that are no more than a key and a name: sites and access packages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, select, update

from lading.base.errors import RequestError
from lading.library.rules import NAME_LENGTH_MAX
from lading.library.statements import insert_one, moment

KEY_LENGTH_MAX: Final = 64
_KEY: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{KEY_LENGTH_MAX - 1}}}")


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


class NameRefused(RequestError):
    """A key or name that cannot be kept on every database, or could not be typed again."""

    code = "name_refused"
    http_status = 422
    next_step = "Give a key of letters, digits, dots, dashes and underscores, and a short name."


def create_named(conn: Connection, into: Table, key: str, name: str) -> tuple[Named, bool]:
    """The row with this key and name, and whether it is new. Raises `KeyTaken`, `NameRefused`."""
    if _KEY.fullmatch(key) is None:
        raise NameRefused(
            "this cannot be a key",
            subject=key,
            expected=f"1 to {KEY_LENGTH_MAX} letters, digits, dot, dash and underscore",
        )
    _check_name(name)
    created = False
    if find_named(conn, into, key) is None:
        row = {"key": key, "name": name, "created_at": moment(conn)}
        created = insert_one(conn, into, row) is not None
    found = find_named(conn, into, key)
    if found is None or found.name != name:
        raise KeyTaken("this key is taken", subject=key, expected=name, found=found and found.name)
    return found, created


def rename_named(conn: Connection, into: Table, found: Named, name: str) -> str:
    """Give a row another name; returns the one it had until now. Raises `NameRefused`."""
    _check_name(name)
    before = conn.scalars(select(into.c.name).where(into.c.id == found.id).with_for_update()).one()
    if before != name:
        conn.execute(update(into).where(into.c.id == found.id).values(name=name))
    return str(before)


def list_named(conn: Connection, into: Table) -> list[Named]:
    """All rows by key."""
    return [_named(row) for row in conn.execute(select(into).order_by(into.c.key))]


def find_named(conn: Connection, into: Table, key: str) -> Named | None:
    """The row of that key, or None."""
    row = conn.execute(select(into).where(into.c.key == key)).one_or_none()
    return None if row is None else _named(row)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise NameRefused(
            "this cannot be a name",
            subject=name,
            expected=f"1 to {NAME_LENGTH_MAX} characters that can be printed",
        )


def _named(row: Row[Any]) -> Named:
    return Named(row.id, row.key, row.name, row.created_at)
