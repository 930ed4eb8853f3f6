"""`lading prioritise`: moves jobs forward or back in line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.steering import steer
from lading.jobs.states import UNFINISHED_JOB_STATES
from lading.jobs.values import PRIORITY_MAX, PRIORITY_MIN


@click.command("prioritise")
@click.argument("job_ids", nargs=-1, required=True, type=int, metavar="JOB...")
@click.option(
    "--to",
    "priority",
    type=click.IntRange(PRIORITY_MIN, PRIORITY_MAX),
    required=True,
    help="The new priority; small numbers go first.",
)
@click.option("--dry-run", is_flag=True, help="Only say whether it could be done.")
@with_session
def command(session: Session, job_ids: Sequence[int], priority: int, dry_run: bool) -> int:
    """Change the priority of jobs in line.

    Among jobs of one priority the older goes first.
    """
    return steer(
        session,
        job_ids,
        lambda queue, job_id: queue.set_priority(job_id, priority, actor=session.actor),
        allowed=UNFINISHED_JOB_STATES,
        done=f"given priority {priority}",
        dry_run=dry_run,
    )
