"""An archive's import is ended by SIGKILL at each of its steps; the next worker completes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from lading.base.steps import AnyStep, Step, observe
from lading.db import Database
from lading.db.clock import now
from lading.jobs.tables import import_job
from lading.ledger.items import count_outcomes
from lading.ledger.states import BatchState, Outcome
from lading.ledger.verify import verify_chain
from lading.library.tables import asset
from lading.testing.faults import Fault, record_steps
from lading.testing.installation import ACTOR
from lading.testing.servers_db import Server, fresh_database, url_of
from lading.testing.snapshots import Snapshot, library_snapshot
from tests.archive.front import FrontArchive, running_front
from tests.archive.taking_in import TakingIn, count_of

MakeTakingIn = Callable[..., TakingIn]

CODES = 130  # more than are written together, so that there are two groups
BROKEN = "VO-BRD-00050"
STEPS = (
    Step.JOB_CLAIMED,
    Step.BATCH_IMPORTING,
    Step.MANIFEST_SPOOLED,
    Step.ITEM_STARTED,
    Step.ITEM_FETCHED,
    Step.ITEM_GUARDED,
    Step.ITEM_WRITTEN,
    Step.ITEM_COMMITTED,
    Step.ITEMS_DONE,
    Step.BATCH_FINISHED,
    Step.JOB_FINISHED,
)
TELLING = frozenset({Step.ITEM_STARTED, Step.ITEM_WRITTEN, Step.ITEM_COMMITTED, Step.ITEMS_DONE})
"""These are tried in each run, the others in the slow one."""


@pytest.fixture(scope="module")
def archive() -> Iterator[FrontArchive]:
    """Codes for two groups, one of them broken, for all tests here."""
    with running_front() as front:
        archive = FrontArchive(front)
        archive.put_codes(CODES)
        archive.put_code(BROKEN, md5_of=b"other bytes")
        yield archive


@pytest.fixture(scope="module")
def undisturbed(
    archive: FrontArchive,
    server_of: Callable[..., object],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Snapshot, list[AnyStep]]:
    """The library after a run that nobody disturbs, and the steps that led there."""
    server = server_of("sqlite")
    assert isinstance(server, Server)
    with fresh_database(server) as db:
        here = TakingIn(db, archive, tmp_path_factory.mktemp("undisturbed"))
        here.start()
        steps = record_steps()
        try:
            here.installation.drain()
        finally:
            observe(None)
        with db.read() as conn:
            return library_snapshot(conn), steps


def kill(here: TakingIn, fault: Fault, tmp_path: Path) -> None:
    """Let a worker of its own process work until it is ended at the step."""
    config = tmp_path / "worker.json"
    config.write_text(
        json.dumps(
            {
                "database_url": url_of(here.db),
                "store": str(tmp_path / "store"),
                "sources": {"archive": {"kind": "archive", **here.options}},
                "fault": str(fault),
            }
        )
    )
    worker = subprocess.run(
        [sys.executable, "-m", "lading.testing.worker_program", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stdout.decode()
    with here.db.write() as conn:  # as if the stale threshold had passed
        conn.execute(
            update(import_job)
            .where(import_job.c.status == "running")
            .values(heartbeat_at=now(-3600))
        )


def require_complete(here: TakingIn, batch_id: int, expected: Snapshot) -> None:
    batch = here.installation.batch(batch_id)
    assert batch.state is BatchState.PARTIAL
    with here.db.read() as conn:
        assert library_snapshot(conn) == expected
        outcomes = count_outcomes(conn, batch_id, batch.revision)
        assert conn.scalars(select(import_job.c.status)).all() == ["done"]
        assert verify_chain(conn).whole
    assert {outcome: count for outcome, count in outcomes.items() if count} == {
        Outcome.CREATED: CODES - 1,
        Outcome.FAILED: 1,
    }
    assert here.installation.ingest.verify(None, actor=ACTOR).problems == []


def kill_and_continue(here: TakingIn, fault: Fault, expected: Snapshot, tmp_path: Path) -> None:
    started = here.start()
    kill(here, fault, tmp_path)
    here.installation.drain()
    require_complete(here, started.batch_id, expected)


def test_an_import_of_an_archive_goes_through_these_steps(
    undisturbed: tuple[Snapshot, list[AnyStep]],
) -> None:
    """Otherwise the tests below would not end the process where they say."""
    steps = undisturbed[1]
    assert set(steps) == set(STEPS)
    assert steps.count(Step.ITEM_COMMITTED) == 2
    assert steps.count(Step.ITEM_FETCHED) == CODES - 1


@pytest.mark.parametrize(
    "step", [s if s in TELLING else pytest.param(s, marks=pytest.mark.slow) for s in STEPS]
)
def test_a_worker_killed_at_any_step_loses_nothing_and_doubles_nothing(
    step: Step,
    sqlite_database: Database,
    archive: FrontArchive,
    take_in_by: MakeTakingIn,
    undisturbed: tuple[Snapshot, list[AnyStep]],
    tmp_path: Path,
) -> None:
    """At the middle occurrence; of the two groups the second."""
    expected, steps = undisturbed
    fault = Fault(step, steps.count(step) // 2 + 1)
    kill_and_continue(take_in_by(sqlite_database, archive), fault, expected, tmp_path)


@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
@pytest.mark.parametrize(
    "fault",
    [Fault(Step.ITEM_WRITTEN, 2), pytest.param(Fault(Step.BATCH_FINISHED), marks=pytest.mark.slow)],
    ids=str,
)
def test_a_group_that_was_being_written_is_written_once_on_servers_too(
    fault: Fault,
    backend: str,
    database: Database,
    archive: FrontArchive,
    take_in_by: MakeTakingIn,
    undisturbed: tuple[Snapshot, list[AnyStep]],
    tmp_path: Path,
) -> None:
    kill_and_continue(take_in_by(database, archive), fault, undisturbed[0], tmp_path)


@pytest.mark.parametrize("step", [Step.ITEM_WRITTEN, Step.ITEM_COMMITTED])
def test_a_safe_run_that_is_killed_has_written_everything_or_nothing(
    step: Step, sqlite_database: Database, take_in_by: MakeTakingIn, tmp_path: Path
) -> None:
    with running_front() as front:
        archive = FrontArchive(front)
        archive.put_codes(CODES)
        here = take_in_by(sqlite_database, archive)
        started = here.start(safe_run=True)
        kill(here, Fault(step), tmp_path)
        written = count_of(here.db, asset)
        assert written == (CODES if step is Step.ITEM_COMMITTED else 0)
        here.installation.drain()
        report = here.report(started)
        assert (report.created, report.state) == (CODES, "imported")
        assert len(here.assets()) == count_of(here.db, asset) == CODES
