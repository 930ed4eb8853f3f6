"""Finds out who asks, by token or by session cookie, and puts the `Caller` into `request.user`.

A token that is no good is nobody, whatever cookies come with it. Whether somebody is needed is
for the guards to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from lading.accounts.values import Caller
from lading.console.security.entrance import Entrance

BEARER: Final = "bearer"
_ASKED_OFTEN: Final = ("/static/", "/health")


class Authentication(ASGIMiddleware):
    """Sets `scope["user"]` to the `Caller`, or to None."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Find out who asks, then go on."""
        caller: Caller | None = None
        question = None if scope["path"].startswith(_ASKED_OFTEN) else self._question(scope)
        if question is not None:
            ask, secret = question
            caller = await sync_to_thread(ask, secret)
        scope["user"] = caller
        scope["auth"] = None if caller is None else caller.token or caller.session
        await next_app(scope, receive, send)

    def _question(self, scope: Scope) -> tuple[Callable[[str], Caller | None], str] | None:
        connection = ASGIConnection[Any, Any, Any, Any](scope)
        scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
        accounts = self._entrance.accounts
        if scheme.lower() == BEARER:
            return accounts.caller_of_token, credentials.strip()
        secret = connection.cookies.get(self._entrance.session_cookie)
        return None if not secret else (accounts.caller_of_session, secret)
