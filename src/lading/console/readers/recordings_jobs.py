"""What jobs did and do with recordings, by the ledger and the queue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.db.clock import now
from lading.jobs.queries import list_jobs
from lading.jobs.states import UNFINISHED_JOB_STATES, JobState
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.event_lists import EventFilter, list_event_page
from lading.ledger.queries import EventView
from lading.ledger.recording_events import (
    RecordingDownloaded,
    RecordingReconstructed,
    RecordingRegistered,
    RecordingVerified,
)
from lading.sources.recordings.jobs import KINDS

LOOKED_BACK_MAX: Final = 1_000
"""Among how many of the source's latest verifications that of a recording is looked for."""
JOBS_MAX: Final = 50
FAILED_JOBS_MAX: Final = 5
EVENT_KINDS: Final = (
    RecordingVerified.kind,
    RecordingDownloaded.kind,
    RecordingRegistered.kind,
    RecordingReconstructed.kind,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One verification: what was compared (`size` or `sha256`), when, and what it found."""

    seq: int
    at: datetime
    job_id: int | None
    checked: str
    files: int
    files_failed: int
    bytes_processed: int
    bytes_transferred: int
    failures: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, event: EventView) -> Verification:
        """It as its event has it."""
        facts = event.payload
        return cls(
            seq=event.seq,
            at=event.at,
            job_id=event.job_id,
            checked=str(facts["checked"]),
            files=int(facts["files"]),
            files_failed=int(facts["files_failed"]),
            bytes_processed=int(facts["bytes_processed"]),
            bytes_transferred=int(facts["bytes_transferred"]),
            failures=list(facts["failures"]),
        )


def latest_verifications(conn: Connection, source: str) -> dict[str, Verification]:
    """The last verification of each recording, by hash, among the source's latest."""
    filters = EventFilter(source=source, kinds=[RecordingVerified.kind])
    events = list_event_page(conn, filters, limit=LOOKED_BACK_MAX).events
    # Oldest first, so that the newest is what stays.
    return {
        str(event.payload["recording_hash"]): Verification.of(event) for event in reversed(events)
    }


def events_of(
    conn: Connection, source: str, names: Collection[str], batch_id: int | None, limit: int = 50
) -> list[EventView]:
    """The newest events about a recording: those of its batch, and what jobs did with it.

    `names` are its hash and identifier. Of the latter as many are looked at as of verifications.
    """
    found: dict[int, EventView] = {}
    if batch_id is not None:
        own = list_event_page(conn, EventFilter(batch_id=batch_id), limit=limit).events
        found.update((event.seq, event) for event in own)
    done = list_event_page(
        conn, EventFilter(source=source, kinds=EVENT_KINDS), limit=LOOKED_BACK_MAX
    ).events
    for event in done:
        facts = event.payload
        if facts.get("recording_hash") in names or facts.get("recording_id") in names:
            found[event.seq] = event
    return sorted(found.values(), key=lambda event: -event.seq)[:limit]


def read_jobs(console: Console, *, about: Collection[str] = ()) -> list[JobRow]:
    """The jobs of recordings that have not ended, and the last that failed.

    `about` narrows them to those of one recording, by hash and identifier.
    """
    with console.lading.db.read() as conn:
        found = [
            job
            for states, limit in (
                (sorted(UNFINISHED_JOB_STATES), JOBS_MAX),
                ([JobState.FAILED], FAILED_JOBS_MAX),
            )
            for job in list_jobs(
                conn, JobFilter(states=states, kinds=KINDS), cursor=None, limit=limit
            ).jobs
        ]
    wanted = set(about)
    return [job for job in found if not wanted or wanted & set(_about(job))]


def read_lines_of(console: Console, ids: Collection[int]) -> list[JobLine]:
    """These jobs as lines, also those that ended meanwhile."""
    with console.lading.db.read() as conn:
        jobs = list_jobs(
            conn, JobFilter(ids=sorted(ids), kinds=KINDS), cursor=None, limit=max(1, len(ids))
        ).jobs
    return lines_of(console, jobs)


def lines_of(console: Console, jobs: Sequence[JobRow]) -> list[JobLine]:
    """Jobs as lines."""
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        return job_lines(conn, jobs, conn.scalars(select(now())).one(), pulse)


def _about(job: JobRow) -> list[str]:
    return [
        str(job.params[name]) for name in ("recording_hash", "recording_id") if name in job.params
    ]
