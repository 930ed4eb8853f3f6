"""What each verb does: to a whole chunk in one transaction, or to one target after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, select

from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.ingest import Ingest
from lading.ingest.queueing import enqueue_batch
from lading.jobs import control
from lading.jobs.errors import JobNotCancellable, JobNotMovable
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import PRIORITY_DEFAULT
from lading.ledger.chain import Entry
from lading.ledger.states import BatchState
from lading.library.packages import add_to_package, remove_from_package
from lading.library.sites import (
    grant_assets,
    grant_containers,
    revoke_assets,
    revoke_containers,
)
from lading.library.trash import (
    delete_assets,
    delete_containers,
    restore_assets,
    restore_containers,
)
from lading.library.values import ContainerRef
from lading.operations.acknowledging import acknowledge, unacknowledge
from lading.operations.filters import CONTAINER_KINDS, KINDS
from lading.operations.photo_dates import DATE_VERBS, date_photos
from lading.operations.rules import Judged
from lading.operations.states import TargetOutcome
from lading.operations.values import Operation, Resource, Verb

WAS_PAUSED: Final = "was_paused"

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class Did:
    """What an act has to say of one target beside that it was done."""

    outcome: TargetOutcome = TargetOutcome.DONE
    code: str | None = None
    sentence: str | None = None
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Does a chunk in the caller's transaction: the numbers that really changed, and entries.

    `otherwise` is the code of those that did not, because someone else was quicker.
    """

    do: Callable[[Connection, Rows], tuple[set[int], list[Entry]]]
    otherwise: str

    def __call__(self, conn: Connection, rows: Rows) -> tuple[set[int], list[Entry]]:
        """Do it, unless there is nothing to do."""
        return self.do(conn, rows) if rows else (set(), [])


class Busy(Protocol):
    """Whoever can be told that the work goes on, and asked whether it should."""

    stop: StopSignal | None

    def report(self, progress: Progress) -> None:
        """Say that the work goes on."""
        ...


def chunk_act(wanted: Operation) -> Act | None:
    """The act of a verb that is done to a chunk at once; None for the others."""
    if wanted.verb is Verb.ACKNOWLEDGE:
        return Act(lambda conn, rows: _acknowledge(conn, wanted, rows), "already_acknowledged")
    if wanted.verb is Verb.UNACKNOWLEDGE:
        return Act(lambda conn, rows: _unacknowledge(conn, wanted, rows), "not_acknowledged")
    if wanted.verb in DATE_VERBS:
        return Act(lambda conn, rows: date_photos(conn, wanted, rows), "date_impossible")
    act = _LIBRARY_ACTS.get(wanted.verb)
    if act is None:
        return None
    kind = CONTAINER_KINDS.get(wanted.resource)

    def do(conn: Connection, rows: Rows) -> tuple[set[int], list[Entry]]:
        names = {row.target_name: int(row.target_id) for row in rows}
        if kind is None:
            changed = act.assets(conn, wanted, list(names))
        else:
            refs = [ContainerRef(kind.value, name) for name in names]
            changed = [ref.key for ref in act.containers(conn, wanted, refs)]
        return {names[name] for name in changed}, []

    return Act(do, act.otherwise)


def _acknowledge(conn: Connection, wanted: Operation, rows: Rows) -> tuple[set[int], list[Entry]]:
    entries = acknowledge(
        conn,
        KINDS[wanted.resource],
        _targets(wanted, rows),
        actor=wanted.actor,
        snooze_s=wanted.params.get("snooze_s"),
        note=wanted.params.get("note"),
    )
    return {row.target_id for row in rows}, entries


def _unacknowledge(conn: Connection, wanted: Operation, rows: Rows) -> tuple[set[int], list[Entry]]:
    targets = _targets(wanted, rows)
    entries = unacknowledge(conn, KINDS[wanted.resource], targets, actor=wanted.actor)
    return {row.target_id for row in rows}, entries


def _targets(wanted: Operation, rows: Rows) -> dict[tuple[int, str], str]:
    of_jobs = wanted.resource is Resource.JOBS
    return {(row.target_id, ""): str(row.target_id) if of_jobs else row.target_name for row in rows}


@dataclass(frozen=True, slots=True)
class _LibraryAct:
    """What a verb does to assets and to containers; both give back what really changed."""

    assets: Callable[[Connection, Operation, list[str]], Sequence[str]]
    containers: Callable[[Connection, Operation, list[ContainerRef]], Sequence[ContainerRef]]
    otherwise: str


