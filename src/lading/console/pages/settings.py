"""Settings and About: what this installation was told, from where, and what it is made of."""

from __future__ import annotations

import platform
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.base.version import __version__
from lading.console.parts import Console
from lading.console.readers.settings import read_settings
from lading.console.render import page
from lading.console.security.guards import requires
from lading.console.vocabulary import legend
from lading.db.revisions import head_revision


def routes() -> list[HTTPRouteHandler]:
    """Both pages."""
    return [settings_page, about_page]


@get("/settings", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def settings_page(
    request: Request[Any, Any, Any],  # noqa: ARG001 - what every page is given
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All settings, secrets masked."""
    return page(
        console,
        caller,
        "pages/settings.html",
        section="/settings",
        sections=read_settings(console.lading.settings),
    )


@get("/about", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def about_page(
    request: Request[Any, Any, Any],  # noqa: ARG001 - what every page is given
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Versions, licences, and what every state means."""
    return page(
        console,
        caller,
        "pages/about.html",
        section="/about",
        version=__version__,
        python=platform.python_version(),
        database=console.lading.db.dialect,
        schema=head_revision(),
        legend=list(legend()),
    )
