"""Sources: where media arrive, whether each place is there, and what its scans found."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console
from lading.console.readers.sources import Trial, read_source, read_source_views, try_source
from lading.console.render import page
from lading.console.security.guards import requires


def routes() -> list[HTTPRouteHandler]:
    """The list, one source, and a look at it now."""
    return [sources_page, source_page, test_source]


@get("/sources", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def sources_page(
    request: Request[Any, Any, Any],  # noqa: ARG001 - what every page is given
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All configured sources."""
    return page(
        console,
        caller,
        "pages/sources.html",
        section="/sources",
        sources=read_source_views(console),
        settings=console.lading.settings,
    )


@get(
    "/sources/{name:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def source_page(
    console: NamedDependency[Console], caller: NamedDependency[Caller], name: FromPath[str]
) -> Response[str]:
    """One source."""
    return _one(console, caller, name)


@post(
    "/sources/{name:str}/test",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=200,
)
def test_source(
    console: NamedDependency[Console], caller: NamedDependency[Caller], name: FromPath[str]
) -> Response[str]:
    """Look at a source now; reads and changes nothing."""
    caller.require(Permission.OPERATE)
    return _one(console, caller, name, trial=try_source(console, name))


def _one(
    console: Console, caller: Caller, name: str, *, trial: Trial | None = None
) -> Response[str]:
    view, scans = read_source(console, name)
    return page(
        console,
        caller,
        "pages/source.html",
        section="/sources",
        crumbs=[("Sources", "/sources")],
        view=view,
        scans=scans,
        trial=trial,
        settings=console.lading.settings,
    )
