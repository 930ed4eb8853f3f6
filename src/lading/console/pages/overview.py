"""Overview: is it working, and does it need me (console design 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.charts import part
from lading.console.event_links import event_url
from lading.console.listing import read_query
from lading.console.live.fragments import Fragment, Fragments, Visible
from lading.console.live.ticks import Tick
from lading.console.overview_charts import charts_of
from lading.console.parts import Console
from lading.console.readers.jobs import read_running
from lading.console.readers.metrics import SPANS
from lading.console.readers.needs import first_steps, funnel_of, needs_of
from lading.console.readers.watching import Volume
from lading.console.readers.workers import read_workers
from lading.console.render import make_shell, page
from lading.console.security.guards import requires

SPAN_WORDS: Final[Mapping[str, str]] = {"1h": "1 hour", "24h": "24 hours", "30d": "30 days"}


@dataclass(frozen=True, slots=True)
class VolumeLine:
    """A disk, and how wide its bar is."""

    volume: Volume
    width: float


def routes() -> list[HTTPRouteHandler]:
    """The first page."""
    return [overview_page]


@get("/", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def overview_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Everything that matters, each with the way to more of it."""
    query = read_query(request, (), extra={"range": list(SPANS)})
    span = query.extra.get("range", "24h")
    overview = console.overview.read()
    return page(
        console,
        caller,
        "pages/overview.html",
        section="/",
        live="topics=engine,overview",
        query=query,
        overview=overview,
        event_url=event_url,
        running=read_running(console),
        needs=needs_of(console, overview),
        funnel=funnel_of(overview),
        first=first_steps(console, overview),
        volumes=[
            VolumeLine(volume, part(volume.used_bytes, volume.total_bytes))
            for volume in overview.volumes
        ],
        workers=read_workers(console),
        charts=charts_of(console, span, caller),
        span=span,
        spans=[(SPAN_WORDS[name], query.url(range=name), name == span) for name in SPANS],
        settings=console.lading.settings,
    )


def live(fragments: Fragments) -> None:
    """The cards change in their places; charts and recent events wait for the next look."""
    fragments.register("overview", _cards, on_clock=True)


def _cards(console: Console, caller: Caller, _visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = make_shell(console, caller, section="/")
    overview = console.overview.read()
    render = console.renderer.fragment
    template = "parts/overview_cards.html"
    return [
        Fragment("card-engine", render(template, "engine_card", shell, read_running(console))),
        Fragment("card-needs", render(template, "needs_card", shell, needs_of(console, overview))),
        Fragment("card-funnel", render(template, "funnel_card", shell, funnel_of(overview))),
        Fragment("card-workers", render(template, "workers_card", shell, read_workers(console))),
        Fragment("card-sources", render(template, "sources_card", shell, overview.sources)),
    ]
