"""Reads what the queue has lived through: failures by reason, how long jobs took, their attempts.

Each figure is made from a bounded number of rows, the newest ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from lading.db.counting import COUNT_CAP, Count
from lading.db.keyset import PAGE_ROWS_MAX
from lading.jobs.moves import in_state
from lading.jobs.queries import job_conditions
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import JobFilter
from lading.ledger.event_lists import EventFilter, list_event_page
from lading.ledger.events import (
    JobDone,
    JobFailed,
    JobReleased,
    JobRescued,
    JobRetrying,
    JobStarted,
)
from lading.ledger.queries import EventView

DURATIONS_OF: Final = 2_000
GROUPS_MAX: Final = 50
_ENDS: Final = (JobDone, JobFailed, JobReleased, JobRescued, JobRetrying)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one kind and reason; `sample_id` is the newest, `error` what it says."""

    error_code: str | None
    kind: str
    count: Count
    sample_id: int
    error: str | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class KindDurations:
    """How long the newest done jobs of one kind took: half of them at most `p50_s`, in seconds."""

    kind: str
    jobs: int
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a job; `ended_by` is the kind of event that ended it, None while it runs."""

    number: int
    lease: int
    worker: str
    started_at: datetime
    started_seq: int
    ended_at: datetime | None = None
    ended_seq: int | None = None
    ended_by: str | None = None
    why: str | None = None
    error: str | None = None
    error_code: str | None = None


def failure_groups(
    conn: Connection,
    filters: JobFilter = JobFilter(),  # noqa: B008 - frozen
    *,
    cap: int = COUNT_CAP,
) -> list[FailureGroup]:
    """The failed jobs by reason and kind, the most frequent first.

    Of more than `cap` failed jobs only the newest are looked at, and the counts say so.
    """
    newest = (
        select(
            import_job.c.id, import_job.c.error_code, import_job.c.kind, import_job.c.finished_at
        )
        .where(*job_conditions(replace(filters, states=[JobState.FAILED])))
        .order_by(import_job.c.id.desc())
        .limit(cap + 1)
        .subquery()
    )
    groups = conn.execute(
        select(
            newest.c.error_code,
            newest.c.kind,
            func.count().label("jobs"),
            func.max(newest.c.id).label("sample_id"),
            func.max(newest.c.finished_at).label("last_at"),
        ).group_by(newest.c.error_code, newest.c.kind)
    ).all()
    exact = sum(group.jobs for group in groups) <= cap
    groups = sorted(groups, key=lambda group: (-group.jobs, -group.sample_id))[:GROUPS_MAX]
    samples = [group.sample_id for group in groups]
    errors = {
        row.id: row.error
        for row in conn.execute(
            select(import_job.c.id, import_job.c.error).where(import_job.c.id.in_(samples))
        )
    }
    return [
        FailureGroup(
            error_code=group.error_code,
            kind=group.kind,
            count=Count(min(group.jobs, cap), exact),
            sample_id=group.sample_id,
            error=errors.get(group.sample_id),
            last_at=group.last_at,
        )
        for group in groups
    ]


def durations(conn: Connection, *, last: int = DURATIONS_OF) -> list[KindDurations]:
    """How long jobs took from claim to end, by kind, over the `last` done ones."""
    newest = (
        select(import_job.c.kind, import_job.c.started_at, import_job.c.finished_at)
        .where(
            import_job.c.finished_at.is_not(None),
            import_job.c.started_at.is_not(None),
            in_state(JobState.DONE),
        )
        .order_by(import_job.c.finished_at.desc())
        .limit(last)
    )
    took: dict[str, list[float]] = {}
    for kind, started_at, finished_at in conn.execute(newest):
        took.setdefault(kind, []).append(max(0.0, (finished_at - started_at).total_seconds()))
    return [
        KindDurations(kind, len(found), percentile(found, 0.50), percentile(found, 0.95))
        for kind, found in sorted(took.items())
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def list_attempts(conn: Connection, job_id: int) -> list[Attempt]:
    """The tries at a job, the first one first; of a great many, the last ones."""
    kinds = [kind.kind for kind in (JobStarted, *_ENDS)]
    page = list_event_page(conn, EventFilter(job_id=job_id, kinds=kinds), limit=PAGE_ROWS_MAX)
    return attempts_of(list(reversed(page.events)))


def attempts_of(events: Sequence[EventView]) -> list[Attempt]:
    """The tries that a job's events in order tell of."""
    attempts: list[Attempt] = []
    ends = {end.kind for end in _ENDS}
    for event in events:
        facts = event.payload
        if event.kind == JobStarted.kind:
            attempts.append(
                Attempt(
                    number=int(facts["attempt"]),
                    lease=int(facts["lease"]),
                    worker=str(facts["worker"]),
                    started_at=event.at,
                    started_seq=event.seq,
                )
            )
        elif event.kind in ends and attempts and attempts[-1].ended_at is None:
            attempts[-1] = replace(
                attempts[-1],
                ended_at=event.at,
                ended_seq=event.seq,
                ended_by=event.kind,
                why=facts.get("why"),
                error=facts.get("error"),
                error_code=facts.get("code"),
            )
    return attempts
