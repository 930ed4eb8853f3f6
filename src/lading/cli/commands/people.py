"""`lading people`: who is in photos, and by which faces they are recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final, TypeVar

import click
from sqlalchemy import Connection

from lading.bootstrap import open_lading
from lading.cli import output
from lading.cli.granting import DRY_RUN, LIMIT, change
from lading.cli.people_lab import (
    adopt,
    judge_run,
    list_settings,
    revert,
    tell,
    try_settings,
)
from lading.cli.session import Session, with_session
from lading.db import rehearsal
from lading.library.face_lists import locations
from lading.library.passed_over import look_again, pass_over_faces
from lading.library.people import (
    add_person,
    add_reference,
    confirm_faces,
    find_person,
    merge_persons,
    person_meant,
    refuse_faces,
    remove_reference,
    rename_person,
    unmerge_person,
    withdraw_decisions,
)
from lading.library.people_queries import (
    faces_of_person,
    list_persons,
    merged_into,
    reference_images,
    unidentified_faces,
)
from lading.library.people_tables import FaceState
from lading.library.people_values import Person, StoredFace
from lading.people.people import People
from lading.people.references import add_reference_file, advice_on, weakest_reference

T = TypeVar("T")

PERSON: Final = click.argument("name", metavar="PERSON")
FACES: Final = click.argument("faces", nargs=-1, required=True, type=int, metavar="FACE...")
SOURCE: Final = click.option("--source", help="Only photos of this source.")
FOLDER: Final = click.option("--folder", help="Only the photos right in this folder of it.")


@click.group("people")
def command() -> None:
    """Say who is in photos, and look after how people are recognised.

    PERSON is a name, or a number where nobody has it as name. FACE is a number that `unidentified`,
    `show` and `try` tell.
    """


@command.command("list")
@with_session
def list_people(session: Session) -> None:
    """List everybody by name, with how many faces and reference images they have."""
    with session.open_database() as db, db.read() as conn:
        found = list_persons(conn)
    if session.as_json:
        output.emit({"people": found})
    elif found:
        output.table(
            ("id", "name", "confirmed", "suggested", "references"),
            ((p.person.id, p.person.name, p.confirmed, p.suggested, p.references) for p in found),
        )
    else:
        output.say("Nobody yet. `lading people add NAME` adds somebody.")


@command.command("show")
@PERSON
@LIMIT
@with_session
def show(session: Session, name: str, limit: int) -> None:
    """Show somebody's reference images, what is wrong with them, and faces, unsure ones first."""
    with session.open_database() as db, db.read() as conn:
        whom = person_meant(conn, name)
        images = reference_images(conn, whom.id)
        advice = advice_on(conn, whom.id)
        weakest = weakest_reference(conn, whom.id)
        merged = merged_into(conn, whom.id)
        faces = {
            state: faces_of_person(conn, whom.id, state, limit=limit)
            for state in (FaceState.SUGGESTED, FaceState.CONFIRMED)
        }
        shown = [each.face for each in images]
        shown += [face for found in faces.values() for face, _ in found]
        places = _places(conn, shown)
    if session.as_json:
        output.emit(
            {
                "person": whom,
                "merged": [each.name for each in merged],
                "references": [{"id": each.id, **_document(each.face, places)} for each in images],
                "weakest_reference": weakest[0] if weakest else None,
                "advice": [each._asdict() for each in advice],
                **{
                    state.value: [
                        {**_document(face, places), "decision": said} for face, said in found
                    ]
                    for state, found in faces.items()
                },
            }
        )
        return
    output.facts(
        (
            ("person", f"{whom.name} ({whom.id})"),
            ("merged into them", ", ".join(each.name for each in merged) or None),
            ("references", ", ".join(str(each.id) for each in images) or "none"),
            ("weakest reference", f"{weakest[0]}, {weakest[1]:.2f} away" if weakest else None),
        )
    )
    for each in advice:
        about = "" if each.reference is None else f"reference {each.reference}: "
        output.say(f"  {about}{each.text}")
    rows = [
        (face.id, state, said.distance, said.margin, said.decided_by, places.get(face.id))
        for state, found in faces.items()
        for face, said in found
    ]
    if rows:
        output.table(("face", "state", "distance", "margin", "by", "file"), rows)


@command.command("add")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@DRY_RUN
@with_session
def add(session: Session, names: Sequence[str], dry_run: bool) -> None:
    """Add people to look for."""

    def work(conn: Connection) -> list[Person]:
        return [add_person(conn, name, actor=session.actor) for name in names]

    added = change(session, work, dry_run=dry_run)
    tell(session, {"people": [each.name for each in added]}, "added", dry_run=dry_run)


