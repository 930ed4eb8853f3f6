"""How work is asked to stop: a thread-safe signal, honoured between items and between chunks."""

from __future__ import annotations

import threading
from enum import StrEnum


class StopReason(StrEnum):
    """Why running work should end early. None of these is a failure of the work."""

    SHUTDOWN = "shutdown"
    OPERATOR = "operator"
    LEASE_LOST = "lease_lost"


class StopSignal:
    """Set once, by anyone; the first reason stays. Safe to share between threads."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: StopReason | None = None

    def request(self, reason: StopReason) -> None:
        """Ask the work to stop. Later calls change nothing."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
        self._event.set()

    @property
    def reason(self) -> StopReason | None:
        """Why the work should stop, or None while it may go on."""
        return self._reason

    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds; True when a stop was asked for."""
        return self._event.wait(timeout_s)

    def check(self) -> None:
        """Raise `Interrupted` when a stop was asked for. Called between chunks of long files."""
        if self._event.is_set():
            raise Interrupted(self._reason or StopReason.SHUTDOWN)


class Interrupted(Exception):
    """Unwinds out of the middle of a file after a stop request; the engine makes a result of it."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.value)
        self.reason = reason
