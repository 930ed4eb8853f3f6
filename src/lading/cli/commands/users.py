"""`lading users`: the accounts that may sign in to the console, and their sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

from lading.accounts.accounts import Accounts
from lading.accounts.values import Account, OneTimePassword, Role
from lading.base.units import format_count
from lading.cli import output
from lading.cli.session import Session, with_session
from lading.db import rehearsal

ROLES = click.Choice([role.value for role in Role])
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
NAME = click.argument("name", metavar="NAME")


@click.group("users")
def command() -> None:
    """Look after the accounts of people and scripts."""


@contextmanager
def open_accounts(session: Session, *, dry_run: bool = False) -> Iterator[Accounts]:
    """The accounts of this installation; in a dry run nothing of what is done to them stays."""
    limits = session.load_settings().console.account_limits
    with session.open_database() as db, rehearsal() if dry_run else nullcontext():
        yield Accounts(db, limits=limits)


@command.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many."
)
@click.option("--cursor", help="Go on after the page that named this cursor.")
@with_session
def list_accounts(session: Session, limit: int, cursor: str | None) -> None:
    """List the accounts by name."""
    with open_accounts(session) as accounts:
        page = accounts.list(cursor=cursor, limit=limit)
    if session.as_json:
        documents = [document(account) for account in page.accounts]
        output.emit({"accounts": documents, "next_cursor": page.next_cursor})
        return
    output.table(
        ("name", "role", "state", "last seen", "shown as"),
        ((a.name, a.role, _state(a), a.last_seen_at, a.display_name) for a in page.accounts),
    )
    if page.next_cursor is not None:
        output.note(f"More: add --cursor {page.next_cursor}")


@command.command("add")
@NAME
@click.option("--role", type=ROLES, default="viewer", show_default=True, help="What they may do.")
@click.option("--display-name", default="", help="What they are shown as, if not their name.")
@DRY_RUN
@with_session
def add(session: Session, name: str, role: str, display_name: str, dry_run: bool) -> None:
    """Make an account with a one-time password, which is shown once."""
    with open_accounts(session, dry_run=dry_run) as accounts:
        made = accounts.create(
            name, role=Role(role), display_name=display_name, actor=session.actor
        )
    _tell_password(session, made, f"made, as {made.account.role}", dry_run=dry_run)


@command.command("role")
@NAME
@click.argument("role", type=ROLES)
@DRY_RUN
@with_session
def role(session: Session, name: str, role: str, dry_run: bool) -> None:
    """Give an account another role, from its next request on."""
    with open_accounts(session, dry_run=dry_run) as accounts:
        after = accounts.set_role(name, Role(role), actor=session.actor)
    _tell(session, after, f"made {after.role}", dry_run=dry_run)


@command.command("disable")
@NAME
@DRY_RUN
@with_session
def disable(session: Session, name: str, dry_run: bool) -> None:
    """Let an account in no more: its sessions end, and its tokens rest."""
    with open_accounts(session, dry_run=dry_run) as accounts:
        after = accounts.disable(name, actor=session.actor)
    _tell(session, after, "disabled", dry_run=dry_run)


@command.command("enable")
@NAME
@DRY_RUN
@with_session
def enable(session: Session, name: str, dry_run: bool) -> None:
    """Let a disabled account in again."""
    with open_accounts(session, dry_run=dry_run) as accounts:
        after = accounts.enable(name, actor=session.actor)
    _tell(session, after, "enabled", dry_run=dry_run)


@command.command("reset-password")
@NAME
@DRY_RUN
@with_session
def reset_password(session: Session, name: str, dry_run: bool) -> None:
    """Give an account a one-time password, which is shown once.

    Its sessions end and its tokens are revoked. A name that is blocked after too many attempts can
    sign in again.
    """
    with open_accounts(session, dry_run=dry_run) as accounts:
        reset = accounts.reset_password(name, actor=session.actor)
    _tell_password(session, reset, "given a new password", dry_run=dry_run)


@command.command("sessions")
@NAME
@with_session
def list_sessions(session: Session, name: str) -> None:
    """List the sessions of an account that have not ended."""
    with open_accounts(session) as accounts:
        account = accounts.get(name)
        found = accounts.list_sessions(account.id)
    if session.as_json:
        output.emit({"name": account.name, "sessions": found})
        return
    output.table(
        ("id", "since", "last seen", "until", "address", "browser"),
        ((s.id, s.created_at, s.seen_at, s.expires_at, s.address, s.user_agent) for s in found),
    )


@command.command("end-sessions")
@NAME
@click.option("--session", "session_id", type=int, metavar="ID", help="Only this one.")
@DRY_RUN
@with_session
def end_sessions(session: Session, name: str, session_id: int | None, dry_run: bool) -> None:
    """End the sessions of an account; whoever used them has to sign in again."""
    with open_accounts(session, dry_run=dry_run) as accounts:
        account = accounts.get(name)
        if session_id is None:
            ended = list(accounts.revoke_all_sessions(account.id, actor=session.actor))
        else:
            accounts.revoke_session(account.id, session_id, actor=session.actor)
            ended = [session_id]
    if session.as_json:
        output.emit({"name": account.name, "ended": ended, "dry_run": dry_run})
    else:
        would = "would be " if dry_run else ""
        sessions = format_count(len(ended), "session")
        output.say(f"{sessions} of {account.name} {would}ended")


def document(account: Account) -> dict[str, object]:
    """An account as the value of `--json`."""
    plain: dict[str, object] = output.plain(account)
    return plain


def _state(account: Account) -> str:
    if account.disabled_at is not None:
        return "disabled"
    return "one-time password" if account.must_change_password else "active"


def _tell(session: Session, account: Account, done: str, *, dry_run: bool) -> None:
    if session.as_json:
        output.emit({"account": document(account), "dry_run": dry_run})
    else:
        output.say(f"{account.name} {'would be ' if dry_run else ''}{done}")


def _tell_password(session: Session, made: OneTimePassword, done: str, *, dry_run: bool) -> None:
    """The password of a dry run is good for nothing and is not shown."""
    if session.as_json:
        output.emit(
            {
                "account": document(made.account),
                "password": None if dry_run else made.password,
                "dry_run": dry_run,
            }
        )
        return
    _tell(session, made.account, done, dry_run=dry_run)
    if not dry_run:
        output.say(f"One-time password: {made.password}")
        output.note("It is shown only now, and must be changed at the first sign-in.")
