"""What the charts of the overview are drawn from, kept while the ledger says the same."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sqlalchemy import select

from lading.console.readers.backlog import Backlog, read_backlog
from lading.console.readers.metrics import (
    Failures,
    Throughput,
    choose_span,
    read_failures,
    read_throughput,
)
from lading.db import Database
from lading.ledger.tables import ledger_head

KEPT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Series:
    """What came in, what failed and how long the line was, over one span."""

    came: Throughput
    failed: Failures
    backlog: Backlog


class SeriesReader:
    """Reads series; one for a process, safe between threads.

    Nothing comes in, fails or moves in line without the ledger, so series stand until that has
    grown. But the last step goes on with time alone: nothing is kept longer than `kept_s`.
    """

    def __init__(self, db: Database, *, kept_s: float = KEPT_S) -> None:
        self._db = db
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[int, float, Series]] = {}

    def read(self, span: str) -> Series:
        """The series of one span. Raises `UnknownRange`."""
        chosen = choose_span(span)
        with self._lock:
            with self._db.read() as conn:
                seq = int(conn.scalar(select(ledger_head.c.seq)) or 0)
            seq_then, read_s, series = self._kept.get(span, (-1, 0.0, None))
            if series is not None and seq_then == seq and monotonic() - read_s < self._kept_s:
                return series
            with self._db.read() as conn:
                came, failed = read_throughput(conn, chosen), read_failures(conn, chosen)
            series = Series(came, failed, read_backlog(self._db, span))
            self._kept[span] = (seq, monotonic(), series)
            return series
