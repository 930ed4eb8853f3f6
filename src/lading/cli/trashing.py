"""What `trash` and `restore` share: assets by content, containers by key, or a batch (G11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click
from sqlalchemy import Connection

from lading.base.identifiers import parse_content_hash
from lading.base.units import format_count
from lading.cli import output
from lading.cli.session import Session
from lading.ledger.queries import find_batch
from lading.library.tables import ContainerKind
from lading.library.trash import Trashed
from lading.library.values import ContainerRef

ByHash = Callable[[Connection, Sequence[str]], Trashed]
ByRef = Callable[[Connection, Sequence[ContainerRef]], Trashed]
ByBatch = Callable[[Connection, int], Trashed]


class _DryRun(Exception):
    """Ends a transaction that was only to show what it would do."""


def move_named(
    session: Session,
    names: Sequence[str],
    batch_name: str | None,
    *,
    by_hash: ByHash,
    by_ref: ByRef,
    by_batch: ByBatch,
    done: str,
    dry_run: bool,
) -> None:
    """Move what is named into the trash or out of it; a dry run does it and takes it back."""
    if bool(names) == (batch_name is not None):
        raise click.UsageError("name assets by content hash, containers by key, or give --batch")
    parsed = [parse_name(name) for name in names]
    refs = [name for name in parsed if isinstance(name, ContainerRef)]
    digests = [name for name in parsed if isinstance(name, str)]
    changed = Trashed()
    with session.open_database() as db:
        try:
            with db.write() as conn:
                if batch_name is not None:
                    changed = by_batch(conn, find_batch(conn, batch_name).id)
                else:
                    assets, containers = by_hash(conn, digests), by_ref(conn, refs)
                    changed = Trashed(assets.assets, containers.containers)
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
    some_assets = format_count(len(changed.assets), "asset")
    some_containers = format_count(len(changed.containers), "container")
    output.say(f"{some_assets} and {some_containers} {would}{done}")


def parse_name(name: str) -> str | ContainerRef:
    """The content hash or the container that a name means."""
    kind, _, key = name.partition(":")
    if kind in set(ContainerKind) and key:
        return ContainerRef(kind, key)
    digest = parse_content_hash(name)
    if digest is None:
        raise click.BadParameter(
            f"{name!r} is neither a sha256 in hex nor, like gallery:KEY, a container",
            param_hint="NAME",
        )
    return digest
