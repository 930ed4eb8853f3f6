"""`lading db`: the database's schema, asked for and upgraded."""

from __future__ import annotations

import click

from lading.cli import output
from lading.cli.session import Session, with_session
from lading.cli.setting_up import set_up
from lading.db import open_database
from lading.db.migrate import upgrade
from lading.db.revisions import current_revision, head_revision


@click.group("db")
def command() -> None:
    """Look after the database's schema."""


@command.command("upgrade")
@click.option("--dry-run", is_flag=True, help="Only say whether there is anything to do.")
@with_session
def upgrade_command(session: Session, dry_run: bool) -> None:
    """Bring the database to the schema of this version.

    A database that has it already is left as it is. Back up a database that holds data first. With
    an empty database this is a new installation: its data folder and its store are made too.
    """
    settings = session.load_settings()
    db = open_database(settings.database.address)
    try:
        before, head = current_revision(db), head_revision()
        changed = before != head
        if changed and not dry_run:
            changed = set_up(settings) if before is None else upgrade(db)
    finally:
        db.close()
    facts = {
        "database": db.url_shown,
        "before": before,
        "after": before if dry_run else head,
        "newest": head,
        "changed": changed and not dry_run,
        "dry_run": dry_run,
    }
    if session.as_json:
        output.emit(facts)
    elif not changed:
        output.say(f"{db.url_shown} has the newest schema ({head}).")
    elif dry_run:
        output.say(f"{db.url_shown} would go from {before or 'no schema'} to {head}.")
    else:
        output.say(f"{db.url_shown} went from {before or 'no schema'} to {head}.")
