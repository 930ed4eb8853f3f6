"""Persons, their reference images, and what people say of faces.

Merging two persons moves no row: one points to the other, and is itself again when that is undone.
So what is said of a person is what is said of everybody who was merged into them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from lading.base.errors import RequestError
from lading.ledger.chain import Entry, append_all
from lading.ledger.people_events import FacesDecided, PersonChange, PersonChanged
from lading.library.people_tables import (
    BY_ENGINE,
    FaceState,
    face,
    face_person,
    face_scan,
    person,
    reference_image,
)
from lading.library.people_values import Person, Said
from lading.library.statements import chunked, insert_one, moment

NAME_CHARS_MAX: Final = 190
FACES_AT_ONCE_MAX: Final = 1_000
WITHDRAWN: Final = "withdrawn"
_PERSONS: Final = select(person.c.id, person.c.name, person.c.merged_into, person.c.created_at)


class UnknownPerson(RequestError):
    """There is no person of that name or number."""

    code = "unknown_person"
    http_status = 404
    next_step = "`lading people list` shows who there is; `lading people add` adds somebody."


class UnknownFace(RequestError):
    """There is no face of that number; a scan that did not find it again may have dropped it."""

    code = "unknown_face"
    http_status = 404
    next_step = "Look at the faces of the picture again; `lading people unidentified` lists some."


class UnknownReference(RequestError):
    """There is no reference image of that number."""

    code = "unknown_reference_image"
    http_status = 404
    next_step = "`lading people show` lists the reference images of a person."


class PersonNameRefused(RequestError):
    """A name is empty, too long, has characters that cannot be shown, or is somebody else's."""

    code = "person_name_refused"
    http_status = 409
    next_step = "Choose another name; two people of one name need something that tells them apart."


class PersonsNotMerged(RequestError):
    """Two persons cannot be merged, or are not."""

    code = "persons_not_merged"
    http_status = 409
    next_step = "`lading people show` says whom a person was merged into, and who into them."


class FaceIsReference(RequestError):
    """A face by which somebody is recognised is said to be another's, or not theirs."""

    code = "face_is_reference"
    http_status = 409
    next_step = "Remove it from that person's reference images first, or merge the two people."


def all_persons(conn: Connection) -> dict[int, Person]:
    """Everybody by number, merged ones too."""
    return {row.id: Person(*row) for row in conn.execute(_PERSONS)}


def root_of(persons: Mapping[int, Person], person_id: int) -> int:
    """The person that this one turned out to be; itself if it was not merged."""
    while (into := persons[person_id].merged_into) is not None:
        person_id = into
    return person_id


def group_of(persons: Mapping[int, Person], person_id: int) -> set[int]:
    """A person and everybody who was merged into them, directly or not."""
    return {each for each in persons if root_of(persons, each) == root_of(persons, person_id)}


def find_person(conn: Connection, name: str) -> Person:
    """Somebody by name, or by number where nobody has that name. Raises `UnknownPerson`."""
    row = conn.execute(_PERSONS.where(person.c.name == name)).one_or_none()
    if row is None and name.isascii() and name.isdigit() and len(name) < 19:
        row = conn.execute(_PERSONS.where(person.c.id == int(name))).one_or_none()
    if row is None:
        raise UnknownPerson("there is no such person", subject=name)
    return Person(*row)


def require_person(conn: Connection, person_id: int) -> Person:
    """Somebody by number, also one who was merged. Raises `UnknownPerson`."""
    row = conn.execute(_PERSONS.where(person.c.id == person_id)).one_or_none()
    if row is None:
        raise UnknownPerson("there is no such person", subject=f"person {person_id}")
    return Person(*row)


def person_meant(conn: Connection, name: str) -> Person:
    """Whom a name means: somebody who was merged is who they were merged into."""
    found = find_person(conn, name)
    if found.merged_into is None:
        return found
    persons = all_persons(conn)
    return persons[root_of(persons, found.id)]


def add_person(conn: Connection, name: str, *, actor: str) -> Person:
    """Add somebody. Raises `PersonNameRefused`."""
    _check_name(name)
    at = moment(conn)
    person_id = insert_one(conn, person, {"name": name, "created_at": at, "updated_at": at})
    if person_id is None:
        raise PersonNameRefused("somebody has this name already", subject=name)
    added = Person(person_id, name, None, at)
    _record(conn, added, PersonChange.ADDED, actor)
    return added


