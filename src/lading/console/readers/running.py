"""Reads the running jobs and how fast they go; meters are kept between requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

from sqlalchemy import Connection

from lading.base.progress import Meter, Pace
from lading.console.rules import Work
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.queries import list_jobs
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.batches import get_batches

RUNNING_SHOWN: Final = 50
_AHEAD_AGAIN: Final = 1e-9


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


class RunningJobs:
    """Keeps a meter for each running job, so that rates are of the last minute.

    Also what the work since the engine was last idle amounts to. May be called from several
    threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._meters: dict[tuple[int, int], Meter] = {}
        self._amounts: dict[int, tuple[int, int]] = {}
        self._share_max = 0.0

    def read(self, conn: Connection, at: datetime) -> list[RunningJob]:
        """The running jobs as they are `at` that time, by the database's clock."""
        found = list_jobs(
            conn, JobFilter(states=[JobState.RUNNING]), cursor=None, limit=RUNNING_SHOWN
        ).jobs
        named = get_batches(conn, {job.batch_id for job in found if job.batch_id is not None})
        keys = {number: batch.batch_key for number, batch in named.items()}
        return self.pace(found, keys, at)

    def pace(
        self, jobs: Sequence[JobRow], keys: Mapping[int, str], at: datetime
    ) -> list[RunningJob]:
        """Jobs that run, with the keys of their batches, as their meters see them now."""
        clock_s = monotonic()
        with self._lock:
            running = {(job.id, job.lease) for job in jobs}
            self._meters = {key: m for key, m in self._meters.items() if key in running}
            paces = [self._measure(job, at, clock_s) for job in jobs]
        return [_running_job(job, keys, at, pace) for job, pace in zip(jobs, paces, strict=True)]

    def work(self, jobs: Sequence[RunningJob], *, more: bool) -> Work | None:
        """What the imports among the running jobs are together; `more` are in line.

        Jobs that ended since the engine was last idle count as done, so that the share does not
        go back when one of them ends and the next begins.
        """
        imports = [job for job in jobs if job.kind == IMPORT_JOB_KIND]
        with self._lock:
            share = self._share_of(imports, busy=bool(jobs) or more)
            fell = share is not None and share < self._share_max - _AHEAD_AGAIN
            self._share_max = max(self._share_max, share or 0.0)
        if not imports:
            return None
        etas = [job.eta_s for job in imports if job.eta_s is not None]
        stalls = [job.stalled_s for job in imports if job.stalled_s is not None]
        return Work(
            jobs=len(imports),
            share=share,
            rate_bytes_s=sum(job.rate_bytes_s for job in imports),
            eta_s=max(etas) if len(etas) == len(imports) else None,
            stalled_s=min(stalls) if len(stalls) == len(imports) else None,
            fell=fell,
        )

    def _share_of(self, imports: Sequence[RunningJob], *, busy: bool) -> float | None:
        if not busy:
            self._amounts.clear()
            self._share_max = 0.0
            return None
        now_running = {job.id for job in imports}
        for number, (_, whole) in self._amounts.items():
            if number not in now_running:
                self._amounts[number] = (whole, whole)
        for job in imports:
            if job.bytes_total:
                done = min(job.bytes_total, job.bytes_moved + job.bytes_skipped)
                self._amounts[job.id] = (done, job.bytes_total)
        whole = sum(total for _, total in self._amounts.values())
        if not imports or not whole:
            return None
        return sum(done for done, _ in self._amounts.values()) / whole

    def _measure(self, job: JobRow, at: datetime, clock_s: float) -> Pace:
        key = (job.id, job.lease)
        if key not in self._meters:
            # Bytes moved before we first looked belong to the time since the job started.
            age_s = seconds_between(job.started_at, at) or 0.0
            self._meters[key] = Meter(clock_s - age_s)
        return self._meters[key].update(clock_s, job.progress)


def seconds_between(earlier: datetime | None, later: datetime) -> float | None:
    """Seconds from one instant to another, not less than none; None when it is not known."""
    return None if earlier is None else max(0.0, (later - earlier).total_seconds())


def _running_job(job: JobRow, keys: Mapping[int, str], at: datetime, pace: Pace) -> RunningJob:
    return RunningJob(
        id=job.id,
        kind=job.kind,
        batch_id=job.batch_id,
        batch_key=None if job.batch_id is None else keys.get(job.batch_id),
        worker=job.worker,
        started_at=job.started_at,
        heartbeat_age_s=seconds_between(job.heartbeat_at, at),
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
