"""What `trash` and `restore` share: assets by their content, or all that a batch brought (G11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click
from sqlalchemy import Connection

from lading.base.identifiers import parse_content_hash
from lading.cli import output
from lading.cli.session import Session
from lading.ledger.queries import find_batch
from lading.library.trash import Trashed

ByHash = Callable[[Connection, Sequence[str]], Trashed]
ByBatch = Callable[[Connection, int], Trashed]


class _DryRun(Exception):
    """Ends a transaction that was only to show what it would do."""


def move_assets(
    session: Session,
    content_hashes: Sequence[str],
    batch_name: str | None,
    *,
    by_hash: ByHash,
    by_batch: ByBatch,
    done: str,
    dry_run: bool,
) -> None:
    """Move what is named into the trash or out of it; a dry run does it and takes it back."""
    if bool(content_hashes) == (batch_name is not None):
        raise click.UsageError("name assets by their content hash, or give --batch")
    digests = [_digest(text) for text in content_hashes]
    changed = Trashed()
    with session.open_database() as db:
        try:
            with db.write() as conn:
                if batch_name is not None:
                    changed = by_batch(conn, find_batch(conn, batch_name).id)
                else:
                    changed = by_hash(conn, digests)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            pass
    if session.as_json:
        output.emit(
            {
                "assets": changed.assets,
                "containers": [str(container) for container in changed.containers],
                "dry_run": dry_run,
            }
        )
        return
    would = "would be " if dry_run else ""
    output.say(
        f"{len(changed.assets):,} assets and {len(changed.containers):,} containers {would}{done}"
    )


def _digest(text: str) -> str:
    digest = parse_content_hash(text)
    if digest is None:
        raise click.BadParameter(f"{text!r} is not a sha256 in hex", param_hint="HASH")
    return digest
