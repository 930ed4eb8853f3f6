"""`lading recordings ingest`: uploads and registers what lies in folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.base.units import format_count
from lading.catalog.values import Policy
from lading.cli import output, progress
from lading.cli.failures import INTERRUPTED, NEEDS_A_PERSON
from lading.cli.recordings.opening import (
    DRY_RUN,
    FILES_AT_ONCE,
    repository_to_fill,
    stopping,
)
from lading.cli.recordings.telling import tell_failures
from lading.cli.session import Session, with_session
from lading.sources.recordings.activity import Rig
from lading.sources.recordings.backlog import (
    BacklogEntry,
    BacklogOutcome,
    BacklogSummary,
    ingest_backlog,
)
from lading.sources.recordings.finding import Unreadable, recording_folders
from lading.sources.recordings.values import UploadProgress

FOLDERS: Final = click.argument(
    "folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path)
)
UNCOLLAPSED: Final = click.option(
    "--uncollapsed", is_flag=True, help="Name modalities by the whole names of worker folders."
)
ON_CONFLICT: Final = click.option(
    "--on-conflict",
    type=click.Choice([policy.value for policy in Policy]),
    default=Policy.ERROR.value,
    show_default=True,
    help="What becomes of a registered row that differs.",
)


@click.command("ingest")
@FOLDERS
@click.option("--participant", metavar="NAME", help="Who it is, whatever participant.txt says.")
@click.option("--augment", is_flag=True, help="Complete manifests that lack hashes, in the folder.")
@click.option("--overwrite", is_flag=True, help="Send every file again; replace rows that differ.")
@UNCOLLAPSED
@FILES_AT_ONCE
@ON_CONFLICT
@click.option(
    "--while-absent",
    "marker",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Pause, in mid-file if need be, as soon as there is such a file.",
)
@DRY_RUN
@with_session
def ingest_command(
    session: Session,
    *,
    folders: Sequence[Path],
    participant: str | None,
    augment: bool,
    overwrite: bool,
    uncollapsed: bool,
    files_at_once: int,
    on_conflict: str,
    marker: Path | None,
    dry_run: bool,
) -> int:
    """Upload and register recordings from folders; what is there already is skipped.

    FOLDER is a recording's, or one below which recordings are (rec_*). Each recording is on its
    own: failures are told at the end. Run again, it goes on where it was cut off. Ends with status
    1 when a recording failed or the marker paused it, and with 130 after Ctrl-C, which pauses too.
    """
    label = "Looking at recordings" if dry_run else "Taking recordings in"
    with (
        repository_to_fill(dry_run=dry_run) as repository,
        stopping() as stop,
        progress.shown(label, quiet=session.as_json) as shown,
    ):
        meter = _Meter(shown)
        entries = meter.followed(
            ingest_backlog(
                repository,
                folders,
                is_active=_activity(stop, Rig("rig", marker)),
                progress=meter.heard,
                augment=augment,
                overwrite=overwrite,
                participants=_named(folders, participant),
                dry_run=dry_run,
                max_concurrent_files=files_at_once,
                collapse_modalities=not uncollapsed,
                on_conflict=Policy(on_conflict),
            )
        )
        done = _Done.of(entries, dry_run=dry_run)
    if session.as_json:
        output.emit(done.document())
    else:
        done.tell()
    if done.paused:
        output.note("Paused. Run it again: it goes on where it was.")
        return INTERRUPTED if stop.is_set() else NEEDS_A_PERSON
    return NEEDS_A_PERSON if done.summary.failures else 0


@dataclass(frozen=True, slots=True)
class _Done:
    """What an ingest came to; `entries` leave out what was registered before."""

    entries: Sequence[BacklogEntry]
    summary: BacklogSummary
    dry_run: bool

    @classmethod
    def of(cls, entries: Iterator[BacklogEntry], *, dry_run: bool) -> _Done:
        summary, told = BacklogSummary(), []
        for entry in entries:
            summary.add(entry)
            if entry.outcome is not BacklogOutcome.REGISTERED:
                told.append(entry)
        return cls(told, summary, dry_run)

    @property
    def paused(self) -> bool:
        return BacklogOutcome.PAUSED in self.summary.outcomes

    def document(self) -> dict[str, Any]:
        return {
            "outcomes": output.plain(self.summary.outcomes),
            "files_uploaded": self.summary.files_uploaded,
            "files_skipped": self.summary.files_skipped,
            "bytes_uploaded": self.summary.bytes_uploaded,
            "recordings": [
                {
                    "folder": str(entry.folder),
                    "outcome": entry.outcome.value,
                    "recording_hash": entry.recording_hash,
                    "files_uploaded": entry.files_uploaded,
                    "files_skipped": entry.files_skipped,
                    "bytes_uploaded": entry.bytes_uploaded,
                }
                for entry in self.entries
            ],
            "failures": [failure.as_dict() for failure in self.summary.failures],
            "paused": self.paused,
            "dry_run": self.dry_run,
        }

    def tell(self) -> None:
        if self.entries:
            rows = (
                (
                    entry.folder.name,
                    entry.outcome,
                    entry.files_uploaded,
                    entry.files_skipped,
                    output.size(entry.bytes_uploaded),
                )
                for entry in self.entries
            )
            output.table(("recording", "outcome", "sent", "skipped", "bytes"), rows)
            output.say()
        found = sum(self.summary.outcomes.values())
        counts = output.counts(self.summary.outcomes)
        output.say(f"{format_count(found, 'recording')}: {counts}")
        tell_failures(self.summary.failures)


class _Meter:
    """The progress of many uploads as one; each counts from its own start."""

    def __init__(self, shown: Callable[[Progress], None] | None) -> None:
        self._shown = shown
        self._before = self._last = (0, 0, 0)

    @property
    def heard(self) -> Callable[[UploadProgress], None] | None:
        """What an upload shall tell; nothing when nobody is looking."""
        return self._hear if self._shown else None

    def followed(self, entries: Iterator[BacklogEntry]) -> Iterator[BacklogEntry]:
        """The entries; the figures of one are added before the next begins."""
        for entry in entries:
            files, sent, skipped = (a + b for a, b in zip(self._before, self._last, strict=True))
            self._before, self._last = (files, sent, skipped), (0, 0, 0)
            yield entry

    def _hear(self, said: UploadProgress) -> None:
        skipped = said.bytes_processed - said.bytes_uploaded
        self._last = (said.files_done, said.bytes_uploaded, skipped)
        files, sent, skipped = (a + b for a, b in zip(self._before, self._last, strict=True))
        if self._shown is not None:
            self._shown(
                Progress(
                    items_done=files,
                    bytes_moved=sent,
                    bytes_skipped=skipped,
                    current=said.current_file,
                )
            )


def _activity(stop: StopSignal, rig: Rig) -> Callable[[], bool]:
    return lambda: stop.is_set() or rig.is_active()


def _named(folders: Sequence[Path], participant: str | None) -> Mapping[str, str] | None:
    """The same participant for each recording below the folders."""
    if participant is None:
        return None
    found = (each for folder in folders for each in recording_folders(folder))
    return {each.name: participant for each in found if not isinstance(each, Unreadable)}
