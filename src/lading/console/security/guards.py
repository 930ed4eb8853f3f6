"""Lets a request through to its handler if the caller may do what the handler does.

Every handler says what it needs with `guards=[requires(…)]`; those few that need nothing are named
in `PUBLIC`, so that one that was forgotten is found.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.security.errors import NotSignedIn, PasswordChangeNeeded

PUBLIC: Final = frozenset(
    {
        "GET /health",
        "GET /ready",
        "GET /sign-in",
        "POST /sign-in",
        "GET /sign-in/oidc",
        "GET /sign-in/oidc/callback",
        "GET /static/{version:str}/{name:path}",
    }
)
"""What is answered to anybody."""


class Requires:
    """A guard that needs someone signed in, and with a permission someone who may do that."""

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
    ) -> None:
        """Raise `NotSignedIn`, `PasswordChangeNeeded` or `NotPermitted`."""
        caller = connection.scope.get("user")
        if not isinstance(caller, Caller):
            raise NotSignedIn("nobody is signed in")
        if self.permission is None:
            return
        if caller.session is not None and caller.account.must_change_password:
            raise PasswordChangeNeeded("the one-time password must be changed first")
        caller.require(self.permission)


def requires(permission: Permission) -> Requires:
    """The guard for handlers that need this permission."""
    return Requires(permission)


signed_in: Final = Requires(None)
"""The guard for what everybody who is signed in may do, even with a one-time password."""


def guard_of(handler: BaseRouteHandler) -> Requires | None:
    """Our guard of a handler, wherever it was given; the innermost counts."""
    found = [
        guard
        for layer in handler.ownership_layers
        for guard in getattr(layer, "guards", None) or ()
        if isinstance(guard, Requires)
    ]
    return found[-1] if found else None


def permission_of(handler: BaseRouteHandler) -> Permission | None:
    """What a handler needs; None for one that is public or only needs someone signed in."""
    guard = guard_of(handler)
    return None if guard is None else guard.permission


def unguarded(app: Litestar) -> list[str]:
    """Handlers that say nothing of who may use them, and are not among the public ones."""
    found = set()
    for route in app.routes:
        handlers = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in handlers:
            if handler is None or guard_of(handler) is not None:
                continue
            methods = handler.http_methods if isinstance(handler, HTTPRouteHandler) else {"*"}
            found |= {f"{method} {route.path_format}" for method in methods if method != "OPTIONS"}
    public = {name.replace(":str", "").replace(":path", "") for name in PUBLIC}
    return sorted(found - PUBLIC - public)
