"""Counts attempts to sign in by name and by address, in the database: for all processes, for long.

An attempt is counted before it is known whether it is right, so that many at once find no gap.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exc, insert, select, update

from lading.accounts.credentials import fingerprint
from lading.accounts.limits import AccountLimits
from lading.accounts.rules import Tries, blocked_for_s
from lading.accounts.tables import sign_in_attempt
from lading.db.clock import now

_A = sign_in_attempt.c


class Scope(StrEnum):
    """What attempts are counted by."""

    NAME = "name"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Counted:
    """Whether an attempt may be made, and the how-manieth it is under its name and address."""

    blocked_s: float | None
    of_name: int = 0
    of_address: int = 0


def count(conn: Connection, name: str, address: str | None, limits: AccountLimits) -> Counted:
    """Count one attempt, or say for how long none is let through."""
    wanted = [(Scope.NAME, name, limits.attempts_per_name)]
    if address is not None:
        wanted.append((Scope.ADDRESS, address, limits.attempts_per_address))
    found = [(scope, subject, _tries(conn, scope, subject)) for scope, subject, _ in wanted]
    window_s = limits.attempts_window_s
    waits = [
        blocked_for_s(tries, attempts_max=attempts_max, window_s=window_s)
        for (_, _, tries), (_, _, attempts_max) in zip(found, wanted, strict=True)
    ]
    longest_s = max((wait_s for wait_s in waits if wait_s is not None), default=None)
    if longest_s is not None:
        return Counted(longest_s)
    counts = {scope: _add(conn, scope, subject, tries, window_s) for scope, subject, tries in found}
    return Counted(None, counts[Scope.NAME], counts.get(Scope.ADDRESS, 0))


def forgive(conn: Connection, name: str, address: str | None) -> None:
    """Take back what a right attempt was counted for."""
    forget_name(conn, name)
    if address is not None:
        conn.execute(
            update(sign_in_attempt)
            .where(*_is(Scope.ADDRESS, address), _A.attempts > 0)
            .values(attempts=_A.attempts - 1)
        )


def forget_name(conn: Connection, name: str) -> None:
    """Let attempts under this name begin anew."""
    conn.execute(delete(sign_in_attempt).where(*_is(Scope.NAME, name)))


def forget_old(conn: Connection, limits: AccountLimits) -> None:
    """Remove what counts no more."""
    conn.execute(delete(sign_in_attempt).where(_A.begun_at < now(-limits.attempts_window_s)))


def _is(scope: Scope, subject: str) -> tuple[ColumnElement[bool], ...]:
    return (_A.scope == scope.value, _A.subject_sha256 == fingerprint(subject))


def _tries(conn: Connection, scope: Scope, subject: str) -> Tries:
    """The attempts so far, locked. Many first ones at once wait for each other here."""
    query = (
        select(_A.attempts, _A.begun_at, now().label("at"))
        .where(*_is(scope, subject))
        .with_for_update()
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        values = {
            "scope": scope.value,
            "subject_sha256": fingerprint(subject),
            "attempts": 0,
            "begun_at": now(),
        }
        # Another attempt may have been the first.
        with suppress(exc.IntegrityError), conn.begin_nested():
            conn.execute(insert(sign_in_attempt).values(**values))
        row = conn.execute(query).one()
    return Tries(row.attempts, (row.at - row.begun_at).total_seconds())


def _add(conn: Connection, scope: Scope, subject: str, tries: Tries, window_s: float) -> int:
    if tries.age_s >= window_s:
        values: dict[str, Any] = {"attempts": 1, "begun_at": now()}
        attempts = 1
    else:
        values = {"attempts": _A.attempts + 1}
        attempts = tries.attempts + 1
    conn.execute(update(sign_in_attempt).where(*_is(scope, subject)).values(**values))
    return attempts
