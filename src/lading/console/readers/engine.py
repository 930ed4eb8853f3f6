"""The engine's strip: what every page says of the engine, read from the database when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Final

from sqlalchemy import Connection, func, select

from lading.base.counts import Count
from lading.bootstrap import Lading
from lading.console.formats import format_eta
from lading.console.readers.running import RunningJob, RunningJobs, seconds_between
from lading.console.readers.watching import (
    FIRST_LOOK_S,
    Look,
    Volume,
    Watch,
    measure,
    one_for_each_disk,
)
from lading.console.rules import (
    EngineFacts,
    EngineState,
    Pause,
    RunningScan,
    Shortage,
    judge_engine,
)
from lading.db.clock import now
from lading.ingest.source import Source
from lading.jobs.queries import count_jobs_by_state, get_intake, list_workers, oldest_queued_s
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import Intake, WorkerRow
from lading.ledger.events import ScanFinished, ScanRefused
from lading.ledger.queries import EventView, last_event
from lading.ledger.tables import ledger_head
from lading.operations.scans import SCAN_JOB_KIND
from lading.storage.folder import FolderStore

CACHED_S: Final = 0.5
WORKERS_SEEN_WITHIN_S: Final = 3_600.0
SPACE_RESERVE_BYTES: Final = 1_000_000_000

CountProblems = Callable[[Connection], Count]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStrip:
    """What the strip shows; `headline` and `details` are whole sentences for people.

    `share` is of all running imports together (0 to 1), None while unknown. `title` is what the
    browser's tab says in front ("41 % - Importing"), empty while idle. `favicon` is one of busy,
    attention, failed, idle. `seq` is the ledger's last event before anything else was read. A
    `queued` that is not `queued_exact` is more than that.
    """

    state: EngineState
    headline: str
    details: Sequence[str] = ()
    share: float | None = None
    rate_bytes_s: float | None = None
    eta_s: float | None = None
    eta_words: str = ""
    running: int
    queued: int
    queued_exact: bool = True
    problems: Count
    paused: bool
    paused_by: str | None = None
    paused_at: datetime | None = None
    pause_why: str | None = None
    missing_settings: Sequence[str] = ()
    title: str = ""
    favicon: str = "idle"
    at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNow:
    """A configured source: whether it is there, and its last and next scan.

    `missing` says in words why it cannot be read; None too while nobody has looked yet.
    """

    name: str
    kind: str
    missing: str | None
    last_scan: EventView | None
    next_scan_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineNow:
    """Everything the strip was made from, for pages that show more of it."""

    strip: EngineStrip
    jobs: Sequence[RunningJob]
    workers: Sequence[WorkerRow]
    intake: Intake
    oldest_queued_s: float | None
    sources: Sequence[SourceNow]
    volumes: Sequence[Volume]
    silent_max_s: float

    def is_alive(self, worker: WorkerRow) -> bool:
        """Whether the worker runs and gave a sign of life lately enough."""
        return worker.stopped_at is None and worker.silent_s <= self.silent_max_s


class EngineReader:
    """Reads the engine's state; one for a process, shared by all its pages and streams.

    What was read is given out again for half a second. May be called from several threads.
    """

    def __init__(
        self,
        lading: Lading,
        *,
        count_problems: CountProblems | None = None,
        reserve_bytes: int = SPACE_RESERVE_BYTES,
        cached_s: float = CACHED_S,
    ) -> None:
        self._lading = lading
        self._count_problems = count_problems
        self._reserve_bytes = reserve_bytes
        self._cached_s = cached_s
        self._lock = threading.Lock()
        self._running = RunningJobs()
        self._sources = Watch({name: source.identity for name, source in lading.sources.items()})
        self._volumes = Watch(_volumes(lading))
        self._last: tuple[float, EngineNow] | None = None
        self._waited = False

    def read(self) -> EngineStrip:
        """The strip, at most half a second old."""
        return self.now().strip

    def now(self) -> EngineNow:
        """The strip and what it was made from, at most half a second old."""
        with self._lock:
            if self._last is not None and monotonic() - self._last[0] < self._cached_s:
                return self._last[1]
            found = self._read()
            self._last = (monotonic(), found)
            return found

    def forget(self) -> None:
        """Let the next look be a new one; for who has just changed something."""
        with self._lock:
            self._last = None

    def _read(self) -> EngineNow:
        wait_s = 0.0 if self._waited else FIRST_LOOK_S
        self._waited = True
        looks = self._sources.read(wait_s=wait_s)
        disks = self._volumes.read(wait_s=wait_s).values()
        volumes = one_for_each_disk(look.value for look in disks if look.value is not None)
        with self._lading.db.read() as conn:
            seq = conn.scalar(select(ledger_head.c.seq)) or 0
            at = conn.scalars(select(now())).one()
            jobs = self._running.read(conn, at)
            counts = count_jobs_by_state(conn, states=(JobState.QUEUED, JobState.RUNNING))
            oldest_s = oldest_queued_s(conn) if counts[JobState.QUEUED] else None
            intake = get_intake(conn)
            workers = list_workers(conn, seen_within_s=WORKERS_SEEN_WITHIN_S)
            last_ended = conn.scalar(select(func.max(import_job.c.finished_at)))
            problems = Count(0) if self._count_problems is None else self._count_problems(conn)
            sources = [
                self._source(conn, name, source, looks[name])
                for name, source in sorted(self._lading.sources.items())
            ]
        queued, running = counts[JobState.QUEUED], counts[JobState.RUNNING].value
        next_scans = [s.next_scan_at for s in sources if s.next_scan_at is not None]
        facts = EngineFacts(
            starting=any(look.pending for look in looks.values()),
            missing_settings=() if sources else ("sources",),
            queued=queued,
            running=running,
            scans=[
                RunningScan(job.current or "a source", job.items_done)
                for job in jobs
                if job.kind == SCAN_JOB_KIND
            ],
            work=self._running.work(jobs, more=bool(queued)),
            oldest_queued_s=oldest_s,
            silences_s=[worker.silent_s for worker in workers if worker.stopped_at is None],
            sign_every_s=self._lading.settings.worker.rescue_every_s,
            sources_missing=[source.name for source in sources if source.missing is not None],
            shortages=[
                Shortage(volume.name, volume.free_bytes, self._reserve_bytes)
                for volume in volumes
                if volume.free_bytes < self._reserve_bytes
            ],
            pause=_pause(intake, at),
            problems=problems,
            last_job_s=seconds_between(last_ended, at),
            next_scan_s=seconds_between(at, min(next_scans)) if next_scans else None,
        )
        return EngineNow(
            strip=_strip(facts, intake, at=at, seq=int(seq)),
            jobs=jobs,
            workers=workers,
            intake=intake,
            oldest_queued_s=oldest_s,
            sources=sources,
            volumes=volumes,
            silent_max_s=facts.silent_max_s,
        )

    def _source(self, conn: Connection, name: str, source: Source, look: Look[str]) -> SourceNow:
        settings = self._lading.settings
        scans = [
            event
            for kind in (ScanFinished.kind, ScanRefused.kind)
            if (event := last_event(conn, source=name, kind=kind)) is not None
        ]
        last = max(scans, key=lambda event: event.seq, default=None)
        every_s = settings.scan.every_s
        return SourceNow(
            name=name,
            kind=settings.sources[name].kind if name in settings.sources else type(source).__name__,
            missing=look.error,
            last_scan=last,
            next_scan_at=last.at + timedelta(seconds=every_s) if last and every_s else None,
        )


def _strip(facts: EngineFacts, intake: Intake, *, at: datetime, seq: int) -> EngineStrip:
    verdict = judge_engine(facts)
    work = facts.work
    return EngineStrip(
        state=verdict.state,
        headline=verdict.headline,
        details=verdict.details,
        share=work.share if work else None,
        rate_bytes_s=work.rate_bytes_s if work else None,
        eta_s=work.eta_s if work else None,
        eta_words=format_eta(work.eta_s) if work else "",
        running=facts.running,
        queued=facts.queued.value,
        queued_exact=facts.queued.exact,
        problems=facts.problems,
        paused=intake.paused,
        paused_by=intake.paused_by,
        paused_at=intake.paused_at,
        pause_why=intake.why,
        missing_settings=facts.missing_settings,
        title=verdict.title,
        favicon=verdict.favicon,
        at=at,
        seq=seq,
    )


def _pause(intake: Intake, at: datetime) -> Pause | None:
    if not intake.paused:
        return None
    return Pause(intake.paused_by or "someone", seconds_between(intake.paused_at, at), intake.why)


def _volumes(lading: Lading) -> Mapping[str, Callable[[], Volume]]:
    """The disks under the data folder and, where it is a folder, the store."""
    places: dict[str, str] = {"Data folder": lading.settings.data_dir}
    if isinstance(lading.store, FolderStore):
        places["Store"] = str(lading.store.root)
    return {name: partial(measure, name, path) for name, path in places.items()}
