"""`lading packages`: access packages, put together once and opened to many sites (A18)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli import output
from lading.cli.granting import (
    CURSOR,
    DRY_RUN,
    KEY,
    LIMIT,
    NAMES,
    change,
    container_documents,
    content_documents,
    create_named,
    rename_named,
    show_content,
    split_names,
    tell_content,
)
from lading.cli.session import Session, with_session
from lading.library import packages
from lading.library.granted import (
    PackageSize,
    package_sites,
    package_sizes,
    packed_containers,
    packed_content,
)


@click.group("packages")
def command() -> None:
    """Look after the access packages that sites are given."""


@command.command("list")
@with_session
def list_packages(session: Session) -> None:
    """List the access packages by key."""
    with session.open_database() as db, db.read() as conn:
        found = packages.list_packages(conn)
        sizes = package_sizes(conn)
    rows = [(package, sizes.get(package.id, PackageSize())) for package in found]
    if session.as_json:
        output.emit(
            {
                "packages": [
                    {
                        "key": package.key,
                        "name": package.name,
                        "created_at": package.created_at,
                        "assets": size.assets,
                        "containers": size.containers,
                        "sites": size.sites,
                    }
                    for package, size in rows
                ]
            }
        )
    elif rows:
        output.table(
            ("key", "name", "assets", "containers", "sites"),
            ((p.key, p.name, size.assets, size.containers, size.sites) for p, size in rows),
        )
    else:
        output.say("No access packages yet. `lading packages create KEY NAME` sets one up.")


@command.command("show")
@KEY
@LIMIT
@CURSOR
@with_session
def show(session: Session, key: str, limit: int, cursor: str | None) -> None:
    """Show what is in an access package, and to which sites it is open."""
    with session.open_database() as db, db.read() as conn:
        package = packages.require_package(conn, key)
        containers = packed_containers(conn, package.id)
        content = packed_content(conn, package.id, cursor=cursor, limit=limit)
        opened = package_sites(conn, package.id)
    if session.as_json:
        output.emit(
            {
                "key": package.key,
                "name": package.name,
                "sites": [site.key for site in opened],
                "containers": container_documents(containers),
                "assets": content_documents(content),
                "assets_next_cursor": content.next_cursor,
            }
        )
        return
    output.facts(
        (
            ("package", f"{package.key} ({package.name})"),
            ("open to", ", ".join(site.key for site in opened) or "no site"),
        )
    )
    show_content(containers, content)


@command.command("create")
@KEY
@click.argument("name", metavar="NAME")
@DRY_RUN
@with_session
def create(session: Session, key: str, name: str, dry_run: bool) -> None:
    """Set up an access package; its key stays, its name can be changed."""
    create_named(
        session,
        key,
        name,
        find=packages.find_package,
        create=packages.create_package,
        dry_run=dry_run,
    )


@command.command("rename")
@KEY
@click.argument("name", metavar="NAME")
@DRY_RUN
@with_session
def rename(session: Session, key: str, name: str, dry_run: bool) -> None:
    """Give an access package another name."""
    rename_named(
        session,
        key,
        name,
        require=packages.require_package,
        rename=packages.rename_package,
        dry_run=dry_run,
    )


@command.command("add")
@KEY
@NAMES
@DRY_RUN
@with_session
def add(session: Session, key: str, names: Sequence[str], dry_run: bool) -> None:
    """Put assets and containers in an access package, also assets that are not here yet.

    NAME is a content hash, or a container by its kind and key, such as gallery:spring-2026.
    """
    hashes, refs = split_names(names)
    added = change(
        session,
        lambda conn: packages.add_to_package(
            conn, key, hashes=hashes, containers=refs, actor=session.actor
        ),
        dry_run=dry_run,
    )
    tell_content(session, added.assets, added.containers, "put in", dry_run=dry_run)


@command.command("remove")
@KEY
@NAMES
@DRY_RUN
@with_session
def remove(session: Session, key: str, names: Sequence[str], dry_run: bool) -> None:
    """Take assets and containers out of an access package."""
    hashes, refs = split_names(names)
    removed = change(
        session,
        lambda conn: packages.remove_from_package(
            conn, key, hashes=hashes, containers=refs, actor=session.actor
        ),
        dry_run=dry_run,
    )
    tell_content(session, removed.assets, removed.containers, "taken out", dry_run=dry_run)
