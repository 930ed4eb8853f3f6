"""`lading preflight`: decides about every item of some batches, and says what speaks against."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.base.errors import LadingError
from lading.base.naming import short_name
from lading.bootstrap import open_lading
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON, report
from lading.cli.naming import name_of
from lading.cli.reasons import Reasons
from lading.cli.selecting import by_names
from lading.cli.session import Session, with_session
from lading.ingest.preflight import PreflightReport
from lading.ledger.states import Decision


@click.command("preflight")
@click.argument("batch_names", nargs=-1, required=True, metavar="BATCH...")
@click.option("--hashes", is_flag=True, help="Read and hash every file too.")
@with_session
def command(session: Session, batch_names: Sequence[str], hashes: bool) -> int:
    """Decide about every item of batches; write no library row.

    Sizes are compared always, hashes only with --hashes: they are checked at import in any case.
    Ends with status 1 when a batch did not pass or an item was rejected.
    """
    settings = session.load_settings()
    reports: list[PreflightReport] = []
    errors: list[dict[str, object]] = []
    with open_lading(settings) as lading:
        batches = by_names(lading.db, batch_names)
        reasons = Reasons(settings)
        for batch in batches:
            label = output.cell(short_name(batch.batch_key))
            try:
                with progress.shown(label, quiet=session.as_json) as on_progress:
                    done = lading.ingest.preflight(
                        batch.id,
                        actor=session.actor,
                        check_bytes=hashes,
                        on_progress=on_progress,
                    )
            except LadingError as error:
                if len(batches) == 1 or error.transient:
                    raise
                errors.append({"batch_key": batch.batch_key, "error": error.as_dict()})
                if not session.as_json:
                    report(error, as_json=False, debug=session.debug)
                continue
            reports.append(done)
            if not session.as_json:
                _show(done, batch.source, reasons)
    if session.as_json:
        output.emit({"preflights": [as_document(r) for r in reports], "errors": errors})
    troubled = any(not r.passed or r.decisions.get(Decision.REJECT) for r in reports)
    return NEEDS_A_PERSON if troubled or errors else 0


def as_document(done: PreflightReport) -> dict[str, object]:
    """A report as the value of `--json`."""
    return {**output.plain(done), "passed": done.passed}


def _show(done: PreflightReport, source: str, reasons: Reasons) -> None:
    counted = output.counts(done.decisions, nothing="no decision")
    output.say(f"{done.batch_key}: {done.state}: {counted}, {output.size(done.bytes)}")
    reason = reasons.find(source, done.reason)
    if reason is not None:
        output.say(f"  why:        {reason.code}: {reason.sentence}")
        output.say(f"  next step:  {reason.next_step}")
    elif done.decisions.get(Decision.REJECT):
        name = name_of(done.batch_key, done.batch_id)
        output.say(f"  next step:  `lading batch {name}` gives each one's reason")
