"""`lading job`: one job, how far it is, what it waits for, and what happened to it."""

from __future__ import annotations

from typing import Final

import click

from lading.base.errors import all_error_classes
from lading.base.units import format_duration
from lading.cli import output
from lading.cli.commands.jobs import job_document, progress_words
from lading.cli.session import Session, with_session
from lading.jobs.queue import Queue
from lading.jobs.states import JobState
from lading.jobs.values import JobRow, Links
from lading.ledger.batches import get_batches
from lading.ledger.queries import EventView, list_events

EVENTS_SHOWN: Final = 20


@click.command("job")
@click.argument("job_id", type=int, metavar="JOB")
@with_session
def command(session: Session, job_id: int) -> None:
    """Show one job: its progress and events.

    `lading stop`, `resume`, `cancel`, `retry` and `prioritise` act on it.
    """
    with session.open_database() as db:
        queue = Queue(db)
        job, links = queue.get(job_id), queue.links(job_id)
        silent_s = {worker.id: worker.silent_s for worker in queue.workers()}
        with db.read() as conn:
            events = list_events(conn, job_id=job_id)
            batches = get_batches(conn, [job.batch_id] if job.batch_id is not None else [])
    keys = {number: batch.batch_key for number, batch in batches.items()}
    if session.as_json:
        output.emit({**job_document(job, keys), "links": links, "events": events})
        return
    batch_key = None if job.batch_id is None else keys.get(job.batch_id)
    _show(job, links, batch_key, silent_s.get(job.worker or ""))
    _show_events(events)


def job_next_step(job: JobRow) -> str:
    """What a person does next about the job, in one sentence."""
    number = job.id
    if job.status is JobState.FAILED:
        # It brings every class of error with it, and takes a while; only a failed job needs it.
        import lading.bootstrap  # noqa: F401, PLC0415

        steps = {cls.code: cls.next_step for cls in all_error_classes()}
        advice = steps.get(job.error_code or "", "")
        return f"{advice} Then `lading retry {number}`.".strip()
    return {
        JobState.WAITING: "Nothing: it goes on by itself.",
        JobState.QUEUED: "Nothing: a worker takes it when its turn comes.",
        JobState.RUNNING: f"Nothing; `lading stop {number}` ends it after the item in hand.",
        JobState.PAUSED: f"`lading resume {number}` or `lading cancel {number}`.",
        JobState.DONE: "Nothing.",
        JobState.CANCELLED: f"`lading retry {number}` if it is wanted after all.",
    }[job.status]


def _show(job: JobRow, links: Links, batch_key: str | None, silent_s: float | None) -> None:
    seen = None if silent_s is None else f"seen {format_duration(silent_s)} ago"
    output.facts(
        (
            ("job", f"{job.id} ({job.kind})"),
            ("batch", batch_key),
            ("state", f"{job.status}{', asked to stop' if job.stop_requested else ''}"),
            ("error", job.error),
            ("code", job.error_code),
            ("failed by", None if job.failed_by is None else f"job {job.failed_by}"),
            ("next step", job_next_step(job)),
            ("progress", progress_words(job)),
            ("current", job.progress.current or None),
            ("priority", job.priority),
            ("attempt", f"{job.attempt} of {job.attempts_max}"),
            ("waits for", ", ".join(map(str, links.wait_for)) or None),
            ("waited for by", ", ".join(map(str, links.dependents)) or None),
            ("worker", job.worker and f"{job.worker}{f', {seen}' if seen else ''}"),
            ("created", job.created_at),
            ("not before", job.not_before),
            ("started", job.started_at),
            ("last sign of life", job.heartbeat_at),
            ("finished", job.finished_at),
        )
    )


def _show_events(events: list[EventView]) -> None:
    output.say()
    if len(events) > EVENTS_SHOWN:
        output.say(f"The last {EVENTS_SHOWN} of {len(events):,} events:")
    output.table(
        ("seq", "at", "event", "by", "payload"),
        (
            (event.seq, event.at, event.kind, event.actor, output.words(event.payload))
            for event in events[-EVENTS_SHOWN:]
        ),
    )
