"""Runs of sorting as pages and the API show them: with their jobs, and with what can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lading.console.parts import Console
from lading.db.counting import Count
from lading.jobs.queries import get_job
from lading.jobs.values import JobRow
from lading.sorting.journal import require_run
from lading.sorting.queries import MovePage, count_runs, list_moves, list_runs, newest_jobs
from lading.sorting.values import MoveState, RunState, SortRun


@dataclass(frozen=True, slots=True, kw_only=True)
class SortLine:
    """One run, and the number of the last job that was at it."""

    run: SortRun
    job_id: int | None

    @property
    def url(self) -> str:
        """The page of the run."""
        return f"/photos/sorting/{self.run.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SortList:
    """A page of runs, the newest first."""

    lines: Sequence[SortLine]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SortDetail:
    """One run with the last job that was at it, and what taking it back would do.

    `back` files would be moved back, `copies` removed again.
    """

    line: SortLine
    job: JobRow | None

    @property
    def back(self) -> int:
        """How many files would be moved back."""
        return self.line.run.moves.get(MoveState.MOVED, 0)

    @property
    def copies(self) -> int:
        """How many copies would be removed, whose originals stayed."""
        return self.line.run.moves.get(MoveState.COPIED, 0)

    @property
    def ended(self) -> bool:
        """Whether the run can be taken back, if it moved anything."""
        return self.line.run.state in {RunState.SORTED, RunState.UNDONE}


def read_sorts(console: Console, *, cursor: str | None = None, limit: int = 50) -> SortList:
    """A page of runs. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        page = list_runs(conn, cursor=cursor, limit=limit)
        jobs = newest_jobs(conn, [run.key for run in page.runs])
        count = Count(count_runs(conn))
    return SortList(
        lines=[SortLine(run=run, job_id=jobs.get(run.key)) for run in page.runs],
        count=count,
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def read_sort(console: Console, key: str) -> SortDetail:
    """One run. Raises `UnknownSort`."""
    with console.lading.db.read() as conn:
        run = require_run(conn, key)
        job_id = newest_jobs(conn, [key]).get(key)
        job = None if job_id is None else get_job(conn, job_id)
    return SortDetail(line=SortLine(run=run, job_id=job_id), job=job)


def read_moves(
    console: Console,
    run: SortRun,
    states: Iterable[MoveState] = (),
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> MovePage:
    """A page of what became of each file. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        return list_moves(conn, run, states=states, cursor=cursor, limit=limit)
