"""`lading trash`: takes assets out of sight; nothing is ever removed."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.trashing import move_assets
from lading.library.trash import delete_assets, retire_batch


@click.command("trash")
@click.argument("content_hashes", nargs=-1, metavar="[HASH]...")
@click.option(
    "--batch",
    "batch_name",
    metavar="BATCH",
    help="Undo this batch: all that it was the first to bring.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@with_session
def command(
    session: Session, content_hashes: Sequence[str], batch_name: str | None, dry_run: bool
) -> None:
    """Put assets in the trash.

    Nothing is removed: what is in the trash is not shown, and `lading restore` brings it back. With
    --batch, everything that the batch was the first to bring goes there: the batch is undone.
    """
    move_assets(
        session,
        content_hashes,
        batch_name,
        by_hash=lambda conn, digests: delete_assets(conn, digests, actor=session.actor),
        by_batch=lambda conn, batch_id: retire_batch(conn, batch_id, actor=session.actor),
        done="put in the trash",
        dry_run=dry_run,
    )
