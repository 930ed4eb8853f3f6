"""`lading scan`: looks for new and changed batches, source by source."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from lading.base.errors import LadingError
from lading.base.units import format_count
from lading.bootstrap import Lading, open_lading
from lading.cli import output, progress
from lading.cli.failures import report
from lading.cli.reasons import Reasons
from lading.cli.session import Session, with_session
from lading.cli.setting_up import set_up_on_first_use
from lading.ingest.queueing import QueueOutcome
from lading.ingest.scan import ScanReport

CHANGES_SHOWN = 20


@click.command("scan")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--accept-root",
    is_flag=True,
    help="Believe a scan that finds much of what is known gone, or another root in its place.",
)
@click.option(
    "--folder",
    metavar="PATH",
    help="Scan this folder and what is below it, and nothing else; of one source of photos.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be recorded; record nothing.")
@with_session
def command(
    session: Session, sources: Sequence[str], accept_root: bool, folder: str | None, dry_run: bool
) -> int:
    """Look for new and changed batches.

    All sources are scanned unless some are named. A source that cannot be scanned does not keep
    the others from it; the status is then that of its error. What a scan of one folder misses
    there may lie elsewhere; it stays in the library until the source is scanned as a whole.
    """
    _require_one(sources, folder)
    settings = session.load_settings()
    status = 0
    reports: list[ScanReport] = []
    queued: dict[str, int] = {}
    errors: list[dict[str, object]] = []
    if not dry_run:
        set_up_on_first_use(settings)
    with open_lading(settings) as lading:
        names = list(dict.fromkeys(sources)) or sorted(lading.sources)
        if not names:
            raise click.UsageError("no source is configured; add one to the settings file")
        reasons = Reasons(settings)
        scan = partial(
            _scan, session, lading, folder=folder, accept_root=accept_root, dry_run=dry_run
        )
        for name in names:
            try:
                found = scan(name)
            except LadingError as error:
                if len(names) == 1:
                    raise
                errors.append({"source": name, "error": error.as_dict()})
                status = max(status, error.exit_status)
                if not session.as_json:
                    report(error, as_json=False, debug=session.debug)
                continue
            reports.append(found)
            if not session.as_json:
                _show(found, reasons, dry_run=dry_run)
            if not dry_run:
                queued[name] = _queue_found(session, lading, name)
    if session.as_json:
        scans = [{**_document(each), "queued": queued.get(each.source, 0)} for each in reports]
        output.emit({"scans": scans, "errors": errors, "dry_run": dry_run})
    return status


def _require_one(sources: Sequence[str], folder: str | None) -> None:
    if folder is not None and len(sources) != 1:
        raise click.UsageError("name the one source that --folder is of")


def _scan(
    session: Session,
    lading: Lading,
    name: str,
    *,
    folder: str | None,
    accept_root: bool,
    dry_run: bool,
) -> ScanReport:
    with progress.counted(f"Scanning {name}", quiet=session.as_json) as on_found:
        return lading.ingest.scan(
            name,
            actor=session.actor,
            folder=folder,
            accept_root=accept_root,
            dry_run=dry_run,
            on_found=on_found,
        )


def _queue_found(session: Session, lading: Lading, name: str) -> int:
    """Queue what the settings say is queued by itself; how many batches."""
    results = lading.ingest.queue_found(name, actor=session.actor)
    queued = [each for each in results if each.outcome is QueueOutcome.QUEUED]
    if results and not session.as_json:
        output.say(f"  {format_count(len(queued), 'batch', 'batches')} of it queued by itself")
    return len(queued)


def _document(scan: ScanReport) -> dict[str, object]:
    return {
        "source": scan.source,
        "folder": scan.folder,
        "found": scan.found,
        **scan.counts,
        "unchanged": scan.unchanged,
        "unreadable": scan.unreadable,
        "changes": scan.changes,
    }


def _show(scan: ScanReport, reasons: Reasons, *, dry_run: bool) -> None:
    counted = output.counts({**scan.counts, "unchanged": scan.unchanged})
    would = " (dry run, nothing was recorded)" if dry_run else ""
    of = scan.source if scan.folder is None else f"{scan.source}/{scan.folder}"
    output.say(f"{of}: {scan.found:,} found: {counted}{would}")
    for change in scan.changes[:CHANGES_SHOWN]:
        reason = reasons.find(scan.source, change.reason)
        why = "" if reason is None else f"  {reason.code}: {reason.sentence}"
        output.say(f"  {change.what:<10}  {output.cell(change.batch_key)}{why}")
    if len(scan.changes) > CHANGES_SHOWN:
        output.say(f"  and {len(scan.changes) - CHANGES_SHOWN:,} more; see `lading batches`")
    if scan.unreadable:
        output.say(
            f"  {scan.unreadable:,} of them cannot be consumed; `lading batch BATCH` says why"
        )
