"""The pages and posts with which people sign in, sign out, and change their password."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.errors import (
    BadPassword,
    NoPassword,
    SessionMissing,
    SignInRefused,
    TooManyAttempts,
)
from lading.accounts.values import Caller, NewSession
from lading.base.errors import LadingError
from lading.console.security.entrance import Entrance
from lading.console.security.errors import NotSignedIn
from lading.console.security.guards import signed_in
from lading.console.security.rules import page_after_signing_in

HTML = "text/html"  # Litestar adds the charset
AnyRequest = Request[Any, Any, Any]


def routes(entrance: Entrance) -> list[HTTPRouteHandler]:
    """Signing in and out with name and password."""
    door = _Door(entrance)

    @get("/sign-in", include_in_schema=False)
    async def show_sign_in(request: AnyRequest) -> Response[Any]:
        return await sync_to_thread(door.show, request)

    @post("/sign-in", include_in_schema=False)
    async def sign_in(request: AnyRequest) -> Response[Any]:
        return await sync_to_thread(door.sign_in, request, await _fields(request))

    @post("/sign-out", include_in_schema=False, guards=[signed_in])
    async def sign_out(request: AnyRequest) -> Response[Any]:
        return await sync_to_thread(door.sign_out, request)

    @get("/password", include_in_schema=False, guards=[signed_in])
    async def show_password(request: AnyRequest) -> Response[Any]:
        return await sync_to_thread(door.password_page, _by_session(request), asked_next(request))

    @post("/password", include_in_schema=False, guards=[signed_in])
    async def change_password(request: AnyRequest) -> Response[Any]:
        return await sync_to_thread(door.change_password, request, await _fields(request))

    return [show_sign_in, sign_in, sign_out, show_password, change_password]


def asked_next(request: AnyRequest) -> str | None:
    """Where the address says to go afterwards; to be judged before it is believed."""
    found = request.query_params.get("next")
    return found if isinstance(found, str) else None


def sign_in_page(
    entrance: Entrance,
    request: AnyRequest,
    next_path: str | None,
    *,
    name: str = "",
    error: LadingError | None = None,
) -> Response[str]:
    """The page to sign in on, with what went wrong the last time."""
    caller = request.user
    oidc, back = entrance.settings.oidc, page_after_signing_in(next_path)
    html = entrance.render(
        "sign_in.html",
        next=back,
        name=name,
        error=error,
        csrf=caller.csrf if isinstance(caller, Caller) else None,
        oidc_label=None if oidc is None else oidc.label,
        oidc_url=f"/sign-in/oidc?next={quote(back, safe='/')}",
    )
    return _page(html, error)


def enter(
    entrance: Entrance,
    request: AnyRequest,
    session: NewSession,
    next_path: str | None,
    *,
    cookies: tuple[Cookie, ...] = (),
) -> Response[Any]:
    """Go in with a new session; the one before it in this browser ends."""
    end_session(entrance, request)
    target = page_after_signing_in(next_path)
    if session.account.must_change_password:
        target = f"/password?next={quote(target, safe='/')}"
    cookie = entrance.cookie(
        entrance.session_cookie, session.secret, max_age_s=entrance.settings.session_max_s
    )
    return Redirect(target, status_code=303, cookies=[cookie, *cookies])


def end_session(entrance: Entrance, request: AnyRequest) -> None:
    """End the session of this browser, if it has one."""
    caller = request.user
    if isinstance(caller, Caller) and caller.session is not None:
        with suppress(SessionMissing):  # ended by somebody else in the meantime
            entrance.accounts.revoke_session(
                caller.account.id, caller.session.id, actor=caller.actor
            )


class _Door:
    """What is done with the forms."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    def show(self, request: AnyRequest) -> Response[Any]:
        next_path = asked_next(request)
        if isinstance(request.user, Caller) and request.user.session is not None:
            return Redirect(page_after_signing_in(next_path), status_code=303)
        return sign_in_page(self._entrance, request, next_path)

    def sign_out(self, request: AnyRequest) -> Response[Any]:
        end_session(self._entrance, request)
        gone = self._entrance.cookie(self._entrance.session_cookie, "", max_age_s=0)
        return Redirect("/sign-in", status_code=303, cookies=[gone])

    def sign_in(self, request: AnyRequest, data: Mapping[str, str]) -> Response[Any]:
        name, next_path = data.get("name", ""), data.get("next")
        try:
            session = self._entrance.accounts.sign_in(
                name,
                data.get("password", ""),
                address=self._entrance.address_of(request),
                user_agent=request.headers.get("user-agent"),
            )
        except (SignInRefused, TooManyAttempts) as error:
            return sign_in_page(self._entrance, request, next_path, name=name, error=error)
        return enter(self._entrance, request, session, next_path)

    def password_page(
        self, caller: Caller, next_path: str | None, *, error: LadingError | None = None
    ) -> Response[str]:
        if not caller.account.has_password:
            raise NoPassword("you sign in with a provider, and have no password here")
        limits = self._entrance.accounts.limits
        html = self._entrance.render(
            "password.html",
            next=page_after_signing_in(next_path),
            name=caller.account.name,
            forced=caller.account.must_change_password,
            length_min=limits.password_min,
            length_max=limits.password_max,
            csrf=caller.csrf,
            error=error,
        )
        return _page(html, error)

    def change_password(self, request: AnyRequest, data: Mapping[str, str]) -> Response[Any]:
        caller, next_path = _by_session(request), data.get("next")
        session = caller.session
        try:
            if data.get("new", "") != data.get("repeat", ""):
                raise BadPassword(
                    "the new password was not repeated as it was",
                    next_step="Type the new password twice.",
                )
            self._entrance.accounts.change_password(
                caller.account.id,
                data.get("current", ""),
                data.get("new", ""),
                keep_session=None if session is None else session.id,
                address=self._entrance.address_of(request),
                actor=caller.actor,
            )
        except SignInRefused:
            wrong = SignInRefused(
                "the current password is wrong", next_step="Type the password you signed in with."
            )
            return self.password_page(caller, next_path, error=wrong)
        except (BadPassword, TooManyAttempts) as error:
            return self.password_page(caller, next_path, error=error)
        return Redirect(page_after_signing_in(next_path), status_code=303)


async def _fields(request: AnyRequest) -> Mapping[str, str]:
    """The fields of a form that are text; of one given twice, the last."""
    form = await request.form()
    return {key: value for key, value in form.multi_items() if isinstance(value, str)}


def _by_session(request: AnyRequest) -> Caller:
    caller = request.user
    if not isinstance(caller, Caller) or caller.session is None:
        raise NotSignedIn("this is for people who are signed in, not for tokens")
    return caller


def _page(html: str, error: LadingError | None) -> Response[str]:
    headers = {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    status = 200 if error is None else error.http_status
    return Response(html, media_type=HTML, status_code=status, headers=headers)
