"""One job: where it stands, what it waits for and what waits for it, its attempts, its log."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from lading.console.graph import DRAWN_MAX, Branch, Drawing, draw, nest
from lading.console.job_words import (
    Around,
    Offer,
    Passed,
    Said,
    kind_word,
    offers_for,
    path_of,
    sentence_of,
)
from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine, awaited_by, job_lines, pulse_of
from lading.console.vocabulary import FAILED_BY_ANOTHER, JOB_LOOKS, Look
from lading.db.clock import now
from lading.db.counting import Count, count_capped
from lading.db.keyset import Key, fetch_page
from lading.jobs.dependencies import chunks
from lading.jobs.figures import Attempt, list_attempts
from lading.jobs.moves import in_state
from lading.jobs.queries import get_intake, get_job, list_workers
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, import_job_dep
from lading.jobs.values import JobRow
from lading.ledger.batches import Batch, get_batches
from lading.ledger.events import (
    ItemFailed,
    JobCancelled,
    JobFailed,
    JobProgress,
    JobReleased,
    JobRescued,
    JobRetrying,
    JobStopRequested,
    ScanRefused,
)
from lading.ledger.item_lists import ItemFilter, ItemPage, list_item_page
from lading.ledger.items import count_outcomes
from lading.ledger.queries import EventView, count_reasons, event_view, list_events
from lading.ledger.states import Outcome
from lading.ledger.tables import ingest_event

GRAPH_MAX: Final = 500
LOG_PAGE: Final = 500
_AHEAD_CAP: Final = 1_000
_WORKERS_WITHIN_S: Final = 3_600.0

LEVELS: Final[Mapping[str, str]] = {
    "error": "Errors",
    "warning": "Warnings",
    "info": "What happened",
    "progress": "Progress",
}
_LEVEL_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "error": frozenset({JobFailed.kind, ItemFailed.kind, ScanRefused.kind}),
    "warning": frozenset(
        {
            JobRetrying.kind,
            JobRescued.kind,
            JobStopRequested.kind,
            JobCancelled.kind,
            JobReleased.kind,
        }
    ),
    "progress": frozenset({JobProgress.kind}),
}

_event = ingest_event.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One job of the graph; `here` is the one the page is of."""

    id: int
    name: str
    look: Look
    here: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs of one kind and state, where there are too many to show each."""

    side: str
    kind: str
    look: Look
    ids: Sequence[int]

    @property
    def kind_word(self) -> str:
        """What people call the kind."""
        return kind_word(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What waits for what around a job. With more than can be drawn, `groups` instead.

    Not `whole`: there are more jobs than were looked at.
    """

    nodes: Mapping[int, Node]
    drawing: Drawing | None = None
    branches: Sequence[Branch] = ()
    groups: Sequence[Group] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with everything around it; `said` is where it stands, in pieces of a sentence."""

    line: JobLine
    at: datetime
    said: Sequence[Said]
    path: Sequence[Passed]
    offers: Sequence[Offer]
    failed_below: int

    @property
    def sentence(self) -> str:
        """Where it stands, in a sentence."""
        return "".join(part.text for part in self.said)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One event of the log with its level."""

    event: EventView
    level: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Events of a job, oldest first, and the ways to their neighbours."""

    lines: Sequence[LogLine]
    next_cursor: str | None
    prev_cursor: str | None
    count: Count


def read_job(console: Console, job_id: int) -> JobView:
    """One job. Raises `JobMissing`."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        job = get_job(conn, job_id)
        (line,) = job_lines(conn, [job], at, pulse)
        around = _around(console, conn, job, line, at)
        below = conn.scalar(
            select(func.count()).where(import_job.c.failed_by == job_id, in_state(JobState.FAILED))
        )
    return JobView(
        line=line,
        at=at,
        said=sentence_of(job, around),
        path=path_of(job, at),
        offers=offers_for(job),
        failed_below=int(below or 0),
    )


