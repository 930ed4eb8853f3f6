"""What the flow works with: the database, the queue, the sources and the store, wired once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from lading.base.errors import RequestError
from lading.db import Database
from lading.ingest.rules import GuardLimits
from lading.ingest.source import Source
from lading.jobs.queue import Queue
from lading.ledger.batches import Batch
from lading.ledger.chain import Entry
from lading.storage.port import ObjectStore

IMPORT_JOB_KIND = "import_batch"
ALL_OR_NOTHING = "all_or_nothing"
"""The parameter of an import job that writes everything in one transaction, or nothing (B7)."""


class UnknownSource(RequestError):
    """A batch or a command names a source that the settings do not have."""

    code = "unknown_source"
    http_status = 404
    next_step = "Add it to the settings under [sources], or correct the name."


class ImportQueued(Protocol):
    """Puts in line what is to follow the import of a batch, in the same transaction.

    It SHALL NOT append to the ledger itself, but return the entries.
    """

    def __call__(
        self, conn: Connection, batch: Batch, job_id: int, *, actor: str, priority: int
    ) -> Sequence[Entry]:
        """Take note of the import job of a batch."""
        ...


@dataclass(frozen=True, slots=True)
class IngestParts:
    """One installation's parts. `fetch_threads` items are fetched ahead of the one written.

    What scans find at a source that is in `auto_queue` is queued by itself.
    """

    db: Database
    queue: Queue
    sources: Mapping[str, Source]
    store: ObjectStore
    limits: GuardLimits = field(default_factory=GuardLimits)
    fetch_threads: int = 2
    on_import_queued: ImportQueued | None = None
    auto_queue: Collection[str] = ()

    def source(self, name: str) -> Source:
        """The configured source of this name. Raises `UnknownSource`."""
        try:
            return self.sources[name]
        except KeyError:
            known = ", ".join(sorted(self.sources)) or "none"
            raise UnknownSource(
                "no such source is configured", subject=name, found=f"configured: {known}"
            ) from None
