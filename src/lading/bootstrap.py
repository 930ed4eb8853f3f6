"""Wires settings to the parts of one installation; the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from lading.db import Database, open_database
from lading.db.revisions import require_current
from lading.ingest import Ingest, IngestParts
from lading.ingest.queueing import follow_job
from lading.ingest.registry import build_source
from lading.ingest.rules import GuardLimits
from lading.ingest.source import Source
from lading.jobs.context import Handler
from lading.jobs.duties import Duties
from lading.jobs.queue import Queue
from lading.jobs.worker import Duty
from lading.media.limits import DEFAULT_LIMITS
from lading.operations.operations import Operations
from lading.operations.scans import ScanSchedule
from lading.operations.watching.duty import WatchedScans, watched_trees
from lading.people.handlers import handlers as people_handlers
from lading.people.people import People
from lading.people.processes import FaceProcesses
from lading.settings import Settings
from lading.sorting.planning import PlaceNames
from lading.sorting.rules import NamedPlace
from lading.sorting.sorting import Sorting
from lading.sources.archive.run_jobs import RUN_JOB_KIND, run_archive
from lading.sources.photos.source import KIND as PHOTOS
from lading.sources.recordings import jobs as recording_jobs
from lading.storage.addresses import open_store
from lading.storage.port import ObjectStore

STORE_NAME: Final = "library"
"""What rows of the library call the configured store."""


@dataclass(frozen=True, slots=True)
class Lading:
    """An installation whose parts are open."""

    settings: Settings
    db: Database
    store: ObjectStore
    sources: Mapping[str, Source]
    queue: Queue
    ingest: Ingest
    operations: Operations
    sorting: Sorting
    people: People

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What a worker needs to run this installation's jobs."""
        return {
            **self.ingest.handlers(),
            **self.operations.handlers(),
            **self.sorting.handlers(),
            **people_handlers(self.people),
            RUN_JOB_KIND: partial(run_archive, self.ingest),
            **recording_jobs.handlers(self.ingest.parts),
        }

    @contextmanager
    def duty(self) -> Iterator[Duty | None]:
        """What a worker does beside its jobs: scans by the clock and after changes, if any."""
        every_s = self.settings.scan.every_s
        duties: list[Duty] = []
        with ExitStack() as stack:
            if every_s or self.ingest.parts.auto_queue:
                duties.append(ScanSchedule(self.ingest.parts, every_s=every_s))
            if trees := watched_trees(self.ingest.parts):
                duties.append(stack.enter_context(WatchedScans(self.ingest.parts, trees)))
            yield Duties(duties) if duties else None


@contextmanager
def open_lading(settings: Settings, *, need_migrated: bool = True) -> Iterator[Lading]:
    """Open everything the settings name and close it at the end of the block.

    Sources are not touched until they are used: one that is not mounted hinders nothing else.
    Raises `StoreError` for a database or store that cannot be used, `RequestError` for settings
    that make no sense, and, with `need_migrated`, `DatabaseNotMade` or
    `DatabaseNotMigrated`.
    """
    db = open_database(
        settings.database.address, pool_size=settings.database.pool_size, create=not need_migrated
    )
    with ExitStack() as closing:
        closing.callback(db.close)
        if need_migrated:
            require_current(db)
        store = open_store(STORE_NAME, settings.store.url, settings.store.options)
        sources = {
            name: build_source(chosen.kind, name, chosen.options)
            for name, chosen in settings.sources.items()
        }
        queue = Queue(db, hook=follow_job)
        roots = _photo_roots(settings)
        people = People(db, queue, store, roots, _face_processes(settings))
        closing.callback(people.close)
        parts = IngestParts(
            db=db,
            queue=queue,
            sources=sources,
            store=store,
            limits=GuardLimits(settings.scan.vanish_share_max, settings.scan.vanish_items_max),
            fetch_threads=settings.worker.fetch_threads,
            on_import_queued=people.follow_import if settings.faces.enabled else None,
            auto_queue=[name for name, one in settings.sources.items() if one.auto_queue],
        )
        ingest = Ingest(parts)
        operations = Operations(ingest, undo_for_s=settings.operations.undo_days * 86_400)
        without_inodes = [
            name for name, one in settings.sources.items() if not one.options.get("inodes", True)
        ]
        sorting = Sorting(db, queue, roots, _place_names(settings), without_inodes=without_inodes)
        yield Lading(settings, db, store, sources, queue, ingest, operations, sorting, people)


def _face_processes(settings: Settings) -> FaceProcesses:
    limits = replace(DEFAULT_LIMITS, engine_seconds_max=settings.faces.seconds_max)
    return FaceProcesses(settings.faces.processes, limits=limits)


def _photo_roots(settings: Settings) -> dict[str, Path]:
    """The folder of each source of photos, which `build_source` has checked."""
    return {
        name: Path(chosen.options["path"])
        for name, chosen in settings.sources.items()
        if chosen.kind == PHOTOS
    }


def _place_names(settings: Settings) -> PlaceNames:
    places = [
        NamedPlace(name, place.latitude, place.longitude, place.radius_km)
        for name, place in settings.sorting.places.items()
    ]
    return PlaceNames(places, settings.sorting.elsewhere)
