"""`lading verify`: compares what was imported with the library, and the library with its bytes."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lading.base.naming import short_name
from lading.base.units import format_count
from lading.bootstrap import open_lading
from lading.cli import output, progress
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.selecting import by_names
from lading.cli.session import Session, with_session
from lading.ingest.verifying import VerifyLevel, VerifyReport


@click.command("verify")
@click.argument("batch_names", nargs=-1, metavar="[BATCH]...")
@click.option(
    "--level",
    type=click.Choice([level.value for level in VerifyLevel]),
    default=VerifyLevel.SIZE.value,
    show_default=True,
    help="Compare sizes, or read and hash every file.",
)
@with_session
def command(session: Session, batch_names: Sequence[str], level: str) -> int:
    """Compare what was imported with the library and its store.

    Without BATCH the whole library is verified, and stored bytes that nothing owns are counted.
    Ends with status 1 when there is a problem.
    """
    reports: list[tuple[str | None, VerifyReport]] = []
    with open_lading(session.load_settings()) as lading:
        batches = by_names(lading.db, batch_names)
        wanted: list[tuple[int | None, str | None]] = [(b.id, b.batch_key) for b in batches]
        wanted = wanted or [(None, None)]
        for number, key in wanted:
            label = f"Verifying {output.cell(short_name(key))}" if key else "Verifying the library"
            with progress.shown(label, quiet=session.as_json) as on_progress:
                done = lading.ingest.verify(
                    number, actor=session.actor, level=VerifyLevel(level), on_progress=on_progress
                )
            reports.append((key, done))
            if not session.as_json:
                _show(key, done)
    if session.as_json:
        output.emit(
            {"level": level, "reports": [{"batch_key": k, **output.plain(r)} for k, r in reports]}
        )
    return NEEDS_A_PERSON if any(r.problems_total for _, r in reports) else 0


def _show(key: str | None, done: VerifyReport) -> None:
    read = f", {output.size(done.bytes)} read" if done.level is VerifyLevel.SHA256 else ""
    files = f"{format_count(done.files, 'file')} compared by {done.level}{read}"
    verdict = (
        "all is well" if not done.problems_total else format_count(done.problems_total, "PROBLEM")
    )
    output.say(f"{key or 'library'}: {files}: {verdict}")
    for problem in done.problems:
        output.say(f"  {problem.kind}: {output.cell(problem.subject)}")
        if problem.expected is not None or problem.found is not None:
            output.say(f"    expected {problem.expected}, found {output.cell(problem.found)}")
    if done.problems_total > len(done.problems):
        output.say(f"  and {done.problems_total - len(done.problems):,} more")
    if done.orphans_total:
        output.say(
            f"  {done.orphans_total:,} stored objects ({output.size(done.orphan_bytes)})"
            " belong to nothing; they do no harm"
        )
