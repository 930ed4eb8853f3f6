"""A source may say that what a scan finds is queued by itself; then a worker needs nobody (C3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.ingest import Ingest
from lading.ledger.tables import ingest_batch
from lading.operations.operations import Operations
from lading.operations.scans import ScanSchedule
from tests.operations.conftest import Scene

ACTOR = "user:ana"


def let_queue(scene: Scene) -> None:
    """Let what is found at the upstream be queued by itself."""
    installation = scene.installation
    installation.parts = replace(installation.parts, auto_queue=["nas"])
    installation.ingest = Ingest(installation.parts)
    installation.operations = Operations(installation.ingest)


def test_what_a_scan_finds_is_imported_without_anybody(scene: Scene) -> None:
    scene.publish(3)
    let_queue(scene)
    job_id = scene.installation.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    with scene.db.read() as conn:
        states = list(conn.scalars(select(ingest_batch.c.state)))
    assert states == ["imported"] * 3
    imports = [job for job in scene.installation.queue.list().jobs if job.id != job_id]
    assert {job.kind for job in imports} == {"import_batch"}
    again = scene.installation.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    assert len(scene.installation.queue.list().jobs) == 5, f"job {again} queued something again"


def test_what_no_settings_name_waits_for_somebody(scene: Scene) -> None:
    scene.publish(2)
    scene.installation.operations.request_scan("nas", actor=ACTOR)
    scene.installation.drain()
    assert len(scene.installation.queue.list().jobs) == 1


def test_a_batch_that_cannot_be_consumed_waits_and_holds_up_no_other(quick_scene: Scene) -> None:
    spoilt, *others = quick_scene.found(3)
    batch = quick_scene.installation.batch(spoilt)
    (quick_scene.upstream.sync / f"{batch.batch_key}.json").write_text("{")
    let_queue(quick_scene)
    quick_scene.installation.operations.request_scan("nas", actor=ACTOR)
    quick_scene.installation.drain()
    assert quick_scene.states(others) == ["imported", "imported"]
    assert quick_scene.states([spoilt]) == ["pending"]


def test_a_source_nobody_looked_at_is_scanned_once_when_a_worker_starts(scene: Scene) -> None:
    scene.publish(1)
    let_queue(scene)
    schedule = ScanSchedule(scene.installation.parts, every_s=0)
    schedule("worker:one")
    (job,) = scene.installation.queue.list().jobs
    assert (job.kind, job.params["actor"]) == ("scan", "worker:one")
    scene.installation.drain()
    before = len(scene.installation.queue.list().jobs)
    ScanSchedule(scene.installation.parts, every_s=0)("worker:two")
    assert len(scene.installation.queue.list().jobs) == before


def test_without_a_clock_other_sources_are_not_scanned_by_themselves(quick_scene: Scene) -> None:
    ScanSchedule(quick_scene.installation.parts, every_s=0)("worker:one")
    assert quick_scene.installation.queue.list().jobs == []


def test_queueing_stops_where_it_is_told_to_and_goes_on_later(quick_scene: Scene) -> None:
    ids = quick_scene.found(3)
    let_queue(quick_scene)
    ingest, stop = quick_scene.installation.ingest, StopSignal()
    with pytest.raises(Interrupted):
        ingest.queue_found(
            "nas", actor=ACTOR, stop=stop, on_result=lambda _: stop.request(StopReason.OPERATOR)
        )
    assert quick_scene.states(ids) == ["queued", "pending", "pending"]
    ingest.queue_found("nas", actor=ACTOR)
    assert quick_scene.states(ids) == ["queued"] * 3
