"""Wakes idle workers: by NOTIFY on PostgreSQL, by looking again everywhere, at once on a stop."""

from __future__ import annotations

import os
import random
import select
import threading
from typing import Any, Final, Self

import structlog

from lading.db import Database
from lading.db.errors import translated
from lading.jobs.moves import CHANNEL
from lading.jobs.settings import WorkerSettings

KEEP_ALIVE_S: Final = 30.0
RECONNECT_S: Final = 2.0

_log = structlog.get_logger(__name__)


class Wakeup:
    """Counts what might be news for idle threads, so that none is missed between look and wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """Take this before looking for work, and give it to `wait`."""
        return self._count

    def poke(self) -> None:
        """There may be news."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> None:
        """Return at the first news since `seen`, or after `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, timeout_s)


class IdlePace:
    """How long an idle thread may wait: longer with every look in vain, with jitter."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._next_s = settings.poll_min_s

    def reset(self) -> None:
        """There was work: look again soon."""
        self._next_s = self._settings.poll_min_s

    def next_s(self, *, notified: bool) -> float:
        """Seconds to wait now; `notified` says that something else wakes this thread."""
        if notified:
            return self._settings.net_poll_s * (1 + random.random())  # noqa: S311 - jitter
        wait_s = self._next_s * (0.75 + random.random() / 2)  # noqa: S311 - jitter
        self._next_s = min(self._settings.poll_max_s, self._next_s * 2)
        return wait_s


class Listener:
    """Hears PostgreSQL's notifications on a connection of its own, and reconnects when it breaks.

    `listening` is set while they arrive; while it is not, idle threads look more often.
    """

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self.listening = threading.Event()
        self._db = db
        self._wakeup = wakeup
        self._closed = threading.Event()
        self._ended_r, self._ended_w = os.pipe()
        self._thread = threading.Thread(target=self._run, name="lading-listener", daemon=True)

    def __enter__(self) -> Self:
        if self._db.dialect == "postgresql":
            self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closed.set()
        os.write(self._ended_w, b".")
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._ended_r)
        os.close(self._ended_w)

    def _run(self) -> None:
        driver_error = self._db.engine.dialect.loaded_dbapi.Error
        while not self._closed.is_set():
            try:
                self._listen()
            except (driver_error, OSError) as error:
                _log.warning("not listening for new jobs", error=str(error))
            except Exception as error:  # noqa: BLE001 - the poll goes on without us
                _log.warning("not listening for new jobs", error=repr(error))
            finally:
                self.listening.clear()
            # Whoever relied on us must look for itself now.
            self._wakeup.poke()
            self._closed.wait(RECONNECT_S)

    def _listen(self) -> None:
        with translated(self._db.url_shown), self._db.autocommit() as conn:
            # A connection that listens must not go back to the pool.
            conn.detach()
            driver: Any = conn.connection.dbapi_connection
            driver.execute(f"LISTEN {CHANNEL}")
            self.listening.set()
            # Jobs that were queued while nobody listened.
            self._wakeup.poke()
            while not self._closed.is_set():
                ready, _, _ = select.select([driver.fileno(), self._ended_r], [], [], KEEP_ALIVE_S)
                if not ready:
                    # A peer that is gone without a word is found out by asking.
                    driver.execute("SELECT 1")
                if driver.fileno() in ready:
                    for _ in driver.notifies(timeout=0):
                        self._wakeup.poke()
