"""What happens in an installation while pages of it are open: workers work, jobs move, it dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, insert, select, update

from lading.accounts.accounts import Accounts
from lading.base.progress import Progress
from lading.base.stopping import StopReason, StopSignal
from lading.bootstrap import Lading, open_lading
from lading.db.clock import now
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.tables import worker as worker_table
from lading.jobs.values import JobFilter, NewJob
from lading.jobs.worker import Worker
from lading.ledger.chain import append
from lading.ledger.events import JobProgress
from lading.testing.bundles import BundlePublisher
from lading.testing.console_data import read_installation
from lading.testing.console_imported import upstream_of
from tests.console.browser.serving import HOST, Served

ENDS_WITHIN_S = 60
MEGABYTE = 1_000_000


def open_live(page: Page, address: str) -> None:
    """Open a page and wait until it is told of changes."""
    page.goto(address)
    expect_live(page)


def expect_live(page: Page) -> None:
    """Wait until the page is told of changes."""
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")


def tab_to(page: Page, wanted: Locator, *, back: bool = False, presses_max: int = 200) -> None:
    """Press Tab until `wanted` has the focus; the mouse is not used."""
    for _ in range(presses_max):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"not reached by {presses_max} presses of Tab: {wanted}")


def publish(lading: Lading, count: int, *, photos: int = 1, seed: int = 7) -> list[str]:
    """Let the upstream publish so many bundles; their names, in order."""
    publisher = BundlePublisher(upstream_of(lading), seed=seed)
    names = []
    for number in range(count):
        bundle = publisher.bundle()
        for photo in range(photos):
            bundle.photo(f"acted-{seed}-{number}-{photo}", documents=())
        names.append(bundle.publish().sync_id)
    return names


def enqueue(lading: Lading, count: int, *, kind: str = "import_batch") -> list[int]:
    """Put so many jobs in line that are about nothing."""
    with lading.db.write() as conn:
        jobs = [NewJob(kind=kind) for _ in range(count)]
        return [made.job_id for made in lading.queue.enqueue(conn, jobs, actor="user:otto")]


def jobs_in(lading: Lading, *states: JobState) -> list[int]:
    """The jobs in these states."""
    return [job.id for job in lading.queue.list(JobFilter(states=list(states)), limit=200).jobs]


def advance(lading: Lading, job_id: int, progress: Progress) -> None:
    """Write what a worker writes that got this far, with an event."""
    with lading.db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.id == job_id)
            .values(
                items_done=progress.items_done,
                items_skipped=progress.items_skipped,
                items_failed=progress.items_failed,
                items_total=progress.items_total,
                bytes_moved=progress.bytes_moved,
                bytes_skipped=progress.bytes_skipped,
                bytes_total=progress.bytes_total,
                heartbeat_at=now(),
                current_item=progress.current,
            )
        )
        event = JobProgress(
            items_done=progress.items_processed,
            items_total=progress.items_total,
            bytes_moved=progress.bytes_moved,
            bytes_skipped=progress.bytes_skipped,
            bytes_total=progress.bytes_total,
        )
        append(conn, event, actor="worker:test", job_id=job_id)


def so_far(done: int, of: int) -> Progress:
    """The progress of a job that is through with `done` of `of` equal items."""
    return Progress(
        items_done=done,
        items_total=of,
        bytes_moved=done * MEGABYTE,
        bytes_total=of * MEGABYTE,
        current=f"LAKE{done:04}.jpg",
    )


def give_sign(lading: Lading, name: str = "ingest-9/77/test", *, silent_s: float = 0.0) -> None:
    """Let one worker be known, and no other; it was silent for so long."""
    host, pid, _ = name.split("/")
    row = {"host": host, "pid": int(pid), "version": "0.1.0", "slots": 1, "started_at": now(-60)}
    with lading.db.write() as conn:
        conn.execute(worker_table.delete())
        conn.execute(insert(worker_table).values(id=name, seen_at=now(-silent_s), **row))


def rows_of(lading: Lading, table: str) -> list[tuple[object, ...]]:
    """Every row of a table, as it is now."""
    found = import_job.metadata.tables[table]
    with lading.db.read() as conn:
        rows = conn.execute(select(found).order_by(*found.primary_key.columns))
        return [tuple(row) for row in rows]


def count_of(lading: Lading, table: str) -> int:
    """How many rows a table has."""
    with lading.db.read() as conn:
        found = import_job.metadata.tables[table]
        return int(conn.scalar(select(func.count()).select_from(found)) or 0)


@contextmanager
def working(lading: Lading) -> Iterator[None]:
    """A real worker at work in a thread, as long as the block lasts."""
    stop = StopSignal()
    failed: list[BaseException] = []
    limits = lading.settings.worker.limits

    def run() -> None:
        try:
            Worker(lading.db, lading.queue, lading.handlers, limits, stop=stop).run()
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's thread
            failed.append(error)

    thread = threading.Thread(target=run, name="worker of a test")
    thread.start()
    try:
        yield
    finally:
        stop.request(StopReason.SHUTDOWN)
        thread.join()
    if failed:
        raise failed[0]


def until(condition: Callable[[], object], what: str, within_s: float = ENDS_WITHIN_S) -> None:
    """Wait for something that no page shows; fails by naming it."""
    pause, ends_at_s = threading.Event(), monotonic() + within_s
    while not condition():
        assert monotonic() < ends_at_s, f"it did not come about in {within_s} s: {what}"
        pause.wait(0.02)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


class Process:
    """A `lading` command as a process of its own, which can be killed as a machine dies."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._command = [sys.executable, "-m", "lading.cli", "-c", str(folder / "lading.toml")]
        self._command += command
        self._log = folder / f"{command[0]}.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def started(self) -> dict[str, object]:
        """What its first line says of it; waits for that."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it ended without a word:\n{self._log.read_text()[-2000:]}"
        said: dict[str, object] = json.loads(line)
        return said

    def kill(self) -> None:
        """End it as a power cut does. May be called twice."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order. May be called twice."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            os.kill(self._process.pid, how)
        self._process.communicate(timeout=ENDS_WITHIN_S)
        self._process = None


@contextmanager
def process(folder: Path, *command: str) -> Iterator[Process]:
    """A command of `lading` on the installation in `folder`; it is gone after the block."""
    made = Process(folder, *command)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@contextmanager
def served_by_process(folder: Path) -> Iterator[tuple[Served, Process]]:
    """The console on the installation in `folder`, as a process that may die and come back."""
    port = str(free_port())
    with (
        open_lading(read_installation(folder)) as lading,
        process(folder, "serve", "--host", HOST, "--port", port, "--json") as server,
    ):
        server.started()
        yield Served(f"http://{HOST}:{port}", lading, folder, Accounts(lading.db)), server


@contextmanager
def with_settings(folder: Path, **worker: float) -> Iterator[Path]:
    """The installation in `folder`, with other settings of its workers."""
    path = folder / "lading.toml"
    lines = "".join(f"{name} = {value}\n" for name, value in worker.items())
    path.write_text(path.read_text().replace("[worker]\n", f"[worker]\n{lines}"))
    yield folder
