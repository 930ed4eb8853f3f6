"""Scans as pages and the API show them: what each found, what it refused to believe, who is at it.

A scan that ended is an event of the ledger; one that is wanted or running is a job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select

from lading.base.errors import RequestError
from lading.base.units import format_count
from lading.console.parts import Console
from lading.console.scan_words import BATCH, noun_of
from lading.jobs.queries import list_jobs
from lading.jobs.states import UNFINISHED_JOB_STATES, JobState
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.event_lists import EventFilter, EventPage, list_event_page
from lading.ledger.events import (
    BatchFound,
    BatchMoved,
    BatchUpdated,
    FolderScanned,
    FolderScanRefused,
    ScanFinished,
    ScanRefused,
)
from lading.ledger.queries import EventView, last_event, list_events
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.operations.scans import SCAN_JOB_KIND

SCAN_JOBS_MAX: Final = 100
FAILED_JOBS_MAX: Final = 5
FOLDER_SCANS_READ: Final = 50
_REFUSED: Final = (ScanRefused.kind, FolderScanRefused.kind)
_FINISHED: Final = (ScanFinished.kind, FolderScanned.kind)
_ENDS: Final = (*_FINISHED, *_REFUSED)
_WHOLE_ENDS: Final = (ScanFinished.kind, ScanRefused.kind)
SCAN_KINDS: Final[Mapping[bool | None, Sequence[str]]] = {
    None: _ENDS,
    True: _REFUSED,
    False: _FINISHED,
}
"""The events that say that a scan ended, by whether it was refused."""
_CHANGES: Final = (BatchFound.kind, BatchUpdated.kind, BatchMoved.kind)


class ScanMissing(RequestError):
    """No scan ended with the event of this number."""

    code = "scan_missing"
    http_status = 404
    next_step = "Look at the list of scans."


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan that ended. `counts` are of batches; a refused scan changed nothing.

    `folder` is given when it was of one folder and what is below it. `noun` and `nouns` are what
    its batches are called.
    """

    seq: int
    at: datetime
    source: str
    folder: str | None = None
    actor: str
    job_id: int | None
    refused: bool
    reason: str | None
    counts: Mapping[str, int]
    root_identity: str | None
    noun: str = BATCH.one
    nouns: str = BATCH.many

    @property
    def url(self) -> str:
        """The page of the scan."""
        return f"/scans/{self.seq}"

    @property
    def place(self) -> str:
        """What was scanned, by name."""
        return self.source if self.folder is None else f"{self.source}/{self.folder}"

    @property
    def unreadable(self) -> int:
        """How many batches were there but could not be consumed as they were."""
        return self.counts.get("unreadable", 0)

    @property
    def sentence(self) -> str:
        """What it found, in one line."""
        if self.refused:
            known, vanished = self.counts["known"], self.counts["vanished"]
            return f"{known - vanished:,} of {known:,} known {self.nouns} seen; nothing changed"
        found = format_count(self.counts["found"], self.noun, self.nouns)
        parts = [
            f"{self.counts['unchanged']:,} known",
            f"{self.counts['new']:,} new",
            f"{self.counts['updated']:,} updated",
        ]
        if self.counts["superseded"]:
            parts.append(f"{self.counts['superseded']:,} withdrawn")
        parts.append(f"{self.unreadable:,} not ready")
        return f"{found}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScan:
    """One source: its last scan, and the job that is to scan it, or is at it."""

    name: str
    last: Scan | None
    job: JobRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPage:
    """Scans, newest first, and the cursors of the pages around them."""

    scans: Sequence[Scan]
    next_cursor: str | None
    prev_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanDetail:
    """One scan with what it changed.

    `waiting` counts the batches of its source that cannot be consumed now, by reason. `since` is
    the scan of that source before it; `newest` says that none came after it.
    """

    scan: Scan
    changes: EventPage
    waiting: Mapping[str, int]
    since: Scan | None
    newest: bool
    batches: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLine:
    """One change that a scan recorded: a batch was `new`, `updated` or `withdrawn`."""

    seq: int
    at: datetime
    batch_id: int | None
    batch_key: str
    what: str
    reason: str | None
    facts: Mapping[str, Any]


def read_sources(console: Console, names: Iterable[str] | None = None) -> list[SourceScan]:
    """Every configured source, or those of `names`, with its last scan."""
    wanted = console.lading.sources if names is None else names
    with console.lading.db.read() as conn:
        jobs = unfinished_scans(conn)
        return [
            SourceScan(name=name, last=_last(console, conn, name), job=jobs.get(name))
            for name in sorted(wanted)
        ]


