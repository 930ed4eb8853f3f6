"""Writes faces: what scans found, whom the engine takes them for, and what is to be done anew.

A face found again at the same place keeps its row, and with it all that people decided about it.
One that is not found again stays when somebody decided about it, also to pass it over, or it is a
reference; otherwise it goes (C7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, update

from lading.base.errors import InternalError
from lading.library.people_tables import (
    BY_ENGINE,
    FaceState,
    face,
    face_person,
    face_scan,
    reference_image,
)
from lading.library.people_values import FaceBox, FaceFacts, KnownFace, ScanFacts, Suggestion
from lading.library.photo_queries import in_folder
from lading.library.statements import chunked, insert_missing, insert_one, moment
from lading.library.tables import asset, asset_file, photo_file

CURRENT: Final = 1

_PLACES: Final = select(
    face.c.id, face.c.box_left, face.c.box_top, face.c.box_width, face.c.box_height
)
_SCAN_FIELDS: Final = tuple(one.name for one in fields(ScanFacts) if one.name != "faces")


def known_faces(conn: Connection, asset_id: int) -> list[KnownFace]:
    """All faces of an asset that a scan may find again: newest first, detached ones too.

    Locks the asset, so that two scans of it come one after the other, and the faces, so that
    nobody decides about one while it is written.
    """
    conn.execute(
        select(asset.c.id).where(asset.c.id == asset_id).with_for_update(key_share=True)
    ).one()
    scans = conn.scalars(select(face_scan.c.id).where(face_scan.c.asset_id == asset_id)).all()
    _lock(conn, face.c.scan_id.in_(scans))
    query = (
        _PLACES.join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .where(face_scan.c.asset_id == asset_id)
        .order_by(face.c.scan_id.desc(), face.c.id)
    )
    return [KnownFace(row[0], FaceBox(*row[1:])) for row in conn.execute(query)]


def save_scan(
    conn: Connection, asset_id: int, found: ScanFacts, same: Mapping[int, int]
) -> list[int]:
    """Make a scan the newest of its asset; the ids of its faces, in order.

    `same` says, by the number of a face in `found`, which face of `known_faces` it is. A scan that
    failed leaves the faces of the one before it.
    """
    at = moment(conn)
    before = conn.execute(
        select(face_scan.c.id).where(
            face_scan.c.asset_id == asset_id, face_scan.c.current == CURRENT
        )
    ).scalar()
    if found.error is not None and before is not None:
        conn.execute(
            update(face_scan)
            .where(face_scan.c.id == before)
            .values(key=found.key, error=found.error, error_text=found.error_text, scanned_at=at)
        )
        return []
    if before is not None:
        conn.execute(update(face_scan).where(face_scan.c.id == before).values(current=None))
    scan_id = _insert_scan(conn, found, at, asset_id=asset_id, current=CURRENT)
    _forget_suggestions(conn, _faces_of(asset_id))
    ids = [
        _save_face(conn, scan_id, facts, same.get(number))
        for number, facts in enumerate(found.faces)
    ]
    _drop_unwanted(conn, asset_id, scan_id)
    return ids


def save_given(conn: Connection, name: str, sha256: str, found: ScanFacts) -> list[int]:
    """Keep the faces of a file that was given, which is in the store; their ids, in order.

    The same file given again has the same faces.
    """
    scans = select(face_scan.c.id).where(
        face_scan.c.asset_id.is_(None), face_scan.c.sha256 == sha256, face_scan.c.key == found.key
    )
    for scan_id in conn.scalars(scans.order_by(face_scan.c.id)).all():
        known = conn.execute(_PLACES.where(face.c.scan_id == scan_id).order_by(face.c.id)).all()
        if [FaceBox(*row[1:]) for row in known] == [facts.box for facts in found.faces]:
            return [row.id for row in known]
    scan_id = _insert_scan(conn, found, moment(conn), name=name, sha256=sha256)
    return [_save_face(conn, scan_id, facts, None) for facts in found.faces]


def save_given_again(
    conn: Connection, scan_id: int, found: ScanFacts, same: Mapping[int, int]
) -> None:
    """Measure the faces of a file that was given anew; those not found again stay as they were.

    `same` is as for `save_scan`. Of a scan that failed only the error is kept.
    """
    fresh = ("key", "error", "error_text") if found.error is not None else _SCAN_FIELDS
    values = {name: getattr(found, name) for name in fresh}
    conn.execute(
        update(face_scan).where(face_scan.c.id == scan_id).values(**values, scanned_at=moment(conn))
    )
    for number, face_id in same.items():
        _save_face(conn, scan_id, found.faces[number], face_id)


def save_suggestions(
    conn: Connection,
    compared: Collection[int],
    suggestions: Iterable[Suggestion],
    persons: Collection[int],
) -> int:
    """Write which faces the engine takes for somebody's, of those that were `compared`; how many.

    `persons` are all that somebody's numbers, of merged ones too. Earlier suggestions give way;
    faces that people confirmed or that were scanned anew meanwhile are left alone, and so are
    persons that people refused.
    """
    at = moment(conn)
    wanted = {one.face_id: one for one in suggestions}
    for chunk in chunked(sorted({*wanted, *compared})):
        _lock(conn, face.c.id.in_(chunk))
    refused = _refused(conn, wanted, persons)
    free = {
        face_id
        for face_id, scan_id in _unconfirmed(conn, wanted).items()
        if wanted[face_id].scan_id == scan_id
    }
    for chunk in chunked(compared):
        others = face_person.c.face_id.in_([one for one in chunk if one in free])
        conn.execute(
            delete(face_person).where(
                face_person.c.state == FaceState.SUGGESTED,
                others | (face_person.c.face_id.in_(chunk) & face_person.c.person_id.in_(persons)),
            )
        )
    rows = [
        {
            "face_id": one.face_id,
            "person_id": one.person_id,
            "state": FaceState.SUGGESTED.value,
            "scan_id": one.scan_id,
            "reference_id": one.reference_id,
            "distance": one.distance,
            "margin": one.margin,
            "rule": one.rule,
            "settings_digest": one.settings_digest,
            "decided_by": BY_ENGINE,
            "decided_at": at,
        }
        for one in wanted.values()
        if one.face_id in free and one.face_id not in refused
    ]
    insert_missing(conn, face_person, rows)
    return len(rows)


def reset_faces(conn: Connection, source: str | None = None, digest: str | None = None) -> int:
    """Forget what the engine said of whose faces they are; how many faces are unidentified again.

    What people decided stays. All of the library, or of a source, or of a folder of it.
    """
    return _forget_suggestions(conn, _chosen(source, digest, of=face.c.id))


def ask_for_scans(conn: Connection, source: str | None = None, digest: str | None = None) -> int:
    """Have faces looked for anew in files that were scanned already; in how many."""
    chosen = _chosen(source, digest, of=face_scan.c.id)
    return conn.execute(
        update(face_scan)
        .where(
            # MariaDB does not read from a table that it changes, but through one of its own.
            face_scan.c.id.in_(select(chosen.subquery().c.id)),
            face_scan.c.key.is_not(None),
        )
        .values(key=None)
    ).rowcount


def _chosen(source: str | None, digest: str | None, *, of: ColumnElement[int]) -> Select[Any]:
    """The ids of current scans, or of their faces, in the library or a part of it."""
    query = select(of.label("id")).where(face_scan.c.current == CURRENT)
    if of is face.c.id:
        query = query.join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
    if source is None:
        return query
    places = (
        select(asset_file.c.asset_id)
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .where(photo_file.c.source == source, asset_file.c.deleted_at.is_(None))
    )
    if digest is not None:
        places = places.where(in_folder(digest))
    return query.where(face_scan.c.asset_id.in_(places))


def _faces_of(asset_id: int) -> Select[Any]:
    return (
        select(face.c.id)
        .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .where(face_scan.c.asset_id == asset_id)
    )


def _forget_suggestions(conn: Connection, faces: Select[Any]) -> int:
    return conn.execute(
        delete(face_person).where(
            face_person.c.state == FaceState.SUGGESTED, face_person.c.face_id.in_(faces)
        )
    ).rowcount


def _insert_scan(conn: Connection, found: ScanFacts, at: datetime, **subject: Any) -> int:
    row = {name: getattr(found, name) for name in _SCAN_FIELDS}
    scan_id = insert_one(conn, face_scan, {**row, **subject, "scanned_at": at})
    if scan_id is None:
        raise InternalError("an asset has two newest scans", subject=str(subject))
    return scan_id


def _save_face(conn: Connection, scan_id: int, facts: FaceFacts, known: int | None) -> int:
    left, top, width, height = facts.box
    values = {
        "scan_id": scan_id,
        "box_left": left,
        "box_top": top,
        "box_width": width,
        "box_height": height,
        "score": facts.score,
        "side_px": facts.side_px,
        "sharpness": facts.sharpness,
        "roll_degrees": facts.roll_degrees,
        "turn": facts.turn,
        "embedding_kind": facts.embedding_kind,
        "embedding": facts.embedding,
    }
    if known is not None:
        conn.execute(update(face).where(face.c.id == known).values(**values))
        return known
    face_id = conn.execute(insert(face).values(**values)).inserted_primary_key
    if face_id is None:
        raise InternalError("a face was written and has no number")
    return int(face_id[0])


def _drop_unwanted(conn: Connection, asset_id: int, scan_id: int) -> None:
    """Delete faces of earlier scans that nobody decided about, and the scans left without any."""
    earlier = face_scan.c.asset_id == asset_id, face_scan.c.id != scan_id
    faces = (
        select(face.c.id)
        .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .where(*earlier, face.c.passed_over_at.is_(None))
        .where(~select(face_person.c.face_id).where(face_person.c.face_id == face.c.id).exists())
        .where(~select(reference_image.c.id).where(reference_image.c.face_id == face.c.id).exists())
    )
    for chunk in chunked(list(conn.scalars(faces))):
        conn.execute(delete(face).where(face.c.id.in_(chunk)))
    scans = (
        select(face_scan.c.id)
        .where(*earlier)
        .where(~select(face.c.id).where(face.c.scan_id == face_scan.c.id).exists())
        .where(
            ~select(face_person.c.face_id).where(face_person.c.scan_id == face_scan.c.id).exists()
        )
    )
    for chunk in chunked(list(conn.scalars(scans))):
        conn.execute(delete(face_scan).where(face_scan.c.id.in_(chunk)))


def _lock(conn: Connection, which: ColumnElement[bool]) -> None:
    """Let nobody else decide about these faces, or write what the engine says of them."""
    query = select(face.c.id).where(which).order_by(face.c.id)
    conn.execute(query.with_for_update(key_share=True)).all()


def _refused(conn: Connection, faces: Iterable[int], persons: Collection[int]) -> set[int]:
    """Those of `faces` of which people said that they are not this person's."""
    found: set[int] = set()
    for chunk in chunked(faces):
        query = select(face_person.c.face_id).where(
            face_person.c.face_id.in_(chunk),
            face_person.c.person_id.in_(persons),
            face_person.c.state == FaceState.REFUSED,
        )
        found |= set(conn.scalars(query))
    return found


def _unconfirmed(conn: Connection, faces: Iterable[int]) -> dict[int, int]:
    """Those of `faces` that are there, and neither confirmed nor passed over; with their scans."""
    found: dict[int, int] = {}
    confirmed = (
        select(face_person.c.face_id)
        .where(face_person.c.face_id == face.c.id, face_person.c.state == FaceState.CONFIRMED)
        .exists()
    )
    for chunk in chunked(faces):
        rows = conn.execute(
            select(face.c.id, face.c.scan_id).where(
                face.c.id.in_(chunk), face.c.passed_over_at.is_(None), ~confirmed
            )
        )
        found.update((row.id, row.scan_id) for row in rows)
    return found
