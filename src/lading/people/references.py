"""Reference images of persons: given as files, and judged.

A file that is given is kept in the store under its hash, and its face beside those of photos.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sqlalchemy import Connection

from lading.base.errors import SourceError
from lading.base.progress import Progress
from lading.base.units import format_count
from lading.jobs.context import JobContext, JobResult
from lading.library.faces import save_given, save_given_again
from lading.library.people import add_reference, all_persons, person_meant, root_of
from lading.library.people_queries import given_faces, given_to_scan, reference_images
from lading.library.people_values import ReferenceImage, ScanFacts
from lading.media.derive import FileAt
from lading.media.errors import MediaUnreadable
from lading.media.faces.engine import Box, Detected
from lading.media.faces.references import Advice, ReferenceFace, review, typical_distances
from lading.media.faces.scanning import detection_of
from lading.people.adopted import settings_held
from lading.people.detecting import scan_facts
from lading.people.errors import ReferenceUnclear
from lading.people.matching import embedding_of
from lading.people.people import People
from lading.people.rules import same_faces
from lading.storage.roots import SafeRoot, source_fault

T = TypeVar("T")

FILE_BYTES_MAX = 256 * 1024 * 1024
_NAME_CHARS_MAX = 100
_NAME_BYTES_MAX = 200


def add_reference_file(
    people: People,
    name: str,
    path: str,
    *,
    actor: str,
    face_number: int | None = None,
    dry_run: bool = False,
) -> int:
    """Recognise a person by the face in a file; the number of the reference image.

    `face_number` says which face, 1 for the surest, where there are several. With `dry_run` the
    file is not stored; a `rehearsal` undoes the rest. Raises `UnknownPerson`, `ReferenceUnclear`,
    and as `FaceScanner.scan` and `SafeRoot.open` do.
    """
    folder, file_name = os.path.split(os.path.abspath(path))
    with people.db.read() as conn:
        person_meant(conn, name)
    with SafeRoot(folder) as root:
        data = _bytes_of(root, file_name)
        facts = _scan(people, FileAt(str(root.path), file_name))
    _require_face(len(facts.faces), file_name, face_number)
    sha256 = _keep(people, data, dry_run=dry_run)

    def write(conn: Connection) -> int:
        ids = save_given(conn, file_name, sha256, facts)
        whom = person_meant(conn, name)
        return add_reference(conn, whom, ids[(face_number or 1) - 1], actor=actor)

    return people.db.run(write)


def take_picture(
    people: People,
    name: str,
    data: bytes,
    then: Callable[[Connection, list[int]], T],
    *,
    dry_run: bool = False,
) -> T:
    """Keep a picture that was given, with its faces; what `then` makes of their numbers.

    The surest comes first, and any may be made a reference image, also later. With `dry_run` the
    picture is not stored; a `rehearsal` undoes the rest. Raises `ReferenceUnclear` where no face is
    found, and as `FaceScanner.scan` does.
    """
    name = _file_name(name)
    with TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        facts = _scan(people, FileAt(folder, name))
    _require_face(len(facts.faces), name, 1)
    sha256 = _keep(people, data, dry_run=dry_run)
    return people.db.run(lambda conn: then(conn, save_given(conn, name, sha256, facts)))


def _scan(people: People, where: FileAt) -> ScanFacts:
    """The faces of a file that was given. Raises what is wrong with it."""
    with people.db.read() as conn:
        settings = settings_held(conn).settings.detection
    with people.processes.scanner(settings) as scanner:
        ((_, outcome),) = scanner.scan([where])
    if isinstance(outcome, SourceError):
        raise outcome
    return scan_facts(outcome, settings, detection_of(settings))


def _keep(people: People, data: bytes, *, dry_run: bool) -> str:
    """Put a file in the store, unless it is there; its hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    if not dry_run:
        key = reference_key(sha256)
        people.store.put(key, iter([data]), sha256=sha256, owner="references", if_absent=True)
    return sha256


def _file_name(given: str) -> str:
    """The last part of a name that a stranger gave, as a file may be called."""
    name = "".join(each for each in given.rpartition("/")[2] if each.isprintable())
    name = name.rpartition("\\")[2].strip().lstrip(".")[:_NAME_CHARS_MAX]
    # A name has a limit in bytes on disks, and three of four may be one character.
    return name if name and len(name.encode()) <= _NAME_BYTES_MAX else "picture"


