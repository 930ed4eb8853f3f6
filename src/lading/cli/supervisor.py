"""Keeps one worker process alive beside this one, and ends it in order.

The worker is a process of its own: what an import does to memory, or a crash of a media library,
must not take the console along (A8). It ends when this process does, however that ends, because
its standard input ends then.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Final, Self

import structlog

from lading.base.stopping import StopReason, StopSignal

RESTART_DELAYS_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_AFTER_S: Final = 60.0
"""A worker that lived so long did not fail at its start; the next delay is the shortest again."""
STOP_WITHIN_S: Final = 60.0
"""A worker that has not ended by then is killed; its job is rescued later, nothing is lost."""

_log = structlog.get_logger("lading.supervisor")


class WorkerSupervisor:
    """Runs `lading worker` and starts it again when it dies. Use as a context manager."""

    def __init__(self, config: str | None, *, debug: bool = False) -> None:
        self._command = worker_command(config, "--until-stdin-ends", debug=debug)
        self._stopping = StopSignal()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="lading-supervisor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask the worker to end in order, and wait until it has."""
        with self._lock:
            self._stopping.request(StopReason.SHUTDOWN)
            process = self._process
        if process is not None:
            _end(process)
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while (process := self._start()) is not None:
            started_s = monotonic()
            status = process.wait()
            if process.stdin is not None:
                process.stdin.close()
            if self._stopping.is_set():
                return
            failures = 0 if monotonic() - started_s >= STEADY_AFTER_S else failures
            delay_s = RESTART_DELAYS_S[min(failures, len(RESTART_DELAYS_S) - 1)]
            failures += 1
            _log.warning("worker died, starting another", status=status, delay_s=delay_s)
            self._stopping.wait(delay_s)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            # A group of its own: Ctrl-C comes to us, and we end the worker in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=subprocess.PIPE, process_group=0
            )
            return self._process


def worker_command(config: str | None, *options: str, debug: bool = False) -> Sequence[str]:
    """How this program's own `lading worker` is started."""
    command = [sys.executable, "-m", "lading.cli"]
    if config is not None:
        command += ["--config", config]
    if debug:
        command.append("--debug")
    return [*command, "worker", *options]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        _log.warning("worker did not end in time, killing it", pid=process.pid)
        process.kill()
        process.wait()
