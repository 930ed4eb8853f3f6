"""Answers only to the host names of this console, so that no other name can be led to it."""

from __future__ import annotations

from collections.abc import Collection

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from lading.console.security.errors import HostUnknown
from lading.console.security.rules import is_host_of


class KnownHosts(ASGIMiddleware):
    """Comes before all else. `names` have their port; `*.x` is every name below `x`."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Go on, or raise `HostUnknown`."""
        host = Headers.from_scope(scope).get("host", "")
        if not is_host_of(host, self._names):
            raise HostUnknown("the console does not answer to this host name", found=host or None)
        await next_app(scope, receive, send)
