"""The overview and its charts: who works, what came through, what failed, what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from lading.base.counts import Count
from lading.bootstrap import Lading, open_lading
from lading.cli.setting_up import set_up
from lading.console.readers.engine import EngineReader
from lading.console.readers.metrics import (
    SPANS,
    MetricsReader,
    UnknownRange,
    read_failures,
    read_throughput,
    steps_of,
)
from lading.console.readers.overview import OverviewReader, read_funnel
from lading.db import Database
from lading.db.clock import now
from lading.jobs.tables import worker
from lading.jobs.values import NewJob
from lading.ledger.tables import ingest_event
from lading.settings import Settings
from lading.testing.bundles import BundlePublisher


@pytest.fixture
def lading(tmp_path: Path) -> Iterator[Lading]:
    """An installation on SQLite with an empty source `nas`."""
    nas = BundlePublisher(tmp_path / "nas").root
    settings = Settings.model_validate(
        {
            "data_dir": str(tmp_path / "data"),
            "database": {"url": f"sqlite:///{tmp_path}/data/lading.sqlite"},
            "store": {"url": f"file://{tmp_path}/data/store"},
            "sources": {"nas": {"kind": "handover", "root": str(nas)}},
        }
    )
    set_up(settings)
    with open_lading(settings) as opened:
        yield opened


def time_of(db: Database) -> datetime:
    with db.read() as conn:
        return conn.scalars(select(now())).one()


def tell(db: Database, *events: tuple[datetime, str, int, dict[str, Any]]) -> None:
    """Events as if they had happened then, without their chain."""
    rows = [
        {
            "seq": seq,
            "at": at,
            "kind": kind,
            "actor": "test",
            "batch_id": batch_id,
            "payload": json.dumps(payload, separators=(",", ":"), sort_keys=True),
            "hash": "0" * 64,
        }
        for seq, (at, kind, batch_id, payload) in enumerate(events, start=1)
    ]
    with db.write() as conn:
        conn.execute(insert(ingest_event), rows)


def finished(moved: int, *, state: str = "imported", **outcomes: int) -> dict[str, Any]:
    return {"state": state, "bytes_moved": moved, "bytes_skipped": 0, "outcomes": outcomes}


def test_the_overview_says_who_works_on_what_and_what_happened_last(lading: Lading) -> None:
    with lading.db.write() as conn:
        lading.queue.enqueue(conn, [NewJob("copy") for _ in range(8)], actor="test")
        seen_workers = {"host": "h", "pid": 1, "version": "1", "slots": 9, "started_at": now()}
        conn.execute(insert(worker).values(id="w1", seen_at=now(), **seen_workers))
        conn.execute(insert(worker).values(id="w2", seen_at=now(-1_000), **seen_workers))
    for _ in range(7):
        lading.queue.claim("w1")
    seen = OverviewReader(lading, EngineReader(lading)).read()
    assert len(seen.jobs) == 5
    assert [(w.worker.id, w.jobs, w.alive) for w in seen.workers] == [
        ("w1", 7, True),
        ("w2", 0, False),
    ]
    assert [e.kind for e in seen.recent][:2] == ["job_started", "job_started"]


def test_the_overview_of_a_new_installation_is_empty(lading: Lading) -> None:
    seen = OverviewReader(lading, EngineReader(lading)).read()
    assert (seen.jobs, seen.workers, seen.recent) == ([], [], [])
    assert [step.count for step in seen.funnel] == [Count(0)] * 5
    assert (seen.sources[0].name, seen.sources[0].missing) == ("nas", None)
    assert seen.roles == []
    assert [volume.name for volume in seen.volumes] == ["Data folder, Store"]


def test_the_funnel_counts_each_batch_once_and_only_lately(database: Database) -> None:
    at = time_of(database)
    old, new = at - timedelta(hours=30), at - timedelta(hours=2)
    tell(
        database,
        (old, "batch_found", 1, {}),
        (old, "batch_finished", 1, finished(1)),
        (new, "batch_found", 2, {}),
        (new, "batch_found", 3, {}),
        (new, "batch_preflighted", 2, {}),
        (new, "batch_preflighted", 2, {}),
        (new, "batch_queued", 2, {}),
        (new, "batch_finished", 2, finished(1, state="partial")),
        (new, "batch_finished", 3, finished(1, state="failed")),
    )
    with database.read() as conn:
        funnel = read_funnel(conn, at - timedelta(hours=24))
        capped = read_funnel(conn, at - timedelta(hours=24), cap=1)
    assert [(step.name, step.count.value) for step in funnel] == [
        ("found", 2),
        ("preflighted", 1),
        ("queued", 1),
        ("imported", 1),
        ("verified", 0),
    ]
    assert [step.count.exact for step in capped] == [False, True, True, True, True]


def test_throughput_is_what_each_step_brought_in(database: Database) -> None:
    at = time_of(database)
    steps = steps_of(SPANS["1h"], at)
    assert len(steps) == 60
    assert steps[-1] <= at < steps[-1] + timedelta(seconds=60)
    tell(
        database,
        (steps[0] - timedelta(seconds=1), "batch_finished", 1, finished(1_000, created=9)),
        (steps[0], "batch_finished", 2, finished(10, created=2, unchanged=1, failed=5)),
        (steps[7] + timedelta(seconds=59), "batch_finished", 3, finished(20, updated=4)),
        (steps[7], "job_done", 3, {"lease": 1}),
        (steps[7], "batch_finished", 4, finished(30, removed=1)),
    )
    with database.read() as conn:
        seen = read_throughput(conn, SPANS["1h"])
        newest = read_throughput(conn, SPANS["1h"], events_max=1)
    assert seen.whole
    assert [(b.at, b.bytes, b.items, b.batches) for b in seen.buckets if b.batches] == [
        (steps[0], 10, 3, 1),
        (steps[7], 50, 5, 2),
    ]
    assert not newest.whole
    assert sum(bucket.bytes for bucket in newest.buckets) == 30


def test_failures_are_told_apart_by_reason_and_those_of_another_are_left_out(
    database: Database,
) -> None:
    at = time_of(database)
    steps = steps_of(SPANS["30d"], at)
    tell(
        database,
        (steps[3], "job_failed", 1, {"code": "store_full", "error": "x"}),
        (steps[3], "item_failed", 1, {"code": "hash_mismatch", "item_key": "k", "message": "x"}),
        (steps[3], "item_failed", 1, {"code": "hash_mismatch", "item_key": "l", "message": "x"}),
        (steps[4], "job_failed", 1, {"code": "dependency_failed", "error": "x", "failed_by": 7}),
        (steps[29], "job_failed", 2, {"code": "store_full", "error": "x"}),
        *((steps[5], "job_failed", 3, {"code": f"code_{n}", "error": "x"}) for n in range(8)),
    )
    with database.read() as conn:
        seen = read_failures(conn, SPANS["30d"])
    assert list(seen.by_reason)[:2] == ["hash_mismatch", "store_full"]
    assert (seen.by_reason["hash_mismatch"][3], seen.by_reason["store_full"][29]) == (2, 1)
    assert "dependency_failed" not in seen.by_reason
    assert seen.by_reason["other"][5] == 2
    assert seen.whole


def test_the_backlog_is_what_waits_now(lading: Lading) -> None:
    metrics = MetricsReader(lading)
    assert metrics.backlog().oldest_wait_s is None
    with lading.db.write() as conn:
        lading.queue.enqueue(conn, [NewJob("copy"), NewJob("copy", delay_s=60)], actor="test")
    backlog = metrics.backlog()
    assert (backlog.queued, backlog.waiting, backlog.running) == (Count(1), Count(1), Count(0))
    assert backlog.oldest_wait_s is not None
    assert metrics.durations() == []
    assert metrics.throughput("1h").span.step_s == 60
    with pytest.raises(UnknownRange, match="1h, 24h, 30d"):
        metrics.failures("7d")
