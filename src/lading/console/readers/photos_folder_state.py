"""How a folder of photos stands: its last scan, the jobs that are at it, and files not seen there.

What is in the library and was not at its place when a scan looked is dangling: it waits for an
import, for a scan of the whole source, or for somebody to say that a scan is to be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from lading.console.parts import Console
from lading.console.readers.scans import Scan, last_folder_scans, unfinished_scan_jobs
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.ingest.rules import is_gone, is_of_part
from lading.jobs.queries import list_jobs
from lading.jobs.states import UNFINISHED_JOB_STATES
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.batches import Batch
from lading.ledger.states import Outcome
from lading.ledger.tables import ingest_batch_item
from lading.library.photo_queries import live_locations
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND
from lading.people.people import folder_of_batch
from lading.sources.photos.folders import lies_below
from lading.sources.photos.open_batch import VANISHED

FILES_SHOWN: Final = 50
_FACE_JOBS_READ: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Dangling:
    """Files of a folder that are in the library and were not there at the last look.

    `files` are the first of `count`, by path below the source's root. `whole_scan`: only a scan of
    the whole source tells whether they moved.
    """

    count: int
    files: Sequence[str]
    whole_scan: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What is at work on a folder, its own last scan, and what is dangling in it.

    `scan` is the last one of the folder, or of one that it lies in, if any was scanned alone.
    """

    scan: Scan | None
    scan_jobs: Sequence[JobRow]
    jobs: Sequence[JobRow]
    dangling: Dangling | None

    @property
    def job_ids(self) -> list[int]:
        """The numbers of all jobs."""
        return [job.id for job in (*self.scan_jobs, *self.jobs)]

    @property
    def scan_job(self) -> JobRow | None:
        """The scan that is to look at all of the folder, or is at it."""
        return self.scan_jobs[0] if self.scan_jobs else None


def read_state(
    console: Console, conn: Connection, source: str, path: str, batch: Batch | None
) -> FolderState:
    """How a folder stands: as many statements for a large one as for a small one."""
    alone = last_folder_scans(console, conn, source)
    over = [scan for scan in alone if lies_below(path, scan.folder or "")]
    return FolderState(
        scan=over[0] if over else None,
        scan_jobs=[
            job
            for job in unfinished_scan_jobs(conn)
            if job.params.get("source") == source
            and lies_below(path, str(job.params.get("folder") or ""))
        ],
        jobs=[] if batch is None else _jobs_of(conn, batch),
        dangling=None if batch is None else _dangling(conn, batch),
    )


def _jobs_of(conn: Connection, batch: Batch) -> list[JobRow]:
    """The unfinished jobs that import the folder, or look for faces in it."""
    unfinished = sorted(UNFINISHED_JOB_STATES)
    imports = list_jobs(
        conn,
        JobFilter(states=unfinished, kinds=[IMPORT_JOB_KIND], batch_id=batch.id),
        cursor=None,
        limit=1,
    ).jobs
    faces = list_jobs(
        conn,
        JobFilter(states=unfinished, kinds=[FACES_JOB_KIND, MATCH_JOB_KIND]),
        cursor=None,
        limit=_FACE_JOBS_READ,
    ).jobs
    digest = folder_of_batch(batch).digest
    mine = [
        job
        for job in faces
        if (job.params.get("source"), job.params.get("digest")) == (batch.source, digest)
    ]
    return [*imports, *mine]


def _dangling(conn: Connection, batch: Batch) -> Dangling | None:
    if is_gone(batch.fingerprint):
        digest = folder_of_batch(batch).digest
        count, files = live_locations(conn, batch.source, digest, limit=FILES_SHOWN)
    else:
        count, files = _vanished(conn, batch)
    if not count:
        return None
    return Dangling(count=count, files=files, whole_scan=is_of_part(batch.fingerprint))


def _vanished(conn: Connection, batch: Batch) -> tuple[int, list[str]]:
    """What the last decisions about the folder missed, and is there still as far as is known."""
    item = ingest_batch_item.c
    rows = conn.execute(
        select(item.title, func.count().over().label("every"))
        .where(
            item.batch_id == batch.id,
            item.revision == batch.revision,
            item.kind == VANISHED,
            item.outcome != Outcome.REMOVED.value,
        )
        .order_by(item.seq)
        .limit(FILES_SHOWN)
    ).all()
    return (int(rows[0].every) if rows else 0), [row.title for row in rows]
