"""The engine's strip on a real installation: each state as the database and the disks have it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, update

from lading.base.counts import Count
from lading.base.progress import Progress
from lading.bootstrap import Lading, open_lading
from lading.cli.setting_up import set_up
from lading.console.readers.engine import EngineReader
from lading.console.readers.watching import NO_ANSWER, Watch
from lading.console.rules import EngineState
from lading.console.status import StatusReader
from lading.db.clock import now
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.tables import import_job, worker
from lading.jobs.values import NewJob
from lading.operations.scans import SCAN_JOB_KIND
from lading.settings import Settings
from lading.testing.bundles import BundlePublisher


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    """What the installation's one source looks into."""
    return BundlePublisher(tmp_path / "nas").root


@pytest.fixture
def open_one(tmp_path: Path, nas: Path) -> Iterator[Callable[..., Lading]]:
    """Opens an installation on SQLite, with the source `nas` or none."""
    opened: list[Any] = []

    def make(*, sources: bool = True) -> Lading:
        settings = Settings.model_validate(
            {
                "data_dir": str(tmp_path / "data"),
                "database": {"url": f"sqlite:///{tmp_path}/data/lading.sqlite"},
                "store": {"url": f"file://{tmp_path}/data/store"},
                "sources": {"nas": {"kind": "handover", "root": str(nas)}} if sources else {},
            }
        )
        set_up(settings)
        context = open_lading(settings)
        opened.append(context)
        return context.__enter__()

    yield make
    for context in opened:
        context.__exit__(None, None, None)


def reader_of(lading: Lading, **options: Any) -> EngineReader:
    return EngineReader(lading, **{"cached_s": 0, "reserve_bytes": 0, **options})


def put(lading: Lading, *jobs: NewJob) -> list[int]:
    with lading.db.write() as conn:
        return [made.job_id for made in lading.queue.enqueue(conn, jobs, actor="test")]


def sign_of_life(lading: Lading, silent_s: float = 0) -> None:
    row = {"host": "h", "pid": 1, "version": "1", "slots": 1, "started_at": now()}
    with lading.db.write() as conn:
        conn.execute(worker.delete())
        conn.execute(insert(worker).values(id="w", seen_at=now(-silent_s), **row))


def test_the_seven_states_as_an_installation_goes_through_them(
    open_one: Callable[..., Lading], nas: Path
) -> None:
    bare = reader_of(open_one(sources=False)).read()
    assert (bare.state, bare.missing_settings) == (EngineState.NEEDS_CONFIGURATION, ("sources",))

    lading = open_one()
    engine = reader_of(lading)
    assert engine.read().headline == "Awaiting jobs - no worker is running."

    put(lading, NewJob(SCAN_JOB_KIND))
    assert engine.read().state is EngineState.DEGRADED
    sign_of_life(lading)
    queued = engine.read()
    assert (queued.state, queued.queued) == (EngineState.WORKING, 1)

    scan = lading.queue.claim("w")
    assert scan is not None
    with lading.db.write() as conn:
        lading.queue.guard(conn, scan, Progress(items_done=12_431, current="nas"))
    scanning = engine.read()
    assert (scanning.state, scanning.title) == (EngineState.SCANNING, "Scanning")
    assert scanning.headline == "Scanning nas - 12,431 found so far."

    lading.queue.pause_intake(actor="user:ana", why="disk swap")
    paused = engine.read()
    assert (paused.state, paused.paused_by, paused.pause_why) == (
        EngineState.PAUSED,
        "user:ana",
        "disk swap",
    )
    assert paused.paused_at is not None
    assert paused.details == ["Scanning nas - 12,431 found so far."]
    lading.queue.resume_intake(actor="user:ana")
    lading.queue.done(scan)
    assert engine.read().state is EngineState.IDLE

    shutil.rmtree(nas)
    gone = reader_of(lading).now()
    assert gone.strip.state is EngineState.DEGRADED
    assert gone.strip.headline.startswith("Source nas is missing")
    assert gone.sources[0].missing is not None


