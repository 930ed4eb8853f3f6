"""Who may come in: sign-in, sessions and tokens, guards, CSRF, and the headers of every answer."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware

from lading.console.security import signing_in, single_sign_on
from lading.console.security.authentication import Authentication
from lading.console.security.csrf import Csrf
from lading.console.security.entrance import Entrance
from lading.console.security.guards import requires, signed_in, unguarded
from lading.console.security.headers import install as install_headers

__all__ = [
    "Entrance",
    "install_headers",
    "middleware",
    "requires",
    "routes",
    "signed_in",
    "unguarded",
]


def middleware(entrance: Entrance) -> list[ASGIMiddleware]:
    """What Litestar takes as `middleware`, in this order."""
    return [Authentication(entrance), Csrf(entrance)]


def routes(entrance: Entrance) -> list[HTTPRouteHandler]:
    """The handlers of signing in and out. Raises `MissingExtra` if a provider needs its extra."""
    return [*signing_in.routes(entrance), *single_sign_on.routes(entrance)]
