"""The profile: how the console looks to the one who is signed in, and where they are signed in."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.preferences import CHOICES, zones
from lading.accounts.values import Caller, Permission
from lading.console.actions import accounts
from lading.console.pages.forms import Form, one, see_other
from lading.console.parts import Console
from lading.console.render import page
from lading.console.security.guards import requires

ANYBODY: Final = [requires(Permission.READ)]
WORDS: Final = {
    "theme": ("Theme", {"auto": "As the system", "light": "Light", "dark": "Dark"}),
    "density": ("Density of tables", {"comfortable": "Comfortable", "compact": "Compact"}),
    "shortcuts": ("Keyboard shortcuts of a single key", {"on": "On", "off": "Off"}),
    "thumbnails": ("Pictures", {"shown": "Shown", "hidden": "Blurred on the page"}),
    "page_size": ("Rows on a page", {size: size for size in CHOICES["page_size"]}),
}
"""Each preference with its label and the words of its values."""


def routes() -> list[HTTPRouteHandler]:
    """The page, and changing what it shows."""
    return [profile_page, change_preferences]


@get("/profile", guards=ANYBODY, sync_to_thread=True, include_in_schema=False)
def profile_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Preferences and sessions of the caller."""
    return page(
        console,
        caller,
        "pages/profile.html",
        section="/profile",
        saved=request.query_params.get("saved") == "1",
        words=WORDS,
        zones=zones(),
        sessions=console.accounts.list_sessions(caller.account.id),
    )


@post("/profile", guards=ANYBODY, sync_to_thread=True, include_in_schema=False)
def change_preferences(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Keep what was chosen."""
    chosen = {name: one(data, name) for name in (*WORDS, "zone") if one(data, name)}
    accounts.set_preferences(console, caller, chosen)
    return see_other("/profile?saved=1")
