"""Runs of an archive asked for from a page or a program: each a job, so that it is seen (B6, B7).

A real run looks, decides, and puts an import in line, which is a job of its own. A dry run
rehearses all of it, writes nothing, and leaves one event with its report.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.progress import Progress
from lading.ingest import Ingest
from lading.ingest.parts import IngestParts
from lading.ingest.rehearsal import RefusedItem, rehearse
from lading.jobs.context import JobContext, JobResult
from lading.jobs.values import NewJob
from lading.ledger.archive_events import ArchiveRehearsed, ArchiveRunStarted
from lading.ledger.chain import Entry
from lading.sources.archive.reports import (
    Rejection,
    RunReport,
    rejection_of_refused,
    report_of_rehearsal,
)
from lading.sources.archive.runs import archive_source, start_run
from lading.sources.archive.source import ArchiveSource

RUN_JOB_KIND: Final = "archive_run"
RUN_PRIORITY: Final = 2
"""As a scan: what it finds is waited for."""
REJECTIONS_KEPT: Final = 200
"""How many rejections the event of a dry run has; a ledger is no place for all of them."""
TEXT_KEPT: Final = 1_000

_ATTEMPTS_MAX: Final = 2


def enqueue_run(
    parts: IngestParts,
    source: str | None,
    *,
    actor: str,
    dry_run: bool,
    safe_run: bool,
    prefix: str = "",
    again: bool = False,
) -> int:
    """Put a run in line, unless the same one is; its job. Raises `NotAnArchive`, `UnknownSource`.

    `prefix` narrows it to keys that begin so; `again` also takes up what cannot have changed.
    """
    name = archive_source(parts, source).name
    prefix = prefix.lstrip("/")
    params: dict[str, Any] = {
        "source": name,
        "dry_run": dry_run,
        "safe_run": safe_run,
        "prefix": prefix,
        "again": again,
        "actor": actor[:190],
    }
    # What is asked for differently is another run: a dry run must not be lost in a real one.
    narrowed = hashlib.sha256(prefix.encode()).hexdigest()[:16] if prefix else ""
    wanted = f"{RUN_JOB_KIND}:{name}:{dry_run:d}{safe_run:d}{again:d}:{narrowed}"
    job = NewJob(
        RUN_JOB_KIND,
        params=params,
        priority=RUN_PRIORITY,
        active_key=wanted,
        attempts_max=_ATTEMPTS_MAX,
    )

    def enqueue(conn: Connection) -> int:
        (enqueued,) = parts.queue.enqueue(conn, [job], actor=actor)
        return enqueued.job_id

    return parts.db.run(enqueue)


def run_archive(ingest: Ingest, context: JobContext) -> JobResult:
    """The handler of these jobs.

    Raises `SourceMissing`, `StoreUnavailable`, `ScanNotBelieved` and `UnknownSource`, and
    `Interrupted` when stopped before there was anything to show.
    """
    params = context.claim.params
    source = archive_source(ingest.parts, str(params["source"]))
    context.report(Progress(current=source.name))
    if params.get("dry_run"):
        return _rehearse(ingest.parts, source, context)
    return _start(ingest, source, context)


def _start(ingest: Ingest, source: ArchiveSource, context: JobContext) -> JobResult:
    params = context.claim.params
    actor = _actor(context)

    def on_found(found: int) -> None:
        context.stop.check()
        context.report(Progress(items_done=found, current=source.name))

    started = start_run(
        ingest,
        source,
        actor=actor,
        safe_run=bool(params.get("safe_run")),
        within=str(params.get("prefix") or ""),
        again=bool(params.get("again")),
        stop=context.stop,
        on_found=on_found,
        job_id=context.claim.job_id,
    )
    event = ArchiveRunStarted(
        run=started.batch_key,
        outcome=started.outcome.value,
        safe_run=bool(params.get("safe_run")),
        prefix=str(params.get("prefix") or ""),
        again=bool(params.get("again")),
        import_job=started.job_id,
    )

    entry = Entry(event, actor, source.name, started.batch_id, context.claim.job_id)
    return JobResult(write=lambda _conn: [entry])


def _rehearse(parts: IngestParts, source: ArchiveSource, context: JobContext) -> JobResult:
    params = context.claim.params
    safe_run, prefix = bool(params.get("safe_run")), str(params.get("prefix") or "")
    kept: list[Rejection] = []
    seen = 0

    def on_refused(item: RefusedItem) -> None:
        nonlocal seen
        seen += 1
        if len(kept) < REJECTIONS_KEPT:
            kept.append(rejection_of_refused(item))

    started_at = datetime.now(UTC)
    found = rehearse(
        parts,
        source.narrowed(prefix),
        strict=safe_run,
        stop=context.stop,
        on_refused=on_refused,
        on_progress=context.report,
    )
    report = report_of_rehearsal(
        found,
        source=source.name,
        safe_run=safe_run,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
    event = ArchiveRehearsed(
        run=report.run,
        safe_run=safe_run,
        prefix=prefix,
        report=plain_report(report),
        rejections=[_plain_rejection(one) for one in kept],
        rejected=seen,
    )

    entry = Entry(event, _actor(context), source=source.name, job_id=context.claim.job_id)
    return JobResult(write=lambda _conn: [entry])


def plain_report(report: RunReport) -> dict[str, Any]:
    """A report as JSON has it; `read_report` reads it."""
    facts = asdict(report)
    for name in ("started_at", "finished_at"):
        facts[name] = facts[name].isoformat() if facts[name] else None
    return facts


def read_report(facts: dict[str, Any]) -> RunReport:
    """The report that `plain_report` wrote."""
    times = {
        name: datetime.fromisoformat(facts[name]) if facts.get(name) else None
        for name in ("started_at", "finished_at")
    }
    return RunReport(**{**facts, **times})


def read_rejection(facts: dict[str, Any]) -> Rejection:
    """A rejection of the event of a dry run."""
    return Rejection(**facts)


def _plain_rejection(found: Rejection) -> dict[str, Any]:
    return {
        name: value[:TEXT_KEPT] if isinstance(value, str) else value
        for name, value in asdict(found).items()
        if value is not None
    }


def _actor(context: JobContext) -> str:
    return str(context.claim.params.get("actor") or context.actor)
