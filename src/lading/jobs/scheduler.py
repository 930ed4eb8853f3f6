"""Queues waiting jobs whose time has come; every worker does this, and none waits for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select, update

from lading.db import Database
from lading.db.clock import now
from lading.jobs.moves import Move, commit_moves, in_state
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import JobHook, JobMoved
from lading.ledger.events import JobQueued

QUEUED_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Scheduled:
    """How many jobs were queued, and in how many seconds the next is due (None without one)."""

    queued: int
    next_due_s: float | None


def schedule(db: Database, hook: JobHook | None, *, actor: str) -> Scheduled:
    """Queue up to `QUEUED_MAX` jobs that are due. Writes nothing when none is."""
    due_s = _next_due_s(db)
    if due_s is None or due_s > 0:
        return Scheduled(0, due_s)
    queued = db.run(lambda conn: _queue_due(conn, hook, actor))
    return Scheduled(queued, 0.0 if queued == QUEUED_MAX else _next_due_s(db))


def _next_due_s(db: Database) -> float | None:
    query = select(func.min(import_job.c.not_before), now()).where(_timed())
    with db.read() as conn:
        due, at = conn.execute(query).one()
    return None if due is None else float((due - at).total_seconds())


def _queue_due(conn: Connection, hook: JobHook | None, actor: str) -> int:
    query = (
        select(import_job)
        .where(_timed(), import_job.c.not_before <= now())
        .order_by(import_job.c.not_before, import_job.c.id)
        .limit(QUEUED_MAX)
        .with_for_update(skip_locked=True)
    )
    rows = conn.execute(query).all()
    if not rows:
        return 0
    conn.execute(
        update(import_job)
        .where(import_job.c.id.in_([row.id for row in rows]), in_state(JobState.WAITING))
        .values(status=JobState.QUEUED.value, not_before=None, queued_at=now())
    )
    why = "its time has come"
    moves = [
        Move(
            JobMoved(
                job_id=row.id,
                kind=row.kind,
                batch_id=row.batch_id,
                before=JobState.WAITING,
                after=JobState.QUEUED,
                why=why,
                actor=actor,
            ),
            [JobQueued(job_kind=row.kind, priority=row.priority, why=why)],
        )
        for row in sorted(rows, key=lambda row: int(row.id))
    ]
    commit_moves(conn, hook, moves)
    return len(rows)


def _timed() -> ColumnElement[bool]:
    return (
        in_state(JobState.WAITING)
        & import_job.c.not_before.is_not(None)
        & (import_job.c.pending_deps == 0)
    )
