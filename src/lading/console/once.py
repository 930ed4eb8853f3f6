"""Lets a repeated request act once: a double click, a resent form, a script's second try.

Programs send `Idempotency-Key`, forms a hidden field `once`. What was answered the first time is
answered again; a request that failed gives its key back. An answer with a secret is not kept.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from anyio import to_thread
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from lading.accounts.accounts import Accounts
from lading.accounts.errors import IdempotencyKeyReused
from lading.accounts.values import Answer, Caller
from lading.console.security.guards import guard_of

HEADER: Final = "idempotency-key"
FIELD: Final = "once"
SECRET: Final = "secret_answer"  # noqa: S105 - the name of a handler's mark
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_KEPT_HEADERS: Final = frozenset({"content-type", "etag", "location"})


class SecretShown(IdempotencyKeyReused):
    """This was done before, under the same key; its secret was shown then and is not kept."""

    code = "secret_shown"
    next_step = "Use the secret that was shown, or revoke it and make another with a new key."


class Once(ASGIMiddleware):
    """Stands behind authentication and in front of every handler."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Answer from memory, or take the key, let the handler answer, and keep that."""
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        caller = scope.get("user")
        if request.method in _SAFE_METHODS or not isinstance(caller, Caller):
            await next_app(scope, receive, send)
            return
        body = await request.body()
        key = await _key_of(request)
        if not key:
            await next_app(scope, receive, send)
            return
        handler = scope["route_handler"]
        if (guard := guard_of(handler)) is not None:
            # Who may no longer do it is not told what came of it either.
            await guard(request, handler)
        digest = hashlib.sha256(body).hexdigest()
        before = await to_thread.run_sync(
            lambda: self._accounts.recall(
                caller.account.id,
                key,
                method=request.method,
                path=_target(scope),
                request_sha256=digest,
            )
        )
        if before is not None:
            await _again(scope, receive, send, before, key)
            return
        recorder = _Recorder()
        answer: Answer | None = None
        try:
            await next_app(scope, receive, recorder)
            answer = recorder.answer()
        finally:
            if answer is None:
                await to_thread.run_sync(self._accounts.forget, caller.account.id, key)
        if answer is not None:
            kept = (
                Answer(status=answer.status, headers=answer.headers, body=b"")
                if _secret(scope)
                else answer
            )
            # Before anybody hears of it: who asks again after the answer is to get the same.
            await to_thread.run_sync(self._accounts.remember, caller.account.id, key, kept)
        await recorder.pass_on(send)


class _Recorder:
    """Holds an answer back and keeps what is worth telling again."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message["headers"]
                if name.decode("latin-1").lower() in _KEPT_HEADERS
            }
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            self._whole = not message.get("more_body", False)
        self._messages.append(message)

    async def pass_on(self, send: Send) -> None:
        """Send the answer."""
        for message in self._messages:
            await send(message)

    def answer(self) -> Answer | None:
        """What was answered; None when nothing was done by it."""
        if not self._whole or not 200 <= self._status < 400:
            return None
        return Answer(status=self._status, headers=self._headers, body=bytes(self._body))


async def _key_of(request: Request[Any, Any, Any]) -> str:
    header = request.headers.get(HEADER)
    if header is not None:
        return header
    form = await request.form()
    value = form.get(FIELD)
    return f"form:{value}" if isinstance(value, str) and value else ""


async def _again(scope: Scope, receive: Receive, send: Send, answer: Answer, key: str) -> None:
    if _secret(scope):
        raise SecretShown("this was already done", subject=key)
    headers = dict(answer.headers)
    response: Response[bytes] = Response(
        answer.body,
        status_code=answer.status,
        media_type=headers.pop("content-type", "application/octet-stream"),
        headers=headers | {"Idempotency-Replayed": "true"},
    )
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    await response.to_asgi_response(None, request)(scope, receive, send)


def _secret(scope: Scope) -> bool:
    return bool(scope["route_handler"].opt.get(SECRET))


def _target(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}"[:500] if query else scope["path"][:500]
