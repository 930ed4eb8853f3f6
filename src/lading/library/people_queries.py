"""Reads people and faces; every count is computed when it is asked for (C6).

A face is unidentified while nobody said, and the engine does not think, whose it is, unless it was
passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from lading.library.faces import CURRENT
from lading.library.people import UnknownFace, all_persons, group_of, root_of
from lading.library.people_tables import (
    FaceState,
    face,
    face_person,
    face_scan,
    person,
    reference_image,
)
from lading.library.people_values import (
    Decision,
    FaceBox,
    FaceFacts,
    FileToScan,
    FolderOfFaces,
    GivenFile,
    KnownFace,
    Person,
    PersonSummary,
    ReferenceImage,
    StoredFace,
)
from lading.library.photo_queries import in_folder
from lading.library.photo_values import FilePlace
from lading.library.rules import ORIGINAL_ROLE
from lading.library.statements import chunked
from lading.library.tables import asset, asset_file, photo_file

_PAGE: Final = 1_000

FACES: Final = (
    select(face, face_scan.c.asset_id, face_scan.c.current, face_scan.c.name, asset.c.content_hash)
    .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
    .outerjoin(asset, asset.c.id == face_scan.c.asset_id)
)
ORIGINALS: Final = (
    asset_file.c.role == ORIGINAL_ROLE,
    asset_file.c.deleted_at.is_(None),
    asset.c.deleted_at.is_(None),
)


def files_to_scan(
    conn: Connection, source: str, digest: str, key: str | None
) -> Iterator[FileToScan]:
    """The files of a folder that no scan of this `key` looked at, each content once.

    All files without a `key`. They are read some at a time; what is scanned meanwhile is not there.
    """
    missing = or_(face_scan.c.id.is_(None), face_scan.c.key.is_(None), face_scan.c.key != key)
    query = (
        select(
            asset_file.c.asset_id,
            asset_file.c.location,
            asset_file.c.size_bytes,
            photo_file.c.mtime_ns,
            photo_file.c.inode,
            photo_file.c.path_sha256,
        )
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .join(asset, asset.c.id == asset_file.c.asset_id)
        .outerjoin(
            face_scan, and_(face_scan.c.asset_id == asset.c.id, face_scan.c.current == CURRENT)
        )
        .where(photo_file.c.source == source, in_folder(digest), *ORIGINALS)
        .order_by(photo_file.c.path_sha256)
        .limit(_PAGE)
    )
    if key is not None:
        query = query.where(missing)
    seen: set[int] = set()
    after = ""
    while True:
        rows = conn.execute(query.where(photo_file.c.path_sha256 > after)).all()
        for row in rows:
            if row.asset_id not in seen:
                seen.add(row.asset_id)
                yield FileToScan(*row[:5])
        if len(rows) < _PAGE:
            return
        after = rows[-1].path_sha256


def given_to_scan(conn: Connection, key: str) -> list[GivenFile]:
    """The files of reference images whose newest scan is not of this `key`."""
    in_use = (
        select(reference_image.c.id)
        .join_from(reference_image, face, face.c.id == reference_image.c.face_id)
        .where(face.c.scan_id == face_scan.c.id, reference_image.c.removed_at.is_(None))
        .exists()
    )
    query = (
        select(face_scan.c.id, face_scan.c.name, face_scan.c.sha256)
        .where(face_scan.c.asset_id.is_(None), in_use)
        .where(or_(face_scan.c.key.is_(None), face_scan.c.key != key))
        .order_by(face_scan.c.id)
    )
    return [GivenFile(*row) for row in conn.execute(query)]


def given_faces(conn: Connection, scan_id: int) -> list[KnownFace]:
    """The faces of a file that was given."""
    found = conn.execute(FACES.where(face.c.scan_id == scan_id).order_by(face.c.id))
    return [KnownFace(one.id, one.facts.box) for one in map(stored, found)]


def folders_to_scan(
    conn: Connection, key: str | None, source: str | None = None
) -> list[FolderOfFaces]:
    """The folders with files that no scan of this `key` looked at."""
    missing = or_(face_scan.c.id.is_(None), face_scan.c.key.is_(None), face_scan.c.key != key)
    return _folders(conn, missing if key is not None else None, source)


def folders_to_match(
    conn: Connection, settings_digest: str, *, again: bool = True, source: str | None = None
) -> list[FolderOfFaces]:
    """The folders with faces that `faces_to_match` has."""
    faces = (
        select(face.c.id)
        .where(face.c.scan_id == face_scan.c.id, to_match(settings_digest, again=again))
        .exists()
    )
    return _folders(conn, faces, source)


def _folders(
    conn: Connection, wanted: ColumnElement[bool] | None, source: str | None
) -> list[FolderOfFaces]:
    query = (
        select(photo_file.c.source, photo_file.c.folder_sha256, func.min(asset_file.c.location))
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .join(asset, asset.c.id == asset_file.c.asset_id)
        .outerjoin(
            face_scan, and_(face_scan.c.asset_id == asset.c.id, face_scan.c.current == CURRENT)
        )
        .where(*ORIGINALS)
        .group_by(photo_file.c.source, photo_file.c.folder_sha256)
    )
    if wanted is not None:
        query = query.where(wanted)
    if source is not None:
        query = query.where(photo_file.c.source == source)
    found = [
        FolderOfFaces(source_name, digest, FilePlace.at(source_name, location).folder)
        for source_name, digest, location in conn.execute(query)
    ]
    return sorted(found, key=lambda each: (each.source, each.folder))


def faces_to_match(
    conn: Connection, source: str, digest: str, settings_digest: str, *, again: bool = True
) -> list[StoredFace]:
    """The unidentified faces of a folder and, with `again`, those identified by other settings."""
    assets = (
        select(asset_file.c.asset_id)
        .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
        .join(asset, asset.c.id == asset_file.c.asset_id)
        .where(photo_file.c.source == source, in_folder(digest), *ORIGINALS)
    )
    query = FACES.where(
        face_scan.c.current == CURRENT,
        face_scan.c.asset_id.in_(assets),
        to_match(settings_digest, again=again),
    ).order_by(face.c.id)
    return [stored(row) for row in conn.execute(query)]


def unidentified_faces(conn: Connection, *, after: int = 0, limit: int = 50) -> list[StoredFace]:
    """Faces of live assets of whom nobody knows whose they are, by number."""
    query = (
        FACES.where(
            face_scan.c.current == CURRENT,
            asset.c.deleted_at.is_(None),
            unidentified(),
            face.c.id > after,
        )
        .order_by(face.c.id)
        .limit(limit)
    )
    return [stored(row) for row in conn.execute(query)]


def with_unidentified_face(conn: Connection, assets: Collection[int]) -> set[int]:
    """Which of these assets have a face that is unidentified."""
    found: set[int] = set()
    for chunk in chunked(assets):
        query = (
            select(face_scan.c.asset_id)
            .distinct()
            .join_from(face_scan, face, face.c.scan_id == face_scan.c.id)
            .where(
                face_scan.c.asset_id.in_(chunk),
                face_scan.c.current == CURRENT,
                unidentified(),
            )
        )
        found |= set(conn.scalars(query))
    return found


def asset_faces(conn: Connection, asset_id: int) -> list[StoredFace]:
    """The faces of an asset, the surest first; detached ones last."""
    query = FACES.where(face_scan.c.asset_id == asset_id)
    found = [stored(row) for row in conn.execute(query)]
    return sorted(found, key=lambda one: (one.detached, -one.facts.score, one.id))


def stored_face(conn: Connection, face_id: int) -> StoredFace:
    """One face. Raises `UnknownFace`."""
    row = conn.execute(FACES.where(face.c.id == face_id)).one_or_none()
    if row is None:
        raise UnknownFace("there is no such face", subject=f"face {face_id}")
    return stored(row)


def decisions(conn: Connection, faces: Iterable[int]) -> dict[int, list[Decision]]:
    """What is said of each face, by its number."""
    found: dict[int, list[Decision]] = {}
    for chunk in chunked(faces):
        query = select(face_person).where(face_person.c.face_id.in_(chunk))
        for row in conn.execute(query.order_by(face_person.c.face_id, face_person.c.person_id)):
            found.setdefault(row.face_id, []).append(decision_of(row))
    return found


def refused_persons(conn: Connection, faces: Iterable[int]) -> dict[int, frozenset[int]]:
    """By face, who people said it is not; those whom merged persons turned out to be."""
    persons = all_persons(conn)
    return {
        face_id: frozenset(
            root_of(persons, one.person_id) for one in said if one.state is FaceState.REFUSED
        )
        for face_id, said in decisions(conn, faces).items()
    }


def faces_of_person(
    conn: Connection, person_id: int, state: FaceState, *, limit: int = 50
) -> list[tuple[StoredFace, Decision]]:
    """The faces of a person and of those merged into them; suggestions least certain first."""
    group = group_of(all_persons(conn), person_id)
    certain = func.coalesce(face_person.c.distance, 0.0)
    query = (
        select(face_person)
        .where(face_person.c.person_id.in_(group), face_person.c.state == state, decidable())
        .order_by(certain.desc(), face_person.c.face_id)
        .limit(limit)
    )
    said = [decision_of(row) for row in conn.execute(query)]
    found: dict[int, StoredFace] = {}
    for chunk in chunked([one.face_id for one in said]):
        found |= {row.id: stored(row) for row in conn.execute(FACES.where(face.c.id.in_(chunk)))}
    return [(found[one.face_id], one) for one in said]


def reference_images(
    conn: Connection,
    person_id: int | None = None,
    *,
    kind: str | None = None,
    persons: Collection[int] | None = None,
) -> list[ReferenceImage]:
    """The reference images, by number: of everybody, or of a person and those merged into them.

    With `kind`, only those whose embeddings are of that kind; with `persons`, only those of just
    these.
    """
    live = (reference_image.c.removed_at.is_(None),)
    query = (
        FACES.join(reference_image, reference_image.c.face_id == face.c.id)
        .add_columns(reference_image.c.id.label("reference_id"), reference_image.c.person_id)
        .where(*live)
        .order_by(reference_image.c.id)
    )
    if person_id is not None:
        query = query.where(reference_image.c.person_id.in_(group_of(all_persons(conn), person_id)))
    if persons is not None:
        query = query.where(reference_image.c.person_id.in_(persons))
    if kind is not None:
        query = query.where(face.c.embedding_kind == kind)
    return [
        ReferenceImage(row.reference_id, row.person_id, stored(row)) for row in conn.execute(query)
    ]


def list_persons(conn: Connection, only: Collection[int] | None = None) -> list[PersonSummary]:
    """Everybody who was not merged into somebody, by name, with counts; or `only` some of them."""
    persons = all_persons(conn)
    asked = {each for each in persons if only is None or root_of(persons, each) in only}
    said: dict[tuple[int, str], int] = {}
    counted = (
        select(face_person.c.person_id, face_person.c.state, func.count())
        .where(face_person.c.state != FaceState.REFUSED, decidable())
        .group_by(face_person.c.person_id, face_person.c.state)
    )
    images = (
        select(reference_image.c.person_id, func.count())
        .where(reference_image.c.removed_at.is_(None))
        .group_by(reference_image.c.person_id)
    )
    if only is not None:
        counted = counted.where(face_person.c.person_id.in_(asked))
        images = images.where(reference_image.c.person_id.in_(asked))
    for person_id, state, count in conn.execute(counted):
        key = root_of(persons, person_id), state
        said[key] = said.get(key, 0) + count
    for person_id, count in conn.execute(images):
        key = root_of(persons, person_id), "references"
        said[key] = said.get(key, 0) + count
    roots = sorted(
        (persons[each] for each in asked if persons[each].merged_into is None),
        key=lambda each: (each.name.casefold(), each.id),
    )
    return [
        PersonSummary(
            person=each,
            confirmed=said.get((each.id, FaceState.CONFIRMED), 0),
            suggested=said.get((each.id, FaceState.SUGGESTED), 0),
            references=said.get((each.id, "references"), 0),
        )
        for each in roots
    ]


def merged_into(conn: Connection, person_id: int) -> list[Person]:
    """Who was merged into somebody, directly, by name."""
    query = select(person.c.id).where(person.c.merged_into == person_id).order_by(person.c.name)
    persons = all_persons(conn)
    return [persons[each] for each in conn.scalars(query)]


def decidable() -> ColumnElement[bool]:
    """That what is said of a face is no suggestion about a photo that is in the trash."""
    alive = (
        select(face.c.id)
        .join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        .outerjoin(asset, asset.c.id == face_scan.c.asset_id)
        .where(face.c.id == face_person.c.face_id, asset.c.deleted_at.is_(None))
        .exists()
    )
    return or_(face_person.c.state != FaceState.SUGGESTED, alive)


def unidentified() -> ColumnElement[bool]:
    """That nobody knows whose a face is, and it waits for a name."""
    said = _not_said(FaceState.CONFIRMED, FaceState.SUGGESTED)
    return and_(face.c.passed_over_at.is_(None), said)


def _not_said(*states: FaceState) -> ColumnElement[bool]:
    return ~(
        select(face_person.c.face_id)
        .where(face_person.c.face_id == face.c.id, face_person.c.state.in_(states))
        .exists()
    )


def to_match(settings_digest: str, *, again: bool) -> ColumnElement[bool]:
    """What holds for unidentified faces and, with `again`, those identified by other settings."""
    if not again:
        return unidentified()
    by_these = (
        select(face_person.c.face_id)
        .where(
            face_person.c.face_id == face.c.id,
            face_person.c.state == FaceState.SUGGESTED,
            face_person.c.settings_digest == settings_digest,
        )
        .exists()
    )
    return and_(face.c.passed_over_at.is_(None), _not_said(FaceState.CONFIRMED), ~by_these)


def stored(row: Row[Any]) -> StoredFace:
    """A row of `FACES`."""
    facts = FaceFacts(
        box=FaceBox(row.box_left, row.box_top, row.box_width, row.box_height),
        score=row.score,
        side_px=row.side_px,
        sharpness=row.sharpness,
        roll_degrees=row.roll_degrees,
        turn=row.turn,
        embedding_kind=row.embedding_kind,
        embedding=bytes(row.embedding),
    )
    detached = row.asset_id is not None and row.current != CURRENT
    return StoredFace(
        row.id, row.scan_id, row.asset_id, row.content_hash, row.name, facts, detached
    )


def decision_of(row: Row[Any]) -> Decision:
    """A row of what is said of faces."""
    return Decision(
        face_id=row.face_id,
        person_id=row.person_id,
        state=FaceState(row.state),
        scan_id=row.scan_id,
        reference_id=row.reference_id,
        distance=row.distance,
        margin=row.margin,
        rule=row.rule,
        settings_digest=row.settings_digest,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
