"""What a preview says is what an operation does; each target has one result, whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from lading.base.stopping import StopReason, StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.jobs.tables import import_job
from lading.jobs.values import NewJob
from lading.ledger.queries import walk_events
from lading.ledger.verify import verify_chain
from lading.library.tables import asset
from lading.operations import carrying_out, operations
from lading.operations.errors import BadOperation, UnknownOperation
from lading.operations.queries import OperationFilter
from lading.operations.states import OperationState, TargetOutcome
from lading.operations.tables import operation, operation_result
from lading.operations.values import Operation, Preview, Resource, Targets, Verb
from lading.testing.servers_db import url_of
from tests.conftest import taking_turns
from tests.operations.conftest import Scene

ACTOR = "user:ana"


def batches(ids: list[int]) -> Targets:
    return Targets(resource=Resource.BATCHES, ids=ids)


def jobs(ids: list[int]) -> Targets:
    return Targets(resource=Resource.JOBS, ids=ids)


def results(scene: Scene, done: Operation) -> dict[int, tuple[str, str | None]]:
    page = scene.operations.results(done.key, limit=1_000)
    assert [r.position for r in page.results] == list(range(len(page.results)))
    return {r.target_id: (r.outcome.value, r.code) for r in page.results}


def check_foreseen(scene: Scene, foreseen: Preview, done: Operation) -> None:
    """The preview's numbers are the outcome's."""
    outcomes = Counter(results(scene, done).values())
    done_or_refused = sum(n for (outcome, _), n in outcomes.items() if outcome != "skipped")
    skipped = {code: n for (outcome, code), n in outcomes.items() if outcome == "skipped"}
    assert foreseen.eligible + foreseen.auto_preflight == done_or_refused
    assert foreseen.skipped_counts == skipped
    assert foreseen.total == done.total == sum(done.totals.values())
    assert done.state is OperationState.DONE


@pytest.fixture
def mixed(scene: Scene) -> list[int]:
    """A batch in each of many states: pending, ready, queued, imported, cancelled, failed."""
    imported = scene.found(1)
    scene.ingest.queue(imported, actor="test")
    scene.installation.drain()
    cancelled = scene.found(1)
    (result,) = scene.ingest.queue(cancelled, actor="test")
    assert result.job_id is not None
    scene.installation.queue.cancel(result.job_id, actor="test", why="a test")
    broken = scene.upstream.publish_bytes(scene.upstream.new_sync_id(), b"{}")
    (failed,) = scene.installation.scan()
    assert broken.sync_id == scene.installation.batch(failed).batch_key
    scene.ingest.preflight(failed, actor="test")
    pending, ready = scene.found(2), scene.ready(2)
    queued = scene.ready(1)
    scene.ingest.queue(queued, actor="test", priority=7)
    ids = [*imported, *cancelled, failed, *pending, *ready, *queued]
    assert scene.states(ids) == [
        *("imported", "cancelled", "preflight_failed", "pending", "pending"),
        *("preflight_passed", "preflight_passed", "queued"),
    ]
    return ids


@pytest.mark.parametrize(
    ("backend", "verb", "params"),
    taking_turns(
        ("preflight", {}),
        ("queue", {"priority": 3}),
        ("cancel", {"why": "not today"}),
        ("prioritise", {"priority": 2}),
        ("prioritise", {"priority": 7}),
        ("acknowledge", {"note": "known"}),
        ("unacknowledge", {}),
    ),
)
def test_the_preview_of_batches_is_what_becomes_of_them(
    verb: str, params: dict[str, object], scene: Scene, mixed: list[int]
) -> None:
    events_before = count_events(scene)
    foreseen = scene.operations.preview(verb, batches(mixed), params)
    assert count_events(scene) == events_before
    assert len(foreseen.skipped) == foreseen.skipped_total
    assert all(skipped.sentence for skipped in foreseen.skipped)
    started = scene.operations.start(verb, batches(mixed), params, actor=ACTOR)
    scene.installation.drain()
    done = scene.operations.get(started.key)
    check_foreseen(scene, foreseen, done)
    with scene.db.read() as conn:
        assert verify_chain(conn).whole


def count_events(scene: Scene) -> int:
    with scene.db.read() as conn:
        return sum(1 for _ in walk_events(conn))


def test_a_preview_of_a_queueing_says_what_it_brings(scene: Scene) -> None:
    """Bytes, the room left, and what would be removed, decided about or not."""
    scene.ingest.queue(scene.found(2), actor="test")
    scene.installation.drain()
    with scene.db.read() as conn:
        hashes = conn.scalars(select(asset.c.content_hash)).all()
    for content_hash in hashes:
        removal = scene.upstream.bundle("asset", "remove")
        removal.remove_asset(content_hash)
        removal.publish()
    ids = scene.found(2)
    removing = next(i for i in ids if scene.installation.batch(i).action == "remove")
    scene.ingest.preflight(removing, actor="test")
    scene.installation.queue.pause_intake(actor="test", why="a test")
    foreseen = scene.operations.preview("queue", batches(ids))
    assert len(ids) == 4
    assert foreseen.bytes == sum(scene.installation.batch(i).bytes_total for i in ids) > 0
    assert foreseen.free_after_bytes is not None
    assert foreseen.removes == 2
    assert foreseen.conflicts == []
    assert any("paused" in warning for warning in foreseen.warnings)


def test_two_ready_batches_with_the_same_content_are_named(scene: Scene) -> None:
    for name in ("one", "two"):
        bundle = scene.upstream.bundle()
        shared = bundle.photo(name, data=b"the same bytes", documents=(), derivatives=())
        bundle.publish()
    ids = sorted(scene.installation.scan())
    for batch_id in ids:
        scene.ingest.preflight(batch_id, actor="test")
    (conflict,) = scene.operations.preview("queue", batches(ids)).conflicts
    assert (conflict.content_hash, list(conflict.batch_ids)) == (shared, ids)


def test_what_changed_since_it_was_chosen_is_skipped_with_a_code_and_a_sentence(
    scene: Scene,
) -> None:
    ids = scene.ready(3)
    chosen = scene.operations.select("batches", {"states": "preflight_passed"}, actor=ACTOR)
    scene.ingest.queue(ids[:1], actor="somebody")
    done = scene.operations.start("queue", Targets(selection=chosen.key), actor=ACTOR)
    assert done.totals[TargetOutcome.SKIPPED] == 1
    page = scene.operations.results(done.key, outcome=TargetOutcome.SKIPPED)
    (skipped,) = page.results
    assert (skipped.target_id, skipped.code) == (ids[0], "already_queued")
    assert skipped.sentence == "A job has it already."
    assert skipped.target_name == scene.installation.batch(ids[0]).batch_key


def test_few_and_quick_ones_are_done_at_once_and_name_their_jobs(scene: Scene) -> None:
    ids = scene.ready(2)
    done = scene.operations.start("queue", batches(ids), {"priority": "4"}, actor=ACTOR)
    assert (done.state, done.job_id) == (OperationState.DONE, None)
    assert done.finished_at is not None
    for result in scene.operations.results(done.key).results:
        assert result.job_id is not None
        job = scene.installation.queue.get(result.job_id)
        assert (job.batch_id, job.priority) == (result.target_id, 4)


def test_what_must_be_preflighted_becomes_a_job_that_says_how_far_it_is(scene: Scene) -> None:
    ids = scene.found(3)
    started = scene.operations.start("queue", batches(ids), actor=ACTOR)
    assert started.state is OperationState.QUEUED
    assert started.job_id is not None
    assert set(scene.states(ids)) == {"pending"}
    scene.installation.drain()
    done = scene.operations.get(started.key)
    assert done.state is OperationState.DONE
    assert set(scene.states(ids)) == {"imported"}
    progress = scene.installation.queue.get(started.job_id).progress
    assert (progress.items_done, progress.items_total) == (2, 3) or progress.items_done == 3


def test_a_batch_that_preflight_finds_wanting_is_refused_and_the_others_go_on(
    scene: Scene,
) -> None:
    good = scene.found(2)
    published = scene.upstream.publish_many(1, payload=False)
    (bad,) = scene.installation.scan()
    started = scene.operations.start("queue", batches([*good, bad]), actor=ACTOR)
    scene.installation.drain()
    found = results(scene, scene.operations.get(started.key))
    assert found == {
        good[0]: ("done", None),
        good[1]: ("done", None),
        bad: ("refused", "all_rejected"),
    }
    assert scene.installation.batch(published.sync_id).state.value == "preflight_failed"


def test_the_ledger_says_who_did_what_to_how_many_and_what_came_of_it(scene: Scene) -> None:
    ids = scene.ready(2)
    scene.ingest.queue(ids[:1], actor="test")
    done = scene.operations.start("queue", batches(ids), {"priority": 1}, actor=ACTOR)
    with scene.db.read() as conn:
        events = list(walk_events(conn))
    started = next(e for e in events if e.kind == "operation_started")
    assert started.actor == ACTOR
    assert started.payload["operation"] == done.key
    assert started.payload["targets"] == 2
    assert started.payload["params"] == {"priority": 1}
    finished = events[-1]
    assert finished.kind == "operation_finished"
    assert finished.payload["outcomes"] == {"done": 1, "skipped": 1}
    queued = [e for e in events if e.kind == "batch_queued" and e.actor == ACTOR]
    assert [e.batch_id for e in queued] == ids[1:]


def make_jobs(scene: Scene, count: int, **fields: object) -> list[int]:
    new = [NewJob("other", **fields) for _ in range(count)]  # type: ignore[arg-type]
    with scene.db.write() as conn:
        enqueued = scene.installation.queue.enqueue(conn, new, actor="test")
    return [made.job_id for made in enqueued]


def set_job(scene: Scene, job_id: int, **values: object) -> None:
    with scene.db.write() as conn:
        conn.execute(update(import_job).where(import_job.c.id == job_id).values(**values))


@pytest.fixture
def mixed_jobs(scene: Scene) -> list[int]:
    """Queued, waiting, running, stopping, paused, done, failed, cancelled; chains and twins."""
    queued, running, stopping, paused, done, failed, cancelled, snag = make_jobs(scene, 8)
    (waiting,) = make_jobs(scene, 1, wait_for=[queued])
    (child,) = make_jobs(scene, 1, wait_for=[snag])
    (other_child,) = make_jobs(scene, 1, wait_for=[failed])
    for job_id, status in (
        *((running, "running"), (stopping, "running"), (paused, "paused"), (done, "done")),
        *((failed, "failed"), (cancelled, "cancelled"), (snag, "failed"), (child, "failed")),
        (other_child, "failed"),
    ):
        at = now() if status in {"done", "failed", "cancelled"} else None
        set_job(scene, job_id, status=status, finished_at=at, heartbeat_at=now())
    set_job(scene, stopping, stop_requested=True)
    set_job(scene, queued, priority=2)
    twins = make_jobs(scene, 2)
    for twin in twins:
        set_job(scene, twin, status="failed", own_key="the same", finished_at=now())
    (held,) = make_jobs(scene, 1)
    make_jobs(scene, 1, active_key="held")
    set_job(scene, held, status="failed", own_key="held", finished_at=now())
    # `snag` is left out, so that its child cannot be retried.
    chosen = [queued, waiting, running, stopping, paused, done, failed, cancelled, child]
    return [*chosen, other_child, *twins, held]


@pytest.mark.parametrize(
    ("backend", "verb", "params", "expected"),
    taking_turns(
        ("stop", {}, 1),
        ("resume", {}, 1),
        ("retry", {}, 4),
        ("cancel", {}, 3),
        ("prioritise", {"priority": 2}, 4),
        ("acknowledge", {"snooze_s": 3600}, 6),
        ("unacknowledge", {}, 0),
    ),
)
def test_the_preview_of_jobs_is_what_becomes_of_them(
    verb: str,
    params: dict[str, object],
    expected: int,
    scene: Scene,
    mixed_jobs: list[int],
) -> None:
    foreseen = scene.operations.preview(verb, jobs(mixed_jobs), params)
    done = scene.operations.start(verb, jobs(mixed_jobs), params, actor=ACTOR)
    check_foreseen(scene, foreseen, done)
    assert done.totals[TargetOutcome.DONE] == expected


@pytest.mark.parametrize(
    ("backend", "verb", "when"),
    taking_turns(
        ("queue", "before_commit"),
        ("queue", "after_commit"),
        ("acknowledge", "after_commit"),
        ("acknowledge", "before_commit"),
    ),
)
def test_a_worker_killed_in_the_middle_leaves_nothing_undone_and_nothing_done_twice(
    when: str,
    verb: str,
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operations, "INLINE_TARGETS_MAX", 0)
    if verb == "queue":
        ids = scene.ready(6)
    else:
        for _ in range(6):
            scene.upstream.publish_bytes(scene.upstream.new_sync_id(), b"{}")
        ids = sorted(scene.installation.scan())
        for batch_id in ids:
            scene.ingest.preflight(batch_id, actor="test")
    scene.installation.queue.pause_intake(actor="test", why="imports shall wait")
    started = scene.operations.start(verb, batches(ids), actor=ACTOR)
    scene.installation.queue.resume_intake(actor="test")
    worker = run_killed_worker(scene, tmp_path, results_before_kill=2, when=when)
    assert worker.returncode == -signal.SIGKILL, worker.stdout.decode()
    half = scene.operations.get(started.key)
    chunk = 2 if verb == "acknowledge" else 1
    assert half.settled == {"before_commit": 1, "after_commit": 2}[when] * chunk
    with scene.db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.status == "running")
            .values(heartbeat_at=now(-3600))
        )
    scene.installation.drain()
    done = scene.operations.get(started.key)
    assert done.state is OperationState.DONE
    assert results(scene, done) == dict.fromkeys(ids, ("done", None))
    with scene.db.read() as conn:
        imports = conn.execute(
            select(import_job.c.batch_id, func.count())
            .where(import_job.c.kind == "import_batch")
            .group_by(import_job.c.batch_id)
        ).all()
        by_ana = [e for e in walk_events(conn) if e.actor == ACTOR]
        assert verify_chain(conn).whole
    if verb == "queue":
        assert dict(map(tuple, imports)) == dict.fromkeys(ids, 1)
        assert [e.batch_id for e in by_ana if e.kind == "batch_queued"] == ids
    else:
        noted = [e for e in by_ana if e.kind == "problems_acknowledged"]
        assert sorted(name for e in noted for name in e.payload["targets"]) == sorted(
            scene.installation.batch(batch_id).batch_key for batch_id in ids
        )


def run_killed_worker(
    scene: Scene, tmp_path: Path, *, results_before_kill: int, when: str
) -> subprocess.CompletedProcess[bytes]:
    config = tmp_path / "worker.json"
    config.write_text(
        json.dumps(
            {
                "database_url": url_of(scene.db),
                "root": str(scene.upstream.root),
                "store": str(scene.folder / "store"),
                "results": results_before_kill,
                "when": when,
                "chunk": 2,
            }
        )
    )
    program = Path(__file__).with_name("killed_worker.py")
    return subprocess.run(
        [sys.executable, str(program), str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )


def test_an_operation_asked_to_stop_ends_between_two_targets_and_can_be_resumed(
    quick_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "INLINE_TARGETS_MAX", 0)
    ids = quick_scene.ready(5)
    started = quick_scene.operations.start("queue", batches(ids), actor=ACTOR)
    assert started.job_id is not None
    stop = StopSignal()
    settle = carrying_out.CarryingOut._settle_one

    def settle_then_stop(self: object, *args: object) -> None:
        settle(self, *args)  # type: ignore[arg-type]
        quick_scene.installation.queue.request_stop(
            started.job_id or 0, actor="user:bo", why="enough"
        )
        monkeypatch.setattr(carrying_out.CarryingOut, "_settle_one", settle)

    monkeypatch.setattr(carrying_out.CarryingOut, "_settle_one", settle_then_stop)
    quick_scene.installation.drain(stop)
    paused = quick_scene.operations.get(started.key)
    assert paused.state is OperationState.PAUSED
    assert 1 <= paused.settled < 5
    quick_scene.installation.queue.resume(started.job_id, actor="user:bo")
    quick_scene.installation.drain()
    done = quick_scene.operations.get(started.key)
    assert done.state is OperationState.DONE
    assert done.totals[TargetOutcome.DONE] == 5
    assert stop.reason is None or stop.reason is StopReason.SHUTDOWN


def test_the_state_of_an_operation_is_that_of_its_job(
    quick_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "INLINE_TARGETS_MAX", 0)
    ids = quick_scene.ready(1)
    started = quick_scene.operations.start("queue", batches(ids), actor=ACTOR)
    assert started.job_id is not None
    for status, state in (
        *(("queued", "queued"), ("waiting", "queued"), ("running", "running")),
        *(("paused", "paused"), ("failed", "failed"), ("cancelled", "cancelled")),
    ):
        set_job(quick_scene, started.job_id, status=status, error="it broke", error_code="x")
        seen = quick_scene.operations.get(started.key)
        assert seen.state.value == state
        assert (seen.error_code == "x") == (state == "failed")
        found = quick_scene.operations.list(OperationFilter(states=[seen.state]))
        assert [one.key for one in found.operations] == [started.key]


def test_one_that_was_cut_off_with_its_request_does_not_seem_to_run_for_ever(
    quick_scene: Scene,
) -> None:
    done = quick_scene.operations.start("queue", batches(quick_scene.ready(1)), actor=ACTOR)
    for age_s, state in ((10, OperationState.RUNNING), (3600, OperationState.FAILED)):
        with quick_scene.db.write() as conn:
            conn.execute(update(operation).values(state="running", created_at=now(-age_s)))
        assert quick_scene.operations.get(done.key).state is state
    assert quick_scene.operations.get(done.key).error_code == "cut_off"


def test_operations_are_listed_by_who_what_and_when_page_by_page(scene: Scene) -> None:
    ids = scene.ready(4)
    keys = [
        scene.operations.start("queue", batches([batch_id]), actor=actor).key
        for batch_id, actor in zip(
            ids, ("user:ana", "user:bo", "user:ana", "user:ana"), strict=True
        )
    ]
    keys.append(scene.operations.start("cancel", batches(ids), actor="user:bo").key)
    pages, cursor = [], None
    while True:
        page = scene.operations.list(cursor=cursor, limit=2)
        pages += [one.key for one in page.operations]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == keys[::-1]
    by_ana = scene.operations.list(OperationFilter(actor="user:ana"))
    assert len(by_ana.operations) == 3
    cancels = scene.operations.list(OperationFilter(verbs=[Verb.CANCEL]))
    assert [one.key for one in cancels.operations] == keys[-1:]
    late = OperationFilter(since=datetime(2999, 1, 1, tzinfo=UTC))
    assert scene.operations.list(late).operations == []


def test_what_makes_no_sense_is_refused_before_anything_is_written(quick_scene: Scene) -> None:
    ids = quick_scene.ready(1)
    for verb, params in (
        *(("delete", {}), ("dance", {}), ("prioritise", {}), ("prioritise", {"priority": 101})),
        *(("queue", {"colour": "red"}), ("acknowledge", {"snooze_s": -1})),
    ):
        with pytest.raises(BadOperation):
            quick_scene.operations.start(verb, batches(ids), params, actor=ACTOR)
    with pytest.raises(BadOperation):
        quick_scene.operations.start("queue", Targets(), actor=ACTOR)
    with pytest.raises(UnknownOperation):
        quick_scene.operations.get("op_nothing")
    with quick_scene.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(operation)) == 0
        assert conn.scalar(select(func.count()).select_from(operation_result)) == 0


def test_thousands_of_targets_become_a_job_and_each_has_its_result(
    sqlite_database: Database, quick_scene: Scene
) -> None:
    made = make_jobs(quick_scene, 1_000)
    chosen = quick_scene.operations.select("jobs", {"states": "queued"}, actor=ACTOR)
    started = quick_scene.operations.start("cancel", Targets(selection=chosen.key), actor=ACTOR)
    assert started.job_id is not None
    quick_scene.installation.drain()
    done = quick_scene.operations.get(started.key)
    assert done.totals[TargetOutcome.DONE] == len(made)
    assert len(results(quick_scene, done)) == len(made)
