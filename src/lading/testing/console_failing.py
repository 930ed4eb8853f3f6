"""An installation where all goes wrong that can: each reason, failed jobs, a lost source."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from sqlalchemy import select, update

from lading.base.errors import InternalError, StoreError
from lading.base.reasons import Reason
from lading.bootstrap import Lading
from lading.db.clock import now
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.ingest.rules import ENGINE_REASONS
from lading.ingest.source import SourceMissing
from lading.jobs.tables import import_job
from lading.jobs.values import NewJob
from lading.ledger.batches import FoundBatch, record_new
from lading.ledger.items import PlannedItem, insert_items
from lading.ledger.states import BatchState, Decision, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.sources.handover.reasons import BATCH_REASONS, REASONS
from lading.testing.console_busy import register_worker
from lading.testing.console_imported import ACTOR, take_in, upstream_of
from lading.testing.publisher import Breakage, Publisher

AWAY: Final = "away"
"""A source whose root is not there."""

EVERY_REASON: Final[Mapping[str, Reason]] = {**ENGINE_REASONS, **REASONS}
_TOO_COSTLY: Final = {"manifest_too_large"}
_SPECIAL: Final = ("_pipe", "_unreadable")
_WORKER: Final = "ingest-1/99/0123456789abcdef0123456789abcdef"
_STALE_AFTER_S: Final = 60.0


def make_failing(lading: Lading, source: str) -> None:
    """Publish bundles that are broken in every way, take them in, and break some jobs too."""
    publisher = Publisher(upstream_of(lading), seed=4)
    shown: set[str] = set()
    for kind in Breakage:
        reason = kind.expected_reason
        if reason in shown | _TOO_COSTLY or kind.value.endswith(_SPECIAL):
            continue
        shown.add(reason)
        publisher.publish_broken(kind)
    take_in(lading, source)
    _insert_missing(lading, source)
    _fail_jobs(lading)
    with suppress(SourceMissing):
        lading.ingest.scan(AWAY, actor="schedule:scan")


def _insert_missing(lading: Lading, source: str) -> None:
    """Record the reasons that no breakage brought about as an import would have."""
    with lading.db.read() as conn:
        seen = set(conn.scalars(select(ingest_batch.c.reason).distinct()))
        seen |= set(conn.scalars(select(ingest_batch_item.c.reason).distinct()))
    missing = [code for code in EVERY_REASON if code not in seen]
    of_batches = [code for code in missing if code in BATCH_REASONS]
    of_items = [code for code in missing if code not in BATCH_REASONS]
    with lading.db.write() as conn:
        record_new(conn, source, [_found(code, reason=code) for code in of_batches])
        (batch_id,) = record_new(conn, source, [_found("rare", items=len(of_items))]).values()
        insert_items(
            conn,
            batch_id,
            1,
            [
                PlannedItem(
                    seq=seq,
                    key=f"rare-{seq}",
                    kind="asset",
                    decision=Decision.CREATE,
                    title=f"A rare fault: {code}",
                    content_hash=f"{seq:064x}",
                    bytes=1_000_000,
                    reason=code,
                    detail={"file": f"assets/rare/{code}.jpg", "expected": "a", "found": "b"},
                )
                for seq, code in enumerate(of_items)
            ],
        )
        conn.execute(
            update(ingest_batch_item)
            .where(ingest_batch_item.c.batch_id == batch_id)
            .values(
                decision=Decision.FAILED.value,
                outcome=Outcome.FAILED.value,
                attempts=1,
                last_error="it could not be imported",
            )
        )
        conn.execute(
            update(ingest_batch)
            .where(ingest_batch.c.id == batch_id)
            .values(
                state=BatchState.FAILED.value,
                revision=1,
                queued_revision=1,
                reason="store_fault",
                preflighted_at=now(-60),
                queued_at=now(-60),
                finished_at=now(),
            )
        )


def _found(name: str, *, reason: str | None = None, items: int = 3) -> FoundBatch:
    return FoundBatch(
        batch_key=f"00000000-0000-4000-8000-{name[:12]:0>12}",
        fingerprint=name,
        manifest_sha256="a" * 64,
        type="asset",
        action="import",
        items_total=items,
        bytes_total=items * 1_000_000,
        reason=reason,
        detail={"expected": "a bundle as agreed", "found": name} if reason else {},
    )


def _fail_jobs(lading: Lading) -> None:
    """Three jobs that failed by themselves, each otherwise, and one that failed with them."""
    with lading.db.write() as conn:
        register_worker(conn, _WORKER, started_s=-3600, seen_s=-2 * _STALE_AFTER_S)
    with lading.db.write() as conn:
        jobs = [NewJob(kind=IMPORT_JOB_KIND, attempts_max=1) for _ in range(3)]
        made = lading.queue.enqueue(conn, jobs, actor=ACTOR)
    with lading.db.write() as conn:
        waiting = [NewJob(kind=IMPORT_JOB_KIND, wait_for=(made[0].job_id,))]
        lading.queue.enqueue(conn, waiting, actor=ACTOR)
    errors = (
        StoreError("the store refused the upload", subject="library", found="HTTP 503"),
        InternalError("a step that cannot be", subject="item 7"),
    )
    for error in errors:
        claim = lading.queue.claim(_WORKER)
        if claim is None:
            raise AssertionError("nothing is queued")
        lading.queue.fail(claim, error)
    lost = lading.queue.claim(_WORKER)
    if lost is None:
        raise AssertionError("nothing is queued")
    with lading.db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.id == lost.job_id)
            .values(heartbeat_at=now(-2 * _STALE_AFTER_S))
        )
    lading.queue.rescue(stale_after_s=_STALE_AFTER_S, actor=f"worker:{_WORKER}")
