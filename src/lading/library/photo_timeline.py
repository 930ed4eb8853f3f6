"""Names parts of the timeline, and says as conditions on `asset` and `photo` what is in one.

Dates are those of the clock where a picture was taken. What has no believable time is kept apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, false, func, or_, select

from lading.base.errors import RequestError
from lading.db.wall_clock import DAY, MONTH, YEAR, wall_date
from lading.library.photo_companions import is_companion
from lading.library.photo_stacks import is_folded
from lading.library.tables import asset, photo

UNDATED: Final = "undated"
CLOCK: Final = "clock"
_ON: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_YEARS: Final = range(1800, 9000)
"""Nearer the ends of the calendar the day before or after can be none any more."""
_OFFSET_MAX: Final = timedelta(hours=15)
"""No clock is farther from UTC; it bounds which instants a date can be."""
_IMPOSSIBLE: Final = ("epoch", "too_early", "future")
"""Why a stated time does not count, as the facts of a photo have it."""


class NoSuchDate(RequestError):
    """A part of the timeline was asked for that no calendar has."""

    code = "no_such_date"
    next_step = "Choose a year, month or day on the page of photos."


def parse_on(text: str) -> str:
    """A part of the timeline as addresses name it. Raises `NoSuchDate`."""
    if text in {UNDATED, CLOCK}:
        return text
    if _ON.fullmatch(text) and int(text[:YEAR]) in _YEARS:
        try:
            datetime.fromisoformat(f"{text}-01-01"[:DAY])
        except ValueError:
            pass
        else:
            return text
    raise NoSuchDate(
        "the calendar has no such date",
        subject="on",
        expected=f"2024, 2024-07, 2024-07-03, {UNDATED} or {CLOCK}",
        found=text[:50],
    )


def in_timeline(on: str) -> ColumnElement[bool]:
    """That an `asset` is a photo which this part of the timeline shows. Raises `NoSuchDate`."""
    on = parse_on(on)
    is_photo = photo.c.asset_id == asset.c.id
    here = select(photo.c.asset_id).where(is_photo, taken_on(on)).correlate(asset).exists()
    return and_(here, ~is_companion(), ~is_folded())


def taken_on(on: str) -> ColumnElement[bool]:
    """That an `asset` and its `photo` belong to this part of the timeline.

    A date is that of the place; the bounds let the index by capture time be used.
    """
    if on in {UNDATED, CLOCK}:
        wrong = clock_is_wrong()
        return and_(asset.c.captured_at.is_(None), wrong if on == CLOCK else ~wrong)
    year, month, day = (int(part) for part in f"{on}-01-01"[:DAY].split("-"))
    first = _utc(year, month, day)
    if len(on) == DAY:
        after = first + timedelta(days=1)
    elif len(on) == MONTH:
        after = _utc(year + month // 12, month % 12 + 1, 1)
    else:
        after = _utc(year + 1, 1, 1)
    captured = asset.c.captured_at
    return and_(
        captured >= first - _OFFSET_MAX, captured < after + _OFFSET_MAX, wall(len(on)) == on
    )


def wall(length: int) -> wall_date:
    """The date of an `asset` on the clock of its place, as far as `length` characters say."""
    return wall_date(asset.c.captured_at, asset.c.captured_offset_min, length)


def _utc(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def clock_is_wrong() -> ColumnElement[bool]:
    """That the file states a time, and one that nothing can have been taken at."""
    said = photo.c.detail
    return func.coalesce(
        or_(*(said.contains(f'"reason":"{each}"', autoescape=True) for each in _IMPOSSIBLE)),
        false(),
    )
