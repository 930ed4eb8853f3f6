"""Keeps the processes that look for faces between jobs, as each needs a while to load its models.

What is lent is nobody else's until it comes back, so that a crash concerns one job alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lading.media.faces.scanning import FaceScanner
from lading.media.faces.settings import DetectionSettings
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.spawned import SpawnedProcesses


class FaceProcesses:
    """Up to `processes` spawned processes for each job that looks for faces at a time."""

    def __init__(
        self,
        processes: int = 1,
        *,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.processes = processes
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[SpawnedProcesses] = []

    @contextmanager
    def scanner(
        self, settings: DetectionSettings, beat: Callable[[], object] = lambda: None
    ) -> Iterator[FaceScanner]:
        """Looks for faces by these settings until the block ends; `beat` is called meanwhile.

        What is under way then is ended, and with it the processes that are at it.
        """
        with self._lock:
            lent = self._idle.pop() if self._idle else self._new()
        try:
            yield FaceScanner(
                settings, lent, ahead=2 * self.processes, limits=self._limits, beat=beat
            )
        finally:
            lent.rest()
            with self._lock:
                self._idle.append(lent)

    def close(self) -> None:
        """End the processes that nobody has."""
        with self._lock:
            idle, self._idle = self._idle, []
        for processes in idle:
            processes.close()

    def _new(self) -> SpawnedProcesses:
        return SpawnedProcesses(
            self.processes, limit_s=self._limits.engine_seconds_max, clock=self._clock
        )
