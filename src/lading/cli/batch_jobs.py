"""Finds the newest job of each of some batches: what the list shows beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from lading.jobs.states import JobState
from lading.jobs.tables import import_job


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job's number and where it stands."""

    id: int
    state: JobState


def newest_jobs(conn: Connection, batch_ids: Sequence[int]) -> dict[int, BatchJob]:
    """The newest job of each batch that has one, in one statement."""
    newest = (
        select(func.max(import_job.c.id))
        .where(import_job.c.batch_id.in_(batch_ids))
        .group_by(import_job.c.batch_id)
    )
    rows = conn.execute(
        select(import_job.c.batch_id, import_job.c.id, import_job.c.status).where(
            import_job.c.id.in_(newest)
        )
    )
    return {row.batch_id: BatchJob(row.id, JobState(row.status)) for row in rows}
