"""The workers: who lives, who fell silent, what each has in hand, and what becomes of that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from lading.base.errors import RequestError
from lading.base.units import format_duration
from lading.base.version import __version__
from lading.console.job_words import family_of_silence, worker_name, worker_url
from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.vocabulary import Family, Icon, Look
from lading.db.clock import now
from lading.jobs.queries import list_jobs, list_workers
from lading.jobs.states import JobState
from lading.jobs.tables import worker as worker_table
from lading.jobs.values import JobFilter, WorkerRow

SEEN_WITHIN_S: Final = 7 * 86_400.0
IN_HAND_MAX: Final = 200
LATELY: Final = 20

_BUSY: Final = Look(Family.ACTIVE, Icon.HALF_DISC, "Busy", "It has a job in hand.")
_FREE: Final = Look(Family.NEUTRAL, Icon.RING, "Free", "It lives and has nothing in hand.")
_LATE: Final = Look(
    Family.ATTENTION, Icon.TRIANGLE, "Late", "Its sign of life has been due for a while."
)
_GONE: Final = Look(Family.FAILED, Icon.CROSS, "No sign of life", "It fell silent.")
_STOPPED: Final = Look(Family.NEUTRAL, Icon.RING, "Stopped", "It ended in good order.")


class WorkerMissing(RequestError):
    """No worker of this name was ever seen."""

    code = "worker_missing"
    http_status = 404
    next_step = "Look at /workers for those seen lately; each start of a worker has a new name."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One worker with the jobs it has in hand; `fate` says what becomes of them if it is gone."""

    row: WorkerRow
    look: Look
    other_version: bool
    in_hand: Sequence[JobLine]
    fate: str = ""

    @property
    def name(self) -> str:
        """What people call it: host and process number."""
        return worker_name(self.row.id)

    @property
    def url(self) -> str:
        """Its page."""
        return worker_url(self.row.id)

    @property
    def rate_bytes_s(self) -> float | None:
        """How fast bytes move in all its jobs together; None without any."""
        rates = [line.pace.rate_bytes_s for line in self.in_hand if line.pace is not None]
        return sum(rates) if rates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """All workers seen lately: those that should be running, then those that ended."""

    running: Sequence[WorkerView]
    stopped: Sequence[WorkerView]
    version: str
    at: datetime

    def count(self, *words: str) -> int:
        """How many of the running ones look like this."""
        return sum(view.look.word in words for view in self.running)

    @property
    def alive(self) -> int:
        """How many are not silent for too long."""
        return len(self.running) - self.count(_GONE.word)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPage:
    """One worker, and the jobs it had lately."""

    worker: WorkerView
    lately: Sequence[JobLine]
    at: datetime


def read_workers(console: Console) -> Workers:
    """The workers of the last days."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        rows = list_workers(conn, seen_within_s=SEEN_WITHIN_S)
        jobs = list_jobs(
            conn, JobFilter(states=[JobState.RUNNING]), sort="id", cursor=None, limit=IN_HAND_MAX
        ).jobs
        in_hand = defaultdict(list)
        for line in job_lines(conn, jobs, at, pulse):
            in_hand[line.job.worker].append(line)
    views = [_view(console, row, in_hand.get(row.id, ())) for row in rows]
    return Workers(
        running=[view for view in views if view.row.stopped_at is None],
        stopped=[view for view in views if view.row.stopped_at is not None],
        version=__version__,
        at=at,
    )


def read_worker(console: Console, worker_id: str) -> WorkerPage:
    """One worker. Raises `WorkerMissing`."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        row = conn.execute(select(worker_table).where(worker_table.c.id == worker_id)).one_or_none()
        if row is None:
            raise WorkerMissing("there is no such worker", subject=worker_id)
        known = WorkerRow(
            id=row.id,
            host=row.host,
            pid=row.pid,
            version=row.version,
            slots=row.slots,
            started_at=row.started_at,
            seen_at=row.seen_at,
            stopped_at=row.stopped_at,
            silent_s=max(0.0, (at - row.seen_at).total_seconds()),
        )
        running = list_jobs(
            conn,
            JobFilter(states=[JobState.RUNNING], worker=worker_id),
            sort="id",
            cursor=None,
            limit=IN_HAND_MAX,
        ).jobs
        ended = [state for state in JobState if state is not JobState.RUNNING]
        others = list_jobs(
            conn, JobFilter(states=ended, worker=worker_id), cursor=None, limit=LATELY
        ).jobs
        lines = job_lines(conn, running, at, pulse)
        lately = job_lines(conn, others, at, pulse)
    return WorkerPage(worker=_view(console, known, lines), lately=lately, at=at)


def _view(console: Console, row: WorkerRow, in_hand: Sequence[JobLine]) -> WorkerView:
    settings = console.lading.settings.worker
    look = _look(
        row,
        busy=bool(in_hand),
        every_s=settings.rescue_every_s,
        stale_after_s=settings.stale_after_s,
    )
    return WorkerView(
        row=row,
        look=look,
        other_version=row.version != __version__,
        in_hand=in_hand,
        fate=_fate(look, in_hand),
    )


def _look(row: WorkerRow, *, busy: bool, every_s: float, stale_after_s: float) -> Look:
    if row.stopped_at is not None:
        return _STOPPED
    family = family_of_silence(row.silent_s, every_s=every_s, stale_after_s=stale_after_s)
    if family is Family.FAILED:
        return _GONE
    if family is Family.ATTENTION:
        return _LATE
    return _BUSY if busy else _FREE


def _fate(look: Look, in_hand: Sequence[JobLine]) -> str:
    """What becomes of the jobs in hand, where that is a question."""
    late = [line for line in in_hand if line.returns_in_s is not None]
    if look not in (_LATE, _GONE, _STOPPED) and not late:
        return ""
    said = []
    for line in late or in_hand:
        left_s = line.returns_in_s
        when = "soon" if left_s is None else f"in {format_duration(left_s)}" if left_s else "now"
        said.append(f"Job {line.job.id} returns to the queue {when}.")
    return " ".join(said)
