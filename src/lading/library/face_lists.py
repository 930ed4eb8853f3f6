"""Lists of faces, page by page: those that wait for a name, were passed over, or are a person's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, select

from lading.db.counting import Count, count_capped, count_each_capped
from lading.db.keyset import Key, fetch_page
from lading.library.faces import CURRENT
from lading.library.people_queries import FACES, decidable, decision_of, stored, unidentified
from lading.library.people_tables import FaceState, face, face_person, face_scan, person
from lading.library.people_values import Decision, StoredFace
from lading.library.photo_queries import in_folder
from lading.library.photo_values import FilePlace
from lading.library.rules import ORIGINAL_ROLE
from lading.library.statements import chunked
from lading.library.tables import asset, asset_file, photo_file


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFilter:
    """Which faces: those that wait, or those `passed_over`; of a source, or a folder of it."""

    passed_over: bool = False
    source: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class FacePage:
    """Faces, the newest first, and the cursors of the pages around them."""

    faces: Sequence[StoredFace]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True)
class SaidPage:
    """Faces of a person, each with what is said of it; and the cursors as above."""

    faces: Sequence[tuple[StoredFace, Decision]]
    next_cursor: str | None
    prev_cursor: str | None


class PassedOver(NamedTuple):
    """Who passed a face over, and when."""

    by: str
    at: datetime


_NEWEST_FACE: Final = [Key(face.c.id, descending=True)]


def unassigned_faces(
    conn: Connection, filters: FaceFilter, *, cursor: str | None = None, limit: int = 50
) -> FacePage:
    """A page of the faces of live photos that wait for a name, or were passed over.

    Raises `BadCursor`.
    """
    query = FACES.where(*_waiting(filters))
    found = fetch_page(conn, query, _NEWEST_FACE, cursor=cursor, limit=limit)
    return FacePage([stored(row) for row in found.rows], found.next_cursor, found.prev_cursor)


def count_unassigned(conn: Connection, filters: FaceFilter) -> Count:
    """How many there are of these."""
    query = (
        select(face.c.id)
        .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .join(asset, asset.c.id == face_scan.c.asset_id)
        .where(*_waiting(filters))
    )
    return count_capped(conn, query)


def said_faces(
    conn: Connection,
    persons: Collection[int],
    state: FaceState,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> SaidPage:
    """A page of what is said of these numbers of one person: suggestions, the least certain first,
    or what people decided, newest faces first. Raises `BadCursor`.
    """
    said = face_person.c
    order = [Key(said.face_id, descending=True), Key(said.person_id)]
    if state is FaceState.SUGGESTED:
        order = [Key(said.distance, descending=True), *order]
    query = select(face_person).where(said.person_id.in_(persons), said.state == state, decidable())
    page = fetch_page(conn, query, order, cursor=cursor, limit=limit)
    faces = faces_by_id(conn, (row.face_id for row in page.rows))
    return SaidPage(
        [(faces[row.face_id], decision_of(row)) for row in page.rows],
        page.next_cursor,
        page.prev_cursor,
    )


def count_said(conn: Connection, persons: Collection[int]) -> dict[FaceState, Count]:
    """How much is said of these numbers of one person, by state."""
    said = face_person.c
    asked: Mapping[FaceState, Select[Any]] = {
        state: select(said.face_id).where(
            said.person_id.in_(persons), said.state == state, decidable()
        )
        for state in FaceState
    }
    return count_each_capped(conn, asked)


def count_suggested(conn: Connection) -> Count:
    """How many suggestions wait for a decision, of everybody."""
    said = face_person.c
    # By person, so that an index leads to them.
    everybody = select(person.c.id)
    return count_capped(
        conn,
        select(said.face_id).where(
            said.person_id.in_(everybody), said.state == FaceState.SUGGESTED, decidable()
        ),
    )


def said_by_person(conn: Connection, persons: Collection[int]) -> dict[tuple[int, FaceState], int]:
    """How much is said of each of these, as numbered in what is said; 0 is left out."""
    said = face_person.c
    query = select(said.person_id, said.state, func.count()).where(decidable())
    query = query.group_by(said.person_id, said.state)
    return {
        (person_id, FaceState(state)): count
        for chunk in chunked(persons)
        for person_id, state, count in conn.execute(query.where(said.person_id.in_(chunk)))
    }


def faces_by_id(conn: Connection, faces: Iterable[int]) -> dict[int, StoredFace]:
    """Those of these faces that are there, by number."""
    return {
        row.id: stored(row)
        for chunk in chunked(faces)
        for row in conn.execute(FACES.where(face.c.id.in_(chunk)))
    }


def passed_over(conn: Connection, faces: Iterable[int]) -> dict[int, PassedOver]:
    """Those of these faces that were passed over, and by whom."""
    query = select(face.c.id, face.c.passed_over_by, face.c.passed_over_at)
    return {
        row.id: PassedOver(row.passed_over_by, row.passed_over_at)
        for chunk in chunked(faces)
        for row in conn.execute(
            query.where(face.c.id.in_(chunk), face.c.passed_over_at.is_not(None))
        )
    }


def locations(conn: Connection, assets: Iterable[int]) -> dict[int, str]:
    """Where each of these photos lies below the root of its source; the first of several places."""
    query = select(asset_file.c.asset_id, func.min(asset_file.c.location)).where(
        asset_file.c.role == ORIGINAL_ROLE, asset_file.c.deleted_at.is_(None)
    )
    return {
        asset_id: location
        for chunk in chunked(sorted(set(assets)))
        for asset_id, location in conn.execute(
            query.where(asset_file.c.asset_id.in_(chunk)).group_by(asset_file.c.asset_id)
        )
    }


def newest_confirmed(conn: Connection, persons: Collection[int]) -> dict[int, int]:
    """By person, as numbered in what is said, the newest face that people confirmed."""
    said = face_person.c
    query = (
        select(said.person_id, func.max(said.face_id))
        .where(said.state == FaceState.CONFIRMED)
        .group_by(said.person_id)
    )
    return {
        person_id: face_id
        for chunk in chunked(persons)
        for person_id, face_id in conn.execute(query.where(said.person_id.in_(chunk)))
    }


def last_found(conn: Connection, persons: Collection[int]) -> dict[int, datetime]:
    """By person, as numbered in what is said, when a scan last found a face of theirs."""
    said = face_person.c
    query = (
        select(said.person_id, func.max(face_scan.c.scanned_at))
        .join_from(face_person, face, face.c.id == said.face_id)
        .join(face_scan, face_scan.c.id == face.c.scan_id)
        .where(said.state != FaceState.REFUSED)
        .group_by(said.person_id)
    )
    return {
        person_id: at
        for chunk in chunked(persons)
        for person_id, at in conn.execute(query.where(said.person_id.in_(chunk)))
    }


def _waiting(filters: FaceFilter) -> list[ColumnElement[bool]]:
    wanted = [
        face_scan.c.current == CURRENT,
        asset.c.deleted_at.is_(None),
        face.c.passed_over_at.is_not(None) if filters.passed_over else unidentified(),
    ]
    if filters.source is not None:
        places = (
            select(asset_file.c.asset_id)
            .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
            .where(photo_file.c.source == filters.source, asset_file.c.deleted_at.is_(None))
        )
        if filters.folder is not None:
            digest = FilePlace("", filters.folder, "").folder_sha256
            places = places.where(in_folder(digest))
        wanted.append(face_scan.c.asset_id.in_(places))
    return wanted
