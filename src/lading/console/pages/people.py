"""Everybody who is looked for in photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console
from lading.console.render import page
from lading.console.security.guards import requires
from lading.library.people_queries import list_persons

PEOPLE: Final = "/people"
VIEWS: Final[Mapping[str, str]] = {
    PEOPLE: "People",
    "/people/unassigned": "Unassigned",
    "/people/lab": "Lab",
}
"""The pages about people in photos, by address."""


def routes() -> list[HTTPRouteHandler]:
    """The list."""
    return [people_page]


@get(PEOPLE, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def people_page(
    console: NamedDependency[Console], caller: NamedDependency[Caller]
) -> Response[str]:
    """Everybody, by name."""
    with console.lading.db.read() as conn:
        people = list_persons(conn)
    return page(console, caller, "pages/people.html", section=PEOPLE, views=VIEWS, people=people)
