"""Tells whose the unidentified faces of a folder are, for one person: the job that does it.

Each face is compared with everybody, as it is taken for the person only when nobody else is nearly
as near; what is written is about that person alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from lading.base.progress import Progress
from lading.base.steps import FaceStep, reach
from lading.db import Database
from lading.jobs.context import JobContext, JobResult
from lading.library.faces import save_suggestions
from lading.library.people import all_persons, group_of, require_person, root_of
from lading.library.people_queries import faces_to_match, reference_images, refused_persons
from lading.library.people_values import Person, ReferenceImage, StoredFace, Suggestion
from lading.library.statements import chunked
from lading.media.faces.engine import Embedding
from lading.media.faces.matching import FaceToMatch, KnownPersons, Reference, match
from lading.media.faces.rules import Id, Match
from lading.media.faces.settings import MatchingSettings
from lading.people.adopted import settings_held

_FACES_AT_ONCE: Final = 1_000


class Everybody:
    """The reference images of all persons; those who were merged count as one.

    Embeddings of different kinds are never compared: a face sees the references of its own kind.
    """

    def __init__(self, persons: Mapping[int, Person], references: Sequence[ReferenceImage]) -> None:
        self._persons = persons
        self.person_of = {one.id: one.person_id for one in references}
        by_kind: dict[str, list[Reference]] = {}
        for one in references:
            embedding = embedding_of(one.face)
            root = root_of(persons, one.person_id)
            by_kind.setdefault(embedding.kind, []).append(Reference(one.id, root, embedding))
        self._known = {kind: KnownPersons(group) for kind, group in by_kind.items()}

    @classmethod
    def read(cls, conn: Connection) -> Everybody:
        """As the library has them now."""
        return cls(all_persons(conn), reference_images(conn))

    def group(self, person_id: int) -> set[int]:
        """A person and those merged into them."""
        return group_of(self._persons, person_id)

    def match(self, faces: Iterable[FaceToMatch], settings: MatchingSettings) -> Iterator[Match]:
        """The verdict for each face, those of one kind of embedding after the other."""
        by_kind: dict[str, list[FaceToMatch]] = {}
        for face in faces:
            by_kind.setdefault(face.embedding.kind, []).append(face)
        for kind, group in by_kind.items():
            yield from match(group, self._known.get(kind) or KnownPersons([]), settings)


def embedding_of(face: StoredFace) -> Embedding:
    """The embedding of a face of the library."""
    return Embedding(face.facts.embedding_kind, face.facts.embedding)


def match_folder(db: Database, context: JobContext) -> JobResult:
    """Match the faces of the folder that the job names, for the person it names.

    Raises `UnknownPerson`, `MissingExtra`, `LeaseLost`, `Interrupted`.
    """
    params = context.claim.params
    source, digest = str(params["source"]), str(params["digest"])
    with db.read() as conn:
        settings = settings_held(conn).settings.matching
        everybody = Everybody.read(conn)
        persons = all_persons(conn)
        whom = root_of(persons, require_person(conn, int(params["person"])).id)
        again = bool(params.get("again", True))
        faces = faces_to_match(conn, source, digest, settings.digest, again=again)
        refused = refused_persons(conn, [face.id for face in faces])
    done = 0
    for chunk in chunked(faces, _FACES_AT_ONCE):
        context.stop.check()
        suggestions = suggested(everybody, chunk, refused, settings, whom)
        done += len(chunk)
        context.run(
            partial(_write, [face.id for face in chunk], suggestions, everybody.group(whom)),
            Progress(items_done=done, items_total=len(faces), current=str(params["folder"])),
        )
        reach(FaceStep.MATCHES_COMMITTED)
    return JobResult()


def suggested(
    everybody: Everybody,
    faces: Sequence[StoredFace],
    refused: Mapping[int, frozenset[int]],
    settings: MatchingSettings,
    whom: int,
) -> list[Suggestion]:
    """Which of these faces are taken for this person's."""
    asked = (
        FaceToMatch(
            face.id,
            embedding_of(face),
            face.facts.side_px,
            face.facts.score,
            _ids(refused.get(face.id, ())),
        )
        for face in faces
    )
    found = []
    scans = {face.id: face.scan_id for face in faces}
    for verdict in everybody.match(asked, settings):
        nearest = verdict.nearest
        if verdict.person != whom or nearest is None:
            continue
        reference = int(nearest.reference)
        found.append(
            Suggestion(
                face_id=int(verdict.measured.face),
                scan_id=scans[int(verdict.measured.face)],
                person_id=everybody.person_of[reference],
                reference_id=reference,
                distance=nearest.distance,
                margin=verdict.margin,
                rule=verdict.rule.value,
                settings_digest=settings.digest,
            )
        )
    return found


def _ids(persons: Iterable[int]) -> frozenset[Id]:
    return frozenset(persons)


def _write(
    compared: list[int], suggestions: list[Suggestion], group: set[int], conn: Connection
) -> int:
    saved = save_suggestions(conn, compared, suggestions, group)
    reach(FaceStep.MATCHES_WRITTEN)
    return saved
