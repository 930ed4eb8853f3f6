"""`lading retry`: runs jobs again that ended badly."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli.session import Session, with_session
from lading.cli.steering import steer
from lading.jobs.states import JobState


@click.command("retry")
@click.argument("job_ids", nargs=-1, required=True, type=int, metavar="JOB...")
@click.option("--with-dependents", is_flag=True, help="Also what failed because of them.")
@click.option("--dry-run", is_flag=True, help="Only say whether it could be done.")
@with_session
def command(session: Session, job_ids: Sequence[int], with_dependents: bool, dry_run: bool) -> int:
    """Put failed or cancelled jobs back in line.

    Items that are imported already are not imported again.
    """
    return steer(
        session,
        job_ids,
        lambda queue, job_id: queue.retry(
            job_id, actor=session.actor, with_dependents=with_dependents
        ),
        allowed={JobState.FAILED, JobState.CANCELLED},
        done="put back in line",
        dry_run=dry_run,
    )
