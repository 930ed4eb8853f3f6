"""Reads and changes accounts: made, renamed, given a role, disabled, given a password.

Every function works in the caller's transaction, which holds the ledger's lock: changes of accounts
take turns, so that two of them cannot each remove what seemed not to be the last admin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from lading.accounts.errors import (
    AccountExists,
    AccountMissing,
    BadAccount,
    LastAdmin,
    SignInRefused,
)
from lading.accounts.rules import check_label, check_name, is_name, suggest_names
from lading.accounts.tables import account
from lading.accounts.values import Account, AccountPage, Role
from lading.db.clock import now
from lading.db.keyset import Key, fetch_page
from lading.ledger.chain import append
from lading.ledger.events import AccountChanged

FIRST_ADMIN: Final = "admin"
_BY_NAME: Final = (Key(account.c.name),)


def account_of(row: Row[Any]) -> Account:
    """An account from its database row."""
    return Account(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        role=Role(row.role),
        has_password=row.password_hash is not None,
        must_change_password=bool(row.must_change_password),
        issuer=row.issuer,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        preferences=json.loads(row.preferences),
    )


def read(conn: Connection, name: str) -> Account:
    """The account of this name. Raises `AccountMissing`."""
    row = find_row(conn, name)
    if row is None:
        raise AccountMissing("there is no such account", subject=name)
    return account_of(row)


def find_row(conn: Connection, name: str) -> Row[Any] | None:
    """The database row of this name, with the hash of its password."""
    name = name.strip().lower()
    if not is_name(name):  # which the database might not even take
        return None
    return conn.execute(select(account).where(account.c.name == name)).one_or_none()


def has_hash(conn: Connection, account_id: int, password_hash: str) -> bool:
    """Whether the account's password is still the one of this hash."""
    kept = conn.scalar(select(account.c.password_hash).where(account.c.id == account_id))
    return kept == password_hash


def read_by_id(conn: Connection, account_id: int) -> Account:
    """The account of this number. Raises `AccountMissing`."""
    row = conn.execute(select(account).where(account.c.id == account_id)).one_or_none()
    if row is None:
        raise AccountMissing("there is no such account", subject=f"account {account_id}")
    return account_of(row)


