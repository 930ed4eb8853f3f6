"""Keeps the processes that look for faces between jobs, as each needs a while to load its models.

What is lent is nobody else's until it comes back, so that a crash concerns one job alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import ParamSpec, TypeVar

from lading.media.faces.scanning import spawned

P = ParamSpec("P")
T = TypeVar("T")


class FaceProcesses:
    """Executors of `processes` spawned processes each: one for each job that runs at a time."""

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self._start = spawned(processes)
        self._lock = threading.Lock()
        self._idle: list[Executor] = []

    def lend(self) -> Executor:
        """An executor that comes back, for the next job, when it is shut down."""
        with self._lock:
            executor = self._idle.pop() if self._idle else None
        return _Lent(executor or self._start(), self._take_back)

    def close(self) -> None:
        """End the processes that nobody has."""
        with self._lock:
            idle, self._idle = self._idle, []
        for executor in idle:
            executor.shutdown(cancel_futures=True)

    def _take_back(self, executor: Executor) -> None:
        try:
            executor.submit(_nothing).result()
        except BrokenExecutor:
            executor.shutdown()
            return
        with self._lock:
            self._idle.append(executor)


class _Lent(Executor):
    def __init__(self, executor: Executor, give_back: Callable[[Executor], None]) -> None:
        self._executor = executor
        self._give_back = give_back

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - as the port has it
        self._give_back(self._executor)


def _nothing() -> None:
    """Shows that a process is there."""
