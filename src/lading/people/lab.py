"""Tries settings for faces on one file or folder, without writing anything of the library (C9).

A run keeps what it measured, so that other thresholds are judged by its distances, and no file is
looked into again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from lading.base.errors import InternalError, SourceError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.jobs.context import JobContext, JobResult
from lading.jobs.values import NewJob
from lading.library.people import all_persons, root_of
from lading.library.people_queries import asset_faces, decisions, files_to_scan
from lading.library.people_tables import FaceState, face_lab_run
from lading.library.people_values import FaceBox, FaceFacts, FileToScan
from lading.library.photo_values import FilePlace
from lading.library.statements import moment
from lading.media.derive import FileAt
from lading.media.faces.engine import Box, Embedding
from lading.media.faces.matching import FaceToMatch
from lading.media.faces.rules import Candidate, Change, Id, Match, Measured, changed_by, judge
from lading.media.faces.scanning import Scanned
from lading.media.faces.settings import FaceSettings, MatchingSettings
from lading.people.adopted import Adopted, adopt_settings, settings_held
from lading.people.detecting import face_facts
from lading.people.errors import LabTooLarge, UnknownLabRun
from lading.people.matching import Everybody
from lading.people.people import People
from lading.people.rules import same_faces

LAB_JOB_KIND: Final = "people.lab"
FILES_MAX: Final = 500
_PRIORITY: Final = 3
"""Before imports: somebody waits for it."""


@dataclass(frozen=True, slots=True)
class LabFace:
    """A face of a run: where it is, its measures and nearest persons, and who people said it is.

    `measured.face` is its number in the run, which counts through all files.
    """

    file: str
    box: FaceBox
    measured: Measured
    confirmed: int | None


@dataclass(frozen=True, slots=True)
class LabFile:
    """A file of a run: the size in pixels of the picture looked at, or what is wrong with it."""

    name: str
    width: int | None = None
    height: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LabRun:
    """What was tried on what, and what came out; without `finished` it has not run yet."""

    id: int
    source: str
    folder: str
    file_name: str | None
    settings: FaceSettings
    finished: bool
    files: tuple[LabFile, ...]
    faces: tuple[LabFace, ...]

    def verdicts(self, settings: MatchingSettings | None = None) -> list[Match]:
        """The verdict for each face, by these settings or those it was run with."""
        chosen = settings or self.settings.matching
        return [judge(face.measured, chosen) for face in self.faces]

    def changes(self, before: MatchingSettings, after: MatchingSettings) -> list[Change]:
        """The faces of which another is said, and how: new, lost, conflict, other reason."""
        confirmed: dict[Id, Id] = {
            face.measured.face: face.confirmed for face in self.faces if face.confirmed is not None
        }
        return list(changed_by(before, after, (face.measured for face in self.faces), confirmed))


def start_run(
    people: People,
    source: str,
    folder: str,
    settings: FaceSettings,
    *,
    actor: str,
    file_name: str | None = None,
    enqueue: bool = True,
) -> int:
    """Note what is to be tried, and put it in line as a job; the number of the run.

    Raises `NotPhotos`, and `LabTooLarge` for a folder without files or with too many.
    """
    people.root(source)
    with people.db.read() as conn:
        _files(conn, source, folder, file_name)

    def write(conn: Connection) -> int:
        row = {
            "source": source,
            "folder": folder,
            "file_name": file_name,
            "settings": json.dumps(settings.as_dict(), sort_keys=True),
            "created_by": actor[:190],
            "created_at": moment(conn),
        }
        key = conn.execute(insert(face_lab_run).values(**row)).inserted_primary_key
        if key is None:
            raise InternalError("a lab run has no number")
        if enqueue:
            job = NewJob(LAB_JOB_KIND, params={"run": int(key[0])}, priority=_PRIORITY)
            people.queue.enqueue(conn, [job], actor=actor)
        return int(key[0])

    return people.db.run(write)


def run_lab_job(people: People, context: JobContext) -> JobResult:
    """The handler of these jobs. Raises as `run_lab` does."""
    run_lab(people, int(context.claim.params["run"]), stop=context.stop, report=context.report)
    return JobResult()


def run_lab(
    people: People,
    run_id: int,
    *,
    stop: StopSignal,
    report: Callable[[Progress], None] | None = None,
) -> LabRun:
    """Look into the files of a run, compare their faces with everybody, and keep the result.

    Raises `UnknownLabRun`, `LabTooLarge`, `RootMissing`, `BrokenFaceEngine`, `UnknownFaceEngine`,
    `MissingExtra`, `Interrupted`.
    """
    run = lab_run(people, run_id)
    with people.db.read() as conn:
        files = _files(conn, run.source, run.folder, run.file_name)
        everybody = Everybody.read(conn)
    by_location = {file.location: file for file in files}
    root = str(people.root(run.source))
    looked: list[dict[str, Any]] = []
    faces: list[tuple[FileToScan, FaceFacts]] = []
    at = Progress(items_total=len(files))

    def beat() -> None:
        stop.check()
        if report is not None:
            report(at)

    with people.processes.scanner(run.settings.detection, beat) as scanner:
        for where, outcome in scanner.scan(_wanted(root, files, stop)):
            looked.append(_looked_at(where.relative, outcome))
            if isinstance(outcome, Scanned):
                file = by_location[where.relative]
                faces.extend((file, face_facts(found)) for found in outcome.faces)
            at = Progress(items_done=len(looked), items_total=len(files), current=where.relative)
            if report is not None:
                report(at)
    with people.db.read() as conn:
        known = _confirmed(conn, faces)
    asked = [
        FaceToMatch(number, Embedding(one.embedding_kind, one.embedding), one.side_px, one.score)
        for number, (_, one) in enumerate(faces)
    ]
    measured = {
        verdict.measured.face: verdict.measured
        for verdict in everybody.match(asked, run.settings.matching)
    }
    rows = [
        {
            "file": file.location,
            "box": list(one.box),
            "measured": _plain_measured(measured[number]),
            "confirmed": known.get(number),
        }
        for number, (file, one) in enumerate(faces)
    ]
    people.db.run(partial(_finish, run_id, json.dumps({"files": looked, "faces": rows})))
    return lab_run(people, run_id)


def lab_run(people: People, run_id: int) -> LabRun:
    """A run as it stands. Raises `UnknownLabRun`."""
    with people.db.read() as conn:
        row = conn.execute(select(face_lab_run).where(face_lab_run.c.id == run_id)).one_or_none()
    if row is None:
        raise UnknownLabRun("there is no such lab run", subject=f"run {run_id}")
    result = json.loads(row.result or '{"files": [], "faces": []}')
    return LabRun(
        row.id,
        row.source,
        row.folder,
        row.file_name,
        FaceSettings.from_dict(json.loads(row.settings)),
        row.finished_at is not None,
        tuple(LabFile(**one) for one in result["files"]),
        tuple(map(_lab_face, result["faces"])),
    )


def adopt_run(
    people: People, run_id: int, *, actor: str, matching: MatchingSettings | None = None
) -> Adopted:
    """Let the settings of a run hold, with these thresholds if they were tried on it.

    Raises `UnknownLabRun`, also for a run that has no result.
    """
    run = lab_run(people, run_id)
    if not run.finished:
        raise UnknownLabRun("the lab run has no result yet", subject=f"run {run_id}")
    settings = FaceSettings(run.settings.detection, matching or run.settings.matching)
    return people.db.run(lambda conn: adopt_settings(conn, settings, actor=actor, lab_run=run_id))


def compared_with_held(people: People, run: LabRun, after: MatchingSettings) -> list[Change]:
    """What another setting changes against those that hold now."""
    with people.db.read() as conn:
        before = settings_held(conn).settings.matching
    return run.changes(before, after)


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


def _wanted(root: str, files: list[FileToScan], stop: StopSignal) -> Iterator[FileAt]:
    for file in files:
        stop.check()
        yield FileAt(root, file.location)


def _looked_at(name: str, outcome: Scanned | SourceError) -> dict[str, Any]:
    if isinstance(outcome, SourceError):
        return asdict(LabFile(name, error=f"{outcome.code}: {outcome.message}"))
    return asdict(LabFile(name, outcome.width, outcome.height))


def _confirmed(conn: Connection, faces: list[tuple[FileToScan, FaceFacts]]) -> Mapping[int, int]:
    """By the number of a face, who people said it is, by the face of the library at its place."""
    persons = all_persons(conn)
    by_asset: dict[int, list[int]] = {}
    for number, (file, _) in enumerate(faces):
        by_asset.setdefault(file.asset_id, []).append(number)
    found: dict[int, int] = {}
    for asset_id, numbers in by_asset.items():
        known = [(one.id, Box(*one.facts.box)) for one in asset_faces(conn, asset_id)]
        same = same_faces([Box(*faces[number][1].box) for number in numbers], known)
        said = decisions(conn, same.values())
        for place, face_id in same.items():
            for one in said.get(face_id, []):
                if one.state is FaceState.CONFIRMED:
                    found[numbers[place]] = root_of(persons, one.person_id)
    return found


def _plain_measured(measured: Measured) -> dict[str, Any]:
    """As plain values; `_lab_face` reads them."""
    return {
        **measured._asdict(),
        "candidates": [one._asdict() for one in measured.candidates],
    }


def _lab_face(row: dict[str, Any]) -> LabFace:
    plain = row["measured"]
    candidates = tuple(Candidate(**one) for one in plain["candidates"])
    measured = Measured(**{**plain, "candidates": candidates})
    return LabFace(row["file"], FaceBox(*row["box"]), measured, row["confirmed"])


def _finish(run_id: int, result: str, conn: Connection) -> None:
    conn.execute(
        update(face_lab_run)
        .where(face_lab_run.c.id == run_id)
        .values(result=result, finished_at=moment(conn))
    )
