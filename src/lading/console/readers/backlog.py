"""How long the line of jobs was in times gone by, made from when jobs stood in it.

A job remembers only its last time in line, so one that was tried again counts from then on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from lading.console.readers.metrics import Span, choose_span, steps_of
from lading.db import Database
from lading.db.clock import now
from lading.jobs.moves import in_state
from lading.jobs.states import FINAL_JOB_STATES, UNFINISHED_JOB_STATES, JobState
from lading.jobs.tables import import_job

JOBS_MAX: Final = 20_000

_job = import_job.c


@dataclass(frozen=True, slots=True)
class InLine:
    """From when to when a job stood in line; `until` is None while it does."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many jobs stood in line at the end of a step, and how long the first had waited."""

    at: datetime
    jobs: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """The line, step by step; not `whole` when there were more jobs than were looked at."""

    span: Span
    steps: Sequence[Depth]
    whole: bool


def read_backlog(db: Database, span: str, *, jobs_max: int = JOBS_MAX) -> Backlog:
    """How long the line was. Raises `UnknownRange`."""
    chosen = choose_span(span)
    with db.read() as conn:
        at = conn.scalars(select(now())).one()
        steps = steps_of(chosen, at)
        stood, whole = _stood(conn, steps[0], jobs_max)
    ends = [min(at, step + timedelta(seconds=chosen.step_s)) for step in steps]
    return Backlog(chosen, depths(stood, steps, ends), whole)


def depths(
    stood: Sequence[InLine], steps: Sequence[datetime], ends: Sequence[datetime]
) -> list[Depth]:
    """Who stood in line at each end; the ends ascend."""
    coming = sorted(stood, key=lambda one: one.since)
    came = [one.since for one in coming]
    left = sorted(one.until for one in stood if one.until is not None)
    first, found = 0, []
    for step, end in zip(steps, ends, strict=True):
        arrived = bisect_right(came, end)
        # Who has left once stays away, so the first of those who stand only ever moves on.
        while first < arrived and (until := coming[first].until) is not None and until <= end:
            first += 1
        jobs = arrived - bisect_right(left, end)
        oldest_s = (end - coming[first].since).total_seconds() if jobs else None
        found.append(Depth(step, jobs, oldest_s))
    return found


def _stood(conn: Connection, since: datetime, jobs_max: int) -> tuple[list[InLine], bool]:
    columns = (_job.status, _job.queued_at, _job.started_at, _job.finished_at)
    ended = conn.execute(
        select(*columns)
        .where(_job.finished_at >= since, _job.queued_at.is_not(None), in_state(*FINAL_JOB_STATES))
        .order_by(_job.finished_at.desc())
        .limit(jobs_max + 1)
    ).all()
    unfinished = conn.execute(
        select(*columns)
        .where(in_state(*UNFINISHED_JOB_STATES), _job.queued_at.is_not(None))
        .order_by(_job.id)
        .limit(jobs_max + 1)
    ).all()
    whole = max(len(ended), len(unfinished)) <= jobs_max
    found = []
    for row in (*ended[:jobs_max], *unfinished[:jobs_max]):
        if JobState(row.status) is JobState.QUEUED:
            found.append(InLine(row.queued_at, None))
        elif row.started_at is not None and row.started_at >= row.queued_at:
            found.append(InLine(row.queued_at, row.started_at))
        elif row.started_at is None and row.finished_at is not None:
            found.append(InLine(row.queued_at, row.finished_at))
    return found, whole
