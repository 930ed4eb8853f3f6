"""Answers what went wrong: problem+json (RFC 9457) for programs, a page of the same for people."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.response import Redirect

from lading.base.errors import LadingError, RequestError
from lading.base.tracing import request_id
from lading.console.render import Renderer, wants_html
from lading.console.security.errors import BodyTooLarge, NotSignedIn, PasswordChangeNeeded

PROBLEM: Final = "application/problem+json"
TYPE: Final = "urn:lading:error:"

_log = structlog.get_logger(__name__)


class PageMissing(RequestError):
    """There is nothing at this address."""

    code = "page_missing"
    http_status = 404
    next_step = "Check the address, or look it up with the search at the top of the page."


class MethodRefused(RequestError):
    """There is something at this address, but it cannot be asked in this way."""

    code = "method_refused"
    http_status = 405
    next_step = "Look the operation up in /api/v1/openapi.json."


class BadRequest(RequestError):
    """A request whose form, query or body does not fit."""

    code = "bad_request"


class Unexpected(LadingError):
    """A fault of Lading itself. Nothing was half-written: each change is one transaction."""

    code = "unexpected"
    next_step = "Report this with the request id and the log lines around it."


class Failures:
    """Exception handlers of the console."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def handlers(self) -> dict[int | type[Exception], Any]:
        """What Litestar takes as `exception_handlers`."""
        return {
            LadingError: self.known,
            HTTPException: self.http,
            RecursionError: self.too_deep,
            Exception: self.unexpected,
        }

    def known(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """An error meant for people."""
        assert isinstance(error, LadingError)  # noqa: S101 - Litestar's types cannot say so
        if wants_html(request) and isinstance(error, NotSignedIn | PasswordChangeNeeded):
            return self._to_sign_in(request, error)
        return self._answer(request, error)

    def http(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """An error that Litestar raised about a request."""
        assert isinstance(error, HTTPException)  # noqa: S101
        return self._answer(request, _translate(request, error))

    def too_deep(self, request: Request[Any, Any, Any], _error: Exception) -> Response[Any]:
        """JSON with more lists in lists than anybody means; its reader gives up like this."""
        _log.warning("request nested too deeply", path=request.url.path)
        return self._answer(request, BadRequest("the request is nested too deeply"))

    def unexpected(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """Anything else: logged in full, told without details that may be secret."""
        _log.error("request failed", path=request.url.path, exc_info=error)
        return self._answer(request, Unexpected("something went wrong in Lading itself"))

    def _answer(self, request: Request[Any, Any, Any], error: LadingError) -> Response[Any]:
        headers = {}
        retry_after_s = getattr(error, "retry_after_s", None)
        if retry_after_s is not None:
            headers["Retry-After"] = str(max(1, round(retry_after_s)))
        facts = error.as_dict() | {"request_id": request_id.get()}
        if wants_html(request):
            html = self._renderer.render("error.html", error=error, facts=facts)
            return Response(
                html, media_type="text/html", status_code=error.http_status, headers=headers
            )
        problem = {
            "type": f"{TYPE}{error.code}",
            "title": error.message,
            "status": error.http_status,
            "detail": str(error),
            "hint": error.advice,
        }
        return Response(
            problem | facts, media_type=PROBLEM, status_code=error.http_status, headers=headers
        )

    def _to_sign_in(self, request: Request[Any, Any, Any], error: LadingError) -> Response[Any]:
        path = "/password" if isinstance(error, PasswordChangeNeeded) else "/sign-in"
        back = _page_of(request)
        target = path if back == "/" else f"{path}?next={quote(back, safe='/')}"
        if request.headers.get("hx-request"):
            return Response(b"", status_code=401, headers={"HX-Redirect": target})
        return Redirect(target, status_code=303)


def _page_of(request: Request[Any, Any, Any]) -> str:
    """The page to come back to; of a form that was sent, the page that it stood on."""
    sent_form = request.method not in {"GET", "HEAD"}
    asked = urlsplit(request.headers.get("referer", "")) if sent_form else request.url
    if sent_form and asked.netloc != request.url.netloc:
        return "/"
    return f"{asked.path}?{asked.query}" if asked.query else asked.path or "/"


def _translate(request: Request[Any, Any, Any], error: HTTPException) -> LadingError:
    status = error.status_code
    if isinstance(error, NotFoundException):
        return PageMissing("there is nothing at this address")
    if isinstance(error, MethodNotAllowedException):
        return MethodRefused("this address does not take such a request")
    if status == BodyTooLarge.http_status:
        return BodyTooLarge("the request is too large")
    if status < 500:
        return _bad_request(request, error)
    return Unexpected("something went wrong in Lading itself")


def _bad_request(request: Request[Any, Any, Any], error: HTTPException) -> BadRequest:
    """What does not fit: the parameter or field by its name, what it may be, and what it was."""
    extra = error.extra if isinstance(error.extra, list) else []
    faults = [(str(item.get("key", "")), str(item.get("message", ""))) for item in extra]
    if not faults:
        return BadRequest("the request does not fit", found=error.detail or None)
    names = [name for name, _ in faults if name and name != "data"]  # Litestar's word for the body
    given = [request.query_params[name] for name in names if name in request.query_params]
    wanted = [said.removeprefix("Expected ") for _, said in faults if said.startswith("Expected ")]
    refused = [said for _, said in faults if said and not said.startswith("Expected ")]
    return BadRequest(
        "the request does not fit",
        subject=", ".join(names) or None,
        expected="; ".join(wanted).replace("`", "") or None,
        found="; ".join([*refused, *given]).replace("`", "")[:500] or None,
    )
