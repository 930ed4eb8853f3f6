"""The verbs on real bundles: plans bind, preflights do not mix, jobs and batches go together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from lading.db import Database
from lading.ingest.plan import BadPlan, NotPreflighted, Plan
from lading.ingest.preflight import BatchBusy
from lading.ingest.queueing import QueueOutcome
from lading.ingest.scan import ScanNotBelieved
from lading.ingest.source import SourceMissing
from lading.ingest.verifying import VerifyLevel, verify_library
from lading.ledger.batches import BatchOvertaken
from lading.ledger.items import count_outcomes
from lading.ledger.queries import list_events, list_items
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.assets import find_assets
from lading.library.containers import ContainerRef, list_members
from lading.library.tables import asset, asset_gallery, asset_gallery_item
from lading.testing.installation import ACTOR, Installation
from lading.testing.publisher import Published, Publisher
from tests.ingest.upstreams import Upstream

Install = Callable[..., Installation]


def photos(publisher: Publisher, count: int) -> Published:
    bundle = publisher.bundle()
    for number in range(count):
        bundle.photo(f"photo-{number}", documents=(), derivatives=())
    return bundle.publish()


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "nas")


@pytest.fixture
def here(database: Database, publisher: Publisher, install: Install) -> Installation:
    return install(database, publisher.root)


def test_everything_a_handover_can_bring_is_taken_in_and_accounted_for(
    database: Database, upstream: Upstream, install: Install
) -> None:
    here = install(database, upstream.root)
    ids = here.take_in()
    states = [here.batch(batch_id).state for batch_id in ids]
    assert sorted(states) == [BatchState.IMPORTED, BatchState.IMPORTED, BatchState.PARTIAL]
    with database.read() as conn:
        for batch_id in ids:
            batch = here.batch(batch_id)
            assert sum(count_outcomes(conn, batch.id, batch.revision).values()) == batch.items_total
        failed = [
            item
            for batch_id in ids
            for item in list_items(conn, here.batch(batch_id), outcomes=[Outcome.FAILED])[0]
        ]
        places = list_members(conn, ContainerRef("gallery", "spring")).members
    # The one that failed keeps its place in the gallery.
    assert [place.awaited for place in places] == [False, True]
    (spoiled,) = failed
    assert spoiled.reason == "hash_mismatch"
    assert spoiled.decision == "failed"
    assert spoiled.planned == "create"
    assert "spoiled" in (spoiled.last_error or "")


def test_a_plan_is_carried_out_as_it_says(here: Installation, publisher: Publisher) -> None:
    photos(publisher, 3)
    ids = here.scan()
    with pytest.raises(NotPreflighted):
        here.ingest.plan(ids)
    here.ingest.preflight(ids[0], actor=ACTOR)
    plan = Plan.from_json(here.ingest.plan(ids).to_json())
    assert plan.batches[0].decisions == {"create": 3}
    assert len(plan.batches[0].items) == 3
    (result,) = here.ingest.queue(ids, actor=ACTOR, plan=plan)
    assert result.outcome is QueueOutcome.QUEUED
    here.drain()
    assert here.batch(ids[0]).state is BatchState.IMPORTED


def test_a_plan_is_refused_when_the_decisions_are_no_longer_those_it_was_made_of(
    here: Installation, publisher: Publisher
) -> None:
    published = photos(publisher, 2)
    ids = here.scan()
    here.ingest.preflight(ids[0], actor=ACTOR)
    plan = here.ingest.plan(ids)
    publisher.replace_manifest(published)
    here.scan()
    assert here.batch(ids[0]).state is BatchState.PREFLIGHT_STALE
    (stale,) = here.ingest.queue(ids, actor=ACTOR, plan=plan)
    here.ingest.preflight(ids[0], actor=ACTOR)
    (anew,) = here.ingest.queue(ids, actor=ACTOR, plan=plan)
    assert {stale.outcome, anew.outcome} == {QueueOutcome.REFUSED}
    assert stale.reason == anew.reason == "plan_outdated"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "lading-plan-1"}', '{"format":"x"}', "[" * 100_000]
)
def test_a_file_that_is_no_plan_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadPlan):
        Plan.from_json(text)


def test_queueing_many_batches_reports_each_and_one_bad_one_stops_no_other(
    here: Installation, publisher: Publisher
) -> None:
    good = photos(publisher, 1)
    bad = publisher.publish_bytes(publisher.new_sync_id(), b"{", b"")
    ids = here.scan()
    results = {r.batch_key: r for r in here.ingest.queue(ids, actor=ACTOR)}
    assert results[good.sync_id].outcome is QueueOutcome.QUEUED
    assert results[bad.sync_id].outcome is QueueOutcome.REFUSED
    assert here.batch(bad.sync_id).state is BatchState.PREFLIGHT_FAILED
    again = {r.batch_key: r for r in here.ingest.queue(ids, actor=ACTOR)}
    assert again[good.sync_id].outcome is QueueOutcome.SKIPPED
    here.drain()
    assert here.batch(good.sync_id).state is BatchState.IMPORTED


def test_content_whose_first_item_was_rejected_comes_with_the_second(
    here: Installation, publisher: Publisher
) -> None:
    bundle = publisher.bundle()
    digest = bundle.photo("one", documents=(), derivatives=())
    first = bundle.items[0]
    for number in (2, 3):
        bundle.items.append({**first, "item_id": f"p-again-{number}"})
    bundle.items[0] = {**first, "path": "assets/nowhere"}
    published = bundle.publish()
    here.take_in()
    batch = here.batch(published.sync_id)
    with here.db.read() as conn:
        items = list_items(conn, batch)[0]
        assert list(find_assets(conn, [digest])) == [digest]
    assert [(item.outcome, item.reason) for item in items] == [
        (Outcome.REJECTED, "missing_file"),
        (Outcome.CREATED, None),
        (Outcome.REJECTED, "duplicate_item"),
    ]


def test_a_gallery_is_queued_in_one_go_with_the_bundle_that_brings_its_pictures(
    here: Installation, publisher: Publisher
) -> None:
    pictures = publisher.bundle()
    members = [pictures.photo(f"picture-{n}", documents=(), derivatives=()) for n in range(2)]
    gallery = publisher.bundle("gallery")
    gallery.gallery("spring", members)
    mistyped = publisher.bundle("gallery")
    mistyped.gallery("autumn", [*members, "0" * 64])
    published = [bundle.publish() for bundle in (pictures, gallery, mistyped)]
    ids = {here.batch(number).batch_key: number for number in here.scan()}
    in_order = [ids[one.sync_id] for one in published]
    results = here.ingest.queue(in_order, actor=ACTOR)
    assert [r.outcome for r in results] == ["queued", "queued", "refused"]
    here.drain()
    with here.db.read() as conn:
        page = list_members(conn, ContainerRef("gallery", "spring"), limit=10)
        (autumn,) = list_items(conn, here.batch(in_order[2]))[0]
    assert [(m.content_hash, m.awaited) for m in page.members] == [(m, False) for m in members]
    assert autumn.reason == "unknown_member"


def test_a_dry_run_of_queueing_queues_nothing(here: Installation, publisher: Publisher) -> None:
    photos(publisher, 1)
    (result,) = here.ingest.queue(here.scan(), actor=ACTOR, dry_run=True)
    assert (result.outcome, result.job_id) == (QueueOutcome.QUEUED, None)
    assert here.batch(result.batch_id).state is BatchState.PREFLIGHT_PASSED


def test_a_dry_run_of_a_scan_records_nothing(here: Installation, publisher: Publisher) -> None:
    photos(publisher, 1)
    report = here.ingest.scan("nas", actor=ACTOR, dry_run=True)
    assert report.counts == {"new": 1, "updated": 0, "superseded": 0}
    with here.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(ingest_batch)) == 0
        assert list_events(conn) == []


def test_a_preflight_begun_later_takes_over_from_an_earlier_one(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 2)
    (batch_id,) = here.scan()

    def another(_progress: object) -> None:
        here.ingest.preflight(batch_id, actor="test:second")

    with pytest.raises(BatchOvertaken):
        here.ingest.preflight(batch_id, actor="test:first", on_progress=another)
    batch = here.batch(batch_id)
    assert (batch.state, batch.revision) == (BatchState.PREFLIGHT_PASSED, 2)
    with here.db.read() as conn:
        assert len(list_items(conn, batch)[0]) == 2


def test_decisions_that_no_worker_was_given_are_forgotten_and_the_others_kept(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 2)
    (batch_id,) = here.take_in()
    for _ in range(3):
        here.ingest.preflight(batch_id, actor=ACTOR)
    with here.db.read() as conn:
        revisions = set(
            conn.scalars(
                select(ingest_batch_item.c.revision).where(ingest_batch_item.c.batch_id == batch_id)
            )
        )
    assert revisions == {1, 4}


def test_an_imported_batch_stays_so_when_its_source_is_away_at_a_new_preflight(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 2)
    (batch_id,) = here.take_in()
    away = publisher.root.with_name("away")
    publisher.root.rename(away)
    with pytest.raises(SourceMissing):
        here.ingest.preflight(batch_id, actor=ACTOR)
    batch = here.batch(batch_id)
    assert (batch.state, batch.revision) == (BatchState.IMPORTED, 1)
    with here.db.read() as conn:
        assert count_outcomes(conn, batch_id, 1)[Outcome.CREATED] == 2
    away.rename(publisher.root)
    here.ingest.queue([batch_id], actor=ACTOR)
    here.drain()
    assert here.batch(batch_id).state is BatchState.IMPORTED


def test_a_batch_that_a_job_has_is_not_preflighted(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 1)
    ids = here.scan()
    here.ingest.queue(ids, actor=ACTOR)
    with pytest.raises(BatchBusy):
        here.ingest.preflight(ids[0], actor=ACTOR)


def test_a_cancelled_job_cancels_its_batch_and_it_can_be_queued_again(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 1)
    ids = here.scan()
    (result,) = here.ingest.queue(ids, actor=ACTOR)
    assert result.job_id is not None
    here.queue.cancel(result.job_id, actor=ACTOR, why="not now")
    assert here.batch(ids[0]).state is BatchState.CANCELLED
    here.drain()
    with here.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset)) == 0
    here.ingest.queue(ids, actor=ACTOR)
    here.drain()
    assert here.batch(ids[0]).state is BatchState.IMPORTED


def test_a_job_retried_by_hand_takes_its_batch_along(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 1)
    ids = here.scan()
    (result,) = here.ingest.queue(ids, actor=ACTOR)
    assert result.job_id is not None
    here.queue.cancel(result.job_id, actor=ACTOR, why="not now")
    here.queue.retry(result.job_id, actor=ACTOR)
    assert here.batch(ids[0]).state is BatchState.QUEUED
    here.drain()
    assert here.batch(ids[0]).state is BatchState.IMPORTED


def test_a_root_that_was_emptied_is_not_believed(here: Installation, publisher: Publisher) -> None:
    published = photos(publisher, 1)
    here.scan()
    shutil.rmtree(publisher.sync)
    publisher.sync.mkdir()
    with pytest.raises(ScanNotBelieved):
        here.scan()
    assert here.batch(published.sync_id).state is BatchState.PENDING
    with here.db.read() as conn:
        assert [e.payload["reason"] for e in list_events(conn, kinds=["scan_refused"])] == [
            "root_empty"
        ]


def test_two_scans_of_one_source_record_each_batch_once(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 1)

    def second(_found: int) -> None:
        here.ingest.scan("nas", actor="test:second")

    here.ingest.scan("nas", actor="test:first", on_found=second)
    with here.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(ingest_batch)) == 1
        assert len(list_events(conn, kinds=["batch_found"])) == 1


def test_verify_names_what_is_missing_altered_or_owned_by_nobody(
    here: Installation, publisher: Publisher, tmp_path: Path
) -> None:
    photos(publisher, 3)
    (batch_id,) = here.take_in()
    files = sorted(p for p in (tmp_path / "store" / "files").rglob("*") if p.is_file())
    files[0].unlink()
    files[1].write_bytes(bytes(files[1].stat().st_size))
    nobody = "0" * 64
    orphan = tmp_path / "store" / "files" / "00" / "00" / nobody
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"whose?")
    by_size = here.ingest.verify(batch_id, actor=ACTOR)
    assert [p.kind for p in by_size.problems] == ["object_missing"]
    whole = verify_library(here.parts, level=VerifyLevel.SHA256, orphan_age_min_s=0)
    assert sorted(p.kind for p in whole.problems) == ["hash_mismatch", "object_missing", "orphan"]
    assert whole.orphans_total == 1


def test_verify_names_a_container_that_is_no_longer_in_the_library(
    database: Database, upstream: Upstream, install: Install
) -> None:
    here = install(database, upstream.root)
    ids = here.take_in()
    with database.write() as conn:
        conn.execute(delete(asset_gallery_item))
        conn.execute(delete(asset_gallery))
    problems = [p for i in ids for p in here.ingest.verify(i, actor=ACTOR).problems]
    assert [(p.kind, p.subject) for p in problems] == [("container_missing", "gallery spring")]


def test_verify_names_a_batch_whose_outcomes_do_not_add_up(
    here: Installation, publisher: Publisher
) -> None:
    photos(publisher, 3)
    (batch_id,) = here.take_in()
    with here.db.write() as conn:
        conn.execute(delete(ingest_batch_item).where(ingest_batch_item.c.seq == 1))
    (problem,) = here.ingest.verify(batch_id, actor=ACTOR).problems
    assert (problem.kind, problem.expected, problem.found) == ("accounting_mismatch", "3", "2")
