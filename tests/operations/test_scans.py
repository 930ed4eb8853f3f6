"""Scans asked for from a page are jobs: one at a time, seen while they run, and seen to fail."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from lading.base.progress import Progress
from lading.base.stopping import StopReason, StopSignal
from lading.db.clock import now
from lading.ingest import scan as scan_module
from lading.ingest.parts import UnknownSource
from lading.jobs.context import JobContext
from lading.jobs.settings import WorkerSettings
from lading.jobs.tables import import_job
from lading.jobs.worker import Worker
from lading.ledger.queries import EventView, walk_events
from lading.ledger.tables import ingest_event
from lading.operations.scans import ScanSchedule
from tests.operations.conftest import Scene

ACTOR = "user:ana"


def events(scene: Scene, kind: str) -> list[EventView]:
    with scene.db.read() as conn:
        return [event for event in walk_events(conn) if event.kind == kind]


def test_a_scan_asked_for_is_a_job_that_records_what_it_found(scene: Scene) -> None:
    scene.publish(3)
    job_id = scene.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    job = scene.installation.queue.get(job_id)
    assert job.status == "done"
    assert (job.progress.items_done, job.progress.items_total) == (3, 3)
    (finished,) = events(scene, "scan_finished")
    assert (finished.actor, finished.job_id, finished.payload["new"]) == (ACTOR, job_id, 3)


def test_a_double_click_is_one_scan_and_the_next_one_is_another(scene: Scene) -> None:
    first = scene.operations.request_scan("nas", actor=ACTOR)
    assert scene.operations.request_scan("nas", actor="user:bo") == first
    scene.installation.drain()
    assert scene.operations.request_scan("nas", actor=ACTOR) != first


def test_while_it_counts_a_scan_says_how_many_it_found_and_no_total(
    quick_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_scene.publish(5)
    monkeypatch.setattr(scan_module, "FOUND_EVERY", 2)
    reported: list[tuple[int, int | None]] = []
    report = JobContext.report

    def note(self: JobContext, progress: Progress) -> None:
        reported.append((progress.items_done, progress.items_total))
        report(self, progress)

    monkeypatch.setattr(JobContext, "report", note)
    quick_scene.operations.request_scan("nas", actor=ACTOR)
    quick_scene.installation.drain()
    assert reported == [(0, None), (2, None), (4, None), (5, None)]


def test_a_scan_that_the_guard_stops_fails_with_its_code_and_changes_nothing(
    scene: Scene,
) -> None:
    ids = scene.found(2)
    for published in scene.upstream.sync.iterdir():
        published.rename(scene.folder / published.name)
    job_id = scene.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    job = scene.installation.queue.get(job_id)
    assert (job.status, job.error_code) == ("failed", "scan_not_believed")
    assert scene.states(ids) == ["pending", "pending"]
    (refused,) = events(scene, "scan_refused")
    assert (refused.actor, refused.job_id) == (ACTOR, job_id)
    (group,) = scene.operations.problems.groups()
    assert (group.kind, group.code, group.source) == ("source", "root_empty", "nas")
    believed = scene.operations.request_scan("nas", actor=ACTOR, accept_root=True)
    scene.installation.drain()
    assert scene.installation.queue.get(believed).status == "done"
    assert scene.states(ids) == ["superseded", "superseded"]
    assert scene.operations.problems.groups() == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_source_that_is_away_fails_the_scan_after_a_second_look(scene: Scene) -> None:
    scene.found(1)
    scene.upstream.root.rename(scene.folder / "unplugged")
    job_id = scene.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    job = scene.installation.queue.get(job_id)
    assert (job.status, job.error_code, job.attempt) == ("failed", "source_missing", 2)


def test_to_believe_a_root_is_not_lost_in_a_scan_that_waits(quick_scene: Scene) -> None:
    plain = quick_scene.operations.request_scan("nas", actor=ACTOR)
    assert quick_scene.operations.request_scan("nas", actor=ACTOR, accept_root=True) != plain


def test_a_source_nobody_configured_cannot_be_scanned(quick_scene: Scene) -> None:
    with pytest.raises(UnknownSource):
        quick_scene.operations.request_scan("attic", actor=ACTOR)
    with quick_scene.db.read() as conn:
        assert conn.execute(select(import_job)).all() == []


def test_scans_become_due_by_the_clock_and_not_before(scene: Scene) -> None:
    schedule = ScanSchedule(scene.installation.parts, every_s=600)
    assert schedule("worker:one") == 600
    (job,) = scene.installation.queue.list().jobs
    assert (job.kind, job.params["actor"]) == ("scan", "worker:one")
    scene.installation.drain()
    another = ScanSchedule(scene.installation.parts, every_s=600)
    assert 590 < another("worker:two") <= 600
    assert len(scene.installation.queue.list().jobs) == 1
    with scene.db.write() as conn:
        conn.execute(update(ingest_event).values(at=now(-601)))
    assert another("worker:two") == 600
    assert len(scene.installation.queue.list().jobs) == 2


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_scan_that_was_refused_is_not_asked_for_again_at_once(scene: Scene) -> None:
    scene.upstream.root.rename(scene.folder / "unplugged")
    scene.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    assert ScanSchedule(scene.installation.parts, every_s=600)("worker:one") > 590
    assert len(scene.installation.queue.list().jobs) == 1


def test_a_worker_does_the_duty_of_its_installation_when_it_is_due(quick_scene: Scene) -> None:
    stop = StopSignal()
    called: list[str] = []

    def duty(actor: str) -> float:
        called.append(actor)
        if len(called) == 2:
            stop.request(StopReason.SHUTDOWN)
        return 0.01

    settings = WorkerSettings(nice=0, ionice="none", poll_max_s=0.1)
    installation = quick_scene.installation
    worker = Worker(
        quick_scene.db,
        installation.queue,
        installation.operations.handlers(),
        settings,
        stop=stop,
        duty=duty,
    )
    worker.run()
    assert called == [f"worker:{worker.id}"] * 2
