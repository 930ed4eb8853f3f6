"""Photos that look alike or lie at several places, and what people decided about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions.photos import KEEP_ALL, STACK, TRASH_OTHERS, decide_alike, unstack
from lading.console.listing import Field
from lading.console.pages.forms import (
    Form,
    local_path,
    many,
    one,
    required,
    see_other,
    with_parameters,
)
from lading.console.pages.library_scope import from_list
from lading.console.pages.photos import PHOTOS, VIEWS, photos_query
from lading.console.parts import Console
from lading.console.readers.library import asset_url
from lading.console.readers.operations import told_of
from lading.console.readers.photos import photos_sources
from lading.console.readers.photos_alike import read_decided, read_groups, read_same
from lading.console.render import page
from lading.console.security.guards import requires

DUPLICATES: Final = "/photos/duplicates"
ALIKE, SAME, DECIDED = "", "same", "decided"
KINDS: Final[Mapping[str, str]] = {
    ALIKE: "Look alike",
    SAME: "Same content",
    DECIDED: "Decided",
}
DECISION_WORDS: Final[Mapping[str, str]] = {
    KEEP_ALL: "Keep all",
    STACK: "Stack",
    TRASH_OTHERS: "Trash the others",
}
GROUPS_SHOWN: Final = 20


def routes() -> list[HTTPRouteHandler]:
    """The page, deciding about a group, and taking a stack apart."""
    return [duplicates_page, decide, take_apart]


@get(DUPLICATES, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def duplicates_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One of the lists: what looks alike, what lies at several places, what was decided."""
    choices = {name: word for name, word in KINDS.items() if name}
    query = photos_query(request, caller, Field("kind", "List", choices))
    kind = query.one("kind") or ALIKE
    found: Any
    if kind == ALIKE:
        found = read_groups(console, cursor=query.cursor, limit=GROUPS_SHOWN)
    elif kind == SAME:
        found = read_same(console.lading.db, cursor=query.cursor, limit=query.limit)
    else:
        found = read_decided(console, cursor=query.cursor, limit=GROUPS_SHOWN)
    return page(
        console,
        caller,
        "pages/photos_duplicates.html",
        section=PHOTOS,
        query=query,
        views=VIEWS,
        sources=photos_sources(console),
        kind=kind,
        kind_word=KINDS[kind],
        kinds=[
            (word, query.url(kind=name or None, done=None), None) for name, word in KINDS.items()
        ],
        current=query.url(kind=kind or None, done=None),
        found=found,
        decision_words=DECISION_WORDS,
        told=told_of(console, query.done),
        from_list=from_list(query.here),
    )


@post(
    "/photos/duplicates",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def decide(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Remember what was decided about a group, and put in the trash what is not wanted."""
    decision = required(data, "decision")
    # Only what was seen is put in the trash; to keep all holds for the whole group.
    hashes = many(data, "shown" if decision == TRASH_OTHERS else "hashes")
    done = decide_alike(console, caller, hashes, decision=decision, keep=one(data, "keep") or None)
    back = local_path(one(data, "back"), DUPLICATES)
    return see_other(with_parameters(back, done=done.operation))


@post(
    "/photos/stacks/{content_hash:str}/unstack",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def take_apart(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    content_hash: FromPath[str],
    data: Form,
) -> Redirect:
    """Show each photo of a stack by itself again."""
    unstack(console, caller, content_hash)
    return see_other(local_path(one(data, "back"), asset_url(content_hash)))
