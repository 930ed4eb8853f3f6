"""Faces as pages and the API show them: the picture, the photo it is in, and why whom.

A page of faces costs a constant number of statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from lading.console.readers.face_files import face_alt, face_picture_url
from lading.console.readers.library import asset_url
from lading.library.face_lists import locations
from lading.library.people_tables import FaceState
from lading.library.people_values import Decision, StoredFace
from lading.media.faces.rules import Candidate, Match, Measured, Rule, Verdict, explain
from lading.media.faces.settings import MatchingSettings
from lading.people.adopted import settings_held, settings_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceLine:
    """A face. `why` says what the engine went by; `person_id` and `state` what is said of it."""

    face: StoredFace
    picture_url: str
    alt: str
    file_name: str
    folder: str
    asset_url: str | None
    person_id: int | None = None
    state: FaceState | None = None
    distance: float | None = None
    margin: float | None = None
    reference: int | None = None
    why: str | None = None
    by: str | None = None
    at: datetime | None = None

    @property
    def id(self) -> int:
        """Its number."""
        return self.face.id


class Explaining:
    """Says why faces were taken for somebody's, by the settings that held then."""

    def __init__(self, conn: Connection) -> None:
        held = settings_held(conn).settings.matching
        self._known = {held.digest: held}
        self._conn = conn
        self._all_known = False

    def why(self, face: StoredFace, said: Decision) -> str | None:
        """By which distance, margin and rule; None where the engine did not say whose it is."""
        if said.distance is None or said.rule is None or said.reference_id is None:
            return None
        settings = self._settings(said.settings_digest or "")
        if settings is None:
            return f"The nearest person was {said.distance:.3f} away, by settings of before."
        candidates = [Candidate(said.person_id, said.reference_id, said.distance, 0.0)]
        if said.margin is not None:
            candidates.append(Candidate("next", "", said.distance + said.margin, said.margin))
        measured = Measured(face.id, face.facts.side_px, face.facts.score, tuple(candidates))
        return explain(Match(measured, Verdict.RECOGNISED, Rule(said.rule)), settings)

    def _settings(self, digest: str) -> MatchingSettings | None:
        if digest not in self._known and not self._all_known:
            for version in settings_versions(self._conn):
                matching = version.settings.matching
                self._known.setdefault(matching.digest, matching)
            self._all_known = True
        return self._known.get(digest)


def face_lines(conn: Connection, faces: Sequence[StoredFace]) -> list[FaceLine]:
    """Faces of which nothing is to be told but where they are."""
    places = _places(conn, faces)
    return [_line(one, places) for one in faces]


def said_lines(
    conn: Connection, faces: Sequence[tuple[StoredFace, Decision]], names: Mapping[int, str]
) -> list[FaceLine]:
    """Faces with what is said of them and a person; `names` has those by number."""
    places = _places(conn, (face for face, _ in faces))
    explaining = Explaining(conn)
    return [_line(face, places, said, names, explaining) for face, said in faces]


def _places(conn: Connection, faces: Iterable[StoredFace]) -> dict[int, str]:
    return locations(conn, (one.asset_id for one in faces if one.asset_id is not None))


def _line(
    one: StoredFace,
    places: Mapping[int, str],
    said: Decision | None = None,
    names: Mapping[int, str] | None = None,
    explaining: Explaining | None = None,
) -> FaceLine:
    where = places.get(one.asset_id or 0, one.name or "")
    folder, _, file_name = where.rpartition("/")
    url = face_picture_url(one.id, one.scan_id, one.facts.box)
    asset = None if one.content_hash is None else asset_url(one.content_hash)
    if said is None or explaining is None:
        return FaceLine(
            face=one,
            picture_url=url,
            alt=face_alt(file_name),
            file_name=file_name,
            folder=folder,
            asset_url=asset,
        )
    name = (names or {}).get(said.person_id)
    return FaceLine(
        face=one,
        picture_url=url,
        alt=face_alt(file_name, name, sure=said.state is FaceState.CONFIRMED),
        file_name=file_name,
        folder=folder,
        asset_url=asset,
        person_id=said.person_id,
        state=said.state,
        distance=said.distance,
        margin=said.margin,
        reference=said.reference_id,
        why=explaining.why(one, said),
        by=said.decided_by,
        at=said.decided_at,
    )