def test_a_worker_that_fell_silent_is_not_alive_whatever_its_row_says(
    open_one: Callable[..., Lading],
) -> None:
    lading = open_one()
    put(lading, NewJob(IMPORT_JOB_KIND), NewJob(IMPORT_JOB_KIND))
    lading.queue.claim("w")
    sign_of_life(lading, silent_s=240)
    strip = reader_of(lading).read()
    assert strip.headline == "2 jobs waiting, no worker alive for 4 min."
    assert strip.details == ["Importing 1 job - 1 queued."]
    assert (strip.running, strip.queued) == (1, 1)


def test_a_disk_below_its_reserve_is_said(open_one: Callable[..., Lading]) -> None:
    strip = reader_of(open_one(), reserve_bytes=10**18).read()
    assert strip.state is EngineState.DEGRADED
    assert strip.headline.startswith("Data folder, Store has ")


def test_the_share_goes_on_when_one_import_ends_and_says_when_it_falls(
    open_one: Callable[..., Lading],
) -> None:
    lading = open_one()
    sign_of_life(lading)
    engine = reader_of(lading)

    def shown(progress: dict[int, int]) -> str:
        with lading.db.write() as conn:
            for number, moved in progress.items():
                values = {"bytes_moved": moved, "bytes_total": 100}
                where = import_job.c.id == number
                conn.execute(update(import_job).where(where).values(**values))
        strip = engine.read()
        return f"{strip.share} {'anew' in strip.headline}"

    put(lading, *(NewJob(IMPORT_JOB_KIND) for _ in range(3)))
    first, second = lading.queue.claim("w"), lading.queue.claim("w")
    assert first is not None
    assert second is not None
    assert shown({first.job_id: 80, second.job_id: 40}) == "0.6 False"
    lading.queue.done(first)
    assert shown({second.job_id: 50}) == "0.75 False"
    third = lading.queue.claim("w")
    assert third is not None
    assert shown({third.job_id: 0}) == "0.5 True"
    assert shown({second.job_id: 100, third.job_id: 90}) == f"{290 / 300} False"
    lading.queue.done(second)
    lading.queue.done(third)
    assert engine.read().share is None
    put(lading, NewJob(IMPORT_JOB_KIND))
    fourth = lading.queue.claim("w")
    assert fourth is not None
    assert shown({fourth.job_id: 10}) == "0.1 False"  # a new stretch of work begins from nothing


def test_what_was_just_read_is_given_out_again_and_costs_a_handful_of_statements(
    open_one: Callable[..., Lading],
) -> None:
    lading = open_one()
    put(lading, *(NewJob(IMPORT_JOB_KIND) for _ in range(30)))
    for _ in range(20):
        lading.queue.claim("w")
    statements: list[str] = []
    event.listen(
        lading.db.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2])
    )
    engine = reader_of(lading, cached_s=3_600)
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(engine.read())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(answer is answers[0] for answer in answers)
    assert len([s for s in statements if s.lstrip().upper().startswith("SELECT")]) <= 12
    put(lading, NewJob(IMPORT_JOB_KIND))
    assert engine.read() is answers[0]
    engine.forget()
    assert engine.read().queued == 11


def test_problems_are_those_that_are_counted(open_one: Callable[..., Lading]) -> None:
    strip = reader_of(open_one(), count_problems=lambda _: Count(3)).read()
    assert (strip.problems, strip.favicon) == (Count(3), "attention")


def test_the_status_says_what_the_strip_says(open_one: Callable[..., Lading]) -> None:
    lading = open_one()
    put(lading, NewJob(IMPORT_JOB_KIND))
    sign_of_life(lading)
    lading.queue.claim("w")
    status = StatusReader(lading, version="1", engine=reader_of(lading)).read()
    assert (status.engine.state, status.engine.sentence) == (
        EngineState.WORKING,
        "Importing 1 job.",
    )
    assert [job.kind for job in status.running] == [IMPORT_JOB_KIND]
    assert [e.kind for e in status.events][-2:] == ["job_queued", "job_started"]


def test_a_look_that_hangs_holds_nobody_up_and_is_said_not_to_answer() -> None:
    hangs, looked = threading.Event(), threading.Event()

    def hang() -> str:
        hangs.wait()
        return "there after all"

    def answer() -> str:
        looked.set()
        return "here"

    watch = Watch({"mount": hang, "folder": answer}, every_s=0)
    try:
        watch.read(wait_s=0)
        looked.wait()
        found = watch.read(wait_s=0)
        assert found["mount"].error == NO_ANSWER
    finally:
        hangs.set()