_LIBRARY_ACTS: Final[Mapping[Verb, _LibraryAct]] = {
    Verb.DELETE: _LibraryAct(
        lambda conn, op, names: delete_assets(conn, names, actor=op.actor).assets,
        lambda conn, op, refs: delete_containers(conn, refs, actor=op.actor).containers,
        "already_deleted",
    ),
    Verb.RESTORE: _LibraryAct(
        lambda conn, op, names: restore_assets(conn, names, actor=op.actor).assets,
        lambda conn, op, refs: restore_containers(conn, refs, actor=op.actor).containers,
        "not_deleted",
    ),
    Verb.GRANT_SITE: _LibraryAct(
        lambda conn, op, names: grant_assets(conn, op.params["site"], names, actor=op.actor),
        lambda conn, op, refs: grant_containers(conn, op.params["site"], refs, actor=op.actor),
        "already_granted",
    ),
    Verb.REVOKE_SITE: _LibraryAct(
        lambda conn, op, names: revoke_assets(conn, op.params["site"], names, actor=op.actor),
        lambda conn, op, refs: revoke_containers(conn, op.params["site"], refs, actor=op.actor),
        "not_granted",
    ),
    Verb.ADD_TO_PACKAGE: _LibraryAct(
        lambda conn, op, names: (
            add_to_package(conn, op.params["package"], hashes=names, actor=op.actor).assets
        ),
        lambda conn, op, refs: (
            add_to_package(conn, op.params["package"], containers=refs, actor=op.actor).containers
        ),
        "already_in_package",
    ),
    Verb.REMOVE_FROM_PACKAGE: _LibraryAct(
        lambda conn, op, names: (
            remove_from_package(conn, op.params["package"], hashes=names, actor=op.actor).assets
        ),
        lambda conn, op, refs: (
            remove_from_package(
                conn, op.params["package"], containers=refs, actor=op.actor
            ).containers
        ),
        "not_in_package",
    ),
}


class SingleAct(Protocol):
    """Does one target: what takes long beforehand, then the deed in one transaction."""

    def prepare(
        self, target: Row[Any], judged: Judged, hands: Busy, progress: Callable[[], Progress]
    ) -> Did | None:
        """Work outside of any transaction of ours; what it returns ends this target."""
        ...

    def act(self, conn: Connection, target: Row[Any]) -> Did:
        """The deed, last in the caller's transaction. Raises what cannot be done."""
        ...


def single_act(ingest: Ingest, wanted: Operation) -> SingleAct:
    """The act of a verb that is done to one target after the other."""
    if wanted.verb in {Verb.PREFLIGHT, Verb.QUEUE}:
        return _Queueing(ingest, wanted)
    return _Steering(ingest, wanted)


class _Queueing:
    """Preflights a batch where needed, and gives it to the workers if that was asked for."""

    def __init__(self, ingest: Ingest, wanted: Operation) -> None:
        self._ingest = ingest
        self._wanted = wanted

    def prepare(
        self, target: Row[Any], judged: Judged, hands: Busy, progress: Callable[[], Progress]
    ) -> Did | None:
        """Decide about the batch; one of which nothing can be imported is refused."""
        only = self._wanted.verb is Verb.PREFLIGHT
        if not only and not judged.preflight:
            return None
        report = self._ingest.preflight(
            target.target_id,
            actor=self._wanted.actor,
            check_bytes=bool(self._wanted.params.get("check_bytes")),
            stop=hands.stop,
            on_progress=lambda _: hands.report(progress()),
        )
        if report.passed and not only:
            return None
        sentence = None
        if not report.passed:
            nothing = "Preflight found nothing of it that can be imported."
            sentence = str(report.error["message"]) if report.error else nothing
        return Did(TargetOutcome.DONE if only else TargetOutcome.REFUSED, report.reason, sentence)

    def act(self, conn: Connection, target: Row[Any]) -> Did:
        """Give the batch to the workers. Raises `BatchOvertaken` when it moved on."""
        priority = int(self._wanted.params.get("priority", PRIORITY_DEFAULT))
        job_id = enqueue_batch(
            conn, self._ingest.parts, target.target_id, actor=self._wanted.actor, priority=priority
        )
        return Did(job_id=job_id)


class _Steering:
    """Cancels, stops, resumes, retries or moves jobs, of batches through the job they have."""

    def __init__(self, ingest: Ingest, wanted: Operation) -> None:
        self._hook = ingest.parts.queue.hook
        self._wanted = wanted

    def prepare(
        self, target: Row[Any], judged: Judged, hands: Busy, progress: Callable[[], Progress]
    ) -> Did | None:
        """Nothing takes long here."""
        del target, judged, hands, progress
        return None

    def act(self, conn: Connection, target: Row[Any]) -> Did:
        """Do it to the job. Raises what the queue says against it."""
        wanted, actor = self._wanted, self._wanted.actor
        job_id = target.job_id
        if job_id is None:
            raise JobNotMovable("the batch has no job any more", subject=target.target_name)
        why = str(wanted.params.get("why") or f"by operation {wanted.key}")
        code = None
        match wanted.verb:
            case Verb.CANCEL:
                code = self._cancel(conn, job_id, why)
            case Verb.STOP:
                control.request_stop(conn, job_id, actor=actor, why=why)
            case Verb.RESUME:
                control.resume(conn, self._hook, job_id, actor=actor)
            case Verb.RETRY:
                below = bool(wanted.params.get("with_dependents"))
                control.retry(conn, self._hook, job_id, actor=actor, with_dependents=below)
            case Verb.PRIORITISE:
                control.set_priority(conn, job_id, wanted.params["priority"], actor=actor)
        return Did(code=code, job_id=job_id)

    def _cancel(self, conn: Connection, job_id: int, why: str) -> str | None:
        status = conn.scalar(
            select(import_job.c.status).where(import_job.c.id == job_id).with_for_update()
        )
        if self._wanted.resource is Resource.BATCHES and status == JobState.RUNNING:
            raise JobNotCancellable(
                "the batch is being imported by now",
                subject=f"job {job_id}",
                expected=BatchState.QUEUED,
                found=BatchState.IMPORTING,
            )
        control.cancel(conn, self._hook, job_id, actor=self._wanted.actor, why=why)
        # Only what was in line goes back to its place there when this is undone.
        return WAS_PAUSED if status == JobState.PAUSED else None
