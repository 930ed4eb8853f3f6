"""Workers: who lives, what each has in hand, and what becomes of the jobs of one that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.console.live.fragments import Fragment, Fragments, Notice, Visible
from lading.console.live.ticks import Tick
from lading.console.parts import Console
from lading.console.readers.workers import SEEN_WITHIN_S, read_worker, read_workers
from lading.console.render import make_shell, page
from lading.console.security.guards import requires


def routes() -> list[HTTPRouteHandler]:
    """The list of workers, and the page of each."""
    return [workers_page, worker_page]


@get("/workers", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def workers_page(
    request: Request[Any, Any, Any],  # noqa: ARG001 - what every page is given
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All workers of the last days."""
    return page(
        console,
        caller,
        "pages/workers.html",
        section="/workers",
        live="topics=engine,workers",
        workers=read_workers(console),
        seen_within_s=SEEN_WITHIN_S,
        settings=console.lading.settings,
    )


@get(
    "/workers/{worker_id:path}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def worker_page(
    console: NamedDependency[Console], caller: NamedDependency[Caller], worker_id: FromPath[str]
) -> Response[str]:
    """One worker."""
    found = read_worker(console, worker_id.strip("/"))
    return page(
        console,
        caller,
        "pages/worker.html",
        section="/workers",
        crumbs=[("Workers", "/workers")],
        found=found,
        settings=console.lading.settings,
    )


def live(fragments: Fragments) -> None:
    """The table of workers changes with their jobs, and with time."""
    fragments.register("workers", _workers, on_clock=True)


def _workers(
    console: Console, caller: Caller, _visible: Visible, _tick: Tick
) -> Sequence[Fragment | Notice]:
    shell = make_shell(console, caller, section="/workers")
    html = console.renderer.fragment(
        "parts/worker_rows.html", "worker_table", shell, read_workers(console).running
    )
    return [Fragment("workers-running", html)]
