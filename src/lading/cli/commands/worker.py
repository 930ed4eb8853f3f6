"""`lading worker`: works on queued jobs until told to stop, or until there are none."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import nullcontext

import click
import structlog
from sqlalchemy import select

from lading.base.stopping import StopReason, StopSignal
from lading.base.units import format_count
from lading.bootstrap import Lading, open_lading
from lading.cli import output
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.logs import configure_logs
from lading.cli.session import Session, with_session
from lading.cli.setting_up import set_up_on_first_use
from lading.jobs.signals import install_signal_handlers
from lading.jobs.worker import Worker
from lading.ledger.batches import get_batches
from lading.ledger.events import BatchFinished
from lading.ledger.items import refused_anew
from lading.ledger.queries import EVENTS_PAGE, list_events
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ledger_head

_log = structlog.get_logger("lading.worker")


@click.command("worker")
@click.option("--drain", is_flag=True, help="End when no job is left.")
@click.option("--slots", type=click.IntRange(1, 64), help="Jobs at a time; otherwise the setting.")
@click.option(
    "--until-stdin-ends",
    is_flag=True,
    help="Also stop when standard input ends, for a program that started this one.",
)
@with_session
def command(session: Session, drain: bool, slots: int | None, until_stdin_ends: bool) -> int:
    """Work on queued jobs until told to stop.

    SIGTERM and SIGINT end it in order: the item in hand is finished or rolled back, and its job
    goes back in line; the status is then 0. A second signal ends it at once, which loses nothing
    either. With --drain the status is 1 when a job failed or a batch was not imported whole; files
    that were refused before, and have not changed, do not count.
    """
    settings = session.load_settings()
    configure_logs(settings.log, debug=session.debug)
    limits = (
        settings.worker if slots is None else settings.worker.model_copy(update={"slots": slots})
    )
    stop = StopSignal()
    restore = install_signal_handlers(stop)
    try:
        if until_stdin_ends:
            threading.Thread(target=_stop_at_end_of_stdin, args=(stop,), daemon=True).start()
        set_up_on_first_use(settings)
        with open_lading(settings) as lading:
            begin = _last_event_seq(lading)
            # Who works off what is in line does not put more into it.
            with nullcontext() if drain else lading.duty() as duty:
                worker = Worker(
                    lading.db,
                    lading.queue,
                    lading.handlers,
                    limits.limits,
                    stop=stop,
                    duty=duty,
                )
                _log.info("worker started", worker=worker.id, slots=limits.slots, drain=drain)
                report = worker.run(drain=drain)
            _log.info("worker ended", why=stop.reason or "drained", **output.plain(report))
            unwhole = _batches_not_whole(lading, begin, report.worker)
            intake = lading.queue.intake()
    finally:
        restore()
    if session.as_json:
        output.emit(
            {
                "stopped": stop.reason,
                **output.plain(report),
                "batches_unwhole": unwhole,
                "intake_paused": intake.paused,
            }
        )
    elif drain:
        output.say(
            f"{format_count(report.done, 'job')} done, {report.failed:,} failed,"
            f" {report.retrying + report.released:,} given back, {report.lost:,} lost to others"
        )
        if unwhole:
            output.say(
                f"{format_count(unwhole, 'batch', 'batches')} not imported whole;"
                " `lading batches --state partial --state failed` lists them"
            )
        if intake.paused:
            output.say("Intake is paused: what is in line waits for `lading intake resume`.")
    # A job that met a passing fault is not counted: draining waits until it was tried again.
    troubled = bool(report.failed or unwhole)
    return NEEDS_A_PERSON if drain and troubled and not stop.is_set() else 0


def _stop_at_end_of_stdin(stop: StopSignal) -> None:
    # Not through `sys.stdin`: its lock, held while this waits, would end the interpreter badly.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.request(StopReason.SHUTDOWN)


def _last_event_seq(lading: Lading) -> int:
    with lading.db.read() as conn:
        return int(conn.scalar(select(ledger_head.c.seq)) or 0)


def _batches_not_whole(lading: Lading, after: int, worker: str) -> int:
    """How many batches this worker finished since `after` and could not import as before.

    What was refused just so before was told then.
    """
    unwhole = 0
    while True:
        with lading.db.read() as conn:
            events = list_events(conn, after=after, kinds=[BatchFinished.kind])
            short = [
                (event.batch_id, event.payload["outcomes"])
                for event in events
                if event.actor == f"worker:{worker}"
                and event.payload["state"] != BatchState.IMPORTED
            ]
            batches = get_batches(conn, {batch_id for batch_id, _ in short if batch_id})
            unwhole += sum(
                1
                for batch_id, outcomes in short
                if (batch := batches.get(batch_id or 0)) is None
                or outcomes.get(Outcome.PENDING)
                or refused_anew(conn, batch.id, batch.revision)
            )
        if len(events) < EVENTS_PAGE:
            return unwhole
        after = events[-1].seq
