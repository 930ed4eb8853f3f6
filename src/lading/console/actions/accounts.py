"""What is done about accounts, sessions and tokens, by a page or the API."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from lading.accounts.values import (
    Account,
    Caller,
    NewToken,
    OneTimePassword,
    Permission,
    Role,
    TokenRow,
)
from lading.console.parts import Console

DAY_S: Final = 86_400


def create_account(
    console: Console, caller: Caller, name: str, *, role: Role, display_name: str
) -> OneTimePassword:
    """Make an account with a one-time password."""
    caller.require(Permission.ADMINISTER)
    return console.accounts.create(name, role=role, display_name=display_name, actor=caller.actor)


def set_role(console: Console, caller: Caller, name: str, role: Role) -> Account:
    """Give an account another role, at once."""
    caller.require(Permission.ADMINISTER)
    return console.accounts.set_role(name, role, actor=caller.actor)


def set_enabled(console: Console, caller: Caller, name: str, *, enabled: bool) -> Account:
    """Let an account in no more, or again."""
    caller.require(Permission.ADMINISTER)
    if enabled:
        return console.accounts.enable(name, actor=caller.actor)
    return console.accounts.disable(name, actor=caller.actor)


def reset_password(console: Console, caller: Caller, name: str) -> OneTimePassword:
    """Give an account a one-time password; its sessions end and its tokens are revoked."""
    caller.require(Permission.ADMINISTER)
    return console.accounts.reset_password(name, actor=caller.actor)


def end_session(console: Console, caller: Caller, account: Account, session_id: int) -> None:
    """End one session: of the caller's own, or as an admin of anybody."""
    _require_own(caller, account.id)
    console.accounts.revoke_session(account.id, session_id, actor=caller.actor)


def end_sessions(console: Console, caller: Caller, account: Account) -> int:
    """End all sessions of an account but the one in use; returns how many."""
    _require_own(caller, account.id)
    keep = caller.session.id if caller.session and account.id == caller.account.id else None
    ended = console.accounts.revoke_all_sessions(account.id, keep=keep, actor=caller.actor)
    return len(ended)


def create_token(
    console: Console,
    caller: Caller,
    name: str,
    permissions: AbstractSet[Permission],
    *,
    expires_in_days: float,
) -> NewToken:
    """Make a token for the caller's own account, with no more than the caller may do."""
    caller.require(Permission.READ)
    for permission in permissions:
        caller.require(permission)
    return console.accounts.create_token(
        caller.account.id,
        name,
        permissions,
        expires_in_s=expires_in_days * DAY_S,
        actor=caller.actor,
    )


def revoke_token(console: Console, caller: Caller, token_id: int) -> TokenRow:
    """Revoke a token for good: one's own, or as an admin anybody's."""
    own = None if caller.may(Permission.ADMINISTER) else caller.account.id
    caller.require(Permission.READ)
    return console.accounts.revoke_token(token_id, account_id=own, actor=caller.actor)


def set_preferences(console: Console, caller: Caller, chosen: Mapping[str, str]) -> Account:
    """Change how the console looks to the caller."""
    caller.require(Permission.READ)
    return console.accounts.set_preferences(caller.account.id, chosen, actor=caller.actor)


def _require_own(caller: Caller, account_id: int) -> None:
    caller.require(Permission.READ if account_id == caller.account.id else Permission.ADMINISTER)
