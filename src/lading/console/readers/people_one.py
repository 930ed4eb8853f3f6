"""One person: reference images and what is wrong with them, faces by what is said, who merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from lading.console.readers.face_lines import FaceLine, face_lines, said_lines
from lading.console.readers.people import PersonLine, person_lines
from lading.db import Database
from lading.db.counting import Count
from lading.jobs.tables import import_job
from lading.library.face_lists import count_said, faces_by_id, said_by_person, said_faces
from lading.library.people import all_persons, group_of, require_person, root_of
from lading.library.people_queries import reference_images
from lading.library.people_tables import FaceState, face, face_scan
from lading.library.people_values import Person
from lading.media.faces.references import Advice, Flaw, ReferencePolicy
from lading.people.jobs import MATCH_JOB_KIND
from lading.people.references import advice_on, typical_of

FLAW_WORDS: Final[Mapping[Flaw, str]] = {
    Flaw.LIKE_ANOTHER_PERSON: "Like another person",
    Flaw.OUTLIER: "Unlike the others",
    Flaw.TOO_SMALL: "Small",
    Flaw.BLURRED: "Blurred",
    Flaw.TURNED: "From the side",
    Flaw.TOO_ALIKE: "Too alike",
    Flaw.TOO_FEW: "Too few",
    Flaw.TOO_MANY: "Too many",
}
ADVISED: Final = ReferencePolicy()
CHOICES_MAX: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLine:
    """A reference image. `typical` is its median distance to the person's others."""

    id: int
    face: FaceLine
    advice: Sequence[Advice]
    typical: float | None
    weakest: bool
    given: bool
    of: str | None  # whose it is by name, where that is somebody who was merged

    @property
    def words(self) -> str:
        """What is wrong with it, in short."""
        return ", ".join(FLAW_WORDS[each.flaw] for each in self.advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedLine:
    """Somebody who was merged into this person, with what unmerging would take along."""

    person: Person
    confirmed: int
    suggested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDetail:
    """One person; `said` are the faces of one state, `choices` those of a picture just given."""

    line: PersonLine
    person: Person
    references: Sequence[ReferenceLine]
    advice: Sequence[Advice]
    counts: Mapping[FaceState, Count]
    state: FaceState
    said: Sequence[FaceLine]
    next_cursor: str | None
    prev_cursor: str | None
    merged: Sequence[MergedLine]
    choices: Sequence[FaceLine]
    jobs: int

    @property
    def referenced(self) -> frozenset[int]:
        """The faces by which the person is recognised."""
        return frozenset(one.face.id for one in self.references)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePreview:
    """Two people before they are merged, and what the second would have then."""

    whom: PersonLine
    into: PersonLine

    @property
    def confirmed(self) -> int:
        """How many confirmed faces there would be."""
        return self.whom.summary.confirmed + self.into.summary.confirmed

    @property
    def suggested(self) -> int:
        """How many suggestions."""
        return self.whom.summary.suggested + self.into.summary.suggested

    @property
    def references(self) -> int:
        """How many reference images."""
        return self.whom.summary.references + self.into.summary.references


def root_person(db: Database, person_id: int) -> int:
    """Who this person turned out to be; themselves unless merged. Raises `UnknownPerson`."""
    with db.read() as conn:
        require_person(conn, person_id)
        return root_of(all_persons(conn), person_id)


def read_person(
    db: Database,
    person_id: int,
    *,
    state: FaceState = FaceState.SUGGESTED,
    cursor: str | None = None,
    limit: int = 50,
    choose: int | None = None,
) -> PersonDetail:
    """One person with a page of faces of one state. Raises `UnknownPerson`, `BadCursor`.

    `choose` is a face of a picture that was just given, of which one is to be chosen.
    """
    with db.read() as conn:
        person = require_person(conn, person_id)
        persons = all_persons(conn)
        # Of one who was merged, all there is to tell is who they turned out to be.
        person_id = root_of(persons, person_id)
        group = group_of(persons, person_id)
        names = {each: persons[root_of(persons, each)].name for each in group}
        page = said_faces(conn, group, state, cursor=cursor, limit=limit)
        advice = advice_on(conn, person_id)
        [line] = person_lines(conn, persons, [persons[person_id]])
        return PersonDetail(
            line=line,
            person=person,
            references=_references(conn, persons, person_id, group, advice),
            advice=[each for each in advice if each.reference is None],
            counts=count_said(conn, group),
            state=state,
            said=said_lines(conn, page.faces, names),
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
            merged=_merged(conn, persons, person_id),
            choices=_choices(conn, choose),
            jobs=_jobs(conn, person_id),
        )


def read_merge(db: Database, person_id: int, into: int) -> MergePreview:
    """What merging would come to. Raises `UnknownPerson`."""
    with db.read() as conn:
        persons = all_persons(conn)
        whom, other = (
            persons[root_of(persons, require_person(conn, each).id)] for each in (person_id, into)
        )
        lines = {one.id: one for one in person_lines(conn, persons, [whom, other])}
        return MergePreview(whom=lines[whom.id], into=lines[other.id])


def _references(
    conn: Connection,
    persons: Mapping[int, Person],
    person_id: int,
    group: set[int],
    advice: Sequence[Advice],
) -> list[ReferenceLine]:
    images = reference_images(conn, persons=group)
    lines = face_lines(conn, [image.face for image in images])
    typical = next(iter(typical_of(conn, [person_id]).values()), {})
    farthest = max(typical, key=lambda each: typical[each]) if typical else None
    about: dict[object, list[Advice]] = {}
    for each in advice:
        about.setdefault(each.reference, []).append(each)
    return [
        ReferenceLine(
            id=image.id,
            face=line,
            advice=about.get(image.id, ()),
            typical=typical.get(image.id),
            weakest=image.id == farthest,
            given=image.face.asset_id is None,
            of=None if image.person_id == person_id else persons[image.person_id].name,
        )
        for image, line in zip(images, lines, strict=True)
    ]


def _merged(conn: Connection, persons: Mapping[int, Person], person_id: int) -> list[MergedLine]:
    found = [each for each in persons.values() if each.merged_into == person_id]
    own = {each.id: [one for one in persons if _leads_to(persons, one, each.id)] for each in found}
    counts = said_by_person(conn, {one for several in own.values() for one in several})
    return [
        MergedLine(
            person=each,
            confirmed=sum(counts.get((one, FaceState.CONFIRMED), 0) for one in own[each.id]),
            suggested=sum(counts.get((one, FaceState.SUGGESTED), 0) for one in own[each.id]),
        )
        for each in sorted(found, key=lambda one: one.name.casefold())
    ]


def _leads_to(persons: Mapping[int, Person], one: int, other: int) -> bool:
    at: int | None = one
    while at is not None and at != other:
        at = persons[at].merged_into
    return at == other


def _choices(conn: Connection, face_id: int | None) -> list[FaceLine]:
    """All faces of the picture that was given and has this one."""
    if face_id is None:
        return []
    scan_id = (
        select(face.c.scan_id)
        .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .where(face.c.id == face_id, face_scan.c.asset_id.is_(None))
        .scalar_subquery()
    )
    ids = conn.scalars(
        select(face.c.id).where(face.c.scan_id == scan_id).order_by(face.c.id).limit(CHOICES_MAX)
    ).all()
    faces = faces_by_id(conn, ids)
    return face_lines(conn, [faces[each] for each in ids])


def _jobs(conn: Connection, person_id: int) -> int:
    """How many jobs that match for this person have not ended."""
    start = f"{MATCH_JOB_KIND}:{person_id}:"
    query = (
        select(func.count())
        .select_from(import_job)
        .where(import_job.c.active_key.startswith(start, autoescape=True))
    )
    return int(conn.scalar(query) or 0)