def renew_reference_files(people: People, context: JobContext) -> JobResult:
    """Measure the reference images that were given as files anew, where engine or settings changed.

    Raises `ObjectMissing`, `BrokenFaceEngine`, `UnknownFaceEngine`, `MissingExtra`, `LeaseLost`,
    and `Interrupted` between two files.
    """
    with people.db.read() as conn:
        settings = settings_held(conn).settings.detection
        how = detection_of(settings)
        files = given_to_scan(conn, how.key)

    def beat() -> None:
        context.stop.check()
        context.report(context.progress or Progress(items_total=len(files)))

    with TemporaryDirectory() as folder, people.processes.scanner(settings, beat) as scanner:
        for done, file in enumerate(files, 1):
            context.stop.check()
            path = Path(folder) / file.sha256
            path.write_bytes(b"".join(people.store.get(reference_key(file.sha256))))
            ((_, outcome),) = scanner.scan([FileAt(folder, file.sha256)])
            path.unlink()
            if isinstance(outcome, SourceError) and not isinstance(outcome, MediaUnreadable):
                raise outcome
            facts = scan_facts(outcome, settings, how)
            progress = Progress(items_done=done, items_total=len(files), current=file.name)
            context.run(partial(_save_again, file.scan_id, facts), progress)
    return JobResult()


def _save_again(scan_id: int, facts: ScanFacts, conn: Connection) -> None:
    known = [(one.face_id, Box(*one.box)) for one in given_faces(conn, scan_id)]
    same = same_faces([Box(*one.box) for one in facts.faces], known)
    save_given_again(conn, scan_id, facts, same)


def reference_key(sha256: str) -> str:
    """Where in the store the file of a reference image is."""
    return f"references/{sha256[:2]}/{sha256}"


def _bytes_of(root: SafeRoot, name: str) -> bytes:
    with root.open(name) as file:
        try:
            data = bytes(file.read(FILE_BYTES_MAX + 1) or b"")
        except OSError as error:
            raise source_fault(error, name) from error
    if len(data) > FILE_BYTES_MAX:
        raise ReferenceUnclear(
            "the file is too large for a reference image",
            subject=name,
            expected=f"at most {FILE_BYTES_MAX} bytes",
        )
    return data


def _require_face(count: int, name: str, number: int | None) -> None:
    if count == 0 or (number is None and count > 1) or (number or 1) > count:
        raise ReferenceUnclear(
            "it cannot be told which face is meant" if count else "no face was found in it",
            subject=name,
            expected="one face" if number is None else f"at least {format_count(number, 'face')}",
            found=format_count(count, "face"),
        )


def advice_on(conn: Connection, person_id: int) -> tuple[Advice, ...]:
    """What is to be said of a person's reference images, gravest first.

    Images of different kinds of embedding are not compared with each other.
    """
    settings = settings_held(conn).settings.matching
    own, others = _own_and_others(conn, person_id)
    kinds = sorted({one.face.embedding.kind for one in own})
    if len(kinds) < 2:
        return review(own, _of_kind(others, kinds), settings=settings)
    newest = own[-1].face.embedding.kind
    return review(_of_kind(own, [newest]), _of_kind(others, [newest]), settings=settings)


def weakest_reference(conn: Connection, person_id: int) -> tuple[int, float] | None:
    """The reference image that is farthest from the person's others, and how far typically."""
    far = next(iter(typical_of(conn, [person_id]).values()), None)
    return max(far.items(), key=lambda pair: pair[1]) if far else None


def typical_of(conn: Connection, persons: Collection[int]) -> dict[int, dict[int, float]]:
    """By person, how far each of their reference images typically is from their others.

    Those of other kinds than the newest are left out, as nothing can be compared with them.
    """
    everybody = all_persons(conn)
    groups = {root_of(everybody, each) for each in persons}
    wanted = [each for each in everybody if root_of(everybody, each) in groups]
    of: dict[int, list[ReferenceFace]] = {}
    for image in reference_images(conn, persons=wanted):
        of.setdefault(root_of(everybody, image.person_id), []).append(reference_face(image))
    found = {}
    for person_id, own in of.items():
        newest = own[-1].face.embedding.kind
        typical = typical_distances(_of_kind(own, [newest]))
        found[person_id] = {int(reference): far for reference, far in typical.items()}
    return found


def _own_and_others(
    conn: Connection, person_id: int
) -> tuple[list[ReferenceFace], list[ReferenceFace]]:
    persons = all_persons(conn)
    root = root_of(persons, person_id)
    own: list[ReferenceFace] = []
    others: list[ReferenceFace] = []
    for image in reference_images(conn):
        mine = root_of(persons, image.person_id) == root
        (own if mine else others).append(reference_face(image))
    return own, others


def reference_face(image: ReferenceImage) -> ReferenceFace:
    """A reference image as it is judged."""
    facts = image.face.facts
    face = Detected(
        Box(*facts.box),
        facts.score,
        facts.side_px,
        facts.sharpness,
        facts.roll_degrees,
        facts.turn,
        embedding_of(image.face),
    )
    return ReferenceFace(image.id, image.person_id, face)


def _of_kind(faces: Iterable[ReferenceFace], kinds: list[str]) -> list[ReferenceFace]:
    return [one for one in faces if one.face.embedding.kind in kinds]
