"""Keeps the times that people gave photos, beside what their files say, and takes them back.

`asset.captured_at` is the time that counts, so that every list goes by it. Whoever writes what a
file says asks `keep_said` first, so that no import undoes what a person corrected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    and_,
    bindparam,
    insert,
    literal,
    select,
    update,
)

from lading.library.photo_values import FROM_SIDECAR
from lading.library.statements import chunked, insert_missing, moment
from lading.library.tables import asset, photo, photo_date, photo_date_change

FIRST_TIME: Final = datetime(1800, 1, 2, tzinfo=UTC)
END_OF_TIMES: Final = datetime(8999, 12, 31, tzinfo=UTC)
"""No correction leads out of these: the timeline has no years before and after them."""


class DateHow(StrEnum):
    """How a photo came by the time that counts; `own` is what its file says."""

    SHIFT = "shift"
    SET = "set"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Taken:
    """When something was taken: the moment (None when undated), and minutes east of UTC.

    Where the offset is unknown, the moment is the clock's time as if it were UTC's.
    """

    at: datetime | None = None
    offset_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedPhoto:
    """A photo with the time that counts and what its file says. `change_id`: None if untouched.

    `how`, `shift_s`, `actor` and `changed_at` are of the correction that counts. `from_sidecar`:
    what is `said` stands in a sidecar, and the content says no time.
    """

    asset_id: int
    content_hash: str
    taken: Taken
    said: Taken
    change_id: int | None = None
    before_id: int | None = None
    operation: str | None = None
    how: DateHow = DateHow.OWN
    shift_s: int | None = None
    actor: str | None = None
    changed_at: datetime | None = None
    from_sidecar: bool = False

    @property
    def own(self) -> Taken:
        """What its content says, whatever lies beside it."""
        return Taken() if self.from_sidecar else self.said

    @property
    def corrected(self) -> bool:
        """Whether a person's time counts."""
        return self.how is not DateHow.OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDate:
    """What is to count for a photo from now on, and how it came about."""

    taken: Taken
    how: DateHow
    actor: str
    shift_s: int | None = None
    at: datetime | None = None  # None: now


_CHANGE: Final = photo_date_change
_DATED: Final = (
    select(
        asset.c.id,
        asset.c.content_hash,
        asset.c.captured_at,
        asset.c.captured_offset_min,
        photo_date.c.said_at,
        photo_date.c.said_offset_min,
        photo_date.c.change_id,
        _CHANGE.c.before_id,
        _CHANGE.c.operation,
        _CHANGE.c.how,
        _CHANGE.c.shift_s,
        _CHANGE.c.actor,
        _CHANGE.c.at,
        photo.c.captured_from,
    )
    .join_from(asset, photo, photo.c.asset_id == asset.c.id)
    .outerjoin(photo_date, photo_date.c.asset_id == asset.c.id)
    .outerjoin(_CHANGE, _CHANGE.c.id == photo_date.c.change_id)
)
# Built once: an import runs it for every file that it writes again.
_KEPT: Final = (
    select(photo_date, _CHANGE.c.how)
    .join_from(photo_date, _CHANGE, _CHANGE.c.id == photo_date.c.change_id)
    .where(photo_date.c.asset_id == bindparam("asset_id"))
)
_SET_SAID: Final = (
    update(photo_date)
    .where(photo_date.c.asset_id == bindparam("of_asset"))
    .values(said_at=bindparam("new_at"), said_offset_min=bindparam("new_offset"))
)
_SET_CHANGE: Final = (
    update(photo_date)
    .where(photo_date.c.asset_id == bindparam("of_asset"))
    .values(change_id=bindparam("new_change"))
)
_SET_TAKEN: Final = (
    update(asset)
    .where(asset.c.id == bindparam("of_asset"))
    .values(
        captured_at=bindparam("new_at"),
        captured_offset_min=bindparam("new_offset"),
        updated_at=bindparam("now"),
    )
)


