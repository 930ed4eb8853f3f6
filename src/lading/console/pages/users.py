"""Users: who may sign in and as what; made, changed, let in no more, given a new password."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Account, Caller, OneTimePassword, Permission, Role
from lading.console.actions import accounts
from lading.console.listing import read_query
from lading.console.once import SECRET
from lading.console.pages.forms import (
    BadForm,
    Form,
    Number,
    local_path,
    one,
    required,
    see_other,
)
from lading.console.parts import Console
from lading.console.readers.audit import read_audit_of
from lading.console.render import page
from lading.console.security.guards import requires
from lading.console.vocabulary import ROLE_MEANINGS, ROLE_WORDS

ADMIN: Final = [requires(Permission.ADMINISTER)]
_SHOWN_ONCE: Final = {SECRET: True}


def routes() -> list[HTTPRouteHandler]:
    """The list of accounts, one of them, and what can be done about it."""
    return [
        users_page,
        user_page,
        add_user,
        change_role,
        disable_user,
        enable_user,
        reset_password,
        end_session,
        end_sessions,
    ]


@get("/users", guards=ADMIN, sync_to_thread=True, include_in_schema=False)
def users_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All accounts, by name."""
    return _list(request, console, caller)


@post("/users", guards=ADMIN, sync_to_thread=True, include_in_schema=False, opt=_SHOWN_ONCE)
def add_user(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: Form,
) -> Response[str]:
    """Make an account; its one-time password is on the page that answers, and nowhere else."""
    made = accounts.create_account(
        console,
        caller,
        required(data, "name"),
        role=role_of(required(data, "role")),
        display_name=one(data, "display_name"),
    )
    return _list(request, console, caller, made=made)


@get("/users/{name:str}", guards=ADMIN, sync_to_thread=True, include_in_schema=False)
def user_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
) -> Response[str]:
    """One account: its facts, its sessions, its tokens, and what it did."""
    return _one(request, console, caller, console.accounts.get(name))


@post("/users/{name:str}/role", guards=ADMIN, sync_to_thread=True, include_in_schema=False)
def change_role(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
    data: Form,
) -> Redirect:
    """Give an account another role."""
    accounts.set_role(console, caller, name, role_of(required(data, "role")))
    return see_other(f"/users/{name}")


@post("/users/{name:str}/disable", guards=ADMIN, sync_to_thread=True, include_in_schema=False)
def disable_user(
    console: NamedDependency[Console], caller: NamedDependency[Caller], name: FromPath[str]
) -> Redirect:
    """Let an account in no more."""
    accounts.set_enabled(console, caller, name, enabled=False)
    return see_other(f"/users/{name}")


@post("/users/{name:str}/enable", guards=ADMIN, sync_to_thread=True, include_in_schema=False)
def enable_user(
    console: NamedDependency[Console], caller: NamedDependency[Caller], name: FromPath[str]
) -> Redirect:
    """Let an account in again."""
    accounts.set_enabled(console, caller, name, enabled=True)
    return see_other(f"/users/{name}")


@post(
    "/users/{name:str}/password",
    guards=ADMIN,
    sync_to_thread=True,
    include_in_schema=False,
    opt=_SHOWN_ONCE,
)
def reset_password(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
) -> Response[str]:
    """Give an account a one-time password, shown on the page that answers."""
    made = accounts.reset_password(console, caller, name)
    return _one(request, console, caller, made.account, made=made)


@post(
    "/users/{name:str}/sessions/{session_id:int}/end",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def end_session(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
    session_id: Number,
    data: Form,
) -> Redirect:
    """End one session: one's own, or as an admin anybody's."""
    account = _own_or_any(console, caller, name)
    accounts.end_session(console, caller, account, session_id)
    return see_other(local_path(one(data, "back"), "/profile"))


@post(
    "/users/{name:str}/sessions/end",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def end_sessions(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
    data: Form,
) -> Redirect:
    """End all sessions but the one in use."""
    account = _own_or_any(console, caller, name)
    accounts.end_sessions(console, caller, account)
    return see_other(local_path(one(data, "back"), "/profile"))


def role_of(text: str) -> Role:
    """The role of that name. Raises `BadForm`."""
    try:
        return Role(text)
    except ValueError:
        raise BadForm(
            "there is no such role", subject="role", expected=", ".join(Role), found=text
        ) from None


def _own_or_any(console: Console, caller: Caller, name: str) -> Account:
    """An account that the caller may look at: who may not learns nothing of others."""
    if name != caller.account.name:
        caller.require(Permission.ADMINISTER)
    return console.accounts.get(name)


def _list(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    *,
    made: OneTimePassword | None = None,
) -> Response[str]:
    query = read_query(request, ())
    listed = console.accounts.list(cursor=query.cursor, limit=query.limit)
    return page(
        console,
        caller,
        "pages/users.html",
        section="/users",
        query=query,
        listed=listed,
        made=made,
        role_words=ROLE_WORDS,
        role_meanings=ROLE_MEANINGS,
    )


def _one(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    account: Account,
    *,
    made: OneTimePassword | None = None,
) -> Response[str]:
    return page(
        console,
        caller,
        "pages/user.html",
        section="/users",
        crumbs=[("Users", "/users")],
        here=request.url.path.removesuffix("/password"),
        account=account,
        made=made,
        sessions=console.accounts.list_sessions(account.id),
        tokens=console.accounts.list_tokens(account.id).tokens,
        tokens_alive=console.accounts.count_tokens(account.id),
        lately=read_audit_of(console, f"user:{account.name}"),
        role_words=ROLE_WORDS,
        role_meanings=ROLE_MEANINGS,
    )
