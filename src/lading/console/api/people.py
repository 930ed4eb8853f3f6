"""Persons who are looked for in photos: their references, merging, and having faces matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.console.actions import people as actions
from lading.console.actions.people import PICTURE_BYTES_MAX
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    Done,
    DryRun,
    Id,
    IfMatch,
    Limit,
    Name,
    Number,
    Text,
    Word,
    also,
    creates,
    edits,
    reads,
    rehearsed,
    removes,
    unchanged_check,
    with_etag,
)
from lading.console.parts import Console
from lading.console.readers.people import PersonLine, read_people
from lading.console.readers.people_one import PersonDetail, ReferenceLine, read_person
from lading.library.people_values import Person
from lading.people.jobs import Lined

TAG: Final = "people"
OPERATE: Final = Permission.OPERATE


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonItem:
    """A person; counts are those of merged ones, too. `merged` names those.

    `weakest_reference` is the one farthest from the others, `weakest_distance` how far typically.
    """

    id: int
    name: str
    confirmed: int
    suggested: int
    references: int
    merged: Sequence[str]
    weakest_reference: int | None
    weakest_distance: float | None
    last_found: datetime | None
    picture_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlawItem:
    """What is wrong with a reference image, or how many there are, and what to do."""

    flaw: str
    text: str
    other: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceItem:
    """A face by which a person is recognised; `distance` is the median one to the others."""

    id: int
    face: int
    file_name: str
    side_px: int
    sharpness: float
    turn: float
    given: bool
    distance: float | None
    flaws: Sequence[FlawItem]
    picture_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedItem:
    """Somebody who was merged into the person."""

    id: int
    name: str
    confirmed: int
    suggested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAnswer:
    """One person, by which faces they are recognised, and who was merged into them.

    `merged_into` is who they turned out to be; all else is that person's then.
    """

    person: PersonItem
    merged_into: int | None
    references: Sequence[ReferenceItem]
    advice: Sequence[FlawItem]
    merged: Sequence[MergedItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonState:
    """Who a person is."""

    id: int
    name: str
    merged_into: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReference:
    """The reference image that was made; without one, choose one of the `faces` that were found."""

    reference: int | None
    faces: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinedItem:
    """How many jobs were put in line that look for faces, and that match them."""

    scans: int
    matches: int


class PersonBody(Body, frozen=True):
    """The name of a person."""

    name: Name


class MergeBody(Body, frozen=True):
    """Who turned out to be whom."""

    person: Id
    into: Id


class PictureBody(Body, frozen=True):
    """A picture: its bytes in base64, and what it is called."""

    name: Name
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=PICTURE_BYTES_MAX)]


class ReferenceBody(Body, frozen=True):
    """Either a face of the library, or a picture."""

    face: Id | None = None
    picture: PictureBody | None = None


class ScanBody(Body, frozen=True):
    """Where; with `everything`, also where faces were looked for already."""

    source: Name | None = None
    folder: Text | None = None
    everything: bool = False


class MatchBody(Body, frozen=True):
    """Where, and for whom; for everybody without."""

    source: Name | None = None
    folder: Text | None = None
    person: Id | None = None


class BadReference(RequestError):
    """A reference image is to be made of nothing, or of two things."""

    code = "bad_reference"
    next_step = "Name a face, or send a picture, and not both."


def routes() -> list[HTTPRouteHandler]:
    """Persons."""
    return [
        list_people,
        add,
        one_person,
        rename,
        add_reference,
        drop_reference,
        merge,
        unmerge,
        scan,
        match,
    ]


@reads("/people", "Everybody who is looked for, by name", tag=TAG)
def list_people(
    console: NamedDependency[Console], *, q: Word = None, cursor: Cursor = None, limit: Limit = 50
) -> Many[PersonItem]:
    """`q` is part of a name, also of somebody who was merged."""
    found = read_people(console.lading.db, q=q, cursor=cursor or None, limit=limit)
    return many([_item(line) for line in found.lines], found, found.count)


@creates(
    "/people",
    "Add somebody",
    tag=TAG,
    permission=OPERATE,
    status_code=201,
    responses=also(200, Done[PersonState], "A dry run: nobody was added."),
)
def add(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[PersonBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[PersonState]]:
    """Add a person to look for."""
    with rehearsed(dry_run):
        person = actions.add(console, caller, data.name).person
    return Response(
        Done(dry_run=dry_run, result=_state(person)),
        status_code=200 if dry_run else 201,
        headers={} if dry_run else {"Location": f"{BASE}/people/{person.id}"},
    )


@reads("/people/{person_id:int}", "One person", tag=TAG)
def one_person(console: NamedDependency[Console], person_id: Number) -> Response[PersonAnswer]:
    """Reference images with what is wrong with them; the faces have a list of their own."""
    found = read_person(console.lading.db, person_id, limit=1)
    return with_etag(_answer(found), _state(found.person))


@edits("/people/{person_id:int}", "Give a person another name", tag=TAG, permission=OPERATE)
def rename(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    data: JSONBody[PersonBody],
    *,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> Response[Done[PersonState]]:
    """Rename a person."""
    check = unchanged_check(if_match, data, subject=f"person {person_id}")
    with rehearsed(dry_run):
        done = actions.rename(
            console, caller, person_id, data.name, check=lambda person: check(_state(person))
        )
    state = _state(done.person)
    return with_etag(Done(dry_run=dry_run, result=state), state)


@creates(
    "/people/{person_id:int}/references",
    "Recognise a person by a face, or by a picture",
    tag=TAG,
    permission=OPERATE,
    request_max_body_size=PICTURE_BYTES_MAX * 4 // 3 + 65_536,
)
def add_reference(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    data: JSONBody[ReferenceBody],
    *,
    dry_run: DryRun = False,
) -> Done[GivenReference]:
    """Of a picture with several faces, name one of the answer in a second request."""
    with rehearsed(dry_run):
        if data.face is not None and data.picture is None:
            done = actions.use_as_reference(console, caller, person_id, data.face)
        elif data.face is not None or data.picture is None:
            raise BadReference("a reference image is one face", expected="`face` or `picture`")
        else:
            done = actions.give_picture(
                console,
                caller,
                person_id,
                data.picture.name,
                data.picture.data,
                dry_run=dry_run,
            )
    given = GivenReference(reference=done.reference, faces=done.faces)
    return Done(dry_run=dry_run, result=given)


@removes(
    "/people/{person_id:int}/references/{reference:int}",
    "Recognise a person by an image no more",
    tag=TAG,
    permission=OPERATE,
)
def drop_reference(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    reference: Number,
    *,
    dry_run: DryRun = False,
) -> Done[GivenReference]:
    """What was suggested by it is taken back; what people confirmed stays."""
    with rehearsed(dry_run):
        actions.drop_reference(console, caller, person_id, reference)
    return Done(dry_run=dry_run, result=GivenReference(reference=reference, faces=()))


@creates("/people/merge", "Say that one person is another", tag=TAG, permission=OPERATE)
def merge(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[MergeBody],
    *,
    dry_run: DryRun = False,
) -> Done[PersonState]:
    """Nothing is moved; `unmerge` takes it back."""
    with rehearsed(dry_run):
        done = actions.merge(console, caller, data.person, data.into)
    return Done(dry_run=dry_run, result=_state(done.person))


@creates(
    "/people/{person_id:int}/unmerge",
    "Make somebody a person of their own again",
    tag=TAG,
    permission=OPERATE,
)
def unmerge(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    *,
    dry_run: DryRun = False,
) -> Done[PersonState]:
    """They have again what was theirs."""
    with rehearsed(dry_run):
        done = actions.unmerge(console, caller, person_id)
    return Done(dry_run=dry_run, result=_state(done.person))


@creates("/people/scan", "Look for faces where they were not", tag=TAG, permission=OPERATE)
def scan(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[ScanBody],
    *,
    dry_run: DryRun = False,
) -> Done[LinedItem]:
    """Jobs do it, one for each folder; matching follows."""
    with rehearsed(dry_run):
        lined = actions.scan(console, caller, data.source, data.folder, everything=data.everything)
    return Done(dry_run=dry_run, result=_lined(lined))


@creates("/people/match", "Match faces with reference images", tag=TAG, permission=OPERATE)
def match(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[MatchBody],
    *,
    dry_run: DryRun = False,
) -> Done[LinedItem]:
    """Jobs do it, one for each person and folder."""
    with rehearsed(dry_run):
        lined = actions.match(console, caller, data.source, data.folder, person_id=data.person)
    return Done(dry_run=dry_run, result=_lined(lined))


def _lined(lined: Lined) -> LinedItem:
    return LinedItem(scans=lined.scans, matches=lined.matches)


def _state(person: Person) -> PersonState:
    return PersonState(id=person.id, name=person.name, merged_into=person.merged_into)


def _item(line: PersonLine) -> PersonItem:
    return PersonItem(
        id=line.id,
        name=line.name,
        confirmed=line.summary.confirmed,
        suggested=line.summary.suggested,
        references=line.summary.references,
        merged=line.merged,
        weakest_reference=line.weakest[0] if line.weakest else None,
        weakest_distance=line.weakest[1] if line.weakest else None,
        last_found=line.last_found,
        picture_url=line.picture_url,
    )


def _answer(found: PersonDetail) -> PersonAnswer:
    return PersonAnswer(
        person=_item(found.line),
        merged_into=found.person.merged_into,
        references=[_reference(each) for each in found.references],
        advice=[FlawItem(flaw=each.flaw, text=each.text) for each in found.advice],
        merged=[
            MergedItem(
                id=each.person.id,
                name=each.person.name,
                confirmed=each.confirmed,
                suggested=each.suggested,
            )
            for each in found.merged
        ],
    )


def _reference(each: ReferenceLine) -> ReferenceItem:
    facts = each.face.face.facts
    return ReferenceItem(
        id=each.id,
        face=each.face.id,
        file_name=each.face.file_name,
        side_px=facts.side_px,
        sharpness=facts.sharpness,
        turn=facts.turn,
        given=each.given,
        distance=each.typical,
        flaws=[
            FlawItem(
                flaw=advice.flaw,
                text=advice.text,
                other=None if advice.other is None else int(advice.other),
            )
            for advice in each.advice
        ],
        picture_url=each.face.picture_url,
    )
