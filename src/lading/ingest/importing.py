"""Import: takes the items of a queued batch in, one transaction each, under the job's lease.

Every transaction begins with the guarded heartbeat, so a worker that lost its job writes nothing
(G3). An item that fails is recorded and the others go on (A20); a fault of the store or the
database ends the attempt instead, and the next one continues with the items still pending.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection, update

from lading.base.errors import LadingError, SourceError
from lading.base.steps import Step, reach
from lading.base.stopping import Interrupted, StopReason
from lading.db.clock import now
from lading.ingest.import_meter import ImportMeter, ItemMeter
from lading.ingest.item_writing import FutureFetch, ItemWriter, TogetherWriter
from lading.ingest.known_root import require_known_root, require_same_root
from lading.ingest.lookahead import fetch_ahead
from lading.ingest.parts import ALL_OR_NOTHING, IngestParts
from lading.ingest.preflight import ref_of
from lading.ingest.rules import HELD, INTERNAL_FAULT, PREFLIGHT_STALE, state_after_import
from lading.ingest.source import (
    BatchRefused,
    FetchContext,
    FetchesSideBySide,
    Item,
    ItemRefused,
    OpenBatch,
    PlannedBatch,
    RelatesItems,
    ReopensPlanned,
    Source,
)
from lading.jobs.context import JobContext, JobResult
from lading.ledger import chain
from lading.ledger.batches import Batch, get_batch, move
from lading.ledger.chain import Entry
from lading.ledger.events import BatchFinished, ItemFailed
from lading.ledger.items import (
    RecordedItem,
    count_outcomes,
    mark_failed,
    mark_outcomes,
    planned_items,
    recorded_items,
    require_accounted,
)
from lading.ledger.states import BatchState, Decision, Outcome
from lading.ledger.tables import ingest_batch
from lading.library.covers import resolve_waiting_covers

CHUNK_ITEMS: Final = 200
OLD_LEASES_MAX: Final = 64

log = structlog.get_logger("lading.import")

Pair = tuple[Item, RecordedItem]
Take = Callable[[Item, RecordedItem, FutureFetch], None]


class BatchStale(SourceError):
    """The manifest, or the decisions about it, are not the ones the batch was queued with (A6)."""

    code = PREFLIGHT_STALE.code
    http_status = 409
    next_step = PREFLIGHT_STALE.next_step


def import_batch(parts: IngestParts, context: JobContext) -> JobResult:
    """The handler of import jobs: imports what is pending of the job's batch.

    Running it again after any interruption continues with the items still pending. Raises
    `BatchStale` when nothing may be imported under the old decisions, `StoreError` and
    `SourceMissing` for faults that pass, `LeaseLost` when the job is no longer ours.
    """
    batch = context.run(lambda conn: _begin(conn, context))
    reach(Step.BATCH_IMPORTING)
    job_id, lease = context.claim.job_id, context.claim.lease
    for old in range(max(1, lease - OLD_LEASES_MAX), lease):
        parts.store.clean(f"job{job_id}-{old}")
    source = parts.source(batch.source)
    try:
        root = require_known_root(parts.db, source)
        with _open(source, parts, batch) as opened:
            require_same_root(source, root)  # it may have gone while it was listed
            reach(Step.MANIFEST_SPOOLED)
            if opened.manifest_sha256 != batch.preflight_sha256:
                raise BatchStale(
                    PREFLIGHT_STALE.sentence,
                    subject=batch.batch_key,
                    expected=batch.preflight_sha256,
                    found=opened.manifest_sha256,
                )
            run = _Run(parts, context, batch, opened)
            if not (run.import_together() if run.strict else run.import_items()):
                return JobResult.stopped()
    except BatchRefused as refusal:
        raise BatchStale(
            f"the batch can no longer be consumed: {refusal.message}", subject=batch.batch_key
        ) from refusal
    reach(Step.ITEMS_DONE)
    return JobResult(write=partial(_finish, batch=batch, run=run))


def _open(source: Source, parts: IngestParts, batch: Batch) -> AbstractContextManager[OpenBatch]:
    """The batch as its manifest has it now, or as it was planned where the upstream moves on."""
    ref = ref_of(batch)
    if not isinstance(source, ReopensPlanned):
        return source.open_batch(ref)
    planned = PlannedBatch(
        ref,
        type=batch.type,
        action=batch.action,
        manifest_sha256=batch.preflight_sha256 or "",
        items=partial(planned_items, parts.db, batch.id, batch.revision),
    )
    return source.reopen(planned)


def _begin(conn: Connection, context: JobContext) -> Batch:
    """Mark the batch as importing, if the job still speaks of its present decisions."""
    claim = context.claim
    if claim.batch_id is None:
        raise BatchStale("the job names no batch", subject=f"job {claim.job_id}")
    batch = get_batch(conn, claim.batch_id, lock=True)
    planned = (claim.params.get("revision"), claim.params.get("plan_digest"))
    if planned != (batch.revision, batch.plan_digest):
        raise BatchStale(
            "the decisions about the batch were made anew after it was queued",
            subject=batch.batch_key,
        )
    move(
        conn,
        batch,
        BatchState.IMPORTING,
        subject=batch.batch_key,
        manifest_sha256=batch.preflight_sha256,
        reason=None,
        finished_at=None,
    )
    return batch


def _finish(conn: Connection, *, batch: Batch, run: _Run) -> Sequence[Entry]:
    """Give the batch its final state, in the transaction that ends the job (A20, G5)."""
    # A cover and what it stands for may have been written by two batches at the same moment.
    resolve_waiting_covers(conn)
    if isinstance(run.opened, RelatesItems):
        run.opened.relate(conn)
    outcomes = count_outcomes(conn, batch.id, batch.revision)
    require_accounted(outcomes, batch.items_total, batch.batch_key)
    state = state_after_import(outcomes, held=int(batch.detail.get(HELD, 0)))
    conn.execute(
        update(ingest_batch)
        .where(ingest_batch.c.id == batch.id, ingest_batch.c.state == BatchState.IMPORTING.value)
        .values(state=state.value, updated_at=now(), finished_at=now())
    )
    event = BatchFinished(
        state=state.value,
        outcomes={outcome.value: count for outcome, count in outcomes.items() if count},
        manifest_sha256=batch.preflight_sha256 or "",
        bytes_moved=run.meter.progress().bytes_moved,
        bytes_skipped=run.meter.progress().bytes_skipped,
    )
    reach(Step.BATCH_FINISHED)
    actor, job_id = run.context.actor, run.context.claim.job_id
    return [Entry(event, actor, source=batch.source, batch_id=batch.id, job_id=job_id)]


class _Run:
    """One attempt at the items of one batch."""

    def __init__(
        self, parts: IngestParts, context: JobContext, batch: Batch, opened: OpenBatch
    ) -> None:
        self.parts = parts
        self.context = context
        self.batch = batch
        self.opened = opened
        self.meter = ImportMeter(
            context, items_total=batch.items_total, bytes_total=batch.bytes_total
        )
        self.strict = bool(context.claim.params.get(ALL_OR_NOTHING))
        self.fetches = (
            opened.fetches_max if isinstance(opened, FetchesSideBySide) else parts.fetch_threads
        )

    def import_items(self) -> bool:
        """Import everything still pending; False when asked to stop before the end."""
        writer = ItemWriter(self)
        ended = self._fetch_all(writer.take)
        writer.finish()
        return ended

    def import_together(self) -> bool:
        """Import everything in one transaction, or nothing; False when asked to stop (B7).

        Raises `ImportAborted` at the first item that is refused, or that has something odd.
        """
        with closing(TogetherWriter(self)) as writer:
            ended = self._fetch_all(writer.take)
            if ended:
                writer.finish()
        return ended

    def _fetch_all(self, take: Take) -> bool:
        """Fetch every pending item, in order, and give it on; False when asked to stop."""
        seq = 0
        items = self.opened.items()
        with ThreadPoolExecutor(
            self.fetches, thread_name_prefix=f"fetch-{self.context.claim.job_id}"
        ) as executor:
            while chunk := list(itertools.islice(items, CHUNK_ITEMS)):
                if self.context.stop.is_set():
                    return False
                pending = self._still_pending(chunk, seq)
                seq += len(chunk)
                pending = self._settle_unchanged(pending)
                for turn in in_turns(pending):
                    if not self._fetch_some(executor, turn, take):
                        return False
        self._require_all_seen(seq)
        return True

    def _still_pending(self, chunk: Sequence[Item], first_seq: int) -> list[Pair]:
        """The items of a chunk with their records, without those settled in an earlier attempt."""
        with self.parts.db.read() as conn:
            recorded = recorded_items(
                conn, self.batch.id, self.batch.revision, first_seq, len(chunk)
            )
        pending = []
        for seq, item in enumerate(chunk, first_seq):
            record = recorded.get(seq)
            if record is None or record.key != item.key:
                raise BatchStale(
                    "the items of the batch are not the recorded ones",
                    subject=self.batch.batch_key,
                    expected=record.key if record else "no further item",
                    found=item.key,
                )
            if record.outcome is Outcome.PENDING:
                pending.append((item, record))
            else:
                self.meter.settled(record.bytes)
        return pending

    def _settle_unchanged(self, pending: list[Pair]) -> list[Pair]:
        """Mark, in one transaction, items that are as unchanged now as preflight found them."""
        unchanged = [pair for pair in pending if pair[1].decision is Decision.UNCHANGED]
        if not unchanged:
            return pending
        still: set[int] = set()
        with self.parts.db.read() as conn:
            for _kind, group in itertools.groupby(unchanged, key=lambda pair: pair[0].kind):
                pairs = list(group)
                decided = self.opened.decide(conn, [item for item, _ in pairs])
                still |= {
                    record.id
                    for (_, record), now_decided in zip(pairs, decided, strict=True)
                    if now_decided.decision is Decision.UNCHANGED
                }
        if still:
            self.commit(lambda conn: self.mark(conn, dict.fromkeys(still, Outcome.UNCHANGED)))
        for _, record in pending:
            if record.id in still:
                self.meter.settled(record.bytes)
        return [pair for pair in pending if pair[1].id not in still]

    def _fetch_some(
        self, executor: ThreadPoolExecutor, pending: Sequence[Pair], take: Take
    ) -> bool:
        ahead = fetch_ahead(executor, pending, self._fetch, ahead=self.fetches + 1)
        with closing(ahead):  # type: ignore[type-var] # a generator, which can be closed
            for (item, record), future in ahead:
                try:
                    take(item, record, future)
                except Interrupted:
                    return False
                except BaseException:
                    # Fetches that have begun are told to end; the generator waits for them.
                    self.meter.abort.request(StopReason.LEASE_LOST)
                    raise
                if self.context.stop.is_set():
                    self.meter.abort.request(self.context.stop.reason or StopReason.SHUTDOWN)
                    return False
        return True

    def _fetch(self, pair: Pair) -> tuple[object, ItemMeter]:
        item, record = pair
        reach(Step.ITEM_STARTED)
        self.meter.abort.check()
        meter = self.meter.item(item.key, record.bytes)
        context = FetchContext(
            store=self.parts.store,
            owner=self.context.owner,
            meter=meter,
            stop=self.meter.abort,
            strict=self.strict,
        )
        return self.opened.fetch(item, record.decision, context), meter

    def mark(
        self,
        conn: Connection,
        outcomes: dict[int, Outcome],
        contents: dict[int, str] | None = None,
    ) -> None:
        """Write what became of items, by the row id of their records."""
        claim = self.context.claim
        mark_outcomes(conn, outcomes, job_id=claim.job_id, lease=claim.lease, contents=contents)

    def fail(self, item: Item, record: RecordedItem, error: Exception) -> None:
        """Record the failure of one item; the others go on (A20)."""
        if not isinstance(error, LadingError):
            log.error("item failed", batch=self.batch.batch_key, item=item.key, exc_info=error)
        if isinstance(error, LadingError):
            facts = error.as_dict()
            sentence = f"{error} {error.advice}"
        else:
            facts = {"error": type(error).__name__}
            sentence = f"{INTERNAL_FAULT.sentence} ({type(error).__name__}: {error})"
        if isinstance(error, ItemRefused):
            reason = error.reason.code
        else:
            reason = error.code if isinstance(error, LadingError) else INTERNAL_FAULT.code
        claim = self.context.claim

        def write(conn: Connection) -> None:
            mark_failed(
                conn,
                record.id,
                job_id=claim.job_id,
                lease=claim.lease,
                error=sentence,
                reason=reason,
                detail=facts,
            )
            chain.append(
                conn,
                ItemFailed(item_key=item.key, code=reason, message=sentence[:500]),
                actor=self.context.actor,
                source=self.batch.source,
                batch_id=self.batch.id,
                job_id=claim.job_id,
            )

        self.commit(write)
        self.meter.failed(record.bytes)

    def commit(self, work: Callable[[Connection], None]) -> None:
        """Run `work` in a guarded transaction, again from its start when it met a deadlock."""
        self.context.run(work, self.meter.progress())

    def _require_all_seen(self, seen: int) -> None:
        if seen != self.batch.items_total:
            raise BatchStale(
                "the batch has fewer items than were decided about",
                subject=self.batch.batch_key,
                expected=self.batch.items_total,
                found=seen,
            )


def in_turns(pending: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    """Parts of `pending`, in order: what each has is fetched when the one before was taken in."""
    begins = [place for place, (item, _) in enumerate(pending) if place == 0 or item.after_all]
    for begin, end in itertools.zip_longest(begins, begins[1:]):
        yield pending[begin:end]
