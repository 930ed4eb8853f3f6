"""Writes server-sent events: messages with an id, named events with JSON, and pings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

PING: Final = b": ping\n\n"
HEADERS: Final[Mapping[str, str]] = {
    # A proxy that collects or compresses holds back what should be seen now.
    "X-Accel-Buffering": "no",
    "Cache-Control": "no-store, no-transform",
}
MEDIA_TYPE: Final = "text/event-stream"

# What the browser's parser takes for the end of a line; text may have the others in it.
_LINE_END = re.compile(r"\r\n|\r|\n")


def message(
    data: str | None,
    *,
    event: str | None = None,
    seq: int | None = None,
    retry_ms: int | None = None,
) -> bytes:
    """One event. Without `data` it only moves the reader's last id, or its time to reconnect."""
    lines = []
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}")
    if event is not None:
        lines.append(f"event: {event}")
    if seq is not None:
        lines.append(f"id: {seq}")
    if data is not None:
        lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode()


def named(event: str, facts: Mapping[str, object], *, seq: int | None = None) -> bytes:
    """An event with JSON."""
    return message(json.dumps(facts, separators=(",", ":"), default=str), event=event, seq=seq)
