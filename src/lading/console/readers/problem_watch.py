"""The open problems as they were read last, for all pages: many ask, and to look takes a while."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Final

from sqlalchemy import Connection, select

from lading.db import Database
from lading.db.counting import Count
from lading.ledger.tables import ledger_head
from lading.operations.problems import ProblemSurvey, survey_problems
from lading.operations.wording import Wording

KEPT_S: Final = 2.0


class ProblemWatch:
    """Reads the problems that nobody took note of; one for a process, safe between threads.

    Whatever makes a problem or ends one is in the ledger, so what was read stands until that has
    grown. But what was put off comes back with time alone: nothing is kept longer than `kept_s`.
    """

    def __init__(self, db: Database, wording: Wording, *, kept_s: float = KEPT_S) -> None:
        self._db = db
        self._wording = wording
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._seq = -1
        self._read_s = float("-inf")
        self._last = ProblemSurvey((), 0)

    def survey(self) -> ProblemSurvey:
        """All groups with something to show, as the ledger stands now."""
        with self._db.read() as conn:
            return self._survey(conn)

    def count(self, conn: Connection) -> Count:
        """For the strip: a little late rather than twice a second, however the ledger grows."""
        if monotonic() - self._read_s >= self._kept_s:
            self._survey(conn)
        counted = self._last.counted()
        return Count(counted.problems, counted.exact)

    def _survey(self, conn: Connection) -> ProblemSurvey:
        with self._lock:
            seq = int(conn.scalar(select(ledger_head.c.seq)) or 0)
            if seq != self._seq or monotonic() - self._read_s >= self._kept_s:
                self._last = survey_problems(conn, self._wording)
                self._seq, self._read_s = seq, monotonic()
            return self._last
