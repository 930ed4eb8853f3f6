"""Who asks, and what they may do: roles, permissions, accounts, sessions, tokens, callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from lading.base.errors import RequestError


class Role(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What may be done; also the scopes a token can have."""

    READ = "read"
    OPERATE = "operate"
    ADMINISTER = "administer"


ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset(Permission),
}


class NotPermitted(RequestError):
    """Who asks is known, and may not do this."""

    code = "not_permitted"
    http_status = 403
    next_step = "Ask an admin for a role, or a token with a scope, that allows it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who may sign in. Names are lower case and unique."""

    id: int
    name: str
    display_name: str
    role: Role
    has_password: bool
    must_change_password: bool
    issuer: str | None  # who vouches for them instead of a password (single sign-on)
    disabled_at: datetime | None
    created_at: datetime
    last_seen_at: datetime | None
    preferences: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One signed-in browser."""

    id: int
    account_id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One secret for scripts; the secret itself is shown once and never kept."""

    id: int
    account_id: int
    account_name: str
    name: str
    permissions: frozenset[Permission]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, through a session or a token, with what they may do now.

    A token never has more than its owner's role allows.
    """

    account: Account
    permissions: frozenset[Permission]
    session: SessionRow | None = None
    token: TokenRow | None = None
    csrf: str | None = None  # what forms of this session must carry

    @property
    def actor(self) -> str:
        """Who the ledger says did it: `user:ana`, or `token:ana/nightly`."""
        if self.token is not None:
            return f"token:{self.account.name}/{self.token.name}"
        return f"user:{self.account.name}"

    def may(self, permission: Permission) -> bool:
        """Whether they may do this."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise `NotPermitted` unless they may do this."""
        if permission not in self.permissions:
            raise NotPermitted(
                "this needs more rights than you have",
                expected=f"permission to {permission.value}",
                found=", ".join(sorted(self.permissions)) or "none",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """Accounts by name, and the cursors of the pages around them."""

    accounts: Sequence[Account]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPage:
    """Tokens, the newest first, and the cursors of the pages around them."""

    tokens: Sequence[TokenRow]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimePassword:
    """An account with a password that is shown once and must be changed at the first sign-in.

    `tokens_revoked` counts the tokens that were revoked when it replaced another.
    """

    account: Account
    password: str = field(repr=False)
    tokens_revoked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session that was just opened; the secret goes into a cookie and is kept nowhere."""

    secret: str = field(repr=False)
    session: SessionRow
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made; the secret is shown once and kept nowhere."""

    secret: str = field(repr=False)
    token: TokenRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A list's filters and order under a name, of one account or shared by all."""

    id: int
    page: str
    name: str
    query: str
    shared: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered to a request, for whoever repeats it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
