"""Makes, changes and reads selections. What is in one is a row each, so no count is too large."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b32encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from lading.db.clock import now
from lading.ledger.tables import ledger_head
from lading.operations.errors import SelectionClosed, TargetMissing, UnknownSelection
from lading.operations.filters import Raw, bytes_column, conditions, table_of
from lading.operations.tables import operation, selection, selection_member
from lading.operations.values import Resource, Selection

FORGOTTEN_AFTER_S: Final = 7 * 86_400
"""A selection that no operation was started with is kept for so long."""

_CHUNK_IDS: Final = 500
_PAGE_IDS: Final = 5_000
_member = selection_member.c


def new_key(prefix: str) -> str:
    """A name that cannot be guessed and is easily read aloud: `sel_` and ten letters or digits."""
    return f"{prefix}_{b32encode(secrets.token_bytes(7)).decode().lower().rstrip('=')[:10]}"


def select_matching(conn: Connection, resource: Resource, filters: Raw, *, actor: str) -> Selection:
    """Select everything that matches now, in one statement. Raises `BadFilter`."""
    rows = table_of(resource)
    wanted = select(rows.c.id).where(*conditions(conn, resource, filters))
    return make(conn, resource, wanted, actor=actor, filters=filters)


def make(
    conn: Connection,
    resource: Resource,
    wanted: Select[Any] | None,
    *,
    actor: str,
    filters: Mapping[str, Any] | None = None,
) -> Selection:
    """A selection of what `wanted`, a query of numbers, gives; an empty one without it."""
    _forget_one(conn)
    selection_id = _insert(conn, resource, actor=actor, filters=filters)
    if wanted is not None:
        _fill(conn, selection_id, wanted)
    _recount(conn, selection_id, resource)
    return require_by_id(conn, selection_id)


def make_of(conn: Connection, resource: Resource, ids: Iterable[int], *, actor: str) -> Selection:
    """A selection of things by number. Raises `TargetMissing` for one that is not there."""
    selection_id = _insert(conn, resource, actor=actor, filters=None)
    _add(conn, selection_id, resource, ids)
    _recount(conn, selection_id, resource)
    return require_by_id(conn, selection_id)


def copy(conn: Connection, chosen: Selection, *, actor: str) -> Selection:
    """The same members as of the same time, for an operation to keep."""
    selection_id = _insert(
        conn,
        chosen.resource,
        actor=actor,
        filters=chosen.filter,
        as_of=(chosen.as_of, chosen.ledger_seq),
    )
    _fill(conn, selection_id, select(_member.target_id).where(_member.selection_id == chosen.id))
    conn.execute(
        update(selection)
        .where(selection.c.id == selection_id)
        .values(members=chosen.count, bytes=chosen.bytes, digest=chosen.digest)
    )
    return require_by_id(conn, selection_id)


def change(conn: Connection, key: str, ids: Iterable[int], *, add: bool) -> Selection:
    """Put things into a selection, or take them out; what is so already stays so.

    Raises `UnknownSelection`, `TargetMissing`, and `SelectionClosed` for one of an operation.
    """
    chosen = require(conn, key, lock=True)
    if conn.scalar(select(exists().where(operation.c.selection_id == chosen.id))):
        raise SelectionClosed("an operation was started with this selection", subject=key)
    if add:
        _add(conn, chosen.id, chosen.resource, ids)
    else:
        for chunk in _chunks(ids):
            conn.execute(
                delete(selection_member).where(
                    _member.selection_id == chosen.id, _member.target_id.in_(chunk)
                )
            )
    _recount(conn, chosen.id, chosen.resource)
    return require_by_id(conn, chosen.id)


def require(conn: Connection, key: str, *, lock: bool = False) -> Selection:
    """The selection of this key. Raises `UnknownSelection`."""
    return _require(conn, selection.c.key == key, key, lock=lock)


def require_by_id(conn: Connection, selection_id: int) -> Selection:
    """The selection of this number."""
    return _require(conn, selection.c.id == selection_id, str(selection_id))


def members_among(conn: Connection, selection_id: int, ids: Sequence[int]) -> set[int]:
    """Which of `ids` are in the selection: what a page of a list ticks."""
    found: set[int] = set()
    for chunk in _chunks(ids):
        found.update(
            conn.scalars(
                select(_member.target_id).where(
                    _member.selection_id == selection_id, _member.target_id.in_(chunk)
                )
            )
        )
    return found


def _require(
    conn: Connection, which: ColumnElement[bool], name: str, *, lock: bool = False
) -> Selection:
    query = select(selection).where(which)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownSelection("there is no such selection", subject=name)
    return _from_row(row)


def _from_row(row: Row[Any]) -> Selection:
    return Selection(
        id=row.id,
        key=row.key,
        actor=row.actor,
        resource=Resource(row.resource),
        filter=None if row.filter is None else json.loads(row.filter),
        as_of=row.as_of,
        ledger_seq=row.ledger_seq,
        count=row.members,
        bytes=row.bytes,
        digest=row.digest,
    )


def _insert(
    conn: Connection,
    resource: Resource,
    *,
    actor: str,
    filters: Mapping[str, Any] | None,
    as_of: tuple[Any, int] | None = None,
) -> int:
    if as_of is None:
        at, seq = conn.execute(select(now(), ledger_head.c.seq)).one()
        as_of = (at, int(seq))
    text = None if filters is None else json.dumps(dict(filters), sort_keys=True, default=list)
    key = conn.execute(
        insert(selection).values(
            key=new_key("sel"),
            actor=actor[:190],
            resource=resource.value,
            filter=text,
            as_of=as_of[0],
            ledger_seq=as_of[1],
            members=0,
            bytes=0,
            digest=hashlib.sha256().hexdigest(),
        )
    ).inserted_primary_key
    return int(key[0]) if key is not None else 0


def _fill(conn: Connection, selection_id: int, wanted: Select[Any]) -> None:
    numbers = wanted.subquery()
    (column,) = numbers.c
    conn.execute(
        insert(selection_member).from_select(
            ["selection_id", "target_id"], select(literal(selection_id, BigInteger), column)
        )
    )


def _add(conn: Connection, selection_id: int, resource: Resource, ids: Iterable[int]) -> None:
    rows = table_of(resource)
    for chunk in _chunks(ids):
        there = set(conn.scalars(select(rows.c.id).where(rows.c.id.in_(chunk))))
        for target_id in chunk:
            if target_id not in there:
                raise TargetMissing(
                    f"there is none of this number among {resource}", subject=str(target_id)
                )
        new = there - members_among(conn, selection_id, chunk)
        if new:
            conn.execute(
                insert(selection_member),
                [{"selection_id": selection_id, "target_id": number} for number in sorted(new)],
            )


def _recount(conn: Connection, selection_id: int, resource: Resource) -> None:
    """Write how many there are, how large they are together, and the digest over their numbers."""
    rows = table_of(resource)
    count, size = conn.execute(
        select(func.count(), func.coalesce(func.sum(bytes_column(resource)), 0))
        .select_from(selection_member.join(rows, rows.c.id == _member.target_id))
        .where(_member.selection_id == selection_id)
    ).one()
    digest = hashlib.sha256()
    for number in member_ids(conn, selection_id):
        digest.update(b"%d\n" % number)
    conn.execute(
        update(selection)
        .where(selection.c.id == selection_id)
        .values(members=int(count), bytes=int(size), digest=digest.hexdigest())
    )


def member_ids(conn: Connection, selection_id: int) -> Iterator[int]:
    """The numbers of all members, ascending, page by page."""
    last = -1
    query = (
        select(_member.target_id)
        .where(_member.selection_id == selection_id)
        .order_by(_member.target_id)
        .limit(_PAGE_IDS)
    )
    while page := conn.scalars(query.where(_member.target_id > last)).all():
        yield from page
        last = page[-1]


def _forget_one(conn: Connection) -> None:
    """Remove the oldest selection that nobody used; each new one makes room for itself."""
    used = select(operation.c.id).where(operation.c.selection_id == selection.c.id).exists()
    old = conn.scalar(
        select(selection.c.id)
        .where(selection.c.as_of < now(-FORGOTTEN_AFTER_S), ~used)
        .order_by(selection.c.as_of, selection.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if old is not None:
        conn.execute(delete(selection_member).where(_member.selection_id == old))
        conn.execute(delete(selection).where(selection.c.id == old))


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    iterator = iter(sorted(set(ids)))
    while chunk := list(islice(iterator, _CHUNK_IDS)):
        yield chunk
