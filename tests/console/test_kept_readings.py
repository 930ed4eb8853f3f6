"""What is kept of problems and charts stands while the ledger does, and is read anew after that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from lading.console.readers.backlog import InLine, depths
from lading.console.readers.metrics import UnknownRange
from lading.console.readers.problem_watch import ProblemWatch
from lading.console.readers.series import SeriesReader
from lading.db import Database
from lading.db.clock import now
from lading.db.time_steps import step_number
from lading.jobs.queue import Queue
from lading.jobs.tables import import_job, worker
from lading.jobs.values import NewJob
from lading.operations.wording import Wording

LONG_S = 3_600.0
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def make_job(db: Database) -> int:
    """A job in line; the ledger tells of it."""
    with db.write() as conn:
        (made,) = Queue(db).enqueue(conn, [NewJob("polish")], actor="test")
    return made.job_id


def fail_unheard(db: Database, job_id: int, code: str) -> None:
    """Let a job have failed, of which the ledger is told nothing."""
    with db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.id == job_id)
            .values(status="failed", error_code=code, finished_at=now())
        )


def codes(watch: ProblemWatch) -> list[str]:
    return [group.code for group in watch.survey().groups]


def test_problems_are_read_anew_when_the_ledger_has_grown(sqlite_database: Database) -> None:
    db = sqlite_database
    watch = ProblemWatch(db, Wording({}), kept_s=LONG_S)
    job_id = make_job(db)
    assert codes(watch) == []
    fail_unheard(db, job_id, "store_full")
    assert codes(watch) == []
    assert codes(ProblemWatch(db, Wording({}), kept_s=0)) == ["store_full"]
    make_job(db)
    assert codes(watch) == ["store_full"]
    assert watch.survey() is watch.survey()


def test_problems_are_counted_late_rather_than_often(sqlite_database: Database) -> None:
    db = sqlite_database
    watch = ProblemWatch(db, Wording({}), kept_s=LONG_S)
    job_id = make_job(db)
    with db.read() as conn:
        assert watch.count(conn).value == 0
    fail_unheard(db, job_id, "store_full")
    make_job(db)
    with db.read() as conn:
        assert watch.count(conn).value == 0
        assert ProblemWatch(db, Wording({}), kept_s=0).count(conn).value == 1
    # Who looks at the problems themselves is told of them, and the strip says the same from then.
    assert codes(watch) == ["store_full"]
    with db.read() as conn:
        assert watch.count(conn).value == 1


def test_charts_are_read_anew_when_the_ledger_has_grown(sqlite_database: Database) -> None:
    db = sqlite_database
    reader = SeriesReader(db, kept_s=LONG_S)
    make_job(db)
    first = reader.read("1h")
    assert first.backlog.steps[-1].jobs == 1
    assert reader.read("1h") is first
    assert reader.read("24h").backlog.span.name == "24h"
    make_job(db)
    assert reader.read("1h").backlog.steps[-1].jobs == 2
    impatient = SeriesReader(db, kept_s=0)
    assert impatient.read("1h") is not impatient.read("1h")
    with pytest.raises(UnknownRange):
        reader.read("7d")


def test_jobs_of_one_step_count_as_many_as_they_are() -> None:
    step = timedelta(minutes=1)
    steps = [NEW_YEAR + step * number for number in range(3)]
    stood = [
        InLine(NEW_YEAR + step * 0.25, NEW_YEAR + step * 1.5, jobs=3),
        InLine(NEW_YEAR + step * 1.5, None, jobs=4),
    ]
    found = depths(stood, steps, [at + step for at in steps])
    assert [depth.jobs for depth in found] == [3, 4, 4]
    assert [depth.oldest_s for depth in found] == [45.0, 30.0, 90.0]


@pytest.mark.parametrize("step_s", [60, 1_800, 86_400])
def test_an_instant_is_in_the_step_that_has_begun(database: Database, step_s: int) -> None:
    begun = NEW_YEAR.timestamp() // step_s
    moments = {
        timedelta(): 0,
        timedelta(microseconds=-1): -1,
        timedelta(seconds=step_s - 1, microseconds=999_999): 0,
        timedelta(seconds=step_s): 1,
    }
    with database.write() as conn:
        for later, steps in moments.items():
            row = {"host": "h", "pid": 1, "version": "1", "slots": 1, "seen_at": NEW_YEAR}
            conn.execute(worker.insert().values(id=str(later), started_at=NEW_YEAR + later, **row))
            of = select(step_number(worker.c.started_at, step_s)).where(worker.c.id == str(later))
            assert conn.scalar(of) == begun + steps, later
        assert conn.scalar(select(step_number(worker.c.stopped_at, step_s)).limit(1)) is None
