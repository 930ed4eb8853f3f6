"""The front of the accounts shelf: every change in one transaction with its event in the ledger.

What is decided is in `rules`, how it is written in `directory`, `sessions`, `tokens`, `throttle`,
`views` and `answers`; this class adds the transaction, the passwords and the order of things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

from sqlalchemy import Connection

from lading.accounts import answers, directory, sessions, throttle, tokens, views
from lading.accounts.credentials import is_session_secret, is_token_secret, new_password
from lading.accounts.errors import NoPassword, SignInRefused
from lading.accounts.limits import AccountLimits
from lading.accounts.passwords import Passwords
from lading.accounts.preferences import check_preferences
from lading.accounts.rules import check_name, check_password
from lading.accounts.signing_in import SignIn, Verified
from lading.accounts.values import (
    Account,
    AccountPage,
    Answer,
    Caller,
    NewSession,
    NewToken,
    OneTimePassword,
    Permission,
    Role,
    SavedView,
    SessionRow,
    TokenPage,
    TokenRow,
)
from lading.db import Database
from lading.ledger import chain

T = TypeVar("T")


class Accounts:
    """The accounts of one database. Safe to share between threads."""

    def __init__(self, db: Database, *, limits: AccountLimits | None = None) -> None:
        self.db = db
        self.limits = limits or AccountLimits()
        self._passwords = Passwords(self.limits)
        self._sign_in = SignIn(db, self._passwords, self.limits)

    # -- accounts

    def get(self, name: str) -> Account:
        """The account of this name. Raises `AccountMissing`."""
        with self.db.read() as conn:
            return directory.read(conn, name)

    def get_by_id(self, account_id: int) -> Account:
        """The account of this number. Raises `AccountMissing`."""
        with self.db.read() as conn:
            return directory.read_by_id(conn, account_id)

    def list(self, *, cursor: str | None = None, limit: int = 50) -> AccountPage:
        """A page of accounts by name, disabled ones too. Raises `BadCursor`."""
        with self.db.read() as conn:
            return directory.read_page(conn, cursor=cursor, limit=limit)

    def create(
        self, name: str, *, role: Role, display_name: str = "", actor: str
    ) -> OneTimePassword:
        """Make an account with a one-time password. Raises `AccountExists`, `BadAccount`."""
        check_name(name)
        password = new_password()
        kept = self._passwords.hash(password)
        account = self._change(
            lambda conn: directory.create(
                conn, name, role=role, display_name=display_name, password_hash=kept, actor=actor
            )
        )
        return OneTimePassword(account=account, password=password)

    def first_admin(self, *, actor: str = "system") -> OneTimePassword | None:
        """Make the account `admin` when there is none at all; only one of many callers does."""
        with self.db.read() as conn:
            if not directory.none_exist(conn):
                return None
        password = new_password()
        kept = self._passwords.hash(password)

        def make(conn: Connection) -> Account | None:
            if not directory.none_exist(conn):
                return None
            return directory.create(
                conn,
                directory.FIRST_ADMIN,
                role=Role.ADMIN,
                display_name="",
                password_hash=kept,
                actor=actor,
            )

        made = self._change(make)
        return None if made is None else OneTimePassword(account=made, password=password)

    def set_role(self, name: str, role: Role, *, actor: str) -> Account:
        """Give an account another role, at once. Raises `LastAdmin`."""
        return self._change(lambda conn: directory.set_role(conn, name, role, actor=actor))

    def rename(self, name: str, new_name: str, *, actor: str) -> Account:
        """Give an account another name to sign in with. Raises `AccountExists`."""
        return self._change(lambda conn: directory.rename(conn, name, new_name, actor=actor))

    def set_display_name(self, name: str, display_name: str, *, actor: str) -> Account:
        """Give an account another name to be shown by."""
        return self._change(
            lambda conn: directory.set_display_name(conn, name, display_name, actor=actor)
        )

    def disable(self, name: str, *, actor: str) -> Account:
        """Let an account in no more: its sessions end, its tokens rest. Raises `LastAdmin`."""

        def work(conn: Connection) -> Account:
            after = directory.disable(conn, name, actor=actor)
            sessions.end_sessions(conn, after, self.limits, why="disabled", actor=actor)
            return after

        return self._change(work)

    def enable(self, name: str, *, actor: str) -> Account:
        """Let a disabled account in again; its tokens work again."""
        return self._change(lambda conn: directory.enable(conn, name, actor=actor))

    def edit(
        self,
        name: str,
        *,
        role: Role | None = None,
        display_name: str | None = None,
        enabled: bool | None = None,
        check: Callable[[Account], None] | None = None,
        actor: str,
    ) -> Account:
        """Change several things of an account at once, or none of them; None leaves as it is.

        `check` is shown the account first and may refuse. Raises `LastAdmin`, `BadAccount`.
        """

        def work(conn: Connection) -> Account:
            after = directory.read(conn, name)
            if check is not None:
                check(after)
            if display_name is not None:
                after = directory.set_display_name(conn, name, display_name, actor=actor)
            if enabled:
                after = directory.enable(conn, name, actor=actor)
            if role is not None:
                after = directory.set_role(conn, name, role, actor=actor)
            if enabled is False:
                after = directory.disable(conn, name, actor=actor)
                sessions.end_sessions(conn, after, self.limits, why="disabled", actor=actor)
            return after

        return self._change(work)

    # -- passwords and signing in

    def reset_password(self, name: str, *, actor: str) -> OneTimePassword:
        """Give an account a one-time password: its sessions end and its tokens are revoked.

        Attempts that were blocked are free again.
        """
        before = self.get(name)
        if not before.has_password and before.issuer is not None:
            raise NoPassword("the account signs in with a provider", subject=before.name)
        password = new_password()
        kept = self._passwords.hash(password)

        def work(conn: Connection) -> OneTimePassword:
            throttle.forget_name(conn, before.name)
            chain.lock(conn)
            after = directory.set_password(conn, before.id, kept, actor=actor)
            sessions.end_sessions(conn, after, self.limits, why="password reset", actor=actor)
            revoked = tokens.revoke_all(conn, after, actor=actor)
            return OneTimePassword(account=after, password=password, tokens_revoked=revoked)

        return self._change(work, locked=False)

    def change_password(
        self,
        account_id: int,
        current: str,
        new: str,
        *,
        keep_session: int | None = None,
        address: str | None = None,
        actor: str,
    ) -> Account:
        """Replace the password by one the account chose; all its sessions end but the one kept.

        Its tokens stay good: scripts know no password.
        Raises `SignInRefused` when `current` is wrong, `TooManyAttempts` when it was too often,
        `BadPassword` for one that will not do, `NoPassword` without any.
        """
        before = self.get_by_id(account_id)
        if not before.has_password:
            raise NoPassword("the account has no password", subject=before.name)
        verified = self._sign_in.verify(before.name, current, address=address)
        check_password(new, name=before.name, before=current, limits=self.limits)
        kept = self._passwords.hash(new)

        def work(conn: Connection) -> Account:
            after = directory.set_password(
                conn, before.id, kept, instead_of=verified.password_hash, actor=actor
            )
            sessions.end_sessions(
                conn, after, self.limits, why="password changed", keep=keep_session, actor=actor
            )
            return after

        return self._change(work)

    def sign_in(
        self, name: str, password: str, *, address: str | None, user_agent: str | None
    ) -> NewSession:
        """Open a session. Raises `SignInRefused`, whatever was wrong, or `TooManyAttempts`."""
        verified = self._sign_in.verify(name, password, address=address)
        return self._open(
            verified.account_id,
            via="password",
            verified=verified,
            address=address,
            user_agent=user_agent,
        )

    def sign_in_external(
        self,
        issuer: str,
        subject: str,
        *,
        suggested_name: str,
        display_name: str,
        role: Role,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> NewSession:
        """Open a session for someone a provider vouches for; their account is made if need be.

        Raises `SignInRefused` for a disabled one.
        """
        if len(issuer) > 190 or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise SignInRefused("the provider names this person in a way that cannot be kept")
        account = self._change(
            lambda conn: directory.vouched_for(
                conn,
                issuer,
                subject,
                suggested_name=suggested_name,
                display_name=display_name,
                role=role,
            )
        )
        return self._open(account.id, via="provider", address=address, user_agent=user_agent)

    def _open(
        self,
        account_id: int,
        *,
        via: str,
        verified: Verified | None = None,
        address: str | None,
        user_agent: str | None,
    ) -> NewSession:
        def work(conn: Connection) -> NewSession:
            # As it is now: meanwhile it may have been disabled, or its password reset.
            owner = directory.read_by_id(conn, account_id)
            overtaken = verified is not None and not directory.has_hash(
                conn, account_id, verified.password_hash
            )
            if overtaken or owner.disabled_at is not None:
                raise SignInRefused("name or password is wrong")
            return sessions.open_session(
                conn,
                owner,
                via=via,
                address=address,
                user_agent=user_agent,
                limits=self.limits,
            )

        return self._change(work)

    # -- who asks

    def caller_of_session(self, secret: str) -> Caller | None:
        """Who asks with this cookie; None when the session is unknown or has ended."""
        if not is_session_secret(secret):
            return None
        with self.db.read() as conn:
            found = sessions.find_caller(conn, secret, self.limits)
        if found is None:
            return None
        caller, unnoted = found
        if unnoted and caller.session is not None:
            session = caller.session
            self.db.run(lambda conn: sessions.note_seen(conn, session, self.limits))
        return caller

    def caller_of_token(self, secret: str) -> Caller | None:
        """Who asks with this token; None when it is unknown, expired or revoked."""
        if not is_token_secret(secret):
            return None
        with self.db.read() as conn:
            found = tokens.find_caller(conn, secret, self.limits)
        if found is None:
            return None
        caller, unnoted = found
        if unnoted and caller.token is not None:
            token = caller.token
            self.db.run(lambda conn: tokens.note_used(conn, token))
        return caller

    def still_valid(self, caller: Caller) -> bool:
        """Whether the session or token that somebody came with is still good, and so are they."""
        with self.db.read() as conn:
            if caller.session is not None:
                return sessions.is_alive(conn, caller.session.id, self.limits)
            return caller.token is not None and tokens.is_alive(conn, caller.token.id)

    # -- sessions and tokens

    def list_sessions(self, account_id: int) -> Sequence[SessionRow]:
        """The sessions of an account that are still good, the newest first."""
        with self.db.read() as conn:
            return sessions.list_sessions(conn, account_id, self.limits)

    def revoke_session(self, account_id: int, session_id: int, *, actor: str) -> None:
        """End one session of an account. Raises `SessionMissing`."""
        self._change(
            lambda conn: sessions.end_session(
                conn,
                directory.read_by_id(conn, account_id),
                session_id,
                self.limits,
                actor=actor,
            )
        )

    def revoke_all_sessions(
        self, account_id: int, *, keep: int | None = None, actor: str
    ) -> Sequence[int]:
        """End all sessions of an account, but the one to be kept; returns which."""
        return self._change(
            lambda conn: sessions.end_sessions(
                conn,
                directory.read_by_id(conn, account_id),
                self.limits,
                why="ended by hand",
                keep=keep,
                actor=actor,
            )
        )

    def create_token(
        self,
        account_id: int,
        name: str,
        permissions: AbstractSet[Permission],
        *,
        expires_in_s: float,
        actor: str,
    ) -> NewToken:
        """Make a token for scripts of an account. Raises `BadToken`, `TokenExists`."""
        return self._change(
            lambda conn: tokens.create(
                conn,
                directory.read_by_id(conn, account_id),
                name,
                permissions,
                expires_in_s=expires_in_s,
                limits=self.limits,
                actor=actor,
            )
        )

    def list_tokens(
        self, account_id: int | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> TokenPage:
        """A page of tokens, of one account or all, the newest first. Raises `BadCursor`."""
        with self.db.read() as conn:
            return tokens.read_page(conn, account_id, cursor=cursor, limit=limit)

    def count_tokens(self, account_id: int) -> int:
        """How many tokens of an account are neither expired nor revoked."""
        with self.db.read() as conn:
            return tokens.count_alive(conn, account_id)

    def revoke_token(self, token_id: int, *, account_id: int | None = None, actor: str) -> TokenRow:
        """Revoke a token for good; with `account_id` only one of that account's."""
        return self._change(
            lambda conn: tokens.revoke(conn, token_id, account_id=account_id, actor=actor)
        )

    # -- conveniences

    def set_preferences(self, account_id: int, chosen: Mapping[str, str], *, actor: str) -> Account:
        """Change some preferences of an account. Raises `BadPreference`."""
        check_preferences(chosen)
        return self._change(
            lambda conn: directory.set_preferences(conn, account_id, chosen, actor=actor)
        )

    def create_view(
        self, caller: Caller, page: str, name: str, query: str, *, shared: bool = False
    ) -> SavedView:
        """Save a view, in place of one of the same name. Raises `BadSavedView`, `NotPermitted`."""
        return self._change(
            lambda conn: views.create(
                conn, caller, page, name, query, shared=shared, limits=self.limits
            )
        )

    def list_views(self, caller: Caller, page: str | None = None) -> Sequence[SavedView]:
        """The saved views the caller may use: first their own, then the shared ones."""
        with self.db.read() as conn:
            return views.read(conn, caller, page)

    def delete_view(self, caller: Caller, view_id: int) -> SavedView:
        """Delete a saved view. Raises `SavedViewMissing`, `NotPermitted`."""
        return self._change(lambda conn: views.remove(conn, caller, view_id))

    def recall(
        self, account_id: int, key: str, *, method: str, path: str, request_sha256: str
    ) -> Answer | None:
        """What was answered under this idempotency key; None takes the key and means: go ahead.

        Raises `IdempotencyKeyReused` for another request under it, `IdempotencyKeyInUse` while the
        first one is worked on.
        """
        return self.db.run(
            lambda conn: answers.recall(
                conn,
                account_id,
                key,
                method=method,
                path=path,
                request_sha256=request_sha256,
                limits=self.limits,
            )
        )

    def remember(self, account_id: int, key: str, answer: Answer) -> bool:
        """Keep what was answered under the key; False when it is too large to be kept."""
        return self.db.run(
            lambda conn: answers.remember(conn, account_id, key, answer, self.limits)
        )

    def forget(self, account_id: int, key: str) -> None:
        """Give the key back: nothing was done, and the request may come again with it."""
        self.db.run(lambda conn: answers.forget(conn, account_id, key))

    def _change(self, work: Callable[[Connection], T], *, locked: bool = True) -> T:
        def whole(conn: Connection) -> T:
            if locked:
                # Changes of accounts take turns: each sees what the one before it left.
                chain.lock(conn)
            return work(conn)

        return self.db.run(whole)
