"""Reads the queue for people and pages: jobs, counts, links, intake, workers. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, func, or_, select

from lading.base.progress import Progress
from lading.db.clock import now
from lading.db.keyset import Key, fetch_page
from lading.jobs.claiming import LANE
from lading.jobs.errors import JobMissing
from lading.jobs.moves import in_state
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, import_job_dep, queue_control, worker
from lading.jobs.values import Intake, JobFilter, JobPage, JobRow, Links, WorkerRow

_NEWEST_FIRST = (Key(import_job.c.id, descending=True),)


def get_job(conn: Connection, job_id: int) -> JobRow:
    """One job; raises `JobMissing`."""
    row = conn.execute(select(import_job).where(import_job.c.id == job_id)).one_or_none()
    if row is None:
        raise JobMissing("there is no such job", subject=f"job {job_id}")
    return job_row(row)


def list_jobs(conn: Connection, filters: JobFilter, *, cursor: str | None, limit: int) -> JobPage:
    """A page of jobs, newest first; raises `BadCursor`."""
    query = select(import_job)
    if filters.states:
        query = query.where(in_state(*filters.states))
    if filters.kinds:
        query = query.where(import_job.c.kind.in_(sorted(filters.kinds)))
    if filters.batch_id is not None:
        query = query.where(import_job.c.batch_id == filters.batch_id)
    if filters.worker is not None:
        query = query.where(import_job.c.worker == filters.worker)
    if filters.failed_by is not None:
        query = query.where(import_job.c.failed_by == filters.failed_by)
    page = fetch_page(conn, query, _NEWEST_FIRST, cursor=cursor, limit=limit)
    return JobPage([job_row(row) for row in page.rows], page.next_cursor)


def count_jobs(conn: Connection) -> Mapping[JobState, int]:
    """How many jobs stand in each state; every state is there (C6)."""
    query = select(import_job.c.status, func.count()).group_by(import_job.c.status)
    found = {JobState(status): int(count) for status, count in conn.execute(query)}
    return {state: found.get(state, 0) for state in JobState}


def oldest_queued_s(conn: Connection) -> float | None:
    """For how many seconds the job has been queued that has been so longest; None without one."""
    query = select(func.min(import_job.c.queued_at), now()).where(in_state(JobState.QUEUED))
    oldest, at = conn.execute(query).one()
    return None if oldest is None else max(0.0, float((at - oldest).total_seconds()))


def get_links(conn: Connection, job_id: int) -> Links:
    """What the job waits or waited for, and what waits for it."""
    dep = import_job_dep.c
    query = select(dep.job_id, dep.wait_for_id).where(
        or_(dep.job_id == job_id, dep.wait_for_id == job_id)
    )
    rows = conn.execute(query).all()
    return Links(
        sorted(row.wait_for_id for row in rows if row.job_id == job_id),
        sorted(row.job_id for row in rows if row.wait_for_id == job_id),
    )


def get_intake(conn: Connection) -> Intake:
    """Whether workers may claim."""
    row = conn.execute(select(queue_control).where(queue_control.c.lane == LANE)).one_or_none()
    if row is None or not row.paused:
        return Intake(paused=False)
    return Intake(True, row.paused_by, row.paused_at, row.why)


def list_workers(conn: Connection, *, seen_within_s: float) -> Sequence[WorkerRow]:
    """The workers seen within so many seconds, running ones first, then the last seen."""
    query = (
        select(worker, now().label("at"))
        .where(worker.c.seen_at > now(-seen_within_s))
        .order_by(worker.c.stopped_at.is_not(None), worker.c.seen_at.desc(), worker.c.id)
    )
    return [
        WorkerRow(
            id=row.id,
            host=row.host,
            pid=row.pid,
            version=row.version,
            slots=row.slots,
            started_at=row.started_at,
            seen_at=row.seen_at,
            stopped_at=row.stopped_at,
            silent_s=max(0.0, (row.at - row.seen_at).total_seconds()),
        )
        for row in conn.execute(query)
    ]


def pending_work(conn: Connection, kinds: Sequence[str]) -> bool:
    """Whether jobs of these kinds are running, wait for their time, or may be claimed.

    A queued job counts only while intake is open: nobody could take it otherwise.
    """
    states = [JobState.RUNNING]
    if not get_intake(conn).paused:
        states.append(JobState.QUEUED)
    of_kinds = import_job.c.kind.in_(sorted(kinds))
    in_hands = select(import_job.c.id).where(in_state(*states), of_kinds)
    timed = select(import_job.c.id).where(
        in_state(JobState.WAITING), import_job.c.not_before.is_not(None), of_kinds
    )
    # One statement, so that a job cannot change sides between two looks.
    return bool(conn.execute(select(or_(exists(in_hands), exists(timed)))).scalar())


def job_row(row: Row[Any]) -> JobRow:
    """A job from its database row."""
    return JobRow(
        id=row.id,
        kind=row.kind,
        params=json.loads(row.params),
        batch_id=row.batch_id,
        status=JobState(row.status),
        priority=row.priority,
        not_before=row.not_before,
        pending_deps=row.pending_deps,
        attempt=row.attempt,
        attempts_max=row.attempts_max,
        lease=row.lease,
        worker=row.worker,
        created_at=row.created_at,
        queued_at=row.queued_at,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        finished_at=row.finished_at,
        stop_requested=row.stop_requested,
        progress=Progress(
            items_done=row.items_done,
            items_skipped=row.items_skipped,
            items_failed=row.items_failed,
            items_total=row.items_total,
            bytes_moved=row.bytes_moved,
            bytes_skipped=row.bytes_skipped,
            bytes_total=row.bytes_total,
            current=row.current_item or "",
        ),
        error=row.error,
        error_code=row.error_code,
        failed_by=row.failed_by,
        active_key=row.active_key,
    )
