"""Accounts and tokens: who may sign in and as what, and the secrets of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Account, Caller, OneTimePassword, Permission, Role, TokenRow
from lading.console.actions.accounts import (
    create_account,
    create_token,
    reset_password,
    revoke_token,
)
from lading.console.actions.editing import edit_account
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    Done,
    DryRun,
    IfMatch,
    Limit,
    Name,
    Number,
    also,
    creates,
    edits,
    reads,
    rehearsed,
    removes,
    unchanged_check,
    with_etag,
)
from lading.console.once import SECRET
from lading.console.parts import Console
from lading.console.readers.counted import count_accounts, count_tokens

ADMIN: Final = Permission.ADMINISTER


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """An account with its one-time password, which is told once; a dry run has none."""

    account: Account
    password: str | None
    tokens_revoked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A token with its secret, which is told once; a dry run has none."""

    token: TokenRow
    secret: str | None


class UserBody(Body, frozen=True):
    """A new account."""

    name: Name
    role: Role
    display_name: Name | None = None


class UserChange(Body, frozen=True):
    """What is to be changed of an account; what is left out stays."""

    role: Role | None = None
    display_name: Name | None = None
    disabled: bool | None = None


class TokenBody(Body, frozen=True):
    """A new token of one's own, with no more than one may do."""

    name: Name
    permissions: set[Permission]
    expires_in_days: Annotated[float, msgspec.Meta(gt=0, le=366)] = 90


def routes() -> list[HTTPRouteHandler]:
    """Users and tokens."""
    return [
        list_users,
        add_user,
        one_user,
        change_user,
        new_password,
        list_tokens,
        add_token,
        end_token,
    ]


@reads("/users", "All accounts, by name", tag="users", permission=ADMIN)
def list_users(
    console: NamedDependency[Console], *, cursor: Cursor = None, limit: Limit = 50
) -> Many[Account]:
    """A page of accounts."""
    page = console.accounts.list(cursor=cursor or None, limit=limit)
    return many(page.accounts, page, count_accounts(console))


@creates(
    "/users",
    "Make an account with a one-time password",
    tag="users",
    permission=ADMIN,
    status_code=201,
    opt={SECRET: True},
    responses=also(200, Done[NewPassword], "A dry run: nothing was made."),
)
def add_user(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[UserBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[NewPassword]]:
    """Make an account."""
    with rehearsed(dry_run):
        made = create_account(
            console, caller, data.name, role=data.role, display_name=data.display_name or ""
        )
    return Response(
        _told(made, dry_run=dry_run),
        status_code=200 if dry_run else 201,
        headers={} if dry_run else {"Location": f"{BASE}/users/{made.account.name}"},
    )


@reads("/users/{name:str}", "One account", tag="users", permission=ADMIN)
def one_user(console: NamedDependency[Console], name: FromPath[str]) -> Response[Account]:
    """One account, with the ETag of what can be changed of it."""
    found = console.accounts.get(name)
    return with_etag(found, _state(found))


@edits(
    "/users/{name:str}",
    "Change role, shown name, or whether it may sign in",
    tag="users",
    permission=ADMIN,
)
def change_user(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
    data: JSONBody[UserChange],
    *,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> Response[Done[Account]]:
    """Change an account, all that is given or nothing."""
    check = unchanged_check(if_match, data, subject=f"user {name}")
    with rehearsed(dry_run):
        after = edit_account(
            console,
            caller,
            name,
            role=data.role,
            display_name=data.display_name,
            enabled=None if data.disabled is None else not data.disabled,
            check=lambda account: check(_state(account)),
        )
    return with_etag(Done(dry_run=dry_run, result=after), _state(after))


@creates(
    "/users/{name:str}/password",
    "Give an account a one-time password; its sessions end, its tokens are revoked",
    tag="users",
    permission=ADMIN,
    opt={SECRET: True},
)
def new_password(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
    *,
    dry_run: DryRun = False,
) -> Done[NewPassword]:
    """Reset a password."""
    with rehearsed(dry_run):
        made = reset_password(console, caller, name)
    return _told(made, dry_run=dry_run)


@reads("/tokens", "One's own tokens, for an admin everybody's, the newest first", tag="tokens")
def list_tokens(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[TokenRow]:
    """A page of tokens."""
    whose = None if caller.may(ADMIN) else caller.account.id
    page = console.accounts.list_tokens(whose, cursor=cursor or None, limit=limit)
    return many(page.tokens, page, count_tokens(console, whose))


@creates(
    "/tokens",
    "Make a token of one's own",
    tag="tokens",
    permission=Permission.READ,
    status_code=201,
    opt={SECRET: True},
    responses=also(200, Done[NewSecret], "A dry run: nothing was made."),
)
def add_token(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[TokenBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[NewSecret]]:
    """Make a token."""
    with rehearsed(dry_run):
        made = create_token(
            console, caller, data.name, data.permissions, expires_in_days=data.expires_in_days
        )
    told = NewSecret(token=made.token, secret=None if dry_run else made.secret)
    return Response(Done(dry_run=dry_run, result=told), status_code=200 if dry_run else 201)


@removes(
    "/tokens/{token_id:int}",
    "Revoke a token for good",
    tag="tokens",
    permission=Permission.READ,
)
def end_token(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    token_id: Number,
    *,
    dry_run: DryRun = False,
) -> Done[TokenRow]:
    """Revoke one's own token, or as an admin anybody's."""
    with rehearsed(dry_run):
        revoked = revoke_token(console, caller, token_id)
    return Done(dry_run=dry_run, result=revoked)


def _told(made: OneTimePassword, *, dry_run: bool) -> Done[NewPassword]:
    told = NewPassword(
        account=made.account,
        password=None if dry_run else made.password,
        tokens_revoked=made.tokens_revoked,
    )
    return Done(dry_run=dry_run, result=told)


def _state(account: Account) -> Mapping[str, Any]:
    """What of an account an edit is about."""
    return {
        "name": account.name,
        "display_name": account.display_name,
        "role": account.role,
        "disabled": account.disabled_at is not None,
    }
