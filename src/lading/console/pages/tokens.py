"""Tokens: secrets for scripts, with permissions and an end; one's own, for an admin everybody's."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.values import Caller, NewToken, Permission
from lading.console.actions import accounts
from lading.console.listing import read_query
from lading.console.once import SECRET
from lading.console.pages.forms import BadForm, Form, Number, many, required, see_other
from lading.console.parts import Console
from lading.console.render import page
from lading.console.security.guards import requires
from lading.console.vocabulary import PERMISSION_MEANINGS

ANYBODY: Final = [requires(Permission.READ)]
DAYS: Final = (7, 30, 90, 365)
_DAYS_DIGITS_MAX: Final = 4


def routes() -> list[HTTPRouteHandler]:
    """The list, a new token, and the end of one."""
    return [tokens_page, add_token, revoke_token]


@get("/tokens", guards=ANYBODY, sync_to_thread=True, include_in_schema=False)
def tokens_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Tokens, the newest first."""
    return _list(request, console, caller)


@post("/tokens", guards=ANYBODY, sync_to_thread=True, include_in_schema=False, opt={SECRET: True})
def add_token(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: Form,
) -> Response[str]:
    """Make a token; its secret is on the page that answers, and nowhere else."""
    try:
        permissions = {Permission(name) for name in many(data, "permission")}
        days = int(required(data, "days")[: _DAYS_DIGITS_MAX + 1])
    except ValueError as error:
        raise BadForm("a token needs permissions and a number of days", found=error) from error
    made = accounts.create_token(
        console, caller, required(data, "name"), permissions, expires_in_days=days
    )
    return _list(request, console, caller, made=made)


@post("/tokens/{token_id:int}/revoke", guards=ANYBODY, sync_to_thread=True, include_in_schema=False)
def revoke_token(
    console: NamedDependency[Console], caller: NamedDependency[Caller], token_id: Number
) -> Redirect:
    """Revoke a token for good."""
    accounts.revoke_token(console, caller, token_id)
    return see_other("/tokens")


def _list(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    *,
    made: NewToken | None = None,
) -> Response[str]:
    query = read_query(request, ())
    everybodys = caller.may(Permission.ADMINISTER)
    return page(
        console,
        caller,
        "pages/tokens.html",
        section="/tokens",
        query=query,
        made=made,
        everybodys=everybodys,
        listed=console.accounts.list_tokens(
            None if everybodys else caller.account.id, cursor=query.cursor, limit=query.limit
        ),
        permissions=[p for p in Permission if caller.may(p)],
        meanings=PERMISSION_MEANINGS,
        days=DAYS,
    )
