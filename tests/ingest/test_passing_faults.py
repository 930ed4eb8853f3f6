"""What passes is waited for, what does not is said, and nothing is lost either way (G2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from lading.base.steps import Step, observe
from lading.base.stopping import StopReason, StopSignal
from lading.db import Database, open_database
from lading.ingest.importing import import_batch
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.ingest.registry import build_source
from lading.jobs.context import JobContext, JobResult
from lading.jobs.states import JobState
from lading.ledger.items import count_outcomes
from lading.ledger.queries import list_events
from lading.ledger.states import BatchState, Outcome
from lading.library.tables import asset
from lading.storage.folder import FolderStore
from lading.testing.faulty_store import FaultyStore
from lading.testing.installation import ACTOR, Installation
from lading.testing.publisher import Publisher
from lading.testing.servers_db import Server, url_of
from lading.testing.snapshots import store_snapshot

PHOTOS = 4


@pytest.fixture(autouse=True)
def unobserved() -> Iterator[None]:
    yield
    observe(None)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path / "nas")
    bundle = publisher.bundle()
    for number in range(PHOTOS):
        bundle.photo(f"photo-{number}", documents=(), derivatives=())
    bundle.publish(sentinel=b"")
    return publisher


@pytest.fixture
def store(tmp_path: Path) -> FaultyStore:
    return FaultyStore(FolderStore(tmp_path / "store", name="library", create=True))


@pytest.fixture
def here(database: Database, publisher: Publisher, store: FaultyStore) -> Installation:
    source = build_source("handover", "nas", {"root": str(publisher.root)})
    return Installation(database, store, [source], fetch_threads=1)


def queue(here: Installation) -> tuple[int, int]:
    """Scan and queue the one bundle; its batch's and its job's number."""
    (result,) = here.ingest.queue(here.scan(), actor=ACTOR)
    assert result.job_id is not None
    return result.batch_id, result.job_id


def require_imported(here: Installation, batch_id: int) -> None:
    assert here.batch(batch_id).state is BatchState.IMPORTED
    with here.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset)) == PHOTOS
    report = here.ingest.verify(None, actor=ACTOR)
    assert (report.files, report.problems) == (PHOTOS, [])
    assert len(store_snapshot(here.store)) == PHOTOS


def test_a_store_that_is_away_for_a_while_is_waited_for(
    here: Installation, store: FaultyStore
) -> None:
    batch_id, job_id = queue(here)
    store.is_unavailable(3)
    here.drain()
    require_imported(here, batch_id)
    with here.db.read() as conn:
        retried = list_events(conn, job_id=job_id, kinds=["job_retrying"])
    assert retried
    assert {event.payload["code"] for event in retried} == {"store_unavailable"}


def test_a_store_that_stays_full_fails_the_job_and_a_retry_goes_on_where_it_stopped(
    here: Installation, store: FaultyStore
) -> None:
    batch_id, job_id = queue(here)
    placed = 0

    def fill(step: Step) -> None:
        nonlocal placed
        if step is Step.ITEM_COMMITTED:
            placed += 1
            if placed == 2:
                store.is_full()

    observe(fill)
    here.drain()
    observe(None)
    job = here.queue.get(job_id)
    assert (job.status, job.error_code) == (JobState.FAILED, "store_full")
    batch = here.batch(batch_id)
    assert (batch.state, batch.reason) == (BatchState.PARTIAL, "store_full")
    with here.db.read() as conn:
        outcomes = count_outcomes(conn, batch_id, batch.revision)
    # The one fetched ahead before the store was full may be in as well.
    assert outcomes[Outcome.CREATED] + outcomes[Outcome.PENDING] == PHOTOS
    assert outcomes[Outcome.FAILED] == 0
    assert outcomes[Outcome.CREATED] >= 2
    store.heals()
    here.queue.retry(job_id, actor=ACTOR)
    assert here.batch(batch_id).state is BatchState.QUEUED
    here.drain()
    require_imported(here, batch_id)


def test_a_store_that_breaks_off_in_mid_file_leaves_nothing_half_written(
    here: Installation, store: FaultyStore
) -> None:
    batch_id, job_id = queue(here)
    store.dies_after(10)
    here.drain()
    assert here.queue.get(job_id).status is JobState.FAILED
    assert store_snapshot(here.store) == {}
    store.heals()
    here.queue.retry(job_id, actor=ACTOR)
    here.drain()
    require_imported(here, batch_id)


def test_a_store_that_keeps_less_than_it_says_is_found_out_before_any_row_is_written(
    here: Installation, store: FaultyStore
) -> None:
    _, job_id = queue(here)
    store.truncates(10)
    here.drain()
    job = here.queue.get(job_id)
    assert (job.status, job.error_code) == (JobState.FAILED, "store_mismatch")
    with here.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset)) == 0
    assert store_snapshot(here.store) == {}


@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
@pytest.mark.parametrize("step", [Step.ITEM_GUARDED, Step.ITEM_WRITTEN, Step.BATCH_FINISHED])
def test_a_database_that_drops_every_connection_is_waited_for(
    step: Step, here: Installation, server: Server
) -> None:
    batch_id, _ = queue(here)
    left = 1

    def cut(reached: Step) -> None:
        nonlocal left
        if reached is step and left:
            left -= 1
            drop_connections(here.db)

    observe(cut)
    here.drain()
    assert left == 0
    require_imported(here, batch_id)


def drop_connections(db: Database) -> None:
    """End every other connection to this database, as a restart of the server does."""
    admin = open_database(url_of(db), pool_size=1)
    try:
        with admin.autocommit() as conn:
            if db.dialect == "postgresql":
                conn.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
                return
            others = conn.scalars(
                text(
                    "SELECT id FROM information_schema.processlist"
                    " WHERE db = database() AND id <> connection_id()"
                )
            ).all()
            for other in others:
                conn.execute(text(f"KILL {int(other)}"))
    finally:
        admin.close()


def test_a_stop_in_the_middle_gives_the_job_back_and_the_attempt_is_not_burned(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, job_id = queue(here)
    stop = StopSignal()
    running: list[JobContext] = []

    def noted(context: JobContext) -> JobResult:
        running.append(context)
        return import_batch(here.parts, context)

    monkeypatch.setattr(here.ingest, "handlers", lambda: {IMPORT_JOB_KIND: noted})

    def ask(step: Step) -> None:
        if step is Step.ITEM_WRITTEN:
            stop.request(StopReason.SHUTDOWN)
            # The worker passes it on from another thread; the item in hand waits for that.
            assert running[0].stop.wait(30)

    observe(ask)
    here.drain(stop)
    observe(None)
    job = here.queue.get(job_id)
    assert (job.status, job.attempt) == (JobState.QUEUED, 0)
    assert here.batch(batch_id).state is BatchState.QUEUED
    with here.db.read() as conn:
        done = count_outcomes(conn, batch_id, 1)[Outcome.CREATED]
    assert 0 < done < PHOTOS
    here.drain()
    require_imported(here, batch_id)


def test_a_stop_asked_for_by_an_operator_lets_the_item_in_hand_be_finished(
    here: Installation,
) -> None:
    batch_id, job_id = queue(here)
    asked = False

    def ask(step: Step) -> None:
        nonlocal asked
        if step is Step.FILE_OPENED and not asked:
            asked = True
            here.queue.request_stop(job_id, actor=ACTOR, why="coffee")

    observe(ask)
    here.drain()
    observe(None)
    job = here.queue.get(job_id)
    assert job.status is JobState.PAUSED
    with here.db.read() as conn:
        assert count_outcomes(conn, batch_id, 1)[Outcome.CREATED] >= 1
    here.queue.resume(job_id, actor=ACTOR)
    here.drain()
    require_imported(here, batch_id)
