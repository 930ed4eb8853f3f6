"""Pausing between two looks at something, so that Ctrl-C and a closed terminal are noticed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_interrupted = threading.Event()


@contextmanager
def interrupts_remembered() -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt` as ever, and the next pause raises it again.

    Python drops one that comes while it runs a finalizer; a loop would then go on for good.
    """

    def remember(number: int, frame: FrameType | None) -> None:
        _interrupted.set()
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _interrupted.clear()


def interruptible_pause(pause_s: float) -> None:
    """Let standard output go, then wait; a signal ends the wait at once."""
    sys.stdout.flush()
    if _interrupted.wait(pause_s):
        raise KeyboardInterrupt