def is_possible(at: datetime) -> bool:
    """Whether a correction may lead to this moment."""
    return FIRST_TIME <= at < END_OF_TIMES


def shiftable(by: timedelta) -> tuple[datetime, datetime]:
    """From which moment on, and before which, a photo has to be taken to be shifted by so much."""
    return _clamped(FIRST_TIME, by), _clamped(END_OF_TIMES, by)


def _clamped(bound: datetime, by: timedelta) -> datetime:
    try:
        moved = bound - by
    except OverflowError:
        return FIRST_TIME if by > timedelta() else END_OF_TIMES
    return min(max(moved, FIRST_TIME), END_OF_TIMES)


def dated_photos(
    conn: Connection, asset_ids: Collection[int], *, lock: bool = False
) -> dict[int, DatedPhoto]:
    """Those of these assets that are photos, with their times. `lock` keeps other writers out."""
    found = {}
    query = _DATED.with_for_update(of=asset, key_share=True) if lock else _DATED
    for chunk in chunked(sorted(set(asset_ids))):
        for row in conn.execute(query.where(asset.c.id.in_(chunk)).order_by(asset.c.id)):
            found[int(row.id)] = _dated(row)
    return found


def change_dates(conn: Connection, wanted: Mapping[int, NewDate], *, operation: str) -> set[int]:
    """Have these times count from now on; the photos for which this operation did so.

    One that it has changed before is left alone, so that no shift is made twice. A handful of
    statements for each few hundred.
    """
    at = moment(conn)
    done: set[int] = set()
    for ids in chunked(sorted(wanted)):
        known = dated_photos(conn, ids, lock=True)
        before = _changes_of(conn, operation, ids)
        fresh = [number for number in ids if number in known and number not in before]
        if not fresh:
            continue
        conn.execute(
            insert(_CHANGE), [_row(known[n], wanted[n], operation=operation, at=at) for n in fresh]
        )
        changes = _changes_of(conn, operation, fresh)
        _point(conn, known, changes)
        values = [
            {
                "of_asset": n,
                "new_at": wanted[n].taken.at,
                "new_offset": wanted[n].taken.offset_min,
                "now": at,
            }
            for n in fresh
        ]
        conn.execute(_SET_TAKEN, values)
        done |= set(fresh)
    return done


def dates_before(
    conn: Connection, asset_ids: Collection[int], *, operation: str | None, actor: str
) -> dict[int, NewDate]:
    """What counted before `operation`, for those where it still counts; None: what the file says.

    Photos for which that changes nothing are not in it.
    """
    known = dated_photos(conn, asset_ids)
    if operation is None:
        return {
            number: NewDate(taken=one.said, how=DateHow.OWN, actor=actor)
            for number, one in known.items()
            if one.corrected
        }
    mine = {number: one for number, one in known.items() if one.operation == operation}
    earlier: dict[int, Any] = {}
    for chunk in chunked(one.before_id for one in mine.values() if one.before_id is not None):
        for row in conn.execute(select(_CHANGE).where(_CHANGE.c.id.in_(chunk))):
            earlier[row.id] = row
    found = {}
    for number, one in mine.items():
        change = None if one.before_id is None else earlier.get(one.before_id)
        if change is None or change.how == DateHow.OWN:
            found[number] = NewDate(taken=one.said, how=DateHow.OWN, actor=actor)
        else:
            found[number] = NewDate(
                taken=Taken(change.taken_at, change.taken_offset_min),
                how=DateHow(change.how),
                actor=change.actor,
                shift_s=change.shift_s,
                at=change.at,
            )
    return found