def _around(console: Console, conn: Connection, job: JobRow, line: JobLine, at: datetime) -> Around:
    settings = console.lading.settings.worker
    ahead, alive = 0, 1
    if job.status is JobState.QUEUED:
        earlier = or_(
            import_job.c.priority < job.priority,
            (import_job.c.priority == job.priority) & (import_job.c.id < job.id),
        )
        query = select(import_job.c.id).where(in_state(JobState.QUEUED), earlier)
        ahead = count_capped(conn, query, _AHEAD_CAP).value
        workers = list_workers(conn, seen_within_s=_WORKERS_WITHIN_S)
        alive = sum(
            worker.stopped_at is None and worker.silent_s < settings.stale_after_s
            for worker in workers
        )
    ended_by = ended_why = None
    if job.status is JobState.CANCELLED:
        events = list_events(conn, job_id=job.id, kinds=[JobCancelled.kind])
        if events:
            ended_by, ended_why = events[-1].actor, str(events[-1].payload.get("why") or "")
    waits_on = line.waits_on
    if job.status is JobState.WAITING:
        waits_on = awaited_by(conn, [job.id], shown_max=3).get(job.id, ())
    not_before_s = None
    if job.status is JobState.WAITING and job.not_before is not None:
        not_before_s = (job.not_before - at).total_seconds()
    return Around(
        waits_on=waits_on,
        ahead=ahead,
        intake=get_intake(conn),
        workers_alive=alive,
        silent_s=line.silent_s,
        not_before_s=not_before_s,
        stale_after_s=settings.stale_after_s,
        ended_by=ended_by,
        ended_why=ended_why,
    )


def read_graph(console: Console, job_id: int) -> Graph:
    """Everything that a job waits for, and that waits for it, however far."""
    with console.lading.db.read() as conn:
        above, edges = _reach(conn, job_id, up=True)
        below, more = _reach(conn, job_id, up=False)
        edges |= more
        ids = {job_id, *above, *below}
        rows = {}
        for chunk in chunks(ids):
            query = select(
                import_job.c.id, import_job.c.kind, import_job.c.status, import_job.c.failed_by
            ).where(import_job.c.id.in_(chunk))
            rows.update({row.id: row for row in conn.execute(query)})
    nodes = {
        number: Node(
            id=number,
            name=f"{kind_word(row.kind)} {number}",
            look=_look(JobState(row.status), row.failed_by),
            here=number == job_id,
        )
        for number, row in sorted(rows.items())
    }
    whole = len(above) < GRAPH_MAX and len(below) < GRAPH_MAX
    if len(nodes) <= DRAWN_MAX:
        drawing = draw(nodes, edges)
        return Graph(nodes=nodes, drawing=drawing, branches=nest(nodes, edges), whole=whole)
    sides: dict[tuple[str, str, str], list[int]] = {}
    for number, row in sorted(rows.items()):
        if number != job_id:
            side = "before" if number in above else "after"
            look = nodes[number].look
            sides.setdefault((side, row.kind, look.word), []).append(number)
    groups = [
        Group(side, kind, nodes[numbers[0]].look, numbers)
        for (side, kind, _), numbers in sorted(sides.items(), reverse=True)
    ]
    return Graph(nodes=nodes, groups=groups, whole=whole)


def _look(state: JobState, failed_by: int | None) -> Look:
    if state is JobState.FAILED and failed_by is not None:
        return FAILED_BY_ANOTHER
    return JOB_LOOKS[state]


def _reach(conn: Connection, job_id: int, *, up: bool) -> tuple[set[int], set[tuple[int, int]]]:
    """The jobs reached by following what is waited for (or who waits), level by level."""
    dep = import_job_dep.c
    start, end = (dep.job_id, dep.wait_for_id) if up else (dep.wait_for_id, dep.job_id)
    found: set[int] = set()
    edges: set[tuple[int, int]] = set()
    level = {job_id}
    while level and len(found) < GRAPH_MAX:
        reached: set[int] = set()
        for chunk in chunks(level):
            query = select(dep.wait_for_id, dep.job_id).where(start.in_(chunk)).order_by(end)
            for before, after in conn.execute(query.limit(GRAPH_MAX)):
                edges.add((before, after))
                reached.add(before if up else after)
        level = set(sorted(reached - found)[: GRAPH_MAX - len(found)])
        found |= level
    return found, edges


