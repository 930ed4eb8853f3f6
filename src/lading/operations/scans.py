"""Scans asked for from a page, or due by the clock: each a job, so that it is seen and found again.

A scan that the missing-mount guard refuses fails its job, with the guard's own code.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, select

from lading.base.progress import Progress
from lading.db.clock import now
from lading.ingest import Ingest
from lading.ingest.parts import IngestParts
from lading.ingest.scan_scope import scope_of
from lading.jobs.context import JobContext, JobResult
from lading.jobs.values import NewJob
from lading.ledger.events import ScanFinished, ScanRefused
from lading.ledger.queries import last_event

SCAN_JOB_KIND: Final = "scan"
SCAN_PRIORITY: Final = 2
"""Ahead of imports and operations: it is short, and what it finds is waited for."""

_ATTEMPTS_MAX: Final = 2
_LOOK_AT_LEAST_S: Final = 1.0
_FAR_OFF_S: Final = 86_400.0


def scan_key(source: str, *, accept_root: bool, folder: str | None = None) -> str:
    """What tells the one unfinished scan of a source, or of a folder of it, from others."""
    # To believe a root is another request than to look: it must not be lost in one that waits.
    of = "" if folder is None else f":{hashlib.sha256(folder.encode()).hexdigest()[:32]}"
    return f"{SCAN_JOB_KIND}:{source}{of}" + (":accept" if accept_root else "")


def enqueue_scan(
    parts: IngestParts,
    source: str,
    *,
    actor: str,
    accept_root: bool,
    folder: str | None = None,
) -> int:
    """Put a scan in line, unless the same one is; its job. With `folder`, of that and below alone.

    Raises `UnknownSource`, `NoFolderScans`, and `RequestError` for what is no folder.
    """
    meant = scope_of(parts.source(source), folder).folder
    params = {"source": source, "accept_root": accept_root, "actor": actor[:190]}
    job = NewJob(
        SCAN_JOB_KIND,
        params=params if meant is None else {**params, "folder": meant},
        priority=SCAN_PRIORITY,
        active_key=scan_key(source, accept_root=accept_root, folder=meant),
        attempts_max=_ATTEMPTS_MAX,
    )

    def enqueue(conn: Connection) -> int:
        (enqueued,) = parts.queue.enqueue(conn, [job], actor=actor)
        return enqueued.job_id

    return parts.db.run(enqueue)


def run_scan(ingest: Ingest, context: JobContext) -> JobResult:
    """The handler of scan jobs, which queue what they found where the settings say so (C3).

    Raises `SourceMissing`, `ScanNotBelieved`, `UnknownSource`, `ScanFolderMissing`, and
    `Interrupted` when stopped before anything was written, or before all was queued.
    """
    params = context.claim.params
    folder = params.get("folder")
    current = str(params["source"]) if folder is None else f"{params['source']}/{folder}"
    context.report(Progress(current=current))

    def on_found(found: int) -> None:
        context.stop.check()
        context.report(Progress(items_done=found, current=current))

    report = ingest.scan(
        str(params["source"]),
        actor=str(params.get("actor") or context.actor),
        folder=None if folder is None else str(folder),
        accept_root=bool(params.get("accept_root")),
        on_found=on_found,
        job_id=context.claim.job_id,
    )
    found = Progress(items_done=report.found, items_total=report.found)
    context.run(lambda _: None, found)
    ingest.queue_found(
        report.source,
        actor=str(params.get("actor") or context.actor),
        stop=context.stop,
        on_result=lambda result: context.report(replace(found, current=result.batch_key)),
    )
    return JobResult()


class ScanSchedule:
    """Puts scans in line that are due by the clock; every worker may do it, one comes first.

    With 0 for `every_s` only sources that are queued by themselves are, once, if nobody ever
    looked at them: so a new installation begins by itself (C3).
    """

    def __init__(self, parts: IngestParts, *, every_s: float) -> None:
        self._parts = parts
        self._every_s = every_s
        self._lock = threading.Lock()
        # A scan that ends without a word in the ledger shall not be asked for again at once.
        self._asked_s: dict[str, float] = {}

    def __call__(self, actor: str) -> float:
        """Enqueue what is due; returns the seconds until the next one is."""
        every_s = self._every_s or _FAR_OFF_S
        left_s = every_s
        for source in self._parts.sources if self._every_s else self._parts.auto_queue:
            due_s = self._due_s(source)
            if due_s <= 0:
                enqueue_scan(self._parts, source, actor=actor, accept_root=False)
                with self._lock:
                    self._asked_s[source] = time.monotonic()
                due_s = every_s
            left_s = min(left_s, due_s)
        return max(_LOOK_AT_LEAST_S, left_s)

    def _due_s(self, source: str) -> float:
        with self._lock:
            asked_s = self._asked_s.get(source)
        every_s = self._every_s or _FAR_OFF_S
        since_asked_s = every_s if asked_s is None else time.monotonic() - asked_s
        with self._parts.db.read() as conn:
            at = conn.scalars(select(now())).one()
            scans = [
                last_event(conn, source=source, kind=kind)
                for kind in (ScanFinished.kind, ScanRefused.kind)
            ]
        ages_s = [(at - scan.at).total_seconds() for scan in scans if scan is not None]
        if ages_s and not self._every_s:
            return every_s
        return every_s - min([since_asked_s, *ages_s])
