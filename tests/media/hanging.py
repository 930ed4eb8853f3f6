"""Knows when an engine hangs and when a process ends, so that no test has to wait for a clock."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self


def hanging_pid(fifo: Path) -> int:
    """Wait until the toy engine hangs; its process."""
    return int(fifo.read_text())


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended, whoever started it."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([handle], [], [])
    finally:
        os.close(handle)


class HangClock:
    """A clock that is put forward by a thousand seconds whenever an engine begins to hang."""

    def __init__(self, fifo: Path, hangs: int = 1) -> None:
        self.pids: list[int] = []
        self._fifo = fifo
        self._hangs = hangs
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __call__(self) -> float:
        return time.monotonic() + 1_000 * len(self.pids)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._thread.join()

    def _watch(self) -> None:
        for _ in range(self._hangs):
            self.pids.append(hanging_pid(self._fifo))
