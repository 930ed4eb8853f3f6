"""`lading recordings participants`: who was recorded, named after the fact or otherwise."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from lading.base.errors import RequestError, printable
from lading.cli import output
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.recordings.opening import DRY_RUN, WRITES_BOTH, WRITES_CATALOG, open_data, stopping
from lading.cli.recordings.telling import counted, emit_outcomes, parted, tell_failures
from lading.cli.session import Session, with_session
from lading.sources.recordings.participants import (
    Backfilled,
    BackfillOutcome,
    ParticipantMissing,
    backfill_participants,
    participants_counted,
    rename_participant,
)

COLUMNS: Final = ("recording", "participant")


class ParticipantsFileInvalid(RequestError):
    """A table that names who was recorded cannot be understood."""

    code = "participants_file_invalid"
    next_step = (
        "Write it as CSV in UTF-8, with the heading `recording,participant` and one line for each"
        " recording, by its identifier or hash."
    )


@click.group("participants")
def participants_group() -> None:
    """Say who was recorded."""


@participants_group.command("list")
@with_session
def list_command(session: Session) -> None:
    """List participants, and in how many recordings each is named."""
    found = list(participants_counted(open_data().catalog))
    if session.as_json:
        output.emit({"participants": output.plain(found)})
        return
    output.table(
        ("participant", "name", "recordings"),
        ((e.participant.participant_id, e.participant.display_name, e.recordings) for e in found),
    )


@participants_group.command("backfill")
@click.option(
    "--from",
    "table",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A table (CSV) with the columns recording and participant.",
)
@click.option("--also-known", is_flag=True, help="Store participant.txt where it is missing.")
@click.option("--overwrite", is_flag=True, help="Replace who was named, where the table says so.")
@DRY_RUN
@with_session
def backfill_command(
    session: Session, *, table: Path | None, also_known: bool, overwrite: bool, dry_run: bool
) -> int:
    """Name who was recorded, where the catalog does not know.

    By the table that is given, else by the stored participant.txt. The name is stored beside the
    recording too, so that a rebuild finds it. Ends with status 1 when a recording failed.
    """
    names = None if table is None else read_names(table)
    data = open_data(WRITES_BOTH, dry_run=dry_run)
    with stopping() as stop:
        results = list(
            backfill_participants(
                data.repository,
                names=names,
                also_known=also_known,
                overwrite=overwrite,
                dry_run=dry_run,
                stop=stop,
            )
        )
    done, failures = parted(results)
    if session.as_json:
        emit_outcomes(done, failures, dry_run=dry_run)
    else:
        _tell(done, dry_run=dry_run)
        tell_failures(failures)
    return NEEDS_A_PERSON if failures else 0


@participants_group.command("rename")
@click.argument("participant_id", metavar="PARTICIPANT")
@click.argument("display_name", metavar="NAME")
@DRY_RUN
@with_session
def rename_command(
    session: Session, participant_id: str, display_name: str, *, dry_run: bool
) -> None:
    """Give a participant another display name; the identifier stays."""
    catalog = open_data(WRITES_CATALOG, dry_run=dry_run).catalog
    held = next(catalog.list_participants({"participant_id": participant_id}, limit=1), None)
    if held is None:
        raise ParticipantMissing(
            "No recording names such a participant", subject=printable(participant_id)
        )
    row = held if dry_run else rename_participant(catalog, participant_id, display_name)
    if session.as_json:
        facts = {"participant": output.plain(row), "before": held.display_name}
        output.emit({**facts, "name": display_name, "dry_run": dry_run})
        return
    would = "would be" if dry_run else "is"
    output.say(
        f"{output.cell(participant_id)} {would} named {output.cell(display_name)};"
        f" before: {output.cell(held.display_name)}"
    )


def read_names(path: Path) -> Mapping[str, str]:
    """The names of a table, by recording. Raises `ParticipantsFileInvalid`."""
    names: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            heading = tuple(cell.strip().lower() for cell in next(rows, ()))
            if heading != COLUMNS:
                raise ParticipantsFileInvalid(
                    "The table has another heading",
                    subject=str(path),
                    expected=",".join(COLUMNS),
                    found=printable(",".join(heading)),
                )
            for row in rows:
                if any(row):
                    _add(names, [cell.strip() for cell in row], f"{path}:{rows.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParticipantsFileInvalid(
            f"The table cannot be read: {error}", subject=str(path)
        ) from error
    return names


def _add(names: dict[str, str], row: Sequence[str], at: str) -> None:
    if len(row) != len(COLUMNS) or not all(row):
        raise ParticipantsFileInvalid(
            "A line does not name one recording and one participant",
            subject=at,
            found=printable(",".join(row)),
        )
    recording, name = row
    if names.setdefault(recording, name) != name:
        raise ParticipantsFileInvalid(
            "A recording is named twice, with different participants",
            subject=at,
            expected=printable(names[recording]),
            found=printable(name),
        )


def _tell(done: Sequence[Backfilled], *, dry_run: bool) -> None:
    changed = [each for each in done if each.outcome is not BackfillOutcome.UNCHANGED]
    if changed:
        output.table(
            ("recording", "outcome", "before", "now"),
            (
                (
                    each.recording_id or each.recording_hash,
                    each.outcome,
                    ", ".join(each.before),
                    ", ".join(each.now),
                )
                for each in changed
            ),
        )
        output.say()
    would = " (nothing was written)" if dry_run else ""
    output.say(f"{counted(each.outcome for each in done)}{would}")
