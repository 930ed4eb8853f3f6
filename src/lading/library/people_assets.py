"""Which assets show a person, and whom a list of assets can be narrowed to.

A person shows in an asset when people confirmed a face in it as theirs, also one that a later scan
did not find any more. What the engine suggests does not count.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, or_, select

from lading.library.people_tables import FaceState, face, face_person, face_scan, person
from lading.library.tables import asset


def shows_person(conn: Connection, person_id: int) -> ColumnElement[bool]:
    """That an asset shows a person, or anybody who is one with them by merging."""
    # As numbers, so that each planner knows how often they are said.
    group = sorted(conn.scalars(_group(person_id)))
    said = face_person.c
    shown = (
        select(face_scan.c.asset_id)
        .join_from(face_person, face, face.c.id == said.face_id)
        .join(face_scan, face_scan.c.id == face.c.scan_id)
        .where(
            said.person_id.in_(group),
            said.state == FaceState.CONFIRMED,
            # Not those of files that were given, which are no assets.
            face_scan.c.asset_id.is_not(None),
        )
    )
    # Not correlated: each planner then begins with the faces, or walks the list if it is shorter.
    return asset.c.id.in_(shown)


def list_leading(conn: Connection, limit: int) -> dict[int, str]:
    """The names of everybody who was not merged, by number; empty when they are above `limit`."""
    query = select(person.c.id, person.c.name).where(person.c.merged_into.is_(None))
    found = [(row.id, row.name) for row in conn.execute(query.limit(limit + 1))]
    if len(found) > limit:
        return {}
    return dict(sorted(found, key=lambda one: (one[1].casefold(), one[0])))


def leading_name(conn: Connection, person_id: int) -> str | None:
    """The name of whom a person turned out to be; None where there is no such person."""
    query = select(person.c.name).where(
        person.c.id.in_(_group(person_id)), person.c.merged_into.is_(None)
    )
    name: str | None = conn.scalar(query)
    return name


def _group(person_id: int) -> Select[Any]:
    """The numbers of a person and of all who are one with them, up and down the merges."""
    first = select(person.c.id, person.c.merged_into).where(person.c.id == person_id)
    group = first.cte(recursive=True)
    linked = or_(person.c.merged_into == group.c.id, person.c.id == group.c.merged_into)
    return select(group.union(select(person.c.id, person.c.merged_into).where(linked)).c.id)
