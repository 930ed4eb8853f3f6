"""Faces in photos: those of a person, those that wait for a name, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions import people as actions
from lading.console.actions.people import FaceDecision, FacesChanged
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    Body,
    Cursor,
    Done,
    DryRun,
    Id,
    Limit,
    Name,
    Number,
    States,
    Word,
    creates,
    one_of,
    reads,
    rehearsed,
)
from lading.console.parts import Console
from lading.console.readers.face_lines import FaceLine
from lading.console.readers.faces_unassigned import read_unassigned
from lading.console.readers.people_one import read_person
from lading.library.face_lists import FaceFilter
from lading.library.people import FACES_AT_ONCE_MAX
from lading.library.people_tables import FaceState
from lading.library.people_values import FaceBox

TAG: Final = "faces"

PassedOver = Annotated[bool, QueryParameter(description="Those that were passed over instead.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxItem:
    """Where a face is, in shares of the width and height of the upright picture."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceItem:
    """A face. What is said of it and a person is None where nobody asked about one.

    `group` numbers the faces of this page that are alike; `detached` ones are not found any more.
    """

    id: int
    content_hash: str | None
    file_name: str
    folder: str
    box: BoxItem
    score: float
    side_px: int
    detached: bool
    picture_url: str
    group: int | None = None
    person: int | None = None
    state: FaceState | None = None
    distance: float | None = None
    margin: float | None = None
    reference: int | None = None
    why: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedItem:
    """The faces of which something new was said, those that are not there any more, and the event
    in the ledger, 0 for none.
    """

    decision: str
    person: int | None
    faces: Sequence[int]
    gone: Sequence[int]
    event: int


class FacesBody(Body, frozen=True):
    """What is said of faces; the first three decisions are about a person."""

    decision: FaceDecision
    faces: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=FACES_AT_ONCE_MAX)]
    person: Id | None = None


class AssignBody(Body, frozen=True):
    """Whose face it is: somebody by number, or by name, who is added with `add`."""

    person: Id | None = None
    name: Name | None = None
    add: bool = False


def routes() -> list[HTTPRouteHandler]:
    """Faces."""
    return [of_person, unassigned, decide, assign, undo]


@reads("/people/{person_id:int}/faces", "The faces of a person", tag=TAG)
def of_person(
    console: NamedDependency[Console],
    person_id: Number,
    *,
    chosen: States = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[FaceItem]:
    """Suggestions, the least certain first; or those that people confirmed or refused."""
    state = one_of("state", chosen or FaceState.SUGGESTED, list(FaceState))
    found = read_person(
        console.lading.db, person_id, state=FaceState(state), cursor=cursor or None, limit=limit
    )
    return many([_item(line) for line in found.said], found, found.counts[FaceState(state)])


@reads("/faces/unassigned", "The faces that wait for a name", tag=TAG)
def unassigned(
    console: NamedDependency[Console],
    *,
    source: Word = None,
    folder: Word = None,
    passed_over: PassedOver = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[FaceItem]:
    """The newest first; `folder` is one of a `source`."""
    filters = FaceFilter(passed_over=passed_over, source=source or None, folder=folder)
    found = read_unassigned(console, filters, cursor=cursor or None, limit=limit)
    groups = {
        line.id: number for number, group in enumerate(found.groups, 1) for line in group.faces
    }
    return many([_item(line, groups[line.id]) for line in found.lines], found, found.count)


@creates("/faces/decisions", "Say something of many faces", tag=TAG, permission=Permission.OPERATE)
def decide(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[FacesBody],
    *,
    dry_run: DryRun = False,
) -> Done[DecidedItem]:
    """Faces that are not there any more are told of, and do not hinder the others."""
    with rehearsed(dry_run):
        done = actions.decide(console, caller, data.decision, data.faces, person_id=data.person)
    return _decided(done, dry_run=dry_run)


@creates(
    "/faces/{face_id:int}/assign", "Say whose face it is", tag=TAG, permission=Permission.OPERATE
)
def assign(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    face_id: Number,
    data: JSONBody[AssignBody],
    *,
    dry_run: DryRun = False,
) -> Done[DecidedItem]:
    """Confirm it to be somebody's."""
    with rehearsed(dry_run):
        done = actions.decide(
            console,
            caller,
            FaceDecision.CONFIRM,
            [face_id],
            person_id=data.person,
            person_name=data.name,
            new_person=data.add,
        )
    return _decided(done, dry_run=dry_run)


@creates(
    "/faces/decisions/{event:int}/undo",
    "Take back what was decided about faces",
    tag=TAG,
    permission=Permission.OPERATE,
)
def undo(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    event: Number,
    *,
    dry_run: DryRun = False,
) -> Done[DecidedItem]:
    """`event` is the one that a decision answered with."""
    with rehearsed(dry_run):
        done = actions.undo(console, caller, event)
    return _decided(done, dry_run=dry_run)


def _decided(done: FacesChanged, *, dry_run: bool) -> Done[DecidedItem]:
    return Done(
        dry_run=dry_run,
        result=DecidedItem(
            decision=done.decision,
            person=done.person.id if done.person else None,
            faces=done.faces,
            gone=done.gone,
            event=0 if dry_run else done.event,
        ),
    )


def _item(line: FaceLine, group: int | None = None) -> FaceItem:
    facts = line.face.facts
    return FaceItem(
        id=line.id,
        content_hash=line.face.content_hash,
        file_name=line.file_name,
        folder=line.folder,
        box=_box(facts.box),
        score=facts.score,
        side_px=facts.side_px,
        detached=line.face.detached,
        picture_url=line.picture_url,
        group=group,
        person=line.person_id,
        state=line.state,
        distance=line.distance,
        margin=line.margin,
        reference=line.reference,
        why=line.why,
        decided_by=line.by,
        decided_at=line.at,
    )


def _box(box: FaceBox) -> BoxItem:
    return BoxItem(left=box.left, top=box.top, width=box.width, height=box.height)
