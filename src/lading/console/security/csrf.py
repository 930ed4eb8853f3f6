"""Refuses requests that change something and that a page of another site could have made.

Every such request that browsers make must come from a page of ours, sign-in too; one with a
session must besides carry the proof that its pages were given. Tokens need none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from secrets import compare_digest
from typing import Any, Final

from litestar import Request
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType, ScopeType
from litestar.exceptions import ClientException, HTTPException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from lading.accounts.values import Caller
from lading.base.errors import LadingError
from lading.console.security.entrance import Entrance
from lading.console.security.errors import BodyTooLarge, CsrfRefused, FormInParts
from lading.console.security.rules import comes_from_here

HEADER: Final = "x-csrf-token"
PARTS_BYTES_MAX: Final = "parts_bytes_max"
"""The mark of a handler whose form is sent in parts, as files are; and how large it may be."""
FIELD: Final = "_csrf"
FORM_BYTES_MAX: Final = 1_000_000
_FORMS: Final = frozenset({RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Csrf(ASGIMiddleware):
    """Comes after `Authentication`."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Go on, or raise `CsrfRefused`, `BodyTooLarge` or `FormInParts`."""
        caller = scope.get("user")
        bytes_max = _form_bytes_max(scope)
        by_token = isinstance(caller, Caller) and caller.token is not None
        if scope["type"] != ScopeType.HTTP or scope["method"] in _SAFE or by_token:
            await next_app(scope, receive, send)
            return
        request = Request[Any, Any, Any](scope, receive=_bounded(receive, bytes_max))
        self._require_own_page(request)
        if not isinstance(caller, Caller):
            await next_app(scope, receive, send)
            return
        try:
            await self._require_proof(request, caller, bytes_max)
            await next_app(scope, receive, send)
        finally:
            await _close_files(request)

    def _require_own_page(self, request: Request[Any, Any, Any]) -> None:
        fetch_site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        origins = self._entrance.origins_of(request)
        if not comes_from_here(fetch_site=fetch_site, origin=origin, own_origins=origins):
            raise CsrfRefused(
                "the request was made by a page of another site",
                found=fetch_site or origin,
                next_step="Open this console itself; behind a proxy, set [console] public_url.",
            )

    async def _require_proof(
        self, request: Request[Any, Any, Any], caller: Caller, bytes_max: int
    ) -> None:
        given: object = request.headers.get(HEADER)
        in_parts = request.content_type[0] == RequestEncodingType.MULTI_PART
        if in_parts or (given is None and request.content_type[0] in _FORMS):
            length = request.content_length
            if length is not None and length > bytes_max:
                raise _too_large(bytes_max)
            # Litestar keeps what it has read for the handler; of a form in parts only the body.
            # A form in parts is read in any case: who reads a second time waits for ever.
            await request.body()
            form = await _form(request)
            given = form.get(FIELD) if given is None else given
        proof = caller.csrf or ""
        if not isinstance(given, str) or not compare_digest(given.encode(), proof.encode()):
            raise CsrfRefused("the request does not carry the proof of its session")


def _form_bytes_max(scope: Scope) -> int:
    """How large a form may be that is sent there.

    Only a form with a file is sent in parts, and only where one is expected: a careless reader of
    parts is easily confused.
    """
    request = Request[Any, Any, Any](scope)
    sent = request.content_type[0]
    if not sent.startswith("multipart/"):
        return FORM_BYTES_MAX
    bytes_max: int | None = scope["route_handler"].opt.get(PARTS_BYTES_MAX)
    if bytes_max is None or sent != RequestEncodingType.MULTI_PART:
        raise FormInParts("the form was sent in parts", found=sent[:100])
    return bytes_max + FORM_BYTES_MAX


async def _form(request: Request[Any, Any, Any]) -> Mapping[str, Any]:
    """The form that was sent. Raises `HTTPException` for one that cannot be read."""
    try:
        return await request.form()
    except ValueError as error:
        raise ClientException("the form cannot be read") from error


async def _close_files(request: Request[Any, Any, Any]) -> None:
    """Let go of the files of a form in parts, which may be on a disk."""
    if request.content_type[0] != RequestEncodingType.MULTI_PART:
        return
    # What cannot be read was refused already, and left nothing open.
    with suppress(LadingError, HTTPException):
        for given in (await _form(request)).values():
            if isinstance(given, UploadFile):
                await given.close()


def _bounded(receive: Receive, bytes_max: int) -> Receive:
    """The same body, but for one that is sent without a length and never ends."""
    size = 0

    async def receive_some() -> Any:
        nonlocal size
        message: Any = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > bytes_max:
                raise _too_large(bytes_max)
        return message

    return receive_some


def _too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge("the form is too large", expected=f"at most {bytes_max:,} bytes")
