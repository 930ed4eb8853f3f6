"""Carries an operation out, chunk by chunk, each with its results in one transaction.

What has a result is not done again, so an operation whose worker was killed goes on where it was.
Whatever is no longer as it was when it was judged is skipped, and stops nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Row, func, insert, select, update

from lading.base.errors import InternalError, LadingError, RequestError, StoreError, printable
from lading.base.progress import Progress
from lading.base.stopping import Interrupted, StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.ingest import Ingest
from lading.jobs.context import JobContext, JobResult
from lading.jobs.errors import LeaseLost
from lading.ledger.chain import Entry, append_all
from lading.ledger.operation_events import OperationFinished
from lading.operations.acts import Act, Did, SingleAct, chunk_act, single_act
from lading.operations.filters import KINDS
from lading.operations.queries import require_operation_by_id
from lading.operations.rules import SENTENCES, Judged
from lading.operations.states import OperationState, TargetOutcome, require_operation_transition
from lading.operations.subjects import Subject, subject
from lading.operations.tables import operation, operation_result, selection_member
from lading.operations.values import Operation, Resource, Verb

CHUNK_TARGETS: Final = 200
_NAME_LENGTH_MAX: Final = 190
_SENTENCE_LENGTH_MAX: Final = 2_000

T = TypeVar("T")

_log = structlog.get_logger("lading.operation")


class Hands(Protocol):
    """Who carries an operation out: a job with its lease, or whoever asked, at once."""

    stop: StopSignal | None

    def run(self, work: Callable[[Connection], T], progress: Progress) -> T:
        """`work` in a transaction, again from the start when it met a deadlock."""
        ...

    def report(self, progress: Progress) -> None:
        """Say that the work goes on, between two transactions."""
        ...


class AtOnce:
    """Carries a small operation out in the request that asked for it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.stop: StopSignal | None = None

    def run(self, work: Callable[[Connection], T], progress: Progress) -> T:
        """`work` in a transaction of its own."""
        del progress
        return self._db.run(work)

    def report(self, progress: Progress) -> None:
        """Nobody is told: it is over in a moment."""


class UnderLease:
    """Carries an operation out under the lease of its job."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self.stop: StopSignal | None = context.stop

    def run(self, work: Callable[[Connection], T], progress: Progress) -> T:
        """`work` in a transaction that begins with the guarded heartbeat."""
        return self._context.run(work, progress)

    def report(self, progress: Progress) -> None:
        """A heartbeat, when one is due."""
        self._context.report(progress)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What became of one target, before it has its position."""

    target: Row[Any]
    outcome: TargetOutcome
    code: str | None = None
    sentence: str | None = None
    job_id: int | None = None


def run_operation(ingest: Ingest, context: JobContext) -> JobResult:
    """The handler of operation jobs. Raises `StoreError` for faults that pass."""
    with ingest.parts.db.read() as conn:
        wanted = require_operation_by_id(conn, int(context.claim.params["operation"]))
    if wanted.state is OperationState.DONE:
        return JobResult()
    carried = CarryingOut(ingest, wanted, UnderLease(context))
    if not carried.carry_out():
        return JobResult.stopped()
    return JobResult(write=partial(finish, wanted=wanted, actor=context.actor))


def run_at_once(ingest: Ingest, wanted: Operation) -> None:
    """Carry a small operation out now."""
    db = ingest.parts.db
    CarryingOut(ingest, wanted, AtOnce(db)).carry_out()
    db.run(lambda conn: append_all(conn, finish(conn, wanted=wanted, actor=wanted.actor)))


def finish(conn: Connection, *, wanted: Operation, actor: str) -> Sequence[Entry]:
    """Say that every target has its result; the caller appends the entries."""
    row = conn.execute(select(operation).where(operation.c.id == wanted.id).with_for_update()).one()
    outcomes = {outcome.value: int(getattr(row, outcome.value)) for outcome in TargetOutcome}
    if sum(outcomes.values()) != row.total:
        raise InternalError(
            "the results of an operation do not add up to its targets",
            subject=wanted.key,
            expected=row.total,
            found=sum(outcomes.values()),
        )
    require_operation_transition(OperationState.RUNNING, OperationState.DONE, wanted.key)
    conn.execute(
        update(operation)
        .where(operation.c.id == wanted.id)
        .values(state=OperationState.DONE.value, finished_at=now())
    )
    event = OperationFinished(
        operation=wanted.key,
        verb=wanted.verb.value,
        outcomes={outcome: number for outcome, number in outcomes.items() if number},
    )
    return [Entry(event, actor, job_id=wanted.job_id)]


