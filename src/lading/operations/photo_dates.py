"""What the verbs on the dates of photos do: shift them, set them, put them back.

What is shown with a photo is dated with it: its RAW, the film of a live photo, and what is
folded under it in a stack.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from lading.db.natural_order import natural_key
from lading.ledger.chain import Entry
from lading.ledger.photo_events import PhotoDatesChanged
from lading.library.photo_companions import companions_of
from lading.library.photo_dates import (
    DatedPhoto,
    DateHow,
    NewDate,
    Taken,
    change_dates,
    dated_photos,
    dates_before,
    is_possible,
)
from lading.library.photo_stacks import folded_under
from lading.library.statements import chunked
from lading.library.tables import asset, photo
from lading.library.values import parse_detail
from lading.media.facts import TimeOrigin
from lading.media.rules import parse_time
from lading.operations.tables import operation, selection_member
from lading.operations.values import DateChange, Operation, Verb

DATE_VERBS: Final = frozenset({Verb.SHIFT_TAKEN, Verb.SET_TAKEN, Verb.RESTORE_TAKEN})


def new_dates(
    conn: Connection,
    verb: Verb,
    params: Mapping[str, Any],
    asset_ids: Collection[int],
    *,
    selection_id: int,
    actor: str,
) -> dict[int, NewDate]:
    """What is to count for these photos; those for which nothing possible comes out are left out.

    Places in the order of names are those among all members of the selection.
    """
    match verb:
        case Verb.SHIFT_TAKEN:
            by = timedelta(seconds=params["shift_s"])
            return _shifted(dated_photos(conn, asset_ids), _stated(conn, asset_ids), by, actor)
        case Verb.SET_TAKEN:
            places: Mapping[int, int] = {}
            if params.get("step_s"):
                places = _places_by_name(conn, selection_id, asset_ids)
            found = {}
            for number in asset_ids:
                taken = _set_to(params["at"], params.get("step_s", 0) * places.get(number, 0))
                if taken is not None:
                    found[number] = NewDate(taken=taken, how=DateHow.SET, actor=actor)
            return found
    return dates_before(conn, asset_ids, operation=params.get("operation"), actor=actor)


def date_photos(
    conn: Connection, wanted: Operation, rows: Sequence[Row[Any]]
) -> tuple[set[int], list[Entry]]:
    """Do it to a chunk of targets in the caller's transaction; those it was done to, and why."""
    selection_id = conn.scalar(select(operation.c.selection_id).where(operation.c.id == wanted.id))
    targets = [int(row.target_id) for row in rows]
    undoing = wanted.verb is Verb.RESTORE_TAKEN and "operation" in wanted.params
    # What an operation changed is selected with all that was changed along.
    along = {} if undoing else _shown_with(conn, targets)
    asked = targets if wanted.verb is Verb.SET_TAKEN else [*targets, *along]
    dates = new_dates(
        conn,
        wanted.verb,
        wanted.params,
        asked,
        selection_id=int(selection_id or 0),
        actor=wanted.actor,
    )
    if wanted.verb is Verb.SET_TAKEN:
        dates |= {other: dates[main] for other, main in along.items() if main in dates}
    done = change_dates(conn, dates, operation=wanted.key)
    known = dated_photos(conn, [*dates, *targets])
    event = PhotoDatesChanged(
        operation=wanted.key,
        verb=wanted.verb.value,
        content_hashes=sorted(known[number].content_hash for number in done),
        params=dict(wanted.params) or None,
    )
    # One that was dated along with another, now or in an earlier chunk, is done as well.
    mine = {number for number, one in known.items() if one.operation == wanted.key}
    return mine, [Entry(event, wanted.actor)] if done else []


