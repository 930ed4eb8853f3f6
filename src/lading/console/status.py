"""Collects what the status page and its API say, by query, each time it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

from sqlalchemy import select

from lading.base.errors import LadingError
from lading.base.progress import Meter, Pace
from lading.bootstrap import Lading
from lading.console.rules import EngineFacts, EngineView, judge_engine
from lading.db.clock import now
from lading.db.engine import ping
from lading.jobs.states import JobState
from lading.jobs.values import Intake, JobFilter, JobRow, WorkerRow
from lading.ledger.batches import get_batches
from lading.ledger.queries import EventView, count_batches, list_events
from lading.ledger.states import BatchState
from lading.ledger.tables import ledger_head

EVENTS_SHOWN: Final = 20
RUNNING_SHOWN: Final = 50
WORKERS_SEEN_WITHIN_S: Final = 3_600.0
_PROBE_KEY: Final = "probe/ready"


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A running job and how fast it goes; sizes in bytes, times in seconds."""

    id: int
    kind: str
    batch_id: int | None
    batch_key: str | None
    worker: str | None
    started_at: datetime | None
    heartbeat_age_s: float | None
    items_done: int
    items_skipped: int
    items_failed: int
    items_total: int | None
    bytes_moved: int
    bytes_skipped: int
    bytes_total: int | None
    share: float | None
    rate_bytes_s: float
    eta_s: float | None
    stalled_s: float | None
    current: str


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
    """Reads the status; keeps a meter for each running job, so that rates are of the last minute.

    May be called from several threads.
    """

    def __init__(self, lading: Lading, *, version: str) -> None:
        self._lading = lading
        self._version = version
        self._lock = threading.Lock()
        self._meters: dict[tuple[int, int], Meter] = {}

    def read(self) -> Status:
        """The status as it is now."""
        queue = self._lading.queue
        running = queue.list(JobFilter(states=[JobState.RUNNING]), limit=RUNNING_SHOWN).jobs
        workers = queue.workers(seen_within_s=WORKERS_SEEN_WITHIN_S)
        jobs, intake = queue.counts(), queue.intake()
        with self._lading.db.read() as conn:
            at = conn.scalars(select(now())).one()
            batches = count_batches(conn)
            named = get_batches(conn, {j.batch_id for j in running if j.batch_id is not None})
            head = conn.scalar(select(ledger_head.c.seq)) or 0
            events = list_events(conn, after=max(0, head - EVENTS_SHOWN), limit=EVENTS_SHOWN)
        keys = {number: batch.batch_key for number, batch in named.items()}
        facts = EngineFacts(
            sources=len(self._lading.sources),
            jobs_queued=jobs[JobState.QUEUED],
            jobs_running=jobs[JobState.RUNNING],
            intake_paused=intake.paused,
            silences_s=[worker.silent_s for worker in workers if worker.stopped_at is None],
            sign_every_s=self._lading.settings.worker.rescue_every_s,
            oldest_queued_s=queue.oldest_queued_s(),
        )
        return Status(
            version=self._version,
            at=at,
            engine=judge_engine(facts),
            intake=intake,
            batches=batches,
            jobs=jobs,
            workers=workers,
            running=self._paced(running, keys, at),
            events=events,
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

    def _paced(
        self, jobs: Sequence[JobRow], keys: Mapping[int, str], at: datetime
    ) -> list[RunningJob]:
        clock_s = monotonic()
        with self._lock:
            running = {(job.id, job.lease) for job in jobs}
            self._meters = {key: m for key, m in self._meters.items() if key in running}
            paces = [self._pace(job, at, clock_s) for job in jobs]
        return [
            RunningJob(
                id=job.id,
                kind=job.kind,
                batch_id=job.batch_id,
                batch_key=None if job.batch_id is None else keys.get(job.batch_id),
                worker=job.worker,
                started_at=job.started_at,
                heartbeat_age_s=_seconds_between(job.heartbeat_at, at),
                items_done=job.progress.items_done,
                items_skipped=job.progress.items_skipped,
                items_failed=job.progress.items_failed,
                items_total=job.progress.items_total,
                bytes_moved=job.progress.bytes_moved,
                bytes_skipped=job.progress.bytes_skipped,
                bytes_total=job.progress.bytes_total,
                share=job.progress.share,
                rate_bytes_s=pace.rate_bytes_s,
                eta_s=pace.eta_s,
                stalled_s=pace.stalled_s,
                current=job.progress.current,
            )
            for job, pace in zip(jobs, paces, strict=True)
        ]

    def _pace(self, job: JobRow, at: datetime, clock_s: float) -> Pace:
        key = (job.id, job.lease)
        if key not in self._meters:
            # Bytes moved before we first looked belong to the time since the job started.
            age_s = _seconds_between(job.started_at, at) or 0.0
            self._meters[key] = Meter(clock_s - age_s)
        return self._meters[key].update(clock_s, job.progress)


def _check(name: str, attempt: Callable[[], object]) -> Check:
    try:
        attempt()
    except LadingError as error:
        return Check(name, ok=False, error=error.as_dict())
    return Check(name, ok=True)


def _seconds_between(earlier: datetime | None, later: datetime) -> float | None:
    return None if earlier is None else max(0.0, (later - earlier).total_seconds())
