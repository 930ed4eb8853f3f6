"""`lading restore`: brings assets back as they were."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.trashing import move_assets
from lading.library.trash import restore_assets, restore_batch


@click.command("restore")
@click.argument("content_hashes", nargs=-1, metavar="[HASH]...")
@click.option("--batch", "batch_name", metavar="BATCH", help="Take back the undo of this batch.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@with_session
def command(
    session: Session, content_hashes: Sequence[str], batch_name: str | None, dry_run: bool
) -> None:
    """Take assets out of the trash.

    Memberships and covers are as they were. With --batch, what the undo of that batch took comes
    back; what was put in the trash otherwise stays there.
    """
    move_assets(
        session,
        content_hashes,
        batch_name,
        by_hash=lambda conn, digests: restore_assets(conn, digests, actor=session.actor),
        by_batch=lambda conn, batch_id: restore_batch(conn, batch_id, actor=session.actor),
        done="taken out of the trash",
        dry_run=dry_run,
    )
