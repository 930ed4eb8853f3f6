"""What people say of persons and faces, and what they have done about them; workers do the rest.

A face that a scan dropped meanwhile hinders no decision about the others. Each change answers with
the number of its event in the ledger, by which it is told of and undone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.console.parts import Console
from lading.console.readers.people_told import can_undo, event_of
from lading.ledger.people_events import FacesDecided
from lading.ledger.tables import ledger_head
from lading.library import people
from lading.library.face_lists import faces_by_id, passed_over
from lading.library.passed_over import look_again, pass_over_faces
from lading.library.people_queries import reference_images
from lading.library.people_values import Person, Said
from lading.people.jobs import Lined
from lading.people.references import take_picture


class FaceDecision(StrEnum):
    """What can be said of faces; the first three are about a person."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    PASS_OVER = "pass_over"  # noqa: S105 - no password
    LOOK_AGAIN = "look_again"


PICTURE_BYTES_MAX: Final = 32_000_000
_LOOKING: Final = threading.Lock()
ABOUT_A_PERSON: Final = (FaceDecision.CONFIRM, FaceDecision.REFUSE, FaceDecision.WITHDRAW)


class BadFaceDecision(RequestError):
    """What is said of faces makes no sense: no face, no person, or no such decision."""

    code = "bad_face_decision"
    next_step = "Tick some faces, say whose they are, and decide again."


class NothingToUndo(RequestError):
    """An event of the ledger is no decision about faces, or took one back itself."""

    code = "nothing_to_undo"
    http_status = 409
    next_step = "Open the person and correct the faces there."


class PictureTooLarge(RequestError):
    """A picture that was given has more bytes than a console takes."""

    code = "picture_too_large"
    http_status = 413
    next_step = "Scale it down, or give it by `lading people reference --file`."


class FacesBusy(RequestError):
    """Faces are being looked for in another picture that somebody gave."""

    code = "faces_busy"
    http_status = 503
    next_step = "Give it again in some seconds."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGiven:
    """The reference image that was made; None with several faces, of which one is to be chosen."""

    faces: Sequence[int]
    reference: int | None = None
    event: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesChanged:
    """The faces of which something new was said, those that are not there any more, the event.

    `event` is 0 where nothing was news.
    """

    decision: str
    person: Person | None
    faces: Sequence[int]
    gone: Sequence[int]
    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDone:
    """A person as they are now, and the event that says what was changed; 0 for nothing."""

    person: Person
    event: int


def add(console: Console, caller: Caller, name: str) -> PersonDone:
    """Add somebody to look for. Raises `PersonNameRefused`."""
    return _of_person(
        console,
        caller,
        lambda conn: (people.add_person(conn, name.strip(), actor=caller.actor), True),
    )


def rename(
    console: Console,
    caller: Caller,
    person_id: int,
    name: str,
    *,
    check: Callable[[Person], None] = lambda _person: None,
) -> PersonDone:
    """Give somebody another name. Raises `UnknownPerson`, `PersonNameRefused`."""

    def work(conn: Connection) -> tuple[Person, bool]:
        whom = people.require_person(conn, person_id)
        check(whom)
        renamed = people.rename_person(conn, whom, name.strip(), actor=caller.actor)
        return renamed, renamed != whom

    return _of_person(console, caller, work)


def merge(console: Console, caller: Caller, person_id: int, into: int) -> PersonDone:
    """Say that one person is another. Raises `UnknownPerson`, `PersonsNotMerged`."""

    def work(conn: Connection) -> tuple[Person, bool]:
        whom, other = (people.require_person(conn, each) for each in (person_id, into))
        return people.merge_persons(conn, whom, other, actor=caller.actor), True

    return _of_person(console, caller, work)


def unmerge(console: Console, caller: Caller, person_id: int) -> PersonDone:
    """Make somebody a person of their own again. Raises `UnknownPerson`, `PersonsNotMerged`."""

    def work(conn: Connection) -> tuple[Person, bool]:
        whom = people.require_person(conn, person_id)
        return people.unmerge_person(conn, whom, actor=caller.actor), True

    return _of_person(console, caller, work)


