"""Selections: a set of things, fixed when it is made, for an operation to work on."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions.operations import change_selection, select_ids, select_matching
from lading.console.api.conventions import (
    BASE,
    Body,
    Done,
    DryRun,
    Id,
    Text,
    also,
    creates,
    edits,
    reads,
    rehearsed,
)
from lading.console.api.operations import IDS_MAX
from lading.console.parts import Console
from lading.operations.errors import BadFilter
from lading.operations.values import Resource, Selection

TAG: Final = "selections"
_AS_LISTED: Final = {
    Resource.BATCHES: {"status": "states"},
    Resource.JOBS: {"state": "states", "kind": "kinds"},
    Resource.ASSETS: {
        "type": "types",
        "subtype": "subtypes",
        "batch": "batch_id",
        "transcript": "has_transcript",
        "hls": "has_hls",
        "arrived_after": "created_after",
        "arrived_before": "created_before",
    },
    Resource.GALLERIES: {"batch": "batch_id"},
    Resource.COLLECTIONS: {"batch": "batch_id"},
    Resource.EVENTS: {"batch": "batch_id"},
}
"""Filters that lists have under another name; both are understood."""

Ids = Annotated[list[Id], msgspec.Meta(max_length=IDS_MAX)]


class SelectionBody(Body, frozen=True):
    """What is selected: all that matches a filter now, or things by number."""

    resource: Resource
    filter: dict[str, Text | list[Text]] | None = None
    ids: Ids | None = None


class SelectionChange(Body, frozen=True):
    """Numbers that are put into a selection, and those that are taken out."""

    add: Ids = msgspec.field(default_factory=list)
    remove: Ids = msgspec.field(default_factory=list)


def routes() -> list[HTTPRouteHandler]:
    """Making, reading and changing a selection."""
    return [select, one_selection, change]


@creates(
    "/selections",
    "Select all that matches, or things by number",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=201,
    responses=also(200, Done[Selection], "A dry run: nothing was kept."),
)
def select(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[SelectionBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[Selection]]:
    """Fix a set."""
    caller.require(Permission.OPERATE)
    if (data.filter is None) == (data.ids is None):
        raise BadFilter("a selection is made of a filter or of numbers", expected="one of the two")
    with rehearsed(dry_run):
        if data.ids is not None:
            made = select_ids(console, caller, data.resource, data.ids)
        else:
            names = _AS_LISTED[data.resource]
            filters = {names.get(n, n): value for n, value in (data.filter or {}).items()}
            made = select_matching(console, caller, data.resource, filters)
    return Response(
        Done(dry_run=dry_run, result=made),
        status_code=200 if dry_run else 201,
        headers={} if dry_run else {"Location": f"{BASE}/selections/{made.key}"},
    )


@reads("/selections/{key:str}", "One selection", tag=TAG, permission=Permission.OPERATE)
def one_selection(console: NamedDependency[Console], key: FromPath[str]) -> Selection:
    """How much is in it, and as of when."""
    return console.operations.get_selection(key)


@edits(
    "/selections/{key:str}",
    "Put things into a selection, or take them out",
    tag=TAG,
    permission=Permission.OPERATE,
)
def change(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[SelectionChange],
    *,
    dry_run: DryRun = False,
) -> Done[Selection]:
    """Change a selection that no operation was started with."""
    with rehearsed(dry_run):
        changed = change_selection(console, caller, key, add=data.add, remove=data.remove)
    return Done(dry_run=dry_run, result=changed)
