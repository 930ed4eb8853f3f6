"""Tries settings for faces on one file or folder, without writing anything of the library (C9).

A run keeps what it measured, so that other thresholds are judged by its distances, and no file is
looked into again. It says of a face what matching would say: persons that people refused for it are
left out there, and so they are here.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from lading.base.errors import InternalError, SourceError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.jobs.context import JobContext, JobResult
from lading.jobs.values import NewJob
from lading.library.people import all_persons, find_person, require_person, root_of
from lading.library.people_counts import (
    confirmed_faces,
    count_confirmed,
    faces_of_assets,
    reference_faces,
)
from lading.library.people_queries import decisions, files_to_scan
from lading.library.people_tables import FaceState, face_lab_run, face_settings
from lading.library.people_values import FaceFacts, FileToScan
from lading.library.photo_values import FilePlace
from lading.library.statements import moment
from lading.media.derive import FileAt
from lading.media.faces.engine import Box, Embedding
from lading.media.faces.matching import FaceToMatch
from lading.media.faces.rules import Change, Distances, Id, Measured, distances_of
from lading.media.faces.scanning import Scanned
from lading.media.faces.settings import FaceSettings, MatchingSettings
from lading.people.adopted import settings_held
from lading.people.detecting import face_facts, is_as_recorded
from lading.people.errors import LabTooLarge, NotAsTakenIn, UnknownLabRun
from lading.people.lab_values import (
    NO_PAIRS,
    LabFace,
    LabFile,
    LabPairs,
    LabResult,
    LabRun,
    is_about,
)
from lading.people.matching import Everybody
from lading.people.people import People
from lading.people.rules import same_faces
from lading.storage.roots import SafeRoot

LAB_JOB_KIND: Final = "people.lab"
FILES_MAX: Final = 500
FACES_MAX: Final = 10_000
"""Of a run: what is kept of them has to fit into a row."""
CONFIRMED_MAX: Final = 2_000
"""So many faces that people confirmed are compared; of more, evenly chosen ones."""
RUNS_KEPT: Final = 100
_PRIORITY: Final = 3
"""Before imports: somebody waits for it."""


def start_run(
    people: People,
    source: str,
    folder: str,
    settings: FaceSettings,
    *,
    actor: str,
    file_name: str | None = None,
    persons: Sequence[str | int] = (),
    enqueue: bool = True,
) -> int:
    """Note what is to be tried, and put it in line as a job; the number of the run.

    It is about `persons`, by number or name, or about everybody. Of earlier runs the newest are
    kept, and those whose settings were adopted. Raises `NotPhotos`, `UnknownPerson`, and
    `LabTooLarge` for a folder without files or with too many.
    """
    people.root(source)
    with people.db.read() as conn:
        _files(conn, source, folder, file_name)
        known = all_persons(conn)
        # A number is never taken for a name: somebody may be called 7.
        found = [
            require_person(conn, one) if isinstance(one, int) else find_person(conn, one)
            for one in persons
        ]
        chosen = sorted({root_of(known, one.id) for one in found})

    def write(conn: Connection) -> int:
        row = {
            "source": source,
            "folder": folder,
            "file_name": file_name,
            "settings": json.dumps(settings.as_dict(), sort_keys=True),
            "persons": json.dumps(chosen) if chosen else None,
            "created_by": actor[:190],
            "created_at": moment(conn),
        }
        key = conn.execute(insert(face_lab_run).values(**row)).inserted_primary_key
        if key is None:
            raise InternalError("a lab run has no number")
        _forget_old(conn)
        if enqueue:
            job = NewJob(
                LAB_JOB_KIND,
                params={"run": int(key[0])},
                priority=_PRIORITY,
                active_key=job_key(int(key[0])),
            )
            people.queue.enqueue(conn, [job], actor=actor)
        return int(key[0])

    return people.db.run(write)


def job_key(run_id: int) -> str:
    """What the job of a run is known by."""
    return f"{LAB_JOB_KIND}:{run_id}"


def run_lab_job(people: People, context: JobContext) -> JobResult:
    """The handler of these jobs. Raises as `run_lab` does."""
    run_lab(people, int(context.claim.params["run"]), stop=context.stop, report=context.report)
    return JobResult()


def run_lab(
    people: People,
    run_id: int,
    *,
    stop: StopSignal,
    report: Callable[[Progress], None] = lambda _: None,
) -> LabRun:
    """Look into the files of a run, compare their faces with everybody, and keep the result.

    Raises `UnknownLabRun`, `LabTooLarge`, `RootMissing`, `BrokenFaceEngine`, `UnknownFaceEngine`,
    `MissingExtra`, `Interrupted`.
    """
    run = lab_run(people, run_id)
    with people.db.read() as conn:
        files = _files(conn, run.source, run.folder, run.file_name)
        everybody = Everybody.read(conn)
    look = _Look(files, stop, report)
    with SafeRoot(people.root(run.source)) as root:
        root.identity()
        with people.processes.scanner(run.settings.detection, look.beat) as scanner:
            for where, outcome in scanner.scan(look.wanted(root)):
                look.take(root, where.relative, outcome)
    with people.db.read() as conn:
        known = _known(conn, look.faces)
        pairs = _confirmed_pairs(conn, everybody, run)
    told, others = _judged(look.faces, known, everybody, run)
    result = LabResult(
        tuple(look.looked), told, others, pairs, look.seconds_each, people.processes.processes
    )
    people.db.run(partial(_finish, run_id, result.as_text()))
    return lab_run(people, run_id)


@dataclass
class _Look:
    """The files of a run while they are looked into; `faces` is what was found so far."""

    files: list[FileToScan]
    stop: StopSignal
    report: Callable[[Progress], None]
    looked: list[LabFile] = field(default_factory=list)
    faces: list[tuple[FileToScan, FaceFacts]] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._by_location = {file.location: file for file in self.files}

    def wanted(self, root: SafeRoot) -> Iterator[FileAt]:
        for file in self.files:
            self.stop.check()
            if len(self.faces) >= FACES_MAX:
                words = f"lab_too_large: {FACES_MAX:,} faces were found before it"
                self._note(LabFile(file.location, error=words, asset_id=file.asset_id))
            elif is_as_recorded(root, file):
                yield FileAt(str(root.path), file.location)
            else:
                self._fail(file, _changed(file))

    def take(self, root: SafeRoot, location: str, outcome: Scanned | SourceError) -> None:
        file = self._by_location[location]
        self._times.append(time.monotonic())
        if not isinstance(outcome, SourceError) and not is_as_recorded(root, file):
            outcome = _changed(file)
        if isinstance(outcome, SourceError):
            self._fail(file, outcome)
            return
        self.faces.extend((file, face_facts(found)) for found in outcome.faces)
        seen = LabFile(location, outcome.width, outcome.height, asset_id=file.asset_id)
        self._note(seen)

    def beat(self) -> None:
        """A file may take long, and a stop is not to wait for it."""
        self.stop.check()
        self.report(self._progress())

    @property
    def seconds_each(self) -> float | None:
        """How long a file took; what it takes to load the engine is not in it, given two files."""
        if len(self._times) > 1:
            return (self._times[-1] - self._times[0]) / (len(self._times) - 1)
        return self._times[0] - self._began if self._times else None

    def _fail(self, file: FileToScan, error: SourceError) -> None:
        words = f"{error.code}: {error.message}"
        self._note(LabFile(file.location, error=words, asset_id=file.asset_id))

    def _note(self, file: LabFile) -> None:
        self.looked.append(file)
        self.report(self._progress())

    def _progress(self) -> Progress:
        failed = sum(file.error is not None for file in self.looked)
        return Progress(
            items_done=len(self.looked) - failed,
            items_failed=failed,
            items_total=len(self.files),
            current=self.looked[-1].name if self.looked else "",
        )


def _changed(file: FileToScan) -> NotAsTakenIn:
    return NotAsTakenIn(
        "it is not there, or not as it was when it was taken in", subject=file.location
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What the library knows of a face at the place of one of a run."""

    face_id: int
    confirmed: int | None
    refused: frozenset[Id]
    reference: bool


