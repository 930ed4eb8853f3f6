"""`lading stop`: asks running jobs to end early, whole."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.steering import steer
from lading.jobs.states import JobState


@click.command("stop")
@click.argument("job_ids", nargs=-1, required=True, type=int, metavar="JOB...")
@click.option("--why", default="asked for on the command line", help="Recorded in the ledger.")
@click.option("--dry-run", is_flag=True, help="Only say whether it could be done.")
@with_session
def command(session: Session, job_ids: Sequence[int], why: str, dry_run: bool) -> int:
    """Stop running jobs after the item in hand.

    The worker sees it with its next heartbeat. The job is then paused: `lading resume` goes on
    where it stopped, `lading cancel` gives it up. What was imported stays.
    """
    return steer(
        session,
        job_ids,
        lambda queue, job_id: queue.request_stop(job_id, actor=session.actor, why=why),
        allowed={JobState.RUNNING},
        done="asked to stop",
        dry_run=dry_run,
    )
