"""`lading cancel`: takes jobs out of line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.steering import steer
from lading.jobs.states import CANCELLABLE_JOB_STATES


@click.command("cancel")
@click.argument("job_ids", nargs=-1, required=True, type=int, metavar="JOB...")
@click.option("--why", default="asked for on the command line", help="Recorded in the ledger.")
@click.option("--dry-run", is_flag=True, help="Only say whether it could be done.")
@with_session
def command(session: Session, job_ids: Sequence[int], why: str, dry_run: bool) -> int:
    """Cancel jobs that are not running.

    A running job is asked to end with `lading stop`, and can be cancelled once it is paused.
    Whatever waits for a cancelled job fails and names it.
    """
    return steer(
        session,
        job_ids,
        lambda queue, job_id: queue.cancel(job_id, actor=session.actor, why=why),
        allowed=CANCELLABLE_JOB_STATES,
        done="cancelled",
        dry_run=dry_run,
    )