def read_scans(
    console: Console,
    *,
    source: str | None = None,
    refused: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> ScanPage:
    """A page of the scans that ended, newest first. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        page = list_event_page(
            conn, EventFilter(kinds=SCAN_KINDS[refused], source=source), cursor=cursor, limit=limit
        )
    return ScanPage(
        scans=[_scan(console, event) for event in page.events],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def read_scan(console: Console, seq: int, *, cursor: str | None, limit: int) -> ScanDetail:
    """One scan by the number of its event. Raises `ScanMissing` and `BadCursor`."""
    with console.lading.db.read() as conn:
        events = list_events(conn, after=seq - 1, limit=1) if 0 < seq < 2**63 else []
        if not events or events[0].seq != seq or events[0].kind not in _ENDS:
            raise ScanMissing("there is no such scan", subject=str(seq))
        scan = _scan(console, events[0])
        earlier = EventFilter(kinds=_ENDS, source=scan.source, before_seq=seq)
        before = list_event_page(conn, earlier, limit=1).events
        since = _scan(console, before[0]) if before else None
        changes = _changes(conn, scan, since, cursor=cursor, limit=limit)
        last = _last(console, conn, scan.source)
        numbers = {e.batch_id for e in changes.events if e.batch_id is not None}
        return ScanDetail(
            scan=scan,
            changes=changes,
            waiting={} if scan.refused else _waiting(conn, scan.source),
            since=since,
            newest=last is None or last.seq <= seq,
            batches=_keys(conn, sorted(numbers)),
        )


def read_scan_lines(detail: ScanDetail) -> list[ScanLine]:
    """What a scan changed, as lines of a list."""
    words = {
        BatchFound.kind: "new",
        BatchUpdated.kind: "updated",
        BatchMoved.kind: "withdrawn",
    }
    return [
        ScanLine(
            seq=event.seq,
            at=event.at,
            batch_id=event.batch_id,
            batch_key=detail.batches.get(event.batch_id or 0, ""),
            what=words[event.kind],
            reason=event.payload.get("reason"),
            facts=event.payload,
        )
        for event in detail.changes.events
    ]


def read_scan_jobs(console: Console) -> list[JobRow]:
    """The scans that are wanted or running, and the last ones that failed."""
    with console.lading.db.read() as conn:
        unfinished = unfinished_scan_jobs(conn)
        failed = list_jobs(
            conn,
            JobFilter(states=[JobState.FAILED], kinds=[SCAN_JOB_KIND]),
            cursor=None,
            limit=FAILED_JOBS_MAX,
        ).jobs
    return [*unfinished, *failed]


def unfinished_scans(conn: Connection) -> dict[str, JobRow]:
    """The job that is to scan each source, or is at it; a running one before one that waits.

    Those that scan a folder alone are none.
    """
    found: dict[str, JobRow] = {}
    for job in unfinished_scan_jobs(conn):
        name = str(job.params.get("source", ""))
        if "folder" in job.params:
            continue
        if name not in found or job.status is JobState.RUNNING:
            found[name] = job
    return found


def unfinished_scan_jobs(conn: Connection) -> Sequence[JobRow]:
    """The scans that are wanted or running, also of folders alone."""
    return list_jobs(
        conn,
        JobFilter(states=sorted(UNFINISHED_JOB_STATES), kinds=[SCAN_JOB_KIND]),
        cursor=None,
        limit=SCAN_JOBS_MAX,
    ).jobs


def last_folder_scans(console: Console, conn: Connection, source: str) -> list[Scan]:
    """The last scans of folders of a source, the newest first."""
    kinds = (FolderScanned.kind, FolderScanRefused.kind)
    page = list_event_page(conn, EventFilter(kinds=kinds, source=source), limit=FOLDER_SCANS_READ)
    return [_scan(console, event) for event in page.events]


def _last(console: Console, conn: Connection, source: str) -> Scan | None:
    """The last scan of all of a source."""
    ends = [last_event(conn, source=source, kind=kind) for kind in _WHOLE_ENDS]
    newest = max((event for event in ends if event), key=lambda e: e.seq, default=None)
    return None if newest is None else _scan(console, newest)


def _scan(console: Console, event: EventView) -> Scan:
    facts: Mapping[str, Any] = event.payload
    refused = event.kind in _REFUSED
    source = console.lading.sources.get(event.source or "")
    noun = noun_of(source.kind if source else None)
    names = (
        ("known", "vanished", "threshold")
        if refused
        else ("found", "new", "updated", "unchanged", "unreadable", "superseded")
    )
    return Scan(
        seq=event.seq,
        at=event.at,
        source=event.source or "",
        folder=facts.get("folder"),
        actor=event.actor,
        job_id=event.job_id,
        refused=refused,
        reason=facts.get("reason"),
        counts={name: int(facts.get(name, 0)) for name in names},
        root_identity=facts.get("root_identity"),
        noun=noun.one,
        nouns=noun.many,
    )


def _changes(
    conn: Connection, scan: Scan, since: Scan | None, *, cursor: str | None, limit: int
) -> EventPage:
    """What the scan recorded: the changes of its source between the scan before and its end."""
    filters = EventFilter(
        kinds=_CHANGES,
        source=scan.source,
        actor=scan.actor,
        after_seq=since.seq if since else None,
        before_seq=scan.seq,
    )
    return list_event_page(conn, filters, newest_first=False, cursor=cursor, limit=limit)


def _waiting(conn: Connection, source: str) -> dict[str, int]:
    batch = ingest_batch.c
    rows = conn.execute(
        select(batch.reason, func.count().label("batches"))
        .where(
            batch.source == source,
            batch.state == BatchState.PENDING.value,
            batch.reason.is_not(None),
        )
        .group_by(batch.reason)
        .order_by(func.count().desc(), batch.reason)
    )
    return {row.reason: int(row.batches) for row in rows}


def _keys(conn: Connection, numbers: Sequence[int]) -> dict[int, str]:
    if not numbers:
        return {}
    rows = conn.execute(
        select(ingest_batch.c.id, ingest_batch.c.batch_key).where(ingest_batch.c.id.in_(numbers))
    )
    return {row.id: row.batch_key for row in rows}
