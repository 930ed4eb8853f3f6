"""One job: where it stands and why, what it waits for, its attempts, items, log and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.listing import Field, ListQuery, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.jobs import PRIORITIES
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.job import (
    LEVELS,
    JobView,
    read_graph,
    read_items,
    read_job,
    read_log,
    read_people,
    read_troubles,
)
from lading.console.readers.job_lines import JobLine
from lading.console.readers.operations import told_of
from lading.console.render import make_shell, page
from lading.console.security.guards import requires
from lading.console.vocabulary import OUTCOME_LOOKS
from lading.jobs.errors import JobMissing
from lading.ledger.events import event_kinds
from lading.ledger.item_lists import ItemFilter
from lading.ledger.states import Outcome

TABS: Final[Mapping[str, str]] = {
    "overview": "Overview",
    "items": "Items",
    "log": "Log",
    "params": "Parameters",
    "history": "History",
}
_LOG_FIELDS: Final = (
    Field("level", "Level", LEVELS),
    Field("q", "Text"),
    Field("from", "From event", kind="number"),
)
_ITEM_FIELDS: Final = (
    Field("outcome", "Outcome", {o.value: look.word for o, look in OUTCOME_LOOKS.items()}),
    Field("reason", "Reason"),
    Field("q", "Key or title"),
)
_JOB_EVENTS: Final = frozenset(kind for kind in event_kinds() if kind.startswith("job_")) - {
    "job_progress"
}


def routes() -> list[HTTPRouteHandler]:
    """The page of a job, one address for each of its tabs."""
    return [job_overview, job_overview_by_name, job_items, job_log, job_params, job_history]


@get(
    "/jobs/{job_id:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def job_overview(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    job_id: FromPath[str],
) -> Response[str]:
    """Where it stands, what it waits for, what went wrong."""
    query = read_query(request, ())
    view = _view(console, job_id)
    return _page(
        console,
        caller,
        view,
        "overview",
        query,
        graph=read_graph(console, view.line.job.id),
        troubles=read_troubles(console, view.line.job),
    )


@get(
    "/jobs/{job_id:str}/overview",
    guards=[requires(Permission.READ)],
    sync_to_thread=False,
    include_in_schema=False,
)
def job_overview_by_name(job_id: FromPath[str]) -> Redirect:
    """The first tab has the address of the job itself."""
    return Redirect(f"/jobs/{quote(job_id)}", status_code=303)


@get(
    "/jobs/{job_id:str}/items",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def job_items(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    job_id: FromPath[str],
) -> Response[str]:
    """The items of its batch."""
    query = read_query(request, _ITEM_FIELDS)
    view = _view(console, job_id)
    reason = query.one("reason")
    filters = ItemFilter(
        outcomes=[Outcome(value) for value in query.many("outcome")],
        reasons=[reason] if reason else (),
        q=query.one("q"),
    )
    items = read_items(console, view.line.job, filters, cursor=query.cursor, limit=query.limit)
    return _page(console, caller, view, "items", query, items=items, outcomes=list(Outcome))


@get(
    "/jobs/{job_id:str}/log",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def job_log(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    job_id: FromPath[str],
) -> Response[str]:
    """Its events, oldest first, each with an address of its own."""
    query = read_query(request, _LOG_FIELDS)
    view = _view(console, job_id)
    log = read_log(
        console,
        view.line.job.id,
        levels=query.many("level"),
        text=query.one("q"),
        start=query.number("from"),
        cursor=query.cursor,
    )
    return _page(console, caller, view, "log", query, log=log, levels=LEVELS)


@get(
    "/jobs/{job_id:str}/params",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def job_params(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    job_id: FromPath[str],
) -> Response[str]:
    """What it was given when it was made."""
    return _page(console, caller, _view(console, job_id), "params", read_query(request, ()))


@get(
    "/jobs/{job_id:str}/history",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def job_history(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    job_id: FromPath[str],
) -> Response[str]:
    """What people did to it."""
    view = _view(console, job_id)
    people = read_people(console, view.line.job.id)
    return _page(console, caller, view, "history", read_query(request, ()), people=people)


def _view(console: Console, job_id: str) -> JobView:
    if not (job_id.isascii() and job_id.isdigit() and len(job_id) < 19):
        raise JobMissing("there is no such job", subject=job_id)
    return read_job(console, int(job_id))


def _page(
    console: Console, caller: Caller, view: JobView, tab: str, query: ListQuery, **more: Any
) -> Response[str]:
    job = view.line.job
    base = f"/jobs/{job.id}"
    addresses = {name: base if name == "overview" else f"{base}/{name}" for name in TABS}
    return page(
        console,
        caller,
        f"pages/job_{tab}.html",
        section="/jobs",
        live=f"topics=engine,job&job={job.id}",
        crumbs=[("Jobs", "/jobs")],
        view=view,
        line=view.line,
        job=job,
        title=_name(view.line),
        tabs=[(label, addresses[name], None) for name, label in TABS.items()],
        tab=tab,
        tab_label=TABS[tab],
        tab_url=addresses[tab],
        query=query,
        back=addresses[tab],
        priorities=PRIORITIES,
        settings=console.lading.settings,
        batch_url=batch_url,
        told=told_of(console, query.done),
        **more,
    )


def _name(line: JobLine) -> str:
    return f"{line.kind_word} {line.job.id}"


def live(fragments: Fragments) -> None:
    """The head of the page changes with its job; the buttons only when it goes to another state."""
    fragments.register("job", _head, rows=Rows.JOBS, on_clock=True)
    fragments.register("job", _buttons, kinds=_JOB_EVENTS)


def _head(
    console: Console, caller: Caller, visible: Visible, _tick: Tick
) -> Sequence[Fragment | Notice]:
    shell = make_shell(console, caller, section="/jobs")
    return [
        Fragment(
            "job-head",
            console.renderer.fragment(
                "parts/job_head.html", "job_head", shell, read_job(console, number)
            ),
        )
        for number in sorted(visible.jobs)[:1]
    ]


def _buttons(
    console: Console, caller: Caller, visible: Visible, tick: Tick
) -> Sequence[Fragment | Notice]:
    shell = make_shell(console, caller, section="/jobs")
    return [
        Fragment(
            "job-buttons",
            console.renderer.fragment(
                "parts/job_head.html",
                "job_buttons",
                shell,
                read_job(console, number),
                PRIORITIES,
                f"/jobs/{number}",
            ),
        )
        for number in sorted(visible.jobs & tick.job_ids)[:1]
    ]
