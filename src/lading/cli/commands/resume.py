"""`lading resume`: puts paused jobs back in line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.steering import steer
from lading.jobs.states import JobState


@click.command("resume")
@click.argument("job_ids", nargs=-1, required=True, type=int, metavar="JOB...")
@click.option("--dry-run", is_flag=True, help="Only say whether it could be done.")
@with_session
def command(session: Session, job_ids: Sequence[int], dry_run: bool) -> int:
    """Put paused jobs back in line.

    Each takes its old place and goes on with the items that are still pending.
    """
    return steer(
        session,
        job_ids,
        lambda queue, job_id: queue.resume(job_id, actor=session.actor),
        allowed={JobState.PAUSED},
        done="put back in line",
        dry_run=dry_run,
    )
