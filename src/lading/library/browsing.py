"""Walks lists of assets: in the order asked for, by pages, from one to the next, and by facets.

Undated assets come last in an order by capture time; the list is one list all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, select

from lading.db.counting import COUNT_CAP, Count, count_capped, count_each_capped
from lading.db.keyset import Key, Position, beyond, sorting, walk_page
from lading.library.filters import AssetFilter, asset_conditions
from lading.library.known import UnknownAsset, asset_row
from lading.library.tables import asset, photo
from lading.library.values import AssetRow

FACETS_MAX: Final = 50
CAMERAS_MAX: Final = 200
_DATED, _UNDATED = 0, 1

_PART: Final = case((asset.c.captured_at.is_(None), _UNDATED), else_=_DATED).label("part")
# A key of a cursor may not be null; for undated assets it is there and not looked at.
_CAPTURED: Final = func.coalesce(asset.c.captured_at, asset.c.created_at).label("captured")


class AssetSort(StrEnum):
    """The orders a list of assets can have, as addresses name them."""

    NEWEST = "-arrived"
    OLDEST = "arrived"
    CAPTURED_LAST = "-captured"
    CAPTURED_FIRST = "captured"
    DELETED_LAST = "-deleted"


@dataclass(frozen=True, slots=True)
class Browsed:
    """A page of assets, and the cursors of the pages around it."""

    assets: Sequence[AssetRow]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The assets before and after one in its list, by content hash."""

    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Facet:
    """How many assets of the whole list are of one type and subtype."""

    asset_type: str
    asset_subtype: str | None
    count: Count


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a list that is one walk along one index; `skipped` keys say which part it is."""

    keys: Sequence[Key]
    where: ColumnElement[bool] | None = None
    number: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Order:
    """The keys a cursor holds, and the stretches that make up the list."""

    keys: Sequence[Key]
    stretches: Sequence[_Stretch]

    def position(self, row: Row[Any], *, back: bool) -> Position | None:
        """Where a row stands, None when this order has no place for it."""
        values = [row._mapping[key.column] for key in self.keys]  # noqa: SLF001 - documented name
        return None if None in values else Position(values, back)


def browse_assets(
    conn: Connection,
    filters: AssetFilter,
    *,
    sort: AssetSort = AssetSort.NEWEST,
    cursor: str | None = None,
    limit: int = 50,
) -> Browsed:
    """A page of the assets a filter shows, in this order. Raises `BadCursor`.

    `DELETED_LAST` shows only what is in the trash.
    """
    order = _order(sort)

    def fetch(position: Position | None, rows_max: int) -> Sequence[Row[Any]]:
        return list(_nearest(conn, filters, order, position, rows_max))

    page = walk_page(fetch, order.keys, cursor=cursor, limit=limit)
    return Browsed([asset_row(row) for row in page.rows], page.next_cursor, page.prev_cursor)


def neighbours(
    conn: Connection,
    content_hash: str,
    filters: AssetFilter,
    *,
    sort: AssetSort = AssetSort.NEWEST,
) -> Neighbours:
    """What stands before and after an asset in a list, also when the filter shows it no more.

    Raises `UnknownAsset`.
    """
    row = conn.execute(_columns().where(asset.c.content_hash == content_hash)).one_or_none()
    if row is None:
        raise UnknownAsset("the library has no such asset", subject=content_hash)
    order = _order(sort)

    def beside(*, back: bool) -> str | None:
        position = order.position(row, back=back)
        if position is None:
            return None
        found = next(_nearest(conn, filters, order, position, 1), None)
        return None if found is None else str(found.content_hash)

    return Neighbours(beside(back=True), beside(back=False))


def asset_facets(conn: Connection, filters: AssetFilter) -> list[Facet]:
    """Counts by type and subtype of all that the filter shows, its types and subtypes left aside.

    Every type the library has is named, also one that the filter shows nothing of.
    """
    everywhere = asset_conditions(conn, replace(filters, types=(), subtypes=()))
    column = asset.c
    kinds = conn.execute(
        select(column.asset_type, column.asset_subtype)
        .distinct()
        .order_by(column.asset_type, column.asset_subtype)
        .limit(FACETS_MAX)
    ).all()
    counts = _count_few(conn, everywhere)
    if counts is None:
        counts = count_each_capped(
            conn, {(kind[0], kind[1]): _of_kind(*kind).where(*everywhere) for kind in kinds}
        )
    return [
        Facet(kind.asset_type, kind.asset_subtype, counts.get((kind[0], kind[1]), Count(0)))
        for kind in kinds
    ]


def list_cameras(conn: Connection) -> list[str]:
    """The cameras that photos were taken with: models, or makes where no model is stated."""
    model, make = photo.c.camera_model, photo.c.camera_make
    pairs = select(model, make).distinct().order_by(model, make).limit(CAMERAS_MAX)
    names = {row.camera_model or row.camera_make for row in conn.execute(pairs)}
    return sorted(name for name in names if name)


def count_browsed(
    conn: Connection, filters: AssetFilter, facets: Sequence[Facet] | None = None
) -> Count:
    """How many assets the filter shows, exactly up to the cap.

    Added up from the facets where they were counted already: a search reads every title.
    """
    if facets is None or len(facets) >= FACETS_MAX:
        return count_capped(conn, select(asset.c.id).where(*asset_conditions(conn, filters)))
    shown = [
        facet.count
        for facet in facets
        if (not filters.types or facet.asset_type in filters.types)
        and (not filters.subtypes or facet.asset_subtype in filters.subtypes)
    ]
    total = sum(count.value for count in shown)
    exact = total <= COUNT_CAP and all(count.exact for count in shown)
    return Count(min(total, COUNT_CAP), exact)


def _of_kind(asset_type: str, asset_subtype: str | None) -> Select[Any]:
    column = asset.c
    subtype = column.asset_subtype
    return select(column.id).where(
        column.asset_type == asset_type,
        subtype.is_(None) if asset_subtype is None else subtype == asset_subtype,
    )


def _count_few(
    conn: Connection, conditions: Sequence[ColumnElement[bool]]
) -> dict[tuple[str, str | None], Count] | None:
    """How many assets there are of each type and subtype, in one go; None when there are many."""
    kind = (asset.c.asset_type, asset.c.asset_subtype)
    found = select(*kind).where(*conditions).limit(COUNT_CAP + 1).subquery()
    rows = conn.execute(
        select(found.c.asset_type, found.c.asset_subtype, func.count().label("assets")).group_by(
            found.c.asset_type, found.c.asset_subtype
        )
    ).all()
    if sum(row.assets for row in rows) > COUNT_CAP:
        return None
    return {(row.asset_type, row.asset_subtype): Count(int(row.assets)) for row in rows}


def _order(sort: AssetSort) -> _Order:
    newest = Key(asset.c.id, descending=True)
    match sort:
        case AssetSort.NEWEST:
            return _Order([newest], [_Stretch([newest])])
        case AssetSort.OLDEST:
            oldest = Key(asset.c.id)
            return _Order([oldest], [_Stretch([oldest])])
        case AssetSort.DELETED_LAST:
            gone = asset.c.deleted_at
            keys = [Key(gone, descending=True), newest]
            return _Order(keys, [_Stretch(keys, gone.is_not(None))])
        case AssetSort.CAPTURED_LAST | AssetSort.CAPTURED_FIRST:
            down = sort is AssetSort.CAPTURED_LAST
            captured, number = asset.c.captured_at, Key(asset.c.id, descending=down)
            dated = [Key(captured, descending=down), number]
            return _Order(
                [Key(_PART), Key(_CAPTURED, descending=down), number],
                [
                    _Stretch(dated, captured.is_not(None), _DATED, skipped=1),
                    _Stretch([number], captured.is_(None), _UNDATED, skipped=2),
                ],
            )


def _columns() -> Select[Any]:
    return select(asset, _PART, _CAPTURED)


def _nearest(
    conn: Connection,
    filters: AssetFilter,
    order: _Order,
    position: Position | None,
    rows_max: int,
) -> Iterator[Row[Any]]:
    """At most so many rows from a position on, nearest first, over all stretches."""
    back = position is not None and position.back
    left = rows_max
    wanted = _columns().where(*asset_conditions(conn, filters))
    for stretch in reversed(order.stretches) if back else order.stretches:
        query = wanted if stretch.where is None else wanted.where(stretch.where)
        if position is not None and stretch.skipped:
            reached = position.values[0]
            if stretch.number > reached if back else stretch.number < reached:
                continue
        if position is not None and (not stretch.skipped or stretch.number == position.values[0]):
            values = position.values[stretch.skipped :]
            query = query.where(beyond(stretch.keys, Position(values, back)))
        rows = conn.execute(query.order_by(*sorting(stretch.keys, back=back)).limit(left)).all()
        yield from rows
        left -= len(rows)
        if left <= 0:
            return
