"""Tells a listener how far something is; what it raises is logged and ends nothing (D7, E8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

Said = TypeVar("Said")

log = structlog.get_logger("lading.recordings")


def tell(listener: Callable[[Said], object] | None, said: Said, **named: object) -> None:
    """Let the listener hear what is `said`, if there is one; `named` goes into the log beside."""
    if listener is None:
        return
    try:
        listener(said)
    except Exception:  # work does not end for what its listener does
        log.exception("progress callback failed", **named)
