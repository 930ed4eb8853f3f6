"""Everybody who is looked for in photos: a page by name, each with a picture, counts and dates."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from lading.console.readers.face_files import face_picture_url
from lading.db import Database
from lading.db.counting import Count
from lading.db.keyset import BadCursor
from lading.library.face_lists import faces_by_id, last_found, newest_confirmed
from lading.library.people import all_persons, root_of
from lading.library.people_queries import list_persons, reference_images
from lading.library.people_values import Person, PersonSummary, StoredFace
from lading.people.references import typical_of

NAMES_MAX: Final = 2_000
"""So many names are offered where one is to be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """A person. `weakest` is the reference image farthest from the others, and how far typically.

    `merged` has the names of those who were merged into them.
    """

    summary: PersonSummary
    picture_url: str | None
    merged: Sequence[str]
    last_found: datetime | None = None
    weakest: tuple[int, float] | None = None

    @property
    def id(self) -> int:
        """The number."""
        return self.summary.person.id

    @property
    def name(self) -> str:
        """The name."""
        return self.summary.person.name

    @property
    def url(self) -> str:
        """The page."""
        return person_url(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleList:
    """A page of people, and how many there are in all."""

    lines: Sequence[PersonLine]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None = None


def person_url(person_id: int) -> str:
    """The address of the page of a person."""
    return f"/people/{person_id}"


def read_people(
    db: Database, *, q: str | None = None, cursor: str | None = None, limit: int = 50
) -> PeopleList:
    """A page of those whose name, or that of somebody merged into them, has `q` in it.

    Raises `BadCursor`.
    """
    after = _read_cursor(cursor)
    with db.read() as conn:
        persons = all_persons(conn)
        found = _matching(persons, q)
        page = [one for one in found if after is None or _key(one) > after]
        lines = person_lines(conn, persons, page[:limit])
    return PeopleList(
        lines=lines,
        count=Count(len(found)),
        next_cursor=_cursor(page[limit - 1]) if len(page) > limit else None,
    )


def read_names(db: Database) -> list[Person]:
    """Everybody who is somebody of their own, by name."""
    with db.read() as conn:
        return _matching(all_persons(conn), None)[:NAMES_MAX]


def person_lines(
    conn: Connection, persons: Mapping[int, Person], wanted: Sequence[Person]
) -> list[PersonLine]:
    """These people, in the order given; all of it in a constant number of statements."""
    roots = {one.id for one in wanted}
    group = {each: root_of(persons, each) for each in persons if root_of(persons, each) in roots}
    merged: dict[int, list[str]] = {}
    for each, root in group.items():
        if each != root:
            merged.setdefault(root, []).append(persons[each].name)
    summaries = {one.person.id: one for one in list_persons(conn, roots)}
    typical = typical_of(conn, roots)
    pictures = _pictures(conn, group, typical)
    found: dict[int, datetime] = {}
    for each, at in last_found(conn, group).items():
        root = group[each]
        found[root] = max(at, found.get(root, at))
    return [
        PersonLine(
            summary=summaries[one.id],
            picture_url=pictures.get(one.id),
            merged=sorted(merged.get(one.id, ())),
            last_found=found.get(one.id),
            weakest=max(typical[one.id].items(), key=lambda pair: pair[1])
            if typical.get(one.id)
            else None,
        )
        for one in wanted
    ]


def _pictures(
    conn: Connection, group: Mapping[int, int], typical: Mapping[int, Mapping[int, float]]
) -> dict[int, str]:
    """By person, the reference image most like the others, else the newest confirmed face."""
    best: dict[int, tuple[float, StoredFace]] = {}
    for image in reference_images(conn, persons=list(group)):
        root = group[image.person_id]
        far = typical.get(root, {}).get(image.id, float("inf"))
        if root not in best or far < best[root][0]:
            best[root] = far, image.face
    shown = {root: face for root, (_, face) in best.items()}
    newest: dict[int, int] = {}
    for each, face_id in newest_confirmed(conn, group).items():
        if group[each] not in shown:
            newest[group[each]] = max(face_id, newest.get(group[each], 0))
    faces = faces_by_id(conn, newest.values())
    shown |= {root: faces[face_id] for root, face_id in newest.items() if face_id in faces}
    return {
        root: face_picture_url(face.id, face.scan_id, face.facts.box)
        for root, face in shown.items()
    }


def _matching(persons: Mapping[int, Person], q: str | None) -> list[Person]:
    wanted = (q or "").strip().casefold()
    roots = {root_of(persons, one.id) for one in persons.values() if wanted in one.name.casefold()}
    return sorted((persons[each] for each in roots), key=_key)


def _key(one: Person) -> tuple[str, int]:
    return one.name.casefold(), one.id


def _cursor(one: Person) -> str:
    return base64.urlsafe_b64encode(json.dumps(_key(one)).encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> tuple[str, int] | None:
    if cursor is None:
        return None
    try:
        name, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadCursor("the page cursor cannot be read") from error
    if not isinstance(name, str) or type(number) is not int:
        raise BadCursor("the page cursor cannot be read")
    return name, number
