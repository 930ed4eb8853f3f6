"""`lading sites`: the sites that see parts of the library, and what each is given (A18)."""

from __future__ import annotations

from collections.abc import Sequence

import click
from sqlalchemy import Connection

from lading.base.units import format_count
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
    parse_hashes,
    rename_named,
    show_content,
    split_names,
    tell_changed,
    tell_content,
)
from lading.cli.session import Session, with_session
from lading.library import packages, sites
from lading.library.granted import allowed_content, site_containers, site_packages
from lading.library.values import ContainerRef
from lading.library.visibility import site_summary

HASHES = click.argument("hashes", nargs=-1, required=True, metavar="HASH...")


@click.group("sites")
def command() -> None:
    """Look after the sites that see parts of the library."""


@command.command("list")
@with_session
def list_sites(session: Session) -> None:
    """List the sites by key."""
    with session.open_database() as db, db.read() as conn:
        found = sites.list_sites(conn)
    if session.as_json:
        output.emit({"sites": found})
    elif found:
        output.table(
            ("key", "name", "created"), ((site.key, site.name, site.created_at) for site in found)
        )
    else:
        output.say("No sites yet. `lading sites create KEY NAME` sets one up.")


@command.command("show")
@KEY
@LIMIT
@CURSOR
@with_session
def show(session: Session, key: str, limit: int, cursor: str | None) -> None:
    """Show how much a site sees by each route, what it was given, and its allow list."""
    with session.open_database() as db, db.read() as conn:
        site = sites.require_site(conn, key)
        summary = site_summary(conn, key)
        containers = site_containers(conn, site.id)
        opened = site_packages(conn, site.id)
        allowed = allowed_content(conn, site.id, cursor=cursor, limit=limit)
    if session.as_json:
        output.emit(
            {
                "key": site.key,
                "name": site.name,
                "visible": summary.visible,
                "by_route": summary.by_route,
                "awaited": summary.awaited,
                "containers": container_documents(containers),
                "packages": [package.key for package in opened],
                "allow_list": content_documents(allowed),
                "allow_list_next_cursor": allowed.next_cursor,
            }
        )
        return
    output.facts(
        (
            ("site", f"{site.key} ({site.name})"),
            ("sees", format_count(summary.visible, "asset")),
            *(
                (str(route), format_count(count, "asset"))
                for route, count in summary.by_route.items()
            ),
            ("awaited", f"{format_count(summary.awaited, 'entry', 'entries')} of its allow list"),
            ("packages", ", ".join(package.key for package in opened) or None),
        )
    )
    show_content(containers, allowed)


@command.command("create")
@KEY
@click.argument("name", metavar="NAME")
@DRY_RUN
@with_session
def create(session: Session, key: str, name: str, dry_run: bool) -> None:
    """Set up a site; its key stays, its name can be changed."""
    create_named(
        session,
        key,
        name,
        find=sites.find_site,
        create=sites.create_site,
        dry_run=dry_run,
    )


@command.command("rename")
@KEY
@click.argument("name", metavar="NAME")
@DRY_RUN
@with_session
def rename(session: Session, key: str, name: str, dry_run: bool) -> None:
    """Give a site another name."""
    rename_named(
        session,
        key,
        name,
        require=sites.require_site,
        rename=sites.rename_site,
        dry_run=dry_run,
    )


@command.command("grant")
@KEY
@NAMES
@DRY_RUN
@with_session
def grant(session: Session, key: str, names: Sequence[str], dry_run: bool) -> None:
    """Make assets and containers of the library members of a site.

    NAME is a content hash, or a container by its kind and key, such as gallery:spring-2026.
    """
    hashes, refs = split_names(names)

    def work(conn: Connection) -> tuple[list[str], list[ContainerRef]]:
        return (
            sites.grant_assets(conn, key, hashes, actor=session.actor),
            sites.grant_containers(conn, key, refs, actor=session.actor),
        )

    assets, containers = change(session, work, dry_run=dry_run)
    tell_content(session, assets, containers, "granted", dry_run=dry_run)


@command.command("revoke")
@KEY
@NAMES
@DRY_RUN
@with_session
def revoke(session: Session, key: str, names: Sequence[str], dry_run: bool) -> None:
    """End the membership of assets and containers; other routes to them stay."""
    hashes, refs = split_names(names)

    def work(conn: Connection) -> tuple[list[str], list[ContainerRef]]:
        return (
            sites.revoke_assets(conn, key, hashes, actor=session.actor),
            sites.revoke_containers(conn, key, refs, actor=session.actor),
        )

    assets, containers = change(session, work, dry_run=dry_run)
    tell_content(session, assets, containers, "revoked", dry_run=dry_run)


@command.command("allow")
@KEY
@HASHES
@DRY_RUN
@with_session
def allow(session: Session, key: str, hashes: Sequence[str], dry_run: bool) -> None:
    """Put content on the allow list of a site, also content that is not here yet."""
    wanted = parse_hashes(hashes)
    added = change(
        session,
        lambda conn: sites.allow_hashes(conn, key, wanted, actor=session.actor),
        dry_run=dry_run,
    )
    tell_content(session, added, [], "allowed", dry_run=dry_run)


@command.command("disallow")
@KEY
@HASHES
@DRY_RUN
@with_session
def disallow(session: Session, key: str, hashes: Sequence[str], dry_run: bool) -> None:
    """Take content off the allow list of a site."""
    wanted = parse_hashes(hashes)
    dropped = change(
        session,
        lambda conn: sites.disallow_hashes(conn, key, wanted, actor=session.actor),
        dry_run=dry_run,
    )
    tell_content(session, dropped, [], "taken off", dry_run=dry_run)


@command.command("attach")
@KEY
@click.argument("package", metavar="PACKAGE")
@DRY_RUN
@with_session
def attach(session: Session, key: str, package: str, dry_run: bool) -> None:
    """Open an access package to a site."""
    changed = change(
        session,
        lambda conn: packages.attach_package(conn, key, package, actor=session.actor),
        dry_run=dry_run,
    )
    facts = {"key": key, "package": package}
    tell_changed(session, facts, changed=changed, done=f"opened to {key}", dry_run=dry_run)


@command.command("detach")
@KEY
@click.argument("package", metavar="PACKAGE")
@DRY_RUN
@with_session
def detach(session: Session, key: str, package: str, dry_run: bool) -> None:
    """Close an access package to a site."""
    changed = change(
        session,
        lambda conn: packages.detach_package(conn, key, package, actor=session.actor),
        dry_run=dry_run,
    )
    facts = {"key": key, "package": package}
    tell_changed(session, facts, changed=changed, done=f"closed to {key}", dry_run=dry_run)