def keep_said(conn: Connection, asset_id: int, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an asset's `columns` that may be written, when a source says them anew.

    What it says of the time goes beside the correction that counts, if one does.
    """
    left = dict(columns)
    if not {"captured_at", "captured_offset_min"} & left.keys():
        return left
    kept = conn.execute(_KEPT, {"asset_id": asset_id}).one_or_none()
    if kept is None:
        return left
    said = (
        left.get("captured_at", kept.said_at),
        left.get("captured_offset_min", kept.said_offset_min),
    )
    if said != (kept.said_at, kept.said_offset_min):
        conn.execute(_SET_SAID, {"of_asset": asset_id, "new_at": said[0], "new_offset": said[1]})
    if kept.how != DateHow.OWN:
        left.pop("captured_at", None)
        left.pop("captured_offset_min", None)
    return left


def carry_date(conn: Connection, before: int, after: int) -> None:
    """Have a correction count for what replaced a photo, if its file says the same time.

    A file that says another time was corrected itself, and is believed.
    """
    known = dated_photos(conn, [before, after], lock=True)
    old, new = known.get(before), known.get(after)
    if old is None or new is None or not old.corrected or new.change_id is not None:
        return
    if old.own != new.own or old.operation is None:
        return
    again = NewDate(
        taken=old.taken,
        how=old.how,
        actor=old.actor or "",
        shift_s=old.shift_s,
        at=old.changed_at,
    )
    change_dates(conn, {after: again}, operation=old.operation)


def is_corrected() -> ColumnElement[bool]:
    """That a person's time counts for an `asset`."""
    return _change_exists(_CHANGE.c.how != DateHow.OWN.value)


def was_changed_last_by(operation: str | ScalarSelect[str]) -> ColumnElement[bool]:
    """That the time of an `asset` is as this operation left it, given by its key."""
    return _change_exists(_CHANGE.c.operation == operation)


def _change_exists(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .select_from(photo_date.join(_CHANGE, _CHANGE.c.id == photo_date.c.change_id))
        .where(and_(photo_date.c.asset_id == asset.c.id, which))
        .correlate(asset)
        .exists()
    )


def _dated(row: Any) -> DatedPhoto:
    taken = Taken(row.captured_at, row.captured_offset_min)
    if row.change_id is None:
        return DatedPhoto(
            asset_id=row.id,
            content_hash=row.content_hash,
            taken=taken,
            said=taken,
            from_sidecar=row.captured_from == FROM_SIDECAR,
        )
    return DatedPhoto(
        asset_id=row.id,
        content_hash=row.content_hash,
        taken=taken,
        said=Taken(row.said_at, row.said_offset_min),
        change_id=row.change_id,
        before_id=row.before_id,
        operation=row.operation,
        how=DateHow(row.how),
        shift_s=row.shift_s,
        actor=row.actor,
        changed_at=row.at,
        from_sidecar=row.captured_from == FROM_SIDECAR,
    )


def _row(one: DatedPhoto, new: NewDate, *, operation: str, at: datetime) -> dict[str, Any]:
    return {
        "asset_id": one.asset_id,
        "operation": operation,
        "before_id": one.change_id,
        "how": new.how.value,
        "shift_s": new.shift_s,
        "taken_at": new.taken.at,
        "taken_offset_min": new.taken.offset_min,
        "actor": new.actor[:190],
        "at": new.at or at,
    }


def _changes_of(conn: Connection, operation: str, ids: Collection[int]) -> dict[int, int]:
    query = select(_CHANGE.c.asset_id, _CHANGE.c.id).where(
        _CHANGE.c.operation == operation, _CHANGE.c.asset_id.in_(ids)
    )
    return {row.asset_id: row.id for row in conn.execute(query)}


def _point(conn: Connection, known: Mapping[int, DatedPhoto], changes: Mapping[int, int]) -> None:
    """Have each photo's row name the change that counts; those without one get theirs."""
    first = [
        {
            "asset_id": number,
            "said_at": known[number].said.at,
            "said_offset_min": known[number].said.offset_min,
            "change_id": change_id,
        }
        for number, change_id in changes.items()
        if known[number].change_id is None
    ]
    insert_missing(conn, photo_date, first)
    again = [
        {"of_asset": number, "new_change": change_id}
        for number, change_id in changes.items()
        if known[number].change_id is not None
    ]
    if again:
        conn.execute(_SET_CHANGE, again)
