"""Runs of archives as pages and the API show them: what each was asked to be, and its funnel (B9).

A run is a batch of an archive source; a dry run has no batch, only the event that it left. Both
are found by events, in one order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.base.errors import RequestError
from lading.console.archive_funnel import Step, funnel
from lading.console.archive_words import look_of_run, options_words, result_words
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.vocabulary import Look
from lading.db.counting import Count, count_capped
from lading.db.keyset import Key
from lading.db.walks import Walk, fetch_merged
from lading.ingest.item_writing import ImportAborted
from lading.jobs.queries import list_jobs, newest_jobs
from lading.jobs.states import UNFINISHED_JOB_STATES, JobState
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.archive_events import ArchiveRehearsed, ArchiveRunStarted
from lading.ledger.batches import Batch, get_batches
from lading.ledger.events import BatchFinished, BatchFound, BatchPreflighted
from lading.ledger.queries import EventView, event_view, list_events
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState, Decision, Outcome
from lading.ledger.tables import ingest_batch, ingest_event
from lading.sources.archive.reports import RunReport, report_of_run
from lading.sources.archive.run_jobs import RUN_JOB_KIND, read_report
from lading.sources.archive.source import KIND, ArchiveSource

RUNS: Final = "/archive"
DRY: Final = "dry-"
"""What the names of dry runs begin with; the rest is the number of their event."""
RUN_JOBS_MAX: Final = 20
FAILED_JOBS_MAX: Final = 3
LOOKED_BACK_MAX: Final = 50
"""Among how many runs of a source the latest whole one is looked for."""

RUN_FIELDS: Final = (
    Field("kind", "Kind", {"real": "real runs", "dry": "dry runs"}),
    Field("source", "Source"),
)
_FOUND: Final = {"real": BatchFound.kind, "dry": ArchiveRehearsed.kind}
_NUMBER_DIGITS_MAX: Final = 18

_event = ingest_event.c


class RunMissing(RequestError):
    """No archive has such a run."""

    code = "archive_run_missing"
    http_status = 404
    next_step = "Look at the list of runs under Archive."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run was asked to be. `again` also takes up what cannot have changed."""

    dry_run: bool
    safe_run: bool
    prefix: str = ""
    again: bool = False

    @property
    def words(self) -> str:
        """It in words."""
        return options_words(
            dry_run=self.dry_run, safe_run=self.safe_run, prefix=self.prefix, again=self.again
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run in a list. `id` is its batch's number, or `dry-` and the number of its event.

    `state` is that of the batch, or `rehearsed`; `problems` is of keys and codes. `result` says in
    words what it did. A count is None as long as nothing is decided.
    """

    id: str
    source: str
    run: str
    state: str
    asked: Asked
    at: datetime
    actor: str
    listed: int
    codes: int
    inserted: int | None
    updated: int | None
    problems: int | None
    pending: int
    result: str
    batch_id: int | None
    job_id: int | None
    error: str | None

    @property
    def url(self) -> str:
        """Its page."""
        return f"{RUNS}/runs/{self.id}"

    @property
    def look(self) -> Look:
        """How its state is shown."""
        return look_of_run(self.state)

    @property
    def active(self) -> bool:
        """Whether workers have it in hand or are about to."""
        return self.state in {state.value for state in ACTIVE_BATCH_STATES}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """A page of runs, the newest first."""

    lines: Sequence[RunLine]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """One run with its funnel. `rules` are the counts by rule that rejected, the largest first."""

    line: RunLine
    report: RunReport
    steps: Sequence[Step]
    rules: Sequence[tuple[str, int]]
    job: JobRow | None = None
    finished_at: datetime | None = None


def archives_of(console: Console) -> list[ArchiveSource]:
    """The configured sources of kind `archive`, by name."""
    found = [s for s in console.lading.sources.values() if isinstance(s, ArchiveSource)]
    return sorted(found, key=lambda source: source.name)


def archive_names(console: Console) -> list[str]:
    """Their names."""
    return [source.name for source in archives_of(console)]


def has_archive(console: Console) -> bool:
    """Whether a source of this kind is configured."""
    return any(source.kind == KIND for source in console.lading.sources.values())


def read_runs(
    console: Console,
    *,
    kinds: Sequence[str] = (),
    source: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> RunList:
    """A page of the runs of all archives, the newest first. Raises `BadCursor`."""
    names = [name for name in archive_names(console) if source is None or name == source]
    wanted = [_FOUND[kind] for kind in kinds or _FOUND]
    walks = [
        Walk([_event.source == name, _event.kind == kind]) for name in names for kind in wanted
    ]
    if not walks:
        return RunList(lines=[], count=Count(0), next_cursor=None, prev_cursor=None)
    order = [Key(_event.seq, descending=True)]
    with console.lading.db.read() as conn:
        page = fetch_merged(conn, ingest_event, walks, order, cursor=cursor, limit=limit)
        lines = _lines(conn, [event_view(row) for row in page.rows])
        count = count_capped(
            conn, select(_event.seq).where(_event.source.in_(names), _event.kind.in_(wanted))
        )
    return RunList(
        lines=lines, count=count, next_cursor=page.next_cursor, prev_cursor=page.prev_cursor
    )


def read_lines_of(console: Console, batch_ids: Collection[int]) -> list[RunLine]:
    """The runs of these batches; what is no run of an archive is left out."""
    with console.lading.db.read() as conn:
        found = conn.execute(
            select(ingest_event).where(
                _event.batch_id.in_(sorted(batch_ids)),
                _event.kind == BatchFound.kind,
                _event.source.in_(archive_names(console)),
            )
        )
        return _lines(conn, [event_view(row) for row in found])


def count_newer_runs(console: Console, since: int) -> int:
    """How many runs were found after this number of the ledger."""
    query = select(_event.seq).where(
        _event.source.in_(archive_names(console)),
        _event.kind.in_(_FOUND.values()),
        _event.seq > since,
    )
    with console.lading.db.read() as conn:
        return count_capped(conn, query).value


def read_run(console: Console, name: str) -> RunDetail:
    """One run by its name. Raises `RunMissing`."""
    event = _event_of(console, name)
    with console.lading.db.read() as conn:
        (line,) = _lines(conn, [event])
        job = newest_jobs(conn, [line.batch_id]) if line.batch_id else {}
    if line.batch_id is None:
        report = read_report(dict(event.payload["report"]))
    else:
        report = report_of_run(console.lading.db, line.batch_id, safe_run=line.asked.safe_run)
    return RunDetail(
        line=line,
        report=report,
        steps=funnel(line.id, line.url, line.batch_id, report),
        rules=sorted(report.rules.items(), key=lambda rule: (-rule[1], rule[0])),
        job=job.get(line.batch_id or 0),
        finished_at=report.finished_at,
    )


def rehearsal_of(console: Console, name: str) -> EventView:
    """The event of a dry run. Raises `RunMissing`."""
    event = _event_of(console, name)
    if event.kind != ArchiveRehearsed.kind:
        raise RunMissing("this run was no dry run", subject=name)
    return event


def read_run_jobs(console: Console) -> list[JobRow]:
    """The runs that were asked for and are not there yet, and the last that could not be made."""
    with console.lading.db.read() as conn:
        waiting = list_jobs(
            conn,
            JobFilter(states=sorted(UNFINISHED_JOB_STATES), kinds=[RUN_JOB_KIND]),
            cursor=None,
            limit=RUN_JOBS_MAX,
        ).jobs
        failed = list_jobs(
            conn,
            JobFilter(states=[JobState.FAILED], kinds=[RUN_JOB_KIND]),
            cursor=None,
            limit=FAILED_JOBS_MAX,
        ).jobs
    return [*waiting, *failed]


def latest_runs(console: Console) -> list[Batch]:
    """The latest run of each archive that decided about its keys.

    One that was narrowed to a prefix counts only where there is no other: it says nothing of the
    keys beside it.
    """
    found = []
    with console.lading.db.read() as conn:
        for name in archive_names(console):
            rows = conn.execute(
                select(ingest_batch)
                .where(ingest_batch.c.source == name, ingest_batch.c.revision > 0)
                .order_by(ingest_batch.c.id.desc())
                .limit(LOOKED_BACK_MAX)
            ).all()
            batches = [Batch.from_row(row) for row in rows]
            started = _newest(conn, [batch.id for batch in batches], [ArchiveRunStarted.kind])
            whole = [b for b in batches if not _prefix_of(started.get(b.id))]
            found += (whole or batches)[:1]
    return found


def _event_of(console: Console, name: str) -> EventView:
    digits = name.removeprefix(DRY)
    missing = RunMissing("there is no such run", subject=name[:100])
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _NUMBER_DIGITS_MAX):
        raise missing
    number = int(digits)
    with console.lading.db.read() as conn:
        if name.startswith(DRY):
            found = list_events(conn, after=number - 1, limit=1) if number else []
            found = [e for e in found if e.seq == number and e.kind == ArchiveRehearsed.kind]
        else:
            found = list_events(conn, batch_id=number, kinds=[BatchFound.kind], limit=1)
    # A source that is no longer configured may have had runs; its kind is told by nothing else.
    if not found or found[0].source not in archive_names(console):
        raise missing
    return found[0]


def _lines(conn: Connection, events: Sequence[EventView]) -> list[RunLine]:
    ids = [event.batch_id for event in events if event.batch_id is not None]
    batches = get_batches(conn, ids)
    kinds = [BatchPreflighted.kind, BatchFinished.kind]
    counted = {kind: _newest(conn, ids, [kind]) for kind in kinds}
    started = _newest(conn, ids, [ArchiveRunStarted.kind])
    jobs = newest_jobs(conn, ids)
    lines = []
    for event in events:
        if event.batch_id is None:
            lines.append(_dry(event))
        elif event.batch_id in batches:
            number = event.batch_id
            lines.append(
                _real(
                    event,
                    batches[number],
                    started.get(number),
                    [counted[kind].get(number) for kind in kinds],
                    jobs.get(number),
                )
            )
    return lines


def _dry(event: EventView) -> RunLine:
    report = read_report(dict(event.payload["report"]))
    asked = Asked(
        dry_run=True, safe_run=report.safe_run, prefix=str(event.payload.get("prefix", ""))
    )
    return RunLine(
        id=f"{DRY}{event.seq}",
        source=event.source or "",
        run=report.run,
        state=report.state,
        asked=asked,
        at=event.at,
        actor=event.actor,
        listed=report.phase1.get("listed", 0),
        codes=report.phase1.get("codes", 0),
        inserted=report.created,
        updated=report.updated,
        problems=report.problems,
        pending=0,
        result=result_words(
            dry_run=True,
            safe_run=report.safe_run,
            stopped=False,
            inserted=report.created,
            updated=report.updated,
            pending=0,
        ),
        batch_id=None,
        job_id=event.job_id,
        error=None,
    )


def _real(
    event: EventView,
    batch: Batch,
    started: EventView | None,
    counted: Sequence[EventView | None],
    job: JobRow | None,
) -> RunLine:
    decided, finished = counted
    decisions = decided.payload["decisions"] if decided else {}
    outcomes = finished.payload["outcomes"] if finished else {}
    planned = [decisions.get(d.value, 0) for d in (Decision.CREATE, Decision.UPDATE)]
    active = batch.state in ACTIVE_BATCH_STATES
    if active or not outcomes:
        inserted, updated, pending = 0, 0, sum(planned)
        # What stopped a safe run is in no count: such a run has no end of its own.
        problems = decisions.get(Decision.REJECT.value, 0) + (batch.reason == ImportAborted.code)
    else:
        inserted, updated = (outcomes.get(o.value, 0) for o in (Outcome.CREATED, Outcome.UPDATED))
        pending = outcomes.get(Outcome.PENDING.value, 0)
        problems = sum(outcomes.get(o.value, 0) for o in (Outcome.REJECTED, Outcome.FAILED))
    asked = _asked(started, job)
    phase1 = batch.detail.get("phase1", {})
    stopped = batch.reason == ImportAborted.code
    return RunLine(
        id=str(batch.id),
        source=batch.source,
        run=batch.batch_key,
        state=batch.state.value,
        asked=asked,
        at=started.at if started else event.at,
        actor=started.actor if started else event.actor,
        listed=phase1.get("listed", 0),
        codes=phase1.get("codes", 0),
        inserted=inserted if decided else None,
        updated=updated if decided else None,
        problems=problems if decided else None,
        pending=pending,
        result=_result(batch.state, asked, stopped, (inserted, updated, pending)),
        batch_id=batch.id,
        job_id=job.id if job else None,
        error=batch.reason,
    )


def _result(state: BatchState, asked: Asked, stopped: bool, counts: tuple[int, int, int]) -> str:
    if state is BatchState.PENDING:
        return "found; nothing is decided yet"
    if state is BatchState.SUPERSEDED:
        return "replaced by a newer run, wrote nothing"
    if state is BatchState.PREFLIGHT_FAILED:
        return "nothing of it could be imported"
    inserted, updated, pending = counts
    return result_words(
        dry_run=False,
        safe_run=asked.safe_run,
        stopped=stopped,
        inserted=inserted,
        updated=updated,
        pending=pending,
    )


def _asked(started: EventView | None, job: JobRow | None) -> Asked:
    """What the one who started it asked for; of a run from elsewhere what its import tells."""
    facts: Mapping[str, Any] = started.payload if started else {}
    safe = bool(job.params.get("all_or_nothing")) if job else bool(facts.get("safe_run"))
    return Asked(
        dry_run=False,
        safe_run=safe,
        prefix=_prefix_of(started),
        again=bool(facts.get("again")),
    )


def _prefix_of(started: EventView | None) -> str:
    return str(started.payload.get("prefix") or "") if started else ""


def _newest(
    conn: Connection, batch_ids: Sequence[int], kinds: Sequence[str]
) -> dict[int, EventView]:
    """The newest event of these kinds of each batch; a batch has few of them."""
    if not batch_ids:
        return {}
    rows = conn.execute(
        select(ingest_event)
        .where(_event.batch_id.in_(sorted(set(batch_ids))), _event.kind.in_(sorted(kinds)))
        .order_by(_event.seq)
    )
    return {row.batch_id: event_view(row) for row in rows}
