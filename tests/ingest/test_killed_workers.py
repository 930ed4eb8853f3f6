"""Exactly once, whatever happens to the worker: killed at every step, or frozen and woken late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from lading.base.steps import AnyStep, Step, observe
from lading.db import Database
from lading.db.clock import now
from lading.ingest.registry import build_source
from lading.jobs.tables import import_job
from lading.ledger.queries import list_events
from lading.ledger.states import BatchState
from lading.ledger.verify import verify_chain
from lading.storage.folder import FolderStore
from lading.storage.s3 import S3Store
from lading.testing.faults import Fault, record_steps
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_db import BACKENDS, Server, fresh_database, url_of
from lading.testing.servers_s3 import S3Facts
from lading.testing.snapshots import Snapshot, library_snapshot, store_snapshot
from tests.conftest import taking_turns
from tests.ingest.upstreams import Upstream

OF_BYTES = frozenset(
    {
        Step.MANIFEST_SPOOLED,
        Step.ITEM_STARTED,
        Step.FILE_OPENED,
        Step.FILE_WRITTEN,
        Step.FILE_SYNCED,
        Step.FILE_PLACED,
        Step.ITEM_FETCHED,
    }
)
"""At these no transaction is open: in each run, the two servers take turns with them."""

Install = Callable[..., Installation]
Picture = tuple[Snapshot, dict[str, str], list[tuple[str, str]]]


def picture(installation: Installation) -> Picture:
    """All that has to be the same after a disturbed run as after an undisturbed one."""
    with installation.db.read() as conn:
        rows = library_snapshot(conn)
        batches = conn.execute(
            select(import_job.c.status, import_job.c.batch_id).order_by(import_job.c.batch_id)
        ).all()
    assert all(job.status == "done" for job in batches)
    states = sorted(
        (installation.batch(job.batch_id).batch_key, installation.batch(job.batch_id).state.value)
        for job in batches
    )
    return rows, store_snapshot(installation.store), states


@pytest.fixture(scope="session")
def undisturbed(
    upstream: Upstream,
    server_of: Callable[..., object],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Picture, list[AnyStep]]:
    """What a run that nobody disturbs ends with, and the steps it goes through."""
    server = server_of("sqlite")
    assert isinstance(server, Server)
    with fresh_database(server) as db:
        source = build_source("handover", "nas", {"root": str(upstream.root), "keep": "copy"})
        store = FolderStore(tmp_path_factory.mktemp("undisturbed"), name="library", create=True)
        installation = Installation(db, store, [source])
        ids = installation.scan()
        installation.ingest.queue(ids, actor=ACTOR)
        steps = record_steps()
        try:
            installation.drain()
        finally:
            observe(None)
        return picture(installation), steps


def start_worker(
    db: Database,
    upstream: Upstream,
    tmp_path: Path,
    fault: Fault,
    store: dict[str, object] | None = None,
) -> subprocess.Popen[bytes]:
    config = tmp_path / "worker.json"
    config.write_text(
        json.dumps(
            {
                "database_url": url_of(db),
                "store": store or str(tmp_path / "store"),
                "sources": {"nas": {"root": str(upstream.root), "keep": "copy"}},
                "fault": str(fault),
            }
        )
    )
    return subprocess.Popen(
        [sys.executable, "-m", "lading.testing.worker_program", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def silence_heartbeats(db: Database) -> None:
    """As if the stale threshold had passed."""
    with db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.status == "running")
            .values(heartbeat_at=now(-3600))
        )


def check_whole(installation: Installation, expected: Picture) -> None:
    assert picture(installation) == expected
    if isinstance(installation.store, FolderStore):
        assert list((installation.store.root / ".incoming").iterdir()) == []
    for state in (job[1] for job in expected[2]):
        assert BatchState(state) in {BatchState.IMPORTED, BatchState.PARTIAL}
    report = installation.ingest.verify(None, actor=ACTOR)
    assert report.problems == []
    with installation.db.read() as conn:
        assert verify_chain(conn).whole


def test_an_import_goes_through_every_step(undisturbed: tuple[Picture, list[AnyStep]]) -> None:
    """Otherwise the tests below would not end the process where they say."""
    assert set(undisturbed[1]) == set(Step)


@pytest.mark.parametrize(
    ("backend", "step"),
    [
        *((backend, step) for step in Step if step not in OF_BYTES for backend in BACKENDS),
        *taking_turns(*([step] for step in Step if step in OF_BYTES)),
    ],
)
def test_a_worker_killed_at_any_step_loses_nothing_and_doubles_nothing(
    step: Step,
    database: Database,
    upstream: Upstream,
    install: Install,
    undisturbed: tuple[Picture, list[AnyStep]],
    tmp_path: Path,
) -> None:
    """The middle occurrence of each step here; every occurrence in the slow test, on each kind."""
    expected, steps = undisturbed
    count = (steps.count(step) + 1) // 2
    kill_and_continue(Fault(step, count), database, upstream, install, expected, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("step", list(Step))
def test_a_worker_killed_at_every_occurrence_of_a_step_loses_nothing(
    step: Step,
    make_database: Callable[[], Database],
    upstream: Upstream,
    install: Install,
    undisturbed: tuple[Picture, list[AnyStep]],
    tmp_path: Path,
) -> None:
    expected, steps = undisturbed
    for count in range(1, steps.count(step) + 1):
        folder = tmp_path / str(count)
        folder.mkdir()
        kill_and_continue(Fault(step, count), make_database(), upstream, install, expected, folder)


def kill_and_continue(
    fault: Fault,
    db: Database,
    upstream: Upstream,
    install: Install,
    expected: Picture,
    tmp_path: Path,
) -> None:
    installation = install(db, upstream.root, store=str(tmp_path / "store"))
    installation.ingest.queue(installation.scan(), actor=ACTOR)
    worker = start_worker(db, upstream, tmp_path, fault)
    output, _ = worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGKILL, output.decode()
    silence_heartbeats(db)
    installation.drain()
    check_whole(installation, expected)


@pytest.mark.parametrize(
    "step",
    [
        Step.FILE_OPENED,
        Step.FILE_PLACED,
        Step.ITEM_FETCHED,
        Step.ITEM_WRITTEN,
        Step.ITEM_COMMITTED,
        Step.BATCH_FINISHED,
    ],
)
def test_a_worker_killed_while_it_fills_a_bucket_loses_nothing_either(
    step: Step,
    sqlite_database: Database,
    s3_server_of: Callable[[str], S3Facts],
    upstream: Upstream,
    undisturbed: tuple[Picture, list[AnyStep]],
    tmp_path: Path,
) -> None:
    """Everything before was shown on a folder; here are the steps at which a bucket differs."""
    expected, steps = undisturbed
    options = s3_server_of("radosgw").options(prefix=f"killed/{uuid4().hex}")
    source = build_source("handover", "nas", {"root": str(upstream.root), "keep": "copy"})
    here = Installation(sqlite_database, S3Store(options, name="library"), [source])
    here.ingest.queue(here.scan(), actor=ACTOR)
    fault = Fault(step, (steps.count(step) + 1) // 2)
    worker = start_worker(sqlite_database, upstream, tmp_path, fault, asdict(options))
    output, _ = worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGKILL, output.decode()
    silence_heartbeats(sqlite_database)
    here.drain()
    check_whole(here, expected)


def test_a_worker_woken_after_its_job_was_taken_writes_nothing(
    database: Database,
    upstream: Upstream,
    install: Install,
    undisturbed: tuple[Picture, list[AnyStep]],
    tmp_path: Path,
) -> None:
    installation = install(database, upstream.root)
    installation.ingest.queue(installation.scan(), actor=ACTOR)
    frozen = start_worker(database, upstream, tmp_path, Fault(Step.ITEM_FETCHED, 2, signal.SIGSTOP))
    _, status = os.waitpid(frozen.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    silence_heartbeats(database)
    installation.drain()
    check_whole(installation, undisturbed[0])
    with database.read() as conn:
        before = library_snapshot(conn, with_times=True)
        rescued = list_events(conn, kinds=["job_rescued"])
        last = list_events(conn)[-1].seq
    assert len(rescued) == 1
    late_worker = rescued[0].payload["worker"]

    frozen.send_signal(signal.SIGCONT)
    output, _ = frozen.communicate(timeout=60)
    assert frozen.returncode == 0, output.decode()
    with database.read() as conn:
        assert library_snapshot(conn, with_times=True) == before
        assert [e for e in list_events(conn, after=last) if e.actor.endswith(late_worker)] == []
    assert b"lease" in output
    check_whole(installation, undisturbed[0])
