"""What keeps the queue quick and safe on each database: its indexes, isolation, no busy errors."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import event, text

from lading.db import Database
from lading.jobs import lane, rescuer, scheduler
from lading.jobs.claiming import first_in_line
from lading.jobs.tables import import_job
from lading.jobs.values import NewJob
from tests.jobs.bench import Bench

FINISHED = 20_000

NUMBERS = {
    "sqlite": "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n"
    f" WHERE n < {FINISHED}) SELECT n FROM n",
    "postgresql": f"SELECT n FROM generate_series(1, {FINISHED}) n",
    "mariadb": f"SELECT seq AS n FROM seq_1_to_{FINISHED}",
}


def fill(db: Database, *, analyze: bool = True) -> None:
    with db.write() as conn:
        conn.execute(
            text(
                "INSERT INTO import_job (kind, params, status, priority, created_at, finished_at)"
                " SELECT 'copy', '{}', 'done', 5, '2026-01-01', '2026-01-01'"
                f" FROM ({NUMBERS[db.dialect]}) numbers"
            )
        )
    if not analyze:
        return
    with db.autocommit() as conn:
        verb = "ANALYZE TABLE" if db.dialect == "mariadb" else "ANALYZE"
        conn.execute(text(f"{verb} import_job")).close()


def explain(db: Database, statement: object) -> str:
    compiled = statement.compile(db.engine, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    verb = "EXPLAIN QUERY PLAN" if db.dialect == "sqlite" else "EXPLAIN"
    with db.read() as conn:
        sql = str(compiled).replace("%", "%%") if db.dialect != "sqlite" else str(compiled)
        rows = conn.exec_driver_sql(f"{verb} {sql}").all()
    return "\n".join(str(tuple(row)) for row in rows)


@pytest.mark.parametrize("analyze", [True, False], ids=["analyzed", "never analyzed"])
def test_claims_and_duties_walk_an_index_however_many_jobs_have_ended(
    bench: Bench, analyze: bool
) -> None:
    # Statistics know neither the line nor its kind, as after a quiet night.
    fill(bench.db, analyze=analyze)
    bench.put(*(NewJob("new", priority=n % 5) for n in range(300)), NewJob("copy", delay_s=60))
    bench.claim()
    mariadb = bench.db.dialect == "mariadb"
    claim = "ix_import_job_status_priority" if mariadb else "ix_import_job_claim"
    for kinds in (None, ["copy", "scan"], ["new"]):
        plan = explain(bench.db, first_in_line(kinds).with_for_update(skip_locked=True))
        assert claim in plan
        assert "filesort" not in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
    silent = import_job.select().where(rescuer._silent(900)).order_by(import_job.c.id)
    assert (claim if mariadb else "ix_import_job_running") in explain(bench.db, silent)
    timed = import_job.select().where(scheduler._timed())
    due = "ix_import_job_status_" if mariadb else "ix_import_job_due"
    assert due in explain(bench.db, timed)


def test_states_are_written_into_statements_because_bound_ones_hide_partial_indexes(
    bench: Bench,
) -> None:
    for condition in (
        first_in_line(["copy"]).whereclause,
        rescuer._silent(900),
        scheduler._timed(),
    ):
        assert condition is not None
        assert "import_job.status = '" in str(condition.compile(bench.db.engine))


@pytest.mark.parametrize("backend", ["postgresql"])  # the one that has a short way
def test_the_short_way_of_postgresql_walks_the_claim_index_too(bench: Bench) -> None:
    fill(bench.db, analyze=False)
    bench.put(*(NewJob("new") for _ in range(300)))
    with bench.db.write() as conn:
        rows = conn.exec_driver_sql(
            "EXPLAIN " + lane._CLAIM_OF_KINDS,
            {"worker": "w", "actor": "w", "worker_json": '"w"', "kinds": ["new"]},
        )
        plan = "\n".join(row[0] for row in rows)
    assert "ix_import_job_claim" in plan
    assert "Seq Scan on import_job " not in plan
    assert "Sort" not in plan


def test_transactions_of_the_queue_are_read_committed(bench: Bench) -> None:
    question = {
        "mariadb": "SELECT @@tx_isolation",
        "postgresql": "SHOW transaction_isolation",
        "sqlite": "SELECT 'one writer at a time'",
    }[bench.db.dialect]
    with bench.db.write() as conn:
        answer = str(conn.execute(text(question)).scalar()).replace("-", " ").lower()
    assert answer in {"read committed", "one writer at a time"}


def test_sqlite_is_never_busy_however_many_work_and_look(sqlite_database: Database) -> None:
    bench = Bench(sqlite_database)
    faults: list[object] = []
    event.listen(
        bench.db.engine, "handle_error", lambda context: faults.append(context.original_exception)
    )
    ids = bench.put(*(NewJob("copy") for _ in range(60)))

    def work(worker: str) -> None:
        while (claim := bench.queue.claim(worker)) is not None:
            with bench.db.write() as conn:
                bench.queue.guard(conn, claim)
            bench.queue.counts()
            bench.queue.done(claim)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert bench.states(ids) == ["done"] * 60


def test_an_idle_look_at_sqlite_takes_no_write_lock(sqlite_database: Database) -> None:
    bench = Bench(sqlite_database)
    began: list[str] = []

    def note(*execution: object) -> None:
        began.append(str(execution[2]))

    event.listen(bench.db.engine, "before_cursor_execute", note)
    assert bench.queue.claim("w") is None
    assert bench.queue.rescue(stale_after_s=1, actor="w") == []
    assert bench.queue.schedule(actor="w").queued == 0
    assert began
    assert not [statement for statement in began if "IMMEDIATE" in statement]


@pytest.mark.parametrize("kinds", [[], ["scan"]])
def test_a_worker_without_fitting_kinds_finds_nothing(bench: Bench, kinds: list[str]) -> None:
    bench.one()
    with bench.queue.fast_lane():
        assert bench.queue.claim("w", kinds) is None
    assert bench.queue.claim("w", kinds) is None
