"""`lading restore`: brings assets and containers back as they were."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.trashing import move_named
from lading.library.trash import restore_assets, restore_batch, restore_containers


@click.command("restore")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--batch", "batch_name", metavar="BATCH", help="Take back the undo of this batch.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@with_session
def command(session: Session, names: Sequence[str], batch_name: str | None, dry_run: bool) -> None:
    """Take assets and containers out of the trash.

    NAME is an asset's content hash, or a container by its kind and key, such as
    gallery:spring-2026. Memberships and covers are as they were. With --batch, what the undo of
    that batch took comes back; what was put in the trash otherwise stays there.
    """
    move_named(
        session,
        names,
        batch_name,
        by_hash=lambda conn, digests: restore_assets(conn, digests, actor=session.actor),
        by_ref=lambda conn, refs: restore_containers(conn, refs, actor=session.actor),
        by_batch=lambda conn, batch_id: restore_batch(conn, batch_id, actor=session.actor),
        done="taken out of the trash",
        dry_run=dry_run,
    )