def rename_person(conn: Connection, whom: Person, name: str, *, actor: str) -> Person:
    """Give somebody another name. Raises `PersonNameRefused`."""
    _check_name(name)
    if name == whom.name:
        return whom
    _lock_persons(conn)
    taken = conn.scalar(select(person.c.id).where(person.c.name == name))
    if taken is not None:
        raise PersonNameRefused("somebody has this name already", subject=name)
    _update(conn, whom.id, name=name)
    renamed = replace(whom, name=name)
    _record(conn, renamed, PersonChange.RENAMED, actor, before=whom.name)
    return renamed


def merge_persons(conn: Connection, whom: Person, into: Person, *, actor: str) -> Person:
    """Say that one person is another one; `unmerge_person` takes it back.

    Raises `PersonsNotMerged` when they are one already, or `whom` was merged before.
    """
    persons = _lock_persons(conn)
    target = persons[root_of(persons, into.id)]
    if persons[whom.id].merged_into is not None or target.id == whom.id:
        found = persons[root_of(persons, whom.id)].name
        raise PersonsNotMerged("they are one person already", subject=whom.name, found=found)
    _update(conn, whom.id, merged_into=target.id)
    merged = replace(whom, merged_into=target.id)
    _record(conn, merged, PersonChange.MERGED, actor, other=target.id)
    return merged


def unmerge_person(conn: Connection, whom: Person, *, actor: str) -> Person:
    """Make somebody a person of their own again, with all that was theirs before.

    Raises `PersonsNotMerged`.
    """
    into = _lock_persons(conn)[whom.id].merged_into
    if into is None:
        raise PersonsNotMerged("this person was not merged into another", subject=whom.name)
    _update(conn, whom.id, merged_into=None)
    again = replace(whom, merged_into=None)
    _record(conn, again, PersonChange.UNMERGED, actor, other=into)
    return again


def confirm_faces(
    conn: Connection, whom: Person, faces: Collection[int], *, actor: str
) -> list[int]:
    """Say that faces are a person's, and nobody else's; those of which that is news.

    What the engine went by is kept with it. One that was passed over is so no more. Raises
    `UnknownFace`, `FaceIsReference` for one by which somebody else is recognised, `RequestError`
    for too many.
    """
    group = group_of(all_persons(conn), whom.id)
    said = said_of_faces(conn, faces)
    _require_no_reference(conn, said, strangers_to=group)
    changed, before = [], {}
    for face_id, rows in said.items():
        own = [row for row in rows if row.person_id in group]
        others = [row for row in rows if row.person_id not in group]
        if any(row.state == FaceState.CONFIRMED for row in own):
            continue
        changed.append(face_id)
        for row in others:
            if row.state != FaceState.REFUSED:
                _take_back(conn, row)
            if row.state == FaceState.CONFIRMED:
                before[str(face_id)] = row.person_id
        _say(conn, face_id, _most_telling(own), whom.id, FaceState.CONFIRMED, actor=actor)
    for chunk in chunked(changed):
        passed_over = {"passed_over_by": None, "passed_over_at": None}
        conn.execute(update(face).where(face.c.id.in_(chunk)).values(**passed_over))
    _record_decided(conn, whom, FaceState.CONFIRMED, changed, actor=actor, before=before)
    return changed


def refuse_faces(
    conn: Connection, whom: Person, faces: Collection[int], *, actor: str
) -> list[int]:
    """Say that faces are not a person's; those of which that is news.

    Raises `UnknownFace`, `FaceIsReference` for one by which the person is recognised,
    `RequestError` for too many.
    """
    persons = all_persons(conn)
    group = group_of(persons, whom.id)
    said = said_of_faces(conn, faces)
    _require_no_reference(conn, said, strangers_to=persons.keys() - group)
    changed = []
    for face_id, rows in said.items():
        own = [row for row in rows if row.person_id in group]
        if own and all(row.state == FaceState.REFUSED for row in own):
            continue
        changed.append(face_id)
        for row in own:
            _say(conn, face_id, row, whom.id, FaceState.REFUSED, actor=actor)
        if not own:
            _say(conn, face_id, None, whom.id, FaceState.REFUSED, actor=actor)
    _record_decided(conn, whom, FaceState.REFUSED, changed, actor=actor)
    return changed


