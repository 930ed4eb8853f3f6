"""Compares queues on one PostgreSQL: claim and complete no-op jobs, one at a time, durably.

    python benchmarks/bench_queue.py [--url postgresql://…] [--jobs 2000] [--rounds 5] [--json]

Variants run interleaved in one process tree on one server with `synchronous_commit = on`:

raw             one statement to claim, one to complete; no fence, no event
lading          our worker: fenced by lease, each move chained into the ledger
procrastinate   its worker, concurrency 1
pgqueuer        its queue manager, batch size 1, asyncpg

Each cell fills the queue, starts the processes, lets them connect, then measures from the common
start until the last is done. Without `--url` a private server is started and removed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

import asyncpg
import procrastinate
import psycopg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode
from sqlalchemy import make_url

from lading.base.stopping import StopSignal
from lading.db import open_database
from lading.db.migrate import upgrade
from lading.jobs.context import JobContext, JobResult
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.worker import Worker
from lading.testing.servers_db import Server, database_server, unique_name

VARIANTS = ("raw", "lading", "procrastinate", "pgqueuer")

RAW_CLAIM = """
WITH c AS MATERIALIZED (
  SELECT id FROM import_job WHERE status = 'queued' ORDER BY priority, id LIMIT 1
  FOR UPDATE SKIP LOCKED)
UPDATE import_job j SET status = 'running', worker = %(worker)s, started_at = now(),
  heartbeat_at = now(), attempt = attempt + 1
FROM c WHERE j.id = c.id RETURNING j.id, j.kind, j.params"""
RAW_DONE = "UPDATE import_job SET status = 'done', finished_at = now() WHERE id = %(id)s"

FILL = """
INSERT INTO import_job (kind, params, status, priority, created_at, queued_at)
SELECT 'noop', '{}', 'queued', n %% 5, now(), now() FROM generate_series(1, %(jobs)s) n"""


def libpq(url: str) -> str:
    """The address without SQLAlchemy's driver name."""
    plain = make_url(url).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


# -- one-time set-up of each variant's database


def prepare_ours(url: str) -> None:
    database = open_database(url)
    upgrade(database)
    database.close()


def prepare_procrastinate(url: str) -> None:
    async def install() -> None:
        async with procrastinate_app(url).open_async() as app:
            await app.schema_manager.apply_schema_async()

    asyncio.run(install())


def prepare_pgqueuer(url: str) -> None:
    async def install() -> None:
        connection = await asyncpg.connect(libpq(url))
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    asyncio.run(install())


def procrastinate_app(url: str, note: Callable[[], None] = lambda: None) -> Any:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=libpq(url)))

    @app.task(name="noop", queue="bench")
    async def noop() -> None:
        note()

    return app


# -- filling the queue


def fill_ours(url: str, jobs: int) -> None:
    with psycopg.connect(libpq(url)) as connection:
        connection.execute(FILL, {"jobs": jobs})


def fill_procrastinate(url: str, jobs: int) -> None:
    async def fill() -> None:
        async with procrastinate_app(url).open_async() as app:
            await app.tasks["noop"].batch_defer_async(*({} for _ in range(jobs)))

    asyncio.run(fill())


def fill_pgqueuer(url: str, jobs: int) -> None:
    async def fill() -> None:
        connection = await asyncpg.connect(libpq(url))
        await Queries(AsyncpgDriver(connection)).enqueue(
            ["noop"] * jobs, [None] * jobs, [n % 5 for n in range(jobs)]
        )
        await connection.close()

    asyncio.run(fill())


# -- working it off; each calls `start` when it is ready, `note` for every job, and returns when
# nothing is left. Jobs are counted from the first to the last `note`, so that neither the start
# of a worker nor its look whether all is done counts for or against anyone.

Note = Callable[[], None]


def work_raw(url: str, start: Note, note: Note) -> None:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        cursor = connection.cursor()
        start()
        while True:
            cursor.execute(RAW_CLAIM, {"worker": "raw"}, prepare=True)
            row = cursor.fetchone()
            if row is None:
                return
            note()
            cursor.execute(RAW_DONE, {"id": row[0]}, prepare=True)


def work_lading(url: str, start: Note, note: Note) -> None:
    def noop(_context: JobContext) -> JobResult:
        note()
        return JobResult()

    database = open_database(url)
    settings = WorkerSettings(poll_min_s=0.01)
    worker = Worker(database, Queue(database), {"noop": noop}, settings, stop=StopSignal())
    with database.read():
        start()
    worker.run(drain=True)
    database.close()


def work_procrastinate(url: str, start: Note, note: Note) -> None:
    async def work() -> None:
        async with procrastinate_app(url, note).open_async() as app:
            start()
            await app.run_worker_async(
                queues=["bench"],
                concurrency=1,
                wait=False,
                listen_notify=False,
                install_signal_handlers=False,
            )

    asyncio.run(work())


def work_pgqueuer(url: str, start: Note, note: Note) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(libpq(url))
        manager = QueueManager(Queries(AsyncpgDriver(connection)))

        @manager.entrypoint("noop")
        async def noop(_job: object) -> None:
            note()

        start()
        await manager.run(batch_size=1, mode=QueueExecutionMode.drain)
        await connection.close()

    asyncio.run(work())


