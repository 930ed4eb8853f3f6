"""Keeps what sidecars say of photos, and lets it count where the photos themselves say nothing.

`asset.captured_at` and the place in `photo` are what counts; `photo.captured_from` and
`photo.place_from` say `sidecar` where that comes from one. What is here is never more than that:
what the content says comes first, and what a person said before all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update

from lading.library.photo_dates import keep_said
from lading.library.photo_queries import is_brought_otherwise
from lading.library.photo_values import FROM_SIDECAR, FilePlace, PhotoFacts, SidecarFacts
from lading.library.statements import chunked, insert_missing
from lading.library.tables import asset, asset_file, photo, photo_file, photo_sidecar
from lading.library.values import AssetFacts, detail_text, parse_detail

UNDATED: Final = "undated"
_RANKS: Final = {"xmp": 0, "takeout": 1}
"""What people's own programs wrote comes before what was exported."""
# Built once: an import runs it for every photo that it writes again.
_BESIDE: Final = (
    select(photo_sidecar, asset_file.c.path, asset_file.c.location)
    .join_from(photo_sidecar, asset_file, asset_file.c.id == photo_sidecar.c.file_id)
    .where(
        photo_sidecar.c.asset_id == bindparam("asset_id"),
        asset_file.c.deleted_at.is_(None),
    )
)
_COUNTS: Final = (
    select(
        asset.c.captured_at,
        asset.c.captured_offset_min,
        photo.c.captured_from,
        photo.c.capture_doubt,
        photo.c.latitude,
        photo.c.longitude,
        photo.c.altitude_m,
        photo.c.place_from,
    )
    .join_from(asset, photo, photo.c.asset_id == asset.c.id)
    .where(asset.c.id == bindparam("asset_id"))
    .with_for_update(of=asset, key_share=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A sidecar that is there: its file, the name of it, and what it says."""

    file_id: int
    path: str
    name: str
    said: SidecarFacts


def sidecars_of(conn: Connection, asset_id: int) -> list[Sidecar]:
    """What lies beside a photo, or beside what it was made of; the most trusted first."""
    found = [
        Sidecar(
            file_id=row.file_id,
            path=row.path,
            name=FilePlace.at("", row.location).name,
            said=_said(row),
        )
        for row in conn.execute(_BESIDE, {"asset_id": asset_id})
    ]
    return sorted(found, key=lambda one: (_RANKS.get(one.said.kind, len(_RANKS)), one.path))


def time_said(sidecars: Iterable[Sidecar]) -> Sidecar | None:
    """The one whose time counts where the photo has none."""
    return next((one for one in sidecars if one.said.taken_at is not None), None)


def place_said(sidecars: Iterable[Sidecar]) -> Sidecar | None:
    """The one whose place counts where the photo has none."""
    return next((one for one in sidecars if one.said.latitude is not None), None)


def filled(
    conn: Connection, asset_id: int, facts: AssetFacts, said: PhotoFacts
) -> tuple[AssetFacts, PhotoFacts]:
    """What a photo's content says, with what lies beside it where that says nothing."""
    if facts.captured_at is not None and said.latitude is not None:
        return facts, said
    beside = sidecars_of(conn, asset_id)
    time = time_said(beside) if facts.captured_at is None else None
    place = place_said(beside) if said.latitude is None else None
    if time is not None:
        facts = replace(
            facts,
            captured_at=time.said.taken_at,
            captured_offset_min=time.said.taken_offset_min,
        )
        said = replace(said, captured_from=FROM_SIDECAR, capture_doubt=time.said.doubt)
    if place is not None:
        said = replace(
            said,
            latitude=place.said.latitude,
            longitude=place.said.longitude,
            altitude_m=place.said.altitude_m,
            place_from=FROM_SIDECAR,
        )
    return facts, said


def keep_sidecar(
    conn: Connection, file_id: int, asset_id: int, said: SidecarFacts | None, at: datetime
) -> bool:
    """Record what the sidecar `file_id` says of its photo; whether that is news.

    What was made of the photo goes by the same words. None: it is no sidecar that says anything.
    """
    known = {
        row.asset_id: row
        for row in conn.execute(select(photo_sidecar).where(photo_sidecar.c.file_id == file_id))
    }
    if said is None:
        return bool(known) and bool(forget_sidecar(conn, file_id, at))
    if asset_id in known and all(_said(row) == said for row in known.values()):
        return False
    values = {**asdict(said), "detail": detail_text(said.detail)}
    conn.execute(update(photo_sidecar).where(photo_sidecar.c.file_id == file_id).values(**values))
    insert_missing(conn, photo_sidecar, [{"file_id": file_id, "asset_id": asset_id, **values}])
    _count_anew(conn, {asset_id, *known}, at)
    return True


def forget_sidecar(conn: Connection, file_id: int, at: datetime) -> bool:
    """Have nothing count any more that this sidecar said; whether it said anything."""
    here = photo_sidecar.c.file_id == file_id
    of = set(conn.scalars(select(photo_sidecar.c.asset_id).where(here)))
    if of:
        conn.execute(delete(photo_sidecar).where(here))
        _count_anew(conn, of, at)
    return bool(of)


def share_sidecars(
    conn: Connection, source: str, folder: str, edited: Mapping[int, int], at: datetime
) -> None:
    """Have the sidecars of a folder count for edited copies, given with what they were made of.

    Assets by their ids. A copy keeps what was said once, wherever it goes, while the sidecar does.
    """
    wanted: dict[tuple[int, int], dict[str, Any]] = {}
    copies: dict[int, list[int]] = {}
    for copy, main in edited.items():
        copies.setdefault(main, []).append(copy)
    for chunk in chunked(sorted(copies)):
        query = (
            select(photo_sidecar)
            .join(asset_file, asset_file.c.id == photo_sidecar.c.file_id)
            .join(photo_file, photo_file.c.file_id == photo_sidecar.c.file_id)
            .where(
                photo_file.c.source == source,
                photo_file.c.folder_sha256 == FilePlace(source, folder, "").folder_sha256,
                photo_sidecar.c.asset_id.in_(chunk),
                asset_file.c.deleted_at.is_(None),
            )
        )
        for row in conn.execute(query).mappings():
            for copy in copies[row["asset_id"]]:
                wanted[row["file_id"], copy] = {**row, "asset_id": copy}
    for ids in chunked({file_id for file_id, _ in wanted}):
        there = select(photo_sidecar.c.file_id, photo_sidecar.c.asset_id)
        for known in conn.execute(there.where(photo_sidecar.c.file_id.in_(ids))):
            wanted.pop((known.file_id, known.asset_id), None)
    if wanted:
        insert_missing(conn, photo_sidecar, list(wanted.values()))
        _count_anew(conn, {copy for _, copy in wanted}, at)


def sidecar_readers(conn: Connection, file_ids: Collection[int]) -> dict[int, str]:
    """What read each of these files that are sidecars and say something."""
    found: dict[int, str] = {}
    for chunk in chunked(dict.fromkeys(file_ids)):
        query = select(photo_sidecar.c.file_id, photo_sidecar.c.reader)
        for row in conn.execute(query.where(photo_sidecar.c.file_id.in_(chunk))):
            found[row.file_id] = row.reader
    return found


def move_sidecar(conn: Connection, before: int, after: int) -> None:
    """Have the words of one file row be those of another, which takes its place."""
    rows = (
        conn.execute(select(photo_sidecar).where(photo_sidecar.c.file_id == before))
        .mappings()
        .all()
    )
    if rows:
        conn.execute(delete(photo_sidecar).where(photo_sidecar.c.file_id.in_([before, after])))
        fresh = [{**row, "file_id": after} for row in rows]
        insert_missing(conn, photo_sidecar, fresh)


def _count_anew(conn: Connection, asset_ids: Iterable[int], at: datetime) -> None:
    for asset_id in sorted(asset_ids):
        _count_one_anew(conn, asset_id, at)


def _count_one_anew(conn: Connection, asset_id: int, at: datetime) -> None:
    """Let what lies beside a photo now count, where its content says nothing."""
    row = conn.execute(_COUNTS, {"asset_id": asset_id}).one_or_none()
    if row is None:
        return
    dated = row.captured_from not in {None, FROM_SIDECAR}
    placed = row.latitude is not None and row.place_from is None
    beside = [] if dated and placed else sidecars_of(conn, asset_id)
    values: dict[str, Any] = {}
    if not dated:
        time = time_said(beside)
        values["captured_from"] = None if time is None else FROM_SIDECAR
        values["capture_doubt"] = UNDATED if time is None else time.said.doubt
        if not is_brought_otherwise(conn, asset_id):
            _set_time(conn, row, asset_id, time, at)
    if not placed:
        place = place_said(beside)
        values["place_from"] = None if place is None else FROM_SIDECAR
        for name in ("latitude", "longitude", "altitude_m"):
            values[name] = None if place is None else getattr(place.said, name)
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    if differing:
        conn.execute(
            update(photo).where(photo.c.asset_id == asset_id).values(**differing, updated_at=at)
        )


def _set_time(
    conn: Connection, row: Any, asset_id: int, time: Sidecar | None, at: datetime
) -> None:
    columns = keep_said(
        conn,
        asset_id,
        {
            "captured_at": None if time is None else time.said.taken_at,
            "captured_offset_min": None if time is None else time.said.taken_offset_min,
        },
    )
    differing = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if differing:
        conn.execute(update(asset).where(asset.c.id == asset_id).values(**differing, updated_at=at))


def _said(row: Any) -> SidecarFacts:
    return SidecarFacts(
        kind=row.kind,
        reader=row.reader,
        taken_at=row.taken_at,
        taken_offset_min=row.taken_offset_min,
        doubt=row.doubt,
        latitude=row.latitude,
        longitude=row.longitude,
        altitude_m=row.altitude_m,
        detail=parse_detail(row.detail),
    )
