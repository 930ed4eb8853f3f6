"""The import queue as the page and the API show it: batches, their jobs, what is planned of them.

Every number of a tab comes from the query of the list that the tab opens.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select

from lading.base.identifiers import is_sync_id
from lading.console.job_words import kind_word
from lading.console.listing import Field, ListQuery
from lading.console.parts import Console
from lading.console.vocabulary import BATCH_LOOKS
from lading.db.counting import COUNT_CAP, Count, count_capped, count_each_capped
from lading.jobs.queries import newest_jobs, next_jobs
from lading.jobs.values import PRIORITY_MIN, JobRow
from lading.ledger.batch_lists import (
    BatchFilter,
    batch_conditions,
    list_batches,
    look_up_names,
)
from lading.ledger.batches import Batch, get_batches
from lading.ledger.events import BatchFinished, BatchPreflighted
from lading.ledger.states import ACTIVE_BATCH_STATES, FINAL_BATCH_STATES, BatchState
from lading.ledger.tables import ingest_batch, ingest_event
from lading.operations.rules import PROBLEM_BATCH_STATES
from lading.operations.selections import members_among
from lading.operations.values import Selection

S = BatchState


@dataclass(frozen=True, slots=True)
class View:
    """A tab: the states under it. Pending batches with a reason against them wait for someone
    else, those without for us; `hindered` says which of them are meant.
    """

    label: str
    states: frozenset[BatchState]
    hindered: bool | None = None


VIEWS: Final[Mapping[str, View]] = {
    "needs_me": View("Needs me", PROBLEM_BATCH_STATES | {S.PENDING}, hindered=True),
    "ready": View("Ready", frozenset({S.PENDING, S.PREFLIGHT_PASSED}), hindered=False),
    "in_progress": View("In progress", frozenset({S.PREFLIGHTING, S.QUEUED, S.IMPORTING})),
    "done": View("Done", FINAL_BATCH_STATES - PROBLEM_BATCH_STATES),
    "all": View("All", frozenset(S)),
}
"""The tabs of the queue; each batch is under exactly one of them, and under "All"."""

BATCH_TYPES: Final = {
    name: name.capitalize() for name in ("asset", "gallery", "collection", "event")
}
BATCH_ACTIONS: Final = {name: name.capitalize() for name in ("import", "update", "remove")}
SORTS: Final = ("import_queue", "-updated", "updated")
NEXT_IN_LINE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One batch of the list. `parts` says what its items are to become, or became, by word.

    `job` is its newest import job, `ticked` whether it is in the selection of the page.
    """

    batch: Batch
    job: JobRow | None = None
    parts: Mapping[str, int] | None = None
    ticked: bool = False

    @property
    def busy(self) -> bool:
        """Whether its job is unfinished, so that its progress is worth a bar."""
        return self.batch.state in ACTIVE_BATCH_STATES and self.job is not None

    @property
    def url(self) -> str:
        """The page of the batch."""
        return batch_url(self.batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """One tab with how many batches are under it."""

    name: str
    label: str
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportQueue:
    """One page of the import queue. `matching` counts what the list has on all its pages."""

    lines: Sequence[QueueLine]
    next_cursor: str | None
    prev_cursor: str | None
    view: str
    views: Sequence[QueueView]
    by_state: Mapping[BatchState, Count]  # of those under this tab
    total: Count
    matching: Count
    selection: Selection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InLine:
    """A queued job, in the order in which workers will take them.

    `first_priority` is what would put it before all others; None where that is not possible.
    """

    job: JobRow
    batch: Batch | None
    first_priority: int | None

    @property
    def words(self) -> str:
        """What kind of job it is."""
        return kind_word(self.job.kind)

    @property
    def batch_url(self) -> str | None:
        """The page of its batch."""
        return batch_url(self.batch) if self.batch else None


def batch_url(batch: Batch) -> str:
    """The page of a batch: by its key where that is a UUID, else by its number.

    Folders of several sources may have one name, and digits in an address are a number.
    """
    return f"/import/batches/{batch.batch_key if is_sync_id(batch.batch_key) else batch.id}"


def queue_fields(sources: Collection[str]) -> tuple[Field, ...]:
    """The filters of the list, for these sources."""
    return (
        Field("status", "Status", {state.value: look.word for state, look in BATCH_LOOKS.items()}),
        Field("type", "Type", BATCH_TYPES),
        Field("action", "Action", BATCH_ACTIONS),
        Field("source", "Source", {name: name for name in sources}),
        Field("q", "Batch"),
        Field("updated_after", "Updated after", kind="instant"),
        Field("updated_before", "Updated before", kind="instant"),
    )


def view_of(query: ListQuery) -> str:
    """The tab that the address names; all of them without one."""
    return query.extra.get("view", "all")


def batch_filter(query: ListQuery) -> BatchFilter:
    """The filter of the list: the states of its tab, narrowed by the status if one is chosen."""
    view = VIEWS[view_of(query)]
    chosen = {BatchState(value) for value in query.many("status")}
    wanted = view.states & chosen if chosen else view.states
    return BatchFilter(
        states=() if wanted == frozenset(S) else sorted(wanted),
        source=query.one("source"),
        type=query.one("type"),
        action=query.one("action"),
        q=query.one("q"),
        updated_after=query.instant("updated_after"),
        updated_before=query.instant("updated_before"),
        hindered=view.hindered,
        # A status that is not under this tab: nothing is.
        ids=None if wanted else (),
    )


def selection_filter(filters: BatchFilter) -> dict[str, str]:
    """The filter as a selection of all that match takes it."""
    found = {
        "states": ",".join(filters.states),
        "source": filters.source or "",
        "type": filters.type or "",
        "action": filters.action or "",
        "q": filters.q or "",
        "updated_after": filters.updated_after.isoformat() if filters.updated_after else "",
        "updated_before": filters.updated_before.isoformat() if filters.updated_before else "",
        "hindered": "" if filters.hindered is None else str(filters.hindered).lower(),
    }
    return {name: text for name, text in found.items() if text}


def read_import_queue(
    console: Console, query: ListQuery, *, selection: Selection | None = None
) -> ImportQueue:
    """One page of the queue. Raises `BadCursor` and `UnknownSort`."""
    filters = batch_filter(query)
    with console.lading.db.read() as conn:
        page = list_batches(conn, filters, sort=query.sort, cursor=query.cursor, limit=query.limit)
        counts = count_batches(conn, filters)
        lines = read_lines(conn, page.batches, selection=selection)
    view = VIEWS[view_of(query)]
    by_state = {
        state: _sum(counts, View("", frozenset({state}), view.hindered))
        for state in BatchState
        if state in view.states
    }
    matching = View("", frozenset(filters.states) or view.states, view.hindered)
    return ImportQueue(
        lines=lines,
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
        view=view_of(query),
        views=[
            QueueView(name=name, label=each.label, count=_sum(counts, each))
            for name, each in VIEWS.items()
        ],
        by_state=by_state,
        total=_sum(counts, VIEWS["all"]),
        matching=Count(0) if filters.ids is not None else _sum(counts, matching),
        selection=selection,
    )


Counts = Mapping[tuple[BatchState, bool], Count]


def count_batches(conn: Connection, filters: BatchFilter) -> Counts:
    """How many batches of the whole set are in each state, with and without a reason against them.

    The filter's own states do not count. Only pending ones are told apart.
    """
    filters = look_up_names(conn, replace(filters, states=(), ids=None, hindered=None))
    queries = {}
    for state in BatchState:
        for hindered in (False, True) if state is S.PENDING else (False,):
            wanted = replace(
                filters, states=[state], hindered=hindered if state is S.PENDING else None
            )
            queries[state, hindered] = select(ingest_batch.c.id).where(*batch_conditions(wanted))
    return count_each_capped(conn, queries, COUNT_CAP)


def count_views(conn: Connection, filters: BatchFilter) -> dict[str, Count]:
    """How many batches are under each tab."""
    counts = count_batches(conn, filters)
    return {name: _sum(counts, view) for name, view in VIEWS.items()}


def count_view(conn: Connection, name: str) -> Count:
    """How many batches are under one tab."""
    return count_capped(conn, select(ingest_batch.c.id).where(*_under(name)))


def has_any(conn: Connection, name: str) -> bool:
    """Whether any batch is under this tab."""
    return conn.execute(select(ingest_batch.c.id).where(*_under(name)).limit(1)).first() is not None


def _under(name: str) -> list[ColumnElement[bool]]:
    view = VIEWS[name]
    return batch_conditions(BatchFilter(states=sorted(view.states), hindered=view.hindered))


def count_newer(conn: Connection, since_seq: int) -> int:
    """How many batches were found since this event; at most as many as are ever counted."""
    event = ingest_event.c
    newer = (
        select(event.seq)
        .where(event.kind == "batch_found", event.seq > since_seq)
        .limit(COUNT_CAP)
        .subquery()
    )
    return int(conn.scalar(select(func.count()).select_from(newer)) or 0)


def read_lines(
    conn: Connection, batches: Sequence[Batch], *, selection: Selection | None = None
) -> list[QueueLine]:
    """Batches with what the list shows beside them, in a constant number of statements."""
    ids = [batch.id for batch in batches]
    if not ids:
        return []
    jobs = newest_jobs(conn, ids)
    parts = _parts(conn, batches)
    ticked = members_among(conn, selection.id, ids) if selection else set()
    return [
        QueueLine(
            batch=batch,
            job=jobs.get(batch.id),
            parts=parts.get(batch.id),
            ticked=batch.id in ticked,
        )
        for batch in batches
    ]


def read_lines_by_id(
    console: Console, ids: Collection[int], *, selection: Selection | None = None
) -> list[QueueLine]:
    """The lines of these batches, for the live stream."""
    with console.lading.db.read() as conn:
        found = get_batches(conn, sorted(ids))
        return read_lines(conn, [found[number] for number in sorted(found)], selection=selection)


def read_next_in_line(console: Console, limit: int = NEXT_IN_LINE) -> list[InLine]:
    """The jobs that workers will take next: by priority, then first in, first out (A7)."""
    with console.lading.db.read() as conn:
        jobs = next_jobs(conn, limit)
        batches = get_batches(conn, [j.batch_id for j in jobs if j.batch_id is not None])
    return [
        InLine(
            job=found,
            batch=batches.get(found.batch_id) if found.batch_id else None,
            first_priority=_priority_before(jobs[0], found),
        )
        for found in jobs
    ]


def _priority_before(first: JobRow, job: JobRow) -> int | None:
    if job.id == first.id or first.priority <= PRIORITY_MIN:
        return None
    return first.priority - 1


def _parts(conn: Connection, batches: Sequence[Batch]) -> dict[int, Mapping[str, int]]:
    """What the newest preflight planned, or the newest import did, by batch.

    Taken from their events: counting the items of a whole page of batches would be dear.
    """
    wanted = [batch.id for batch in batches if batch.state in _KNOWN_PARTS]
    if not wanted:
        return {}
    event = ingest_event.c
    newest = (
        select(event.seq)
        .where(
            event.batch_id == ingest_batch.c.id,
            event.kind.in_((BatchPreflighted.kind, BatchFinished.kind)),
        )
        .order_by(event.seq.desc())
        .limit(1)
        .correlate(ingest_batch)
        .scalar_subquery()
    )
    seqs = [
        row.seq
        for row in conn.execute(select(newest.label("seq")).where(ingest_batch.c.id.in_(wanted)))
        if row.seq is not None
    ]
    rows = conn.execute(
        select(event.batch_id, event.kind, event.payload).where(event.seq.in_(seqs))
    )
    return {row.batch_id: _counted(row.kind, json.loads(row.payload)) for row in rows}


_KNOWN_PARTS: Final = frozenset(S) - {S.PENDING, S.PREFLIGHTING, S.PREFLIGHT_STALE, S.SUPERSEDED}


def _counted(kind: str, payload: Mapping[str, Any]) -> Mapping[str, int]:
    counts: Mapping[str, int] = payload.get(
        "outcomes" if kind == BatchFinished.kind else "decisions", {}
    )
    return {name: count for name, count in counts.items() if count}


def _sum(counts: Counts, view: View) -> Count:
    found = [
        count
        for (state, hindered), count in counts.items()
        if state in view.states
        and (state is not S.PENDING or view.hindered is None or view.hindered is hindered)
    ]
    value = sum(count.value for count in found)
    return Count(min(value, COUNT_CAP), exact=value <= COUNT_CAP and all(c.exact for c in found))
