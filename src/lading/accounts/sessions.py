"""Opens, finds and ends the sessions of accounts. Every function works in the caller's transaction.

A session is found by the hash of its secret. It ends when it is unused for long, when it is old,
when it is ended by someone, and when its account is disabled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from lading.accounts.credentials import csrf_of, fingerprint, new_session_secret
from lading.accounts.directory import account_of
from lading.accounts.errors import SessionMissing
from lading.accounts.limits import AccountLimits
from lading.accounts.tables import account, account_session
from lading.accounts.values import (
    ROLE_PERMISSIONS,
    Account,
    Caller,
    NewSession,
    SessionRow,
)
from lading.base.errors import printable
from lading.db.clock import now
from lading.ledger.chain import Entry, append_all
from lading.ledger.events import SessionEnded, SessionOpened

ADDRESS_LENGTH_MAX = 64
USER_AGENT_LENGTH_MAX = 190
_S = account_session.c


def session_of(row: Row[Any]) -> SessionRow:
    """A session from its database row."""
    return SessionRow(
        id=row.id,
        account_id=row.account_id,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        address=row.address,
        user_agent=row.user_agent,
    )


def alive(limits: AccountLimits) -> ColumnElement[bool]:
    """Whether a session is still good."""
    return and_(
        _S.revoked_at.is_(None), _S.expires_at > now(), _S.seen_at > now(-limits.session_idle_s)
    )


def open_session(
    conn: Connection,
    owner: Account,
    *,
    via: str,
    address: str | None,
    user_agent: str | None,
    limits: AccountLimits,
) -> NewSession:
    """Open a session; beyond so many of an account the oldest end. The last in a transaction."""
    secret = new_session_secret()
    # What ended long ago is of no use to anyone; the ledger remembers it.
    conn.execute(
        delete(account_session).where(
            _S.account_id == owner.id, _S.expires_at < now(-limits.session_max_s)
        )
    )
    conn.execute(
        insert(account_session).values(
            account_id=owner.id,
            token_sha256=fingerprint(secret),
            created_at=now(),
            seen_at=now(),
            expires_at=now(limits.session_max_s),
            address=None if address is None else printable(address, length_max=ADDRESS_LENGTH_MAX),
            user_agent=None
            if user_agent is None
            else printable(user_agent, length_max=USER_AGENT_LENGTH_MAX),
        )
    )
    conn.execute(update(account).where(account.c.id == owner.id).values(last_seen_at=now()))
    session = session_of(
        conn.execute(select(account_session).where(_S.token_sha256 == fingerprint(secret))).one()
    )
    opened = SessionOpened(name=owner.name, session_id=session.id, via=via, address=session.address)
    actor = f"user:{owner.name}"
    entries = [Entry(opened, actor)]
    surplus = [s.id for s in list_sessions(conn, owner.id, limits)][limits.sessions_per_account :]
    if surplus:
        _revoke(conn, surplus)
        event = SessionEnded(name=owner.name, session_ids=surplus, why="too many sessions")
        entries.append(Entry(event, actor))
    append_all(conn, entries)
    return NewSession(secret=secret, session=session, account=owner)


def list_sessions(conn: Connection, account_id: int, limits: AccountLimits) -> Sequence[SessionRow]:
    """The sessions of an account that are still good, the newest first; their number is limited."""
    query = (
        select(account_session)
        .where(_S.account_id == account_id, alive(limits))
        .order_by(_S.id.desc())
    )
    return [session_of(row) for row in conn.execute(query)]


def find_caller(conn: Connection, secret: str, limits: AccountLimits) -> tuple[Caller, bool] | None:
    """Who asks with this secret, and whether it is time to note that they were seen."""
    query = (
        select(
            account,
            *(column.label(f"session_{column.name}") for column in account_session.columns),
            (_S.seen_at < now(-limits.seen_every_s)).label("unnoted"),
        )
        .join(account, account.c.id == _S.account_id)
        .where(
            _S.token_sha256 == fingerprint(secret), alive(limits), account.c.disabled_at.is_(None)
        )
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    owner = account_of(row)
    session = SessionRow(
        id=row.session_id,
        account_id=row.session_account_id,
        created_at=row.session_created_at,
        seen_at=row.session_seen_at,
        expires_at=row.session_expires_at,
        address=row.session_address,
        user_agent=row.session_user_agent,
    )
    # With a one-time password there is nothing one may do but change it.
    allowed = frozenset() if owner.must_change_password else ROLE_PERMISSIONS[owner.role]
    caller = Caller(account=owner, permissions=allowed, session=session, csrf=csrf_of(secret))
    return caller, bool(row.unnoted)


def is_alive(conn: Connection, session_id: int, limits: AccountLimits) -> bool:
    """Whether a session is still good, and its account not disabled."""
    query = (
        select(_S.id)
        .join(account, account.c.id == _S.account_id)
        .where(_S.id == session_id, alive(limits), account.c.disabled_at.is_(None))
    )
    return conn.scalar(query) is not None


def note_seen(conn: Connection, session: SessionRow, limits: AccountLimits) -> None:
    """Note that a session was used, unless another request has just done so."""
    noted = conn.execute(
        update(account_session)
        .where(_S.id == session.id, _S.seen_at < now(-limits.seen_every_s))
        .values(seen_at=now())
    )
    if noted.rowcount:
        conn.execute(
            update(account).where(account.c.id == session.account_id).values(last_seen_at=now())
        )


def end_session(
    conn: Connection, owner: Account, session_id: int, limits: AccountLimits, *, actor: str
) -> None:
    """End one session of an account. Raises `SessionMissing`."""
    if session_id not in {session.id for session in list_sessions(conn, owner.id, limits)}:
        raise SessionMissing("there is no such session", subject=f"session {session_id}")
    end_sessions(conn, owner, limits, why="ended by hand", only=session_id, actor=actor)


def end_sessions(
    conn: Connection,
    owner: Account,
    limits: AccountLimits,
    *,
    why: str,
    keep: int | None = None,
    only: int | None = None,
    actor: str,
) -> list[int]:
    """End all sessions of an account, or only one, or all but one; returns which."""
    ended = [
        session.id
        for session in list_sessions(conn, owner.id, limits)
        if session.id != keep and only in {None, session.id}
    ]
    if ended:
        _revoke(conn, ended)
        event = SessionEnded(name=owner.name, session_ids=ended, why=why)
        append_all(conn, [Entry(event, actor)])
    return ended


def _revoke(conn: Connection, session_ids: Sequence[int]) -> None:
    conn.execute(update(account_session).where(_S.id.in_(session_ids)).values(revoked_at=now()))
