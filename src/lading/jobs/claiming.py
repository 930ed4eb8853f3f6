"""Hands the first queued job to a worker: strict priority, then first in, first out (A7, A8).

One short transaction of two statements on every database; on SQLite the writing transaction
excludes other claims, elsewhere SKIP LOCKED lets them pass. PostgreSQL has a shorter way in
`lading.jobs.lane`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, false, func, select, update

from lading.db import Database
from lading.db.clock import now
from lading.jobs.moves import in_state
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, queue_control
from lading.jobs.values import Claim
from lading.ledger.chain import Entry, append_all
from lading.ledger.events import JobStarted

LANE: Final = "all"


def claim_next(db: Database, worker: str, kinds: Sequence[str] | None) -> Claim | None:
    """Claim the first job in line, or None when there is none or intake is paused."""
    if db.dialect == "sqlite":
        # An idle poll must not take the only write lock there is.
        with db.read() as conn:
            if intake_paused(conn) or conn.execute(first_in_line(kinds)).first() is None:
                return None
    return db.run(lambda conn: _claim(conn, worker, kinds))


def first_in_line(kinds: Sequence[str] | None) -> Select[Any]:
    """The query that every claim begins with; it walks the claim index from its first entry."""
    query = select(
        import_job.c.id,
        import_job.c.kind,
        import_job.c.params,
        import_job.c.batch_id,
        import_job.c.lease,
        import_job.c.attempt,
        import_job.c.attempts_max,
    ).where(in_state(JobState.QUEUED))
    if kinds is not None:
        # Hidden in a function, because a planner that believes the kind to be rare would fetch
        # and sort the whole line for every claim.
        query = query.where(func.coalesce(import_job.c.kind.in_(sorted(kinds)), false()))
    return query.order_by(import_job.c.priority, import_job.c.id).limit(1)


def intake_paused(conn: Connection) -> bool:
    """Whether workers were told to claim nothing more."""
    query = select(queue_control.c.paused).where(queue_control.c.lane == LANE)
    return bool(conn.execute(query).scalar())


def _claim(conn: Connection, worker: str, kinds: Sequence[str] | None) -> Claim | None:
    if intake_paused(conn):
        return None
    row = conn.execute(first_in_line(kinds).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    claim = Claim(
        job_id=row.id,
        lease=row.lease + 1,
        attempt=row.attempt + 1,
        attempts_max=row.attempts_max,
        kind=row.kind,
        params=json.loads(row.params),
        batch_id=row.batch_id,
        worker=worker,
    )
    conn.execute(
        update(import_job)
        .where(import_job.c.id == row.id)
        .values(
            status=JobState.RUNNING.value,
            lease=claim.lease,
            attempt=claim.attempt,
            worker=worker,
            started_at=now(),
            heartbeat_at=now(),
            stop_requested=False,
        )
    )
    started = JobStarted(worker=worker, lease=claim.lease, attempt=claim.attempt)
    append_all(conn, [Entry(started, claim.actor, None, claim.batch_id, claim.job_id)])
    return claim
