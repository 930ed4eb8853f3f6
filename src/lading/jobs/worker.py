"""A worker process: job threads, and the duties every worker has on the side.

Duties run in the thread that calls `run`: rescuing silent jobs, queueing jobs whose time has
come, saying that this worker lives, and passing a stop on.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import insert, update

from lading.base.stopping import StopReason, StopSignal
from lading.base.version import __version__
from lading.db import Database
from lading.db.clock import now
from lading.jobs.context import Handler
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.slot import DATABASE_FAULTS, DatabaseWait, Ended, Slot
from lading.jobs.tables import worker as worker_table
from lading.jobs.wakeup import Listener, Wakeup

_HOST_LENGTH_MAX = 120
_DRAIN_LOOK_S = 0.05
_DUE_WAIT_MIN_S = 0.01

Duty = Callable[[str], float]
"""Something of its installation that a worker does on the side, under the name it is given.

Returns the seconds until it wants to be called again.
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """How the jobs ended that one worker claimed; `lost` ones are in other hands."""

    worker: str
    done: int
    failed: int
    retrying: int
    released: int
    lost: int
    rescued: int


def new_worker_id() -> str:
    """Host, process and a number that no other process life has: `host/pid/uuid`."""
    host = socket.gethostname()[:_HOST_LENGTH_MAX] or "localhost"
    return f"{host}/{os.getpid()}/{uuid.uuid4().hex}"


