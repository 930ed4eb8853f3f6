"""How a claimed job is kept, ended or given back: each guarded by its lease, each one transaction.

Every function works in the caller's transaction and raises `LeaseLost` when the claim is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, null, select, update

from lading.base.errors import InternalError, LadingError, printable
from lading.base.progress import Progress
from lading.base.stopping import StopReason
from lading.db.clock import now
from lading.jobs.dependencies import release_dependents, spread_failure
from lading.jobs.moves import (
    ENDED,
    Move,
    commit_moves,
    guarded_update,
    in_state,
    lease_lost,
)
from lading.jobs.rules import attempts_used_up
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import Claim, JobHook, JobMoved
from lading.ledger.chain import Entry
from lading.ledger.events import JobDone, JobFailed, JobReleased, JobRetrying

Write = Callable[[Connection], Sequence[Entry]]
"""The handler's last rows, written in the finishing transaction; returns ledger entries."""

_ITEM_LENGTH_MAX = 190
_ERROR_LENGTH_MAX = 4_000


def guard(conn: Connection, claim: Claim, progress: Progress | None) -> bool:
    """Renew the heartbeat and lock the job; True when an operator asked it to stop (A9, G3)."""
    values = progress_values(progress)
    statement = _guard_statement(tuple(values), returning=conn.dialect.update_returning)
    held = {"held_job": claim.job_id, "held_lease": claim.lease}
    result = conn.execute(statement, held | {f"new_{name}": v for name, v in values.items()})
    if conn.dialect.update_returning:
        row = result.one_or_none()
        if row is None:
            raise lease_lost(claim)
        return bool(row.stop_requested)
    if result.rowcount != 1:
        raise lease_lost(claim)
    asked = select(import_job.c.stop_requested).where(import_job.c.id == claim.job_id)
    return bool(conn.execute(asked).scalar())


@cache
def _guard_statement(columns: tuple[str, ...], *, returning: bool) -> Executable:
    """Built once: an import runs it for every item. The heartbeat always changes (MariaDB)."""
    statement = (
        update(import_job)
        .where(
            import_job.c.id == bindparam("held_job"),
            import_job.c.lease == bindparam("held_lease"),
            in_state(JobState.RUNNING),
        )
        .values(heartbeat_at=now(), **{name: bindparam(f"new_{name}") for name in columns})
    )
    return statement.returning(import_job.c.stop_requested) if returning else statement


def progress_values(progress: Progress | None) -> dict[str, Any]:
    """The columns that show where a job stands."""
    if progress is None:
        return {}
    return {
        "items_done": progress.items_done,
        "items_skipped": progress.items_skipped,
        "items_failed": progress.items_failed,
        "items_total": progress.items_total,
        "bytes_moved": progress.bytes_moved,
        "bytes_skipped": progress.bytes_skipped,
        "bytes_total": progress.bytes_total,
        "current_item": printable(progress.current, length_max=_ITEM_LENGTH_MAX) or None,
    }


def finish(
    conn: Connection,
    hook: JobHook | None,
    claim: Claim,
    *,
    progress: Progress | None,
    write: Write | None,
) -> None:
    """End a job well; whoever waited for it alone queues up."""
    entries: Sequence[Entry] = ()
    if write is not None:
        guard(conn, claim, None)
        entries = write(conn)
    guarded_update(
        conn,
        claim,
        {
            **ENDED,
            **progress_values(progress),
            "status": JobState.DONE.value,
            "error": null(),
            "error_code": null(),
        },
    )
    moved = _moved(claim, JobState.DONE, why="done")
    moves = [Move(moved, [JobDone(lease=claim.lease)])]
    moves += release_dependents(conn, claim.job_id, claim.actor)
    commit_moves(conn, hook, moves, entries)


def fail(
    conn: Connection,
    hook: JobHook | None,
    claim: Claim,
    error: Exception,
    *,
    progress: Progress | None,
) -> None:
    """End a job badly; whatever waits for it fails too (C4)."""
    text, code = describe(error)
    guarded_update(
        conn,
        claim,
        {
            **ENDED,
            **progress_values(progress),
            "status": JobState.FAILED.value,
            "error": text,
            "error_code": code,
        },
    )
    moved = _moved(claim, JobState.FAILED, why=code, error=text, error_code=code)
    moves = [Move(moved, [JobFailed(error=text, code=code, lease=claim.lease)])]
    moves += spread_failure(conn, moved)
    commit_moves(conn, hook, moves)


def retry_later(
    conn: Connection,
    hook: JobHook | None,
    claim: Claim,
    error: Exception,
    *,
    delay_s: float,
    progress: Progress | None,
) -> JobState:
    """Let the job wait `delay_s` seconds, or fail it when its attempts are used up.

    An error that is not `counted` refunds the attempt.
    """
    counted = is_counted(error)
    if counted and attempts_used_up(claim.attempt, claim.attempts_max):
        fail(conn, hook, claim, error, progress=progress)
        return JobState.FAILED
    text, code = describe(error)
    guarded_update(
        conn,
        claim,
        {
            **progress_values(progress),
            "status": JobState.WAITING.value,
            "not_before": now(delay_s),
            "attempt": claim.attempt if counted else import_job.c.attempt - 1,
            "worker": null(),
            "stop_requested": False,
            "error": text,
            "error_code": code,
        },
    )
    event = JobRetrying(error=text, code=code, attempt=claim.attempt, delay_s=round(delay_s, 3))
    moved = _moved(claim, JobState.WAITING, why=code, error=text, error_code=code)
    commit_moves(conn, hook, [Move(moved, [event])])
    return JobState.WAITING


def release(
    conn: Connection,
    hook: JobHook | None,
    claim: Claim,
    why: StopReason,
    *,
    progress: Progress | None,
) -> JobState:
    """Give the job back with its attempt refunded: to the line on shutdown, else paused (A22)."""
    if why is StopReason.LEASE_LOST:
        raise lease_lost(claim)
    after = JobState.QUEUED if why is StopReason.SHUTDOWN else JobState.PAUSED
    guarded_update(
        conn,
        claim,
        {
            **progress_values(progress),
            "status": after.value,
            "attempt": import_job.c.attempt - 1,
            "worker": null(),
            "stop_requested": False,
        },
    )
    moved = _moved(claim, after, why=why.value)
    commit_moves(conn, hook, [Move(moved, [JobReleased(why=why.value, lease=claim.lease)])])
    return after


def is_counted(error: Exception) -> bool:
    """Whether an attempt that ended with this error is one of the job's attempts."""
    return not isinstance(error, LadingError) or error.counted


def describe(error: Exception) -> tuple[str, str]:
    """What is recorded of an error: one line of text, and its code."""
    if isinstance(error, LadingError):
        return printable(str(error), length_max=_ERROR_LENGTH_MAX), error.code
    text = f"{type(error).__name__}: {error}"
    return printable(text, length_max=_ERROR_LENGTH_MAX), InternalError.code


def _moved(
    claim: Claim,
    after: JobState,
    *,
    why: str,
    error: str | None = None,
    error_code: str | None = None,
) -> JobMoved:
    return JobMoved(
        job_id=claim.job_id,
        kind=claim.kind,
        batch_id=claim.batch_id,
        before=JobState.RUNNING,
        after=after,
        why=why,
        actor=claim.actor,
        error=error,
        error_code=error_code,
    )
