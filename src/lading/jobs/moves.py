"""The end of every transaction that moves jobs: hook, wake-up, then events, in that order.

The ledger's head stays locked from the first event to the commit, so events come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, literal_column, or_, select, text, update

from lading.db.clock import now
from lading.jobs.errors import JobMissing, LeaseLost
from lading.jobs.rules import require_job_transition
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import Claim, JobHook, JobMoved
from lading.ledger.chain import Entry, append_all
from lading.ledger.events import Event

CHANNEL: Final = "lading_jobs"
CHUNK_IDS: Final = 500

# Said in the same places by every end of a job.
ENDED: Final[dict[str, Any]] = {
    "finished_at": now(),
    "active_key": None,
    "stop_requested": False,
    "not_before": None,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One job's move and the events that record it."""

    moved: JobMoved
    events: Sequence[Event]


def in_state(*states: JobState) -> ColumnElement[bool]:
    """`status` is one of `states`, written out: a bound value would hide the partial indexes."""
    return or_(*(import_job.c.status == literal_column(f"'{state.value}'") for state in states))


def commit_moves(
    conn: Connection,
    hook: JobHook | None,
    moves: Sequence[Move],
    entries: Sequence[Entry] = (),
) -> None:
    """Let the hook follow, wake idle workers where there is new work, and append all events."""
    collected = settle_moves(conn, hook, moves, entries)
    if collected:
        append_all(conn, collected)


def settle_moves(
    conn: Connection,
    hook: JobHook | None,
    moves: Sequence[Move],
    entries: Sequence[Entry] = (),
) -> list[Entry]:
    """Everything of `commit_moves` but the appending: returns the entries in order."""
    collected = list(entries)
    for move in moves:
        moved = move.moved
        require_job_transition(moved.before, moved.after, moved.job_id)
        collected.extend(
            Entry(event, moved.actor, None, moved.batch_id, moved.job_id) for event in move.events
        )
        if hook is not None and moved.batch_id is not None:
            collected.extend(hook(conn, moved))
    if any(move.moved.after is JobState.QUEUED for move in moves):
        wake(conn)
    return collected


def wake(conn: Connection) -> None:
    """Tell idle workers at commit that there is work; PostgreSQL folds repeats into one."""
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"NOTIFY {CHANNEL}"))


def guarded(claim: Claim) -> ColumnElement[bool]:
    """The job is running under exactly this claim (A9, G3)."""
    return (
        (import_job.c.id == claim.job_id)
        & (import_job.c.lease == claim.lease)
        & in_state(JobState.RUNNING)
    )


def guarded_update(conn: Connection, claim: Claim, values: dict[str, Any]) -> None:
    """Update the claimed job, or raise `LeaseLost` when the claim no longer holds.

    `heartbeat_at` is always among the values: MariaDB counts changed rows, not matched ones.
    """
    result = conn.execute(
        update(import_job).where(guarded(claim)).values({"heartbeat_at": now(), **values})
    )
    if result.rowcount != 1:
        raise lease_lost(claim)


def lease_lost(claim: Claim) -> LeaseLost:
    """The error of a claim that no longer holds."""
    return LeaseLost("the job is no longer held", subject=f"job {claim.job_id}, {claim.lease}")


def lock_job(conn: Connection, job_id: int) -> Row[Any]:
    """The job's row, locked until the end of the transaction; raises `JobMissing`."""
    row = conn.execute(
        select(import_job).where(import_job.c.id == job_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise JobMissing("there is no such job", subject=f"job {job_id}")
    return row
