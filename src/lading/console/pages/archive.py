"""Archives: their runs, what each did, and asking for another one (console design 5.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from sqlalchemy import select

from lading.accounts.values import Caller, Permission
from lading.console.actions.archive import PREFIX_LENGTH_MAX, request_run
from lading.console.archive_funnel import PHASES, rejects_url
from lading.console.archive_words import OUTCOME_WORDS
from lading.console.listing import Field, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import Form, local_path, one, see_other
from lading.console.parts import Console
from lading.console.readers.archive_runs import (
    RUN_FIELDS,
    RUNS,
    RunLine,
    archives_of,
    count_newer_runs,
    read_lines_of,
    read_run,
    read_run_jobs,
    read_runs,
)
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.db.clock import now
from lading.jobs.values import JobRow
from lading.ledger.archive_events import ArchiveRehearsed
from lading.ledger.events import BatchFound

STAGE_WORDS = {
    "extension": "Extensions that are not taken",
    "folder_left_out": "Folders that are excluded",
}


def routes() -> list[HTTPRouteHandler]:
    """The list of runs, one of them, and asking for one."""
    return [archive_page, run_page, run_now]


def live(fragments: Fragments) -> None:
    """What changes while it is looked at: rows of runs and of jobs, and the funnel of a run."""
    fragments.register("archive", _live_rows, rows=Rows.BATCHES)
    fragments.register("archive", _live_jobs, rows=Rows.JOBS)
    fragments.register("archive", _live_new, kinds={BatchFound.kind, ArchiveRehearsed.kind})
    fragments.register("archive-run", _live_run, rows=Rows.BATCHES)


@get(RUNS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def archive_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """The runs that are wanted, then those that were, newest first."""
    archives = archives_of(console)
    names = {archive.name: archive.name for archive in archives}
    kinds, _ = RUN_FIELDS
    query = read_query(request, [kinds, Field("source", "Source", names)])
    listed = read_runs(
        console,
        kinds=query.many("kind"),
        source=query.one("source"),
        cursor=query.cursor,
        limit=query.limit,
    )
    jobs = read_run_jobs(console)
    return page(
        console,
        caller,
        "pages/archive.html",
        section=RUNS,
        live="topics=engine,archive" + _following(listed.lines, jobs),
        query=query,
        listed=listed,
        jobs=_job_lines(console, jobs),
        archives=archives,
        kinds=kinds.choices,
        prefix_max=PREFIX_LENGTH_MAX,
    )


@get(
    "/archive/runs/{run:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def run_page(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    run: FromPath[str],
) -> Response[str]:
    """One run: its funnel, what was left out and rejected, and how long it took."""
    detail = read_run(console, run)
    line = detail.line
    return page(
        console,
        caller,
        "pages/archive_run.html",
        section=RUNS,
        crumbs=[("Archive", RUNS)],
        live="topics=engine,archive-run" + (_following([line], []) if line.active else ""),
        detail=detail,
        line=line,
        report=detail.report,
        phases=PHASES,
        stages=STAGE_WORDS,
        outcomes=OUTCOME_WORDS,
        rejects_url=rejects_url,
    )


@post(
    "/archive/runs",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def run_now(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Ask for a run."""
    request_run(
        console,
        caller,
        one(data, "source") or None,
        dry_run=one(data, "dry_run") == "1",
        safe_run=one(data, "safe_run") == "1",
        prefix=one(data, "prefix"),
        again=one(data, "again") == "1",
    )
    return see_other(local_path(one(data, "back"), RUNS))


def _following(lines: Sequence[RunLine], jobs: Sequence[JobRow]) -> str:
    """What a page's stream shall follow of rows, as a query."""
    batches = [str(line.batch_id) for line in lines if line.batch_id and line.active]
    numbers = [str(job.id) for job in jobs]
    return (f"&batch={','.join(batches)}" if batches else "") + (
        f"&job={','.join(numbers)}" if numbers else ""
    )


def _job_lines(console: Console, jobs: list[JobRow]) -> list[JobLine]:
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        return job_lines(conn, jobs, conn.scalars(select(now())).one(), pulse)


def _live_rows(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    return [
        Fragment(
            f"run-{line.id}",
            console.renderer.fragment("parts/archive_rows.html", "run_row", shell, line),
        )
        for line in read_lines_of(console, visible.batches)
    ]


def _live_jobs(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    wanted = [job for job in read_run_jobs(console) if job.id in visible.jobs]
    return [
        Fragment(
            f"j-{line.job.id}",
            console.renderer.fragment("parts/archive_rows.html", "run_job", shell, line, RUNS),
        )
        for line in _job_lines(console, wanted)
    ]


def _live_new(console: Console, _caller: Caller, visible: Visible, _tick: Tick) -> list[Notice]:
    return [Notice("archive:changed", {"new": count_newer_runs(console, visible.since)})]


def _live_run(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    found = []
    for line in read_lines_of(console, visible.batches):
        html = console.renderer.fragment(
            "parts/archive_rows.html", "run_numbers", shell, read_run(console, line.id), PHASES
        )
        found.append(Fragment("run-numbers", html))
    return found
