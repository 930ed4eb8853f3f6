"""Reads the queue for people and pages: jobs, counts, links, intake, workers. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from lading.base.progress import Progress
from lading.db.clock import now
from lading.db.counting import COUNT_CAP, Count, count_each_capped
from lading.db.keyset import Key, choose_sort
from lading.db.walks import Walk, fetch_merged, first_number_since, starts_with
from lading.jobs.claiming import LANE
from lading.jobs.errors import JobMissing
from lading.jobs.moves import in_state
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, import_job_dep, queue_control, worker
from lading.jobs.values import Intake, JobFilter, JobPage, JobRow, Links, WorkerRow
from lading.ledger.batch_lists import batch_number, find_batch_ids
from lading.ledger.tables import ingest_batch

OLDEST_OF: Final = 1_000

JOB_SORTS: Final[Mapping[str, Sequence[Key]]] = {
    "-id": (Key(import_job.c.id, descending=True),),
    "id": (Key(import_job.c.id),),
}
"""The orders a list of jobs can be had in. Their numbers are in the order they were made."""


def every_job() -> ColumnElement[bool]:
    """True of each job; opens the index by state to lists and counts (see `tables`)."""
    # Written out as in the index, and as a comparison: as a value it would be `(id > 0) = 1`.
    return import_job.c.id > literal_column("0")


def get_job(conn: Connection, job_id: int) -> JobRow:
    """One job; raises `JobMissing`."""
    row = conn.execute(select(import_job).where(import_job.c.id == job_id)).one_or_none()
    if row is None:
        raise JobMissing("there is no such job", subject=f"job {job_id}")
    return job_row(row)


def job_conditions(filters: JobFilter) -> list[ColumnElement[bool]]:
    """The filter as conditions on `import_job`, for counts, selections and lists alike."""
    conditions: list[ColumnElement[bool]] = []
    if filters.states:
        conditions += [in_state(*filters.states), every_job()]
    if filters.kinds:
        conditions.append(import_job.c.kind.in_(sorted(set(filters.kinds))))
    for column, value in (
        (import_job.c.batch_id, filters.batch_id),
        (import_job.c.worker, filters.worker),
        (import_job.c.failed_by, filters.failed_by),
        (import_job.c.error_code, filters.reason),
    ):
        if value is not None:
            conditions.append(column == value)
    if filters.since is not None:
        conditions.append(import_job.c.created_at >= filters.since)
    if filters.q:
        conditions.append(_named(filters.q))
    if filters.ids is not None:
        conditions.append(import_job.c.id.in_(sorted(set(filters.ids))))
    return conditions


def list_jobs(
    conn: Connection,
    filters: JobFilter,
    *,
    cursor: str | None,
    limit: int,
    sort: str = "-id",
) -> JobPage:
    """A page of jobs, newest first unless sorted otherwise; raises `BadCursor`, `UnknownSort`."""
    order = choose_sort(JOB_SORTS, sort)
    filters = _look_up(conn, filters)
    since: list[ColumnElement[bool]] = []
    if filters.since is not None:
        first = first_number_since(conn, import_job.c.id, import_job.c.created_at, filters.since)
        since.append(import_job.c.id >= first)
    walks = [Walk([*job_conditions(part), *since]) for part in _parts(filters)]
    page = fetch_merged(conn, import_job, walks, order, cursor=cursor, limit=limit)
    return JobPage([job_row(row) for row in page.rows], page.next_cursor, page.prev_cursor)


def next_jobs(conn: Connection, limit: int = 10) -> list[JobRow]:
    """The jobs that will be claimed next, in that order (A7)."""
    query = (
        select(import_job)
        .where(in_state(JobState.QUEUED))
        .order_by(import_job.c.priority, import_job.c.id)
        .limit(limit)
    )
    return [job_row(row) for row in conn.execute(query)]


def newest_jobs(conn: Connection, batch_ids: Sequence[int]) -> dict[int, JobRow]:
    """The newest job of each of these batches that has one."""
    if not batch_ids:
        return {}
    newest = (
        select(func.max(import_job.c.id).label("id"))
        .where(import_job.c.batch_id.in_(sorted(set(batch_ids))))
        .group_by(import_job.c.batch_id)
        .subquery()
    )
    rows = conn.execute(select(import_job).join(newest, newest.c.id == import_job.c.id))
    jobs = (job_row(row) for row in rows)
    return {job.batch_id: job for job in jobs if job.batch_id is not None}


def count_jobs(conn: Connection) -> Mapping[JobState, int]:
    """How many jobs stand in each state; every state is there (C6)."""
    query = (
        select(import_job.c.status, func.count()).where(every_job()).group_by(import_job.c.status)
    )
    found = {JobState(status): int(count) for status, count in conn.execute(query)}
    return {state: found.get(state, 0) for state in JobState}


def count_jobs_by_state(
    conn: Connection,
    filters: JobFilter = JobFilter(),  # noqa: B008 - frozen
    cap: int = COUNT_CAP,
    *,
    states: Sequence[JobState] = tuple(JobState),
) -> dict[JobState, Count]:
    """How many jobs of the whole set are in each state; the filter's own states do not count."""
    filters = _look_up(conn, filters)
    return count_each_capped(
        conn,
        {
            state: select(import_job.c.id).where(*job_conditions(replace(filters, states=[state])))
            for state in states
        },
        cap,
    )


def oldest_queued_s(conn: Connection) -> float | None:
    """For how many seconds the job has been queued that has been so longest; None without one.

    Looked for among the thousand that were made first: a longer line is old enough anyway.
    """
    first = (
        select(import_job.c.queued_at)
        .where(in_state(JobState.QUEUED), every_job())
        .order_by(import_job.c.id)
        .limit(OLDEST_OF)
        .subquery()
    )
    oldest, at = conn.execute(select(func.min(first.c.queued_at), now())).one()
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


def _look_up(conn: Connection, filters: JobFilter) -> JobFilter:
    """The filter with `q` turned into numbers, where it names few enough batches for that."""
    if not filters.q:
        return filters
    batches = find_batch_ids(conn, filters.q)
    if batches is None:
        return filters
    ids = set(conn.scalars(select(import_job.c.id).where(import_job.c.batch_id.in_(batches))))
    number = batch_number(filters.q)
    if number is not None:
        ids.add(number)
    return replace(
        filters, q=None, ids=sorted(ids if filters.ids is None else ids & set(filters.ids))
    )


def _parts(filters: JobFilter) -> list[JobFilter]:
    """The filter as several that each follow one index by number and have no job in common."""
    if filters.ids is not None:
        return [filters] if filters.ids else []
    if filters.batch_id is not None:
        return [filters]
    if filters.states:
        return [replace(filters, states=[state]) for state in dict.fromkeys(filters.states)]
    if filters.kinds:
        return [replace(filters, kinds=[kind]) for kind in dict.fromkeys(filters.kinds)]
    return [filters]


def _named(name: str) -> ColumnElement[bool]:
    batches = select(ingest_batch.c.id).where(starts_with(ingest_batch.c.batch_key, name))
    named = import_job.c.batch_id.in_(batches)
    number = batch_number(name)
    if number is None:
        return named
    return or_(named, import_job.c.id == number, import_job.c.batch_id == number)
