"""The installations that the console is tried on hold what their names promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from lading.accounts.accounts import Accounts
from lading.bootstrap import Lading, open_lading
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.ledger.tables import ingest_batch, ingest_batch_item, ingest_event
from lading.ledger.verify import verify_chain
from lading.library.tables import CONTAINERS, asset, asset_file, site
from lading.testing.console_busy import ALIVE, SILENT
from lading.testing.console_data import PEOPLE, heartbeat, make_installation, read_installation
from lading.testing.console_failing import EVERY_REASON
from lading.testing.console_large import make_large
from lading.testing.seed_57 import SOURCE

Open = Callable[[str], Lading]


@pytest.fixture
def opened(installation: Callable[[str], Path], request: pytest.FixtureRequest) -> Open:
    """Opens a copy of an installation: `opened("busy")`."""

    def open_one(data: str) -> Lading:
        context = open_lading(read_installation(installation(data)))
        lading = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return lading

    return open_one


@pytest.mark.parametrize(
    "data", ["empty", "seed_57", "busy", "paused", "failing", "archive", "recordings"]
)
def test_each_has_a_ledger_in_order_and_people_who_may_sign_in(opened: Open, data: str) -> None:
    lading = opened(data)
    with lading.db.read() as conn:
        assert not verify_chain(conn).faults
    accounts = Accounts(lading.db)
    for role, person in PEOPLE.items():
        account = accounts.get(person.name)
        assert (account.role, account.must_change_password) == (role, False)


def test_the_seed_is_there_and_nothing_beside(opened: Open) -> None:
    with opened("seed_57").db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(ingest_batch)) == 57
        assert conn.scalar(select(func.count()).select_from(asset)) == 0


def test_what_was_imported_is_in_the_store_and_in_containers_of_every_kind(opened: Open) -> None:
    lading = opened("imported")
    with lading.db.read() as conn:
        for container, _ in CONTAINERS.values():
            assert conn.scalar(select(func.count()).select_from(container))
        assert conn.scalar(select(func.count()).select_from(site)) == 2
        assert conn.scalar(
            select(func.count()).select_from(asset).where(asset.c.deleted_at.is_not(None))
        )
        keys = conn.scalars(select(asset_file.c.location)).all()
    assert len(keys) > 40
    assert all(lading.store.head(key) is not None for key in keys)


def test_the_busy_one_has_jobs_in_every_state_but_failed_and_a_silent_worker(opened: Open) -> None:
    lading = opened("busy")
    counts = lading.queue.counts()
    assert {state for state in JobState if not counts[state]} == {JobState.FAILED}
    with heartbeat(lading):
        silences = {worker.id: worker.silent_s for worker in lading.queue.workers()}
    assert silences[ALIVE] < 60 < silences[SILENT]
    assert not lading.queue.intake().paused
    assert opened("paused").queue.intake().paused


def test_the_failing_one_shows_every_reason_there_is(opened: Open) -> None:
    lading = opened("failing")
    with lading.db.read() as conn:
        shown = set(conn.scalars(select(ingest_batch.c.reason).distinct()))
        shown |= set(conn.scalars(select(ingest_batch_item.c.reason).distinct()))
        causes = set(conn.scalars(select(import_job.c.error_code).distinct()))
        refused = conn.scalar(
            select(func.count())
            .select_from(ingest_event)
            .where(ingest_event.c.kind == "scan_refused")
        )
    assert set(EVERY_REASON) <= shown
    assert {"store_error", "internal_error", "worker_lost", "dependency_failed"} <= causes
    assert refused == 1


def test_the_large_one_has_as_many_of_everything_as_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    make_installation(folder)
    with open_lading(read_installation(folder)) as lading:
        make_large(lading, SOURCE, many=1000)
        with lading.db.read() as conn:
            for table in (ingest_batch, ingest_batch_item, import_job, asset, asset_file):
                assert conn.scalar(select(func.count()).select_from(table)) == 1000
            of_first = select(func.count()).where(ingest_batch_item.c.batch_id == 1)
            assert conn.scalar(of_first.where(ingest_batch_item.c.outcome == "failed")) == 70
            assert not verify_chain(conn).faults
