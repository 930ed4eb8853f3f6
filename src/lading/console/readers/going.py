"""Finds what a person means who types a number, a key, a hash or a name (design 4.19)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy import ColumnElement, Connection, select

from lading.console.event_links import event_url
from lading.console.job_words import kind_word, worker_name, worker_url
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.recordings_held import sources_of
from lading.console.readers.recordings_lines import RECORDINGS
from lading.console.render import UNKNOWN_REASON
from lading.db.walks import starts_with
from lading.jobs.tables import import_job
from lading.jobs.tables import worker as worker_table
from lading.ledger.batches import Batch
from lading.ledger.queries import event_view
from lading.ledger.tables import ingest_batch, ingest_event
from lading.library.browsing import browse_assets
from lading.library.filters import HASH_PREFIX_MIN, AssetFilter
from lading.library.sites import find_site
from lading.library.tables import CONTAINERS, ContainerKind, access_package, asset, asset_file
from lading.operations.tables import operation

EACH_MAX: Final = 8
ALL_MAX: Final = 40
TEXT_MAX: Final = 200
_PREFIX_MIN: Final = 4
_SECTIONS: Final = {
    ContainerKind.GALLERY: "galleries",
    ContainerKind.COLLECTION: "collections",
    ContainerKind.EVENT: "events",
}
_NUMBER: Final = re.compile(r"(?:job|batch|#)?\s*([0-9]{1,18})", re.IGNORECASE)
_EVENT: Final = re.compile(r"(?:event\s*|e)([0-9]{1,18})", re.IGNORECASE)
_RECORDING: Final = re.compile(r"rec_[A-Za-z0-9._-]+|[0-9a-f]{16,64}")
_HEX: Final = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that may be meant. `exact`: what was typed is its whole name."""

    what: str
    name: str
    url: str
    exact: bool = False
    note: str = ""


Search = Callable[[Console, Connection, str], Iterator[Hit]]


def find_anything(console: Console, text: str) -> list[Hit]:
    """All that the text may mean, each kind of thing in a few; what is exactly so comes first."""
    typed = text.replace("\0", "").strip()[:TEXT_MAX]
    if not typed:
        return []
    found: dict[str, Hit] = {}
    with console.lading.db.read() as conn:
        for search in _SEARCHES:
            for hit in search(console, conn, typed):
                found.setdefault(hit.url, hit)
    return sorted(found.values(), key=lambda hit: not hit.exact)[:ALL_MAX]


def only_one(hits: Sequence[Hit]) -> Hit | None:
    """What is meant beyond doubt: the only hit, or the only one whose whole name was typed."""
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1:
        return exact[0]
    return hits[0] if len(hits) == 1 else None


