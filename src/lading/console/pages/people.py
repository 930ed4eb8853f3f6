"""Everybody who is looked for in photos; adding somebody, and having faces found and matched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions import people as actions
from lading.console.listing import Field, read_query
from lading.console.live.fragments import Fragment, Fragments, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import (
    Form,
    local_path,
    numbers,
    one,
    required,
    see_other,
    with_parameters,
)
from lading.console.parts import Console
from lading.console.readers.people import person_url, read_people
from lading.console.readers.people_told import done_words, read_told
from lading.console.readers.photos import photos_sources
from lading.console.render import page
from lading.console.security.guards import requires
from lading.ledger.events import JobDone
from lading.ledger.people_events import FacesDecided, FacesPassedOver, FacesReset, PersonChanged
from lading.people.jobs import Lined

PEOPLE: Final = "/people"
UNASSIGNED: Final = "/people/unassigned"
VIEWS: Final[Mapping[str, str]] = {
    PEOPLE: "People",
    UNASSIGNED: "Unassigned",
    "/people/lab": "Lab",
}
"""The pages about people in photos, by address."""

CHANGING: Final = frozenset(
    {FacesDecided.kind, FacesPassedOver.kind, FacesReset.kind, PersonChanged.kind, JobDone.kind}
)
"""After these events, other faces may wait."""


def routes() -> list[HTTPRouteHandler]:
    """The list, and what is asked for of everybody."""
    return [people_page, add_person, decide, undo, scan, match]


def live(fragments: Fragments) -> None:
    """How many faces wait for a name; lists stay as they are while somebody decides."""
    fragments.register("people", _live_waiting, kinds=CHANGING)


@get(PEOPLE, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def people_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Everybody, by name."""
    size = int(caller.account.preferences.get("page_size", "50"))
    query = read_query(request, [Field("q", "Name")], page_size=size)
    db = console.lading.db
    return page(
        console,
        caller,
        "pages/people.html",
        section=PEOPLE,
        live="topics=engine,people",
        views=VIEWS,
        query=query,
        sources=photos_sources(console),
        waiting=console.faces_waiting.read(),
        found=read_people(db, q=query.one("q"), cursor=query.cursor, limit=query.limit),
        told=read_told(db, query.done),
    )


@post(PEOPLE, guards=[requires(Permission.OPERATE)], sync_to_thread=True, include_in_schema=False)
def add_person(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Add somebody, and go to their page."""
    done = actions.add(console, caller, required(data, "name"))
    return see_other(with_parameters(person_url(done.person.id), done=done_words(done.event)))


@post(
    "/people/faces",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def decide(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Say something of the faces that were ticked, or of the one whose button was pressed."""
    verb, _, alone = required(data, "decide").partition(":")
    faces = numbers({"id": alone}, "id") if alone else numbers(data, "id")
    if one(data, "all") and not alone:
        faces = numbers(data, "shown")
    assigns = verb in {"assign", "assign_new"}
    person = numbers(data, "person")
    done = actions.decide(
        console,
        caller,
        "confirm" if assigns else verb,
        faces,
        person_id=None if assigns or not person else person[0],
        person_name=one(data, "name"),
        new_person=verb == "assign_new",
    )
    back = local_path(one(data, "back"), UNASSIGNED)
    return see_other(with_parameters(back, done=done_words(done.event, len(done.gone))))


@post(
    "/people/undo",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def undo(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Take back a decision about faces."""
    seq = numbers({"event": required(data, "event")}, "event")[0]
    done = actions.undo(console, caller, seq)
    back = local_path(one(data, "back"), PEOPLE)
    return see_other(with_parameters(back, done=done_words(done.event, len(done.gone))))


@post(
    "/people/scan",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def scan(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Have faces looked for where they were not."""
    return lined(data, PEOPLE, actions.scan(console, caller))


@post(
    "/people/match",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def match(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Have faces matched, for everybody or one person."""
    person = numbers(data, "person")
    asked = actions.match(console, caller, person_id=person[0] if person else None)
    return lined(data, PEOPLE, asked)


def lined(data: Mapping[str, Any], otherwise: str, asked: Lined) -> Redirect:
    """Where a form came from, with how many jobs were put in line."""
    back = local_path(one(data, "back"), otherwise)
    return see_other(with_parameters(back, done=f"jobs-{asked.scans}-{asked.matches}"))


def _live_waiting(
    console: Console, _caller: Caller, _visible: Visible, _tick: Tick
) -> list[Fragment]:
    html = console.renderer.fragment(
        "parts/people_bits.html", "waiting_line", console.faces_waiting.read()
    )
    return [Fragment("people-waiting", html)]
