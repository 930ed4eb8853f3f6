"""`lading plan`: what queueing would do, as a summary to read or a file to apply (G6)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from lading.base.errors import RequestError
from lading.base.naming import short_name
from lading.bootstrap import Lading, open_lading
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.naming import name_of
from lading.cli.selecting import by_names
from lading.cli.session import Session, with_session
from lading.ingest.plan import Plan
from lading.ledger.batches import Batch
from lading.ledger.states import BatchState, Decision


class PlanNotWritten(RequestError):
    """The file for a plan cannot be written."""

    code = "plan_not_written"
    next_step = "Name a file in a folder that can be written."


@click.command("plan")
@click.argument("batch_names", nargs=-1, required=True, metavar="BATCH...")
@click.option("-o", "--output", "file", metavar="FILE", help="Write the plan to this file.")
@with_session
def command(session: Session, batch_names: Sequence[str], file: str | None) -> int:
    """Write down what queueing batches would do.

    Batches without fresh decisions are preflighted first. `lading queue --plan FILE` then does
    exactly what the file says, or refuses because something changed. A batch that cannot be
    imported is left out of the plan, and the status is 1.
    """
    with open_lading(session.load_settings()) as lading:
        batches = by_names(lading.db, batch_names)
        planned: list[Batch] = []
        refused: list[Batch] = []
        for batch in batches:
            (planned if _decide(session, lading, batch) else refused).append(batch)
        plan = lading.ingest.plan(
            [batch.id for batch in planned], with_items=file is not None or session.as_json
        )
    if file is not None:
        _write(plan, file)
    if session.as_json:
        output.emit(
            {
                "plan": plan if file is None else None,
                "file": file and os.path.abspath(file),
                "batches": len(planned),
                "left_out": [batch.batch_key for batch in refused],
            }
        )
    else:
        _show(plan, refused, file)
    rejected = any(part.decisions.get(Decision.REJECT) for part in plan.batches)
    return NEEDS_A_PERSON if refused or rejected else 0


def _decide(session: Session, lading: Lading, batch: Batch) -> bool:
    """Whether there are decisions to plan with, made now if need be."""
    if batch.state is BatchState.PREFLIGHT_PASSED:
        return True
    label = output.cell(short_name(batch.batch_key))
    with progress.shown(label, quiet=session.as_json) as on_progress:
        done = lading.ingest.preflight(batch.id, actor=session.actor, on_progress=on_progress)
    return done.passed


def _write(plan: Plan, file: str) -> None:
    aside = f"{file}.{os.getpid()}.tmp"
    try:
        with open(aside, "w", encoding="utf-8") as stream:
            stream.write(plan.to_json() + "\n")
        os.replace(aside, file)
    except OSError as error:
        raise PlanNotWritten(error.strerror or str(error), subject=file) from error


def _show(plan: Plan, refused: Sequence[Batch], file: str | None) -> None:
    rows = []
    for part in plan.batches:
        decisions = output.counts(part.decisions)
        about = (output.in_table(part.batch_key), part.type, part.action)
        rows.append((*about, part.items_total, output.size(part.bytes_total), decisions))
    if rows:
        output.table(("batch", "type", "action", "items", "bytes", "would"), rows)
    for batch in refused:
        name = name_of(batch.batch_key, batch.id)
        output.say(f"left out: {batch.batch_key}; `lading batch {name}` says why")
    if file is not None:
        output.say(f"Wrote {file}; apply it with `lading queue --plan {file}`.")