PREPARE = {
    "raw": prepare_ours,
    "lading": prepare_ours,
    "procrastinate": prepare_procrastinate,
    "pgqueuer": prepare_pgqueuer,
}
FILLERS = {
    "raw": fill_ours,
    "lading": fill_ours,
    "procrastinate": fill_procrastinate,
    "pgqueuer": fill_pgqueuer,
}
WORK: dict[str, Callable[[str, Note, Note], None]] = {
    "raw": work_raw,
    "lading": work_lading,
    "procrastinate": work_procrastinate,
    "pgqueuer": work_pgqueuer,
}
LEFT = {
    "raw": "SELECT count(*) FROM import_job WHERE status <> 'done'",
    "lading": "SELECT count(*) FROM import_job WHERE status <> 'done'",
    "procrastinate": "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
    "pgqueuer": "SELECT count(*) FROM pgqueuer",
}


def child(variant: str, url: str, barrier: Barrier, spans: Any) -> None:
    """One worker process; puts when it had its first and its last job on the queue `spans`."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    times: list[float] = []

    def note() -> None:
        now_s = time.monotonic()
        times[1:] = [now_s] if times else []
        if not times:
            times.append(now_s)

    def start() -> None:
        barrier.wait()

    WORK[variant](url, start, note)
    spans.put(times)


def measure(variant: str, url: str, jobs: int, processes: int) -> float:
    """Jobs a second of one cell; raises when a job was left."""
    FILLERS[variant](url, jobs)
    context = multiprocessing.get_context("spawn")
    barrier, spans = context.Barrier(processes), context.Queue()
    children = [
        context.Process(target=child, args=(variant, url, barrier, spans)) for _ in range(processes)
    ]
    for process in children:
        process.start()
    times = [moment_s for _ in children for moment_s in spans.get(timeout=600)]
    for process in children:
        process.join()
    with psycopg.connect(libpq(url)) as connection:
        row = connection.execute(LEFT[variant]).fetchone()
    if row != (0,):
        raise RuntimeError(f"{variant} left jobs behind: {row}")
    elapsed_s: float = max(times) - min(times)
    return (jobs - 1) / elapsed_s


@contextmanager
def databases(url: str | None) -> Iterator[dict[str, str]]:
    """An own database for each variant, on the server given or on a private one."""

    @contextmanager
    def server() -> Iterator[Server]:
        if url is not None:
            given = Server("postgresql", make_url(url))
            try:
                yield given
            finally:
                given.close()
            return
        with database_server("postgresql", durable=True) as private:
            yield private

    with server() as chosen:
        names = {variant: unique_name("bench") for variant in VARIANTS}
        try:
            for variant, name in names.items():
                chosen.create(name)
                PREPARE[variant](chosen.url_of(name))
            yield {variant: chosen.url_of(name) for variant, name in names.items()}
        finally:
            for name in names.values():
                chosen.drop(name)


def durability(url: str) -> str:
    """What the server says about commits, for the report."""
    with psycopg.connect(libpq(url)) as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("server_version", "synchronous_commit", "fsync")
        ]
    return ", ".join(str(row[0]) for row in shown if row)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", help="a PostgreSQL where databases may be made")
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rates: dict[tuple[str, int], list[float]] = {}
    with databases(options.url) as urls:
        server = durability(urls["raw"])
        for _ in range(options.rounds):
            for processes in options.processes:
                for variant in VARIANTS:
                    rate = measure(variant, urls[variant], options.jobs, processes)
                    rates.setdefault((variant, processes), []).append(rate)
    cells = []
    for (variant, processes), found in rates.items():

        def ratio(to: str, processes: int = processes, found: list[float] = found) -> float:
            pairs = zip(found, rates[to, processes], strict=True)
            return round(statistics.median(ours / theirs for ours, theirs in pairs), 2)

        cells.append(
            {
                "variant": variant,
                "processes": processes,
                "jobs_s": round(statistics.median(found)),
                "jobs_s_rounds": [round(rate) for rate in found],
                "ratio_to_raw": ratio("raw"),
                "ratio_to_procrastinate": ratio("procrastinate"),
                "ratio_to_pgqueuer": ratio("pgqueuer"),
            }
        )
    if options.json:
        print(json.dumps({"server": server, "jobs": options.jobs, "cells": cells}, indent=2))
        return 0
    print(f"PostgreSQL {server} (version, synchronous_commit, fsync); {options.jobs} jobs a cell")
    print(f"{'':15}{'processes':>10}{'jobs/s':>9}{'of raw':>9}{'of procr.':>11}{'of pgq.':>9}")
    for cell in cells:
        print(
            f"{cell['variant']:15}{cell['processes']:>10}{cell['jobs_s']:>9}"
            f"{cell['ratio_to_raw']:>9}{cell['ratio_to_procrastinate']:>11}"
            f"{cell['ratio_to_pgqueuer']:>9}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