def withdraw_decisions(
    conn: Connection,
    whom: Person,
    faces: Collection[int],
    *,
    actor: str,
    suggest_again: bool = False,
    only: Said | None = None,
) -> list[int]:
    """Take back what people said of faces and a person; those of which something was said.

    With `suggest_again`, what they agreed to or refused is a suggestion again, if the engine would
    still go by it. With `only`, faces of which something else was said since are left alone.
    Raises `UnknownFace`, `RequestError` for too many.
    """
    group = group_of(all_persons(conn), whom.id)
    changed = []
    for face_id, rows in said_of_faces(conn, faces).items():
        own = [r for r in rows if r.person_id in group and r.state != FaceState.SUGGESTED]
        if only is not None and not all(_stands(row, only) for row in own):
            continue
        kept = suggest_again and len(own) == 1 and own == [r for r in rows if _is_open(r, group)]
        for row in own:
            if not (kept and _suggest_again(conn, row)):
                _take_back(conn, row)
        if own:
            changed.append(face_id)
    _record_decided(conn, whom, WITHDRAWN, changed, actor=actor)
    return changed


def add_reference(conn: Connection, whom: Person, face_id: int, *, actor: str) -> int:
    """Recognise a person by this face from now on; the number of the reference image.

    A face of a photo is thereby confirmed to be theirs. Raises `UnknownFace`, `FaceIsReference`.
    """
    group = group_of(all_persons(conn), whom.id)
    said_of_faces(conn, [face_id])
    _require_no_reference(conn, [face_id], strangers_to=group)
    live = reference_image.c.face_id == face_id, reference_image.c.removed_at.is_(None)
    if (own := conn.scalar(select(func.min(reference_image.c.id)).where(*live))) is not None:
        # Also that of somebody who was merged: two would count one image twice.
        if _is_of_asset(conn, face_id):
            confirm_faces(conn, whom, [face_id], actor=actor)
        return int(own)
    row = {
        "person_id": whom.id,
        "face_id": face_id,
        "created_by": actor[:NAME_CHARS_MAX],
        "created_at": moment(conn),
    }
    made = insert_one(conn, reference_image, row)
    if made is None:
        mine = reference_image.c.person_id == whom.id, reference_image.c.face_id == face_id
        conn.execute(update(reference_image).where(*mine).values(removed_at=None))
        made = int(conn.execute(select(reference_image.c.id).where(*mine)).scalar_one())
    if _is_of_asset(conn, face_id):
        confirm_faces(conn, whom, [face_id], actor=actor)
    _record(conn, whom, PersonChange.REFERENCE_ADDED, actor, reference=made, face=face_id)
    return made


