"""Codes are written a hundred at a time; what is wrong with one is that one's alone (A20)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text, update

from lading.base.steps import Step, observe
from lading.db import Database
from lading.jobs.tables import import_job
from lading.ledger.states import BatchState
from lading.ledger.verify import verify_chain
from lading.library.tables import asset, asset_file
from lading.sources.archive.open_batch import ArchiveBatch
from lading.testing.installation import ACTOR
from lading.testing.source_suite import counted_statements
from tests.archive.front import FrontArchive
from tests.archive.taking_in import TakingIn, count_of, picture

CODES = 120
BAD = "VO-BRD-00050"


@pytest.fixture(autouse=True)
def unobserved() -> Iterator[None]:
    yield
    observe(None)


@pytest.fixture
def here(
    database: Database, behind_front: FrontArchive, take_in_by: Callable[..., TakingIn]
) -> TakingIn:
    """An archive of two groups, on each kind of database."""
    assert ArchiveBatch.writes_max < CODES
    behind_front.put_codes(CODES)
    return take_in_by(database, behind_front)


def refuse(db: Database, title: str) -> None:
    """Let the database itself refuse one asset."""
    with db.write() as conn:
        if db.dialect == "sqlite":
            conn.execute(
                text(
                    "CREATE TRIGGER refuses BEFORE INSERT ON asset"
                    f" WHEN NEW.title = '{title}' BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            )
        else:
            conn.execute(
                text(f"ALTER TABLE asset ADD CONSTRAINT refuses CHECK (title <> '{title}')")
            )


def test_a_code_that_cannot_be_written_fails_alone(here: TakingIn) -> None:
    refuse(here.db, BAD)
    report = here.run()
    assert here.rules(report) == {BAD: "internal_fault"}
    assert (report.created, report.refused, report.pending) == (CODES - 1, 1, 0)
    assert here.batch(report).state is BatchState.PARTIAL
    assert BAD not in here.assets()
    assert count_of(here.db, asset_file) == 4 * (CODES - 1)
    with here.db.read() as conn:
        assert verify_chain(conn).whole


def test_a_safe_run_with_a_code_that_cannot_be_written_writes_none(here: TakingIn) -> None:
    refuse(here.db, BAD)
    report = here.run(safe_run=True)
    assert (report.created, report.state, report.error) == (0, "failed", "import_aborted")
    assert count_of(here.db, asset) == count_of(here.db, asset_file) == 0


def test_a_worker_that_lost_its_job_writes_nothing_of_the_group_in_hand(here: TakingIn) -> None:
    started = here.start()
    fetched = 0
    before: dict[str, list[str]] = {}

    def take_over(step: Step) -> None:
        nonlocal fetched
        if step is not Step.ITEM_FETCHED:
            return  # those are of other threads
        fetched += 1
        if fetched == 50:
            with here.db.write() as conn:
                # As if another worker had taken the job, and given it up again.
                conn.execute(
                    update(import_job).values(
                        lease=import_job.c.lease + 1, status="failed", active_key=None
                    )
                )
            before.update(picture(here.db, without=("worker",)))
            observe(None)

    observe(take_over)
    here.installation.drain()
    assert before["asset"] == []
    assert picture(here.db, without=("worker",)) == before
    assert started.job_id is not None
    here.installation.queue.retry(started.job_id, actor=ACTOR)
    here.installation.drain()
    assert here.report(started).created == CODES


def test_codes_that_another_run_brought_meanwhile_are_left_as_they_are(here: TakingIn) -> None:
    other = here.start(within="BRD/VO-BRD-0000")
    whole = here.start()
    here.installation.drain()
    assert here.report(other).created == 9
    report = here.report(whole)
    assert (report.created, report.unchanged, report.problems) == (CODES - 9, 9, 0)
    assert len(here.assets()) == count_of(here.db, asset) == CODES
    assert here.batch(report).state is BatchState.IMPORTED


def test_a_group_costs_as_many_statements_as_one_code_of_it(
    sqlite_database: Database, behind_front: FrontArchive, take_in_by: Callable[..., TakingIn]
) -> None:
    here = take_in_by(sqlite_database, behind_front)
    counts = []
    for number, codes in enumerate((2, 90)):
        behind_front.put_codes(codes, type_code=f"TY{number}")
        started = here.start(within=f"TY{number}/")
        with counted_statements(here.db.engine) as statements:
            here.installation.drain()
        assert here.report(started).created == codes
        counts.append(sum("asset" in one or "item" in one for one in statements))
    assert counts[1] <= counts[0] + 8
