"""`lading recordings catalog`: the tables and the pointer themselves."""

from __future__ import annotations

from typing import Final

import click

from lading.catalog.columns import MODALITIES, PARTICIPANTS, RECORDINGS
from lading.catalog.errors import CatalogMoved, CatalogVersionMissing, PointerMissing
from lading.catalog.location import CatalogLocation
from lading.catalog.pointer import Pointed, Pointer
from lading.catalog.tables import RETENTION_H_MIN
from lading.cli import output
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.recordings.opening import DRY_RUN, WRITES_CATALOG, chosen_data, open_data
from lading.cli.session import Session, with_session

TABLES: Final = click.Choice([RECORDINGS.name, MODALITIES.name, PARTICIPANTS.name])


@click.group("catalog")
def catalog_group() -> None:
    """Look after the catalog's tables and its pointer."""


@catalog_group.command("create")
@click.option("--prefix", required=True, metavar="PREFIX", help="Where its tables shall be.")
@DRY_RUN
@with_session
def create_command(session: Session, prefix: str, *, dry_run: bool) -> None:
    """Make a new catalog, live at once; refused where one is live already."""
    profile = chosen_data().profile
    location = CatalogLocation.of(profile.catalog_root(writing=not dry_run))
    if dry_run:
        try:
            live = Pointer(location, profile.pointer).read().prefix
        except PointerMissing:
            live = None
        if live is not None:
            raise CatalogMoved("A catalog is live already", subject=profile.pointer, found=live)
    else:
        profile.make(prefix)
    if session.as_json:
        output.emit({"live": prefix, "pointer": profile.pointer, "dry_run": dry_run})
        return
    would = "would be" if dry_run else "is"
    output.say(f"{output.cell(prefix)} {would} live, by {output.cell(profile.pointer)}")


@catalog_group.command("check")
@with_session
def check_command(session: Session) -> int:
    """Count what the catalog holds, and what is not as it shall be.

    Orphans are left by a registration that was cut off, and do no harm. Ends with status 1 when a
    row is there twice, or recordings name participants that there are not.
    """
    found = open_data().catalog.check()
    faulty = bool(found.rows_twice or found.participants_missing)
    if session.as_json:
        output.emit({**output.plain(found), "well": not faulty})
    else:
        plain = output.plain(found)
        output.facts((name.replace("_", " "), f"{count:,}") for name, count in plain.items())
        output.say("PROBLEMS" if faulty else "all is well")
    return NEEDS_A_PERSON if faulty else 0


@catalog_group.command("versions")
@click.argument("table", type=TABLES)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="At most so many, the newest first.",
)
@with_session
def versions_command(session: Session, table: str, limit: int) -> None:
    """List the versions of a table, the newest first."""
    found = open_data().catalog.versions(table, limit=limit)
    if session.as_json:
        output.emit({"table": table, "versions": output.plain(found)})
        return
    rows = ((each.number, each.committed_at, each.made_by) for each in found)
    output.table(("version", "committed", "by"), rows)


@catalog_group.command("restore")
@click.argument("table", type=TABLES)
@click.option("--to", "to", type=click.IntRange(min=0), required=True, help="This version.")
@click.option(
    "--expected",
    type=click.IntRange(min=0),
    required=True,
    help="The newest version that you looked at; refused when there is a newer one.",
)
@DRY_RUN
@with_session
def restore_command(session: Session, table: str, *, to: int, expected: int, dry_run: bool) -> None:
    """Make one table what it was at a version.

    All that was registered since goes out of sight; restoring the version before brings it back.
    """
    catalog = open_data(WRITES_CATALOG, dry_run=dry_run).catalog
    if dry_run:
        newest = next((each.number for each in catalog.versions(table, limit=1)), None)
        if newest != expected:
            raise CatalogMoved(
                "The table has another version", subject=table, expected=expected, found=newest
            )
        if to > expected:
            raise CatalogVersionMissing("There is no such version", subject=table, found=to)
        number = expected + 1
    else:
        number = catalog.restore(table, to, expected=expected)
    if session.as_json:
        output.emit({"table": table, "restored": to, "version": number, "dry_run": dry_run})
        return
    would = "would be" if dry_run else "is"
    output.say(f"{table} {would} as it was at version {to}; that is version {number}")


@catalog_group.command("compact")
@click.option(
    "--retention-hours",
    type=click.IntRange(min=RETENTION_H_MIN),
    default=RETENTION_H_MIN,
    show_default=True,
    help="Versions of the last so many hours can still be restored.",
)
@DRY_RUN
@with_session
def compact_command(session: Session, *, retention_hours: int, dry_run: bool) -> None:
    """Join the small files of the tables, and delete those that are no longer needed.

    A dry run says what would be deleted. Older versions can then not be restored.
    """
    catalog = open_data(WRITES_CATALOG, dry_run=dry_run).catalog
    done = catalog.compact(retention_h=retention_hours, dry_run=dry_run)
    if session.as_json:
        output.emit({"tables": output.plain(done), "dry_run": dry_run})
        return
    rows = (
        (table, each.files_joined, each.files_made, each.files_deleted)
        for table, each in done.items()
    )
    output.table(("table", "joined", "made", "deleted"), rows)
    if dry_run:
        output.say("Nothing was joined or deleted.")


@catalog_group.command("pointer")
@with_session
def pointer_command(session: Session) -> None:
    """Show which catalog is live, and which was so before."""
    profile = chosen_data().profile
    pointer = Pointer(CatalogLocation.of(profile.catalog_root()), profile.pointer)
    pointed: Pointed = pointer.read()
    facts = {
        "live": pointed.prefix,
        "previous": pointed.previous,
        "flipped_at": pointed.flipped_at,
        "pointer": pointer.name,
        "location": str(pointer.location),
    }
    if session.as_json:
        output.emit(facts)
        return
    output.facts((name.replace("_", " "), value) for name, value in facts.items())
