"""What is ticked on lists: kept on the server, so that it outlasts pages, changes and reloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.console.actions.operations import change_selection, select_ids, select_matching
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
from lading.console.readers.operations import LIST_OF
from lading.console.security.guards import requires
from lading.operations.values import Resource, Selection

_NEW: Final = "new"
_NOT_FILTERS: Final = frozenset({"all", "resource"})
_FILTER_NAMES: Final[Mapping[str, str]] = {"status": "states", "state": "states", "kind": "kinds"}
"""What addresses call a filter, where it is not what the list itself calls it."""


def routes() -> list[HTTPRouteHandler]:
    """Selections are made and changed; what is in one is shown by the list it was made on."""
    return [change_selected]


@post(
    "/selections/{key:str}",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=200,
)
def change_selected(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Response[Any]:
    """Tick and untick; `new` begins a selection, with `all=1` one of everything that matches."""
    if key == _NEW and request.query_params.get("all"):
        chosen = _select_all(request, console, caller)
    else:
        chosen = _toggle(request, console, caller, key, data)
    if "application/json" in request.headers.get("accept", ""):
        return Response({"key": chosen.key, "count": chosen.count})
    back = local_path(one(data, "back"), LIST_OF[chosen.resource])
    return see_other(with_parameters(back, sel=chosen.key))


def selection_of_form(console: Console, caller: Caller, form: Mapping[str, Any]) -> str | None:
    """The selection that a list's form names, brought up to date with what is ticked on its page.

    `shown` are the numbers on the page: of those, just the ticked ones (`id`) are in it.
    """
    key = one(form, "sel")
    if not key:
        return None
    ticked = set(numbers(form, "id"))
    shown = set(numbers(form, "shown"))
    change_selection(console, caller, key, add=ticked, remove=shown - ticked)
    return key


def filters_of(given: Mapping[str, str]) -> dict[str, str]:
    """The filters of a list's address as a selection takes them; others are refused there."""
    return {
        _FILTER_NAMES.get(name, name): text
        for name, text in given.items()
        if text and name not in _NOT_FILTERS
    }


def _select_all(request: Request[Any, Any, Any], console: Console, caller: Caller) -> Selection:
    given = {name: str(text) for name, text in request.query_params.items()}
    return select_matching(
        console, caller, given.get("resource", Resource.BATCHES.value), filters_of(given)
    )


def _toggle(
    request: Request[Any, Any, Any], console: Console, caller: Caller, key: str, form: Form
) -> Selection:
    add = numbers(form, "add") or numbers(form, "id")
    remove = numbers(form, "remove")
    # A list without script sends its whole form, with the selection it has already.
    key = one(form, "sel") or key
    if key == _NEW:
        resource = request.query_params.get("resource") or required(form, "resource")
        return select_ids(console, caller, resource, add)
    return change_selection(console, caller, key, add=add, remove=remove)
