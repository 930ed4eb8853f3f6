"""What people do to many things at once: select, preview, start, undo, and look at what became.

An operation works on what its selection held when it was started, and on nothing that came later.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Select, insert, select, update

from lading.db.clock import now
from lading.ingest import Ingest
from lading.jobs.context import Handler
from lading.jobs.values import NewJob
from lading.ledger.chain import Entry, append_all
from lading.ledger.operation_events import OperationStarted
from lading.library.tables import photo_date_change
from lading.operations import queries, selections
from lading.operations.carrying_out import run_at_once, run_operation
from lading.operations.errors import BadOperation, NotUndoable
from lading.operations.filters import Raw
from lading.operations.params import checked_params
from lading.operations.photo_dates import DATE_VERBS
from lading.operations.previews import count, preview
from lading.operations.problem_desk import Problems
from lading.operations.queries import OperationFilter
from lading.operations.rules import (
    INLINE_TARGETS_MAX,
    INVERSES,
    require_verb,
    undo_params,
)
from lading.operations.scans import SCAN_JOB_KIND, enqueue_scan, run_scan
from lading.operations.states import OperationState, TargetOutcome
from lading.operations.subjects import subject
from lading.operations.tables import operation, operation_result
from lading.operations.values import (
    Operation,
    OperationPage,
    Preview,
    Resource,
    ResultPage,
    Selection,
    Targets,
    Verb,
)

OPERATION_JOB_KIND: Final = "operation"
UNDO_FOR_S: Final = 30 * 86_400.0
OPERATION_PRIORITY: Final = 3
"""Ahead of imports: someone waits for it."""

_OPERATION_ATTEMPTS_MAX: Final = 12

Entries = list[Entry]  # the class below has a `list` of its own


class Operations:
    """Selections and operations of one installation. Safe to share between threads."""

    def __init__(self, ingest: Ingest, *, undo_for_s: float = UNDO_FOR_S) -> None:
        self.ingest = ingest
        self.undo_for_s = undo_for_s
        self._db = ingest.parts.db
        self._queue = ingest.parts.queue
        self.problems = Problems(self)

    # -- selections

    def select(self, resource: Resource | str, filters: Raw, *, actor: str) -> Selection:
        """Select everything that matches now. Raises `BadFilter`."""
        wanted = _resource(resource)
        return self._db.run(
            lambda conn: selections.select_matching(conn, wanted, filters, actor=actor)
        )

    def select_ids(self, resource: Resource | str, ids: Iterable[int], *, actor: str) -> Selection:
        """Select things by number; without any, an empty selection to add to.

        Raises `TargetMissing`.
        """
        wanted, numbers = _resource(resource), sorted(set(ids))
        return self._db.run(lambda conn: selections.make_of(conn, wanted, numbers, actor=actor))

    def select_query(self, resource: Resource, wanted: Select[Any], *, actor: str) -> Selection:
        """Select what a query of numbers gives now, as a group of problems is one."""
        return self._db.run(lambda conn: selections.make(conn, resource, wanted, actor=actor))

    def get_selection(self, key: str) -> Selection:
        """One selection. Raises `UnknownSelection`."""
        with self._db.read() as conn:
            return selections.require(conn, key)

    def change_selection(
        self, key: str, *, add: Iterable[int] = (), remove: Iterable[int] = ()
    ) -> Selection:
        """Put things into a selection and take others out, in one step.

        Raises `UnknownSelection`, `SelectionClosed`.
        """
        more, fewer = sorted(set(add)), sorted(set(remove))

        def work(conn: Connection) -> Selection:
            chosen = selections.require(conn, key)
            if more:
                chosen = selections.change(conn, key, more, add=True)
            if fewer:
                chosen = selections.change(conn, key, fewer, add=False)
            return chosen

        return self._db.run(work)

    def selected_among(self, key: str, ids: Sequence[int]) -> set[int]:
        """Which of `ids`, those of one page, are selected. Raises `UnknownSelection`."""
        with self._db.read() as conn:
            return selections.members_among(conn, selections.require(conn, key).id, ids)

    # -- operations

    def preview(
        self, verb: Verb | str, targets: Targets, params: Mapping[str, Any] | None = None
    ) -> Preview:
        """What `start` would do now; nothing is kept of it.

        Raises `BadOperation`, `UnknownSelection`, `TargetMissing`, `UnknownSite`,
        `UnknownPackage`.
        """
        wanted, paused = _verb(verb), self._queue.intake().paused

        def look(conn: Connection) -> Preview:
            chosen = self._chosen(conn, targets, actor="preview")
            require_verb(wanted, chosen.resource)
            checked = checked_params(wanted, params or {})
            return preview(conn, self.ingest.parts, chosen, wanted, checked, intake_paused=paused)

        if targets.selection is not None:
            with self._db.read() as conn:
                return look(conn)
        # Numbers are made a selection to be looked at like one, and that is taken back.
        return self._db.run(lambda conn: _taken_back(conn, look))

    def preview_query(
        self,
        verb: Verb,
        resource: Resource,
        wanted: Select[Any],
        params: Mapping[str, Any] | None = None,
    ) -> Preview:
        """What `start` would do to what a query of numbers gives now. Raises `BadOperation`."""
        paused = self._queue.intake().paused

        def look(conn: Connection) -> Preview:
            chosen = selections.make(conn, resource, wanted, actor="preview")
            checked = checked_params(verb, params or {})
            return preview(conn, self.ingest.parts, chosen, verb, checked, intake_paused=paused)

        return self._db.run(lambda conn: _taken_back(conn, look))

    def preview_undo(self, key: str) -> Preview:
        """What `undo` would do now; nothing is kept of it. Raises what `undo` raises."""
        paused = self._queue.intake().paused

        def look(conn: Connection) -> Preview:
            undone = queries.require_operation(conn, key)
            inverse, chosen, params = _inverse_of(conn, undone, actor="preview")
            return preview(conn, self.ingest.parts, chosen, inverse, params, intake_paused=paused)

        return self._db.run(lambda conn: _taken_back(conn, look))

    def start(
        self,
        verb: Verb | str,
        targets: Targets,
        params: Mapping[str, Any] | None = None,
        *,
        actor: str,
    ) -> Operation:
        """Do `verb` to the targets: few and quick ones now, otherwise by a job.

        What is not fit for it any more is skipped, with a code. Raises what `preview` raises.
        """
        wanted = _verb(verb)

        def begin(conn: Connection) -> tuple[int, bool]:
            chosen = self._chosen(conn, targets, actor=actor)
            require_verb(wanted, chosen.resource)
            if targets.selection is not None:
                chosen = selections.copy(conn, chosen, actor=actor)
            checked = checked_params(wanted, params or {})
            return self._begin(conn, wanted, chosen, checked, actor=actor)

        return self._carry_on(*self._db.run(begin))

    def undo(self, key: str, *, actor: str) -> Operation:
        """Take back what an operation really changed, and nothing else.

        Raises `UnknownOperation` and `NotUndoable`.
        """
        return self._carry_on(*self._db.run(lambda conn: self._begin_undo(conn, key, actor)))

    def get(self, key: str) -> Operation:
        """One operation. Raises `UnknownOperation`."""
        with self._db.read() as conn:
            return queries.require_operation(conn, key)

    def list(
        self,
        filters: OperationFilter = OperationFilter(),  # noqa: B008 - frozen
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> OperationPage:
        """A page of operations, newest first. Raises `BadCursor`."""
        with self._db.read() as conn:
            return queries.list_operations(conn, filters, cursor=cursor, limit=limit)

    def results(
        self,
        key: str,
        *,
        outcome: TargetOutcome | Collection[TargetOutcome] = (),
        cursor: str | None = None,
        limit: int = 50,
    ) -> ResultPage:
        """A page of what became of the targets. Raises `UnknownOperation`, `BadCursor`."""
        outcomes = [outcome] if isinstance(outcome, TargetOutcome) else outcome
        with self._db.read() as conn:
            found = queries.require_operation(conn, key)
            return queries.list_results(
                conn, found.id, outcomes=outcomes, cursor=cursor, limit=limit
            )

    # -- scans

    def request_scan(
        self, source: str, *, actor: str, accept_root: bool = False, folder: str | None = None
    ) -> int:
        """Have a worker scan a source, or a `folder` of it; the job, also one that waits already.

        Raises `UnknownSource`, `NoFolderScans`, and `RequestError` for what is no folder.
        """
        return enqueue_scan(
            self.ingest.parts, source, actor=actor, accept_root=accept_root, folder=folder
        )

    def handlers(self) -> Mapping[str, Handler]:
        """What a worker needs to carry out operations and scans."""
        return {
            OPERATION_JOB_KIND: partial(run_operation, self.ingest),
            SCAN_JOB_KIND: partial(run_scan, self.ingest),
        }

    # -- how it is begun

    def _chosen(self, conn: Connection, targets: Targets, *, actor: str) -> Selection:
        if targets.selection is not None:
            return selections.require(conn, targets.selection)
        if targets.resource is None:
            raise BadOperation(
                "it must be said what the numbers are of", subject="resource", expected="a resource"
            )
        if not targets.ids:
            raise BadOperation("there is nothing to do it to", subject="targets")
        return selections.make_of(conn, targets.resource, targets.ids, actor=actor)

    def _begin(
        self,
        conn: Connection,
        verb: Verb,
        chosen: Selection,
        params: Mapping[str, Any],
        *,
        actor: str,
        undoes: Operation | None = None,
    ) -> tuple[int, bool]:
        """Record the operation; its number, and whether it is to be carried out at once."""
        about = subject(conn, chosen.resource, verb, params, chosen.id)
        few = chosen.count <= INLINE_TARGETS_MAX and verb is not Verb.PREFLIGHT
        at_once = few and not count(conn, about)[0].auto_preflight
        key = selections.new_key("op")
        row: dict[str, Any] = {
            "key": key,
            "verb": verb.value,
            "resource": chosen.resource.value,
            "params": json.dumps(dict(params), sort_keys=True),
            "actor": actor[:190],
            "selection_id": chosen.id,
            "as_of": chosen.as_of,
            "state": OperationState.RUNNING.value,
            "total": chosen.count,
            **dict.fromkeys(TargetOutcome, 0),
            "undoes_id": undoes.id if undoes else None,
        }
        until = now(self.undo_for_s) if verb in INVERSES else None
        inserted = conn.execute(
            insert(operation).values(**row, created_at=now(), undo_until=until)
        ).inserted_primary_key
        operation_id = int(inserted[0]) if inserted is not None else 0
        event = OperationStarted(
            operation=key,
            verb=verb.value,
            resource=chosen.resource.value,
            targets=chosen.count,
            selection=chosen.key,
            digest=chosen.digest,
            params=dict(params) or None,
            undoes=undoes.key if undoes else None,
        )
        job_id: int | None = None
        entries: Entries = []
        if not at_once:
            job_id = self._enqueue(conn, operation_id, actor=actor, entries=entries)
        append_all(conn, [Entry(event, actor, job_id=job_id), *entries])
        return operation_id, at_once

    def _enqueue(self, conn: Connection, operation_id: int, *, actor: str, entries: Entries) -> int:
        job = NewJob(
            OPERATION_JOB_KIND,
            params={"operation": operation_id},
            priority=OPERATION_PRIORITY,
            active_key=f"{OPERATION_JOB_KIND}:{operation_id}",
            attempts_max=_OPERATION_ATTEMPTS_MAX,
        )
        (enqueued,) = self._queue.enqueue(conn, [job], actor=actor, entries=entries)
        conn.execute(
            update(operation).where(operation.c.id == operation_id).values(job_id=enqueued.job_id)
        )
        return enqueued.job_id

    def _carry_on(self, operation_id: int, at_once: bool) -> Operation:
        with self._db.read() as conn:
            begun = queries.require_operation_by_id(conn, operation_id)
        if not at_once:
            return begun
        run_at_once(self.ingest, begun)
        return self.get(begun.key)

    def _begin_undo(self, conn: Connection, key: str, actor: str) -> tuple[int, bool]:
        conn.execute(select(operation.c.id).where(operation.c.key == key).with_for_update())
        undone = queries.require_operation(conn, key)
        inverse, chosen, params = _inverse_of(conn, undone, actor=actor)
        begun = self._begin(conn, inverse, chosen, params, actor=actor, undoes=undone)
        conn.execute(
            update(operation).where(operation.c.id == undone.id).values(undone_by_id=begun[0])
        )
        return begun


def _inverse_of(
    conn: Connection, undone: Operation, *, actor: str
) -> tuple[Verb, Selection, Mapping[str, Any]]:
    """The verb that takes an operation back, what it is to be done to, and its parameters."""
    _require_undoable(undone)
    result = operation_result.c
    by_job = undone.verb is Verb.CANCEL
    wanted = select(result.job_id if by_job else result.target_id).where(
        result.operation_id == undone.id,
        result.outcome == TargetOutcome.DONE.value,
        # What has a code was done in a way that cannot be taken back exactly.
        result.code.is_(None),
    )
    if undone.verb in DATE_VERBS:
        # With what was dated along, and what took the place of a file since.
        changed = photo_date_change.c
        wanted = select(changed.asset_id).where(changed.operation == undone.key)
    resource = Resource.JOBS if by_job else undone.resource
    chosen = selections.make(conn, resource, wanted, actor=actor)
    if not chosen.count:
        raise NotUndoable("nothing of it can be taken back exactly", subject=undone.key)
    return INVERSES[undone.verb], chosen, undo_params(undone.verb, undone.params, undone.key)


def _require_undoable(undone: Operation) -> None:
    if undone.undoable:
        return
    if undone.verb not in INVERSES:
        said = "this cannot be taken back"
    elif undone.undone_by is not None:
        said = f"it was taken back by {undone.undone_by}"
    elif undone.state is not OperationState.DONE:
        said = "it has not been carried out to its end"
    elif not undone.totals[TargetOutcome.DONE]:
        said = "it changed nothing"
    else:
        said = "the time to take it back is over"
    raise NotUndoable(said, subject=f"{undone.key} ({undone.verb})")


def _resource(name: Resource | str) -> Resource:
    try:
        return Resource(name)
    except ValueError:
        raise BadOperation(
            "there is no such resource", subject=name, expected=", ".join(Resource)
        ) from None


def _verb(name: Verb | str) -> Verb:
    try:
        return Verb(name)
    except ValueError:
        raise BadOperation(
            "there is no such verb", subject=name, expected=", ".join(Verb)
        ) from None


def _taken_back(conn: Connection, look: Any) -> Preview:
    """What `look` says, with whatever it wrote undone."""
    aside = conn.begin_nested()
    try:
        found: Preview = look(conn)
        return found
    finally:
        aside.rollback()
