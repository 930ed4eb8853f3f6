"""`lading recordings`: recordings of a rig taken in, found, fetched, and their catalog kept."""

from __future__ import annotations

from pathlib import Path

import click

from lading.cli.recordings.catalog import catalog_group
from lading.cli.recordings.fetching import download_command, verify_command
from lading.cli.recordings.looking import list_command, query_command, show_command
from lading.cli.recordings.manifests import augment_command, reconstruct_command
from lading.cli.recordings.opening import Chosen
from lading.cli.recordings.participants import participants_group
from lading.cli.recordings.rebuilding import compare_command, flip_command, rebuild_command
from lading.cli.recordings.registering import register_command
from lading.cli.recordings.taking_in import ingest_command
from lading.sources.recordings.profiles import LOCAL


@click.group("recordings")
@click.option(
    "--profile",
    default=LOCAL,
    show_default=True,
    metavar="NAME",
    help="Where the recordings are kept.",
)
@click.option(
    "--config-path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that has the profile; otherwise ~/.config/lading/recordings.toml (or .yaml).",
)
@click.pass_context
def command(ctx: click.Context, profile: str, config_path: Path | None) -> None:
    """Take recordings of rigs in, find and fetch them, and keep their catalog.

    Needs no settings file, no database and no environment variables: a profile says which buckets
    or folders. The profile `local` keeps everything in a folder of this user.
    """
    ctx.obj = Chosen(profile, config_path)


for each in (
    ingest_command,
    augment_command,
    register_command,
    reconstruct_command,
    list_command,
    show_command,
    query_command,
    download_command,
    verify_command,
    participants_group,
    rebuild_command,
    compare_command,
    flip_command,
    catalog_group,
):
    command.add_command(each)
