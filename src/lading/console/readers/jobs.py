"""The queue as the page and the API show it: jobs by tab, failures by reason, who is next.

Every number of a tab comes from the query of the list that the tab opens.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from lading.console.charts import Span, spans
from lading.console.job_words import KIND_WORDS, kind_word
from lading.console.listing import Field, ListQuery
from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.vocabulary import JOB_LOOKS
from lading.db.clock import now
from lading.db.counting import COUNT_CAP, Count, count_capped
from lading.jobs.figures import FailureGroup, KindDurations, durations, failure_groups
from lading.jobs.queries import (
    count_jobs_by_state,
    get_intake,
    job_row,
    list_jobs,
    next_jobs,
    oldest_queued_s,
)
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import Intake, JobFilter
from lading.ledger.events import JobQueued
from lading.ledger.tables import ingest_event
from lading.operations.selections import members_among
from lading.operations.values import Selection

S = JobState

VIEWS: Final[Mapping[str, tuple[str, frozenset[JobState]]]] = {
    "active": ("Active", frozenset({S.RUNNING, S.PAUSED})),
    "waiting": ("Waiting", frozenset({S.QUEUED, S.WAITING})),
    "failed": ("Failed", frozenset({S.FAILED})),
    "done": ("Done", frozenset({S.DONE, S.CANCELLED})),
    "all": ("All", frozenset(S)),
}
"""The tabs of the list; each state but for "All" is under exactly one of them."""

JOB_FIELDS: Final = (
    Field("state", "State", {state.value: look.word for state, look in JOB_LOOKS.items()}),
    Field("kind", "Kind", KIND_WORDS),
    Field("reason", "Reason"),
    Field("worker", "Worker"),
    Field("failed_by", "Failed because of job", kind="number"),
    Field("since", "Made since", kind="instant"),
    Field("q", "Bundle or number"),
)
SORTS: Final = ("-id", "id")
NEXT_IN_LINE: Final = 10
RUNNING_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsView:
    """One tab with how many jobs are under it."""

    name: str
    label: str
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long jobs of one kind take, with the bar to draw."""

    facts: KindDurations
    span: Span

    @property
    def kind_word(self) -> str:
        """What people call the kind."""
        return kind_word(self.facts.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Failed jobs of one kind and reason, and the list of just these."""

    group: FailureGroup
    url: str

    @property
    def kind_word(self) -> str:
        """What people call the kind."""
        return kind_word(self.group.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The line of jobs that may be claimed, and whether they may."""

    depth: Count
    oldest_s: float | None
    intake: Intake
    next: Sequence[JobLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """One page of jobs under one tab."""

    lines: Sequence[JobLine]
    next_cursor: str | None
    prev_cursor: str | None
    view: str
    views: Sequence[JobsView]
    by_state: Mapping[JobState, Count]
    matching: Count
    total: Count
    at: datetime
    selection: Selection | None = None


def view_of(query: ListQuery) -> str:
    """The tab that the address names; with a state chosen all of them, otherwise the active."""
    return query.extra.get("view") or ("all" if query.many("state") else "active")


def job_filter(query: ListQuery) -> JobFilter:
    """The filter of the list: the states of its tab, narrowed by the state if one is chosen."""
    states: frozenset[JobState] = VIEWS[view_of(query)][1]
    chosen = {JobState(value) for value in query.many("state")}
    wanted = states & chosen if chosen else states
    return JobFilter(
        states=() if wanted == frozenset(S) else sorted(wanted),
        kinds=query.many("kind"),
        reason=query.one("reason"),
        worker=query.one("worker"),
        failed_by=query.number("failed_by"),
        since=query.instant("since"),
        q=query.one("q"),
        # A state that is not under this tab: nothing is.
        ids=None if wanted else (),
    )


def selection_filter(filters: JobFilter) -> dict[str, str]:
    """The filter as a selection of all that match takes it."""
    found = {
        "states": ",".join(filters.states),
        "kinds": ",".join(filters.kinds),
        "reason": filters.reason or "",
        "worker": filters.worker or "",
        "failed_by": "" if filters.failed_by is None else str(filters.failed_by),
        "since": "" if filters.since is None else filters.since.isoformat(),
        "q": filters.q or "",
    }
    return {name: text for name, text in found.items() if text}


def read_job_list(
    console: Console, query: ListQuery, *, selection: Selection | None = None
) -> JobList:
    """One page of jobs. Raises `BadCursor` and `UnknownSort`."""
    filters = job_filter(query)
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        page = list_jobs(conn, filters, sort=query.sort, cursor=query.cursor, limit=query.limit)
        by_state = count_jobs_by_state(conn, replace(filters, states=(), ids=None))
        ids = [job.id for job in page.jobs]
        ticked = members_among(conn, selection.id, ids) if selection and ids else set()
        lines = job_lines(conn, page.jobs, at, pulse, ticked=ticked)
    return JobList(
        lines=lines,
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
        view=view_of(query),
        views=[
            JobsView(name=name, label=label, count=_sum(by_state, states))
            for name, (label, states) in VIEWS.items()
        ],
        by_state=by_state,
        matching=Count(0) if filters.ids is not None else _sum(by_state, filters.states or list(S)),
        total=_sum(by_state, frozenset(S)),
        at=at,
        selection=selection,
    )


def read_lines_by_id(
    console: Console, ids: Collection[int], *, selection: Selection | None = None
) -> list[JobLine]:
    """The lines of these jobs, for the live stream."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        wanted = sorted(ids)
        rows = conn.execute(
            select(import_job).where(import_job.c.id.in_(wanted)).order_by(import_job.c.id)
        )
        jobs = [job_row(row) for row in rows]
        ticked = members_among(conn, selection.id, wanted) if selection and wanted else set()
        return job_lines(conn, jobs, at, pulse, ticked=ticked)


def read_running(console: Console, limit: int = RUNNING_SHOWN) -> list[JobLine]:
    """The jobs at work, the first one first."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        page = list_jobs(conn, JobFilter(states=[S.RUNNING]), sort="id", cursor=None, limit=limit)
        return job_lines(conn, page.jobs, at, pulse)


def read_line(console: Console) -> Line:
    """The line as it stands: how long, since when, who is next."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        at = conn.scalars(select(now())).one()
        return Line(
            depth=count_jobs_by_state(conn, states=[S.QUEUED])[S.QUEUED],
            oldest_s=oldest_queued_s(conn),
            intake=get_intake(conn),
            next=job_lines(conn, next_jobs(conn, NEXT_IN_LINE), at, pulse),
        )


def read_failures(console: Console, query: ListQuery) -> list[Failures]:
    """The failed jobs that match, by reason; the most frequent first."""
    with console.lading.db.read() as conn:
        groups = failure_groups(conn, replace(job_filter(query), states=()))
    return [
        Failures(
            group=group,
            url="/jobs?"
            + urlencode(
                {"kind": group.kind, "reason": group.error_code or "", "view": "failed"}, safe=","
            ),
        )
        for group in groups
    ]


def read_durations(console: Console) -> list[Duration]:
    """How long jobs took lately, by kind."""
    with console.lading.db.read() as conn:
        found = durations(conn)
    drawn = spans([(kind.p50_s, kind.p95_s) for kind in found])
    return [Duration(facts=facts, span=span) for facts, span in zip(found, drawn, strict=True)]


def count_newer(conn: Connection, since_seq: int) -> int:
    """How many jobs were made since this event; at most as many as are ever counted."""
    since = conn.scalar(select(ingest_event.c.at).where(ingest_event.c.seq == since_seq))
    if since is None:
        return 0
    # One that was put back in line says so, too; it is not new.
    newer = (
        select(ingest_event.c.job_id)
        .join(import_job, import_job.c.id == ingest_event.c.job_id)
        .where(
            ingest_event.c.kind == JobQueued.kind,
            ingest_event.c.seq > since_seq,
            import_job.c.created_at >= since,
        )
        .distinct()
    )
    return count_capped(conn, newer).value


def _sum(by_state: Mapping[JobState, Count], states: Collection[JobState]) -> Count:
    counts = [by_state[state] for state in states]
    value = sum(count.value for count in counts)
    return Count(min(value, COUNT_CAP), exact=value <= COUNT_CAP and all(c.exact for c in counts))
