"""`lading queue`: gives batches to the workers, preflighting where needed (A7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from lading.base.progress import Progress
from lading.base.units import format_count
from lading.bootstrap import Lading, open_lading
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.selecting import by_names, by_plan
from lading.cli.session import Session, with_session
from lading.ingest.plan import BadPlan, Plan
from lading.ingest.queueing import QueueOutcome, QueueResult
from lading.ingest.ready import by_states, ready
from lading.jobs.values import PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN
from lading.ledger.states import BatchState

PLAN_BYTES_MAX: Final = 1_000_000_000


@click.command("queue")
@click.argument("batch_names", nargs=-1, metavar="[BATCH]...")
@click.option(
    "--all-ready",
    is_flag=True,
    help="Every batch that passed preflight, or is pending with nothing against it, or whose"
    " preflight was cut off an hour ago.",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in BatchState]),
    help="Every batch in this state; may be given several times.",
)
@click.option("--source", help="Of those, only batches of this source.")
@click.option(
    "--plan", "plan_file", metavar="FILE", help="The batches of a plan, and only as it says."
)
@click.option(
    "--priority",
    type=click.IntRange(PRIORITY_MIN, PRIORITY_MAX),
    default=PRIORITY_DEFAULT,
    show_default=True,
    help="Small numbers go first.",
)
@click.option("--dry-run", is_flag=True, help="Preflight, and say what would be queued.")
@with_session
def command(
    session: Session,
    *,
    batch_names: Sequence[str],
    all_ready: bool,
    states: Sequence[str],
    source: str | None,
    plan_file: str | None,
    priority: int,
    dry_run: bool,
) -> int:
    """Give batches to the workers.

    Batches are preflighted first where needed. One that cannot be queued does not stop the
    others; the status is then 1. A batch that a job has already is skipped. One that is not named,
    and of which nothing is left but what was refused before, is told of and leaves the status 0.
    """
    ways = [bool(batch_names), all_ready, bool(states), plan_file is not None]
    if sum(ways) != 1:
        raise click.UsageError("name batches, or give one of --all-ready, --state and --plan")
    plan = None if plan_file is None else _read_plan(plan_file)
    with open_lading(session.load_settings()) as lading:
        if plan is not None:
            numbers = by_plan(lading.db, plan)
        elif batch_names:
            numbers = [batch.id for batch in by_names(lading.db, batch_names)]
        elif all_ready:
            numbers = [batch.id for batch in ready(lading.db, source=source)]
        else:
            wanted = [BatchState(state) for state in states]
            numbers = [batch.id for batch in by_states(lading.db, wanted, source=source)]
        results = _queue(session, lading, numbers, priority=priority, plan=plan, dry_run=dry_run)
    if session.as_json:
        output.emit({"results": results, "dry_run": dry_run})
    else:
        _show_summary(results, dry_run=dry_run)
    refused = any(
        result.outcome is QueueOutcome.REFUSED and not (result.known and (all_ready or states))
        for result in results
    )
    return NEEDS_A_PERSON if refused else 0


def _queue(
    session: Session,
    lading: Lading,
    numbers: Sequence[int],
    *,
    priority: int,
    plan: Plan | None,
    dry_run: bool,
) -> list[QueueResult]:
    done = 0
    with progress.shown("Queueing", quiet=session.as_json) as on_progress:

        def on_result(result: QueueResult) -> None:
            nonlocal done
            done += 1
            if on_progress is not None:
                on_progress(Progress(items_done=done, items_total=len(numbers)))
            if not session.as_json:
                _show(result, dry_run=dry_run)

        return lading.ingest.queue(
            numbers,
            actor=session.actor,
            priority=priority,
            plan=plan,
            dry_run=dry_run,
            on_result=on_result,
        )


def _read_plan(file: str) -> Plan:
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read(PLAN_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadPlan(f"the plan cannot be read: {said}", subject=file) from error
    return Plan.from_json(text)


def _show(result: QueueResult, *, dry_run: bool) -> None:
    if result.outcome is QueueOutcome.QUEUED:
        what = "would be queued" if dry_run else f"queued as job {result.job_id}"
    else:
        what = f"{result.outcome}: {result.reason}: {output.cell(result.sentence)}"
    output.say(f"{output.cell(result.batch_key)}  {what}")


def _show_summary(results: Sequence[QueueResult], *, dry_run: bool) -> None:
    counted = {
        outcome: sum(result.outcome is outcome for result in results) for outcome in QueueOutcome
    }
    dry = " (dry run, nothing was queued)" if dry_run else ""
    output.say(f"{format_count(len(results), 'batch', 'batches')}: {output.counts(counted)}{dry}")
