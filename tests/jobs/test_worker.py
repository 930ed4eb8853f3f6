"""A worker in this process: drains, retries, pauses, wakes up, and survives its database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, text

from lading.base.errors import SourceError, StoreError
from lading.base.steps import AnyStep, Step, observe
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.db import Database
from lading.jobs import pacing
from lading.jobs.context import Handler, JobContext, JobResult
from lading.jobs.settings import WorkerSettings
from lading.jobs.values import NewJob
from lading.jobs.worker import Worker, WorkerReport
from lading.ledger.chain import Entry
from lading.ledger.events import ItemFailed
from tests.jobs.bench import Bench, wait_for

QUICK: dict[str, Any] = {"poll_min_s": 0.01, "poll_max_s": 0.05, "retry_base_s": 0.01}


class Passing(StoreError):
    code = "test_passing"


class Lasting(SourceError):
    code = "test_lasting"


def done(_context: JobContext) -> JobResult:
    return JobResult()


def drain(bench: Bench, handlers: dict[str, Handler], **settings: Any) -> WorkerReport:
    chosen = WorkerSettings(**{**QUICK, **settings})
    return Worker(bench.db, bench.queue, handlers, chosen, stop=StopSignal()).run(drain=True)


@contextmanager
def running_worker(
    bench: Bench, handlers: dict[str, Handler], **settings: Any
) -> Iterator[tuple[Worker, StopSignal]]:
    stop = StopSignal()
    chosen = WorkerSettings(**{**QUICK, **settings})
    worker = Worker(bench.db, bench.queue, handlers, chosen, stop=stop)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker, stop
    finally:
        stop.request(StopReason.SHUTDOWN)
        thread.join()


def test_draining_works_off_everything_also_what_waits_and_what_comes_of_it(bench: Bench) -> None:
    parent = bench.one()
    ids = [parent, *bench.put(NewJob("copy", wait_for=[parent]), NewJob("copy", delay_s=0.2))]
    other = bench.one("other kind", wait_for=[parent])
    made: list[int] = []

    def copy(context: JobContext) -> JobResult:
        def write(conn: Connection) -> list[Entry]:
            if made:
                return []
            entries: list[Entry] = []
            jobs = [NewJob("copy", wait_for=[context.claim.job_id])]
            follow_up = bench.queue.enqueue(conn, jobs, actor=context.actor, entries=entries)
            made.append(follow_up[0].job_id)
            return entries

        return JobResult(write=write)

    report = drain(bench, {"copy": copy}, slots=2)
    assert report.done == 4
    assert bench.states([*ids, *made]) == ["done"] * 4
    assert bench.state(other) == "queued"
    bench.check_chain()


def test_draining_waits_for_a_job_in_other_hands(bench: Bench) -> None:
    claim = bench.running()
    finished = threading.Event()
    report: list[WorkerReport] = []

    def work() -> None:
        report.append(drain(bench, {"copy": done}))
        finished.set()

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: bool(bench.queue.workers()))
    assert not finished.is_set()
    bench.queue.release(claim, StopReason.SHUTDOWN)
    thread.join()
    assert report[0].done == 1


def test_draining_ends_while_intake_is_paused(bench: Bench) -> None:
    job_id = bench.one()
    bench.queue.pause_intake(actor="u", why="no")
    assert drain(bench, {"copy": done}).done == 0
    assert bench.state(job_id) == "queued"


def test_what_is_raised_beside_all_exceptions_ends_its_job_alone(bench: Bench) -> None:
    class Crash(BaseException):
        """As libraries in Rust raise."""

    def copy(context: JobContext) -> JobResult:
        if context.claim.params["crash"]:
            raise Crash("request valid: InvalidUri")
        return JobResult()

    ids = bench.put(*(NewJob("copy", params={"crash": crash}) for crash in (True, False)))
    assert drain(bench, {"copy": copy}).failed == 1
    assert bench.states(ids) == ["failed", "done"]


def test_a_passing_fault_is_retried_and_a_lasting_one_fails_with_its_code(bench: Bench) -> None:
    tries: dict[str, int] = {}

    def copy(context: JobContext) -> JobResult:
        how = str(context.claim.params["how"])
        tries[how] = tries.get(how, 0) + 1
        if how == "passing once" and tries[how] == 1:
            raise Passing("no answer")
        if how == "passing always":
            raise Passing("no answer")
        if how == "lasting":
            raise Lasting("the manifest is torn")
        if how == "bug":
            raise ZeroDivisionError("oh")
        if how == "stopped unasked":
            return JobResult.stopped()
        return JobResult()

    hows = ("passing once", "passing always", "lasting", "bug", "stopped unasked")
    ids = bench.put(*(NewJob("copy", {"how": how}, attempts_max=3) for how in hows))
    report = drain(bench, {"copy": copy})
    assert bench.states(ids) == ["done", "failed", "failed", "failed", "failed"]
    assert [bench.queue.get(job_id).error_code for job_id in ids] == [
        None,
        "test_passing",
        "test_lasting",
        "internal_error",
        "stopped_unasked",
    ]
    assert tries == dict.fromkeys(hows, 1) | {"passing once": 2, "passing always": 3}
    assert (report.done, report.failed, report.retrying) == (1, 4, 3)


def test_last_rows_that_cannot_be_written_fail_the_job_and_leave_nothing(bench: Bench) -> None:
    def copy(context: JobContext) -> JobResult:
        def write(conn: Connection) -> list[Entry]:
            conn.execute(text("UPDATE import_job SET batch_id = 9"))
            raise ZeroDivisionError

        return JobResult(write=write)

    job_id = bench.one()
    assert drain(bench, {"copy": copy}).failed == 1
    row = bench.queue.get(job_id)
    assert (row.batch_id, row.error_code) == (None, "internal_error")


def test_entries_of_the_last_rows_are_appended_with_the_end_of_the_job(bench: Bench) -> None:
    def copy(context: JobContext) -> JobResult:
        event = ItemFailed(item_key="a", code="c", message="m")
        return JobResult(write=lambda _conn: [Entry(event, context.actor, job_id=1)])

    job_id = bench.one()
    drain(bench, {"copy": copy})
    assert bench.events(job_id)[-2:] == ["item_failed", "job_done"]


def test_an_operator_s_stop_pauses_the_job_between_items(bench: Bench) -> None:
    job_id = bench.one()

    def copy(context: JobContext) -> JobResult:
        bench.queue.request_stop(job_id, actor="u", why="no")
        with context.transaction():
            pass
        context.stop.check()
        raise AssertionError

    assert drain(bench, {"copy": copy}).released == 1
    assert bench.state(job_id) == "paused"


def test_a_shutdown_interrupts_what_asks_and_gives_the_job_back(bench: Bench) -> None:
    job_id = bench.one()
    began = threading.Event()

    def copy(context: JobContext) -> JobResult:
        began.set()
        assert context.stop.wait(60)
        raise Interrupted(StopReason.SHUTDOWN)

    with running_worker(bench, {"copy": copy}) as (_, stop):
        began.wait()
        stop.request(StopReason.SHUTDOWN)
    row = bench.queue.get(job_id)
    assert (row.status, row.attempt) == ("queued", 0)


def test_slots_run_jobs_side_by_side(bench: Bench) -> None:
    together = threading.Barrier(3)

    def copy(_context: JobContext) -> JobResult:
        together.wait(60)
        return JobResult()

    bench.put(*(NewJob("copy") for _ in range(3)))
    assert drain(bench, {"copy": copy}, slots=3).done == 3


def test_an_idle_worker_is_woken_by_a_new_job(bench: Bench) -> None:
    woken = threading.Event()

    def copy(_context: JobContext) -> JobResult:
        woken.set()
        return JobResult()

    # On PostgreSQL nothing but NOTIFY can wake it within the life of this test.
    with running_worker(bench, {"copy": copy}, net_poll_s=100_000) as (worker, _):
        wait_for(lambda: bool(bench.queue.workers()))
        if bench.db.dialect == "postgresql":
            wait_for(lambda: _listening(bench) == 1)
        bench.one()
        assert woken.wait(60)
        assert worker.id.count("/") == 2


@pytest.mark.parametrize("backend", ["postgresql"])  # the one that notifies
def test_an_idle_worker_listens_again_after_its_connection_was_cut(bench: Bench) -> None:
    woken = threading.Event()

    def copy(_context: JobContext) -> JobResult:
        woken.set()
        return JobResult()

    with running_worker(bench, {"copy": copy}, net_poll_s=100_000):
        wait_for(lambda: _listening(bench) == 1)
        with bench.db.autocommit() as conn:
            conn.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                )
            )
        bench.one()
        assert woken.wait(60)


def _listening(bench: Bench) -> int:
    with bench.db.read() as conn:
        count = conn.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        )
        return int(count.scalar_one())


@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])  # where one can be cut
def test_a_worker_whose_connections_are_cut_at_the_finish_goes_on(bench: Bench) -> None:
    ids = bench.put(NewJob("copy"), NewJob("copy"))
    cut = threading.Event()

    def copy(_context: JobContext) -> JobResult:
        if not cut.is_set():
            cut.set()
            _cut_all(bench.db)
        return JobResult()

    report = drain(bench, {"copy": copy})
    assert bench.states(ids) == ["done", "done"]
    assert report.done == 2


def _cut_all(db: Database) -> None:
    with db.autocommit() as conn:
        if db.dialect == "postgresql":
            conn.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            return
        others = conn.execute(
            text(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = database() AND id <> connection_id()"
            )
        )
        for (number,) in others.all():
            conn.execute(text(f"KILL {number}"))


def test_a_worker_says_where_its_jobs_stand(bench: Bench) -> None:
    bench.one()
    reached: list[AnyStep] = []
    observe(reached.append)
    try:
        report = drain(bench, {"copy": done})
    finally:
        observe(None)
    assert reached == [Step.JOB_CLAIMED, Step.JOB_FINISHED]
    seen = bench.queue.workers()
    assert [(row.id, row.slots) for row in seen] == [(report.worker, 1)]
    assert seen[0].stopped_at is not None


def test_pacing_says_what_it_did_and_asks_for_nothing_without_need() -> None:
    assert pacing.apply(WorkerSettings(nice=0, ionice="none")) == []
