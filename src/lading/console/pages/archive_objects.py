"""The inventory codes of archives, one of them, and what was rejected (console design 5.8)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.console.archive_funnel import OBJECTS, REJECTS
from lading.console.archive_words import CODE_STATES
from lading.console.listing import Field, ListQuery, read_query
from lading.console.pages.library_scope import audit_lines
from lading.console.parts import Console
from lading.console.readers.archive_object import read_object
from lading.console.readers.archive_objects import FILE_WORDS, OBJECT_FIELDS, read_objects
from lading.console.readers.archive_rejects import read_rejects
from lading.console.readers.archive_runs import RUNS, archive_names
from lading.console.readers.operations import told_of
from lading.console.render import page
from lading.console.security.guards import requires
from lading.sources.archive.rules import CODE_PATTERN


def routes() -> list[HTTPRouteHandler]:
    """The list of codes, one code, and the rejections."""
    return [objects_page, object_page, rejects_page]


@get(OBJECTS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def objects_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """A page of the codes."""
    query = read_query(request, OBJECT_FIELDS)
    state = query.one("state")
    listed = read_objects(
        console,
        state=state,
        carrier=query.one("carrier"),
        q=query.one("q"),
        cursor=query.cursor,
        limit=query.limit,
    )
    tabs = [("In the library", query.url(state=None, cursor=None), listed.counts[""])]
    tabs += [
        (CODE_STATES[name].word, query.url(state=name, cursor=None), count)
        for name, count in listed.counts.items()
        if name
    ]
    return page(
        console,
        caller,
        "pages/archive_objects.html",
        section=RUNS,
        crumbs=[("Archive", RUNS)],
        query=query,
        listed=listed,
        state=state,
        tabs=tabs,
        current=query.url(state=state, cursor=None),
        file_words=FILE_WORDS,
        export_query=_export(query),
    )


@get(
    "/archive/objects/{code:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def object_page(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    code: FromPath[str],
) -> Response[str]:
    """One code, also one that was only ever rejected."""
    found = read_object(console, code)
    return page(
        console,
        caller,
        "pages/archive_object.html",
        section=RUNS,
        crumbs=[("Archive", RUNS), ("Inventory codes", OBJECTS)],
        found=found,
        line=found.line,
        pattern=CODE_PATTERN,
        by_hand=audit_lines(console, found.by_hand),
    )


@get(REJECTS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def rejects_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """What the latest run of each archive rejected, or one run; all rules, or some of them."""
    sources = {name: name for name in archive_names(console)}
    query = read_query(
        request, [Field("rule", "Rule"), Field("source", "Source", sources), Field("run", "Run")]
    )
    rules = [part for text in query.many("rule") for part in text.split(",") if part]
    listed = read_rejects(
        console,
        rules=rules,
        source=query.one("source"),
        run=query.one("run"),
        cursor=query.cursor,
        limit=query.limit,
    )
    return page(
        console,
        caller,
        "pages/archive_rejects.html",
        section=RUNS,
        crumbs=[("Archive", RUNS)],
        query=query,
        listed=listed,
        rules=rules,
        run=query.one("run"),
        sources=list(sources),
        pattern=CODE_PATTERN,
        export_query=_export(query),
        told=told_of(console, query.done),
    )


def _export(query: ListQuery) -> str:
    given = {name: ",".join(chosen) for name, chosen in query.values.items() if chosen}
    return f"&{urlencode(given, safe=',:')}" if given else ""
