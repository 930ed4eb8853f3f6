"""The trash: what is in it, who put it there, what comes back, and undone batches (A17)."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions import library
from lading.console.listing import ListQuery, read_query
from lading.console.pages.forms import Form, Number, see_other
from lading.console.pages.library_assets import ticked_of
from lading.console.pages.library_scope import changed_words, from_list, with_change
from lading.console.parts import Console
from lading.console.readers.library import CONTAINER_SECTIONS
from lading.console.readers.operations import told_of
from lading.console.readers.trash import KEPT, BinnedLine, read_trash, read_undos
from lading.console.render import page
from lading.console.security.guards import requires
from lading.operations.values import Selection

TRASH: Final = "/library/trash"
KINDS: Final = {
    "assets": "asset",
    **{section: kind.value for kind, section in CONTAINER_SECTIONS.items()},
}
"""The tabs of the page, each with the kind of thing that is on it."""

UNDOS: Final = "undos"


def routes() -> list[HTTPRouteHandler]:
    """The page, and what takes back the undo of a batch; restoring is an operation."""
    return [trash_page, take_back]


@get(TRASH, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def trash_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """What is in the trash, one kind of thing at a time."""
    given = request.query_params
    kept = {name: [str(given.get(name, ""))] for name in ("changed", "count")}
    query = read_query(
        request,
        (),
        page_size=int(caller.account.preferences.get("page_size", "50")),
        extra={"kind": [*KINDS, UNDOS], **kept},
    )
    chosen = query.extra.get("kind", "assets")
    trash = read_trash(
        console.lading.db,
        KINDS.get(chosen, "asset"),
        cursor=None if chosen == UNDOS else query.cursor,
        limit=query.limit,
    )
    selectable = caller.may(Permission.OPERATE)
    selection = _selection(console, query, chosen, selectable=selectable)
    here = query.url(cursor=query.cursor, sel=None, done=None, changed=None, count=None)
    return page(
        console,
        caller,
        "pages/trash.html",
        section=TRASH,
        query=query,
        trash=trash,
        chosen=chosen,
        tabs=[
            *(
                (name.capitalize(), _tab_url(query, name), trash.counts[kind])
                for name, kind in KINDS.items()
            ),
            ("Undone batches", _tab_url(query, UNDOS), None),
        ],
        current_tab=_tab_url(query, chosen),
        undos=read_undos(console.lading.db) if chosen == UNDOS else (),
        kept=KEPT,
        here=here,
        from_list=from_list(here),
        selectable=selectable,
        selection=selection,
        ids=[number_of(line) for line in trash.lines],
        ticked=ticked_of(console, selection, [number_of(line) for line in trash.lines]),
        told=told_of(console, query.done),
        changed=changed_words(request),
    )


@post(
    "/library/trash/undos/{batch_id:int}",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def take_back(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    batch_id: Number,
    data: Form,  # noqa: ARG001 - what proves where it comes from is in it
) -> Redirect:
    """Restore all that the last undo of a batch put in the trash."""
    count = library.take_back_undo(console, caller, batch_id)
    return see_other(with_change(f"{TRASH}?kind={UNDOS}", "taken_back", count))


def number_of(line: BinnedLine) -> int:
    """The number that operations know a thing in the trash by."""
    card: Any = line.card
    return int(card.asset.id if hasattr(card, "asset") else card.container.id)


def _tab_url(query: ListQuery, name: str) -> str:
    return query.url(
        kind=None if name == "assets" else name, sel=None, changed=None, count=None, done=None
    )


def _selection(
    console: Console, query: ListQuery, chosen: str, *, selectable: bool
) -> Selection | None:
    if not query.selection or not selectable:
        return None
    found = console.operations.get_selection(query.selection)
    return found if found.resource.value == chosen else None