def decide(
    console: Console,
    caller: Caller,
    decision: str,
    faces: Collection[int],
    *,
    person_id: int | None = None,
    person_name: str | None = None,
    new_person: bool = False,
) -> FacesChanged:
    """Say something of faces: of a person by number or name, who is added with `new_person`.

    Raises `BadFaceDecision`, `UnknownPerson`, `PersonNameRefused`, and `RequestError` for too many.
    """
    caller.require(Permission.OPERATE)
    if decision not in set(FaceDecision):
        raise BadFaceDecision(
            "there is no such decision", subject=decision[:50], expected=", ".join(FaceDecision)
        )
    if not faces:
        raise BadFaceDecision("no face is named", subject="faces", expected="one at least")

    def work(conn: Connection) -> FacesChanged:
        whom = None
        if decision in ABOUT_A_PERSON:
            whom = _whom(conn, caller, person_id, person_name, new_person=new_person)
        there = faces_by_id(conn, faces)
        changed = _said(conn, FaceDecision(decision), whom, sorted(there), caller.actor)
        return FacesChanged(
            decision=decision,
            person=whom,
            faces=changed,
            gone=sorted(set(faces) - there.keys()),
            event=_event(conn) if changed else 0,
        )

    return console.lading.db.run(work)


def undo(console: Console, caller: Caller, seq: int) -> FacesChanged:
    """Take back what an event of the ledger says was decided about faces.

    Faces that were confirmed to be somebody else's before are so again; what was suggested is
    suggested again, if the engine would still go by it. Of which faces something else was said
    since, that stands. Raises `NothingToUndo`.
    """
    caller.require(Permission.OPERATE)

    def work(conn: Connection) -> FacesChanged:
        event = event_of(conn, seq)
        if event is None or not can_undo(event):
            raise NothingToUndo("this cannot be undone", subject=f"event {seq}")
        said = event.payload
        there = faces_by_id(conn, said["faces"])
        whom = None
        if event.kind == FacesDecided.kind:
            whom = _meant(conn, people.require_person(conn, int(said["person"])))
            changed = people.withdraw_decisions(
                conn,
                whom,
                sorted(there),
                actor=caller.actor,
                suggest_again=True,
                only=Said(str(said["decision"]), event.actor, event.at),
            )
            _give_back(conn, said.get("before") or {}, set(changed), caller.actor)
        else:
            marked = passed_over(conn, there)
            then = [each for each, by in marked.items() if by.at <= event.at]
            changed = look_again(conn, then, actor=caller.actor)
        return FacesChanged(
            decision=FaceDecision.WITHDRAW if whom else FaceDecision.LOOK_AGAIN,
            person=whom,
            faces=changed,
            gone=sorted(set(said["faces"]) - there.keys()),
            event=_event(conn) if changed else 0,
        )

    return console.lading.db.run(work)


def use_as_reference(console: Console, caller: Caller, person_id: int, face: int) -> ReferenceGiven:
    """Recognise somebody by a face.

    Raises `UnknownPerson`, `UnknownFace`, `FaceIsReference`.
    """
    caller.require(Permission.OPERATE)
    return console.lading.db.run(lambda conn: _use(conn, caller, person_id, face))


def give_picture(
    console: Console,
    caller: Caller,
    person_id: int,
    name: str,
    data: bytes,
    *,
    dry_run: bool = False,
) -> ReferenceGiven:
    """Look for faces in a picture that somebody has.

    A single one is a reference image of the person at once; of several, one is to be chosen.
    One picture is looked at a time. Raises `UnknownPerson`, `PictureTooLarge`, `FacesBusy`, and as
    `take_picture` does.
    """
    caller.require(Permission.OPERATE)
    if len(data) > PICTURE_BYTES_MAX:
        raise PictureTooLarge(
            "the picture is too large", subject=name[:200], expected=f"{PICTURE_BYTES_MAX:,} bytes"
        )
    with console.lading.db.read() as conn:
        people.require_person(conn, person_id)

    def work(conn: Connection, faces: list[int]) -> ReferenceGiven:
        if len(faces) > 1:
            return ReferenceGiven(faces=faces)
        return _use(conn, caller, person_id, faces[0])

    # Each takes a process with models of its own, and a thread that waits for it.
    if not _LOOKING.acquire(blocking=False):
        raise FacesBusy("another picture is being looked at", subject=name[:200])
    try:
        return take_picture(console.lading.people, name, data, work, dry_run=dry_run)
    finally:
        _LOOKING.release()


