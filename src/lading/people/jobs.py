"""The jobs about faces: one finds those of a folder, and one per person matches them after it.

They are put in line with the import of a folder, and wait for it; or when somebody asks (C4, C7).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, select

from lading.jobs.queue import Queue
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import PRIORITY_DEFAULT, PRIORITY_MAX, Enqueued, NewJob
from lading.ledger.chain import Entry, append_all
from lading.library.people_queries import list_persons
from lading.library.people_values import FolderOfFaces, Person
from lading.library.statements import chunked

FACES_JOB_KIND: Final = "photos.faces"
MATCH_JOB_KIND: Final = "photos.match"
REFERENCES_JOB_KIND: Final = "people.references"
_ATTEMPTS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Lined:
    """How many jobs were put in line; those that were there already do not count."""

    scans: int = 0
    matches: int = 0

    def __add__(self, other: Lined) -> Lined:
        return Lined(self.scans + other.scans, self.matches + other.matches)


def line_up(
    conn: Connection,
    queue: Queue,
    folders: Sequence[FolderOfFaces],
    *,
    actor: str,
    scan: bool,
    persons: Sequence[Person] | None = None,
    again: bool = True,
    after: int | None = None,
    priority: int = PRIORITY_DEFAULT,
    entries: list[Entry] | None = None,
) -> Lined:
    """Put the jobs for these folders in line, last in the caller's transaction.

    With `scan`, faces are looked for, and matching waits for that. `persons` are matched: everybody
    with a reference image unless given. All wait for the job `after`. Without `again`, faces that
    other settings identified are left as they are.
    """
    if persons is None:
        persons = [one.person for one in list_persons(conn) if one.references]
    collected: list[Entry] = [] if entries is None else entries
    scans = [_scan_job(folder, after, priority) for folder in folders] if scan else []
    found = _put(conn, queue, scans, actor, collected)
    awaited = [made.job_id for made in found] if scan else [after] * len(folders)
    matches = [
        _match_job(folder, person, job_id, priority, again=again)
        for folder, job_id in zip(folders, awaited, strict=True)
        for person in persons
    ]
    lined = _put(conn, queue, matches, actor, collected)
    if entries is None and collected:
        append_all(conn, collected)
    return Lined(sum(made.created for made in found), sum(made.created for made in lined))


def line_up_references(conn: Connection, queue: Queue, *, actor: str) -> int:
    """Put in line that reference images given as files are measured anew; the job."""
    job = NewJob(REFERENCES_JOB_KIND, active_key=REFERENCES_JOB_KIND, attempts_max=_ATTEMPTS_MAX)
    (made,) = queue.enqueue(conn, [job], actor=actor)
    return made.job_id


def _put(
    conn: Connection, queue: Queue, jobs: Sequence[NewJob], actor: str, entries: list[Entry]
) -> list[Enqueued]:
    """Put jobs in line, each also behind one like it that is at work.

    What that one was to go by, it has read already; what changed since would be missed.
    """
    if not jobs:
        return []
    made = queue.enqueue(conn, jobs, actor=actor, entries=entries)
    there = {each.job_id for each in made if not each.created}
    running: set[int] = set()
    for chunk in chunked(there):
        at_work = import_job.c.id.in_(chunk), import_job.c.status == JobState.RUNNING
        running |= set(conn.scalars(select(import_job.c.id).where(*at_work)))
    behind = {
        at: replace(
            job,
            wait_for=(*job.wait_for, each.job_id),
            active_key=f"{job.active_key}:{each.job_id}",
        )
        for at, (job, each) in enumerate(zip(jobs, made, strict=True))
        if each.job_id in running
    }
    if behind:
        later = queue.enqueue(conn, list(behind.values()), actor=actor, entries=entries)
        for at, each in zip(behind, later, strict=True):
            made[at] = each
    return made


def _scan_job(folder: FolderOfFaces, after: int | None, priority: int) -> NewJob:
    return NewJob(
        FACES_JOB_KIND,
        params={"source": folder.source, "digest": folder.digest, "folder": folder.folder},
        priority=min(priority + 1, PRIORITY_MAX),
        wait_for=() if after is None else (after,),
        active_key=_key(FACES_JOB_KIND, folder, after),
        attempts_max=_ATTEMPTS_MAX,
    )


def _match_job(
    folder: FolderOfFaces, person: Person, after: int | None, priority: int, *, again: bool
) -> NewJob:
    return NewJob(
        MATCH_JOB_KIND,
        params={
            "source": folder.source,
            "digest": folder.digest,
            "folder": folder.folder,
            "person": person.id,
            "name": person.name,
            "again": again,
        },
        priority=min(priority + 2, PRIORITY_MAX),
        wait_for=() if after is None else (after,),
        active_key=_key(f"{MATCH_JOB_KIND}:{person.id}:{again:d}", folder, after),
        attempts_max=_ATTEMPTS_MAX,
    )


def _key(kind: str, folder: FolderOfFaces, after: int | None) -> str:
    # One that waits for another job is another job: what that one brings must not be missed.
    place = hashlib.sha256(f"{folder.source}\0{folder.digest}".encode()).hexdigest()[:32]
    return f"{kind}:{place}:{after or ''}"
