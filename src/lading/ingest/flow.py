"""The six verbs on one installation: what the command line, the console and the API call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.ingest.importing import import_batch
from lading.ingest.parts import IMPORT_JOB_KIND, IngestParts
from lading.ingest.plan import Plan, make_plan
from lading.ingest.preflight import PreflightReport, preflight
from lading.ingest.queueing import QueueResult, queue_batches
from lading.ingest.ready import queue_found
from lading.ingest.scan import ScanReport, scan
from lading.ingest.verifying import VerifyLevel, VerifyReport, verify_batch, verify_library
from lading.jobs.context import Handler

OnProgress = Callable[[Progress], None]


class Ingest:
    """scan, preflight, plan, queue, import and verify, the same for every kind of source."""

    def __init__(self, parts: IngestParts) -> None:
        self.parts = parts

    def scan(
        self,
        source: str,
        *,
        actor: str,
        folder: str | None = None,
        accept_root: bool = False,
        dry_run: bool = False,
        on_found: Callable[[int], None] | None = None,
        job_id: int | None = None,
    ) -> ScanReport:
        """Record what is new, changed or gone at a source (A2). See `lading.ingest.scan`."""
        return scan(
            self.parts,
            source,
            actor=actor,
            folder=folder,
            accept_root=accept_root,
            dry_run=dry_run,
            on_found=on_found,
            job_id=job_id,
        )

    def preflight(
        self,
        batch_id: int,
        *,
        actor: str,
        check_bytes: bool = False,
        stop: StopSignal | None = None,
        on_progress: OnProgress | None = None,
    ) -> PreflightReport:
        """Decide about every item of a batch (A5). See `lading.ingest.preflight`."""
        return preflight(
            self.parts,
            batch_id,
            actor=actor,
            check_bytes=check_bytes,
            stop=stop,
            on_progress=on_progress,
        )

    def plan(self, batch_ids: Sequence[int], *, with_items: bool = True) -> Plan:
        """What queueing these batches would do (G6). See `lading.ingest.plan`."""
        return make_plan(self.parts.db, batch_ids, with_items=with_items)

    def queue(
        self,
        batch_ids: Sequence[int],
        *,
        actor: str,
        priority: int = 5,
        plan: Plan | None = None,
        dry_run: bool = False,
        all_or_nothing: bool = False,
        stop: StopSignal | None = None,
        on_result: Callable[[QueueResult], None] | None = None,
    ) -> list[QueueResult]:
        """Give batches to the workers (A7). See `lading.ingest.queueing`."""
        return queue_batches(
            self.parts,
            batch_ids,
            actor=actor,
            priority=priority,
            plan=plan,
            dry_run=dry_run,
            all_or_nothing=all_or_nothing,
            stop=stop,
            on_result=on_result,
        )

    def queue_found(
        self,
        source: str,
        *,
        actor: str,
        stop: StopSignal | None = None,
        on_result: Callable[[QueueResult], None] | None = None,
    ) -> list[QueueResult]:
        """Queue what is ready of a source that is set to do so. See `lading.ingest.ready`."""
        return queue_found(self.parts, source, actor=actor, stop=stop, on_result=on_result)

    def verify(
        self,
        batch_id: int | None,
        *,
        actor: str,
        level: VerifyLevel = VerifyLevel.SIZE,
        stop: StopSignal | None = None,
        on_progress: OnProgress | None = None,
    ) -> VerifyReport:
        """Compare one batch, or the whole library, with its bytes (G2)."""
        if batch_id is None:
            return verify_library(self.parts, level=level, stop=stop, on_progress=on_progress)
        return verify_batch(
            self.parts, batch_id, actor=actor, level=level, stop=stop, on_progress=on_progress
        )

    def handlers(self) -> Mapping[str, Handler]:
        """What a worker needs to run this installation's jobs."""
        return {IMPORT_JOB_KIND: partial(import_batch, self.parts)}