class Worker:
    """Claims jobs of the kinds in `handlers` and runs them, `settings.slots` at a time."""

    def __init__(
        self,
        db: Database,
        queue: Queue,
        handlers: Mapping[str, Handler],
        settings: WorkerSettings,
        *,
        stop: StopSignal,
        duty: Duty | None = None,
    ) -> None:
        self.id = new_worker_id()
        self._db = db
        self._queue = queue
        self._handlers = dict(handlers)
        self._settings = settings
        self._stop = stop
        self._wakeup = Wakeup()
        self._counting = threading.Lock()
        self._ended: Counter[Ended] = Counter()
        self._rescued = 0
        self._crash: BaseException | None = None
        self._registered = False
        self._rescue_due_s = 0.0
        self._schedule_due_s = 0.0
        self._duty = duty
        self._duty_due_s = 0.0

    def run(self, drain: bool = False) -> WorkerReport:
        """Work until `stop` is set; jobs in hand end at their next boundary.

        With `drain`, return as soon as no job of our kinds is queued, running (by anyone), or
        waiting for its time. A job silent since its worker died counts as running until it is
        rescued; jobs queued while intake is paused do not count; a job that waits for others
        counts through them.
        """
        database = DatabaseWait(self._settings, self._stop)
        with Listener(self._db, self._wakeup) as listener:
            slots = [self._slot(listener, drain=drain) for _ in range(self._settings.slots)]
            threads = [
                threading.Thread(target=self._run_slot, args=(slot,), name=f"lading-job-{index}")
                for index, slot in enumerate(slots, start=1)
            ]
            try:
                self._start(threads, database)
                while any(thread.is_alive() for thread in threads) and not self._stop.is_set():
                    wait_s = self._attend(database)
                    self._stop.wait(min(wait_s, _DRAIN_LOOK_S) if drain else wait_s)
            finally:
                if any(thread.is_alive() for thread in threads):
                    self._stop.request(StopReason.SHUTDOWN)
                for slot in slots:
                    slot.interrupt()
                self._wakeup.poke()
                self._finish_beside(threads)
        self._unregister()
        if self._crash is not None:
            raise self._crash
        return self._report()

    def _start(self, threads: list[threading.Thread], database: DatabaseWait) -> None:
        """Register, rescue once, and start the job threads, as soon as the database answers."""
        while not self._registered and not self._stop.is_set():
            self._attend(database)
        if self._registered:
            for thread in threads:
                thread.start()

    def _attend(self, database: DatabaseWait) -> float:
        """Do the duties that are due; returns the seconds until the next one."""
        try:
            if not self._registered:
                self._register()
            at_s = time.monotonic()
            if at_s >= self._rescue_due_s:
                self._rescue()
                jitter = 0.75 + random.random() / 2  # noqa: S311 - spreads workers
                self._rescue_due_s = at_s + self._settings.rescue_every_s * jitter
            if at_s >= self._schedule_due_s:
                self._schedule_due_s = at_s + self._schedule()
            if self._duty is not None and at_s >= self._duty_due_s:
                self._duty_due_s = at_s + self._duty(f"worker:{self.id}")
            database.reset()
        except DATABASE_FAULTS as error:
            database.wait(error)
            return 0.0
        due_s = min(self._rescue_due_s, self._schedule_due_s)
        if self._duty is not None:
            due_s = min(due_s, self._duty_due_s)
        return max(_DUE_WAIT_MIN_S, due_s - time.monotonic())

    def _rescue(self) -> None:
        actor = f"worker:{self.id}"
        rescued = self._queue.rescue(stale_after_s=self._settings.stale_after_s, actor=actor)
        if rescued:
            _log.warning("silent jobs rescued", job_ids=list(rescued))
            self._rescued += len(rescued)
            self._wakeup.poke()
        with self._db.write() as conn:
            conn.execute(
                update(worker_table).where(worker_table.c.id == self.id).values(seen_at=now())
            )

    def _schedule(self) -> float:
        scheduled = self._queue.schedule(actor=f"worker:{self.id}")
        if scheduled.queued:
            self._wakeup.poke()
        if scheduled.next_due_s is None:
            return self._settings.schedule_every_s
        return max(_DUE_WAIT_MIN_S, min(self._settings.schedule_every_s, scheduled.next_due_s))

    def _finish_beside(self, threads: list[threading.Thread]) -> None:
        """Wait for the job threads; until the last has ended, this worker is still alive."""
        for thread in threads:
            while thread.is_alive():
                thread.join(self._settings.rescue_every_s)
                if thread.is_alive():
                    with suppress(*DATABASE_FAULTS):
                        self._rescue()

    def _slot(self, listener: Listener, *, drain: bool) -> Slot:
        return Slot(
            self.id,
            self._queue,
            self._handlers,
            self._settings,
            stop=self._stop,
            wakeup=self._wakeup,
            listening=listener.listening,
            count=self._count,
            drain=drain,
        )

    def _run_slot(self, slot: Slot) -> None:
        try:
            slot.run()
        except BaseException as error:  # noqa: BLE001 - `run` raises it in its own thread
            self._crash = error
            self._stop.request(StopReason.SHUTDOWN)

    def _count(self, ended: Ended) -> None:
        with self._counting:
            self._ended[ended] += 1
        if ended is Ended.RETRYING:
            self._schedule_due_s = 0.0  # its time may come before that of our next look

    def _register(self) -> None:
        row: dict[str, Any] = {
            "id": self.id,
            "host": self.id.split("/", maxsplit=1)[0],
            "pid": os.getpid(),
            "version": __version__,
            "slots": self._settings.slots,
        }
        with self._db.write() as conn:
            conn.execute(insert(worker_table).values(**row, started_at=now(), seen_at=now()))
        self._registered = True

    def _unregister(self) -> None:
        try:
            with self._db.write() as conn:
                conn.execute(
                    update(worker_table)
                    .where(worker_table.c.id == self.id)
                    .values(seen_at=now(), stopped_at=now())
                )
        except DATABASE_FAULTS as error:
            _log.warning("end of this worker not recorded", error=str(error))

    def _report(self) -> WorkerReport:
        return WorkerReport(
            worker=self.id,
            done=self._ended[Ended.DONE],
            failed=self._ended[Ended.FAILED],
            retrying=self._ended[Ended.RETRYING],
            released=self._ended[Ended.RELEASED],
            lost=self._ended[Ended.LOST],
            rescued=self._rescued,
        )
