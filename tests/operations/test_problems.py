"""What is wrong is listed once, in words, until it is mended or someone has taken note of it."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import select, update

from lading.db.clock import now
from lading.ingest.rules import ENGINE_REASONS
from lading.ingest.source import SourceMissing
from lading.jobs.tables import import_job
from lading.jobs.values import NewJob
from lading.ledger.queries import walk_events
from lading.ledger.tables import ingest_batch
from lading.operations.errors import UnknownProblem
from lading.operations.problems import ProblemGroup, ProblemKind
from lading.operations.states import TargetOutcome
from lading.operations.tables import acknowledgement
from lading.operations.values import Resource, Targets
from lading.operations.wording import Retry
from lading.testing.publisher import Breakage
from tests.operations.conftest import Scene

ACTOR = "user:ana"


def broken_batch(scene: Scene) -> int:
    """A batch that preflight refuses as a whole."""
    scene.upstream.publish_bytes(scene.upstream.new_sync_id(), b"{}")
    (batch_id,) = scene.installation.scan()
    scene.ingest.preflight(batch_id, actor="test")
    return batch_id


def half_broken_batch(scene: Scene, items: int = 2) -> int:
    """A batch of which one photo was imported and `items` were not: their files are gone."""
    bundle = scene.upstream.bundle()
    for number in range(items + 1):
        bundle.photo(f"{bundle.sync_id[:4]}-{number}", documents=(), derivatives=())
    bundle.publish()
    for item in bundle.items[1:]:
        shutil.rmtree(scene.upstream.root / item["path"])
    (batch_id,) = scene.installation.scan()
    scene.ingest.queue([batch_id], actor="test")
    scene.installation.drain()
    assert scene.states([batch_id]) == ["partial"]
    return batch_id


def failed_job(scene: Scene, *, code: str = "store_full", key: str | None = None) -> int:
    with scene.db.write() as conn:
        (made,) = scene.installation.queue.enqueue(
            conn, [NewJob("polish", active_key=key)], actor="test"
        )
        conn.execute(
            update(import_job)
            .where(import_job.c.id == made.job_id)
            .values(status="failed", error_code=code, finished_at=now(), active_key=None)
        )
    return made.job_id


def unmount(scene: Scene) -> None:
    """The source's root goes away, and a scan sees it."""
    scene.upstream.sync.rename(scene.upstream.root / "elsewhere")
    with pytest.raises(SourceMissing):
        scene.installation.scan()


def only(groups: list[ProblemGroup]) -> ProblemGroup:
    (group,) = groups
    return group


def check_badge(scene: Scene) -> list[ProblemGroup]:
    """The badge is the length of the list it opens, and each group that of its targets."""
    groups = scene.operations.problems.groups()
    badge = scene.operations.problems.count()
    assert (badge.groups, badge.exact) == (len(groups), True)
    assert badge.problems == sum(group.count for group in groups)
    for group in groups:
        assert len(scene.operations.problems.targets(group.fingerprint).targets) == group.count
        assert group.sentence
        assert group.next_step
        assert group.first_seen <= group.last_seen
        assert 1 <= len(group.samples) <= 3
    return groups


def test_without_problems_there_is_nothing_to_show(scene: Scene) -> None:
    scene.ingest.queue(scene.found(2), actor="test")
    scene.installation.drain()
    assert check_badge(scene) == []


def test_each_kind_of_problem_is_one_group_by_source_and_reason(scene: Scene) -> None:
    broken = [broken_batch(scene), broken_batch(scene)]
    partial = half_broken_batch(scene)
    job_id = failed_job(scene)
    unmount(scene)
    groups = {group.fingerprint: group for group in check_badge(scene)}
    assert set(groups) == {
        "batch.nas.manifest_unreadable",
        "item.nas.missing_file",
        "job.polish.store_full",
        "source.nas.source_missing",
    }
    batches = groups["batch.nas.manifest_unreadable"]
    assert (batches.count, batches.retry) == (2, Retry.AFTER)
    assert {target.id for target in batches.samples} == set(broken)
    items = groups["item.nas.missing_file"]
    assert (items.count, items.kind) == (2, ProblemKind.ITEM)
    assert items.sentence == "a file of the item is not there"
    assert {target.id for target in items.samples} == {partial}
    assert all(target.item for target in items.samples)
    jobs = groups["job.polish.store_full"]
    assert jobs.samples[0].retry_job == job_id
    assert jobs.retry is Retry.YES
    assert groups["source.nas.source_missing"].retry is Retry.YES


