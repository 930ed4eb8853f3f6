"""SIGTERM and SIGINT: the first asks for an orderly end, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from lading.base.stopping import StopReason, StopSignal

ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_EXIT_STATUS_BASE: Final = 128


def install_signal_handlers(stop: StopSignal) -> Callable[[], None]:
    """Let the first signal request `stop` and the second exit with 128 + its number.

    Call it from the main thread; returns what puts the former handlers back.
    """
    reader, writer = os.pipe()
    seen: list[int] = []

    def received(number: int, _frame: FrameType | None) -> None:
        if seen:
            os._exit(_EXIT_STATUS_BASE + number)
        seen.append(number)
        # A handler may interrupt the very code that holds the stop's lock, so it only writes.
        os.write(writer, b"s")

    def forward() -> None:
        if os.read(reader, 1) == b"s":
            stop.request(StopReason.SHUTDOWN)
        os.close(reader)

    threading.Thread(target=forward, name="lading-signals", daemon=True).start()
    former = {number: signal.signal(number, received) for number in ENDING_SIGNALS}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(writer)

    return restore
