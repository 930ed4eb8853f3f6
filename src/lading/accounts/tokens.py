"""Makes, finds and revokes the tokens of accounts, in the caller's transaction.

A token never may more than its owner may now, and is refused while its owner is disabled. It is
good beside a first one-time password, as an account for scripts may never sign in; a password that
is reset takes the tokens of before with it, as whoever asked for that trusts none of them.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import UTC
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, select, update

from lading.accounts.credentials import fingerprint, new_token_secret
from lading.accounts.directory import account_of
from lading.accounts.errors import BadToken, TokenExists, TokenMissing
from lading.accounts.limits import AccountLimits
from lading.accounts.rules import check_token, permissions_of, written
from lading.accounts.tables import access_token, account
from lading.accounts.values import (
    ROLE_PERMISSIONS,
    Account,
    Caller,
    NewToken,
    Permission,
    TokenPage,
    TokenRow,
)
from lading.db.clock import now
from lading.db.keyset import Key, fetch_page
from lading.ledger.chain import Entry, append, append_all
from lading.ledger.events import TokenChanged

_T = access_token.c
_NEWEST_FIRST: Final = (Key(access_token.c.id, descending=True),)


def _token_of(row: Row[Any]) -> TokenRow:
    return TokenRow(
        id=row.id,
        account_id=row.account_id,
        account_name=row.account_name,
        name=row.name,
        permissions=permissions_of(row.permissions),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _tokens() -> Select[Any]:
    return select(access_token, account.c.name.label("account_name")).join(
        account, account.c.id == _T.account_id
    )


def _alive() -> ColumnElement[bool]:
    return and_(_T.revoked_at.is_(None), _T.expires_at > now())


def create(
    conn: Connection,
    owner: Account,
    name: str,
    permissions: AbstractSet[Permission],
    *,
    expires_in_s: float,
    limits: AccountLimits,
    actor: str,
) -> NewToken:
    """Make a token. Raises `BadToken` and `TokenExists`."""
    name = check_token(name, permissions, expires_in_s, role=owner.role, limits=limits)
    of_owner = and_(_T.account_id == owner.id, _alive())
    if conn.scalar(select(_T.id).where(of_owner, _T.name == name)) is not None:
        raise TokenExists("there is a token of this name already", subject=name)
    if count_alive(conn, owner.id) >= limits.tokens_per_account:
        raise BadToken(
            "the account has too many tokens",
            subject=owner.name,
            expected=f"at most {limits.tokens_per_account}",
            next_step="Revoke tokens that are not needed.",
        )
    secret = new_token_secret()
    conn.execute(
        insert(access_token).values(
            account_id=owner.id,
            name=name,
            token_sha256=fingerprint(secret),
            permissions=written(permissions),
            created_at=now(),
            expires_at=now(expires_in_s),
        )
    )
    token = _token_of(conn.execute(_tokens().where(_T.token_sha256 == fingerprint(secret))).one())
    append(conn, _changed(token, "created"), actor=actor)
    return NewToken(secret=secret, token=token)


def read_page(
    conn: Connection, account_id: int | None, *, cursor: str | None, limit: int
) -> TokenPage:
    """A page of tokens of one account or of all, expired and revoked ones too."""
    query = _tokens() if account_id is None else _tokens().where(_T.account_id == account_id)
    page = fetch_page(conn, query, _NEWEST_FIRST, cursor=cursor, limit=limit)
    return TokenPage(
        tokens=[_token_of(row) for row in page.rows],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def read(conn: Connection, token_id: int) -> TokenRow:
    """The token of this number. Raises `TokenMissing`."""
    row = conn.execute(_tokens().where(_T.id == token_id)).one_or_none()
    if row is None:
        raise TokenMissing("there is no such token", subject=f"token {token_id}")
    return _token_of(row)


def revoke(conn: Connection, token_id: int, *, account_id: int | None, actor: str) -> TokenRow:
    """Revoke a token for good; with `account_id` only one of that account's.

    Raises `TokenMissing`. Doing it twice changes nothing.
    """
    token = read(conn, token_id)
    if account_id not in {None, token.account_id}:
        raise TokenMissing("there is no such token", subject=f"token {token_id}")
    if token.revoked_at is not None:
        return token
    conn.execute(update(access_token).where(_T.id == token_id).values(revoked_at=now()))
    append(conn, _changed(token, "revoked"), actor=actor)
    return read(conn, token_id)


def revoke_all(conn: Connection, owner: Account, *, actor: str) -> int:
    """Revoke all tokens of an account that are still good; returns how many."""
    rows = conn.execute(_tokens().where(_T.account_id == owner.id, _alive()).order_by(_T.id)).all()
    found = [_token_of(row) for row in rows]
    if found:
        ids = [token.id for token in found]
        conn.execute(update(access_token).where(_T.id.in_(ids)).values(revoked_at=now()))
        append_all(conn, [Entry(_changed(token, "revoked"), actor) for token in found])
    return len(found)


def count_alive(conn: Connection, account_id: int) -> int:
    """How many tokens of an account are neither expired nor revoked, whether or not it may in."""
    of_account = and_(_T.account_id == account_id, _alive())
    return conn.scalar(select(func.count()).select_from(access_token).where(of_account)) or 0


def find_caller(conn: Connection, secret: str, limits: AccountLimits) -> tuple[Caller, bool] | None:
    """Who asks with this token, and whether it is time to note its use."""
    query = (
        select(
            account,
            *(column.label(f"token_{column.name}") for column in access_token.columns),
            func.coalesce(_T.last_used_at < now(-limits.seen_every_s), True).label("unnoted"),
        )
        .join(account, account.c.id == _T.account_id)
        .where(_T.token_sha256 == fingerprint(secret), _alive(), account.c.disabled_at.is_(None))
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    owner = account_of(row)
    token = TokenRow(
        id=row.token_id,
        account_id=owner.id,
        account_name=owner.name,
        name=row.token_name,
        permissions=permissions_of(row.token_permissions),
        created_at=row.token_created_at,
        last_used_at=row.token_last_used_at,
        expires_at=row.token_expires_at,
        revoked_at=None,
    )
    allowed = token.permissions & ROLE_PERMISSIONS[owner.role]
    return Caller(account=owner, permissions=allowed, token=token), bool(row.unnoted)


def is_alive(conn: Connection, token_id: int) -> bool:
    """Whether a token is still good, and its account not disabled."""
    query = (
        select(_T.id)
        .join(account, account.c.id == _T.account_id)
        .where(_T.id == token_id, _alive(), account.c.disabled_at.is_(None))
    )
    return conn.scalar(query) is not None


def note_used(conn: Connection, token: TokenRow) -> None:
    """Note that a token was used."""
    conn.execute(update(access_token).where(_T.id == token.id).values(last_used_at=now()))


def _changed(token: TokenRow, change: str) -> TokenChanged:
    return TokenChanged(
        name=token.account_name,
        token=token.name,
        change=change,
        permissions=written(token.permissions),
        expires_at=f"{token.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
