"""Which profile a command works on, and the endings that its commands share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from lading.base.errors import InternalError
from lading.base.stopping import Interrupted, StopSignal
from lading.cli import output
from lading.cli.failures import INTERRUPTED
from lading.data_interface import DataInterface
from lading.jobs.signals import install_signal_handlers
from lading.sources.recordings.profiles import ASSETS_RW, RAW_RW, Place
from lading.sources.recordings.repository import Repository

WRITES_CATALOG: Final = (ASSETS_RW,)
WRITES_RAW: Final = (RAW_RW,)
WRITES_BOTH: Final = (ASSETS_RW, RAW_RW)
DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
FILES_AT_ONCE: Final = click.option(
    "--files-at-once",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="How many files are moved or read side by side.",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile that was named, and the file that has it."""

    profile: str
    config_path: Path | None


def open_data(roles: tuple[str, ...] = (), *, dry_run: bool = False) -> DataInterface:
    """The interface of the profile that was chosen; a dry run may only read.

    What is used of it raises `ProfileEmpty` where its folder is not there.
    """
    data = chosen_data()
    if roles and not dry_run:
        data.enable_writes(roles)
    return data


@contextmanager
def repository_to_fill(*, dry_run: bool) -> Iterator[Repository]:
    """Where recordings go to; made when it is this user's own folder and not there.

    A dry run makes nothing there: it is then held against an empty repository of its own.
    """
    data = chosen_data()
    folder = data.profile.raw.folder
    if not dry_run or not data.profile.made_on_use or folder is None or folder.is_dir():
        yield open_data(WRITES_BOTH, dry_run=dry_run).repository
        return
    with tempfile.TemporaryDirectory(prefix="lading-") as empty:
        assets, raw = Place(folder=Path(empty, "assets")), Place(folder=Path(empty, "raw"))
        yield replace(data.profile, assets=assets, raw=raw).open(WRITES_BOTH)


def chosen_data() -> DataInterface:
    """The same, without a look at what it keeps."""
    chosen = click.get_current_context().find_object(Chosen)
    if chosen is None:
        raise InternalError("no profile was chosen")
    return DataInterface(chosen.profile, config_path=chosen.config_path)


@contextmanager
def stopping() -> Iterator[StopSignal]:
    """A signal that the first Ctrl-C or SIGTERM gives; the second ends the process at once.

    What was interrupted by it ends with the status of an interruption.
    """
    stop = StopSignal()
    restore = install_signal_handlers(stop)
    try:
        yield stop
    except Interrupted:
        output.note("Stopped. Run it again: it goes on where it was.")
        raise click.exceptions.Exit(INTERRUPTED) from None
    finally:
        restore()
