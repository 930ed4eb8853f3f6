"""Decides whether a name and a password belong together, and tells nothing else to who tries.

Whatever is wrong, the answer is the same and takes as long. Attempts are counted first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, update

from lading.accounts import directory, throttle
from lading.accounts.errors import SignInRefused, TooManyAttempts
from lading.accounts.limits import AccountLimits
from lading.accounts.passwords import Passwords
from lading.accounts.rules import counted_address
from lading.accounts.sessions import ADDRESS_LENGTH_MAX
from lading.accounts.tables import account
from lading.accounts.throttle import Counted
from lading.base.errors import printable
from lading.db import Database
from lading.ledger import events
from lading.ledger.chain import Entry, append_all


@dataclass(frozen=True, slots=True)
class Verified:
    """An account that gave its password. What follows from it holds while the hash is the same."""

    account_id: int
    password_hash: str = field(repr=False)


class SignIn:
    """Verifies passwords against one database. Safe to share between threads."""

    def __init__(self, db: Database, passwords: Passwords, limits: AccountLimits) -> None:
        self._db = db
        self._passwords = passwords
        self._limits = limits

    def verify(self, name: str, password: str, *, address: str | None) -> Verified:
        """The account whose name and password these are.

        Raises `SignInRefused`, whatever was wrong, or `TooManyAttempts`.
        """
        name = name.strip().lower()
        source = None if address is None else counted_address(address)
        counted = self._db.run(lambda conn: throttle.count(conn, name, source, self._limits))
        if counted.blocked_s is not None:
            raise TooManyAttempts("sign-in was tried too often", retry_after_s=counted.blocked_s)
        with self._db.read() as conn:
            row = directory.find_row(conn, name)
        may = row is not None and row.disabled_at is None
        kept: str | None = row.password_hash if row is not None and may else None
        right, stronger = self._passwords.verify(password, kept)
        if row is None or kept is None or not right:
            self._tell(name if row is not None else None, address, counted)
            raise SignInRefused("name or password is wrong")
        verified = Verified(row.id, stronger or kept)

        def accept(conn: Connection) -> None:
            throttle.forgive(conn, name, source)
            throttle.forget_old(conn, self._limits)
            if stronger is not None:
                same = (account.c.id == verified.account_id, account.c.password_hash == kept)
                conn.execute(update(account).where(*same).values(password_hash=stronger))

        self._db.run(accept)
        return verified

    def _tell(self, name: str | None, address: str | None, counted: Counted) -> None:
        """Two events at most for each name and window, and one more for each address."""
        limits = self._limits
        shown = None if address is None else printable(address, length_max=ADDRESS_LENGTH_MAX)
        told: list[events.SignInRefused] = []
        if counted.of_name in {1, limits.attempts_per_name}:
            blocked = counted.of_name == limits.attempts_per_name
            told.append(
                events.SignInRefused(
                    name=name,
                    address=shown,
                    attempts=counted.of_name,
                    blocked_s=limits.attempts_window_s if blocked else None,
                )
            )
        if counted.of_address == limits.attempts_per_address:
            told.append(
                events.SignInRefused(
                    address=shown,
                    attempts=counted.of_address,
                    blocked_s=limits.attempts_window_s,
                )
            )
        if told:
            entries = [Entry(event, "system") for event in told]
            self._db.run(lambda conn: append_all(conn, entries))
