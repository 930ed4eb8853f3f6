"""Scans: what each found or refused to believe, and asking for another one (A2, G1)."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from sqlalchemy import select

from lading.accounts.values import Caller, Permission
from lading.console.actions.scans import request_scan
from lading.console.listing import Field, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import Form, local_path, one, required, see_other
from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.readers.scans import (
    SCAN_KINDS,
    read_scan,
    read_scan_jobs,
    read_scan_lines,
    read_scans,
    read_sources,
)
from lading.console.render import page, row_shell
from lading.console.scan_words import noun_of
from lading.console.security.guards import requires
from lading.db.clock import now
from lading.jobs.values import JobRow

RESULTS: Final = {"finished": "Finished", "refused": "Refused"}
GUARD_REASONS: Final = frozenset({"root_empty", "root_replaced", "too_many_vanished"})
"""What an operator can say was meant. A root that is not there at all can only be mounted."""


def routes() -> list[HTTPRouteHandler]:
    """The list of scans, one of them, and asking for one."""
    return [scans_page, scan_page, scan_now]


def live(fragments: Fragments) -> None:
    """What changes on the list: the scans at work, and that new ones ended."""
    fragments.register("scans", _live_jobs, rows=Rows.JOBS)
    fragments.register("scans", _live_ended, kinds=set(SCAN_KINDS[None]))


@get("/scans", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def scans_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """The scans that are wanted or running, then those that ended, newest first."""
    names = sorted(console.lading.sources)
    query = read_query(
        request,
        [
            Field("source", "Source", {name: name for name in names}),
            Field("result", "Result", RESULTS),
        ],
    )
    result = query.one("result")
    listed = read_scans(
        console,
        source=query.one("source"),
        refused=None if result is None or len(query.many("result")) > 1 else result == "refused",
        cursor=query.cursor,
        limit=query.limit,
    )
    jobs = read_scan_jobs(console)
    sources = read_sources(console)
    numbers = [job.id for job in jobs] + [s.job.id for s in sources if s.job]
    return page(
        console,
        caller,
        "pages/scans.html",
        section="/scans",
        live="topics=engine,scans,sources"
        + (f"&job={','.join(map(str, sorted(set(numbers))))}" if numbers else ""),
        query=query,
        listed=listed,
        jobs=_lines(console, jobs),
        sources=sources,
        names=names,
        results=RESULTS,
        settings=console.lading.settings,
    )


@get(
    "/scans/{seq:int}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def scan_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    seq: FromPath[int],
) -> Response[str]:
    """One scan: what it changed, what it left and why, or why it was not believed."""
    query = read_query(request, [])
    detail = read_scan(console, seq, cursor=query.cursor, limit=query.limit)
    return page(
        console,
        caller,
        "pages/scan.html",
        section="/scans",
        crumbs=[("Scans", "/scans")],
        query=query,
        detail=detail,
        scan=detail.scan,
        may_accept=detail.newest and detail.scan.reason in GUARD_REASONS,
        lines=read_scan_lines(detail),
        settings=console.lading.settings,
    )


@post(
    "/scans",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=200,
)
def scan_now(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Response[Any]:
    """Ask for a scan; one that is to believe what it finds gone is asked for twice."""
    source = required(data, "source")
    folder = one(data, "folder") or None
    accept_root = one(data, "accept_root") == "1"
    if accept_root and one(data, "confirmed") != "1":
        return _confirm(console, caller, source, folder)
    request_scan(console, caller, source, accept_root=accept_root, folder=folder)
    return _back(data)


def _back(form: Form) -> Redirect:
    return see_other(local_path(one(form, "back"), "/scans"))


def _confirm(console: Console, caller: Caller, source: str, folder: str | None) -> Response[str]:
    known = {found.name: found for found in read_sources(console)}
    found = known.get(source)
    return page(
        console,
        caller,
        "pages/scan_accept.html",
        section="/scans",
        crumbs=[("Scans", "/scans")],
        source=console.lading.ingest.parts.source(source).name,
        folder=folder,
        noun=noun_of(console.lading.ingest.parts.source(source).kind),
        last=found.last if found and folder is None else None,
    )


def _lines(console: Console, jobs: list[JobRow]) -> list[JobLine]:
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        return job_lines(conn, jobs, conn.scalars(select(now())).one(), pulse)


def _live_jobs(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    wanted = [job for job in read_scan_jobs(console) if job.id in visible.jobs]
    return [
        Fragment(
            f"j-{line.job.id}",
            console.renderer.fragment("parts/scan_rows.html", "scan_job", shell, line, "/scans"),
        )
        for line in _lines(console, wanted)
    ]


def _live_ended(
    console: Console, _caller: Caller, visible: Visible, _tick: Tick
) -> list[Fragment | Notice]:
    newer = [scan for scan in read_scans(console, limit=50).scans if scan.seq > visible.since]
    return [Notice("scans:changed", {"new": len(newer)})]
