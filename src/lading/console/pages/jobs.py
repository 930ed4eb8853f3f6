"""Jobs: what is at work, in line, failed and done (A10); the list's whole state is its address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions.jobs import retry_selected, select_failed
from lading.console.job_words import KIND_WORDS
from lading.console.listing import ListQuery, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import Form, local_path, one, required, see_other, with_parameters
from lading.console.parts import Console
from lading.console.readers.jobs import (
    JOB_FIELDS,
    SORTS,
    VIEWS,
    count_newer,
    job_filter,
    read_durations,
    read_failures,
    read_job_list,
    read_line,
    read_lines_by_id,
    selection_filter,
)
from lading.console.readers.operations import Told, told_of
from lading.console.render import make_shell, page
from lading.console.security.guards import requires
from lading.jobs.figures import DURATIONS_OF
from lading.jobs.states import JobState
from lading.jobs.values import PRIORITY_DEFAULT
from lading.ledger.events import JobQueued, QueuePaused

PRIORITIES: Final = ((0, "0 - first"), (3, "3"), (5, "5 - as usual"), (8, "8"), (20, "20 - last"))
EXPORTED: Final = ("state", "kind", "reason", "worker", "failed_by", "since", "q")


def routes() -> list[HTTPRouteHandler]:
    """The list of jobs, and the retry of one group of failures."""
    return [jobs_page, retry_group]


@get("/jobs", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def jobs_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One page of jobs."""
    query = jobs_query(request, caller)
    selectable = caller.may(Permission.OPERATE)
    selection = None
    if query.selection and selectable:
        selection = console.operations.get_selection(query.selection)
    listed = read_job_list(console, query, selection=selection)
    views = {view.name: view for view in listed.views}
    settings = console.lading.settings
    filters = job_filter(query)
    told = told_of(console, query.done)
    exported = {name: ",".join(query.many(name)) for name in EXPORTED if query.many(name)}
    if filters.states and "state" not in exported:
        exported["state"] = ",".join(filters.states)
    return page(
        console,
        caller,
        "pages/jobs.html",
        section="/jobs",
        live=_live_query([line.job.id for line in listed.lines], told),
        query=query,
        listed=listed,
        current=views[listed.view],
        waiting=views["waiting"],
        view_urls={name: query.url(view=name, state=None, sel=query.selection) for name in VIEWS},
        state_choices=[(state, listed.by_state[state]) for state in JobState],
        kinds=KIND_WORDS,
        field_names=[known.name for known in JOB_FIELDS],
        failures=read_failures(console, query) if listed.view == "failed" else (),
        line=read_line(console),
        durations=read_durations(console),
        durations_of=DURATIONS_OF,
        selectable=selectable,
        selection_query=urlencode({"resource": "jobs", **selection_filter(filters)}, safe=",:"),
        export_query=f"&{urlencode(exported, safe=',:')}" if exported else "",
        priorities=PRIORITIES,
        priority_default=PRIORITY_DEFAULT,
        settings=settings,
        told=told,
    )


def _live_query(ids: Sequence[int], told: Told | None) -> str:
    """What the stream follows: the rows, and an operation that was just started by a job."""
    topics = "engine,jobs"
    if told is not None and told.running and told.job_id is not None:
        topics, ids = f"{topics},told", [*ids, told.job_id]
    return f"topics={topics}&job={','.join(str(number) for number in ids)}"


def jobs_query(request: Request[Any, Any, Any], caller: Caller) -> ListQuery:
    """What the address asks of the list."""
    return read_query(
        request,
        JOB_FIELDS,
        sorts=SORTS,
        default_sort="-id",
        page_size=int(caller.account.preferences.get("page_size", "50")),
        extra={"view": list(VIEWS)},
    )


@post(
    "/jobs/retry-group",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def retry_group(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Retry the failed jobs of one kind and reason, if they are still as many as were seen."""
    kind, reason = required(data, "kind"), one(data, "reason")
    back = local_path(one(data, "back"), "/jobs?view=failed")
    chosen = select_failed(console, caller, kind=kind, reason=reason)
    if str(chosen.count) != one(data, "expected"):
        # Some were added or are gone: what was seen is not what would be done. Let them look.
        return see_other(
            with_parameters("/jobs", view="failed", kind=kind, reason=reason, sel=chosen.key)
        )
    done = retry_selected(console, caller, chosen.key)
    return see_other(with_parameters(back, done=done.key))


def live(fragments: Fragments) -> None:
    """What changes on the list while it is looked at."""
    fragments.register("jobs", _rows, rows=Rows.JOBS, on_clock=True)
    fragments.register("jobs", _new, kinds={JobQueued.kind})
    fragments.register("jobs", _queue, on_clock=True)
    fragments.register("jobs", _intake, kinds={QueuePaused.kind})


def _rows(
    console: Console, caller: Caller, visible: Visible, _tick: Tick
) -> Sequence[Fragment | Notice]:
    shell = make_shell(console, caller, section="/jobs")
    selectable = caller.may(Permission.OPERATE)
    return [
        Fragment(
            f"j-{line.job.id}",
            console.renderer.fragment("parts/job_rows.html", "job_row", shell, line, selectable),
        )
        for line in read_lines_by_id(console, visible.jobs)
    ]


def _new(
    console: Console, _caller: Caller, visible: Visible, _tick: Tick
) -> Sequence[Fragment | Notice]:
    with console.lading.db.read() as conn:
        return [Notice("jobs:changed", {"new": count_newer(conn, visible.since)})]


def _queue(
    console: Console, caller: Caller, _visible: Visible, _tick: Tick
) -> Sequence[Fragment | Notice]:
    shell = make_shell(console, caller, section="/jobs")
    html = console.renderer.fragment(
        "parts/job_rows.html", "queue_facts", shell, read_line(console)
    )
    return [Fragment("queue", html)]


def _intake(
    console: Console, caller: Caller, _visible: Visible, _tick: Tick
) -> Sequence[Fragment | Notice]:
    shell = make_shell(console, caller, section="/jobs")
    html = console.renderer.fragment(
        "parts/job_rows.html", "intake_switch", shell, console.lading.queue.intake(), "/jobs"
    )
    return [Fragment("intake", html)]
