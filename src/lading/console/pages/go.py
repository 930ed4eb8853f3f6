"""Go to anything: straight there when what was typed means one thing, else a short list."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.pages.forms import see_other
from lading.console.parts import Console
from lading.console.readers.going import ALL_MAX, TEXT_MAX, find_anything, only_one
from lading.console.render import page
from lading.console.security.guards import requires


def routes() -> list[HTTPRouteHandler]:
    """The search at the top of every page."""
    return [go]


@get("/go", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def go(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[Any]:
    """Lead to what is meant, or list what may be."""
    typed = request.query_params.get("q", "").strip()[:TEXT_MAX]
    hits = find_anything(console, typed)
    meant = only_one(hits)
    if meant is not None:
        return see_other(meant.url)
    return page(
        console, caller, "pages/go.html", section="", typed=typed, hits=hits, hits_max=ALL_MAX
    )
