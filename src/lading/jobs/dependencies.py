"""What waits for what: locking parents, releasing dependents, and spreading failure.

Jobs wait for lower numbers only, so there are no cycles, and rows are locked in ascending order:
transactions that meet in one graph queue up instead of deadlocking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from lading.db.clock import now
from lading.jobs.errors import DependencyFailed, JobMissing
from lading.jobs.moves import CHUNK_IDS, ENDED, Move, in_state
from lading.jobs.rules import causes
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, import_job_dep
from lading.jobs.values import JobMoved
from lading.ledger.events import JobFailed, JobQueued


def chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    """`ids` ascending, in lists short enough for one statement."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), CHUNK_IDS):
        yield ordered[start : start + CHUNK_IDS]


def lock_jobs(
    conn: Connection, ids: Iterable[int], *states: JobState, mark: bool = False
) -> dict[int, Row[Any]]:
    """The rows of those of `ids` that are in one of `states` (any, if none), locked ascending.

    `mark` is for whoever adds dependents: it gives each row a new version on PostgreSQL, where
    the single-statement finish would not see a mere lock.
    """
    rows: dict[int, Row[Any]] = {}
    for chunk in chunks(ids):
        query = select(import_job).where(import_job.c.id.in_(chunk))
        if states:
            query = query.where(in_state(*states))
        query = query.order_by(import_job.c.id).with_for_update()
        rows.update((row.id, row) for row in conn.execute(query))
        if mark and conn.dialect.name == "postgresql":
            conn.execute(
                update(import_job)
                .where(import_job.c.id.in_(chunk), in_state(JobState.RUNNING))
                .values(pending_deps=import_job.c.pending_deps)
            )
    return rows


def lock_parents(conn: Connection, ids: Iterable[int]) -> dict[int, JobState]:
    """Lock the jobs that a new job will wait for, so that none ends unseen; their states."""
    wanted = set(ids)
    rows = lock_jobs(conn, wanted, mark=True) if wanted else {}
    missing = wanted - rows.keys()
    if missing:
        raise JobMissing("a job to wait for does not exist", subject=f"job {min(missing)}")
    return {job_id: JobState(row.status) for job_id, row in rows.items()}


def release_dependents(conn: Connection, done_id: int, actor: str) -> list[Move]:
    """Count a done job off those that wait for it; the ones that wait for nothing more queue up.

    The caller holds the lock of the done job, so that no dependent can be added meanwhile.
    """
    waiting = select(import_job_dep.c.job_id).where(import_job_dep.c.wait_for_id == done_id)
    rows = lock_jobs(conn, conn.execute(waiting).scalars(), JobState.WAITING)
    ready = {job_id for job_id, row in rows.items() if row.pending_deps <= 1}
    for chunk in chunks(rows):
        conn.execute(
            update(import_job)
            .where(import_job.c.id.in_(chunk))
            .values(pending_deps=import_job.c.pending_deps - 1)
        )
    # A job that also waits for its time stays waiting; the scheduler queues it.
    released = [job_id for job_id in ready if rows[job_id].not_before is None]
    for chunk in chunks(released):
        conn.execute(
            update(import_job)
            .where(import_job.c.id.in_(chunk))
            .values(status=JobState.QUEUED.value, queued_at=now())
        )
    return [_released(rows[job_id], done_id, actor) for job_id in sorted(released)]


def spread_failure(conn: Connection, root: JobMoved) -> list[Move]:
    """Fail every job that waits, directly or not, for one that ended badly; each names its cause.

    The caller holds the lock of the root. Dependents that others add before their parent here is
    locked are found by looking again; those added later find their parent failed.
    """
    edges: set[tuple[int, int]] = set()
    rows: dict[int, Row[Any]] = {}
    while True:
        edges |= _waiting_edges(conn, root.job_id)
        unlocked = {job_id for job_id, _ in edges} - rows.keys()
        if not unlocked:
            break
        locked = lock_jobs(conn, unlocked, JobState.WAITING)
        rows.update(locked)
        edges = {edge for edge in edges if edge[0] in rows}
        if not locked:
            break
    found = causes(root.job_id, edges, rows)
    for cause in sorted(set(found.values())):
        _fail(conn, [job_id for job_id, its in found.items() if its == cause], cause)
    return [_failed(rows[job_id], cause, root) for job_id, cause in found.items()]


def _waiting_edges(conn: Connection, root_id: int) -> set[tuple[int, int]]:
    """(job, job it waits for) of all waiting jobs below the root, level by level."""
    edges: set[tuple[int, int]] = set()
    seen: set[int] = set()
    level: Sequence[int] = [root_id]
    while level:
        found: set[tuple[int, int]] = set()
        for chunk in chunks(level):
            query = (
                select(import_job_dep.c.job_id, import_job_dep.c.wait_for_id)
                .join(import_job, import_job.c.id == import_job_dep.c.job_id)
                .where(import_job_dep.c.wait_for_id.in_(chunk), in_state(JobState.WAITING))
            )
            found.update((row.job_id, row.wait_for_id) for row in conn.execute(query))
        edges |= found
        level = sorted({job_id for job_id, _ in found} - seen)
        seen.update(level)
    return edges


def _released(row: Row[Any], done_id: int, actor: str) -> Move:
    why = f"job {done_id} is done"
    moved = JobMoved(
        job_id=row.id,
        kind=row.kind,
        batch_id=row.batch_id,
        before=JobState.WAITING,
        after=JobState.QUEUED,
        why=why,
        actor=actor,
    )
    return Move(moved, [JobQueued(job_kind=row.kind, priority=row.priority, why=why)])


def dependency_error(cause: int) -> str:
    """What is recorded as the error of a job that waited for `cause`."""
    return f"job {cause}, which this job waits for, did not end well"


def _fail(conn: Connection, ids: Sequence[int], cause: int) -> None:
    for chunk in chunks(ids):
        conn.execute(
            update(import_job)
            .where(import_job.c.id.in_(chunk))
            .values(
                **ENDED,
                status=JobState.FAILED.value,
                error=dependency_error(cause),
                error_code=DependencyFailed.code,
                failed_by=cause,
            )
        )


def _failed(row: Row[Any], cause: int, root: JobMoved) -> Move:
    error = dependency_error(cause)
    moved = JobMoved(
        job_id=row.id,
        kind=row.kind,
        batch_id=row.batch_id,
        before=JobState.WAITING,
        after=JobState.FAILED,
        why=DependencyFailed.code,
        actor=root.actor,
        error=error,
        error_code=DependencyFailed.code,
    )
    return Move(moved, [JobFailed(error=error, code=DependencyFailed.code, failed_by=cause)])
