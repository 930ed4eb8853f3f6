"""Lists of runs of sorting, of their moves and their jobs, page by page by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from lading.db.keyset import Key, fetch_page
from lading.jobs.tables import import_job
from lading.ledger.events import ScanFinished
from lading.ledger.photo_events import PhotosSorted, PhotosSortUndone
from lading.ledger.tables import ingest_event
from lading.sorting.journal import move_of, runs_of
from lading.sorting.sorting import SORT_JOB_KIND, job_key
from lading.sorting.tables import sort_move, sort_run
from lading.sorting.values import Move, MoveState, SortRun


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Runs, the newest first, and the cursors of the pages around them."""

    runs: Sequence[SortRun]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePage:
    """Moves in the order of the plan, and the cursors of the pages around them."""

    moves: Sequence[Move]
    next_cursor: str | None
    prev_cursor: str | None = None


def list_runs(conn: Connection, *, cursor: str | None = None, limit: int = 50) -> RunPage:
    """A page of runs. Raises `BadCursor`."""
    page = fetch_page(
        conn, select(sort_run), [Key(sort_run.c.id, descending=True)], cursor=cursor, limit=limit
    )
    return RunPage(
        runs=runs_of(conn, page.rows), next_cursor=page.next_cursor, prev_cursor=page.prev_cursor
    )


def count_runs(conn: Connection) -> int:
    """How many runs there are; each is one that a person asked for, so that they are few."""
    return int(conn.scalar(select(func.count()).select_from(sort_run)) or 0)


def list_moves(
    conn: Connection,
    run: SortRun,
    *,
    states: Iterable[MoveState] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> MovePage:
    """A page of the moves of a run, or of those in `states`. Raises `BadCursor`."""
    query = select(sort_move).where(sort_move.c.run_id == run.id)
    if wanted := [state.value for state in states]:
        query = query.where(sort_move.c.state.in_(wanted))
    page = fetch_page(conn, query, [Key(sort_move.c.position)], cursor=cursor, limit=limit)
    return MovePage(
        moves=[move_of(row) for row in page.rows],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def newest_jobs(conn: Connection, keys: Sequence[str]) -> Mapping[str, int]:
    """The last job of each run, as far as its jobs are still recorded."""
    of = {job_key(key): key for key in keys}
    rows = conn.execute(
        select(import_job.c.own_key, func.max(import_job.c.id))
        .where(import_job.c.kind == SORT_JOB_KIND, import_job.c.own_key.in_(of))
        .group_by(import_job.c.own_key)
    )
    return {of[own_key]: int(job_id) for own_key, job_id in rows}


def newest_change(conn: Connection, source: str, target: str) -> int:
    """The number of the last event after which a plan may be another one; 0 before any."""
    event = ingest_event.c
    sorts = select(func.max(event.seq)).where(
        event.kind.in_([PhotosSorted.kind, PhotosSortUndone.kind])
    )
    scans = select(func.max(event.seq)).where(
        event.source.in_([source, target]), event.kind == ScanFinished.kind
    )
    return max(int(conn.scalar(query) or 0) for query in (sorts, scans))
