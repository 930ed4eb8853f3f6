"""Stacks: photos that look alike, with one on top and the others folded under it.

Only those that are folded have a row. They stay in the library; while the top is not in the
trash, the timeline shows the top in their place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select

from lading.library.statements import chunked
from lading.library.tables import asset, photo_stack


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack by asset ids: the top, and what is folded under it; nothing of it in the trash."""

    top: int
    folded: tuple[int, ...]

    @property
    def members(self) -> tuple[int, ...]:
        """All of them, the top first."""
        return (self.top, *self.folded)


def stack_photos(conn: Connection, top: int, asset_ids: Collection[int]) -> None:
    """Fold these photos under `top`, with whatever is stacked with one of them already."""
    together = set(asset_ids) | {top}
    _lock(conn, together)
    touched = _touching(conn, together)
    _remove(conn, {top_id for _, top_id in touched})
    folded = (together | {number for pair in touched for number in pair}) - {top}
    rows = [{"asset_id": number, "top_id": top} for number in sorted(folded)]
    for chunk in chunked(rows):
        conn.execute(insert(photo_stack), chunk)


def unstack_photos(conn: Connection, asset_ids: Collection[int]) -> set[int]:
    """Take apart every stack that one of these photos is in; all that were in one."""
    _lock(conn, asset_ids)
    touched = _touching(conn, asset_ids)
    _remove(conn, {top_id for _, top_id in touched})
    return {number for pair in touched for number in pair}


def stacked_with(conn: Connection, asset_id: int) -> set[int]:
    """All that are in a stack with this photo, itself and what is in the trash among them."""
    return {number for pair in _touching(conn, [asset_id]) for number in pair}


def stack_of(conn: Connection, asset_id: int) -> Stack | None:
    """The stack that a photo is the top of, or folded into; None without one that shows."""
    top = conn.scalar(select(photo_stack.c.top_id).where(photo_stack.c.asset_id == asset_id))
    top = asset_id if top is None else top
    ids = [top, *conn.scalars(select(photo_stack.c.asset_id).where(photo_stack.c.top_id == top))]
    here: set[int] = set()
    for chunk in chunked(ids):
        query = select(asset.c.id).where(asset.c.id.in_(chunk), asset.c.deleted_at.is_(None))
        here.update(conn.scalars(query))
    folded = tuple(sorted(here - {top}))
    return Stack(top, folded) if top in here and folded else None


def stack_sizes(conn: Connection, asset_ids: Collection[int]) -> dict[int, int]:
    """How many photos are in the stacks that these are the tops of; others are not in it."""
    found: dict[int, int] = {}
    for chunk in chunked(dict.fromkeys(asset_ids)):
        query = (
            select(photo_stack.c.top_id, func.count())
            .join_from(photo_stack, asset, asset.c.id == photo_stack.c.asset_id)
            .where(photo_stack.c.top_id.in_(chunk), asset.c.deleted_at.is_(None))
            .group_by(photo_stack.c.top_id)
        )
        found.update({int(top): int(count) + 1 for top, count in conn.execute(query)})
    return found


def folded_under(conn: Connection, asset_ids: Collection[int]) -> dict[int, int]:
    """The photos that are folded under one of these, each with its top."""
    found: dict[int, int] = {}
    for chunk in chunked(dict.fromkeys(asset_ids)):
        rows = conn.execute(select(photo_stack).where(photo_stack.c.top_id.in_(chunk)))
        found.update({row.asset_id: row.top_id for row in rows})
    return found


def carry_stack(conn: Connection, before: int, after: int) -> None:
    """Have what replaced a photo take its place in a stack, unless it is in one."""
    if _touching(conn, [after]):
        return
    touched = _touching(conn, [before])
    if not touched:
        return
    (top,) = {top_id for _, top_id in touched}
    _remove(conn, {top})
    members = {number for pair in touched for number in pair} - {before} | {after}
    stack_photos(conn, after if top == before else top, members)


def is_folded() -> ColumnElement[bool]:
    """That an `asset` is folded under another, which is not in the trash."""
    top = asset.alias("stack_top")
    return (
        select(photo_stack.c.asset_id)
        .join_from(photo_stack, top, top.c.id == photo_stack.c.top_id)
        .where(photo_stack.c.asset_id == asset.c.id, top.c.deleted_at.is_(None))
        .correlate(asset)
        .exists()
    )


def _touching(conn: Connection, asset_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Every row (folded, top) of the stacks that one of these photos is in."""
    tops: set[int] = set()
    for chunk in chunked(set(asset_ids)):
        mine = or_(photo_stack.c.asset_id.in_(chunk), photo_stack.c.top_id.in_(chunk))
        tops.update(conn.scalars(select(photo_stack.c.top_id).where(mine)))
    return {(number, top_id) for number, top_id in folded_under(conn, tops).items()}


def _remove(conn: Connection, tops: Collection[int]) -> None:
    for chunk in chunked(tops):
        conn.execute(delete(photo_stack).where(photo_stack.c.top_id.in_(chunk)))


def _lock(conn: Connection, asset_ids: Collection[int]) -> None:
    """Keep others from stacking the same photos meanwhile."""
    for chunk in chunked(sorted(asset_ids)):
        conn.execute(
            select(asset.c.id).where(asset.c.id.in_(chunk)).order_by(asset.c.id).with_for_update()
        )
