"""`lading recordings augment` and `reconstruct`: manifests made from files, local or stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from lading.base.errors import LadingError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.base.units import format_count
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.recordings.opening import DRY_RUN, FILES_AT_ONCE, WRITES_RAW, open_data, stopping
from lading.cli.recordings.taking_in import FOLDERS
from lading.cli.recordings.telling import counted, emit_outcomes, parted, tell_failures
from lading.cli.session import Session, with_session
from lading.sources.recordings.errors import ManifestMissing
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.finding import Unreadable, recording_folders
from lading.sources.recordings.layout import MANIFEST
from lading.sources.recordings.local import augment_manifest, read_manifest
from lading.sources.recordings.reconstructing import (
    Reconstructed,
    ReconstructProgress,
    reconstruct_all,
)
from lading.storage.roots import source_fault

AUGMENTED = "augmented"
COMPLETE = "complete"
WANTED = "wanted"


@click.command("augment")
@FOLDERS
@click.option("--force", is_flag=True, help="Hash the files anew where a manifest is complete.")
@DRY_RUN
@with_session
def augment_command(
    session: Session, folders: Sequence[Path], *, force: bool, dry_run: bool
) -> int:
    """Add the hashes of all files to the manifests of recordings in folders.

    FOLDER is a recording's, or one below which recordings are. Every file is read once; a manifest
    that has its hashes is left as it is. Needs no store. Ends with status 1 when one failed.
    """
    done: list[tuple[Path, str, str | None]] = []
    failures: list[Failure] = []
    with stopping() as stop, progress.shown("Hashing", quiet=session.as_json) as shown:
        files = 0

        def heard(path: str) -> None:
            nonlocal files
            files += 1
            if shown is not None:
                shown(Progress(items_done=files, current=path))

        for found in (each for folder in folders for each in recording_folders(folder)):
            stop.check()
            if isinstance(found, Unreadable):
                failures.append(Failure(str(found.folder), found.error))
                continue
            try:
                become = _augmented(found, heard, stop, force=force, dry_run=dry_run)
                done.append((found, *become))
            except LadingError as error:
                failures.append(Failure(str(found), error))
            except OSError as error:
                failures.append(Failure(str(found), source_fault(error, str(found))))
    if session.as_json:
        keys = ("folder", "outcome", "recording_hash")
        output.emit(
            {
                "recordings": [
                    dict(zip(keys, (str(folder), *rest), strict=True)) for folder, *rest in done
                ],
                "failures": [failure.as_dict() for failure in failures],
                "dry_run": dry_run,
            }
        )
    else:
        rows = ((folder.name, outcome, digest) for folder, outcome, digest in done)
        output.table(("recording", "outcome", "hash"), rows)
        tell_failures(failures)
    return NEEDS_A_PERSON if failures else 0


@click.command("reconstruct")
@click.argument("rec_ids", nargs=-1, metavar="[REC_ID]...")
@click.option("--all", "of_all", is_flag=True, help="Every stored recording without a manifest.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@click.option(
    "--force", is_flag=True, help="Also where there is a manifest, or where it lists what is lost."
)
@FILES_AT_ONCE
@DRY_RUN
@with_session
def reconstruct_command(
    session: Session,
    *,
    rec_ids: Sequence[str],
    of_all: bool,
    yes: bool,
    force: bool,
    files_at_once: int,
    dry_run: bool,
) -> int:
    """Make the manifests of stored recordings by reading all their files.

    Costs one read of every byte; --dry-run says how many. A recording with a valid manifest is left
    as it is. Run again, it goes on with the recording in hand. Then they can be registered. Ends
    with status 1 when one failed, or stored bytes are not what they were.
    """
    if bool(rec_ids) == of_all:
        raise click.UsageError("name recordings by REC_ID, or give --all")
    if not dry_run and not yes:
        _ask(session, "all recordings" if of_all else format_count(len(rec_ids), "recording"))
    data = open_data(WRITES_RAW, dry_run=dry_run)
    with stopping() as stop, progress.shown("Reconstructing", quiet=session.as_json) as shown:

        def heard(said: ReconstructProgress) -> None:
            if shown is not None:
                current = f"{said.recording_id}/{said.current_file}"
                shown(Progress(bytes_moved=said.bytes_done, current=current))

        results = list(
            reconstruct_all(
                data.repository,
                recording_ids=None if of_all else rec_ids,
                force=force,
                dry_run=dry_run,
                progress=heard,
                stop=stop,
                max_concurrent_files=files_at_once,
            )
        )
    done, failures = parted(results)
    if session.as_json:
        emit_outcomes(done, failures, dry_run=dry_run)
    else:
        _tell(done)
        tell_failures(failures)
    return NEEDS_A_PERSON if failures or any(each.damaged for each in done) else 0


def _augmented(
    folder: Path, heard: Callable[[str], None], stop: StopSignal, *, force: bool, dry_run: bool
) -> tuple[str, str | None]:
    """What became of one manifest, and the recording's hash."""
    try:
        held = read_manifest(folder / MANIFEST, folder).manifest
    except ManifestMissing:
        held = None
    if held is not None and held.complete and not force:
        return COMPLETE, held.recording_hash
    if dry_run:
        return WANTED, None
    made = augment_manifest(folder / MANIFEST, progress=heard, force=force, stop=stop)
    return AUGMENTED, made.recording_hash


def _ask(session: Session, what: str) -> None:
    if session.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("say --yes: this reads every byte of recordings without a manifest")
    question = f"Read and hash every file of {what}, where there is no valid manifest?"
    click.confirm(question, abort=True, err=True)


def _tell(done: Sequence[Reconstructed]) -> None:
    output.table(
        ("recording", "outcome", "items", "bytes", "participant", "hash"),
        (
            (
                each.recording_id,
                each.outcome,
                each.files,
                output.size(each.size_bytes),
                each.participant,
                each.recording_hash,
            )
            for each in done
        ),
    )
    output.say()
    output.say(f"{format_count(len(done), 'recording')}: {counted(e.outcome for e in done)}")
    for line in _remarks(done):
        output.say(line)


def _remarks(done: Sequence[Reconstructed]) -> Iterator[str]:
    for each in done:
        name = output.cell(each.recording_id)
        if each.unlisted:
            yield f"{name}: {format_count(each.unlisted, 'stored file')} not in the manifest"
        if each.stated_hash:
            yield f"{name}: the manifest before stated the hash {each.stated_hash}"
        for damage in each.damaged:
            yield (
                f"{name}: DAMAGED {output.cell(damage.name)}: {damage.stated_by} states sha256"
                f" {damage.expected}, the bytes have {damage.found}"
            )