def test_groups_and_their_targets_are_read_by_kind_and_page(scene: Scene) -> None:
    for _ in range(4):
        broken_batch(scene)
    problems = scene.operations.problems
    assert problems.groups(kinds=[ProblemKind.JOB]) == []
    assert problems.groups(source="other") == []
    group = only(problems.groups(kinds=[ProblemKind.BATCH], source="nas"))
    first = problems.targets(group.fingerprint, limit=3)
    rest = problems.targets(group.fingerprint, limit=3, cursor=first.next_cursor)
    ids = [target.id for target in [*first.targets, *rest.targets]]
    assert (len(first.targets), rest.next_cursor) == (3, None)
    assert ids == sorted(ids, reverse=True)
    assert problems.count(cap=3).problems == 3
    assert not problems.count(cap=3).exact
    for fingerprint in ("nonsense", "planet.nas.missing", "batch.nas.not_so"):
        with pytest.raises(UnknownProblem):
            problems.get(fingerprint)


def test_every_reason_has_a_sentence_and_a_next_step(quick_scene: Scene) -> None:
    for kind in Breakage:
        quick_scene.upstream.publish_broken(kind)
    for batch_id in quick_scene.installation.scan():
        quick_scene.ingest.queue([batch_id], actor="test")
    quick_scene.installation.drain()
    groups = check_badge(quick_scene)
    assert len(groups) > 15
    wordless = [g.code for g in groups if g.sentence == g.code or not g.next_step]
    assert wordless == []
    assert not {g.code for g in groups if g.kind is ProblemKind.BATCH} & {"all_rejected"}
    assert set(ENGINE_REASONS) >= {"all_rejected"}


def test_what_is_known_is_hidden_until_it_changes(scene: Scene) -> None:
    batch_id = broken_batch(scene)
    problems = scene.operations.problems
    group = only(problems.groups())
    done = problems.acknowledge(group.fingerprint, actor=ACTOR, note="they know")
    assert done is not None
    assert done.totals[TargetOutcome.DONE] == 1
    assert check_badge(scene) == []
    hidden = only(problems.groups(with_acknowledged=True))
    assert (hidden.count, hidden.acknowledged) == (1, 1)
    assert problems.targets(group.fingerprint, with_acknowledged=True).targets[0].acknowledged
    scene.ingest.preflight(batch_id, actor="test")
    assert only(problems.groups()).acknowledged == 0


def test_what_was_put_off_comes_back_when_its_time_has_passed(scene: Scene) -> None:
    broken_batch(scene)
    problems = scene.operations.problems
    group = only(problems.groups())
    problems.acknowledge(group.fingerprint, actor=ACTOR, snooze_s=3600)
    assert problems.groups() == []
    with scene.db.write() as conn:
        conn.execute(update(acknowledgement).values(snoozed_until=now(-1)))
    assert only(problems.groups()).fingerprint == group.fingerprint


def test_part_of_a_group_can_be_known(scene: Scene) -> None:
    first, second = broken_batch(scene), broken_batch(scene)
    targets = Targets(resource=Resource.BATCHES, ids=[first])
    scene.operations.start("acknowledge", targets, actor=ACTOR)
    group = only(check_badge(scene))
    assert (group.count, group.acknowledged) == (1, 1)
    assert [target.id for target in group.samples] == [second]
    scene.operations.problems.unacknowledge(group.fingerprint, actor=ACTOR)
    assert only(check_badge(scene)).count == 2


def test_one_reading_tells_of_what_is_shown_and_how_much_is_not(scene: Scene) -> None:
    first, second = broken_batch(scene), broken_batch(scene)
    half_broken_batch(scene)
    problems = scene.operations.problems
    targets = Targets(resource=Resource.BATCHES, ids=[first])
    scene.operations.start("acknowledge", targets, actor=ACTOR)
    survey = problems.survey()
    assert survey.groups == problems.groups()
    assert survey.acknowledged == 1
    items = next(g for g in survey.groups if g.kind is ProblemKind.ITEM)
    problems.acknowledge(items.fingerprint, actor=ACTOR)
    # Of a group that is hidden whole nothing is shown, and it counts all the same.
    survey = problems.survey()
    assert [[target.id for target in group.samples] for group in survey.groups] == [[second]]
    assert survey.acknowledged == 3
    assert sum(g.acknowledged for g in problems.survey(with_acknowledged=True).groups) == 3


def test_items_are_hidden_with_the_batch_someone_took_note_of(scene: Scene) -> None:
    half_broken_batch(scene)
    group = only(scene.operations.problems.groups())
    done = scene.operations.problems.acknowledge(group.fingerprint, actor=ACTOR)
    assert done is not None
    assert (group.count, done.total) == (2, 1)
    assert scene.operations.problems.groups() == []


