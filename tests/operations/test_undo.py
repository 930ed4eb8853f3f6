"""An undo takes back what an operation really changed, and nothing else; then all is as before."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import select, update

from lading.db.clock import now
from lading.jobs.tables import import_job
from lading.jobs.values import NewJob
from lading.ledger.tables import ingest_batch
from lading.library.packages import UnknownPackage, create_package
from lading.library.sites import UnknownSite, create_site, grant_assets
from lading.library.tables import asset, asset_gallery
from lading.library.trash import delete_assets
from lading.library.visibility import visible_assets
from lading.operations.acknowledging import BATCH, is_acknowledged
from lading.operations.errors import NotUndoable
from lading.operations.states import TargetOutcome
from lading.operations.tables import acknowledgement, operation
from lading.operations.values import Resource, Targets
from lading.testing.snapshots import Snapshot, library_snapshot
from tests.conftest import taking_turns
from tests.operations.conftest import Scene

ACTOR = "user:ana"


@pytest.fixture
def stocked(scene: Scene) -> Scene:
    """A library with four photos with covers, a gallery of them, a site and a package."""
    bundle = scene.upstream.bundle("gallery")
    hashes = [bundle.photo(f"photo-{n}", cover=n == 0, documents=()) for n in range(4)]
    bundle.gallery("spring", hashes, cover_hash=f"sha256:{hashes[1]}")
    bundle.publish()
    scene.installation.take_in()
    with scene.db.write() as conn:
        create_site(conn, "museum", "The museum", actor="test")
        create_package(conn, "press", "For the press", actor="test")
        # One is there before: an undo shall leave it there.
        grant_assets(conn, "museum", hashes[:1], actor="test")
        delete_assets(conn, hashes[3:], actor="test")
    return scene


def picture(scene: Scene) -> tuple[Snapshot, list[str]]:
    with scene.db.read() as conn:
        seen = [row.facts.content_hash for row in visible_assets(conn, "museum").assets]
        return library_snapshot(conn), seen


@pytest.mark.parametrize(
    ("backend", "verb", "params", "changed"),
    taking_turns(
        ("delete", {}, 3),
        ("restore", {}, 1),
        ("grant_site", {"site": "museum"}, 3),
        ("revoke_site", {"site": "museum"}, 1),
        ("add_to_package", {"package": "press"}, 4),
    ),
)
def test_what_was_done_to_assets_and_undone_left_no_trace(
    verb: str, params: Mapping[str, str], changed: int, stocked: Scene
) -> None:
    operations = stocked.operations
    before = picture(stocked)
    chosen = operations.select("assets", {"deleted": "any"}, actor=ACTOR)
    foreseen = operations.preview(verb, Targets(selection=chosen.key), params)
    done = operations.start(verb, Targets(selection=chosen.key), params, actor=ACTOR)
    assert done.totals[TargetOutcome.DONE] == foreseen.eligible == changed
    assert done.totals[TargetOutcome.SKIPPED] == foreseen.skipped_total == 4 - changed
    assert picture(stocked) != before
    assert done.undoable
    undone = operations.undo(done.key, actor="user:bo")
    assert picture(stocked) == before
    assert (undone.undoes, undone.total, undone.actor) == (done.key, changed, "user:bo")
    first = operations.get(done.key)
    assert (first.undone_by, first.undoable) == (undone.key, False)
    # And forth again: an undo is an operation like any other.
    operations.undo(undone.key, actor=ACTOR)
    assert picture(stocked) != before


@pytest.mark.parametrize(
    ("backend", "verb", "params"),
    taking_turns(
        ("delete", {}),
        ("grant_site", {"site": "museum"}),
        ("add_to_package", {"package": "press"}),
    ),
)
def test_what_was_done_to_containers_and_undone_left_no_trace(
    verb: str, params: Mapping[str, str], stocked: Scene
) -> None:
    before = picture(stocked)
    with stocked.db.read() as conn:
        ids = list(conn.scalars(select(asset_gallery.c.id)))
    targets = Targets(resource=Resource.GALLERIES, ids=ids)
    done = stocked.operations.start(verb, targets, params, actor=ACTOR)
    assert done.totals[TargetOutcome.DONE] == 1
    (result,) = stocked.operations.results(done.key).results
    assert (result.target_kind, result.target_name) == ("gallery", "spring")
    assert picture(stocked) != before
    stocked.operations.undo(done.key, actor=ACTOR)
    assert picture(stocked) == before


def test_taking_out_of_a_package_is_undone_too(stocked: Scene) -> None:
    chosen = stocked.operations.select("assets", {}, actor=ACTOR)
    targets, params = Targets(selection=chosen.key), {"package": "press"}
    stocked.operations.start("add_to_package", targets, params, actor=ACTOR)
    before = picture(stocked)
    done = stocked.operations.start("remove_from_package", targets, params, actor=ACTOR)
    assert done.totals[TargetOutcome.DONE] == 3
    stocked.operations.undo(done.key, actor=ACTOR)
    assert picture(stocked) == before


def test_cancelled_jobs_are_put_back_in_their_place_with_what_waited_for_them(
    scene: Scene,
) -> None:
    ids = scene.ready(2)
    scene.ingest.queue(ids, actor="test", priority=4)
    first = scene.installation.queue.list().jobs[-1].id
    with scene.db.write() as conn:
        scene.installation.queue.enqueue(conn, [NewJob("other", wait_for=[first])], actor="test")
    before = jobs_as_they_are(scene)
    batches = Targets(resource=Resource.BATCHES, ids=ids)
    done = scene.operations.start("cancel", batches, {"why": "wait"}, actor=ACTOR)
    assert scene.states(ids) == ["cancelled", "cancelled"]
    assert jobs_as_they_are(scene) != before
    undone = scene.operations.undo(done.key, actor=ACTOR)
    assert undone.resource is Resource.JOBS
    assert scene.states(ids) == ["queued", "queued"]
    assert jobs_as_they_are(scene) == before


def jobs_as_they_are(scene: Scene) -> list[tuple[object, ...]]:
    job = import_job.c
    with scene.db.read() as conn:
        return [
            tuple(row)
            for row in conn.execute(
                select(job.id, job.status, job.priority, job.pending_deps, job.active_key).order_by(
                    job.id
                )
            )
        ]


def test_a_paused_job_that_was_cancelled_is_not_said_to_be_put_back(quick_scene: Scene) -> None:
    """It would be in line, and not paused as it was."""
    (batch_id,) = quick_scene.ready(1)
    quick_scene.ingest.queue([batch_id], actor="test")
    with quick_scene.db.write() as conn:
        conn.execute(update(import_job).values(status="paused"))
    batches = Targets(resource=Resource.BATCHES, ids=[batch_id])
    done = quick_scene.operations.start("cancel", batches, actor=ACTOR)
    with pytest.raises(NotUndoable):
        quick_scene.operations.undo(done.key, actor=ACTOR)


def test_an_acknowledgement_is_taken_back(scene: Scene) -> None:
    scene.upstream.publish_bytes(scene.upstream.new_sync_id(), b"{}")
    (batch_id,) = scene.installation.scan()
    scene.ingest.preflight(batch_id, actor="test")
    batches = Targets(resource=Resource.BATCHES, ids=[batch_id])
    done = scene.operations.start("acknowledge", batches, {"note": "known"}, actor=ACTOR)
    hidden = is_acknowledged(BATCH, ingest_batch.c.id, ingest_batch.c.updated_at)
    with scene.db.read() as conn:
        assert conn.scalars(select(ingest_batch.c.id).where(hidden)).all() == [batch_id]
    scene.operations.undo(done.key, actor=ACTOR)
    with scene.db.read() as conn:
        assert conn.execute(select(acknowledgement)).all() == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_cannot_be_taken_back_says_why(stocked: Scene) -> None:
    operations = stocked.operations
    ids = stocked.ready(1)
    batches = Targets(resource=Resource.BATCHES, ids=ids)
    queued = operations.start("queue", batches, actor=ACTOR)
    with pytest.raises(NotUndoable, match="cannot be taken back"):
        operations.undo(queued.key, actor=ACTOR)
    with stocked.db.read() as conn:
        one = conn.scalars(select(asset.c.id).where(asset.c.deleted_at.is_(None))).first()
    assert one is not None
    assets = Targets(resource=Resource.ASSETS, ids=[one])
    deleted = operations.start("delete", assets, actor=ACTOR)
    again = operations.start("delete", assets, actor=ACTOR)
    with pytest.raises(NotUndoable, match="changed nothing"):
        operations.undo(again.key, actor=ACTOR)
    operations.undo(deleted.key, actor=ACTOR)
    with pytest.raises(NotUndoable, match="taken back by op_"):
        operations.undo(deleted.key, actor=ACTOR)
    late = operations.start("delete", assets, actor=ACTOR)
    with stocked.db.write() as conn:
        conn.execute(
            update(operation).where(operation.c.key == late.key).values(undo_until=now(-1))
        )
    with pytest.raises(NotUndoable, match="time to take it back is over"):
        operations.undo(late.key, actor=ACTOR)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_site_or_package_that_is_not_there_is_said_at_once(stocked: Scene) -> None:
    chosen = stocked.operations.select("assets", {}, actor=ACTOR)
    targets = Targets(selection=chosen.key)
    with pytest.raises(UnknownSite):
        stocked.operations.preview("grant_site", targets, {"site": "nowhere"})
    with pytest.raises(UnknownPackage):
        stocked.operations.start("add_to_package", targets, {"package": "none"}, actor=ACTOR)
    assert stocked.operations.list().operations == []
