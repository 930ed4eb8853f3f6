"""`lading photos dates`: when photos count as taken, shifted, set and put back; files stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from lading.base.identifiers import parse_content_hash
from lading.bootstrap import Lading, open_lading
from lading.cli import output
from lading.cli.session import Session, with_session
from lading.library.known import UnknownAsset, find_assets
from lading.operations.operations import Operations
from lading.operations.rules import SENTENCES
from lading.operations.states import FINAL_OPERATION_STATES
from lading.operations.values import Operation, Preview, Resource, Targets, Verb

_dry_run = click.option("--dry-run", is_flag=True, help="Only show what would change.")
_on = click.option(
    "--on",
    metavar="PART",
    help="All that the timeline shows of this: 2024, 2024-07, 2024-07-03, undated or clock.",
)
_photos = click.argument("photos", nargs=-1, metavar="[HASH]...")


@click.group("dates")
def dates_group() -> None:
    """Correct when photos were taken, and take that back.

    A correction is kept in the library, beside what the file says, and holds through every scan.
    No file is changed. What is shown with a photo, such as its RAW, is dated with it.
    """


@dates_group.command("shift")
@_photos
@_on
@click.option("--by", required=True, metavar="TIME", help="Such as +1h, -365d or '-1d 2h 30m 5s'.")
@_dry_run
@with_session
def shift_command(
    session: Session, *, photos: Sequence[str], on: str | None, by: str, dry_run: bool
) -> None:
    """Shift when photos were taken, as when a clock was an hour or a year off.

    Of those without a believable time, a time that a clock counted from nothing is shifted.
    """
    _change(session, Verb.SHIFT_TAKEN, photos, on, {"by": by}, dry_run=dry_run)


@dates_group.command("set")
@_photos
@_on
@click.option("--at", required=True, metavar="TIME", help="Such as 2024-07-03T14:30:00.")
@click.option("--offset", metavar="OFFSET", help="The clock's distance from UTC: +02:00.")
@click.option(
    "--step",
    type=click.IntRange(0),
    default=0,
    metavar="SECONDS",
    help="From one to the next, in the order of their names.",
)
@_dry_run
@with_session
def set_command(
    session: Session,
    *,
    photos: Sequence[str],
    on: str | None,
    at: str,
    offset: str | None,
    step: int,
    dry_run: bool,
) -> None:
    """Set when photos were taken, as of those that state no time."""
    params = {"at": at, "offset": offset or "", "step_s": step}
    _change(session, Verb.SET_TAKEN, photos, on, params, dry_run=dry_run)


@dates_group.command("restore")
@_photos
@_on
@_dry_run
@with_session
def restore_command(
    session: Session, *, photos: Sequence[str], on: str | None, dry_run: bool
) -> None:
    """Go by what the files say again."""
    _change(session, Verb.RESTORE_TAKEN, photos, on, {}, dry_run=dry_run)


@dates_group.command("undo")
@click.argument("operation")
@_dry_run
@with_session
def undo_command(session: Session, *, operation: str, dry_run: bool) -> None:
    """Give photos the dates that they had before OPERATION."""
    with open_lading(session.load_settings()) as lading:
        if dry_run:
            _show(session, lading.operations.preview_undo(operation))
            return
        _tell(session, lading.operations, lading.operations.undo(operation, actor=session.actor))


def _change(
    session: Session,
    verb: Verb,
    photos: Sequence[str],
    on: str | None,
    params: Mapping[str, Any],
    *,
    dry_run: bool,
) -> None:
    if bool(photos) == (on is not None):
        raise click.UsageError("name photos by their content hashes, or a part of the timeline")
    with open_lading(session.load_settings()) as lading:
        targets = _targets(lading, photos, on, actor=session.actor)
        if dry_run:
            _show(session, lading.operations.preview(verb, targets, params))
            return
        done = lading.operations.start(verb, targets, params, actor=session.actor)
        _tell(session, lading.operations, done)


def _targets(lading: Lading, photos: Sequence[str], on: str | None, *, actor: str) -> Targets:
    if on is not None:
        chosen = lading.operations.select(Resource.ASSETS, {"taken": on}, actor=actor)
        return Targets(selection=chosen.key)
    wanted = [parse_content_hash(text) or text for text in photos]
    with lading.db.read() as conn:
        found = find_assets(conn, wanted)
    for digest in wanted:
        if digest not in found:
            raise UnknownAsset("the library has no such asset", subject=digest[:100])
    return Targets(resource=Resource.ASSETS, ids=[row.id for row in found.values()])


def _show(session: Session, preview: Preview) -> None:
    if session.as_json:
        output.emit({"dry_run": True, "preview": preview})
        return
    for each in preview.dates:
        before = _clock(each.before, each.before_offset_min)
        after = _clock(each.after, each.after_offset_min)
        output.say(f"{output.cell(each.name)}  {before} -> {after}")
    if preview.eligible > len(preview.dates):
        output.say(f"and {preview.eligible - len(preview.dates):,} more")
    for code, count in preview.skipped_counts.items():
        output.say(f"left as they are: {count:,}  ({SENTENCES[code]})")
    output.say(f"{preview.eligible:,} of {preview.total:,} would change (dry run)")


def _tell(session: Session, operations: Operations, done: Operation) -> None:
    if session.as_json:
        output.emit({"operation": done})
        return
    counted = {outcome.value: count for outcome, count in done.totals.items()}
    if done.state in FINAL_OPERATION_STATES:
        output.say(f"{done.key}  {output.counts(counted)}")
        for result in operations.results(done.key).results:
            if result.sentence:
                output.say(f"{result.outcome}  {result.target_name}  ({result.sentence})")
    else:
        output.say(f"{done.key}  a worker changes {done.total:,}")
    if done.undoable:
        output.say(f"to take it back: lading photos dates undo {done.key}")


def _clock(at: datetime | None, offset_min: int | None) -> str:
    """On the clock of where it was; with its offset where that is known."""
    if at is None:
        return "undated"
    local = at.replace(tzinfo=None) + timedelta(minutes=offset_min or 0)
    said = local.isoformat(sep=" ", timespec="seconds")
    if offset_min is None:
        return said
    hours, minutes = divmod(abs(offset_min), 60)
    return f"{said}{'-' if offset_min < 0 else '+'}{hours:02}:{minutes:02}"
