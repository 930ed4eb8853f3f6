"""Faces of real pictures, from the folder to a name: the jobs, and what makes them needed again."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from lading.base.errors import SourceError
from lading.base.stopping import StopReason, StopSignal
from lading.db import Database
from lading.library.people import (
    add_person,
    add_reference,
    confirm_faces,
    find_person,
    refuse_faces,
)
from lading.library.people_queries import (
    decisions,
    files_to_scan,
    unidentified_faces,
    with_unidentified_face,
)
from lading.library.people_tables import face_scan
from lading.media.derive import FileAt
from lading.media.faces.scanning import FaceScanner, Scanned, detect_in
from lading.media.faces.settings import DetectionSettings, FaceSettings, MatchingSettings
from lading.people.adopted import adopt_settings, settings_held
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND, Lined
from lading.people.processes import FaceProcesses
from lading.testing.installation import ACTOR
from tests.media.hanging import HangClock, hanging_pid, wait_for_end
from tests.media.test_faces import PORTRAITS, portrait, toy  # noqa: F401 - a fixture
from tests.media.written import encoded
from tests.people.library import PeopleInstallation, digest_of
from tests.photos.tree import PhotosBench


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    bench = PhotosBench(tmp_path)
    for name in ("astronaut", "admiral"):
        bench.write(f"album/{name}.jpg", (PORTRAITS / f"{name}.jpg").read_bytes())
    bench.write("later/again.jpg", encoded(portrait("astronaut").rotate(-4)))
    bench.write("later/nobody.jpg")
    return bench


@pytest.fixture
def installation(
    sqlite_database: Database, bench: PhotosBench, tmp_path: Path
) -> Iterator[PeopleInstallation]:
    installation = PeopleInstallation(sqlite_database, bench, tmp_path)
    yield installation
    installation.people.close()


def test_faces_are_found_named_and_found_again_until_people_know_better(
    installation: PeopleInstallation, bench: PhotosBench
) -> None:
    people, db = installation.people, installation.db
    installation.take_in()
    (anna,) = installation.faces("astronaut.jpg")
    (again,) = installation.faces("again.jpg")
    (admiral,) = installation.faces("admiral.jpg")
    assert installation.faces("nobody.jpg") == []
    assert installation.jobs(MATCH_JOB_KIND) == []
    with db.read() as conn:
        assert {one.id for one in unidentified_faces(conn)} == {anna.id, again.id, admiral.id}
        assert with_unidentified_face(conn, [anna.asset_id or 0]) == {anna.asset_id}

    def name(person: str, face_id: int) -> None:
        with db.write() as conn:
            add_reference(conn, add_person(conn, person, actor=ACTOR), face_id, actor=ACTOR)

    name("Anna", anna.id)
    name("Bert", admiral.id)
    assert people.match(actor=ACTOR) == Lined(0, 2), "one folder has an unidentified face"
    installation.drain()
    assert installation.said(again.id) == {"Anna": "suggested"}
    with db.read() as conn:
        (said,) = decisions(conn, [again.id])[again.id]
        assert unidentified_faces(conn) == []
        held = settings_held(conn).settings
    assert said.scan_id == again.scan_id
    assert said.reference_id is not None
    assert said.distance is not None
    assert 0 < said.distance <= held.matching.distance_max
    assert said.settings_digest == held.matching.digest
    assert people.match(actor=ACTOR) == Lined(), "nothing is unidentified, nothing has changed"

    # Stricter settings alone make it to be matched again, without any look into a file.
    strict = FaceSettings(matching=MatchingSettings(side_min_px=900))
    with db.write() as conn:
        adopt_settings(conn, strict, actor=ACTOR)
    assert people.scan(actor=ACTOR) == Lined()
    assert people.match(actor=ACTOR, again=False) == Lined()
    assert people.match(actor=ACTOR) == Lined(0, 2)
    installation.drain()
    assert installation.said(again.id) == {}
    with db.write() as conn:
        confirm_faces(conn, find_person(conn, "Anna"), [again.id], actor=ACTOR)
        refuse_faces(conn, find_person(conn, "Bert"), [again.id], actor=ACTOR)
        adopt_settings(conn, FaceSettings(DetectionSettings(side_max=1200)), actor=ACTOR)

    # Other settings of detection make all of them to be scanned again; the decisions stay.
    assert people.scan(actor=ACTOR) == Lined(2, 4)
    installation.drain()
    (seen,) = installation.faces("again.jpg")
    assert (seen.id, seen.detached) == (again.id, False)
    assert seen.scan_id != again.scan_id
    assert installation.said(again.id) == {"Anna": "confirmed", "Bert": "refused"}
    assert installation.said(admiral.id) == {"Bert": "confirmed"}
    assert people.scan(actor=ACTOR) == Lined()
    assert people.scan(actor=ACTOR, everything=True, folder="later", source="home") == Lined(1, 2)
    installation.drain()
    assert {job.status for job in installation.jobs(FACES_JOB_KIND)} == {"done"}


def test_faces_and_matches_of_a_folder_wait_for_its_import_and_fail_with_it(
    installation: PeopleInstallation, bench: PhotosBench
) -> None:
    installation.take_in()
    (anna,) = installation.faces("astronaut.jpg")
    with installation.db.write() as conn:
        whom = add_person(conn, "Anna", actor=ACTOR)
        add_reference(conn, whom, anna.id, actor=ACTOR)
    bench.write("later/again.jpg", encoded(portrait("astronaut").rotate(4)))
    bench.write("new/anna.jpg", encoded(portrait("astronaut").rotate(-5)))
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)
    waiting = [job for job in installation.jobs(MATCH_JOB_KIND) if job.status == "waiting"]
    assert len(waiting) == 2
    # What is decided about is gone when the import begins, so that it fails.
    shutil.rmtree(bench.root / "later")
    installation.drain()
    (found,) = installation.faces("new/anna.jpg")
    assert installation.said(found.id) == {"Anna": "suggested"}
    by_folder = {
        (job.kind, job.status): job
        for kind in (FACES_JOB_KIND, MATCH_JOB_KIND)
        for job in installation.jobs(kind)
        if '"folder":"later"' in job.params
    }
    (failed_import,) = (job for job in installation.jobs("import_batch") if job.status == "failed")
    assert by_folder[FACES_JOB_KIND, "failed"].failed_by == failed_import.id
    assert by_folder[MATCH_JOB_KIND, "failed"].failed_by is not None


class StoppingScanner(FaceScanner):
    """Asks the worker to stop as soon as a second file is done."""

    stop: StopSignal

    def scan(self, files: Iterable[FileAt]) -> Iterator[tuple[FileAt, Scanned | SourceError]]:
        for number, found in enumerate(super().scan(files)):
            if number == 1:
                self.stop.request(StopReason.SHUTDOWN)
            yield found


class StoppingProcesses(FaceProcesses):
    """Lends such scanners."""

    def __init__(self, stop: StopSignal) -> None:
        super().__init__()
        self._stop = stop

    @contextmanager
    def scanner(self, *args: Any, **kwargs: Any) -> Iterator[FaceScanner]:
        with super().scanner(*args, **kwargs) as scanner:
            scanner.__class__ = StoppingScanner
            scanner.stop = self._stop  # type: ignore[attr-defined]
            yield scanner


def test_a_search_that_was_stopped_goes_on_with_the_files_that_are_left(
    installation: PeopleInstallation, bench: PhotosBench
) -> None:
    for number in range(8):
        bench.write(f"many/{number}.jpg")
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)
    stop = StopSignal()
    whole, installation.people.processes = (
        installation.people.processes,
        StoppingProcesses(stop),
    )
    installation.drain(stop)
    installation.people.processes.close()
    stopped = [job for job in installation.jobs(FACES_JOB_KIND) if job.status == "queued"]
    assert stopped
    with installation.db.read() as conn:
        before = set(conn.scalars(select(face_scan.c.asset_id)))
    installation.people.processes = whole
    installation.drain()
    assert {job.status for job in installation.jobs(FACES_JOB_KIND)} == {"done"}
    with installation.db.read() as conn:
        scans = list(conn.scalars(select(face_scan.c.asset_id)))
    assert before < set(scans)
    assert len(scans) == len(set(scans)) == 12, "each file was looked at once"


def test_a_file_that_is_not_as_it_was_taken_in_is_left_for_later(
    installation: PeopleInstallation, bench: PhotosBench
) -> None:
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)
    installation.drain()
    with installation.db.write() as conn:
        adopt_settings(conn, FaceSettings(DetectionSettings(side_max=1300)), actor=ACTOR)
    bench.write("album/admiral.jpg", (PORTRAITS / "astronaut.jpg").read_bytes())
    (before,) = installation.faces("admiral.jpg")
    installation.people.scan("home", folder="album", actor=ACTOR)
    installation.drain()
    assert installation.faces("admiral.jpg") == [before]
    with installation.db.read() as conn:
        left = list(files_to_scan(conn, "home", digest_of("album"), "another"))
        assert {file.location for file in left} == {"album/admiral.jpg", "album/astronaut.jpg"}
    (job,) = installation.jobs(FACES_JOB_KIND)[-1:]
    assert (job.status, job.items_done, job.items_skipped) == ("done", 1, 1)


def hanging_folder(
    installation: PeopleInstallation, bench: PhotosBench, settings: DetectionSettings
) -> None:
    """Two folders, and in each a picture over which the toy engine hangs, between two others."""
    with installation.db.write() as conn:
        adopt_settings(conn, FaceSettings(settings), actor=ACTOR)
    for folder in ("one", "two"):
        for number, height in enumerate((50, 19, 60)):
            image = Image.new("RGB", (96, height), (40 * number, 100, 50 if folder == "one" else 9))
            bench.write(f"{folder}/{number}.png", encoded(image, "PNG"))
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)


def test_a_file_over_which_the_engine_hangs_is_recorded_and_the_others_are_scanned(
    installation: PeopleInstallation,
    bench: PhotosBench,
    tmp_path: Path,
    toy: Callable[..., DetectionSettings],  # noqa: F811 - the fixture
) -> None:
    hanging_folder(installation, bench, toy())
    with HangClock(tmp_path / "site/hanging", hangs=2) as clock:
        installation.people.processes = FaceProcesses(clock=clock)
        installation.drain()
    installation.people.processes.close()
    for folder in ("one", "two"):
        assert [len(installation.faces(f"{folder}/{n}.png")) for n in range(3)] == [1, 0, 1]
    with installation.db.read() as conn:
        errors = conn.execute(
            select(face_scan.c.error, face_scan.c.error_text).where(face_scan.c.error.is_not(None))
        ).all()
    assert [code for code, _ in errors] == ["face_engine_failed"] * 2
    assert all("at most 120 s" in text for _, text in errors)
    assert {job.status for job in installation.jobs(FACES_JOB_KIND)} == {"done"}
    assert installation.people.scan(actor=ACTOR) == Lined(), "it is not tried again by itself"


def test_a_stop_is_heeded_while_the_engine_hangs_and_ends_its_process(
    installation: PeopleInstallation,
    bench: PhotosBench,
    tmp_path: Path,
    toy: Callable[..., DetectionSettings],  # noqa: F811 - the fixture
) -> None:
    hanging_folder(installation, bench, toy())
    stop = StopSignal()
    worker = threading.Thread(target=installation.drain, args=(stop,))
    worker.start()
    pid = hanging_pid(tmp_path / "site/hanging")
    stop.request(StopReason.SHUTDOWN)
    worker.join()
    wait_for_end(pid)
    jobs = installation.jobs(FACES_JOB_KIND)
    assert "queued" in {job.status for job in jobs}
    assert "failed" not in {job.status for job in jobs}


def test_processes_are_kept_for_the_next_job_unless_they_ended() -> None:
    processes = FaceProcesses()
    settings, where = DetectionSettings(), FileAt(str(PORTRAITS), "admiral.jpg")

    def found() -> tuple[int, Scanned | SourceError]:
        with processes.scanner(settings) as scanner:
            ((_, outcome),) = scanner.scan([where])
        (child,) = multiprocessing.active_children()
        return child.pid or 0, outcome

    first, outcome = found()
    assert outcome == detect_in(where, settings)
    assert found() == (first, outcome)
    os.kill(first, signal.SIGKILL)
    wait_for_end(first)
    second, again = found()
    assert (second != first, again) == (True, outcome)
    processes.close()
    assert multiprocessing.active_children() == []
