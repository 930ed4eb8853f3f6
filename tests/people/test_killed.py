"""Whoever looks for faces may be killed anywhere: no face is there twice, no decision is lost."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from lading.base.steps import FaceStep, Step, observe
from lading.db import Database
from lading.library.people import (
    add_person,
    add_reference,
    confirm_faces,
    find_person,
    refuse_faces,
)
from lading.library.people_tables import face, face_scan
from lading.media.faces.settings import DetectionSettings, FaceSettings
from lading.people.adopted import adopt_settings
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND
from lading.testing.faults import Fault, record_steps
from lading.testing.installation import ACTOR
from lading.testing.servers_db import url_of
from tests.media.hanging import hanging_pid, wait_for_end
from tests.media.test_faces import toy  # noqa: F401 - a fixture
from tests.media.written import encoded
from tests.people import killing
from tests.people.library import PeopleInstallation
from tests.photos.tree import PhotosBench

# Forked from a process that has imported everything and has no threads.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.people.killing"])
RED, REDDISH, ROSE, BLUE, BLUISH = "red", "reddish", "rose", "blue", "bluish"
COLOURS = {
    RED: (220, 10, 10),
    REDDISH: (200, 30, 30),
    ROSE: (230, 60, 60),
    BLUE: (10, 10, 220),
    BLUISH: (30, 30, 200),
}


class Scene:
    """Five photos with a face each, two persons, and decisions of every sort."""

    def __init__(self, db: Database, folder: Path, settings: DetectionSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.bench = PhotosBench(folder)
        self.installation = PeopleInstallation(db, self.bench, folder)
        for name, colour in COLOURS.items():
            self.bench.write(f"album/{name}.png", encoded(Image.new("RGB", (96, 96), colour)))
        self.adopt(settings)
        self.installation.take_in()
        self.ids = {name: self.only_face(name).id for name in COLOURS}
        with db.write() as conn:
            for person, name in (("Anna", RED), ("Bert", BLUE)):
                add_reference(
                    conn, add_person(conn, person, actor=ACTOR), self.ids[name], actor=ACTOR
                )
            anna, bert = find_person(conn, "Anna"), find_person(conn, "Bert")
            refuse_faces(conn, anna, [self.ids[ROSE]], actor=ACTOR)
            confirm_faces(conn, bert, [self.ids[BLUISH]], actor=ACTOR)

    def adopt(self, settings: DetectionSettings) -> None:
        with self.installation.db.write() as conn:
            adopt_settings(conn, FaceSettings(settings), actor=ACTOR)

    def only_face(self, name: str) -> Any:
        (found,) = self.installation.faces(f"{name}.png")
        return found

    def line_up(self) -> None:
        """All files are to be scanned anew, and all faces matched."""
        lined = self.installation.people.scan(actor=ACTOR, everything=True)
        assert (lined.scans, lined.matches) == (1, 2)

    def work(self, fault: str = "") -> Any:
        """A worker, in a process of its own."""
        arguments = (url_of(self.installation.db), str(self.folder), str(self.folder / "site"))
        process = SERVER.Process(target=killing.work, args=(*arguments, fault))
        process.start()
        return process

    def require_whole(self) -> None:
        """Every face is the one that it was, measured once more, and all decisions stand."""
        said = {name: self.installation.said(self.ids[name]) for name in COLOURS}
        assert said == {
            RED: {"Anna": "confirmed"},
            REDDISH: {"Anna": "suggested"},
            ROSE: {"Anna": "refused"},
            BLUE: {"Bert": "confirmed"},
            BLUISH: {"Bert": "confirmed"},
        }
        assert {name: self.only_face(name).id for name in COLOURS} == self.ids
        with self.installation.db.read() as conn:
            scans = list(conn.execute(select(face_scan).where(face_scan.c.current.is_(True))))
            assert conn.scalars(select(face.c.id)).all() == sorted(self.ids.values())
        assert len(scans) == len({one.asset_id for one in scans}) == len(COLOURS)
        for kind in (FACES_JOB_KIND, MATCH_JOB_KIND):
            assert {job.status for job in self.installation.jobs(kind)} == {"done"}


@pytest.fixture
def scene(
    sqlite_database: Database,
    tmp_path: Path,
    toy: Callable[..., DetectionSettings],  # noqa: F811 - the fixture
) -> Iterator[Scene]:
    scene = Scene(sqlite_database, tmp_path, toy())
    yield scene
    scene.installation.people.close()


@pytest.mark.parametrize(
    "fault",
    [
        *map(Fault, FaceStep),
        Fault(FaceStep.FACES_WRITTEN, 4),
        Fault(Step.JOB_CLAIMED),
        Fault(Step.JOB_FINISHED),
    ],
    ids=str,
)
def test_a_search_for_faces_that_is_killed_goes_on_to_its_end(scene: Scene, fault: Fault) -> None:
    scene.line_up()
    worker = scene.work(str(fault))
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    for name in COLOURS:
        assert scene.only_face(name).id == scene.ids[name]
    scene.installation.queue.rescue(stale_after_s=0, actor=ACTOR)
    scene.installation.drain()
    scene.require_whole()


def test_faces_go_through_every_step(scene: Scene) -> None:
    scene.line_up()
    steps = record_steps()
    try:
        scene.installation.drain()
    finally:
        observe(None)
    assert set(FaceStep) <= set(steps)
    scene.require_whole()


def test_an_engine_that_hangs_ends_with_its_worker(scene: Scene) -> None:
    scene.bench.write("album/hangs.png", encoded(Image.new("RGB", (96, 19), (0, 200, 0))))
    scene.installation.ingest.queue(scene.installation.scan(), actor=ACTOR)
    worker = scene.work()
    pid = hanging_pid(scene.folder / "site/hanging")
    worker.kill()
    worker.join()
    wait_for_end(pid)
