"""A whole installation in one process, on given parts: what flow tests and benchmarks stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lading.base.stopping import StopSignal
from lading.db import Database
from lading.ingest import Ingest, IngestParts
from lading.ingest.queueing import follow_job
from lading.ingest.rules import GuardLimits
from lading.ingest.source import Source
from lading.jobs.context import Handler
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.worker import Worker
from lading.ledger.batches import Batch
from lading.ledger.queries import DigitsAre, find_batch
from lading.operations.operations import Operations
from lading.storage.port import ObjectStore

ACTOR = "test"


class Installation:
    """Database, store, sources, queue and flow, wired as `lading.bootstrap` wires them."""

    def __init__(
        self,
        db: Database,
        store: ObjectStore,
        sources: Sequence[Source],
        *,
        limits: GuardLimits | None = None,
        fetch_threads: int = 2,
    ) -> None:
        self.db = db
        self.store = store
        self.queue = Queue(db, hook=follow_job)
        self.sources: Mapping[str, Source] = {source.name: source for source in sources}
        self.parts = IngestParts(
            db, self.queue, self.sources, store, limits or GuardLimits(), fetch_threads
        )
        self.ingest = Ingest(self.parts)
        self.operations = Operations(self.ingest)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What the worker runs."""
        return {**self.ingest.handlers(), **self.operations.handlers()}

    def drain(self, stop: StopSignal | None = None) -> None:
        """Run a worker in this thread until nothing is left to do, or `stop` is set.

        Retries come soon, so that tests of passing faults need not wait.
        """
        settings = WorkerSettings(
            nice=0,
            ionice="none",
            retry_base_s=0.02,
            retry_max_s=0.1,
            schedule_every_s=0.05,
            poll_min_s=0.02,
            poll_max_s=0.05,
        )
        worker = Worker(self.db, self.queue, self.handlers, settings, stop=stop or StopSignal())
        worker.run(drain=True)

    def scan(self, source: str | None = None) -> list[int]:
        """Scan one source, or the only one; the ids of new and updated batches."""
        name = source or next(iter(self.sources))
        report = self.ingest.scan(name, actor=ACTOR)
        return [c.batch_id for c in report.changes if c.batch_id and c.what != "superseded"]

    def take_in(self, source: str | None = None) -> list[int]:
        """Scan, queue everything new or updated, and drain; the batches' ids."""
        ids = self.scan(source)
        self.ingest.queue(ids, actor=ACTOR)
        self.drain()
        return ids

    def batch(self, name: str | int) -> Batch:
        """One batch by id, key or beginning of a key."""
        with self.db.read() as conn:
            digits = DigitsAre.NUMBER if isinstance(name, int) else None
            return find_batch(conn, str(name), digits=digits)
