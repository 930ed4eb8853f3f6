"""`lading events`: the ledger as it was written, and as it is being written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final

import click

from lading.cli import output
from lading.cli.session import Session, with_session
from lading.cli.waiting import interruptible_pause, interrupts_remembered
from lading.db import Database
from lading.ledger.queries import EVENTS_PAGE, EventView, find_batch, list_events

FOLLOW_EVERY_S: Final = 0.5


@click.command("events")
@click.option(
    "--after", type=click.IntRange(min=0), default=0, help="Only events with a higher number."
)
@click.option("--batch", "batch_name", metavar="BATCH", help="Only events of this batch.")
@click.option("--job", "job_id", type=int, metavar="JOB", help="Only events of this job.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind; may be given several times.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many.")
@click.option("--follow", is_flag=True, help="Wait for more until interrupted.")
@with_session
def command(
    session: Session,
    *,
    after: int,
    batch_name: str | None,
    job_id: int | None,
    kinds: Sequence[str],
    limit: int | None,
    follow: bool,
) -> None:
    """Read the ledger's events, or follow them.

    With --json each event is one line (NDJSON). Numbers are dense and in the order of commits, so
    that the last number seen is all that is needed to go on with --after.
    """
    write = output.emit_line if session.as_json else _write_line
    with session.open_database() as db:
        batch_id = None
        if batch_name is not None:
            with db.read() as conn:
                batch_id = find_batch(conn, batch_name).id
        with interrupts_remembered() if follow else nullcontext():
            _pump(
                db, write, after=after, batch_id=batch_id, job_id=job_id, kinds=kinds,
                limit=limit, follow=follow,
            )  # fmt: skip


def _pump(
    db: Database,
    write: Callable[[EventView], None],
    *,
    after: int,
    batch_id: int | None,
    job_id: int | None,
    kinds: Sequence[str],
    limit: int | None,
    follow: bool,
) -> None:
    left = limit
    while left is None or left > 0:
        page = EVENTS_PAGE if left is None else min(left, EVENTS_PAGE)
        with db.read() as conn:
            events = list_events(
                conn, after=after, batch_id=batch_id, job_id=job_id, kinds=kinds, limit=page
            )
        for event in events:
            write(event)
        if events:
            after = events[-1].seq
            left = None if left is None else left - len(events)
        if len(events) < page:
            if not follow:
                return
            interruptible_pause(FOLLOW_EVERY_S)


def _write_line(event: EventView) -> None:
    about = [
        f"{label} {value}"
        for label, value in (("batch", event.batch_id), ("job", event.job_id))
        if value is not None
    ]
    payload = json.dumps(event.payload, ensure_ascii=True, sort_keys=True)
    output.say(
        f"{event.seq:>6}  {output.moment(event.at)}  {event.kind:<20}"
        f"  {' '.join(about) or event.source or '-':<18}  {output.cell(event.actor)}  {payload}"
    )
