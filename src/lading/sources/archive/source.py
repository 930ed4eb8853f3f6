"""The archive source: one run over the listing of a bucket is a batch (B1, B3)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

from lading.base.reasons import Reason
from lading.ingest.source import (
    BatchRef,
    BatchRefused,
    Discovered,
    ItemRefused,
    OpenBatch,
    PlannedBatch,
    SourceMissing,
)
from lading.sources.archive.bucket_reasons import BUCKET_REASONS, LISTING_CHANGED
from lading.sources.archive.decide import Decider
from lading.sources.archive.importer import Importer
from lading.sources.archive.inventory import Inventory, build_inventory
from lading.sources.archive.open_batch import ACTION, TYPE, ListedRun, PlannedRun, describe
from lading.sources.archive.options import ArchiveOptions, parse_options
from lading.sources.archive.reasons import REASONS
from lading.storage.bucket import Bucket, BucketMissing
from lading.storage.port import ObjectMissing, StoreDenied

KIND: Final = "archive"
LISTING_GOOD_FOR_S: Final = 300.0
"""How long a listing may serve the preflight of the run it found."""
ALL_REASONS: Final[Mapping[str, Reason]] = {**REASONS, **BUCKET_REASONS}

log = structlog.get_logger("lading.archive")


class ArchiveSource:
    """One configured archive bucket. Everything it does to the bucket is reading."""

    kind: str = KIND

    def __init__(self, name: str, options: ArchiveOptions) -> None:
        self.name = name
        self.options = options
        self.bucket = Bucket(options.bucket, name=name)
        self.listed_key = ""
        """What the run is called that the last listing is; empty before the first."""
        self._within = ""
        self._kept: tuple[str, float, Inventory] | None = None
        self._keeping = threading.Lock()

    def narrowed(self, within: str) -> ArchiveSource:
        """The same archive, of which only keys below the prefix `within` are listed."""
        source = ArchiveSource(self.name, self.options)
        source.bucket = self.bucket  # with its connections
        source._within = within.lstrip("/")
        return source

    def identity(self) -> str:
        """The bucket and prefix, by their address."""
        where = self.options.bucket
        return f"{where.endpoint or 's3'}/{where.bucket}/{where.prefix}"

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Phase 1: the run that the bucket's listing is; earlier runs are still what they were.

        Nothing is found when the listing is that of a known run. Raises `SourceMissing` and
        `StoreUnavailable`.
        """
        inventory = self._list()
        digest = inventory.digest
        key = self.listed_key = run_key(digest)
        for other, fingerprint in known.items():
            if other != key:
                yield Discovered(other, fingerprint)
        counts = inventory.counts
        yield Discovered(
            key,
            digest,
            manifest_sha256=digest,
            type=TYPE,
            action=ACTION,
            items=counts.codes + counts.rejected,
            bytes=counts.bytes,
            detail=describe(inventory),
        )
        self._keep(key, inventory)

    @contextmanager
    def open_batch(self, batch: BatchRef) -> Iterator[OpenBatch]:
        """Phase 2 works on this. Raises `BatchRefused` when the bucket has changed since."""
        inventory = self._take(batch.key)
        if inventory is None:
            inventory = self._list()
            if run_key(inventory.digest) != batch.key:
                inventory.close()
                raise BatchRefused(
                    LISTING_CHANGED,
                    subject=batch.key,
                    expected=batch.key,
                    found=run_key(inventory.digest),
                )
        try:
            run = ListedRun(
                inventory,
                inventory.digest,
                self._decider(),
                self._importer(batch),
                fetches_max=self.options.fetch_threads,
            )
            yield run
            run.log_phases(self.name)
        finally:
            inventory.close()

    @contextmanager
    def reopen(self, planned: PlannedBatch) -> Iterator[OpenBatch]:
        """Phase 3 works on this: what was recorded, without looking at the listing again."""
        run = PlannedRun(
            planned,
            self._decider(),
            self._importer(planned.ref),
            fetches_max=self.options.fetch_threads,
        )
        try:
            yield run
        finally:
            run.log_phases(self.name)

    def stat_location(self, location: str) -> int:
        """The size in bytes of an object. Raises `ItemRefused`, `SourceMissing`."""
        with self._faults(location):
            return self.bucket.head(location).size_bytes

    def read_location(self, location: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of an object from `offset` on. Raises `ItemRefused`, `SourceMissing`."""
        with self._faults(location):
            yield from self.bucket.stream(location, offset=offset)

    def _list(self) -> Inventory:
        started = time.monotonic()
        pages = self.bucket.pages(self._within, threads=self.options.list_threads)
        try:
            inventory = build_inventory(pages, self.options.key_rules)
        except (BucketMissing, StoreDenied) as error:
            raise SourceMissing(
                f"{error}: {error.found}" if error.found else str(error),
                subject=self.options.bucket.bucket,
                next_step=error.advice,
            ) from error
        inventory.finish()
        inventory.seconds = round(time.monotonic() - started, 3)
        counts = inventory.counts.as_dict()
        log.info("archive listed", phase=1, source=self.name, seconds=inventory.seconds, **counts)
        return inventory

    def _keep(self, key: str, inventory: Inventory) -> None:
        with self._keeping:
            before, self._kept = self._kept, (key, time.monotonic(), inventory)
        if before is not None:
            before[2].close()

    def _take(self, key: str) -> Inventory | None:
        """The listing that found this run, once, as long as it is fresh."""
        with self._keeping:
            kept, self._kept = self._kept, None
        if kept is None:
            return None
        if kept[0] == key and time.monotonic() - kept[1] < LISTING_GOOD_FOR_S:
            return kept[2]
        kept[2].close()
        return None

    def _decider(self) -> Decider:
        return Decider(self.name, self.options.file_rules, ALL_REASONS)

    def _importer(self, batch: BatchRef) -> Importer:
        return Importer(batch, self.name, self.bucket, self.options, ALL_REASONS)

    @contextmanager
    def _faults(self, location: str) -> Iterator[None]:
        try:
            yield
        except ObjectMissing as error:
            raise ItemRefused(ALL_REASONS["object_missing"], subject=location) from error
        except StoreDenied as error:
            raise ItemRefused(ALL_REASONS["object_denied"], subject=location) from error
        except BucketMissing as error:
            raise SourceMissing(str(error), subject=self.name) from error


def run_key(digest: str) -> str:
    """What a run is called: by what its listing was, so that the same listing is the same run."""
    return f"run-{digest[:16]}"


def build(name: str, options: Mapping[str, Any]) -> ArchiveSource:
    """A source from its settings. Raises `BadArchiveOptions`."""
    return ArchiveSource(name, parse_options(name, options))


__all__ = ["ALL_REASONS", "KIND", "ArchiveSource", "build", "run_key"]
