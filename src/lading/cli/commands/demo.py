"""`lading demo`: makes the showing's hand-over tree, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lading.cli import output
from lading.cli.demo.maker import make_demo_tree
from lading.cli.session import Session, with_session


@click.command("demo")
@click.argument("folder", metavar="FOLDER")
@click.option("--dry-run", is_flag=True, help="Only say whether it would be made.")
@with_session
def command(session: Session, folder: str, dry_run: bool) -> None:
    """Make a small hand-over tree of real media to try things on.

    It holds photos, a film with its HLS playlist, a gallery, one damaged photo, and one bundle
    that its upstream has not finished. A FOLDER that exists is left as it is. `lading up --demo`
    does this and imports it.
    """
    root = os.path.abspath(os.path.expanduser(folder))
    made = not os.path.exists(root) if dry_run else make_demo_tree(Path(root))
    if session.as_json:
        output.emit({"folder": root, "made": made and not dry_run, "dry_run": dry_run})
    elif dry_run:
        output.say(f"{root} would be {'made' if made else 'left as it is'}.")
    else:
        output.say(f"{root} {'was made' if made else 'exists; it was left as it is'}.")