def test_taking_note_touches_nothing_but_the_note(scene: Scene) -> None:
    broken_batch(scene)
    running = scene.ready(1)
    scene.ingest.queue(running, actor="test")

    def all_rows() -> list[object]:
        with scene.db.read() as conn:
            batches = conn.execute(select(ingest_batch).order_by(ingest_batch.c.id)).all()
            jobs = conn.execute(select(import_job).order_by(import_job.c.id)).all()
        return [*map(tuple, batches), *map(tuple, jobs)]

    before = all_rows()
    chosen = scene.operations.select("batches", {}, actor=ACTOR)
    targets = Targets(selection=chosen.key)
    done = scene.operations.start("acknowledge", targets, {"note": "all"}, actor=ACTOR)
    assert all_rows() == before
    assert done.totals[TargetOutcome.SKIPPED] == 1
    skipped = scene.operations.results(done.key, outcome=TargetOutcome.SKIPPED).results
    assert [(result.target_id, result.code) for result in skipped] == [(running[0], "no_problem")]
    with scene.db.read() as conn:
        (noted,) = [e for e in walk_events(conn) if e.kind == "problems_acknowledged"]
    assert (noted.actor, noted.payload["note"], noted.payload["acknowledged"]) == (
        ACTOR,
        "all",
        True,
    )


def test_a_source_can_be_taken_note_of_and_scanned_again(scene: Scene) -> None:
    scene.found(1)
    unmount(scene)
    problems = scene.operations.problems
    group = only(problems.groups())
    assert (group.kind, group.code) == (ProblemKind.SOURCE, "source_missing")
    assert problems.acknowledge(group.fingerprint, actor=ACTOR) is None
    assert check_badge(scene) == []
    with pytest.raises(SourceMissing):
        scene.installation.scan()
    assert only(problems.groups()).code == "source_missing"
    problems.acknowledge(group.fingerprint, actor=ACTOR)
    problems.unacknowledge(group.fingerprint, actor=ACTOR)
    assert only(problems.groups()).code == "source_missing"
    (scene.upstream.root / "elsewhere").rename(scene.upstream.sync)
    assert problems.retry(group.fingerprint, actor=ACTOR).job_id is not None
    scene.installation.drain()
    assert problems.groups() == []


def test_a_job_whose_work_another_did_is_no_problem_any_more(scene: Scene) -> None:
    failed_job(scene, key="polish:1")
    assert only(scene.operations.problems.groups()).kind is ProblemKind.JOB
    with scene.db.write() as conn:
        scene.installation.queue.enqueue(
            conn, [NewJob("polish", active_key="polish:1")], actor="test"
        )
    assert scene.operations.problems.groups() == []


def test_a_group_is_retried_as_one(scene: Scene) -> None:
    batch_id = half_broken_batch(scene, items=1)
    job_id = failed_job(scene)
    problems = scene.operations.problems
    by_kind = {group.kind: group for group in problems.groups()}
    of_jobs = problems.retry(by_kind[ProblemKind.JOB].fingerprint, actor=ACTOR).operation
    assert of_jobs is not None
    assert scene.installation.queue.get(job_id).status == "queued"
    of_items = problems.retry(by_kind[ProblemKind.ITEM].fingerprint, actor=ACTOR).operation
    assert of_items is not None
    assert of_items.verb == "queue"
    scene.installation.drain()
    done = scene.operations.results(of_items.key).results
    assert [(result.target_id, result.outcome.value) for result in done] == [(batch_id, "done")]


def test_many_failures_are_grouped_in_a_constant_number_of_statements(
    quick_scene: Scene,
) -> None:
    with quick_scene.db.write() as conn:
        at = conn.scalar(select(now()))
        rows = [
            {
                "source": "nas",
                "batch_key": f"batch-{number}",
                "revision": 1,
                "state": "failed",
                "reason": f"reason_{number % 7}",
                "fingerprint": "-",
                "found_at": at,
                "updated_at": at,
            }
            for number in range(7_000)
        ]
        conn.execute(ingest_batch.insert(), rows)
    groups = check_many(quick_scene)
    assert [group.count for group in groups] == [1_000] * 7


def check_many(scene: Scene) -> list[ProblemGroup]:
    groups = scene.operations.problems.groups()
    assert all(len(group.samples) == 3 for group in groups)
    assert scene.operations.problems.count().problems == 7_000
    return groups
