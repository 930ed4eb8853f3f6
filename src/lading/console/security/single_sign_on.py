"""Signing in with a provider: there and back again, with what must come back kept in a cookie."""

from __future__ import annotations

import base64
import importlib
import json
from dataclasses import dataclass
from secrets import compare_digest
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.errors import SignInRefused
from lading.base.errors import MissingExtra, printable
from lading.console.security.entrance import Entrance
from lading.console.security.errors import (
    NoProvider,
    NoRole,
    ProviderRefused,
    ProviderUnavailable,
)
from lading.console.security.rules import page_after_signing_in
from lading.console.security.signing_in import asked_next, enter, sign_in_page

if TYPE_CHECKING:
    from lading.console.security.provider import Provider, Visit

CALLBACK: Final = "/sign-in/oidc/callback"
VISIT_MAX_S: Final = 600
_COOKIE_LENGTH_MAX: Final = 8_000
AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    state: str
    nonce: str
    verifier: str
    next_path: str


def routes(entrance: Entrance) -> list[HTTPRouteHandler]:
    """Signing in with the configured provider. Raises `MissingExtra` when it is not installed."""
    provider = open_provider(entrance)

    @get("/sign-in/oidc", include_in_schema=False, sync_to_thread=True)
    def begin(request: AnyRequest) -> Response[Any]:
        next_path = asked_next(request)
        if provider is None:
            raise NoProvider("sign-in with a provider is not configured")
        try:
            visit = provider.begin()
        except ProviderUnavailable as error:
            return sign_in_page(entrance, request, next_path, error=error)
        kept = entrance.cookie(
            entrance.flow_cookie,
            _written(visit, page_after_signing_in(next_path)),
            max_age_s=VISIT_MAX_S,
        )
        return Redirect(visit.url, status_code=303, cookies=[kept])

    @get(CALLBACK, include_in_schema=False, sync_to_thread=True)
    def finish(request: AnyRequest) -> Response[Any]:
        if provider is None:
            raise NoProvider("sign-in with a provider is not configured")
        gone = entrance.cookie(entrance.flow_cookie, "", max_age_s=0)
        kept = _read(request.cookies.get(entrance.flow_cookie))
        next_path = None if kept is None else kept.next_path
        said = dict(request.query_params)
        try:
            visit = _visit(kept, said.get("state"))
            code = _code(said.get("code"), said.get("error"))
            vouched = provider.finish(code, visit, issuer=said.get("iss"))
            session = entrance.accounts.sign_in_external(
                vouched.issuer,
                vouched.subject,
                suggested_name=vouched.name,
                display_name=vouched.display_name,
                role=vouched.role,
                address=entrance.address_of(request),
                user_agent=request.headers.get("user-agent"),
            )
        except (ProviderRefused, ProviderUnavailable, NoRole, SignInRefused) as fault:
            page = sign_in_page(entrance, request, next_path, error=fault)
            page.cookies.append(gone)
            return page
        return enter(entrance, request, session, next_path, cookies=(gone,))

    return [begin, finish]


def open_provider(entrance: Entrance) -> Provider | None:
    """The configured provider, or None. Raises `MissingExtra`; asks the provider nothing yet."""
    settings = entrance.settings
    if settings.oidc is None or settings.public_url is None:
        return None
    try:
        module = importlib.import_module("lading.console.security.provider")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sign-in with a provider is configured and not installed",
            found=error.name,
            next_step="Run: pip install 'lading[oidc]', or take [console.oidc] out.",
        ) from error
    provider: Provider = module.Provider(
        settings.oidc, redirect_uri=f"{settings.public_url}{CALLBACK}"
    )
    return provider


def _code(code: str | None, error: str | None) -> str:
    if error is not None:
        raise ProviderRefused("the provider refused", found=printable(error, length_max=100))
    if not code:
        raise ProviderRefused("the provider sent nothing back")
    return code


def _visit(kept: _Kept | None, state: str | None) -> Visit:
    """The visit that this is the end of; anybody can be sent here with a code of somebody else."""
    if kept is None or state is None or not compare_digest(kept.state.encode(), state.encode()):
        raise ProviderRefused(
            "this is not the end of a visit that began here",
            next_step="Sign in again, in one go and in one window.",
        )
    module = importlib.import_module("lading.console.security.provider")
    visit: Visit = module.Visit("", kept.state, kept.nonce, kept.verifier)
    return visit


def _written(visit: Visit, next_path: str) -> str:
    facts = [visit.state, visit.nonce, visit.verifier, next_path]
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")


def _read(cookie: str | None) -> _Kept | None:
    if not cookie or len(cookie) > _COOKIE_LENGTH_MAX:
        return None
    try:
        facts = json.loads(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, list) or len(facts) != 4:
        return None
    if not all(isinstance(fact, str) and fact.isascii() for fact in facts):
        return None
    return _Kept(*facts)
