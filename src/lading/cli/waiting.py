"""Pausing between two looks at something, so that Ctrl-C and a closed terminal are noticed."""

from __future__ import annotations

import sys
import threading


def interruptible_pause(pause_s: float) -> None:
    """Let standard output go, then wait; a signal ends the wait at once."""
    sys.stdout.flush()
    threading.Event().wait(pause_s)
