"""Counts what other settings for faces would concern, and samples what people confirmed (C9)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select

from lading.library.faces import CURRENT
from lading.library.people_queries import ORIGINALS, to_match
from lading.library.people_tables import FaceState, face, face_person, face_scan, reference_image
from lading.library.people_values import FaceBox, KnownFace
from lading.library.statements import chunked
from lading.library.tables import asset, asset_file, photo_file

_PAGE: Final = 500

_AT_A_PLACE: Final = (
    select(asset_file.c.id)
    .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
    .where(asset_file.c.asset_id == asset.c.id, *ORIGINALS)
    .correlate(asset)
    .exists()
)


class FacesAndFiles(NamedTuple):
    """So many faces, in so many files."""

    faces: int
    files: int


class ConfirmedFace(NamedTuple):
    """A face that people confirmed to be of a person, with what is to be compared of it."""

    face_id: int
    person_id: int
    embedding_kind: str
    embedding: bytes
    side_px: int
    score: float


def count_to_match(conn: Connection, settings_digest: str, *, again: bool) -> FacesAndFiles:
    """How many faces `faces_to_match` has, in all folders together."""
    query = (
        select(func.count(), func.count(face_scan.c.asset_id.distinct()))
        .select_from(face)
        .join(face_scan, face_scan.c.id == face.c.scan_id)
        .join(asset, asset.c.id == face_scan.c.asset_id)
        .where(face_scan.c.current == CURRENT, _AT_A_PLACE, to_match(settings_digest, again=again))
    )
    return FacesAndFiles(*conn.execute(query).one())


def count_to_scan(conn: Connection, key: str) -> int:
    """How many files no scan of this `key` looked at, each content once."""
    missing = or_(face_scan.c.id.is_(None), face_scan.c.key.is_(None), face_scan.c.key != key)
    scanned = (face_scan.c.asset_id == asset.c.id) & (face_scan.c.current == CURRENT)
    query = (
        select(func.count())
        .select_from(asset)
        .outerjoin(face_scan, scanned)
        .where(_AT_A_PLACE, missing)
    )
    return int(conn.execute(query).scalar_one())


def faces_of_assets(conn: Connection, assets: Collection[int]) -> dict[int, list[KnownFace]]:
    """All faces of these assets, also detached ones, those of newer scans first."""
    found: dict[int, list[KnownFace]] = {}
    for chunk in chunked(assets):
        query = (
            select(
                face_scan.c.asset_id,
                face.c.id,
                face.c.box_left,
                face.c.box_top,
                face.c.box_width,
                face.c.box_height,
            )
            .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
            .where(face_scan.c.asset_id.in_(chunk))
            .order_by(face_scan.c.asset_id, face.c.scan_id.desc(), face.c.id)
        )
        for asset_id, face_id, *box in conn.execute(query):
            found.setdefault(asset_id, []).append(KnownFace(face_id, FaceBox(*box)))
    return found


def count_confirmed(conn: Connection, persons: Collection[int] | None = None) -> int:
    """How many faces `confirmed_faces` has."""
    query = select(func.count()).select_from(face_person).where(*_confirmed(persons))
    return int(conn.execute(query).scalar_one())


def confirmed_faces(
    conn: Connection, persons: Collection[int] | None = None, *, each: int = 1
) -> Iterator[ConfirmedFace]:
    """Faces that people confirmed, of these persons or all, by number: every `each`-th of them.

    Reference images are not among them, as they lie at no distance from themselves. They are read
    some at a time.
    """
    query = (
        select(
            face.c.id,
            face_person.c.person_id,
            face.c.embedding_kind,
            face.c.embedding,
            face.c.side_px,
            face.c.score,
        )
        .join_from(face_person, face, face.c.id == face_person.c.face_id)
        .where(*_confirmed(persons), face.c.id % each == 0)
        .order_by(face.c.id)
        .limit(_PAGE)
    )
    after = 0
    while True:
        rows = conn.execute(query.where(face.c.id > after)).all()
        for row in rows:
            yield ConfirmedFace(row[0], row[1], row[2], bytes(row[3]), row[4], row[5])
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _confirmed(persons: Collection[int] | None) -> tuple[ColumnElement[bool], ...]:
    is_reference = (
        select(reference_image.c.id)
        .where(
            reference_image.c.face_id == face_person.c.face_id,
            reference_image.c.removed_at.is_(None),
        )
        .exists()
    )
    wanted = (face_person.c.state == FaceState.CONFIRMED, ~is_reference)
    return wanted if persons is None else (*wanted, face_person.c.person_id.in_(persons))


def reference_faces(conn: Connection, faces: Collection[int]) -> set[int]:
    """Which of these faces are reference images."""
    found: set[int] = set()
    for chunk in chunked(faces):
        query = select(reference_image.c.face_id).where(
            reference_image.c.face_id.in_(chunk), reference_image.c.removed_at.is_(None)
        )
        found |= set(conn.scalars(query))
    return found
