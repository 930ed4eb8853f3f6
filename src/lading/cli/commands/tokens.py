"""`lading tokens`: the secrets with which scripts may ask the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from lading.accounts.limits import DAY_S
from lading.accounts.rules import written
from lading.accounts.values import Permission, TokenRow
from lading.cli import output
from lading.cli.commands.users import DRY_RUN, open_accounts
from lading.cli.session import Session, with_session

DAYS_MAX: Final = 366


@click.group("tokens")
def command() -> None:
    """Look after the tokens of scripts."""


@command.command("create")
@click.argument("owner", metavar="NAME")
@click.argument("token_name", metavar="TOKEN")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice([permission.value for permission in Permission]),
    default=("read",),
    show_default=True,
    help="What it may do; may be given several times.",
)
@click.option(
    "--days",
    type=click.IntRange(1, DAYS_MAX),
    default=90,
    show_default=True,
    help="Days after which it expires.",
)
@DRY_RUN
@with_session
def create(
    session: Session,
    *,
    owner: str,
    token_name: str,
    permissions: Sequence[str],
    days: int,
    dry_run: bool,
) -> None:
    """Make a token of an account; its secret is shown once.

    NAME is the account's, TOKEN what the token is called in the ledger. A token may no more than
    its account.
    """
    with open_accounts(session, dry_run=dry_run) as accounts:
        made = accounts.create_token(
            accounts.get(owner).id,
            token_name,
            {Permission(word) for word in permissions},
            expires_in_s=days * DAY_S,
            actor=session.actor,
        )
    if session.as_json:
        output.emit(
            {
                "token": document(made.token),
                "secret": None if dry_run else made.secret,
                "dry_run": dry_run,
            }
        )
        return
    would = "would be " if dry_run else ""
    output.say(
        f"token {made.token.name} of {made.token.account_name} {would}made;"
        f" it may {written(made.token.permissions)} until {output.moment(made.token.expires_at)}"
    )
    if not dry_run:
        output.say(f"Secret: {made.secret}")
        output.note("It is shown only now; send it as `Authorization: Bearer …`.")


@command.command("list")
@click.option("--of", "owner", metavar="NAME", help="Only those of this account.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many."
)
@click.option("--cursor", help="Go on after the page that named this cursor.")
@with_session
def list_tokens(session: Session, owner: str | None, limit: int, cursor: str | None) -> None:
    """List tokens, the newest first, expired and revoked ones too."""
    with open_accounts(session) as accounts:
        account_id = None if owner is None else accounts.get(owner).id
        page = accounts.list_tokens(account_id, cursor=cursor, limit=limit)
    if session.as_json:
        documents = [document(token) for token in page.tokens]
        output.emit({"tokens": documents, "next_cursor": page.next_cursor})
        return
    output.table(
        ("id", "account", "token", "may", "last used", "expires", "revoked"),
        (
            (
                t.id,
                t.account_name,
                t.name,
                written(t.permissions),
                t.last_used_at,
                t.expires_at,
                t.revoked_at,
            )
            for t in page.tokens
        ),
    )
    if page.next_cursor is not None:
        output.note(f"More: add --cursor {page.next_cursor}")


@command.command("revoke")
@click.argument("token_id", type=int, metavar="ID")
@DRY_RUN
@with_session
def revoke(session: Session, token_id: int, dry_run: bool) -> None:
    """Revoke a token for good, by its number in the list."""
    with open_accounts(session, dry_run=dry_run) as accounts:
        token = accounts.revoke_token(token_id, actor=session.actor)
    if session.as_json:
        output.emit({"token": document(token), "dry_run": dry_run})
    else:
        would = "would be " if dry_run else ""
        output.say(f"token {token.name} of {token.account_name} {would}revoked")


def document(token: TokenRow) -> dict[str, object]:
    """A token as the value of `--json`; its permissions in a steady order."""
    plain: dict[str, object] = output.plain(token)
    plain["permissions"] = sorted(token.permissions)
    return plain
