"""The plain values that go into the queue and come out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from lading.base.progress import Progress
from lading.jobs.states import JobState
from lading.ledger.chain import Entry

PRIORITY_DEFAULT: Final = 5
PRIORITY_MIN: Final = 0
PRIORITY_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to put in line.

    `params` are plain JSON values and small. A small `priority` goes first. `wait_for` names jobs
    that must be done before. Of jobs with one `active_key` at most one is unfinished.
    """

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    batch_id: int | None = None
    priority: int = PRIORITY_DEFAULT
    wait_for: Sequence[int] = ()
    active_key: str | None = None
    attempts_max: int = 5
    delay_s: float = 0


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job's number; `created` is False for the unfinished job that has the same active key."""

    job_id: int
    created: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in the hands of one worker. `lease` is the fencing token of this claim alone (G3).

    `row_version` is set by claims of the PostgreSQL fast path; see `lading.jobs.lane`.
    """

    job_id: int
    lease: int
    attempt: int
    attempts_max: int
    kind: str
    params: Mapping[str, Any]
    batch_id: int | None
    worker: str
    row_version: str | None = field(default=None, repr=False, compare=False)

    @property
    def actor(self) -> str:
        """Who the ledger says did what is done under this claim."""
        return f"worker:{self.worker}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMoved:
    """One move of one job, as the hook sees it."""

    job_id: int
    kind: str
    batch_id: int | None
    before: JobState
    after: JobState
    why: str
    actor: str
    error: str | None = None
    error_code: str | None = None


class JobHook(Protocol):
    """Moves what belongs to a job along with it, in the same transaction.

    Called for every move of a job that has a batch, before the move's events are appended, except
    for a claim: the handler's own first transaction says that work began. It may write, may
    return further ledger entries, and SHALL NOT append to the ledger itself. What it raises
    undoes the move.
    """

    def __call__(self, conn: Connection, moved: JobMoved, /) -> Sequence[Entry]:
        """Take note of one move."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job as it stands."""

    id: int
    kind: str
    params: Mapping[str, Any]
    batch_id: int | None
    status: JobState
    priority: int
    not_before: datetime | None
    pending_deps: int
    attempt: int
    attempts_max: int
    lease: int
    worker: str | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    stop_requested: bool
    progress: Progress
    error: str | None
    error_code: str | None
    failed_by: int | None
    active_key: str | None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; an empty field leaves nothing out.

    `reason` is the code of a job's error, `since` when it was made. `q` is the number of a job or
    of a batch, or begins a batch key.
    """

    states: Sequence[JobState] = ()
    kinds: Sequence[str] = ()
    batch_id: int | None = None
    worker: str | None = None
    failed_by: int | None = None
    reason: str | None = None
    since: datetime | None = None
    q: str | None = None
    ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs in order, and the cursors of the pages around them (None at either end)."""

    jobs: Sequence[JobRow]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """What a job waits or waited for, and what waits for it; numbers ascending."""

    wait_for: Sequence[int]
    dependents: Sequence[int]


@dataclass(frozen=True, slots=True)
class Intake:
    """Whether workers may claim; by whom, when and why not."""

    paused: bool
    paused_by: str | None = None
    paused_at: datetime | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One worker process as it was last seen; `silent_s` by the database's clock."""

    id: str
    host: str
    pid: int
    version: str
    slots: int
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    silent_s: float