@command.command("rename")
@PERSON
@click.argument("new_name", metavar="NAME")
@DRY_RUN
@with_session
def rename(session: Session, name: str, new_name: str, dry_run: bool) -> None:
    """Give somebody another name."""
    _one(
        session,
        lambda conn: rename_person(conn, find_person(conn, name), new_name, actor=session.actor),
        "renamed",
        dry_run=dry_run,
    )


@command.command("merge")
@PERSON
@click.argument("into", metavar="INTO")
@DRY_RUN
@with_session
def merge(session: Session, name: str, into: str, dry_run: bool) -> None:
    """Say that one person is another; `unmerge` takes it back."""
    _one(
        session,
        lambda conn: merge_persons(
            conn, find_person(conn, name), find_person(conn, into), actor=session.actor
        ),
        f"merged into {into}",
        dry_run=dry_run,
    )


@command.command("unmerge")
@PERSON
@DRY_RUN
@with_session
def unmerge(session: Session, name: str, dry_run: bool) -> None:
    """Make somebody a person of their own again, with all that was theirs."""
    _one(
        session,
        lambda conn: unmerge_person(conn, find_person(conn, name), actor=session.actor),
        "a person of their own again",
        dry_run=dry_run,
    )


@command.command("reference")
@PERSON
@click.option("--face", type=int, help="A face of a photo; it is confirmed to be theirs.")
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False), help="A picture.")
@click.option("--face-in-file", type=click.IntRange(1), help="Which face of it; 1 is the surest.")
@click.option("--remove", type=int, metavar="REFERENCE", help="Remove this one instead.")
@DRY_RUN
@with_session
def reference(
    session: Session,
    *,
    name: str,
    face: int | None,
    path: str | None,
    face_in_file: int | None,
    remove: int | None,
    dry_run: bool,
) -> None:
    """Choose a face by which somebody is recognised, or remove one."""
    if sum(each is not None for each in (face, path, remove)) != 1:
        raise click.UsageError("give one of --face, --file and --remove")
    with (
        open_lading(session.load_settings()) as lading,
        rehearsal() if dry_run else nullcontext(),
    ):
        if path is not None:
            number = add_reference_file(
                lading.people,
                name,
                path,
                actor=session.actor,
                face_number=face_in_file,
                dry_run=dry_run,
            )
        else:

            def work(conn: Connection) -> int:
                whom = person_meant(conn, name)
                if face is not None:
                    return add_reference(conn, whom, face, actor=session.actor)
                images = {each.id for each in reference_images(conn, whom.id)}
                if remove not in images:
                    raise click.UsageError(f"{whom.name} has no reference image {remove}")
                remove_reference(conn, remove, actor=session.actor)
                return remove

            number = lading.db.run(work)
    done = "removed" if remove is not None else "added"
    tell(session, {"person": name, "reference": number}, done, dry_run=dry_run)


@command.command("unidentified")
@click.option("--after", type=int, default=0, help="Go on after this face.")
@LIMIT
@with_session
def unidentified(session: Session, after: int, limit: int) -> None:
    """List faces of whom nobody knows whose they are."""
    with session.open_database() as db, db.read() as conn:
        found = unidentified_faces(conn, after=after, limit=limit)
        places = _places(conn, found)
    if session.as_json:
        output.emit({"faces": [_document(each, places) for each in found]})
        return
    if not found:
        output.say("No face is unidentified." if not after else "No further one is.")
        return
    rows = (
        (f.id, f"{f.facts.side_px} px", f"{f.facts.score:.2f}", places.get(f.id)) for f in found
    )
    output.table(("face", "size", "score", "file"), rows)


def _decide(
    act: Callable[..., list[int]], done: str
) -> Callable[[Session, str, Sequence[int], bool], None]:
    """A command that says something of faces and a person."""

    def run(session: Session, name: str, faces: Sequence[int], dry_run: bool) -> None:
        changed = change(
            session,
            lambda conn: act(conn, person_meant(conn, name), faces, actor=session.actor),
            dry_run=dry_run,
        )
        tell(session, {"person": name, "faces": changed}, done, dry_run=dry_run)

    return run


@command.command("confirm")
@PERSON
@FACES
@DRY_RUN
@with_session
def confirm(session: Session, name: str, faces: Sequence[int], dry_run: bool) -> None:
    """Say that faces are somebody's, and nobody else's; no scan overwrites it."""
    _decide(confirm_faces, "confirmed")(session, name, faces, dry_run)