def _numbered(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    match = _NUMBER.fullmatch(typed)
    if match is not None:
        number, named = int(match.group(1)), typed.lower()
        if not named.startswith("batch"):
            job = conn.execute(
                select(import_job.c.kind).where(import_job.c.id == number)
            ).one_or_none()
            if job is not None:
                exact = True
                yield Hit("Job", f"{kind_word(job.kind)} {number}", f"/jobs/{number}", exact)
        if not named.startswith("job"):
            row = conn.execute(
                select(ingest_batch).where(ingest_batch.c.id == number)
            ).one_or_none()
            if row is not None:
                exact = named.startswith("batch")
                yield _batch(Batch.from_row(row), exact=exact)
    match = _EVENT.fullmatch(typed)
    if match is not None:
        seq = int(match.group(1))
        row = conn.execute(select(ingest_event).where(ingest_event.c.seq == seq)).one_or_none()
        if row is not None:
            words = f"{seq}, {row.kind.replace('_', ' ')}"
            yield Hit("Event", words, event_url(event_view(row)), exact=True)


def _batches(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    if len(typed) < _PREFIX_MIN:
        return
    rows = conn.execute(
        select(ingest_batch)
        .where(starts_with(ingest_batch.c.batch_key, typed))
        .order_by(ingest_batch.c.batch_key, ingest_batch.c.id)
        .limit(EACH_MAX)
    )
    for row in rows:
        yield _batch(Batch.from_row(row), exact=row.batch_key == typed)


def _batch(batch: Batch, *, exact: bool) -> Hit:
    note = f"{batch.type or 'unread'} {batch.action}".strip()
    return Hit("Batch", batch.batch_key, batch_url(batch), exact, f"{note}, {batch.source}")


def _operations(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    row = conn.execute(select(operation).where(operation.c.key == typed)).one_or_none()
    if row is not None:
        note = f"{row.verb.replace('_', ' ')} {row.resource}"
        yield Hit("Operation", row.key, f"/operations/{row.key}", exact=True, note=note)


def _hashes(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    """Files by the hash of their own bytes, which for all but originals is not their asset's."""
    match = _HEX.fullmatch(typed)
    if match is None or len(match.group(1)) < HASH_PREFIX_MIN:
        return
    digits = match.group(1).lower()
    rows = conn.execute(
        select(asset_file.c.sha256, asset_file.c.role, asset_file.c.path, asset.c.content_hash)
        .join(asset, asset.c.id == asset_file.c.asset_id)
        .where(starts_with(asset_file.c.sha256, digits))
        .order_by(asset_file.c.sha256, asset_file.c.id)
        .limit(EACH_MAX)
    )
    for row in rows:
        exact = row.sha256 == digits
        if row.sha256 == row.content_hash:
            url = f"/library/assets/{row.content_hash}"
            yield Hit("Asset", row.content_hash, url, exact, row.path)
        else:
            url = f"/library/assets/{row.content_hash}/files"
            yield Hit("File", row.path, url, exact, row.role.replace("_", " "))


def _assets(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    """By the words of a title or the name of a file; in the trash, too."""
    if len(typed) < 2:
        return
    found = browse_assets(conn, AssetFilter(q=typed, deleted=None), limit=EACH_MAX)
    for row in found.assets:
        facts = row.facts
        note = "in the trash" if row.deleted_at is not None else facts.asset_type
        exact = typed.lower() in {facts.content_hash, (facts.title or "").lower()}
        url = f"/library/assets/{facts.content_hash}"
        yield Hit("Asset", facts.title or facts.content_hash, url, exact, note)


def _containers(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    for kind, section in _SECTIONS.items():
        table, _ = CONTAINERS[kind]
        by_key: ColumnElement[bool] = starts_with(table.c.key, typed)
        if len(typed) < _PREFIX_MIN:
            by_key = table.c.key == typed
        rows = conn.execute(
            select(table).where(by_key).order_by(table.c.key, table.c.id).limit(EACH_MAX)
        )
        for row in rows:
            note = "in the trash" if row.deleted_at is not None else row.key
            yield Hit(
                kind.value.capitalize(),
                row.title or row.key,
                f"/library/{section}/{row.id}",
                row.key == typed,
                note,
            )


def _named(console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    """Sites, access packages and sources by their keys."""
    site = find_site(conn, typed)
    if site is not None:
        yield Hit("Site", site.name, f"/library/sites/{quote(site.key)}", exact=True)
    package = conn.execute(
        select(access_package).where(access_package.c.key == typed)
    ).one_or_none()
    if package is not None:
        url = f"/library/packages/{quote(package.key)}"
        yield Hit("Access package", package.name, url, exact=True)
    if typed in console.lading.sources:
        yield Hit("Source", typed, f"/sources/{quote(typed)}", exact=True)


def _workers(_console: Console, conn: Connection, typed: str) -> Iterator[Hit]:
    if len(typed) < _PREFIX_MIN:
        return
    rows = conn.execute(
        select(worker_table)
        .where(starts_with(worker_table.c.id, typed))
        .order_by(worker_table.c.stopped_at.is_not(None), worker_table.c.seen_at.desc())
        .limit(EACH_MAX)
    )
    for row in rows:
        note = "stopped" if row.stopped_at is not None else ""
        yield Hit("Worker", worker_name(row.id), worker_url(row.id), row.id == typed, note)


def _reasons(console: Console, _conn: Connection, typed: str) -> Iterator[Hit]:
    """Open problems by their code."""
    # Only for what is a code at all: looking through all problems is the dearest search here.
    code = typed.rpartition(".")[2]
    if console.renderer.reason_of(code).sentence == UNKNOWN_REASON:
        return
    for group in console.operations.problems.groups():
        if typed in {group.code, group.fingerprint}:
            url = f"/problems/{quote(group.fingerprint, safe='.')}"
            yield Hit(
                "Problem", group.code, url, exact=True, note=f"{group.count:,}, {group.source}"
            )


def _recordings(console: Console, _conn: Connection, typed: str) -> Iterator[Hit]:
    """The way to look in the catalog of recordings, which is not asked while one waits here."""
    if _RECORDING.fullmatch(typed) and sources_of(console):
        url = f"{RECORDINGS}?{urlencode({'q': typed})}"
        yield Hit("Recordings", typed, url, note="look in the catalog")


_SEARCHES: Final[Sequence[Search]] = (
    _numbered,
    _batches,
    _operations,
    _hashes,
    _assets,
    _containers,
    _named,
    _recordings,
    _workers,
    _reasons,
)
