"""Every page of the console as an address, with what stands in it filled in from the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, select

from lading.accounts.values import Role
from lading.jobs.tables import import_job, worker
from lading.ledger.archive_events import ArchiveRehearsed
from lading.ledger.events import ScanFinished
from lading.ledger.tables import ingest_batch, ingest_batch_item, ingest_event
from lading.library.people_tables import person
from lading.library.tables import (
    access_package,
    asset,
    asset_collection,
    asset_event,
    asset_gallery,
    site,
)
from lading.operations.problems import ProblemKind, fingerprint_of
from lading.operations.tables import operation
from lading.sorting.tables import sort_run
from lading.testing.console_archive import ARCHIVE, COMPLETE
from lading.testing.console_recordings import CONFLICTING, HALVES_HASH
from lading.testing.seed_57 import SOURCE

RECORDINGS = "recordings"
PHOTOS = "photos"
PEOPLE = "people"
LISTS = (
    "/",
    "/import",
    "/import/explain?ref=a",
    "/scans",
    "/jobs",
    "/operations",
    "/problems",
    "/library/assets",
    "/library/galleries",
    "/library/collections",
    "/library/events",
    "/library/sites",
    "/library/packages",
    "/library/trash",
    "/sources",
    "/workers",
    "/settings",
    "/audit",
    "/tokens",
    "/about",
    "/profile",
    "/password",
    "/go?q=lake",
    "/archive",
    "/archive/objects",
    "/archive/objects?state=rejected",
    "/archive/rejects",
    "/recordings",
    "/recordings?state=local",
    "/photos",
    "/photos/places",
    "/photos/folders",
    "/photos/duplicates",
    "/photos/duplicates?kind=same",
    "/photos/sorting",
    "/people",
    "/people/unassigned",
    "/people/unassigned?show=passed_over",
    "/people/lab",
    "/people/lab/versions",
)
"""Pages without a thing they are about; everybody who is signed in may see them."""

DETAILS = (
    "/import/batches/{batch}",
    "/import/batches/{batch}/items/{item}",
    "/import/batches/{batch}/events",
    "/import/batches/{batch}/provenance",
    "/import/batches/{batch}/manifest",
    "/import/batches/{batch}/history",
    "/jobs/{job}",
    "/jobs/{job}/items",
    "/jobs/{job}/log",
    "/jobs/{job}/params",
    "/jobs/{job}/history",
    "/library/assets/{asset}",
    "/library/assets/{asset}/renditions",
    "/library/assets/{asset}/ai",
    "/library/assets/{asset}/provenance",
    "/library/assets/{asset}/history",
    "/library/galleries/{gallery}",
    "/library/collections/{collection}",
    "/library/events/{event}",
    "/library/sites/{site}",
    "/library/packages/{package}",
    "/sources/{source}",
    "/scans/{scan}",
    "/operations/{operation}",
    "/problems/{problem}",
    "/workers/{worker}",
    "/archive/runs/{archive_run}",
    "/archive/runs/dry-{dry_run}",
    "/archive/objects/{code}",
    "/archive/rejects?rule=code_malformed",
    "/recordings/{recording}",
    "/recordings/{recording}/files",
    "/recordings/{recording}/participants",
    "/recordings/{recording}/verify",
    "/recordings/{recording}/history",
    f"/recordings/ingest?id={CONFLICTING}",
    "/photos?on=clock",
    "/photos/places?bbox=-20,30,30,70",
    "/photos/folders/home/2024/garden",
    "/people/{person}",
    "/people/{person}?state=confirmed",
    "/library/assets?person={person}",
    "/people/{person}/merge?into=2",
    "/photos/sorting/preview?source=home",
    "/photos/sorting/preview?source=home&show=undated",
    "/photos/sorting/{sort_run}",
    "/people/lab/1",
    "/people/lab/1?show=files&distance_max=0.4",
    "/people/lab/1/adopt?distance_max=0.4",
    "/people/lab/2",
    "/people/lab/versions/0",
)
"""Pages about one thing, with the tabs that it has."""

ADMIN_ONLY = ("/users", "/users/{user}")
SIGNED_OUT = ("/sign-in",)
PLAIN = ("/sign-in", "/password")
"""Pages without the menu and what else stands around the others."""

NOT_LOOKED_AT = (
    "/health",
    "/ready",
    "/sign-in/oidc",
    "/sign-in/oidc/callback",
    # The first tab of each thing is at the address of the thing itself, too.
    "/import/batches/{batch}/items",
    "/jobs/{job}/overview",
    "/recordings/{recording_hash}/modalities",
    "/photos/folders/{place:path}",
    # Looked at with the recording that it is about.
    "/recordings/ingest",
)
"""What no person reads, or reads at another address."""

ROUTES = (*LISTS, *DETAILS, *ADMIN_ONLY, *SIGNED_OUT)

# Something went wrong in it, so that all that a page can say is said.
_IN_TROUBLE = (
    ingest_batch_item.c.last_error.is_(None),
    ingest_batch.c.revision.desc(),
    ingest_batch.c.id,
    ingest_batch_item.c.seq,
)
_BATCHES = ingest_batch.outerjoin(
    ingest_batch_item, ingest_batch_item.c.batch_id == ingest_batch.c.id
)
_FIRST: Mapping[str, Callable[[], Select[tuple[object]]]] = {
    "batch": lambda: select(ingest_batch.c.batch_key).select_from(_BATCHES).order_by(*_IN_TROUBLE),
    "item": lambda: select(ingest_batch_item.c.seq).select_from(_BATCHES).order_by(*_IN_TROUBLE),
    "job": lambda: select(import_job.c.id).order_by(
        import_job.c.status != "running", import_job.c.bytes_moved.desc(), import_job.c.id
    ),
    "asset": lambda: (
        select(asset.c.content_hash)
        .where(asset.c.deleted_at.is_(None))
        .order_by(asset.c.asset_type.desc(), asset.c.id)
    ),
    "gallery": lambda: select(asset_gallery.c.key).order_by(asset_gallery.c.id),
    "collection": lambda: select(asset_collection.c.key).order_by(asset_collection.c.id),
    "event": lambda: select(asset_event.c.key).order_by(asset_event.c.id),
    "person": lambda: select(person.c.id).order_by(person.c.id),
    "site": lambda: select(site.c.key).order_by(site.c.id.desc()),
    "package": lambda: select(access_package.c.key).order_by(access_package.c.id),
    "operation": lambda: select(operation.c.key).order_by(operation.c.id),
    "worker": lambda: select(worker.c.id).order_by(worker.c.seen_at.desc()),
    "sort_run": lambda: select(sort_run.c.key).order_by(sort_run.c.id),
    "scan": lambda: (
        select(ingest_event.c.seq)
        .where(ingest_event.c.kind == ScanFinished.kind)
        .order_by(ingest_event.c.seq.desc())
    ),
    "archive_run": lambda: (
        select(ingest_batch.c.id)
        .where(ingest_batch.c.source == ARCHIVE)
        .order_by(ingest_batch.c.id.desc())
    ),
    "dry_run": lambda: (
        select(ingest_event.c.seq)
        .where(ingest_event.c.kind == ArchiveRehearsed.kind)
        .order_by(ingest_event.c.seq)
    ),
}


_FIXED = {
    "source": SOURCE,
    "user": "vera",
    "problem": fingerprint_of(ProblemKind.ITEM, SOURCE, "hash_mismatch"),
    "code": COMPLETE,
    "recording": HALVES_HASH,
}


@dataclass
class Places:
    """Fills routes in; each thing is looked up once."""

    conn: Connection
    _known: dict[str, str] = field(default_factory=lambda: dict(_FIXED))

    def address(self, route: str) -> str | None:
        """The address of a page; None when the data has nothing that it could be about."""
        for name in re.findall(r"\{(\w+)\}", route):
            if name not in self._known:
                self._known[name] = str(self.conn.scalar(_FIRST[name]().limit(1)) or "")
            if not self._known[name]:
                return None
        return route.format(**self._known)


def data_for(route: str) -> str:
    """What a page is looked at with, so that it has something to show."""
    if "{person}" in route:
        return PEOPLE
    named = (name for name in (ARCHIVE, RECORDINGS, PHOTOS, PEOPLE) if route.startswith(f"/{name}"))
    return next(named, "busy")


def role_for(route: str) -> Role | None:
    """Who looks at a page at best; None for nobody who is signed in."""
    return None if route in SIGNED_OUT else Role.ADMIN
