"""A selection is what matched when it was made: nothing is swept in, and nothing lost."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import insert, select, update

from lading.db.clock import now
from lading.jobs.tables import import_job
from lading.ledger.chain import append
from lading.ledger.events import QueuePaused
from lading.library.tables import asset
from lading.operations import selections
from lading.operations.errors import (
    BadFilter,
    BadOperation,
    SelectionClosed,
    TargetMissing,
    UnknownSelection,
)
from lading.operations.states import TargetOutcome
from lading.operations.tables import selection, selection_member
from lading.operations.values import Resource, Targets, Verb
from tests.operations.conftest import Scene

ACTOR = "user:ana"


def digest_of(ids: list[int]) -> str:
    return hashlib.sha256("".join(f"{number}\n" for number in sorted(ids)).encode()).hexdigest()


def test_all_that_match_is_what_matched_then_with_its_count_bytes_and_digest(scene: Scene) -> None:
    ids = scene.found(3)
    with scene.db.write() as conn:
        seq = append(conn, QueuePaused(paused=False), actor="test")
    chosen = scene.operations.select("batches", {"states": "pending"}, actor=ACTOR)
    assert (chosen.count, chosen.actor, chosen.resource) == (3, ACTOR, Resource.BATCHES)
    assert chosen.filter == {"states": "pending"}
    assert chosen.digest == digest_of(ids)
    assert chosen.ledger_seq == seq
    assert chosen.bytes == sum(scene.installation.batch(i).bytes_total for i in ids) > 0
    assert chosen.key.startswith("sel_")
    assert scene.operations.get_selection(chosen.key) == chosen


def test_what_arrives_after_selecting_is_never_swept_in(scene: Scene) -> None:
    chosen_ids = scene.ready(3)
    chosen = scene.operations.select("batches", {"states": "preflight_passed"}, actor=ACTOR)
    late = scene.ready(5)
    before = scene.operations.preview(Verb.QUEUE, Targets(selection=chosen.key))
    done = scene.operations.start(Verb.QUEUE, Targets(selection=chosen.key), actor=ACTOR)
    assert (before.eligible, before.total) == (3, 3)
    assert done.totals[TargetOutcome.DONE] == done.total == 3
    assert set(scene.states(chosen_ids)) == {"queued"}
    assert set(scene.states(late)) == {"preflight_passed"}


def test_a_selection_by_hand_grows_and_shrinks_and_knows_each_page(scene: Scene) -> None:
    ids = scene.found(4)
    made = scene.operations.select_ids("batches", [], actor=ACTOR)
    assert (made.count, made.filter) == (0, None)
    scene.operations.change_selection(made.key, add=ids[:3])
    scene.operations.change_selection(made.key, add=ids[2:])
    now_selected = scene.operations.change_selection(made.key, remove=[ids[0], 999_999])
    assert now_selected.digest == digest_of(ids[1:])
    assert now_selected.count == 3
    assert scene.operations.selected_among(made.key, ids) == set(ids[1:])


def test_the_selection_of_an_operation_stays_as_it_was_while_the_person_goes_on(
    scene: Scene,
) -> None:
    ids = scene.ready(3)
    made = scene.operations.select_ids("batches", ids[:2], actor=ACTOR)
    started = scene.operations.start(Verb.QUEUE, Targets(selection=made.key), actor=ACTOR)
    assert started.selection != made.key
    assert scene.operations.change_selection(made.key, add=ids[2:]).count == 3
    with pytest.raises(SelectionClosed):
        scene.operations.change_selection(started.selection, add=ids[2:])
    assert scene.operations.get_selection(started.selection).digest == digest_of(ids[:2])
    assert started.as_of == made.as_of


def test_what_is_not_there_cannot_be_selected(quick_scene: Scene) -> None:
    operations = quick_scene.operations
    with pytest.raises(TargetMissing):
        operations.select_ids("batches", [4711], actor=ACTOR)
    with pytest.raises(UnknownSelection):
        operations.get_selection("sel_nothing")
    with pytest.raises(BadOperation):
        operations.select("planets", {}, actor=ACTOR)
    for filters in ({"colour": "red"}, {"states": "melted"}, {"updated_after": "2026-01-01"}):
        with pytest.raises(BadFilter):
            operations.select("batches", filters, actor=ACTOR)
    with quick_scene.db.read() as conn:
        assert conn.execute(select(selection)).all() == []


def test_the_filters_of_each_list_select_what_the_list_shows(scene: Scene) -> None:
    scene.ingest.queue(scene.found(2), actor="test")
    scene.installation.drain()
    operations = scene.operations
    assert operations.select("jobs", {"states": ["done"]}, actor=ACTOR).count == 2
    assert operations.select("jobs", {"states": "failed,cancelled"}, actor=ACTOR).count == 0
    assets = operations.select("assets", {}, actor=ACTOR)
    assert assets.count == 2
    assert assets.bytes > 0
    assert operations.select("assets", {"deleted": "true"}, actor=ACTOR).count == 0
    assert operations.select("galleries", {"deleted": "any"}, actor=ACTOR).count == 0
    later = {"updated_after": "2999-01-01T00:00:00+02:00"}
    assert operations.select("batches", later, actor=ACTOR).count == 0


def test_a_hundred_thousand_are_selected_by_the_database_itself(quick_scene: Scene) -> None:
    with quick_scene.db.write() as conn:
        at = conn.scalar(select(now()))
        rows = [
            {
                "content_hash": f"{number:064x}",
                "asset_type": "photo",
                "created_at": at,
                "updated_at": at,
            }
            for number in range(100_000)
        ]
        conn.execute(insert(asset), rows)
    chosen = quick_scene.operations.select("assets", {"types": "photo"}, actor=ACTOR)
    assert chosen.count == 100_000


def test_a_selection_that_nobody_used_is_forgotten_after_a_while(scene: Scene) -> None:
    scene.ready(2)
    used = scene.operations.select("batches", {}, actor=ACTOR)
    started = scene.operations.start(Verb.QUEUE, Targets(selection=used.key), actor=ACTOR)
    with scene.db.write() as conn:
        conn.execute(update(selection).values(as_of=now(-selections.FORGOTTEN_AFTER_S - 1)))
    kept = [scene.operations.select("jobs", {}, actor=ACTOR).key for _ in range(2)]
    with scene.db.read() as conn:
        left = set(conn.scalars(select(selection.c.key)))
        owners = set(conn.scalars(select(selection_member.c.selection_id)))
        ids = set(conn.scalars(select(selection.c.id)))
    assert left == {started.selection, *kept}
    assert owners <= ids


def test_jobs_that_came_later_are_not_in_a_selection_of_jobs(scene: Scene) -> None:
    ids = scene.ready(2)
    scene.ingest.queue(ids[:1], actor="test")
    chosen = scene.operations.select("jobs", {"states": "queued"}, actor=ACTOR)
    scene.ingest.queue(ids[1:], actor="test")
    done = scene.operations.start(Verb.CANCEL, Targets(selection=chosen.key), actor=ACTOR)
    assert done.totals[TargetOutcome.DONE] == 1
    assert scene.states(ids) == ["cancelled", "queued"]
    with scene.db.read() as conn:
        assert conn.scalars(select(import_job.c.status).order_by(import_job.c.id)).all() == [
            "cancelled",
            "queued",
        ]
