"""How long the line of jobs was in times gone by, made from when jobs stood in it.

Jobs that came in one step and left in one are counted by the database and read as one row. A job
remembers only its last time in line, so one that was tried again counts from then on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, null, select

from lading.console.readers.metrics import Span, choose_span, steps_of
from lading.db import Database
from lading.db.clock import now
from lading.db.time_steps import step_number
from lading.jobs.moves import in_state
from lading.jobs.queries import every_job
from lading.jobs.states import FINAL_JOB_STATES, UNFINISHED_JOB_STATES, JobState
from lading.jobs.tables import import_job

JOBS_MAX: Final = 20_000

_job = import_job.c


@dataclass(frozen=True, slots=True)
class InLine:
    """From when to when a job stood in line; `until` is None while it does.

    Several `jobs` that came in the same step, the first one at `since`, and left in the same.
    """

    since: datetime
    until: datetime | None
    jobs: int = 1


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
        stood, whole = _stood(conn, chosen, steps[0], jobs_max)
    ends = [min(at, step + timedelta(seconds=chosen.step_s)) for step in steps]
    return Backlog(chosen, depths(stood, steps, ends), whole)


def depths(
    stood: Sequence[InLine], steps: Sequence[datetime], ends: Sequence[datetime]
) -> list[Depth]:
    """Who stood in line at each end; the ends ascend."""
    coming = sorted(stood, key=lambda one: one.since)
    leaving = sorted((one.until, one.jobs) for one in stood if one.until is not None)
    came, went = [one.since for one in coming], [until for until, _ in leaving]
    in_all = [0, *accumulate(one.jobs for one in coming)]
    out_all = [0, *accumulate(jobs for _, jobs in leaving)]
    first, found = 0, []
    for step, end in zip(steps, ends, strict=True):
        arrived = bisect_right(came, end)
        # Who has left once stays away, so the first of those who stand only ever moves on.
        while first < arrived and (until := coming[first].until) is not None and until <= end:
            first += 1
        jobs = in_all[arrived] - out_all[bisect_right(went, end)]
        oldest_s = (end - coming[first].since).total_seconds() if jobs else None
        found.append(Depth(step, jobs, oldest_s))
    return found


def _stood(
    conn: Connection, span: Span, since: datetime, jobs_max: int
) -> tuple[list[InLine], bool]:
    """Who stood in line since then, the newest that ended and the oldest that did not."""
    ended = (
        select(_job.queued_at, _until().label("until"), literal(False).label("stands"))
        .where(_job.finished_at >= since, _job.queued_at.is_not(None), in_state(*FINAL_JOB_STATES))
        .order_by(_job.finished_at.desc())
        .limit(jobs_max + 1)
    )
    stands = _job.status == JobState.QUEUED.value
    unfinished = (
        select(_job.queued_at, case((~stands, _until())).label("until"), stands.label("stands"))
        .where(in_state(*UNFINISHED_JOB_STATES), every_job(), _job.queued_at.is_not(None))
        .order_by(_job.id)
        .limit(jobs_max + 1)
    )
    found: list[InLine] = []
    whole = True
    for query in (ended, unfinished):
        rows = conn.execute(_by_step(query, span, since)).all()
        whole &= sum(row.jobs for row in rows) <= jobs_max
        found += [
            InLine(row.since, row.until, row.jobs)
            for row in rows
            if row.until is not None or row.stands
        ]
    return found, whole


def _until() -> ColumnElement[datetime | None]:
    """When a job that is in line no more was taken out of it, null where nobody knows."""
    taken, ended = _job.started_at, _job.finished_at
    return case((taken >= _job.queued_at, taken), (taken.is_(None), ended), else_=null())


def _by_step(query: Select[Any], span: Span, first: datetime) -> Select[Any]:
    """The rows of the query by the steps of coming and going; all before the first are one."""
    rows = query.subquery()
    came, went = rows.c.queued_at, rows.c.until
    before = case((came >= first, step_number(came, span.step_s)), else_=-1)
    keys = select(
        before.label("came"),
        step_number(went, span.step_s).label("went"),
        came,
        went,
        rows.c.stands,
    ).subquery()
    return select(
        func.min(keys.c.queued_at, type_=came.type).label("since"),
        func.min(keys.c.until, type_=came.type).label("until"),
        keys.c.stands,
        func.count().label("jobs"),
    ).group_by(keys.c.came, keys.c.went, keys.c.stands)
