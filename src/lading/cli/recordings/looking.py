"""`lading recordings list`, `show` and `query`: what the catalog has."""

from __future__ import annotations

import click

from lading.base.units import format_count, format_duration
from lading.catalog.rules import modality_keys
from lading.cli import output
from lading.cli.recordings.naming import find_recording, identifier_of
from lading.cli.recordings.opening import open_data
from lading.cli.recordings.selecting import Selection, selection_options
from lading.cli.recordings.telling import (
    COLUMNS,
    modality_table,
    recording_document,
    result_document,
    row_of,
)
from lading.cli.session import Session, with_session


@click.command("list")
@click.option("--text", help="Only where hash, identifier or participant has this text.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="At most so many recordings.",
)
@click.option("--cursor", metavar="TEXT", help="Go on after the list that gave this.")
@click.option("--oldest-first", is_flag=True, help="In the order in which they were recorded.")
@with_session
def list_command(
    session: Session, text: str | None, limit: int, cursor: str | None, oldest_first: bool
) -> None:
    """List registered recordings, the newest first."""
    catalog = open_data().catalog
    page = catalog.page(text=text, limit=limit, after=cursor, newest_first=not oldest_first)
    if session.as_json:
        rows = [recording_document(row) for row in page.rows]
        output.emit({"recordings": rows, "next_cursor": page.next})
        return
    output.table(COLUMNS, map(row_of, page.rows))
    if page.next:
        output.note(f"More: add --cursor {page.next}")


@click.command("show")
@click.argument("name", metavar="RECORDING")
@with_session
def show_command(session: Session, name: str) -> None:
    """Show one recording: its facts, participants and modalities."""
    catalog = open_data().catalog
    row = find_recording(catalog, name)
    modalities = modality_keys(catalog.modalities_of([row.recording_hash])[row.recording_hash])
    participants = catalog.participants_of([row.recording_hash])[row.recording_hash]
    if session.as_json:
        output.emit(
            {
                **recording_document(row),
                "modalities": {key: output.plain(each) for key, each in modalities.items()},
                "participants": output.plain(participants),
            }
        )
        return
    shown = {each.participant_id: each.display_name for each in participants}
    output.facts(
        [
            ("recording", identifier_of(row)),
            ("hash", row.recording_hash),
            ("started", row.started_at),
            ("ended", row.ended_at),
            ("length", None if row.duration_s is None else format_duration(row.duration_s)),
            ("participants", _people(row.participant_ids, shown)),
            ("status", row.status),
            ("registered", row.created_at),
            ("changed", row.updated_at),
        ]
    )
    output.say()
    modality_table(modalities)


@click.command("query")
@selection_options
@with_session
def query_command(session: Session, *, selection: Selection) -> None:
    """Find recordings with their modalities, as `download` takes them.

    RECORDING is a hash, at least six digits that it begins with, or an identifier.
    """
    results = list(selection.results(open_data().catalog))
    if session.as_json:
        output.emit({"recordings": [result_document(each) for each in results]})
        return
    rows = ((*row_of(each.recording), ", ".join(each.modalities)) for each in results)
    output.table((*COLUMNS, "modalities"), rows)
    files = sum(row.files_count for each in results for row in each.modalities.values())
    size_bytes = sum(row.size_bytes for each in results for row in each.modalities.values())
    output.say()
    output.say(
        f"{format_count(len(results), 'recording')}, {format_count(files, 'file')},"
        f" {output.size(size_bytes)}"
    )


def _people(participant_ids: tuple[str, ...], shown: dict[str, str]) -> str:
    named = ((each, shown.get(each, "")) for each in participant_ids)
    return ", ".join(f"{i} ({name})" if name not in ("", i) else i for i, name in named)
