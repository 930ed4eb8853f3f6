"""A library and a queue of a hundred thousand of everything, written straight into the tables."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.bootstrap import STORE_NAME, Lading
from lading.db.bulk import bulk_insert
from lading.db.clock import now
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.states import FINAL_JOB_STATES, JobState
from lading.jobs.tables import import_job
from lading.ledger.chain import Entry, append_all
from lading.ledger.events import JobProgress
from lading.ledger.states import FINAL_BATCH_STATES, BatchState, Decision, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.tables import asset, asset_file

MANY: Final = 100_000
FAILED_ITEMS: Final = 7_000
"""So many items of the first batch failed."""

_EVENTS_AT_ONCE: Final = 5_000
_BATCH_STATES: Final = (BatchState.IMPORTED,) * 12 + (
    BatchState.PENDING,
    BatchState.PREFLIGHT_PASSED,
    BatchState.PARTIAL,
    BatchState.FAILED,
    BatchState.CANCELLED,
    BatchState.SUPERSEDED,
)
_JOB_STATES: Final = (JobState.DONE,) * 30 + (JobState.FAILED, JobState.CANCELLED)
_TYPES: Final = ("asset", "asset", "asset", "gallery", "collection", "event")
_REASONS: Final = ("missing_file", "hash_mismatch", "size_mismatch", "unsupported_type")


def make_large(lading: Lading, source: str, *, many: int = MANY) -> None:
    """Write `many` batches, items, jobs, events and assets, spread over the last months."""
    with lading.db.write() as conn:
        at = conn.scalars(select(now())).one()
        bulk_insert(conn, ingest_batch, _batches(source, at, many))
        bulk_insert(conn, ingest_batch_item, _items(at, many))
        bulk_insert(conn, import_job, _jobs(at, many))
        bulk_insert(conn, asset, _assets(at, many))
        bulk_insert(conn, asset_file, _files(at, many))
        _append_events(conn, many)


def _batches(source: str, at: datetime, many: int) -> Iterator[dict[str, Any]]:
    for number in range(1, many + 1):
        # Many share one second: ties are where paging goes wrong.
        when = at - timedelta(seconds=(many - number) // 12 * 60)
        state = _BATCH_STATES[number % len(_BATCH_STATES)] if number > 1 else BatchState.PARTIAL
        ended = when if state in FINAL_BATCH_STATES else None
        digest = _digest("batch", number)
        failed = state in {BatchState.FAILED, BatchState.PARTIAL}
        yield {
            "source": source,
            "batch_key": str(uuid.UUID(digest[:32], version=4)),
            "revision": 1,
            "queued_revision": 1 if ended else None,
            "type": _TYPES[number % len(_TYPES)],
            "action": "import" if number % 7 else "update",
            "state": state.value,
            "reason": "store_fault" if state is BatchState.FAILED else None,
            "fingerprint": digest,
            "manifest_sha256": digest,
            "preflight_sha256": digest,
            "items_total": 10_000 if number == 1 else 1 + failed,
            "bytes_total": number % 997 * 1_000_000,
            "found_at": when - timedelta(minutes=5),
            "updated_at": when,
            "preflighted_at": when,
            "queued_at": ended,
            "finished_at": ended,
        }


def _items(at: datetime, many: int) -> Iterator[dict[str, Any]]:
    """A tenth of them in the first batch, of which many failed; one in each other."""
    in_first = many // 10
    failed_in_first = FAILED_ITEMS * many // MANY
    for number in range(many):
        first = number < in_first
        failed = number < failed_in_first if first else number % 40 == 0
        yield {
            "batch_id": 1 if first else number - in_first + 2,
            "revision": 1,
            "seq": number if first else 0,
            "item_key": f"p-{number:06}",
            "kind": "asset",
            "title": f"Photo {number}",
            "content_hash": _digest("asset", number),
            "bytes": number % 997 * 10_000,
            "decision": (Decision.FAILED if failed else Decision.CREATE).value,
            "planned": Decision.CREATE.value,
            "outcome": (Outcome.FAILED if failed else Outcome.CREATED).value,
            "reason": _REASONS[number % len(_REASONS)] if failed else None,
            "detail": '{"file":"original/a.jpg"}' if failed else None,
            "attempts": 1,
            "updated_at": at,
        }


def _jobs(at: datetime, many: int) -> Iterator[dict[str, Any]]:
    for number in range(1, many + 1):
        state = _JOB_STATES[number % len(_JOB_STATES)]
        when = at - timedelta(seconds=(many - number) * 20)
        failed = state is JobState.FAILED
        yield {
            "kind": IMPORT_JOB_KIND,
            "params": "{}",
            "batch_id": number,
            "status": state.value,
            "priority": 5,
            "pending_deps": 0,
            "attempt": 1,
            "attempts_max": 12,
            "lease": 1,
            "worker": "ingest-1/1/00000000000000000000000000000001",
            "created_at": when - timedelta(seconds=90),
            "queued_at": when - timedelta(seconds=90),
            "started_at": when - timedelta(seconds=60),
            "finished_at": when if state in FINAL_JOB_STATES else None,
            "stop_requested": False,
            "items_done": 0 if failed else 1,
            "items_skipped": 0,
            "items_failed": int(failed),
            "items_total": 1,
            "bytes_moved": number % 997 * 1_000_000,
            "bytes_skipped": 0,
            "bytes_total": number % 997 * 1_000_000,
            "error": "the store refused the upload" if failed else None,
            "error_code": "store_error" if failed else None,
        }


def _assets(at: datetime, many: int) -> Iterator[dict[str, Any]]:
    for number in range(many):
        film = number % 25 == 0
        when = at - timedelta(seconds=(many - number) // 10 * 10)
        yield {
            "content_hash": _digest("asset", number),
            "asset_type": "video" if film else "photo",
            "asset_subtype": "video_simple" if film else None,
            "title": f"{'Film' if film else 'Photo'} {number}",
            "captured_at": at - timedelta(minutes=number),
            "captured_offset_min": 120,
            "width": 1600,
            "height": 1067,
            "duration_s": 12.5 if film else None,
            "batch_id": number + 1,
            "created_at": when,
            "updated_at": when,
            "deleted_at": at if number % 500 == 7 else None,
        }


def _files(at: datetime, many: int) -> Iterator[dict[str, Any]]:
    path = "original/a.jpg"
    path_sha256 = hashlib.sha256(path.encode()).hexdigest()
    for number in range(many):
        digest = _digest("asset", number)
        yield {
            "asset_id": number + 1,
            "role": "original",
            "variant": None,
            "path": path,
            "path_sha256": path_sha256,
            "sha256": digest,
            "size_bytes": number % 997 * 10_000,
            "media_type": "image/jpeg",
            "store": STORE_NAME,
            "location": f"originals/{digest[:2]}/{digest}",
            "created_at": at,
            "updated_at": at,
        }


def _append_events(conn: Connection, many: int) -> None:
    for start in range(0, many, _EVENTS_AT_ONCE):
        append_all(
            conn,
            [
                Entry(
                    JobProgress(
                        items_done=number % 40,
                        items_total=40,
                        bytes_moved=number * 1_000,
                        bytes_skipped=0,
                    ),
                    "worker:ingest-1/1/00000000000000000000000000000001",
                    batch_id=number + 1,
                    job_id=number + 1,
                )
                for number in range(start, min(start + _EVENTS_AT_ONCE, many))
            ],
        )


def _digest(what: str, number: int) -> str:
    return hashlib.sha256(f"{what} {number}".encode()).hexdigest()
