"""Faces that people passed over: of nobody who is looked for, or no faces at all.

They wait for no name, are matched to nobody, and outlive scans as everything does that people said.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, select, update

from lading.ledger.chain import Entry, append_all
from lading.ledger.people_events import FacesPassedOver
from lading.library.people import NAME_CHARS_MAX, said_of_faces
from lading.library.people_tables import FaceState, face, face_person
from lading.library.statements import chunked, moment


def pass_over_faces(conn: Connection, faces: Collection[int], *, actor: str) -> list[int]:
    """Say that faces are nobody's who is looked for; those of which that is news.

    What the engine suggested of them is forgotten. Faces that are confirmed to be somebody's are
    left alone. Raises `UnknownFace`, `RequestError` for too many.
    """
    said = said_of_faces(conn, faces)
    confirmed = {
        face_id
        for face_id, rows in said.items()
        if any(row.state == FaceState.CONFIRMED for row in rows)
    }
    marked = _passed_over(conn, said)
    changed = [each for each in said if each not in confirmed and each not in marked]
    values = {"passed_over_by": actor[:NAME_CHARS_MAX], "passed_over_at": moment(conn)}
    for chunk in chunked(changed):
        conn.execute(update(face).where(face.c.id.in_(chunk)).values(**values))
        conn.execute(
            delete(face_person).where(
                face_person.c.face_id.in_(chunk), face_person.c.state == FaceState.SUGGESTED
            )
        )
    _record(conn, changed, actor, again=False)
    return changed


def look_again(conn: Connection, faces: Collection[int], *, actor: str) -> list[int]:
    """Take back that faces were passed over; those that were.

    Raises `UnknownFace`, `RequestError` for too many.
    """
    said = said_of_faces(conn, faces)
    marked = _passed_over(conn, said)
    changed = [each for each in said if each in marked]
    for chunk in chunked(changed):
        values = {"passed_over_by": None, "passed_over_at": None}
        conn.execute(update(face).where(face.c.id.in_(chunk)).values(**values))
    _record(conn, changed, actor, again=True)
    return changed


def _passed_over(conn: Connection, faces: Collection[int]) -> set[int]:
    found: set[int] = set()
    for chunk in chunked(faces):
        query = select(face.c.id).where(face.c.id.in_(chunk), face.c.passed_over_at.is_not(None))
        found |= set(conn.scalars(query))
    return found


def _record(conn: Connection, faces: Sequence[int], actor: str, *, again: bool) -> None:
    if faces:
        append_all(conn, [Entry(FacesPassedOver(faces=list(faces), again=again), actor)])
