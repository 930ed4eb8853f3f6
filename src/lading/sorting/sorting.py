"""Sorting photos into folders: preview, start, undo, and the jobs that do it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.progress import Progress
from lading.base.steps import SortStep, reach
from lading.base.stopping import StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.jobs.context import Handler, JobContext, JobResult
from lading.jobs.queue import Queue
from lading.jobs.values import NewJob
from lading.ledger.chain import Entry
from lading.ledger.photo_events import PhotosSorted, PhotosSortUndone
from lading.library.statements import chunked
from lading.sorting import journal
from lading.sorting.carrying_out import CarryingOut
from lading.sorting.errors import BadSortFolder, NotSortable, SortNotUndoable, SortPlanChanged
from lading.sorting.planning import PlaceNames, Planner
from lading.sorting.tree import SortTree
from lading.sorting.values import Move, PlanCount, PlannedFile, RunState, SortRun, Wanted
from lading.storage.roots import FileMissing, PathEscapesRoot

SORT_JOB_KIND: Final = "photos.sort"
SORT_PRIORITY: Final = 4
_ATTEMPTS_MAX: Final = 12
_ROWS: Final = 500


def job_key(run_key: str) -> str:
    """The key that the jobs of a run have in the queue."""
    return f"{SORT_JOB_KIND}:{run_key}"


class Sorting:
    """The sorting of one installation's photos: `roots` are its trees, by source.

    Of those named in `without_inodes`, inodes are not compared, as their scans do not.

    Safe to share between threads.
    """

    def __init__(
        self,
        db: Database,
        queue: Queue,
        roots: Mapping[str, Path],
        names: PlaceNames | None = None,
        *,
        without_inodes: Collection[str] = (),
    ) -> None:
        self._db = db
        self._queue = queue
        self._roots = dict(roots)
        self._without_inodes = frozenset(without_inodes)
        self._names = names or PlaceNames()

    def check(self, wanted: Wanted) -> None:
        """Raise what is wrong with what is asked, without planning it.

        `BadPattern`, `NotSortable`, `BadSortFolder`, `RootMissing`.
        """
        self._planner(wanted)

    def preview(self, wanted: Wanted, *, stop: StopSignal | None = None) -> Iterator[PlannedFile]:
        """Where each file would go, and why; nothing is written.

        Raises as `check`, and `Interrupted` while it is gone through.
        """
        return self._planner(wanted, stop).files()

    def start(self, wanted: Wanted, *, actor: str, accepted: str | None = None) -> SortRun:
        """Put a run in line, which plans and then moves.

        `accepted` is the digest of a preview: what differs from that is not carried out. Raises
        as `check`.
        """
        self.check(wanted)

        def begin(conn: Connection) -> SortRun:
            run = journal.add_run(conn, wanted, actor=actor)
            self._enqueue(conn, run, {"accepted": accepted}, actor=actor)
            return run

        return self._db.run(begin)

    def undo(self, key: str, *, actor: str) -> SortRun:
        """Put in line that a run is taken back: every file that is as it was moved.

        What could not be put back stays, and can be tried again. Raises `UnknownSort`,
        `SortNotUndoable`.
        """

        def begin(conn: Connection) -> SortRun:
            run = _require_undoable(conn, key)
            journal.set_state(conn, run, RunState.UNDOING)
            self._enqueue(conn, run, {"undo": True}, actor=actor)
            return journal.require_run(conn, key)

        return self._db.run(begin)

    def preview_undo(self, key: str) -> SortRun:
        """The run that would be taken back. Raises as `undo`."""
        with self._db.read() as conn:
            return _require_undoable(conn, key)

    def run(self, key: str) -> SortRun:
        """One run. Raises `UnknownSort`."""
        with self._db.read() as conn:
            return journal.require_run(conn, key)

    def runs(self, *, limit: int = 50) -> Sequence[SortRun]:
        """The newest runs."""
        with self._db.read() as conn:
            return journal.runs(conn, limit=limit)

    def moves(self, key: str) -> Iterator[Move]:
        """Every move of a run, in order. Raises `UnknownSort`."""
        return journal.moves(self._db, self.run(key))

    def handlers(self) -> Mapping[str, Handler]:
        """What a worker needs to sort."""
        return {SORT_JOB_KIND: self._work}

    def _enqueue(
        self, conn: Connection, run: SortRun, params: Mapping[str, Any], *, actor: str
    ) -> None:
        job = NewJob(
            SORT_JOB_KIND,
            params={"run": run.key, **{k: v for k, v in params.items() if v is not None}},
            priority=SORT_PRIORITY,
            active_key=job_key(run.key),
            attempts_max=_ATTEMPTS_MAX,
        )
        self._queue.enqueue(conn, [job], actor=actor)

    def _work(self, context: JobContext) -> JobResult:
        """The handler of these jobs. Raises `SortPlanChanged`, and faults that pass."""
        params = context.claim.params
        run = self.run(str(params["run"]))
        if params.get("undo"):
            if run.state is RunState.UNDONE:
                return JobResult()
            ended = self._carrying(context, run).undo()
        else:
            if run.state is RunState.PLANNING:
                run = self._plan(context, run, params.get("accepted"))
            if run.state is not RunState.SORTING:
                return JobResult()
            ended = self._carrying(context, run).sort()
        if not ended:
            return JobResult.stopped()
        return JobResult(write=partial(_finish, run=run, context=context))

    def _plan(self, context: JobContext, run: SortRun, accepted: object) -> SortRun:
        """Make the plan and journal it; a plan that was cut off is made anew."""
        wanted = run.wanted
        source, target = self._tree(wanted.source), self._tree(wanted.target)
        identities = {tree.name: tree.root.identity() for tree in (source, target)}
        count = PlanCount()
        context.run(lambda conn: journal.forget_plan(conn, run))
        meter = _Beat(context)
        planner = Planner(
            self._db, source, target, wanted, self._names, stop=context.stop, meter=meter
        )
        position = 0
        for files in chunked(_counted(planner.files(), count, meter), _ROWS):
            add = partial(
                journal.add_moves, run=run, first=position, files=[f for f in files if f.goes]
            )
            context.run(add)
            position = count.moves
        if accepted is not None and accepted != count.digest:
            context.run(lambda conn: _overtake(conn, run))
            raise SortPlanChanged(
                "What would be moved is not what was accepted",
                subject=run.key,
                expected=accepted,
                found=count.digest,
            )
        context.run(lambda conn: journal.set_planned(conn, run, count, identities))
        reach(SortStep.SORT_PLANNED)
        return self.run(run.key)

    def _carrying(self, context: JobContext, run: SortRun) -> CarryingOut:
        source, target = self._tree(run.wanted.source), self._tree(run.wanted.target)
        return CarryingOut(self._db, context, run, source, target)

    def _planner(self, wanted: Wanted, stop: StopSignal | None = None) -> Planner:
        source, target = self._tree(wanted.source), self._tree(wanted.target)
        planner = Planner(self._db, source, target, wanted, self._names, stop=stop)
        try:
            next(source.root.names(wanted.folder), None)
        except (FileMissing, PathEscapesRoot) as error:
            raise BadSortFolder(
                f"The source has no such folder: {error.message}",
                subject=wanted.folder,
                expected=f"a folder of {wanted.source}",
            ) from error
        return planner

    def _tree(self, name: str) -> SortTree:
        root = self._roots.get(name)
        if root is None:
            raise NotSortable(
                "There is no such tree of photos",
                subject=name,
                expected=", ".join(sorted(self._roots)) or "a source of the kind photos",
            )
        return SortTree(name, root, inodes=name not in self._without_inodes)


class _Beat:
    """Keeps a job's heart beating while a plan is made."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._bytes = 0
        self.files = 0

    def moved(self, count: int) -> None:
        """Bytes were read to compare content."""
        self._bytes += count
        self.report("")

    def skipped(self, count: int) -> None:
        """Nothing is counted."""

    def report(self, current: str) -> None:
        """Say how many files were looked at."""
        self._context.report(
            Progress(items_skipped=self.files, bytes_moved=self._bytes, current=current)
        )