def remove_reference(conn: Connection, reference_id: int, *, actor: str) -> None:
    """Recognise nobody by this image any more; what was suggested by it is taken back.

    What people confirmed stays, and names it. Raises `UnknownReference`.
    """
    row = conn.execute(
        select(reference_image).where(
            reference_image.c.id == reference_id, reference_image.c.removed_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        raise UnknownReference(
            "there is no such reference image", subject=f"reference {reference_id}"
        )
    conn.execute(
        update(reference_image)
        .where(reference_image.c.id == reference_id)
        .values(removed_at=moment(conn))
    )
    conn.execute(
        delete(face_person).where(
            face_person.c.reference_id == reference_id, face_person.c.state == FaceState.SUGGESTED
        )
    )
    whom = all_persons(conn)[row.person_id]
    _record(
        conn,
        whom,
        PersonChange.REFERENCE_REMOVED,
        actor,
        reference=reference_id,
        face=row.face_id,
    )


def _require_no_reference(
    conn: Connection, faces: Collection[int], *, strangers_to: Collection[int]
) -> None:
    """Raise `FaceIsReference` if anybody but these persons is recognised by one of the faces."""
    for chunk in chunked(faces):
        live = reference_image.c.face_id.in_(chunk), reference_image.c.removed_at.is_(None)
        query = select(reference_image.c.face_id, reference_image.c.person_id).where(*live)
        for face_id, person_id in conn.execute(query.order_by(reference_image.c.face_id)):
            if person_id not in strangers_to:
                raise FaceIsReference(
                    "somebody is recognised by this face",
                    subject=f"face {face_id}",
                    found=require_person(conn, person_id).name,
                )


def _check_name(name: str) -> None:
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable() or name != name.strip():
        raise PersonNameRefused(
            "this cannot be a name",
            subject=name,
            expected=f"1 to {NAME_CHARS_MAX} characters, none of them a control character",
        )


def _lock_persons(conn: Connection) -> dict[int, Person]:
    """Everybody, so that two merges at once cannot make a circle."""
    conn.execute(select(person.c.id).order_by(person.c.id).with_for_update()).all()
    return all_persons(conn)


def _update(conn: Connection, person_id: int, **values: Any) -> None:
    conn.execute(
        update(person).where(person.c.id == person_id).values(**values, updated_at=moment(conn))
    )


def said_of_faces(conn: Connection, faces: Collection[int]) -> dict[int, list[Row[Any]]]:
    """What is said of each face, which is locked until the end. Raises `UnknownFace`."""
    wanted = sorted(set(faces))
    if len(wanted) > FACES_AT_ONCE_MAX:
        raise RequestError(
            "these are too many faces at once",
            expected=f"at most {FACES_AT_ONCE_MAX}",
            found=len(wanted),
        )
    said: dict[int, list[Row[Any]]] = {}
    for chunk in chunked(wanted):
        there = select(face.c.id).where(face.c.id.in_(chunk)).order_by(face.c.id)
        said |= {face_id: [] for face_id in conn.scalars(there.with_for_update(key_share=True))}
        for row in conn.execute(select(face_person).where(face_person.c.face_id.in_(chunk))):
            said[row.face_id].append(row)
    if missing := [face_id for face_id in wanted if face_id not in said]:
        raise UnknownFace("there is no such face", subject=f"face {missing[0]}")
    return said


def _most_telling(rows: Iterable[Row[Any]]) -> Row[Any] | None:
    """The row that a confirmation is written into: the engine's, which says what it went by."""
    ordered = sorted(rows, key=lambda row: (row.state != FaceState.SUGGESTED, row.person_id))
    return ordered[0] if ordered else None


def _say(
    conn: Connection,
    face_id: int,
    row: Row[Any] | None,
    person_id: int,
    state: FaceState,
    *,
    actor: str,
) -> None:
    values = {
        "state": state.value,
        "decided_by": actor[:NAME_CHARS_MAX],
        "decided_at": moment(conn),
    }
    if row is not None:
        here = face_person.c.face_id == face_id, face_person.c.person_id == row.person_id
        if conn.execute(update(face_person).where(*here).values(**values)).rowcount:
            return
        # The engine took its suggestion back meanwhile; what people say stands without it.
    scan_id = select(face.c.scan_id).where(face.c.id == face_id).scalar_subquery()
    conn.execute(
        insert(face_person).values(face_id=face_id, person_id=person_id, scan_id=scan_id, **values)
    )


def _is_open(row: Row[Any], group: Collection[int]) -> bool:
    """Whether a row says whose a face is, or is about one of these persons."""
    return row.state != FaceState.REFUSED or row.person_id in group


def _stands(row: Row[Any], said: Said) -> bool:
    """Whether a row says just that, and nobody said it anew since."""
    mine = row.state == said.state and row.decided_by == said.by[:NAME_CHARS_MAX]
    return mine and bool(row.decided_at <= said.at)


def _suggest_again(conn: Connection, row: Row[Any]) -> bool:
    """Let a row be the engine's again; False where it knew nothing, or the face was measured anew
    or the reference image removed since.
    """
    scan_id = select(face.c.scan_id).where(face.c.id == row.face_id).scalar_subquery()
    live = select(reference_image.c.id).where(reference_image.c.removed_at.is_(None))
    done = conn.execute(
        update(face_person)
        .where(
            face_person.c.face_id == row.face_id,
            face_person.c.person_id == row.person_id,
            face_person.c.scan_id == scan_id,
            face_person.c.reference_id.in_(live),
            face_person.c.distance.is_not(None),
        )
        .values(state=FaceState.SUGGESTED.value, decided_by=BY_ENGINE, decided_at=moment(conn))
    )
    return done.rowcount > 0


def _take_back(conn: Connection, row: Row[Any]) -> None:
    conn.execute(
        delete(face_person).where(
            face_person.c.face_id == row.face_id, face_person.c.person_id == row.person_id
        )
    )


def _is_of_asset(conn: Connection, face_id: int) -> bool:
    query = (
        select(face_scan.c.asset_id)
        .join_from(face_scan, face, face.c.scan_id == face_scan.c.id)
        .where(face.c.id == face_id)
    )
    return conn.scalar(query) is not None


def _record(conn: Connection, whom: Person, change: PersonChange, actor: str, **facts: Any) -> None:
    event = PersonChanged(person=whom.id, name=whom.name, change=change.value, **facts)
    append_all(conn, [Entry(event, actor)])


def _record_decided(
    conn: Connection,
    whom: Person,
    decision: str,
    faces: Sequence[int],
    *,
    actor: str,
    before: dict[str, int] | None = None,
) -> None:
    if not faces:
        return
    event = FacesDecided(
        person=whom.id,
        name=whom.name,
        decision=str(decision),
        faces=list(faces),
        before=before or None,
    )
    append_all(conn, [Entry(event, actor)])
