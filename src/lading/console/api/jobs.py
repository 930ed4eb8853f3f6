"""Jobs and their line: what is at work, waiting, failed and done, and everything about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from sqlalchemy import select

from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    NUMBER_MAX,
    Cursor,
    Export,
    Form,
    Instant,
    Limit,
    Number,
    States,
    Word,
    Words,
    asked,
    reads,
    require_beginning,
)
from lading.console.job_words import Offer, Passed
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.job import (
    LEVELS,
    LogLine,
    read_graph,
    read_job,
    read_log,
    read_troubles,
)
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.readers.jobs import (
    JOB_FIELDS,
    SORTS,
    VIEWS,
    job_filter,
    read_job_list,
    read_line,
)
from lading.db.clock import now
from lading.db.counting import Count
from lading.jobs.figures import Attempt
from lading.jobs.queries import list_jobs
from lading.jobs.states import JobState
from lading.jobs.values import Intake

TAG: Final = "jobs"
LOG_FIELDS: Final = (Field("level", "Level", LEVELS), Field("q", "Text"))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobItem:
    """One job. `silent_s` is its heartbeat's age while it runs; sizes in bytes."""

    id: int
    kind: str
    state: JobState
    said: str
    target: str
    batch_id: int | None
    priority: int
    attempt: int
    attempts_max: int
    worker: str | None
    created_at: datetime
    not_before: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    lasted_s: float | None
    stop_requested: bool
    items_done: int
    items_skipped: int
    items_failed: int
    items_total: int | None
    bytes_moved: int
    bytes_skipped: int
    bytes_total: int | None
    share: float | None
    current: str
    rate_bytes_s: float | None
    eta_s: float | None
    stalled_s: float | None
    silent_s: float | None
    waits_on: Sequence[int]
    error: str | None
    error_code: str | None
    failed_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnswer:
    """One job with its way, its attempts, and what can be done to it now.

    `reasons` counts why items of its batch were refused or failed; `failed_below` the jobs that
    failed because of it.
    """

    job: JobItem
    params: Mapping[str, Any]
    sentence: str
    path: Sequence[Passed]
    offers: Sequence[Offer]
    attempts: Sequence[Attempt]
    reasons: Mapping[str, int]
    failed_below: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One job of the graph; `here` is the one that was asked for."""

    id: int
    name: str
    said: str
    here: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """`after` waits for `before`."""

    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphGroup:
    """Jobs of one kind and state before or after, where there are too many for edges."""

    side: str
    kind: str
    said: str
    ids: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphAnswer:
    """What waits for what around a job; not `whole` when there is more than was looked at."""

    nodes: Sequence[GraphNode]
    edges: Sequence[Edge]
    groups: Sequence[GraphGroup]
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAnswer:
    """The line of jobs that may be claimed, and whether they may; `next` are the first of it."""

    depth: Count
    oldest_s: float | None
    intake: Intake
    next: Sequence[JobItem]


def routes() -> list[HTTPRouteHandler]:
    """The list, one job, its log and graph, and the line."""
    return [list_of_jobs, one_job, log, graph, queue]


def job_item(line: JobLine) -> JobItem:
    """A line as the API tells it."""
    job, pace = line.job, line.pace
    progress = job.progress
    return JobItem(
        id=job.id,
        kind=job.kind,
        state=job.status,
        said=line.look.word,
        target=line.target,
        batch_id=job.batch_id,
        priority=job.priority,
        attempt=job.attempt,
        attempts_max=job.attempts_max,
        worker=job.worker,
        created_at=job.created_at,
        not_before=job.not_before,
        queued_at=job.queued_at,
        started_at=job.started_at,
        heartbeat_at=job.heartbeat_at,
        finished_at=job.finished_at,
        lasted_s=line.lasted_s,
        stop_requested=job.stop_requested,
        items_done=progress.items_done,
        items_skipped=progress.items_skipped,
        items_failed=progress.items_failed,
        items_total=progress.items_total,
        bytes_moved=progress.bytes_moved,
        bytes_skipped=progress.bytes_skipped,
        bytes_total=progress.bytes_total,
        share=progress.share,
        current=progress.current,
        rate_bytes_s=pace.rate_bytes_s if pace else None,
        eta_s=pace.eta_s if pace else None,
        stalled_s=pace.stalled_s if pace else None,
        silent_s=line.silent_s,
        waits_on=[awaited.id for awaited in line.waits_on],
        error=job.error,
        error_code=job.error_code,
        failed_by=job.failed_by,
    )


@reads("/jobs", "Jobs, the newest first", tag=TAG, operation_class=Export)
def list_of_jobs(
    console: NamedDependency[Console],
    *,
    view: Word = None,
    states: States = None,
    kind: Words = None,
    reason: Word = None,
    worker: Word = None,
    failed_by: Annotated[int | None, QueryParameter(ge=1, le=NUMBER_MAX)] = None,
    since: Instant = None,
    q: Word = None,
    sort: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[JobItem]]:
    """A page of jobs, or all of them."""
    query = asked(
        JOB_FIELDS,
        {
            "state": states,
            "kind": kind,
            "reason": reason,
            "worker": worker,
            "failed_by": None if failed_by is None else str(failed_by),
            "since": since,
            "q": q,
        },
        cursor=cursor,
        limit=limit,
        sort=sort,
        sorts=SORTS,
        extra={"view": (view or "all", list(VIEWS))},
    )
    if form == "json":
        found = read_job_list(console, query)
        return Response(many([job_item(line) for line in found.lines], found, found.matching))
    filters, pulse = job_filter(query), pulse_of(console)
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[JobItem], str | None]:
        with console.lading.db.read() as conn:
            at = conn.scalars(select(now())).one()
            page = list_jobs(conn, filters, sort=query.sort, cursor=after, limit=EXPORT_PAGE)
            lines = job_lines(conn, page.jobs, at, pulse)
        return [job_item(line) for line in lines], page.next_cursor

    return export("jobs", form, fetch, JobItem)


@reads("/jobs/{job_id:int}", "One job", tag=TAG)
def one_job(console: NamedDependency[Console], job_id: Number) -> JobAnswer:
    """Where a job stands."""
    found = read_job(console, job_id)
    troubles = read_troubles(console, found.line.job)
    return JobAnswer(
        job=job_item(found.line),
        params=found.line.job.params,
        sentence=found.sentence,
        path=found.path,
        offers=found.offers,
        attempts=troubles.attempts,
        reasons=troubles.reasons,
        failed_below=found.failed_below,
    )


@reads(
    "/jobs/{job_id:int}/log",
    "The events of a job, the oldest first",
    tag=TAG,
    operation_class=Export,
)
def log(
    console: NamedDependency[Console],
    job_id: Number,
    *,
    level: Words = None,
    q: Word = None,
    cursor: Cursor = None,
    form: Form = "json",
) -> Response[Many[LogLine]]:
    """A page of the log, or all of it."""
    query = asked(LOG_FIELDS, {"level": level, "q": q}, cursor=cursor)
    read_job(console, job_id)
    levels, text = query.many("level"), query.one("q")
    if form == "json":
        page = read_log(console, job_id, levels=levels, text=text, cursor=query.cursor)
        return Response(many(page.lines, page, page.count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[LogLine], str | None]:
        found = read_log(console, job_id, levels=levels, text=text, cursor=after)
        return found.lines, found.next_cursor

    return export(f"job-{job_id}-log", form, fetch, LogLine)


@reads("/jobs/{job_id:int}/graph", "What a job waits for, and what waits for it", tag=TAG)
def graph(console: NamedDependency[Console], job_id: Number) -> GraphAnswer:
    """The graph around a job."""
    read_job(console, job_id)
    found = read_graph(console, job_id)
    lines = found.drawing.lines if found.drawing else ()
    return GraphAnswer(
        nodes=[
            GraphNode(id=node.id, name=node.name, said=node.look.word, here=node.here)
            for node in found.nodes.values()
        ],
        edges=[Edge(line.before, line.after) for line in lines],
        groups=[
            GraphGroup(side=one.side, kind=one.kind, said=one.look.word, ids=one.ids)
            for one in found.groups
        ],
        whole=found.whole,
    )


@reads("/queue", "The line of jobs: how long, since when, who is next", tag=TAG)
def queue(console: NamedDependency[Console]) -> QueueAnswer:
    """The line as it stands."""
    line = read_line(console)
    return QueueAnswer(
        depth=line.depth,
        oldest_s=line.oldest_s,
        intake=line.intake,
        next=[job_item(one) for one in line.next],
    )