def read_page(conn: Connection, *, cursor: str | None, limit: int) -> AccountPage:
    """A page of accounts by name. Raises `BadCursor`."""
    page = fetch_page(conn, select(account), _BY_NAME, cursor=cursor, limit=limit)
    return AccountPage(
        accounts=[account_of(row) for row in page.rows],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def none_exist(conn: Connection) -> bool:
    """Whether there is no account yet."""
    return conn.scalar(select(account.c.id).limit(1)) is None


def create(
    conn: Connection,
    name: str,
    *,
    role: Role,
    display_name: str,
    password_hash: str | None,
    external: tuple[str, str] | None = None,
    actor: str,
) -> Account:
    """Make an account; with a password, that is one to be changed. Raises `AccountExists`."""
    name = check_name(name)
    shown = check_label(display_name or name, what="the name an account is shown by")
    if conn.scalar(select(account.c.id).where(account.c.name == name)) is not None:
        raise AccountExists("there is an account of this name already", subject=name)
    issuer, subject = external or (None, None)
    conn.execute(
        insert(account).values(
            name=name,
            display_name=shown,
            role=role.value,
            password_hash=password_hash,
            must_change_password=password_hash is not None,
            issuer=issuer,
            subject=subject,
            preferences="{}",
            created_at=now(),
        )
    )
    after = {"role": role.value, "display_name": shown}
    if issuer is not None:
        after["issuer"] = issuer
    append(conn, AccountChanged(name=name, change="created", after=after), actor=actor)
    return read(conn, name)


def set_role(conn: Connection, name: str, role: Role, *, actor: str) -> Account:
    """Give an account another role. Raises `LastAdmin`."""
    before = read(conn, name)
    if before.role is role:
        return before
    if role is not Role.ADMIN:
        _require_another_admin(conn, before)
    return _change(
        conn,
        before,
        {"role": role.value},
        "role",
        was={"role": before.role.value},
        actor=actor,
    )


def rename(conn: Connection, name: str, new_name: str, *, actor: str) -> Account:
    """Give an account another name to sign in with. Raises `AccountExists`."""
    before, new_name = read(conn, name), check_name(new_name)
    if before.name == new_name:
        return before
    if conn.scalar(select(account.c.id).where(account.c.name == new_name)) is not None:
        raise AccountExists("there is an account of this name already", subject=new_name)
    return _change(conn, before, {"name": new_name}, "name", was={"name": before.name}, actor=actor)


def set_display_name(conn: Connection, name: str, display_name: str, *, actor: str) -> Account:
    """Give an account another name to be shown by."""
    before = read(conn, name)
    shown = check_label(display_name, what="the name an account is shown by")
    if before.display_name == shown:
        return before
    return _change(
        conn,
        before,
        {"display_name": shown},
        "display_name",
        was={"display_name": before.display_name},
        actor=actor,
    )


def disable(conn: Connection, name: str, *, actor: str) -> Account:
    """Let an account sign in no more. Raises `LastAdmin`."""
    before = read(conn, name)
    if before.disabled_at is not None:
        return before
    _require_another_admin(conn, before)
    conn.execute(update(account).where(account.c.id == before.id).values(disabled_at=now()))
    append(conn, AccountChanged(name=before.name, change="disabled"), actor=actor)
    return read_by_id(conn, before.id)


def enable(conn: Connection, name: str, *, actor: str) -> Account:
    """Let a disabled account sign in again."""
    before = read(conn, name)
    if before.disabled_at is None:
        return before
    conn.execute(update(account).where(account.c.id == before.id).values(disabled_at=None))
    append(conn, AccountChanged(name=before.name, change="enabled"), actor=actor)
    return read_by_id(conn, before.id)


def set_password(
    conn: Connection,
    account_id: int,
    password_hash: str,
    *,
    instead_of: str | None = None,
    actor: str,
) -> Account:
    """Replace the password: the account's own choice `instead_of` another, or one to be changed.

    Raises `SignInRefused` when the one it was to replace has been replaced meanwhile.
    """
    chosen = instead_of is not None
    statement = update(account).where(account.c.id == account_id)
    if chosen:
        statement = statement.where(account.c.password_hash == instead_of)
    changed = conn.execute(
        statement.values(password_hash=password_hash, must_change_password=not chosen)
    )
    after = read_by_id(conn, account_id)
    if not changed.rowcount:
        raise SignInRefused("name or password is wrong")
    change = "password_changed" if chosen else "password_reset"
    append(conn, AccountChanged(name=after.name, change=change), actor=actor)
    return after


def set_preferences(
    conn: Connection, account_id: int, chosen: Mapping[str, str], *, actor: str
) -> Account:
    """Change some of an account's preferences, which were checked before."""
    before = read_by_id(conn, account_id)
    after = dict(before.preferences) | dict(chosen)
    if after == before.preferences:
        return before
    conn.execute(
        update(account)
        .where(account.c.id == account_id)
        .values(preferences=json.dumps(after, sort_keys=True))
    )
    event = AccountChanged(
        name=before.name,
        change="preferences",
        before={key: before.preferences[key] for key in chosen if key in before.preferences},
        after=dict(chosen),
    )
    append(conn, event, actor=actor)
    return read_by_id(conn, account_id)


def vouched_for(
    conn: Connection,
    issuer: str,
    subject: str,
    *,
    suggested_name: str,
    display_name: str,
    role: Role,
) -> Account:
    """The account of someone a provider vouches for; made, or brought up to date, if need be.

    Never one that exists for another reason: a provider could otherwise take any account over by
    calling somebody by its name.
    """
    found = conn.execute(
        select(account).where(account.c.issuer == issuer, account.c.subject == subject)
    ).one_or_none()
    shown = _shown_by(display_name or suggested_name)
    if found is None:
        name = _free_name(conn, suggested_name)
        return create(
            conn,
            name,
            role=role,
            display_name=shown,
            password_hash=None,
            external=(issuer, subject),
            actor=f"user:{name}",
        )
    known = account_of(found)
    if known.disabled_at is not None:
        return known
    actor = f"user:{known.name}"
    if known.role is not role and (role is Role.ADMIN or not is_last_admin(conn, known)):
        set_role(conn, known.name, role, actor=actor)
    return set_display_name(conn, known.name, shown, actor=actor) if shown else known


def is_last_admin(conn: Connection, known: Account) -> bool:
    """Whether nobody could administer without this account."""
    if known.role is not Role.ADMIN or known.disabled_at is not None:
        return False
    others = conn.scalar(
        select(func.count())
        .select_from(account)
        .where(
            account.c.role == Role.ADMIN.value,
            account.c.disabled_at.is_(None),
            or_(account.c.password_hash.is_not(None), account.c.issuer.is_not(None)),
            account.c.id != known.id,
        )
    )
    return not others


def _require_another_admin(conn: Connection, known: Account) -> None:
    if is_last_admin(conn, known):
        raise LastAdmin("this is the last account that can administer", subject=known.name)


def _change(
    conn: Connection,
    before: Account,
    values: Mapping[str, str],
    change: str,
    *,
    was: Mapping[str, str],
    actor: str,
) -> Account:
    conn.execute(update(account).where(account.c.id == before.id).values(**values))
    event = AccountChanged(name=before.name, change=change, before=dict(was), after=dict(values))
    append(conn, event, actor=actor)
    return read_by_id(conn, before.id)


def _free_name(conn: Connection, wanted: str) -> str:
    for name in suggest_names(wanted):
        if conn.scalar(select(account.c.id).where(account.c.name == name)) is None:
            return name
    raise BadAccount("no name is free for this account", subject=wanted)


def _shown_by(text: str) -> str:
    """What a provider calls somebody, made fit to be shown."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:190]
