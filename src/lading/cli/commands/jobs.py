"""`lading jobs`: the jobs in line, at work and done, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from lading.base.naming import is_id, short_name
from lading.cli import output
from lading.cli.session import Session, with_session
from lading.jobs.queue import Queue
from lading.jobs.states import JobState
from lading.jobs.values import Intake, JobFilter, JobPage, JobRow
from lading.ledger.batches import get_batches
from lading.ledger.queries import find_batch


@click.command("jobs")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in JobState]),
    help="Only jobs in this state; may be given several times.",
)
@click.option("--kind", "kinds", multiple=True, help="Only this kind; may be given several times.")
@click.option("--batch", "batch_name", metavar="BATCH", help="Only jobs of this batch.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Jobs to list."
)
@click.option("--cursor", help="Go on after the page that named this cursor.")
@with_session
def command(
    session: Session,
    *,
    states: Sequence[str],
    kinds: Sequence[str],
    batch_name: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List jobs.

    The newest come first. Below the list: how many jobs stand in each state.
    """
    with session.open_database() as db:
        queue = Queue(db)
        batch_id = None
        if batch_name is not None:
            with db.read() as conn:
                batch_id = find_batch(conn, batch_name).id
        filters = JobFilter(
            states=[JobState(state) for state in states], kinds=kinds, batch_id=batch_id
        )
        page = queue.list(filters, cursor=cursor, limit=limit)
        counts, intake = queue.counts(), queue.intake()
        with db.read() as conn:
            batches = get_batches(conn, {j.batch_id for j in page.jobs if j.batch_id is not None})
    keys = {number: batch.batch_key for number, batch in batches.items()}
    if session.as_json:
        output.emit(
            {
                "jobs": [job_document(job, keys) for job in page.jobs],
                "next_cursor": page.next_cursor,
                "counts": counts,
                "intake": intake,
            }
        )
    else:
        _show(page, keys, counts, intake)


def job_document(job: JobRow, batch_keys: Mapping[int, str]) -> dict[str, object]:
    """A job as the value of `--json`."""
    document: dict[str, object] = output.plain(job)
    document["state"] = document.pop("status")
    document["batch_key"] = None if job.batch_id is None else batch_keys.get(job.batch_id)
    return document


def progress_words(job: JobRow) -> str:
    """How far a job is, in a few words."""
    done = job.progress
    total = "" if done.items_total is None else f"/{done.items_total:,}"
    failed = f", {done.items_failed:,} failed" if done.items_failed else ""
    moved = f", {output.size(done.bytes_moved)}" if done.bytes_moved else ""
    return f"{done.items_processed:,}{total} items{failed}{moved}"


def _batch_name(key: str) -> str:
    return short_name(key) if is_id(key) else output.in_table(key)


def _show(
    page: JobPage, keys: Mapping[int, str], counts: Mapping[JobState, int], intake: Intake
) -> None:
    if page.jobs:
        output.table(
            ("id", "kind", "batch", "state", "priority", "progress", "attempt", "worker", "error"),
            (
                (
                    job.id,
                    job.kind,
                    _batch_name(keys.get(job.batch_id or 0, "")),
                    f"{job.status} (stopping)" if job.stop_requested else job.status,
                    job.priority,
                    progress_words(job),
                    f"{job.attempt}/{job.attempts_max}",
                    job.worker,
                    job.error_code,
                )
                for job in page.jobs
            ),
        )
    output.say(f"Jobs in all: {output.counts(counts, nothing='none')}.")
    if intake.paused:
        output.say(f"Intake is PAUSED by {output.cell(intake.paused_by)}; `lading intake resume`.")
    if page.next_cursor is not None:
        output.note(f"More: add --cursor {page.next_cursor}")
