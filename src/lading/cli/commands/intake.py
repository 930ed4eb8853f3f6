"""`lading intake`: the switch that lets workers claim jobs, or not."""

from __future__ import annotations

import click

from lading.cli import output
from lading.cli.session import Session, with_session
from lading.jobs.queue import Queue
from lading.jobs.values import Intake


@click.group("intake")
def command() -> None:
    """Pause or resume the handing out of jobs."""


@command.command("pause")
@click.option("--why", default="asked for on the command line", help="Recorded in the ledger.")
@click.option("--dry-run", is_flag=True, help="Only say how the switch stands.")
@with_session
def pause(session: Session, why: str, dry_run: bool) -> None:
    """Let no worker claim anything more; what runs goes on."""
    with session.open_database() as db:
        queue = Queue(db)
        if not dry_run:
            queue.pause_intake(actor=session.actor, why=why)
        _tell(session, queue.intake())


@command.command("resume")
@click.option("--dry-run", is_flag=True, help="Only say how the switch stands.")
@with_session
def resume(session: Session, dry_run: bool) -> None:
    """Let workers claim jobs again."""
    with session.open_database() as db:
        queue = Queue(db)
        if not dry_run:
            queue.resume_intake(actor=session.actor)
        _tell(session, queue.intake())


@command.command("show")
@with_session
def show(session: Session) -> None:
    """Say whether workers may claim jobs, and who said so."""
    with session.open_database() as db:
        _tell(session, Queue(db).intake())


def _tell(session: Session, intake: Intake) -> None:
    if session.as_json:
        output.emit(intake)
    elif not intake.paused:
        output.say("Workers may claim jobs.")
    else:
        by, at = output.cell(intake.paused_by), output.moment(intake.paused_at)
        output.say(f"Intake is paused by {by} since {at}: {output.cell(intake.why)}")