def drop_reference(console: Console, caller: Caller, person_id: int, reference: int) -> int:
    """Recognise somebody by an image no more; the number of the event.

    Raises `UnknownPerson`, `UnknownReference`.
    """
    caller.require(Permission.OPERATE)

    def work(conn: Connection) -> int:
        whom = people.require_person(conn, person_id)
        if reference not in {each.id for each in reference_images(conn, whom.id)}:
            raise people.UnknownReference(
                "this person has no such reference image", subject=f"reference {reference}"
            )
        people.remove_reference(conn, reference, actor=caller.actor)
        return _event(conn)

    return console.lading.db.run(work)


def scan(
    console: Console,
    caller: Caller,
    source: str | None = None,
    folder: str | None = None,
    *,
    everything: bool = False,
) -> Lined:
    """Have faces looked for where they were not. Raises `NotPhotos`, `MissingExtra`."""
    caller.require(Permission.OPERATE)
    lined = console.lading.people.scan(
        source, folder=folder, everything=everything, actor=caller.actor
    )
    console.faces_waiting.forget()
    return lined


def match(
    console: Console,
    caller: Caller,
    source: str | None = None,
    folder: str | None = None,
    *,
    person_id: int | None = None,
) -> Lined:
    """Have unidentified faces matched, for everybody or one person.

    Raises `NotPhotos`, `UnknownPerson`.
    """
    caller.require(Permission.OPERATE)
    persons = None
    if person_id is not None:
        with console.lading.db.read() as conn:
            persons = [_meant(conn, people.require_person(conn, person_id))]
    lined = console.lading.people.match(source, folder=folder, persons=persons, actor=caller.actor)
    console.faces_waiting.forget()
    return lined


def _of_person(
    console: Console, caller: Caller, change: Callable[[Connection], tuple[Person, bool]]
) -> PersonDone:
    caller.require(Permission.OPERATE)

    def work(conn: Connection) -> PersonDone:
        done, changed = change(conn)
        return PersonDone(person=done, event=_event(conn) if changed else 0)

    return console.lading.db.run(work)


def _whom(
    conn: Connection,
    caller: Caller,
    person_id: int | None,
    name: str | None,
    *,
    new_person: bool,
) -> Person:
    if person_id is not None:
        return _meant(conn, people.require_person(conn, person_id))
    wanted = (name or "").strip()
    if not wanted:
        raise BadFaceDecision("it is not said whose faces they are", subject="person")
    if new_person and wanted not in {each.name for each in people.all_persons(conn).values()}:
        return people.add_person(conn, wanted, actor=caller.actor)
    return people.person_meant(conn, wanted)


def _use(conn: Connection, caller: Caller, person_id: int, face: int) -> ReferenceGiven:
    whom = _meant(conn, people.require_person(conn, person_id))
    made = people.add_reference(conn, whom, face, actor=caller.actor)
    return ReferenceGiven(faces=[face], reference=made, event=_event(conn))


def _meant(conn: Connection, whom: Person) -> Person:
    """Whom a person turned out to be."""
    if whom.merged_into is None:
        return whom
    persons = people.all_persons(conn)
    return persons[people.root_of(persons, whom.id)]


def _said(
    conn: Connection,
    decision: FaceDecision,
    whom: Person | None,
    faces: Sequence[int],
    actor: str,
) -> list[int]:
    if whom is None:
        act = pass_over_faces if decision is FaceDecision.PASS_OVER else look_again
        return act(conn, faces, actor=actor)
    if decision is FaceDecision.CONFIRM:
        return people.confirm_faces(conn, whom, faces, actor=actor)
    if decision is FaceDecision.REFUSE:
        return people.refuse_faces(conn, whom, faces, actor=actor)
    return people.withdraw_decisions(conn, whom, faces, actor=actor)


def _give_back(
    conn: Connection, before: dict[str, int], faces: Collection[int], actor: str
) -> None:
    """Confirm faces to be those persons' again whose they were."""
    of: dict[int, list[int]] = {}
    for face_id, person_id in before.items():
        if int(face_id) in faces:
            of.setdefault(int(person_id), []).append(int(face_id))
    for person_id, several in of.items():
        whom = _meant(conn, people.require_person(conn, person_id))
        people.confirm_faces(conn, whom, several, actor=actor)


def _event(conn: Connection) -> int:
    """The last event that this transaction appended; who appends holds the ledger until the end."""
    return int(conn.scalar(select(ledger_head.c.seq)) or 0)
