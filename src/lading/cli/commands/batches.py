"""`lading batches`: the import queue as a list, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.cli import output
from lading.cli.batch_jobs import BatchJob, newest_jobs
from lading.cli.session import Session, with_session
from lading.ledger.batch_lists import BatchFilter, BatchPage, list_batches
from lading.ledger.batches import Batch
from lading.ledger.states import BatchState


@click.command("batches")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in BatchState]),
    help="Only batches in this state; may be given several times.",
)
@click.option("--source", help="Only batches of this source.")
@click.option("--type", "batch_type", help="Only batches of this type.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Batches to list."
)
@click.option("--cursor", help="Go on after the page that named this cursor.")
@with_session
def command(
    session: Session,
    *,
    states: Sequence[str],
    source: str | None,
    batch_type: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List batches: unfinished first, then the newest.

    A page names the cursor of the next one. Batches that are worked on change their place between
    pages, as in any list by time.
    """
    wanted = BatchFilter(
        states=[BatchState(state) for state in states], source=source, type=batch_type
    )
    with session.open_database() as db, db.read() as conn:
        page = list_batches(conn, wanted, cursor=cursor, limit=limit)
        jobs = newest_jobs(conn, [batch.id for batch in page.batches])
    if session.as_json:
        output.emit(
            {
                "batches": [as_document(batch, jobs.get(batch.id)) for batch in page.batches],
                "next_cursor": page.next_cursor,
            }
        )
        return
    _show(page, jobs, filtered=bool(states or source or batch_type or cursor))


def as_document(batch: Batch, job: BatchJob | None) -> dict[str, object]:
    """A batch as the value of `--json`."""
    return {
        "id": batch.id,
        "source": batch.source,
        "batch_key": batch.batch_key,
        "type": batch.type,
        "action": batch.action,
        "state": batch.state,
        "reason": batch.reason,
        "job": None if job is None else {"id": job.id, "state": job.state},
        "items_total": batch.items_total,
        "bytes_total": batch.bytes_total,
        "found_at": batch.found_at,
        "updated_at": batch.updated_at,
        "preflighted_at": batch.preflighted_at,
        "queued_at": batch.queued_at,
        "finished_at": batch.finished_at,
    }


def _show(page: BatchPage, jobs: dict[int, BatchJob], *, filtered: bool) -> None:
    if not page.batches:
        if filtered:
            output.say("No batch matches. Leave options out to see more.")
        else:
            output.say("No batches yet. `lading scan` looks for them.")
        return
    rows = []
    for batch in page.batches:
        job = jobs.get(batch.id)
        state = batch.state.value + (f" ({batch.reason})" if batch.reason else "")
        rows.append(
            (
                output.in_table(batch.batch_key),
                batch.type,
                batch.action,
                state,
                "-" if job is None else f"{job.id} {job.state}",
                batch.items_total,
                output.size(batch.bytes_total),
                batch.updated_at,
            )
        )
    output.table(("batch", "type", "action", "state", "job", "items", "bytes", "updated"), rows)
    if page.next_cursor is not None:
        output.note(f"More: add --cursor {page.next_cursor}")
