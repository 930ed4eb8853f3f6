"""What `sites` and `packages` share: changes that can be rehearsed, and names of content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, TypeVar

import click
from sqlalchemy import Connection

from lading.base.identifiers import parse_content_hash
from lading.base.units import format_count
from lading.cli import output
from lading.cli.session import Session
from lading.cli.trashing import parse_name
from lading.db import rehearsal
from lading.library.granted import GrantedAssets, GrantedContainer
from lading.library.named import Named
from lading.library.values import ContainerRef

DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Only say what would change.")
KEY: Final = click.argument("key", metavar="KEY")
NAMES: Final = click.argument("names", nargs=-1, required=True, metavar="NAME...")
LIMIT: Final = click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many."
)
CURSOR: Final = click.option("--cursor", help="Go on after the page that named this cursor.")


T = TypeVar("T")


def change(session: Session, work: Callable[[Connection], T], *, dry_run: bool) -> T:
    """Do `work` in one transaction; in a dry run it is checked in full, then undone."""
    with session.open_database() as db, rehearsal() if dry_run else nullcontext():
        return db.run(work)


def create_named(
    session: Session,
    key: str,
    name: str,
    *,
    find: Callable[[Connection, str], Named | None],
    create: Callable[..., Named],
    dry_run: bool,
) -> None:
    """Set up a site or package, and say whether it was there already."""

    def work(conn: Connection) -> bool:
        there = find(conn, key) is not None
        create(conn, key, name, actor=session.actor)
        return not there

    changed = change(session, work, dry_run=dry_run)
    facts = {"key": key, "name": name}
    tell_changed(session, facts, changed=changed, done=f"set up as {key}", dry_run=dry_run)


def rename_named(
    session: Session,
    key: str,
    name: str,
    *,
    require: Callable[[Connection, str], Named],
    rename: Callable[..., object],
    dry_run: bool,
) -> None:
    """Give a site or package another name, and say whether it had it already."""

    def work(conn: Connection) -> bool:
        before = require(conn, key).name
        rename(conn, key, name, actor=session.actor)
        return before != name

    changed = change(session, work, dry_run=dry_run)
    facts = {"key": key, "name": name}
    tell_changed(session, facts, changed=changed, done=f"renamed to {name}", dry_run=dry_run)


def split_names(names: Sequence[str]) -> tuple[list[str], list[ContainerRef]]:
    """Content hashes and containers among what was typed."""
    parsed = [parse_name(name) for name in names]
    return (
        [name for name in parsed if isinstance(name, str)],
        [name for name in parsed if isinstance(name, ContainerRef)],
    )


def parse_hashes(names: Sequence[str]) -> list[str]:
    """Content hashes, and nothing else."""
    digests = []
    for name in names:
        digest = parse_content_hash(name)
        if digest is None:
            raise click.BadParameter(f"{name!r} is not a sha256 in hex", param_hint="HASH")
        digests.append(digest)
    return digests


def tell_content(
    session: Session,
    hashes: Sequence[str],
    containers: Sequence[ContainerRef],
    done: str,
    *,
    dry_run: bool,
) -> None:
    """Say what really changed; what was so before is not counted."""
    if session.as_json:
        names = [str(container) for container in containers]
        output.emit({"assets": hashes, "containers": names, "dry_run": dry_run})
        return
    would = "would be " if dry_run else ""
    assets = format_count(len(hashes), "asset")
    output.say(f"{assets} and {format_count(len(containers), 'container')} {would}{done}")


def tell_changed(
    session: Session, facts: dict[str, Any], *, changed: bool, done: str, dry_run: bool
) -> None:
    """Say whether one thing changed."""
    if session.as_json:
        output.emit({**facts, "changed": changed, "dry_run": dry_run})
    elif not changed:
        output.say("Nothing to do: it is so already.")
    else:
        output.say(f"Would be {done}." if dry_run else f"{done[0].upper()}{done[1:]}.")


def content_documents(page: GrantedAssets) -> list[dict[str, Any]]:
    """Content that is named, as the value of `--json`."""
    return [
        {
            "content_hash": entry.content_hash,
            "title": entry.asset.facts.title if entry.asset else None,
            "state": content_state(entry.asset),
        }
        for entry in page.entries
    ]


def content_state(asset: Any) -> str:
    """`awaited`, `in_trash` or `present`."""
    if asset is None:
        return "awaited"
    return "in_trash" if asset.deleted else "present"


def container_documents(containers: Sequence[GrantedContainer]) -> list[dict[str, Any]]:
    """Containers that were given, as the value of `--json`."""
    return [
        {"name": str(found.ref), "title": found.title, "in_trash": found.deleted}
        for found in containers
    ]


def show_content(containers: Sequence[GrantedContainer], page: GrantedAssets) -> None:
    """Write containers and content as tables."""
    if containers:
        output.say()
        output.table(
            ("container", "title", "state"),
            (
                (str(found.ref), found.title, "in_trash" if found.deleted else "present")
                for found in containers
            ),
        )
    if page.entries:
        output.say()
        output.table(
            ("content", "state", "title"),
            (
                (e.content_hash, content_state(e.asset), e.asset.facts.title if e.asset else None)
                for e in page.entries
            ),
        )
    if page.next_cursor is not None:
        output.note(f"More: add --cursor {page.next_cursor}")
