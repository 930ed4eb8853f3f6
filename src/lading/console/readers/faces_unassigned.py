"""Faces that wait for a name, or were passed over: a page, those that are alike together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lading.console.parts import Console
from lading.console.readers.face_lines import FaceLine, face_lines
from lading.db.counting import Count
from lading.library.face_lists import (
    FaceFilter,
    PassedOver,
    count_unassigned,
    passed_over,
    unassigned_faces,
)
from lading.people.adopted import settings_held
from lading.people.likeness import alike
from lading.people.matching import embedding_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceGroup:
    """Faces that are alike; a group of one is like no other of the page."""

    faces: Sequence[FaceLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """A page of faces in groups, the largest first; `passed` says who passed faces over."""

    groups: Sequence[FaceGroup]
    lines: Sequence[FaceLine]
    passed: dict[int, PassedOver]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None


def read_unassigned(
    console: Console, filters: FaceFilter, *, cursor: str | None = None, limit: int = 50
) -> Unassigned:
    """A page of these faces, the newest first. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        page = unassigned_faces(conn, filters, cursor=cursor, limit=limit)
        lines = face_lines(conn, page.faces)
        settings = settings_held(conn).settings.matching
        # As near as the matcher asks of faces that it takes for one person's.
        near = settings.distance_max - settings.margin_min
        groups = alike([(line, embedding_of(line.face)) for line in lines], near)
        return Unassigned(
            groups=[FaceGroup(faces=group) for group in groups],
            lines=lines,
            passed=passed_over(conn, [one.id for one in page.faces]),
            count=count_unassigned(conn, filters),
            next_cursor=page.next_cursor,
            prev_cursor=page.prev_cursor,
        )
