"""What people do to jobs: cancel, stop, resume, retry, set the priority, pause the intake.

Every function works in the caller's transaction, locks what it judges, and leaves an event.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, exc, insert, null, select, update

from lading.db.clock import now
from lading.jobs.claiming import LANE
from lading.jobs.dependencies import chunks, lock_jobs, spread_failure
from lading.jobs.errors import (
    JobMissing,
    JobNotCancellable,
    JobNotMovable,
    JobNotResumable,
    JobNotRetryable,
    JobNotStoppable,
)
from lading.jobs.moves import ENDED, Move, commit_moves, lock_job, wake
from lading.jobs.rules import place, revivable
from lading.jobs.states import CANCELLABLE_JOB_STATES, UNFINISHED_JOB_STATES, JobState
from lading.jobs.tables import import_job, import_job_dep, queue_control
from lading.jobs.values import JobHook, JobMoved
from lading.ledger.chain import append
from lading.ledger.events import (
    Event,
    JobCancelled,
    JobQueued,
    JobReprioritised,
    JobStopRequested,
    QueuePaused,
)

_ENDED_BADLY = (JobState.FAILED, JobState.CANCELLED)


def cancel(conn: Connection, hook: JobHook | None, job_id: int, *, actor: str, why: str) -> None:
    """Cancel a job that is not running (A22); whatever waits for it fails."""
    row = lock_job(conn, job_id)
    before = JobState(row.status)
    if before not in CANCELLABLE_JOB_STATES:
        raise JobNotCancellable(
            "the job can no longer be cancelled", subject=f"job {job_id}", found=before
        )
    conn.execute(
        update(import_job)
        .where(import_job.c.id == job_id)
        .values(**ENDED, status=JobState.CANCELLED.value)
    )
    moved = _moved(row, JobState.CANCELLED, actor=actor, why=why)
    moves = [Move(moved, [JobCancelled(why=why)]), *spread_failure(conn, moved)]
    commit_moves(conn, hook, moves)


def request_stop(conn: Connection, job_id: int, *, actor: str, why: str) -> None:
    """Ask a running job to stop after the item in hand; asking again changes nothing."""
    row = lock_job(conn, job_id)
    if row.status != JobState.RUNNING:
        raise JobNotStoppable("the job is not running", subject=f"job {job_id}", found=row.status)
    if row.stop_requested:
        return
    conn.execute(update(import_job).where(import_job.c.id == job_id).values(stop_requested=True))
    append(conn, JobStopRequested(why=why), actor=actor, batch_id=row.batch_id, job_id=job_id)


def resume(conn: Connection, hook: JobHook | None, job_id: int, *, actor: str) -> None:
    """Put a paused job back in line, at its old place."""
    row = lock_job(conn, job_id)
    if row.status != JobState.PAUSED:
        raise JobNotResumable("the job is not paused", subject=f"job {job_id}", found=row.status)
    conn.execute(
        update(import_job)
        .where(import_job.c.id == job_id)
        .values(status=JobState.QUEUED.value, queued_at=now(), worker=null())
    )
    commit_moves(conn, hook, [_queued(row, JobState.QUEUED, actor=actor, why="resumed")])


def retry(
    conn: Connection, hook: JobHook | None, job_id: int, *, actor: str, with_dependents: bool
) -> list[int]:
    """Run a failed or cancelled job again from its first attempt; returns the jobs revived.

    With dependents, the jobs that failed because of it wait for it anew. Raises `JobNotRetryable`
    when it did not end badly, waits for a job that did, or its work is another job's by now.
    """
    below = _failed_below(conn, job_id) if with_dependents else {}
    parents = _parents(conn, [job_id, *below])
    everyone = {job_id, *below, *(parent for ids in parents.values() for parent in ids)}
    # Parents are locked too: one that ends meanwhile would not count itself off.
    rows = lock_jobs(conn, everyone, mark=True)
    if job_id not in rows:
        raise JobMissing("there is no such job", subject=f"job {job_id}")
    states = {known: JobState(row.status) for known, row in rows.items()}
    if states[job_id] not in _ENDED_BADLY:
        raise JobNotRetryable(
            "only a job that failed or was cancelled can be retried",
            subject=f"job {job_id}",
            found=states[job_id],
        )
    failed = {known: rows[known].failed_by for known in below if states[known] is JobState.FAILED}
    spoilers = {
        known: [parent for parent in parents.get(known, ()) if states[parent] in _ENDED_BADLY]
        for known in failed
    }
    moves = []
    for revived in [job_id, *revivable(job_id, failed, spoilers)]:
        placing = place(parents.get(revived, ()), states, delayed=False)
        if placing.failed_by is not None:
            raise JobNotRetryable(
                "the job waits for one that did not end well",
                subject=f"job {revived}",
                found=f"job {placing.failed_by} {states[placing.failed_by]}",
            )
        _revive(conn, rows[revived], placing.state, placing.pending_deps)
        states[revived] = placing.state
        moves.append(_queued(rows[revived], placing.state, actor=actor, why="retried"))
    commit_moves(conn, hook, moves)
    return [move.moved.job_id for move in moves]


def set_priority(conn: Connection, job_id: int, priority: int, *, actor: str) -> None:
    """Move a job that has not ended to another priority; its number keeps its place there."""
    row = lock_job(conn, job_id)
    if JobState(row.status) not in UNFINISHED_JOB_STATES:
        raise JobNotMovable("the job has ended", subject=f"job {job_id}", found=row.status)
    if row.priority == priority:
        return
    conn.execute(update(import_job).where(import_job.c.id == job_id).values(priority=priority))
    append(
        conn,
        JobReprioritised(before=row.priority, after=priority),
        actor=actor,
        batch_id=row.batch_id,
        job_id=job_id,
    )


def set_intake(conn: Connection, *, paused: bool, actor: str, why: str | None) -> None:
    """Tell workers to claim nothing more, or to go on; running jobs are not touched."""
    values: dict[str, Any] = {
        "paused": paused,
        "paused_by": actor if paused else None,
        "paused_at": now() if paused else None,
        "why": why if paused else None,
    }
    _ensure_lane(conn)
    query = select(queue_control.c.paused).where(queue_control.c.lane == LANE).with_for_update()
    if bool(conn.execute(query).scalar_one()) == paused:
        return
    conn.execute(update(queue_control).where(queue_control.c.lane == LANE).values(values))
    if not paused:
        wake(conn)
    append(conn, QueuePaused(paused=paused, why=why), actor=actor)


def _ensure_lane(conn: Connection) -> None:
    query = select(queue_control.c.lane).where(queue_control.c.lane == LANE)
    if conn.execute(query).first() is None:
        try:
            with conn.begin_nested():
                conn.execute(insert(queue_control).values(lane=LANE, paused=False))
        except exc.IntegrityError:
            return  # someone else made it just now


def _failed_below(conn: Connection, job_id: int) -> set[int]:
    """All failed jobs below this one, level by level."""
    found: set[int] = set()
    level = {job_id}
    while level:
        below: set[int] = set()
        for chunk in chunks(level):
            query = (
                select(import_job_dep.c.job_id)
                .join(import_job, import_job.c.id == import_job_dep.c.job_id)
                .where(
                    import_job_dep.c.wait_for_id.in_(chunk),
                    import_job.c.status == JobState.FAILED.value,
                )
            )
            below.update(conn.execute(query).scalars())
        level = below - found
        found |= level
    return found


def _parents(conn: Connection, ids: list[int]) -> dict[int, list[int]]:
    parents: dict[int, list[int]] = {}
    for chunk in chunks(ids):
        query = select(import_job_dep.c.job_id, import_job_dep.c.wait_for_id).where(
            import_job_dep.c.job_id.in_(chunk)
        )
        for row in conn.execute(query):
            parents.setdefault(row.job_id, []).append(row.wait_for_id)
    return parents


def _revive(conn: Connection, row: Row[Any], state: JobState, pending_deps: int) -> None:
    key = row.own_key
    if key is not None:
        holder = conn.execute(
            select(import_job.c.id).where(import_job.c.active_key == key)
        ).scalar()
        if holder is not None:
            raise JobNotRetryable(
                "another job does the same work by now",
                subject=f"job {row.id}",
                found=f"job {holder}",
            )
    fresh = dict.fromkeys(
        ("items_done", "items_skipped", "items_failed", "bytes_moved", "bytes_skipped"), 0
    )
    unset = dict.fromkeys(
        (
            "finished_at",
            "started_at",
            "heartbeat_at",
            "worker",
            "error",
            "error_code",
            "failed_by",
            "current_item",
            "items_total",
            "bytes_total",
        )
    )
    statement = (
        update(import_job)
        .where(import_job.c.id == row.id)
        .values(
            **fresh,
            **unset,
            status=state.value,
            pending_deps=pending_deps,
            attempt=0,
            active_key=key,
            queued_at=now() if state is JobState.QUEUED else None,
        )
    )
    try:
        with conn.begin_nested():
            conn.execute(statement)
    except exc.IntegrityError as error:
        raise JobNotRetryable(
            "another job has just taken up the same work", subject=f"job {row.id}"
        ) from error


def _queued(row: Row[Any], after: JobState, *, actor: str, why: str) -> Move:
    event: Event = JobQueued(job_kind=row.kind, priority=row.priority, why=why)
    return Move(_moved(row, after, actor=actor, why=why), [event])


def _moved(row: Row[Any], after: JobState, *, actor: str, why: str) -> JobMoved:
    return JobMoved(
        job_id=row.id,
        kind=row.kind,
        batch_id=row.batch_id,
        before=JobState(row.status),
        after=after,
        why=why,
        actor=actor,
    )