def date_changes(
    conn: Connection,
    verb: Verb,
    params: Mapping[str, Any],
    targets: Sequence[int],
    *,
    selection_id: int,
) -> list[DateChange]:
    """What would become of the dates of these photos, for a preview."""
    new = new_dates(conn, verb, params, targets, selection_id=selection_id, actor="preview")
    known = dated_photos(conn, new)
    titles = dict(
        conn.execute(select(asset.c.id, asset.c.title).where(asset.c.id.in_(list(new)))).all()
    )
    return [
        DateChange(
            target_id=number,
            name=titles.get(number) or known[number].content_hash,
            before=known[number].taken.at,
            before_offset_min=known[number].taken.offset_min,
            after=new[number].taken.at,
            after_offset_min=new[number].taken.offset_min,
        )
        for number in targets
        if number in new and number in known
    ]


def _shifted(
    known: Mapping[int, DatedPhoto], stated: Mapping[int, Taken], by: timedelta, actor: str
) -> dict[int, NewDate]:
    found = {}
    for number, one in known.items():
        base = one.taken if one.taken.at is not None else stated.get(number, Taken())
        at = None if base.at is None else _moved(base.at, by)
        if at is not None:
            found[number] = NewDate(
                taken=Taken(at, base.offset_min),
                how=DateHow.SHIFT,
                actor=actor,
                shift_s=int(by.total_seconds()),
            )
    return found


def _moved(at: datetime, by: timedelta) -> datetime | None:
    try:
        moved = at + by
    except OverflowError:
        return None
    return moved if is_possible(moved) else None


def _set_to(text: str, after_s: int) -> Taken | None:
    """The moment that a clock's time means, so many seconds later; None for an impossible one."""
    local = datetime.fromisoformat(text)
    offset = local.utcoffset()
    at = local.replace(tzinfo=UTC) if offset is None else local.astimezone(UTC)
    moved = _moved(at, timedelta(seconds=after_s))
    if moved is None:
        return None
    return Taken(moved, None if offset is None else int(offset.total_seconds()) // 60)


def _stated(conn: Connection, asset_ids: Collection[int]) -> dict[int, Taken]:
    """Times that stand in files and cannot be: a clock that was never set still counts on."""
    found = {}
    for ids in chunked(sorted(asset_ids)):
        query = (
            select(photo.c.asset_id, photo.c.detail)
            .join_from(photo, asset, asset.c.id == photo.c.asset_id)
            .where(photo.c.asset_id.in_(ids), asset.c.captured_at.is_(None))
        )
        for row in conn.execute(query):
            for each in parse_detail(row.detail).get("refused_times", ()):
                said = parse_time(TimeOrigin(each["origin"]), each["text"])
                if said.local is not None:
                    at = said.local - timedelta(minutes=said.offset_minutes or 0)
                    found[row.asset_id] = Taken(at.replace(tzinfo=UTC), said.offset_minutes)
                    break
    return found


def _places_by_name(
    conn: Connection, selection_id: int, asset_ids: Collection[int]
) -> dict[int, int]:
    """The place of each from 0 among all members, as people order names: `a9` before `a10`."""
    member = selection_member.c
    name = func.coalesce(asset.c.title, "")
    order = func.row_number().over(order_by=(natural_key(name), name, asset.c.id))
    ranked = (
        select(member.target_id, order.label("place"))
        .select_from(selection_member.join(asset, asset.c.id == member.target_id))
        .where(member.selection_id == selection_id)
        .subquery()
    )
    found: dict[int, int] = {}
    for ids in chunked(sorted(asset_ids)):
        rows = conn.execute(select(ranked).where(ranked.c.target_id.in_(ids)))
        found.update({row.target_id: row.place - 1 for row in rows})
    return found


def _shown_with(conn: Connection, asset_ids: Sequence[int]) -> dict[int, int]:
    """What is not shown by itself but with one of these, each with that one."""
    folded = folded_under(conn, asset_ids)
    along = dict(folded)
    for number, companions in companions_of(conn, [*asset_ids, *folded]).items():
        along |= {each.asset_id: folded.get(number, number) for each in companions}
    return {other: main for other, main in along.items() if other not in asset_ids}
