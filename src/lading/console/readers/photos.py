"""Photos by when they were taken: years, months and days with counts, and one page of pictures.

Dates are those of the clock where a picture was taken. What has no believable time is kept apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, func

from lading.console.parts import Console
from lading.console.readers.library import AssetCard, asset_cards
from lading.db import Database
from lading.db.counting import Count, count_capped
from lading.db.keyset import Key, fetch_page
from lading.db.wall_clock import DAY, MONTH, YEAR
from lading.library.known import asset_row
from lading.library.live_photos import live_photos
from lading.library.photo_timeline import CLOCK, UNDATED, clock_is_wrong, taken_on, wall
from lading.library.tables import asset
from lading.sources.photos.source import KIND

BUCKETS: Final[Mapping[str, str]] = {UNDATED: "Undated", CLOCK: "Clock looks wrong"}
"""What has no place in the timeline: no time at all, or none but such as cannot be."""

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A year, month or day with how many photos were taken in it. `on` names it in addresses."""

    on: str
    label: str
    count: int

    @property
    def url(self) -> str:
        """The page with just those."""
        return f"/photos?on={self.on}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How many photos there are of each time; `months` of all years, the newest first.

    `undated` and `clock_wrong` are in none of them.
    """

    years: Sequence[Stretch]
    months: Sequence[Stretch]
    undated: int
    clock_wrong: int

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(year.count for year in self.years) + self.undated + self.clock_wrong

    @property
    def newest(self) -> str:
        """The part that a reader who named none looks at."""
        if self.months:
            return self.months[0].on
        return CLOCK if self.clock_wrong and not self.undated else UNDATED


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoList:
    """A page of photos, the last taken first, and the cursors of the pages around it."""

    cards: Sequence[AssetCard]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None


def photos_sources(console: Console) -> list[str]:
    """The names of the configured sources of photos."""
    return sorted(name for name, each in console.lading.sources.items() if each.kind == KIND)


def label_of(on: str) -> str:
    """A part of the timeline in words: `July 2024`, `3 July 2024`, `Undated`."""
    if on in BUCKETS:
        return BUCKETS[on]
    year, *rest = on.split("-")
    if not rest:
        return year
    month = f"{MONTHS[int(rest[0]) - 1]} {year}"
    return month if len(rest) == 1 else f"{int(rest[1])} {month}"


def read_timeline(db: Database) -> Timeline:
    """The whole timeline, counted: two statements, however many photos there are."""
    month = wall(MONTH).label("month")
    with db.read() as conn:
        rows = conn.execute(
            live_photos(month, func.count().label("photos"))
            .where(asset.c.captured_at.is_not(None))
            .group_by(month)
            .order_by(month.desc())
        ).all()
        apart = conn.execute(
            live_photos(
                func.count().label("photos"),
                func.coalesce(func.sum(case((clock_is_wrong(), 1), else_=0)), 0).label("wrong"),
            ).where(asset.c.captured_at.is_(None))
        ).one()
    months = [_stretch(row.month, row.photos) for row in rows]
    years: dict[str, int] = {}
    for each in months:
        years[each.on[:YEAR]] = years.get(each.on[:YEAR], 0) + each.count
    wrong = int(apart.wrong)
    return Timeline(
        years=[_stretch(on, count) for on, count in years.items()],
        months=months,
        undated=int(apart.photos) - wrong,
        clock_wrong=wrong,
    )


def read_days(db: Database, month: str) -> list[Stretch]:
    """The days of a month that photos were taken on, the first of them first."""
    day = wall(DAY).label("day")
    with db.read() as conn:
        rows = conn.execute(
            live_photos(day, func.count().label("photos"))
            .where(taken_on(month))
            .group_by(day)
            .order_by(day)
        ).all()
    return [_stretch(row.day, row.photos) for row in rows]


def read_photos(db: Database, on: str, *, cursor: str | None = None, limit: int = 50) -> PhotoList:
    """A page of what was taken then, as `parse_on` understands it. Raises `BadCursor`."""
    newest = Key(asset.c.id, descending=True)
    if on in BUCKETS:
        return list_photos(db, taken_on(on), [newest], cursor=cursor, limit=limit)
    order = [Key(asset.c.captured_at, descending=True), newest]
    return list_photos(db, taken_on(on), order, cursor=cursor, limit=limit)


def list_photos(
    db: Database,
    which: ColumnElement[bool],
    order: Sequence[Key],
    *,
    cursor: str | None,
    limit: int,
) -> PhotoList:
    """A page of the photos that `which` holds for. Raises `BadCursor`."""
    with db.read() as conn:
        return page_of_photos(conn, live_photos(asset).where(which), order, cursor, limit)


def page_of_photos(
    conn: Connection, query: Select[Any], order: Sequence[Key], cursor: str | None, limit: int
) -> PhotoList:
    """A page of a query that selects all of `asset`, as cards."""
    page = fetch_page(conn, query, order, cursor=cursor, limit=limit)
    return PhotoList(
        cards=asset_cards(conn, [asset_row(row) for row in page.rows]),
        count=count_capped(conn, query.with_only_columns(asset.c.id)),
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def _stretch(on: str, count: int) -> Stretch:
    return Stretch(on=on, label=label_of(on), count=int(count))