def _counted(files: Iterator[PlannedFile], count: PlanCount, meter: _Beat) -> Iterator[PlannedFile]:
    for file in files:
        count.add(file)
        meter.files += 1
        meter.report(file.source_path)
        yield file


def _require_undoable(conn: Connection, key: str) -> SortRun:
    run = journal.require_run(conn, key)
    if run.state not in {RunState.SORTED, RunState.UNDONE}:
        raise SortNotUndoable(
            "Only a run that has ended can be taken back", subject=key, found=run.state
        )
    return run


def _overtake(conn: Connection, run: SortRun) -> None:
    journal.forget_plan(conn, run)
    journal.set_state(conn, run, RunState.OVERTAKEN, finished_at=now())


def _finish(conn: Connection, *, run: SortRun, context: JobContext) -> Sequence[Entry]:
    """Say that a run has ended; the caller appends the entry."""
    undone = run.state is RunState.UNDOING
    journal.set_state(conn, run, RunState.UNDONE if undone else RunState.SORTED, finished_at=now())
    counted = {state.value: n for state, n in journal.require_run(conn, run.key).moves.items()}
    wanted = run.wanted
    event = (
        PhotosSortUndone(run=run.key, target=wanted.target, moves=counted)
        if undone
        else PhotosSorted(run=run.key, target=wanted.target, pattern=wanted.pattern, moves=counted)
    )
    return [Entry(event, run.actor, wanted.source, None, context.claim.job_id)]
