"""`lading ledger`: proves that the events are whole, in order and unchanged (G10)."""

from __future__ import annotations

import sys

import click

from lading.base.units import format_count
from lading.cli import output
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.session import Session, with_session
from lading.ledger.verify import ChainReport, Checkpoint, verify_chain


@click.group("ledger")
def command() -> None:
    """Prove the ledger whole."""


@command.command("verify")
@click.option(
    "--checkpoint",
    metavar="SEQ:HASH",
    help="A head noted earlier, which must still lie on the chain; proves nothing was cut off.",
)
@with_session
def verify(session: Session, checkpoint: str | None) -> int:
    """Recompute the hash chain over all events.

    Prints the head as SEQ:HASH; kept elsewhere, it is the --checkpoint of a later proof. Ends
    with status 1 when the chain does not hold.
    """
    expected = None
    if checkpoint is not None:
        try:
            expected = Checkpoint.parse(checkpoint)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--checkpoint") from error
    with session.open_database() as db, db.read() as conn:
        counting = not session.as_json and sys.stderr.isatty()
        report = verify_chain(conn, expected=expected, on_progress=_count if counting else None)
    if counting:
        sys.stderr.write("\r\033[K")
    if session.as_json:
        output.emit(
            {
                "whole": report.whole,
                "events": report.events,
                "head": str(report.head),
                "faults": report.faults,
            }
        )
    else:
        _show(report)
    return 0 if report.whole else NEEDS_A_PERSON


def _count(events: int) -> None:
    sys.stderr.write(f"\r{events:,} events read")
    sys.stderr.flush()


def _show(report: ChainReport) -> None:
    if report.whole:
        events = format_count(report.events, "event")
        output.say(f"The ledger is whole: {events}, each chained to the last.")
        output.say(f"head: {report.head}")
        return
    output.say(f"The ledger is NOT whole: {format_count(len(report.faults), 'fault')}.")
    for fault in report.faults:
        output.say(f"  {fault.kind:<10}  {output.cell(fault.sentence)}")
    output.say("Compare with a backup; what is missing or altered cannot be told from here.")