@command.command("refuse")
@PERSON
@FACES
@DRY_RUN
@with_session
def refuse(session: Session, name: str, faces: Sequence[int], dry_run: bool) -> None:
    """Say that faces are not somebody's; they are never suggested as theirs again."""
    _decide(refuse_faces, "refused")(session, name, faces, dry_run)


@command.command("withdraw")
@PERSON
@FACES
@DRY_RUN
@with_session
def withdraw(session: Session, name: str, faces: Sequence[int], dry_run: bool) -> None:
    """Take back what was said of faces and somebody."""
    _decide(withdraw_decisions, "taken back")(session, name, faces, dry_run)


@command.command("pass-over")
@FACES
@click.option("--again", is_flag=True, help="Take it back: they wait for a name again.")
@DRY_RUN
@with_session
def pass_over(session: Session, faces: Sequence[int], *, again: bool, dry_run: bool) -> None:
    """Say that faces are nobody's you look for, or no faces; they are matched to nobody."""
    act = look_again if again else pass_over_faces
    changed = change(session, lambda conn: act(conn, faces, actor=session.actor), dry_run=dry_run)
    done = "wait for a name again" if again else "passed over"
    tell(session, {"faces": changed}, done, dry_run=dry_run)


@command.command("rescan")
@SOURCE
@FOLDER
@click.option("--everything", is_flag=True, help="Also where faces were looked for already.")
@DRY_RUN
@with_session
def rescan(
    session: Session, source: str | None, folder: str | None, everything: bool, dry_run: bool
) -> None:
    """Put in line that faces are looked for where they were not, by these settings and this engine.

    Matching follows. What people decided stays with the face at the same place.
    """
    _ask(
        session,
        lambda people: people.scan(
            source, folder=folder, everything=everything, actor=session.actor
        ),
        dry_run=dry_run,
    )


@command.command("match")
@SOURCE
@FOLDER
@click.option("--person", "names", multiple=True, help="Only for this person; several times.")
@click.option("--only-unidentified", is_flag=True, help="Leave suggestions of other settings.")
@DRY_RUN
@with_session
def match(
    session: Session,
    *,
    source: str | None,
    folder: str | None,
    names: Sequence[str],
    only_unidentified: bool,
    dry_run: bool,
) -> None:
    """Put in line that unidentified faces are compared with the reference images."""

    def work(people: People) -> object:
        persons = None
        if names:
            with people.db.read() as conn:
                persons = [person_meant(conn, name) for name in names]
        return people.match(
            source,
            folder=folder,
            persons=persons,
            again=not only_unidentified,
            actor=session.actor,
        )

    _ask(session, work, dry_run=dry_run)


@command.command("reset")
@SOURCE
@FOLDER
@DRY_RUN
@with_session
def reset(session: Session, source: str | None, folder: str | None, dry_run: bool) -> None:
    """Forget whose faces the engine thinks they are; what people said stays."""
    _ask(
        session,
        lambda people: {"faces": people.reset(source, folder=folder, actor=session.actor)},
        dry_run=dry_run,
    )


for each in (try_settings, judge_run, adopt, revert, list_settings):
    command.add_command(each)


def _places(conn: Connection, faces: Sequence[StoredFace]) -> dict[int, str]:
    """Where the file of each face lies, by face; what was given in has a name alone."""
    paths = locations(conn, {each.asset_id for each in faces if each.asset_id is not None})
    named = ((each.id, paths.get(each.asset_id or 0) or each.name) for each in faces)
    return {face_id: place for face_id, place in named if place}


def _document(face: StoredFace, places: Mapping[int, str]) -> dict[str, Any]:
    facts = face.facts
    return {
        "face": face.id,
        "content_hash": face.content_hash,
        "file": places.get(face.id),
        "box": facts.box._asdict(),
        "score": facts.score,
        "side_px": facts.side_px,
        "sharpness": facts.sharpness,
        "turn": facts.turn,
        "detached": face.detached,
    }


def _one(
    session: Session, work: Callable[[Connection], Person], done: str, *, dry_run: bool
) -> None:
    whom = change(session, work, dry_run=dry_run)
    tell(session, {"person": whom.name, "id": whom.id}, done, dry_run=dry_run)


def _ask(session: Session, work: Callable[[People], object], *, dry_run: bool) -> None:
    with (
        open_lading(session.load_settings()) as lading,
        rehearsal() if dry_run else nullcontext(),
    ):
        found = output.plain(work(lading.people))
    tell(session, found, "done", dry_run=dry_run)
