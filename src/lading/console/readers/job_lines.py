"""A job as every page shows it: what it is of, how it goes, what it waits for, what is worrying.

Overview, Jobs, Job and Workers read it here, so that none of them says anything else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from lading.base.progress import Pace
from lading.console.job_words import (
    Awaited,
    family_of_silence,
    kind_word,
    look_of_job,
    worker_name,
    worker_url,
)
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.running import seconds_between
from lading.console.vocabulary import Family, Look
from lading.jobs.dependencies import chunks
from lading.jobs.states import FINAL_JOB_STATES, JobState
from lading.jobs.tables import import_job, import_job_dep
from lading.jobs.values import JobRow
from lading.ledger.batches import Batch, get_batches
from lading.operations.tables import operation

AWAITED_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """One job. `silent_s` is its heartbeat's age while it runs.

    `returns_in_s` is said when that age is worrying: how long until it goes back in line.
    `waited_s` is for how long it has stood in line or waited, `due_in_s` until its time comes.
    """

    job: JobRow
    target: str = ""
    target_url: str | None = None
    look: Look
    pace: Pace | None = None
    silent_s: float | None = None
    silence: Family = Family.NEUTRAL
    returns_in_s: float | None = None
    waits_on: Sequence[Awaited] = ()
    lasted_s: float | None = None
    waited_s: float | None = None
    due_in_s: float | None = None
    ticked: bool = False

    @property
    def kind_word(self) -> str:
        """What people call its kind."""
        return kind_word(self.job.kind)

    @property
    def worker_name(self) -> str:
        """What people call its worker; empty without one."""
        return worker_name(self.job.worker) if self.job.worker else ""

    @property
    def worker_url(self) -> str | None:
        """The page of its worker."""
        return worker_url(self.job.worker) if self.job.worker else None

    @property
    def milestone(self) -> str:
        """What is worth telling someone who does not see the page, when it changes."""
        name = f"{self.kind_word} {self.job.id}"
        if self.job.status is not JobState.RUNNING:
            return f"{name}: {self.look.word.lower()}"
        if self.returns_in_s is not None or (self.pace and self.pace.stalled_s is not None):
            return f"{name}: {self.look.word.lower()}"
        share = self.job.progress.share
        return f"{name}: {int(share * 4) * 25} %" if share is not None else f"{name}: running"


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of running jobs before any is looked at: their paces, and when one is late."""

    paces: Mapping[int, Pace]
    heartbeat_s: float
    stale_after_s: float


def pulse_of(console: Console) -> Pulse:
    """The pace of every running job, as the engine's strip has it.

    Asked for before a connection is taken: a page must not wait for a second one while it has one.
    """
    settings = console.lading.settings.worker
    return Pulse(
        paces={
            job.id: Pace(job.rate_bytes_s, job.eta_s, job.stalled_s)
            for job in console.engine.now().jobs
        },
        heartbeat_s=settings.heartbeat_s,
        stale_after_s=settings.stale_after_s,
    )


def job_lines(
    conn: Connection,
    jobs: Sequence[JobRow],
    at: datetime,
    pulse: Pulse,
    *,
    ticked: Collection[int] = (),
) -> list[JobLine]:
    """Jobs as lines, in their order, with what belongs to them in a few statements for all."""
    targets = _targets(conn, jobs)
    waits = awaited_by(conn, [job.id for job in jobs if job.status is JobState.WAITING])
    lines = []
    for job in jobs:
        silent_s, silence, pace = None, Family.NEUTRAL, None
        if job.status is JobState.RUNNING:
            silent_s = seconds_between(job.heartbeat_at, at)
            pace = pulse.paces.get(job.id)
        if silent_s is not None:
            silence = family_of_silence(
                silent_s, every_s=pulse.heartbeat_s, stale_after_s=pulse.stale_after_s
            )
        worried = silent_s is not None and silence is not Family.NEUTRAL
        until = at if job.status is JobState.RUNNING else job.finished_at
        target, url = targets.get(job.id, ("", None))
        lines.append(
            JobLine(
                job=job,
                target=target,
                target_url=url,
                look=look_of_job(
                    job, pace=pace, silent_s=silent_s, stale_after_s=pulse.stale_after_s
                ),
                pace=pace,
                silent_s=silent_s,
                silence=silence,
                returns_in_s=max(0.0, pulse.stale_after_s - (silent_s or 0)) if worried else None,
                waits_on=waits.get(job.id, ()),
                lasted_s=None if until is None else seconds_between(job.started_at, until),
                waited_s=_waited_s(job, at),
                due_in_s=(
                    max(0.0, (job.not_before - at).total_seconds())
                    if job.status is JobState.WAITING and job.not_before is not None
                    else None
                ),
                ticked=job.id in ticked,
            )
        )
    return lines


def _waited_s(job: JobRow, at: datetime) -> float | None:
    if job.status is JobState.QUEUED:
        return seconds_between(job.queued_at, at)
    return seconds_between(job.created_at, at) if job.status is JobState.WAITING else None


def awaited_by(
    conn: Connection, ids: Collection[int], shown_max: int = AWAITED_SHOWN
) -> Mapping[int, Sequence[Awaited]]:
    """What each of these jobs waits for that has not ended yet, lowest number first."""
    found: defaultdict[int, list[Awaited]] = defaultdict(list)
    dep, job = import_job_dep.c, import_job.c
    final = sorted(state.value for state in FINAL_JOB_STATES)
    for chunk in chunks(ids):
        rows = conn.execute(
            select(dep.job_id, job.id, job.kind, job.status)
            .join(import_job, job.id == dep.wait_for_id)
            .where(dep.job_id.in_(chunk), job.status.not_in(final))
            .order_by(dep.job_id, job.id)
        )
        for waiting, number, kind, status in rows:
            if len(found[waiting]) < shown_max:
                found[waiting].append(Awaited(number, kind, JobState(status)))
    return found


def _targets(conn: Connection, jobs: Sequence[JobRow]) -> dict[int, tuple[str, str | None]]:
    """What each job is of, in words, and the page of that."""
    batches: Mapping[int, Batch] = get_batches(
        conn, {job.batch_id for job in jobs if job.batch_id is not None}
    )
    numbers = {
        int(job.params["operation"]) for job in jobs if isinstance(job.params.get("operation"), int)
    }
    operations = {}
    for chunk in chunks(numbers):
        rows = conn.execute(
            select(operation.c.id, operation.c.key, operation.c.verb).where(
                operation.c.id.in_(chunk)
            )
        )
        operations.update({row.id: row for row in rows})
    found: dict[int, tuple[str, str | None]] = {}
    for job in jobs:
        source = job.params.get("source")
        batch = None if job.batch_id is None else batches.get(job.batch_id)
        if batch is not None:
            found[job.id] = (batch.batch_key, batch_url(batch))
        elif job.params.get("operation") in operations:
            known = operations[job.params["operation"]]
            found[job.id] = (str(known.verb).replace("_", " "), f"/operations/{known.key}")
        elif isinstance(source, str) and source:
            found[job.id] = (source, f"/sources/{source}")
    return found
