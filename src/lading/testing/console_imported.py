"""A small library that was really imported: photos, a film, containers, sites, and some trash."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from lading.base.stopping import StopSignal
from lading.bootstrap import Lading
from lading.cli.demo.maker import make_demo_tree
from lading.jobs.worker import Worker
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.library.packages import add_to_package, attach_package, create_package
from lading.library.sites import allow_hashes, create_site, grant_assets, grant_containers
from lading.library.tables import asset
from lading.library.values import ContainerRef
from lading.operations.values import Resource, Targets, Verb
from lading.testing.bundles import BundlePublisher

ACTOR: Final = "user:otto"
ADMIN: Final = "user:ada"
UPSTREAM: Final = "upstream"


def make_imported(lading: Lading, source: str) -> None:
    """Publish, scan, queue and import, then show some of it on sites and delete a little."""
    root = upstream_of(lading)
    (root / "sync").rmdir()
    root.rmdir()
    make_demo_tree(root)
    take_in(lading, source)
    with lading.db.read() as conn:
        hashes = list(conn.scalars(select(asset.c.content_hash).order_by(asset.c.id)))
    publisher = BundlePublisher(root, seed=11)
    _publish_containers(publisher, hashes)
    take_in(lading, source)
    _publish_update(publisher)
    take_in(lading, source)
    with lading.db.write() as conn:
        _show_on_sites(conn, hashes)
    with lading.db.read() as conn:
        chosen = list(conn.scalars(select(asset.c.id).where(asset.c.content_hash == hashes[-2])))
    lading.operations.start(Verb.DELETE, Targets(resource=Resource.ASSETS, ids=chosen), actor=ACTOR)


def upstream_of(lading: Lading) -> Path:
    """The folder its first source publishes to."""
    return Path(os.path.dirname(lading.settings.data_dir)) / UPSTREAM


def take_in(lading: Lading, source: str) -> None:
    """Scan, queue what can be queued, and import it in this thread."""
    lading.ingest.scan(source, actor=ACTOR)
    lading.ingest.queue(batches_in(lading, source, BatchState.PENDING), actor=ACTOR)
    drain(lading)


def batches_in(lading: Lading, source: str, state: BatchState) -> Sequence[int]:
    """The ids of the batches of a source in one state that nothing hinders, the oldest first."""
    query = select(ingest_batch.c.id).where(
        ingest_batch.c.source == source,
        ingest_batch.c.state == state.value,
        ingest_batch.c.reason.is_(None),
    )
    with lading.db.read() as conn:
        return list(conn.scalars(query.order_by(ingest_batch.c.id)))


def drain(lading: Lading) -> None:
    """Run a worker in this thread until nothing is left to do."""
    settings = lading.settings.worker.limits
    Worker(lading.db, lading.queue, lading.handlers, settings, stop=StopSignal()).run(drain=True)


def _publish_containers(publisher: BundlePublisher, hashes: Sequence[str]) -> None:
    walk = publisher.bundle("collection")
    walk.collection("lake", hashes, title="All of the lake")
    walk.publish()
    day = publisher.bundle("event")
    day.event("first-of-may", hashes[:4], title="The first of May")
    day.publish()
    # One member is still on its way: nobody has published it yet.
    more = publisher.bundle("gallery")
    own = [more.photo(f"sketch-{number}", title=f"Sketch {number}") for number in range(3)]
    more.gallery("sketches", own, title="Sketches with a long title that says what they show")
    more.publish()


def _publish_update(publisher: BundlePublisher) -> None:
    """The same items again, and one taken away."""
    bundle = publisher.bundle("asset", "update")
    bundle.video_simple("waves", duration_s=75.5)
    bundle.publish()


def _show_on_sites(conn: Connection, hashes: Sequence[str]) -> None:
    create_site(conn, "north", "Northern archive", actor=ADMIN)
    create_site(conn, "south", "Southern reading room", actor=ADMIN)
    create_package(conn, "lake-package", "Everything about the lake", actor=ADMIN)
    grant_assets(conn, "north", hashes[:3], actor=ADMIN)
    allow_hashes(conn, "south", [*hashes[2:4], "f" * 64], actor=ADMIN)
    grant_containers(conn, "south", [ContainerRef("collection", "lake")], actor=ADMIN)
    day = [ContainerRef("event", "first-of-may")]
    add_to_package(conn, "lake-package", hashes=hashes[:2], containers=day, actor=ADMIN)
    attach_package(conn, "north", "lake-package", actor=ADMIN)
