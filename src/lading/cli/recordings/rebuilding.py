"""`lading recordings rebuild`, `compare` and `flip`: another catalog from the same bytes (E10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from lading.base.progress import Progress
from lading.base.units import format_count
from lading.catalog.catalog import Catalog
from lading.catalog.comparing import CatalogDifference, Found
from lading.catalog.pointer import Pointer
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.recordings.opening import DRY_RUN, WRITES_CATALOG, open_data, stopping
from lading.cli.recordings.telling import tell_failures
from lading.cli.session import Session, with_session
from lading.data_interface import DataInterface
from lading.sources.recordings.flipping import (
    Comparison,
    ComparisonNotAccepted,
    Flipped,
    NothingToFlipBack,
    compare,
    flip,
    flip_back,
)
from lading.sources.recordings.rebuilding import RebuildProgress, Rebuilt, rebuild

PREFIX: Final = click.option(
    "--prefix", required=True, metavar="PREFIX", help="Where the rebuilt catalog is."
)
_SHOWN_MAX: Final = 50
_FOUND: Final = {
    Found.ONLY_HERE: "only live",
    Found.ONLY_THERE: "only rebuilt",
    Found.DIFFERS: "differs",
}


@click.command("rebuild")
@PREFIX
@click.option("--uncollapsed", is_flag=True, help="Name modalities by the whole folder names.")
@DRY_RUN
@with_session
def rebuild_command(session: Session, prefix: str, *, uncollapsed: bool, dry_run: bool) -> int:
    """Build the catalog anew under another prefix, from what is stored.

    The live catalog is not touched, nor are the stored files. Run again, it goes on. Then compare,
    and flip. Ends with status 1 when a recording could not be rebuilt.
    """
    data = open_data(WRITES_CATALOG, dry_run=dry_run)
    if dry_run:
        found = sum(1 for _ in data.repository.recording_ids())
        if session.as_json:
            output.emit({"prefix": prefix, "recordings": found, "dry_run": True})
        else:
            stored = format_count(found, "stored recording")
            output.say(f"{stored} would be read, and written under {output.cell(prefix)}")
        return 0
    with stopping() as stop, progress.shown("Rebuilding", quiet=session.as_json) as shown:

        def heard(said: RebuildProgress) -> None:
            if shown is not None:
                shown(
                    Progress(
                        items_done=said.recordings_done - said.recordings_failed,
                        items_failed=said.recordings_failed,
                        current=said.current,
                    )
                )

        done = rebuild(
            data.repository,
            prefix=prefix,
            pointer=data.profile.pointer,
            collapse_modalities=not uncollapsed,
            progress=heard,
            stop=stop,
        )
    _tell_rebuilt(session, done)
    return NEEDS_A_PERSON if done.failed else 0


@click.command("compare")
@PREFIX
@with_session
def compare_command(session: Session, prefix: str) -> int:
    """Say what differs between the live catalog and one that was rebuilt.

    Ends with status 1 when they differ; `flip --accept` takes the word that is told then.
    """
    data = open_data()
    found = _compared(data, prefix, session)
    if session.as_json:
        output.emit(_document(found))
    else:
        _tell_comparison(found)
    return 0 if found.clean else NEEDS_A_PERSON


@click.command("flip")
@click.option("--prefix", metavar="PREFIX", help="Make the rebuilt catalog there live.")
@click.option("--back", is_flag=True, help="Make the catalog live that was so before.")
@click.option(
    "--accept", metavar="WORD", help="The word of `compare`, for differences that you have read."
)
@DRY_RUN
@with_session
def flip_command(
    session: Session, *, prefix: str | None, back: bool, accept: str | None, dry_run: bool
) -> int:
    """Make another catalog live, by replacing the pointer.

    Both catalogs are compared again first. Where they differ, nothing is done, unless the word of
    these very differences is given.
    """
    if back == (prefix is not None) or (back and accept is not None):
        raise click.UsageError("give --prefix, with --accept if need be, or --back")
    data = open_data(WRITES_CATALOG, dry_run=dry_run)
    location, pointer = data.catalog.location, data.profile.pointer
    if prefix is None:
        if dry_run:
            previous = Pointer(location, pointer).read().previous
            if previous is None:
                raise NothingToFlipBack("The pointer names no catalog before this one")
            return _tell_flip(session, data, previous, None)
        flipped = flip_back(location, pointer=pointer)
        return _tell_flip(session, data, flipped.pointed.prefix, flipped)
    found = _compared(data, prefix, session)
    if not found.clean and accept != found.accept_word and not session.as_json:
        _tell_comparison(found)
    if dry_run:
        if not found.clean and accept != found.accept_word:
            raise ComparisonNotAccepted(
                "The rebuilt catalog differs from the live one",
                subject=prefix,
                expected=f"{found.total} differences, accepted as {found.accept_word}",
                found=accept or "not accepted",
            )
        return _tell_flip(session, data, prefix, None)
    flipped = flip(location, found, accept=accept, pointer=pointer)
    return _tell_flip(session, data, prefix, flipped)


def _compared(data: DataInterface, prefix: str, session: Session) -> Comparison:
    with progress.counted("Comparing", quiet=session.as_json):
        return compare(data.catalog, Catalog(data.catalog.location, prefix))


def _tell_flip(session: Session, data: DataInterface, prefix: str, flipped: Flipped | None) -> int:
    """Say what is live now; None for a dry run."""
    before = data.catalog.prefix if flipped is None else flipped.pointed.previous
    behind = flipped is not None and flipped.written_meanwhile
    if session.as_json:
        output.emit(
            {
                "live": prefix,
                "before": before,
                "written_meanwhile": behind,
                "dry_run": flipped is None,
            }
        )
    else:
        would = "would be" if flipped is None else "is"
        output.say(f"{output.cell(prefix)} {would} live; before: {output.cell(before)}")
    if behind:
        output.note(
            "Somebody registered in the former catalog meanwhile: rebuild once more to take it in."
        )
    return NEEDS_A_PERSON if behind else 0


def _document(found: Comparison) -> dict[str, Any]:
    return {
        "live_prefix": found.live_prefix,
        "rebuilt_prefix": found.rebuilt_prefix,
        "clean": found.clean,
        "differences_total": found.total,
        "counts": [
            {"table": table, "found": where.value, "rows": count}
            for (table, where), count in sorted(found.counts.items())
        ],
        "differences": output.plain(found.differences),
        "participants_only_live": list(found.participants_only_live),
        "accept_word": None if found.clean else found.accept_word,
    }


def _tell_comparison(found: Comparison) -> None:
    names = f"{output.cell(found.live_prefix)} (live) and {output.cell(found.rebuilt_prefix)}"
    if found.clean:
        output.say(f"{names} are alike")
        return
    output.say(f"{names} differ in {format_count(found.total, 'row')}:")
    rows = ((table, _FOUND[where], count) for (table, where), count in sorted(found.counts.items()))
    output.table(("table", "found", "rows"), rows)
    output.say()
    _tell_differences(found.differences)
    if found.total > _SHOWN_MAX:
        output.say(f"and {found.total - _SHOWN_MAX:,} more; --json has up to 1,000")
    output.say(f"To accept exactly these: flip --accept {found.accept_word}")


def _tell_differences(differences: Sequence[CatalogDifference]) -> None:
    for each in differences[:_SHOWN_MAX]:
        key = " ".join(output.cell(part) for part in each.key if part)
        output.say(f"{each.table} {key}: {_FOUND[each.found]}")
        for column in each.columns:
            output.say(
                f"  {column.column}: live {output.cell(column.held)},"
                f" rebuilt {output.cell(column.proposed)}"
            )


def _tell_rebuilt(session: Session, done: Rebuilt) -> None:
    if session.as_json:
        document = {**output.plain(done), "dry_run": False}
        document["failures"] = [failure.as_dict() for failure in done.failures]
        output.emit(document)
        return
    counts = {"written": done.written, "unchanged": done.unchanged, "failed": done.failed}
    found = format_count(done.recordings, "recording")
    output.say(f"{output.cell(done.prefix)}: {found}: {output.counts(counts)}")
    if done.caught_up:
        again = format_count(done.caught_up, "recording")
        output.say(f"{again} read again, as somebody registered meanwhile")
    tell_failures(done.failures)
