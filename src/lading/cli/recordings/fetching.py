"""`lading recordings download` and `verify`: bytes brought here, or compared where they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import click

from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.base.units import format_count
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.recordings.opening import DRY_RUN, open_data, stopping
from lading.cli.recordings.selecting import Selection, selection_options
from lading.cli.session import Session, with_session
from lading.data_interface import DataInterface, DownloadProgress, QueryResult
from lading.sources.recordings.download_plan import plan_download
from lading.sources.recordings.downloading import download
from lading.sources.recordings.errors import DownloadIncomplete
from lading.sources.recordings.values import CheckedBy, FileCheck
from lading.sources.recordings.verifying import VerifyProgress, verify

ALL: Final = click.option("--all", "of_all", is_flag=True, help="Every recording.")
FILES_AT_ONCE: Final = click.option(
    "--files-at-once",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many files are read side by side.",
)
_SHOWN_MAX: Final = 100


@click.command("download")
@selection_options
@ALL
@click.option(
    "--to",
    "dest",
    required=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the recordings' folders shall be.",
)
@click.option("--overwrite", is_flag=True, help="Replace files there that have other content.")
@FILES_AT_ONCE
@DRY_RUN
@with_session
def download_command(
    session: Session,
    *,
    selection: Selection,
    of_all: bool,
    dest: Path,
    overwrite: bool,
    files_at_once: int,
    dry_run: bool,
) -> None:
    """Bring the files of recordings to a folder, each verified by its sha256.

    They go to FOLDER/<recording>/. What is there already is kept; what was cut off goes on. A file
    of other content is left alone, unless --overwrite.
    """
    data = open_data()
    results = _selected(data, selection, of_all=of_all)
    with stopping() as stop, progress.shown("Downloading", quiet=session.as_json) as shown:

        def heard(said: DownloadProgress) -> None:
            if shown is not None:
                shown(_progress_of(said))

        if dry_run:
            _tell_plan(session, data, results, stop, files_at_once)
            return
        try:
            done = download(
                data.repository,
                results,
                dest,
                progress=heard,
                stop=stop,
                max_concurrent_files=files_at_once,
                overwrite=overwrite,
            )
        except DownloadIncomplete as error:
            for failure in islice(error.failures, _SHOWN_MAX):
                output.note(output.cell(str(failure)))
            raise
    if session.as_json:
        output.emit({**output.plain(done), "folders": list(map(str, done.folders))})
        return
    for folder in done.folders:
        output.say(output.cell(str(folder)))
    output.say(
        f"{format_count(done.files_downloaded, 'file')} downloaded"
        f" ({output.size(done.bytes_transferred)}), {done.files_kept:,} there already"
    )


@click.command("verify")
@selection_options
@ALL
@click.option(
    "--level",
    type=click.Choice([each.value for each in CheckedBy]),
    default=CheckedBy.SIZE.value,
    show_default=True,
    help="Compare sizes by one listing for each recording, or read and hash every file.",
)
@FILES_AT_ONCE
@with_session
def verify_command(
    session: Session, *, selection: Selection, of_all: bool, level: str, files_at_once: int
) -> int:
    """Compare stored files with what the manifests say of them; brings nothing here.

    Ends with status 1 when a file is missing or is not what it shall be.
    """
    data = open_data()
    results = _selected(data, selection, of_all=of_all)
    bytes_read = 0
    with stopping() as stop, progress.shown("Verifying", quiet=session.as_json) as shown:

        def heard(said: VerifyProgress) -> None:
            nonlocal bytes_read
            bytes_read = said.bytes_read
            if shown is not None:
                shown(
                    Progress(
                        items_done=said.files_done - said.files_failed,
                        items_failed=said.files_failed,
                        bytes_moved=said.bytes_read,
                        current=said.current_file,
                    )
                )

        files, problems = 0, []
        for check in verify(
            data.repository,
            results,
            full=level == CheckedBy.SHA256,
            progress=heard,
            stop=stop,
            max_concurrent_files=files_at_once,
        ):
            files += 1
            if not check.ok:
                problems.append(check)
    if session.as_json:
        output.emit(
            {
                "level": level,
                "recordings": len(results),
                "files": files,
                "bytes_read": bytes_read,
                "problems": output.plain(problems),
            }
        )
    else:
        read = f", {output.size(bytes_read)} read" if bytes_read else ""
        verdict = format_count(len(problems), "PROBLEM") if problems else "all is well"
        what = f"{format_count(len(results), 'recording')}, {format_count(files, 'file')}"
        output.say(f"{what} compared by {level}{read}: {verdict}")
        for check in problems:
            output.say(_line_of(check))
    return NEEDS_A_PERSON if problems else 0


def _selected(data: DataInterface, selection: Selection, *, of_all: bool) -> list[QueryResult]:
    if selection.is_of_all != of_all:
        raise click.UsageError("say which recordings by RECORDING or an option, or give --all")
    return list(selection.results(data.catalog))


def _tell_plan(
    session: Session,
    data: DataInterface,
    results: Sequence[QueryResult],
    stop: StopSignal,
    files_at_once: int,
) -> None:
    plan = plan_download(
        data.repository,
        results,
        stop=stop,
        tells_case_apart=lambda: True,
        max_concurrent_files=files_at_once,
    )
    if session.as_json:
        output.emit(
            {
                "folders": list(plan.folders),
                "files": plan.files_total,
                "bytes": plan.bytes_total,
                "refused": [error.as_dict() for error in plan.refused],
                "dry_run": True,
            }
        )
        return
    for folder in plan.folders:
        output.say(output.cell(folder))
    files = format_count(plan.files_total, "file")
    output.say(f"{files} ({output.size(plan.bytes_total)}) would be brought, or kept")
    for error in plan.refused:
        output.say(f"  refused: {output.cell(str(error))}")


def _progress_of(said: DownloadProgress) -> Progress:
    return Progress(
        items_done=said.files_done,
        items_total=said.files_total or None,
        bytes_moved=said.bytes_transferred,
        bytes_skipped=max(0, said.bytes_processed - said.bytes_transferred),
        bytes_total=said.bytes_total or None,
        current=said.current_file or "",
    )


def _line_of(check: FileCheck) -> str:
    name = f"{check.recording_hash[:12]} {check.modality}: {output.cell(check.name)}"
    if check.found is None:
        return f"  {name}: MISSING"
    return f"  {name}: expected {output.cell(check.expected)}, found {check.found}"
