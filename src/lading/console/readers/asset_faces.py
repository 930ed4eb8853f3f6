"""The faces in one photo: where each is in the picture, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from lading.console.readers.asset_choices import photos_url
from lading.console.readers.face_lines import FaceLine, face_lines, said_lines
from lading.console.readers.people import person_url
from lading.db import Database
from lading.library.face_lists import passed_over
from lading.library.faces import CURRENT
from lading.library.people import all_persons, root_of
from lading.library.people_queries import asset_faces, decisions
from lading.library.people_tables import FaceState, face_scan
from lading.library.people_values import Decision

_SIDE_USUAL: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMark:
    """A face of a photo; left, top, width and height are in pixels of the picture looked at."""

    line: FaceLine
    label: str
    name: str | None
    person_url: str | None
    person_id: int | None
    state: FaceState | None
    left: float
    top: float
    width: float
    height: float

    @property
    def photos_url(self) -> str | None:
        """The list of all photos of whose it is, or is thought to be."""
        return None if self.person_id is None else photos_url(self.person_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFaces:
    """The faces of a photo, and how large the picture was in which they were looked for."""

    width: int
    height: int
    marks: Sequence[FaceMark]
    error: str | None = None

    @property
    def text(self) -> float:
        """How high letters over the picture are, in its pixels."""
        return round(max(self.width, self.height) / 40, 1)


def read_asset_faces(db: Database, asset_id: int) -> AssetFaces | None:
    """The faces of a photo, the surest first; None where nobody looked for any."""
    with db.read() as conn:
        scan = conn.execute(
            select(face_scan.c.width, face_scan.c.height, face_scan.c.error_text).where(
                face_scan.c.asset_id == asset_id, face_scan.c.current == CURRENT
            )
        ).one_or_none()
        if scan is None:
            return None
        width, height = scan.width or _SIDE_USUAL, scan.height or _SIDE_USUAL
        return AssetFaces(
            width=width,
            height=height,
            marks=_marks(conn, asset_id, width, height),
            error=scan.error_text,
        )


def _marks(conn: Connection, asset_id: int, width: int, height: int) -> list[FaceMark]:
    faces = asset_faces(conn, asset_id)
    if not faces:
        return []
    ids = [one.id for one in faces]
    persons = all_persons(conn)
    names = {each: persons[root_of(persons, each)].name for each in persons}
    said = {each: _telling(several) for each, several in decisions(conn, ids).items()}
    telling = [(one, found) for one in faces if (found := said.get(one.id)) is not None]
    told = {line.id: line for line in said_lines(conn, telling, names)}
    plain = {line.id: line for line in face_lines(conn, faces)}
    passed = passed_over(conn, ids)
    marks = []
    for one in faces:
        line = told.get(one.id) or plain[one.id]
        root = None if line.person_id is None else root_of(persons, line.person_id)
        box = one.facts.box
        name = None if line.person_id is None else names[line.person_id]
        marks.append(
            FaceMark(
                line=line,
                label=_label(name, line.state, passed=one.id in passed),
                name=name,
                person_url=None if root is None else person_url(root),
                person_id=root,
                state=line.state,
                left=round(box.left * width, 1),
                top=round(box.top * height, 1),
                width=round(box.width * width, 1),
                height=round(box.height * height, 1),
            )
        )
    return marks


def _telling(several: Sequence[Decision]) -> Decision | None:
    """Whose a face is, or is thought to be; refusals alone say nothing of that."""
    order = {FaceState.CONFIRMED: 0, FaceState.SUGGESTED: 1}
    open_ones = [one for one in several if one.state in order]
    return min(open_ones, key=lambda one: order[one.state], default=None)


def _label(name: str | None, state: FaceState | None, *, passed: bool) -> str:
    if name is None:
        return "passed over" if passed else "unknown"
    return name if state is FaceState.CONFIRMED else f"{name}?"
