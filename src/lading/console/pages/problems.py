"""Problems: what went wrong and is still so, by reason, with what to do about it (design 4.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions.problems import (
    acknowledge_problem,
    retry_problem,
    unacknowledge_problem,
)
from lading.console.listing import Field, read_query
from lading.console.live.fragments import Fragment, Fragments, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import BadForm, Form, local_path, one, see_other, with_parameters
from lading.console.parts import Console
from lading.console.readers.operations import told_of
from lading.console.readers.problems import problem_url, read_problem, read_problems
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.operations.values import Operation

SNOOZES: Final[Mapping[int, str]] = {86_400: "1 day", 7 * 86_400: "7 days"}
_SHOWN: Final = Field("acknowledged", "Acknowledged", {"shown": "shown"})


def routes() -> list[HTTPRouteHandler]:
    """The groups, the list of one, and what is done about it."""
    return [problems_page, problem_page, retry, acknowledge, unacknowledge]


@get("/problems", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def problems_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All groups."""
    sources = {name: name for name in sorted(console.lading.sources)}
    query = read_query(request, (_SHOWN, Field("source", "Source", sources)))
    listed = read_problems(
        console,
        with_acknowledged=query.one("acknowledged") is not None,
        source=query.one("source"),
    )
    return page(
        console,
        caller,
        "pages/problems.html",
        section="/problems",
        live="topics=engine,problems",
        query=query,
        listed=listed,
        snoozes=SNOOZES,
        told=told_of(console, query.done),
    )


@get(
    "/problems/{fingerprint:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def problem_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
) -> Response[str]:
    """One group, problem by problem."""
    query = read_query(request, (_SHOWN,), extra={"changed": ["1"]})
    found = read_problem(
        console,
        fingerprint,
        with_acknowledged=query.one("acknowledged") is not None,
        cursor=query.cursor,
        limit=query.limit,
    )
    return page(
        console,
        caller,
        "pages/problem.html",
        section="/problems",
        crumbs=[("Problems", "/problems")],
        query=query,
        found=found,
        changed="changed" in query.extra,
        card=found.card,
        snoozes=SNOOZES,
        told=told_of(console, query.done),
    )


@post(
    "/problems/{fingerprint:str}/retry",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def retry(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    data: Form,
) -> Redirect:
    """Try all of a group again, if it is still as large as it was seen."""
    seen = one(data, "expected")
    if seen and seen != str(console.operations.problems.get(fingerprint).count):
        return see_other(with_parameters(problem_url(fingerprint), changed="1"))
    begun = retry_problem(console, caller, fingerprint)
    if begun.job_id is not None:
        return see_other(f"/jobs/{begun.job_id}")
    return _back(data, begun.operation)


@post(
    "/problems/{fingerprint:str}/acknowledge",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def acknowledge(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    data: Form,
) -> Redirect:
    """Hide a group: until it changes, or for some time."""
    text = one(data, "snooze_s")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadForm("this is a number of seconds", subject="snooze_s", found=text)
    done = acknowledge_problem(
        console,
        caller,
        fingerprint,
        note=one(data, "note") or None,
        snooze_s=float(text) if text else None,
    )
    return _back(data, done)


@post(
    "/problems/{fingerprint:str}/unacknowledge",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def unacknowledge(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    data: Form,
) -> Redirect:
    """Show a group again."""
    return _back(data, unacknowledge_problem(console, caller, fingerprint))


def _back(form: Form, done: Operation | None) -> Redirect:
    back = local_path(one(form, "back"), "/problems")
    return see_other(with_parameters(back, done=done.key if done else None))


def live(fragments: Fragments) -> None:
    """How many there are; the groups themselves stay as they are while someone reads them."""
    fragments.register("problems", _count)


def _count(console: Console, caller: Caller, _visible: Visible, _tick: Tick) -> list[Fragment]:
    html = console.renderer.fragment(
        "parts/problem_cards.html", "problem_count", row_shell(caller), read_problems(console)
    )
    return [Fragment("problem-count", html)]