def lab_run(people: People, run_id: int) -> LabRun:
    """A run as it stands. Raises `UnknownLabRun`."""
    with people.db.read() as conn:
        row = conn.execute(select(face_lab_run).where(face_lab_run.c.id == run_id)).one_or_none()
    if row is None:
        raise UnknownLabRun("there is no such lab run", subject=f"run {run_id}")
    run = _run(row)
    return replace(run, result=LabResult.from_text(row.result)) if row.result else run


def list_runs(conn: Connection, *, before: int | None = None, limit: int = 50) -> list[LabRun]:
    """Runs without their results, the newest first."""
    columns = [column for column in face_lab_run.c if column.name != "result"]
    query = select(*columns).order_by(face_lab_run.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(face_lab_run.c.id < before)
    return [_run(row) for row in conn.execute(query)]


def finished_run(people: People, run_id: int) -> LabRun:
    """A run that has a result. Raises `UnknownLabRun`."""
    run = lab_run(people, run_id)
    if not run.finished:
        raise UnknownLabRun("the lab run has no result yet", subject=f"run {run_id}")
    return run


def compared_with_held(people: People, run: LabRun, after: MatchingSettings) -> list[Change]:
    """What another setting changes against those that hold now."""
    with people.db.read() as conn:
        before = settings_held(conn).settings.matching
    return run.changes(before, after)


def _run(row: Row[Any]) -> LabRun:
    return LabRun(
        row.id,
        row.source,
        row.folder,
        row.file_name,
        FaceSettings.from_dict(json.loads(row.settings)),
        tuple(json.loads(row.persons)) if row.persons else None,
        row.created_by,
        row.created_at,
        row.finished_at,
    )


def _files(conn: Connection, source: str, folder: str, file_name: str | None) -> list[FileToScan]:
    digest = FilePlace(source, folder, "").folder_sha256
    found = []
    for file in files_to_scan(conn, source, digest, None):
        if file_name in (None, FilePlace.at(source, file.location).name):
            found.append(file)
        if len(found) > FILES_MAX:
            break
    if not 0 < len(found) <= FILES_MAX:
        raise LabTooLarge(
            "settings cannot be tried on this",
            subject=folder if file_name is None else FilePlace(source, folder, file_name).location,
            expected=f"1 to {FILES_MAX} pictures or videos of the library",
            found="none" if not found else f"more than {FILES_MAX}",
        )
    return found


def _known(conn: Connection, faces: list[tuple[FileToScan, FaceFacts]]) -> Mapping[int, _Known]:
    """By the number of a face, the face of the library at its place and what is said of it."""
    by_asset: dict[int, list[int]] = {}
    for number, (file, _) in enumerate(faces):
        by_asset.setdefault(file.asset_id, []).append(number)
    there = faces_of_assets(conn, by_asset)
    at: dict[int, int] = {}
    for asset_id, numbers in by_asset.items():
        boxes = [Box(*faces[number][1].box) for number in numbers]
        known = [(one.face_id, Box(*one.box)) for one in there.get(asset_id, ())]
        at |= {numbers[place]: face for place, face in same_faces(boxes, known).items()}
    persons = all_persons(conn)
    said = decisions(conn, at.values())
    references = reference_faces(conn, at.values())

    def roots(face_id: int, state: FaceState) -> Iterator[int]:
        own = said.get(face_id, ())
        return (root_of(persons, one.person_id) for one in own if one.state is state)

    return {
        number: _Known(
            face_id,
            next(roots(face_id, FaceState.CONFIRMED), None),
            frozenset(roots(face_id, FaceState.REFUSED)),
            face_id in references,
        )
        for number, face_id in at.items()
    }


def _judged(
    faces: list[tuple[FileToScan, FaceFacts]],
    known: Mapping[int, _Known],
    everybody: Everybody,
    run: LabRun,
) -> tuple[tuple[LabFace, ...], int]:
    """The faces that the run is about with their nearest persons, and how many others there are."""
    nobody = _Known(0, None, frozenset(), False)
    asked = (
        FaceToMatch(
            number,
            Embedding(one.embedding_kind, one.embedding),
            one.side_px,
            one.score,
            known.get(number, nobody).refused,
        )
        for number, (_, one) in enumerate(faces)
    )
    measured = _measured(everybody, asked)
    told = []
    for number, (file, one) in enumerate(faces):
        here = known.get(number, nobody)
        if is_about(measured[number], here.confirmed, run.persons):
            told.append(
                LabFace(
                    file.location,
                    one.box,
                    measured[number],
                    here.confirmed,
                    here.face_id or None,
                    here.reference,
                )
            )
    return tuple(told), len(faces) - len(told)


def _confirmed_pairs(conn: Connection, everybody: Everybody, run: LabRun) -> LabPairs:
    """How far faces lie that people confirmed, of the persons of the run or of all."""
    group = None
    if run.persons is not None:
        group = {number for person in run.persons for number in everybody.group(person)}
    count = count_confirmed(conn, group)
    if not count:
        return NO_PAIRS
    persons = all_persons(conn)
    confirmed: dict[Id, Id] = {}
    asked = []
    for one in confirmed_faces(conn, group, each=math.ceil(count / CONFIRMED_MAX)):
        confirmed[one.face_id] = root_of(persons, one.person_id)
        embedding = Embedding(one.embedding_kind, one.embedding)
        asked.append(FaceToMatch(one.face_id, embedding, one.side_px, one.score))
    found = distances_of(_measured(everybody, asked).values(), confirmed)
    ordered = Distances(tuple(sorted(found.same)), tuple(sorted(found.different)))
    return LabPairs(ordered, len(asked), count)


def _measured(everybody: Everybody, asked: Iterable[FaceToMatch]) -> dict[Any, Measured]:
    """By the number of a face, its nearest persons; verdicts follow from that."""
    found = everybody.match(asked, MatchingSettings())
    return {each.measured.face: each.measured for each in found}


def _forget_old(conn: Connection) -> None:
    """Delete the runs before the newest, but for those that settings were adopted from."""
    newest = select(face_lab_run.c.id).order_by(face_lab_run.c.id.desc())
    last = conn.execute(newest.offset(RUNS_KEPT).limit(1)).scalar()
    if last is None:
        return
    adopted = select(face_settings.c.lab_run_id).where(face_settings.c.lab_run_id.is_not(None))
    conn.execute(
        delete(face_lab_run).where(face_lab_run.c.id <= last, face_lab_run.c.id.not_in(adopted))
    )


def _finish(run_id: int, result: str, conn: Connection) -> None:
    conn.execute(
        update(face_lab_run)
        .where(face_lab_run.c.id == run_id)
        .values(result=result, finished_at=moment(conn))
    )
