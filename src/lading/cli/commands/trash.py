"""`lading trash`: takes assets and containers out of sight; nothing is ever removed."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.trashing import move_named
from lading.library.trash import delete_assets, delete_containers, retire_batch


@click.command("trash")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--batch",
    "batch_name",
    metavar="BATCH",
    help="Undo this batch: all that it was the first to bring.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@with_session
def command(session: Session, names: Sequence[str], batch_name: str | None, dry_run: bool) -> None:
    """Put assets and containers in the trash.

    NAME is an asset's content hash, or a container by its kind and key, such as
    gallery:spring-2026. Nothing is removed: what is in the trash is not shown, and `lading restore`
    brings it back. With --batch, everything that the batch was the first to bring goes there: the
    batch is undone.
    """
    move_named(
        session,
        names,
        batch_name,
        by_hash=lambda conn, digests: delete_assets(conn, digests, actor=session.actor),
        by_ref=lambda conn, refs: delete_containers(conn, refs, actor=session.actor),
        by_batch=lambda conn, batch_id: retire_batch(conn, batch_id, actor=session.actor),
        done="put in the trash",
        dry_run=dry_run,
    )
