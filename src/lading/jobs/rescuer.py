"""Takes jobs from workers that fell silent, and gives them to others (A9).

Every worker does this; whoever locks a silent job first moves it. The age is judged again in the
update itself, so that a job which finished or woke up in between is left alone.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, Connection, null, select, update

from lading.db import Database
from lading.db.clock import now
from lading.jobs.dependencies import spread_failure
from lading.jobs.errors import WorkerLost
from lading.jobs.moves import ENDED, Move, commit_moves, in_state
from lading.jobs.rules import attempts_used_up
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import JobHook, JobMoved
from lading.ledger.events import Event, JobFailed, JobRescued

RESCUED_MAX: Final = 100


def rescue(db: Database, hook: JobHook | None, *, stale_after_s: float, actor: str) -> list[int]:
    """Requeue or fail up to `RESCUED_MAX` jobs silent for `stale_after_s`; returns which."""
    with db.read() as conn:
        query = (
            select(import_job.c.id)
            .where(_silent(stale_after_s))
            .order_by(import_job.c.id)
            .limit(RESCUED_MAX)
        )
        silent = conn.execute(query).scalars().all()
    # A transaction each: failure spreads along the graph, and locks must ascend within one.
    return [
        job_id
        for job_id in silent
        if db.run(
            partial(_rescue_one, hook=hook, job_id=job_id, stale_after_s=stale_after_s, actor=actor)
        )
    ]


def _rescue_one(
    conn: Connection, *, hook: JobHook | None, job_id: int, stale_after_s: float, actor: str
) -> bool:
    """Take one job from its worker if it is silent still; False when it is not, or is locked."""
    condition = (import_job.c.id == job_id) & _silent(stale_after_s)
    row = conn.execute(
        select(import_job, now().label("at")).where(condition).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return False
    lost = attempts_used_up(row.attempt, row.attempts_max)
    error = f"worker {row.worker} fell silent in attempt {row.attempt} of {row.attempts_max}"
    values = {
        "lease": import_job.c.lease + 1,
        "worker": null(),
        "stop_requested": False,
        "status": JobState.QUEUED.value,
        "queued_at": now(),
    }
    if lost:
        values |= {
            **ENDED,
            "status": JobState.FAILED.value,
            "error": error,
            "error_code": WorkerLost.code,
        }
    result = conn.execute(update(import_job).where(condition).values(values))
    if result.rowcount != 1:
        return False
    silent_s = round((row.at - row.heartbeat_at).total_seconds(), 3)
    events: list[Event] = [JobRescued(worker=row.worker or "", lease=row.lease, silent_s=silent_s)]
    if lost:
        events.append(JobFailed(error=error, code=WorkerLost.code, lease=row.lease))
    moved = JobMoved(
        job_id=row.id,
        kind=row.kind,
        batch_id=row.batch_id,
        before=JobState.RUNNING,
        after=JobState.FAILED if lost else JobState.QUEUED,
        why=WorkerLost.code,
        actor=actor,
        error=error if lost else None,
        error_code=WorkerLost.code if lost else None,
    )
    moves = [Move(moved, events)]
    if lost:
        moves += spread_failure(conn, moved)
    commit_moves(conn, hook, moves)
    return True


def _silent(stale_after_s: float) -> ColumnElement[bool]:
    return in_state(JobState.RUNNING) & (import_job.c.heartbeat_at < now(-stale_after_s))
