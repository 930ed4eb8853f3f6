"""Collects what the status page and its API say, by query, each time it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lading.base.errors import LadingError
from lading.bootstrap import Lading
from lading.console.readers.engine import EngineReader
from lading.console.readers.running import RunningJob
from lading.console.rules import EngineView
from lading.db.engine import ping
from lading.jobs.queries import count_jobs
from lading.jobs.states import JobState
from lading.jobs.values import Intake, WorkerRow
from lading.ledger.event_lists import list_event_page
from lading.ledger.queries import EventView, count_batches
from lading.ledger.states import BatchState

EVENTS_SHOWN: Final = 20
_PROBE_KEY: Final = "probe/ready"


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the status page knows."""

    version: str
    at: datetime
    engine: EngineView
    intake: Intake
    batches: Mapping[BatchState, int]
    jobs: Mapping[JobState, int]
    workers: Sequence[WorkerRow]
    running: Sequence[RunningJob]
    events: Sequence[EventView]


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one part can be reached; `error` says why not."""

    name: str
    ok: bool
    error: Mapping[str, object] | None = None


class StatusReader:
    """Reads the status; what is running and how fast is the engine reader's.

    May be called from several threads.
    """

    def __init__(self, lading: Lading, *, version: str, engine: EngineReader) -> None:
        self._lading = lading
        self._version = version
        self._engine = engine

    def read(self) -> Status:
        """The status as it is now."""
        engine = self._engine.now()
        with self._lading.db.read() as conn:
            batches = count_batches(conn)
            jobs = count_jobs(conn)
            events = list_event_page(conn, limit=EVENTS_SHOWN).events
        return Status(
            version=self._version,
            at=engine.strip.at,
            engine=EngineView(engine.strip.state, engine.strip.headline),
            intake=engine.intake,
            batches=batches,
            jobs=jobs,
            workers=engine.workers,
            running=engine.jobs,
            events=list(reversed(events)),
        )

    def checks(self) -> list[Check]:
        """Whether the database, the store and each source can be reached."""
        lading = self._lading
        found = [
            _check("database", lambda: ping(lading.db)),
            _check("store", lambda: lading.store.head(_PROBE_KEY)),
        ]
        for name, source in sorted(lading.sources.items()):
            found.append(_check(f"source {name}", source.identity))
        return found


def _check(name: str, attempt: Callable[[], object]) -> Check:
    try:
        attempt()
    except LadingError as error:
        return Check(name, ok=False, error=error.as_dict())
    return Check(name, ok=True)
