"""Gives every answer its headers, that of a missing page too, and every request its name.

What a handler set itself stays.
"""

from __future__ import annotations

import uuid
from typing import Final

from litestar import Litestar
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from lading.base.tracing import request_id
from lading.console.security.rules import accepted_request_id

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
_ALWAYS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
    ),
    "Cache-Control": "no-store",
}
_TLS_ONLY: Final = "max-age=31536000"


class ResponseHeaders:
    """Stands around the whole application: what it has no handler for is answered in it, too."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = _ALWAYS | ({"Strict-Transport-Security": _TLS_ONLY} if secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with headers; while it lasts, `lading.base.tracing.request_id` is set."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        given = Headers.from_scope(scope).get("x-request-id")
        name = accepted_request_id(given) or str(uuid.uuid4())
        to_api = scope["path"].startswith("/api/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for key, value in self._headers.items():
                    headers.setdefault(key, value)
                headers["X-Request-Id"] = name
                if message["status"] == 401 and to_api:
                    headers.setdefault("WWW-Authenticate", "Bearer")
            await send(message)

        before = request_id.set(name)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            request_id.reset(before)


def install(app: Litestar, *, secure: bool) -> None:
    """Put the headers around an application. Litestar's middleware is for what has a handler."""
    app.asgi_handler = ResponseHeaders(app.asgi_handler, secure=secure)
