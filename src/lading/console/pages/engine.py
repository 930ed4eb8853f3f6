"""The engine's strip on every page: how it changes while it is seen, and its switch for intake."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions import engine
from lading.console.live.fragments import Fragment, Fragments, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import Form, local_path, one, see_other
from lading.console.parts import Console
from lading.console.render import make_shell
from lading.console.security.guards import requires


def routes() -> list[HTTPRouteHandler]:
    """Both ways of the switch."""
    return [pause_engine, resume_engine]


@post(
    "/engine/pause",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def pause_engine(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: Form,
) -> Redirect:
    """Let workers claim nothing more."""
    engine.pause_intake(console, caller, one(data, "why"))
    return see_other(back_to(request, data))


@post(
    "/engine/resume",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def resume_engine(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: Form,
) -> Redirect:
    """Let workers claim again."""
    engine.resume_intake(console, caller)
    return see_other(back_to(request, data))


def live(fragments: Fragments) -> None:
    """The strip and the menu's number of problems, on whatever page."""
    fragments.register("engine", _strip, on_clock=True)


def _strip(console: Console, caller: Caller, _visible: Visible, tick: Tick) -> list[Fragment]:
    if console.engine.read().seq < tick.seq:
        # What is given out again for a moment is of before what the page is told of.
        console.engine.forget()
    shell = make_shell(console, caller)
    render = console.renderer.fragment
    return [
        Fragment("engine", render("parts/engine.html", "engine_strip", shell)),
        Fragment("nav-problems", render("parts/engine.html", "problem_badge", shell.engine)),
    ]


def back_to(request: Request[Any, Any, Any], form: Form) -> str:
    """Where the form was: what it says itself, else the page the browser names, else the first.

    Of the page named, only path and query are kept: it leads nowhere but here.
    """
    given = one(form, "back")
    if given:
        return local_path(given, "/")
    named = urlsplit(request.headers.get("referer", ""))
    return local_path(urlunsplit(("", "", named.path, named.query, "")), "/")