class CarryingOut:
    """One attempt at the targets of one operation that have no result yet."""

    def __init__(self, ingest: Ingest, wanted: Operation, hands: Hands) -> None:
        self._ingest = ingest
        self._wanted = wanted
        self._hands = hands
        self._done: Counter[TargetOutcome] = Counter(wanted.totals)
        self._current = ""
        # What waits for a job is cancelled before it: its failure would end what waits.
        self._downwards = wanted.verb is Verb.CANCEL

    def carry_out(self) -> bool:
        """Do what is left to do; False when asked to stop before the end."""
        wanted = self._wanted
        together = chunk_act(wanted)
        each = single_act(self._ingest, wanted)
        last = self._last_settled()
        while True:
            if self._stopping():
                return False
            targets, about = self._next(last)
            if not targets:
                return True
            if together is not None:
                self._settle_chunk(targets, together)
            elif not self._settle_each(targets, about, each):
                return False
            last = targets[-1].target_id

    def _stopping(self) -> bool:
        return self._hands.stop is not None and self._hands.stop.is_set()

    def _last_settled(self) -> int | None:
        """The last target that has its result; targets are gone through in order of number."""
        edge = func.min if self._downwards else func.max
        with self._ingest.parts.db.read() as conn:
            last: int | None = conn.scalar(
                select(edge(operation_result.c.target_id)).where(
                    operation_result.c.operation_id == self._wanted.id
                )
            )
            return last

    def _next(self, last: int | None) -> tuple[Sequence[Row[Any]], Subject]:
        with self._ingest.parts.db.read() as conn:
            about = self._subject(conn)
            number = selection_member.c.target_id
            query = about.query.limit(CHUNK_TARGETS)
            if last is not None:
                query = query.where(number < last if self._downwards else number > last)
            order = number.desc() if self._downwards else number.asc()
            return conn.execute(query.order_by(order)).all(), about

    def _subject(self, conn: Connection) -> Subject:
        wanted = self._wanted
        selection_id = select(operation.c.selection_id).where(operation.c.id == wanted.id)
        return subject(
            conn, wanted.resource, wanted.verb, wanted.params, int(conn.scalar(selection_id) or 0)
        )

    def _settle_chunk(self, targets: Sequence[Row[Any]], act: Act) -> None:
        """Judge a chunk as it is now, do what is to be done, and record all of it at once."""
        ids = [target.target_id for target in targets]

        def work(conn: Connection) -> Counter[TargetOutcome]:
            self._lock(conn)  # before the ledger's head, which the act may take
            about = self._subject(conn)
            rows = conn.execute(
                about.query.where(selection_member.c.target_id.in_(ids)).order_by(
                    selection_member.c.target_id
                )
            ).all()
            judged = [(row, about.judge(row)) for row in rows]
            changed, entries = act(conn, [row for row, verdict in judged if verdict.code is None])
            findings = []
            for row, verdict in judged:
                code = verdict.code
                if code is None and row.target_id not in changed:
                    code = act.otherwise  # someone else was quicker
                findings.append(_done(row) if code is None else _skipped(row, code))
            self._record(conn, findings)
            append_all(conn, entries)
            return Counter(finding.outcome for finding in findings)

        self._done += self._hands.run(work, self._progress())

    def _settle_each(self, targets: Sequence[Row[Any]], about: Subject, act: SingleAct) -> bool:
        for target in targets:
            if self._stopping():
                return False
            self._current = target.target_name
            try:
                self._settle_one(target, about, act)
            except Interrupted:
                return False
        return True

    def _settle_one(self, target: Row[Any], about: Subject, act: SingleAct) -> None:
        target, judged = self._judge_again(target, about)
        if judged.code is not None:
            self._note(_skipped(target, judged.code))
            return
        try:
            before = act.prepare(target, judged, self._hands, self._progress)
            if before is not None:
                self._note(_finding(target, before))
                return
            self._hands.run(lambda conn: self._act_in(conn, target, act), self._progress())
            self._done[TargetOutcome.DONE] += 1
        except (Interrupted, LeaseLost):
            raise
        except StoreError as error:
            if error.transient:
                raise  # the database is away: no other target will fare better
            self._note(_of_error(target, error, TargetOutcome.REFUSED))
        except RequestError as error:
            self._note(_of_error(target, error, TargetOutcome.SKIPPED))
        except LadingError as error:
            self._note(_of_error(target, error, TargetOutcome.REFUSED))
        except Exception as error:  # noqa: BLE001 - one target shall not stop the others
            _log.exception("a target failed", operation=self._wanted.key, target=target.target_id)
            self._note(_of_error(target, error, TargetOutcome.FAILED))

    def _judge_again(self, target: Row[Any], about: Subject) -> tuple[Row[Any], Judged]:
        """As it is now: preflighting the batches before it may have taken hours.

        Jobs were judged a moment ago, and the queue judges them once more.
        """
        if self._wanted.resource is Resource.BATCHES:
            with self._ingest.parts.db.read() as conn:
                target = conn.execute(
                    about.query.where(selection_member.c.target_id == target.target_id)
                ).one()
        return target, about.judge(target)

    def _act_in(self, conn: Connection, target: Row[Any], act: SingleAct) -> None:
        """The result first, the deed last: the deed appends to the ledger."""
        position = self._record(conn, [_done(target)])
        did: Did = act.act(conn, target)
        if did != Did():
            conn.execute(
                update(operation_result)
                .where(
                    operation_result.c.operation_id == self._wanted.id,
                    operation_result.c.position == position,
                )
                .values(code=did.code, sentence=did.sentence, job_id=did.job_id)
            )

    def _note(self, finding: _Finding) -> None:
        self._hands.run(lambda conn: self._record(conn, [finding]), self._progress())
        self._done[finding.outcome] += 1

    def _record(self, conn: Connection, findings: Sequence[_Finding]) -> int:
        """Write results and count them; returns the position of the first."""
        if not findings:
            return 0
        counts = Counter(finding.outcome for finding in findings)
        row = self._lock(conn)
        position = sum(int(getattr(row, outcome.value)) for outcome in TargetOutcome)
        conn.execute(
            update(operation)
            .where(operation.c.id == self._wanted.id)
            .values(
                {outcome.value: operation.c[outcome.value] + n for outcome, n in counts.items()}
            )
        )
        conn.execute(
            insert(operation_result),
            [
                {
                    "operation_id": self._wanted.id,
                    "position": position + place,
                    "target_kind": KINDS[self._wanted.resource],
                    "target_id": finding.target.target_id,
                    "target_name": str(finding.target.target_name)[:_NAME_LENGTH_MAX],
                    "outcome": finding.outcome.value,
                    "code": finding.code,
                    "sentence": finding.sentence
                    and printable(finding.sentence, length_max=_SENTENCE_LENGTH_MAX),
                    "job_id": finding.job_id,
                }
                for place, finding in enumerate(findings)
            ],
        )
        return position

    def _lock(self, conn: Connection) -> Row[Any]:
        return conn.execute(
            select(operation).where(operation.c.id == self._wanted.id).with_for_update()
        ).one()

    def _progress(self) -> Progress:
        done = self._done
        return Progress(
            items_done=done[TargetOutcome.DONE],
            items_skipped=done[TargetOutcome.SKIPPED],
            items_failed=done[TargetOutcome.REFUSED] + done[TargetOutcome.FAILED],
            items_total=self._wanted.total,
            current=self._current,
        )


def _done(target: Row[Any]) -> _Finding:
    return _Finding(target, TargetOutcome.DONE)


def _skipped(target: Row[Any], code: str) -> _Finding:
    return _Finding(target, TargetOutcome.SKIPPED, code, SENTENCES[code], target.job_id)


def _finding(target: Row[Any], did: Did) -> _Finding:
    return _Finding(target, did.outcome, did.code, did.sentence, did.job_id)


def _of_error(target: Row[Any], error: Exception, outcome: TargetOutcome) -> _Finding:
    if isinstance(error, LadingError):
        return _Finding(target, outcome, error.code, f"{error} {error.advice}", target.job_id)
    said = f"{InternalError.next_step} ({type(error).__name__}: {error})"
    return _Finding(target, outcome, InternalError.code, said, target.job_id)