def read_log(
    console: Console,
    job_id: int,
    *,
    levels: Collection[str] = (),
    text: str | None = None,
    start: int | None = None,
    cursor: str | None = None,
) -> LogPage:
    """A page of the job's events, oldest first; with `start`, from that event on.

    Raises `BadCursor`.
    """
    conditions: list[ColumnElement[bool]] = [_event.job_id == job_id]
    if levels:
        conditions.append(or_(*(_of_level(level) for level in sorted(levels))))
    if text:
        # As it stands in the payload, where characters beyond ASCII are escaped.
        stored = json.dumps(text)[1:-1].lower()
        conditions.append(
            or_(
                func.lower(_event.payload).contains(stored, autoescape=True),
                _event.kind.contains(text.lower(), autoescape=True),
            )
        )
    with console.lading.db.read() as conn:
        query = select(ingest_event).where(*conditions)
        shown = query if start is None or cursor is not None else query.where(_event.seq >= start)
        page = fetch_page(conn, shown, [Key(_event.seq)], cursor=cursor, limit=LOG_PAGE)
        count = count_capped(conn, select(_event.seq).where(*conditions))
    lines = [LogLine(event=event_view(row), level=level_of(row.kind)) for row in page.rows]
    return LogPage(lines, page.next_cursor, page.prev_cursor, count)


def level_of(kind: str) -> str:
    """How serious an event of this kind is."""
    return next((level for level, kinds in _LEVEL_KINDS.items() if kind in kinds), "info")


def _of_level(level: str) -> ColumnElement[bool]:
    known = _LEVEL_KINDS.get(level)
    if known is not None:
        return _event.kind.in_(sorted(known))
    others = sorted(kind for kinds in _LEVEL_KINDS.values() for kind in kinds)
    return _event.kind.not_in(others)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobItems:
    """The items of a job's batch as they stand now, and how many came out how."""

    batch: Batch
    page: ItemPage
    counts: Mapping[Outcome, int]


def read_items(
    console: Console, job: JobRow, filters: ItemFilter, *, cursor: str | None, limit: int
) -> JobItems | None:
    """The items a job is about; None for one without a batch. Raises `BadCursor`."""
    if job.batch_id is None:
        return None
    with console.lading.db.read() as conn:
        batch = get_batches(conn, {job.batch_id}).get(job.batch_id)
        if batch is None:
            return None
        return JobItems(
            batch=batch,
            page=list_item_page(conn, batch, filters, cursor=cursor, limit=limit),
            counts=count_outcomes(conn, batch.id, batch.revision),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What went wrong in a job: reasons of its items with their counts, and its own attempts."""

    reasons: Mapping[str, int]
    attempts: Sequence[Attempt]
    batch: Batch | None


def read_troubles(console: Console, job: JobRow) -> Troubles:
    """The attempts at a job, and why items of its batch were refused or failed."""
    with console.lading.db.read() as conn:
        batch = None
        if job.batch_id is not None:
            batch = get_batches(conn, {job.batch_id}).get(job.batch_id)
        reasons = {} if batch is None else count_reasons(conn, batch)
        return Troubles(
            reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
            attempts=list_attempts(conn, job.id),
            batch=batch,
        )


def read_people(console: Console, job_id: int) -> list[EventView]:
    """What people and scripts did to a job, oldest first; workers' events are in the log."""
    with console.lading.db.read() as conn:
        query = (
            select(ingest_event)
            .where(_event.job_id == job_id, _event.actor.not_like("worker:%"))
            .order_by(_event.seq)
            .limit(LOG_PAGE)
        )
        return [event_view(row) for row in conn.execute(query)]
