"""Preflight: one decision for every item of a batch, recorded before anything is imported (A5).

It reads the source and the library and writes the ledger alone. Each preflight is a revision of
its own: two at once do not mix their decisions, the later one stands.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, update

from lading.base.errors import LadingError, RequestError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.db.clock import now
from lading.ingest.known_root import require_known_root, require_same_root
from lading.ingest.parts import IngestParts
from lading.ingest.rules import (
    ALL_REJECTED,
    DUPLICATE_ITEM,
    HELD,
    is_gone,
    is_of_part,
    state_after_preflight,
)
from lading.ingest.source import (
    BatchRef,
    BatchRefused,
    Decided,
    DescribedBatch,
    Item,
    NoticesVanished,
    OpenBatch,
)
from lading.ingest.source_faults import source_faults
from lading.ledger import chain
from lading.ledger.batches import Batch, BatchOvertaken, as_json, get_batch, move
from lading.ledger.events import BatchPreflighted
from lading.ledger.items import (
    PlannedItem,
    already_listed,
    count_decisions,
    delete_unused_decisions,
    insert_items,
    refused_anew,
)
from lading.ledger.states import (
    ACTIVE_BATCH_STATES,
    FINAL_BATCH_STATES,
    BatchState,
    Decision,
)
from lading.ledger.tables import ingest_batch

CHUNK_ITEMS: Final = 500

OnProgress = Callable[[Progress], None]


class BatchBusy(RequestError):
    """A job works on the batch or is about to; its decisions cannot be made anew meanwhile."""

    code = "batch_busy"
    http_status = 409
    next_step = "Wait for the job to end, or cancel it first."


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """What preflight decided; `reason` is the code that speaks against the whole batch.

    `known` says that each refused item was refused just so before, which people were told then.
    """

    batch_id: int
    batch_key: str
    state: BatchState
    decisions: dict[str, int]
    items: int = 0
    bytes: int = 0
    plan_digest: str | None = None
    reason: str | None = None
    error: dict[str, object] | None = None
    known: bool = False

    @property
    def passed(self) -> bool:
        """Whether the batch can be queued."""
        return self.state is BatchState.PREFLIGHT_PASSED


class _Tally:
    """Running totals over the decided items, and the digest over all decisions (G6)."""

    def __init__(self) -> None:
        self.items = 0
        self.bytes = 0
        self.rejected = 0
        self.held = 0  # items unchanged in the library that are not written down
        self._digest = hashlib.sha256()

    def add(self, item: PlannedItem) -> None:
        self.items += 1
        self.bytes += item.bytes
        self.rejected += item.decision is Decision.REJECT
        facts = (item.seq, item.key, item.kind, item.decision.value, item.reason or "")
        line = "\x1f".join(map(str, (*facts, item.content_hash or "", item.bytes)))
        self._digest.update(line.encode("utf-8", "surrogatepass") + b"\n")

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def preflight(
    parts: IngestParts,
    batch_id: int,
    *,
    actor: str,
    check_bytes: bool = False,
    stop: StopSignal | None = None,
    on_progress: OnProgress | None = None,
) -> PreflightReport:
    """Decide about every item of one batch, in constant memory.

    With `check_bytes` the files are hashed too. Raises `BatchMissing`, `SourceMissing`,
    `BatchBusy` for a batch that a job has, `BatchOvertaken` when another preflight of the
    same batch began later, and `Interrupted` after a stop request.
    """
    before, batch = parts.db.run(lambda conn: _begin(conn, batch_id))
    source = parts.source(batch.source)
    try:
        with source_faults(batch.source):
            root = require_known_root(parts.db, source)
        with (
            source_faults(batch.source),
            source.open_batch(ref_of(batch)) as opened,
        ):
            require_same_root(source, root)  # it may have gone while it was listed
            tally = _Tally()
            for planned in _decided_chunks(parts, batch, opened, tally, check_bytes=check_bytes):
                if stop is not None:
                    stop.check()
                for item in planned:
                    tally.add(item)
                parts.db.run(lambda conn, planned=planned: _record(conn, batch, planned))  # type: ignore[misc]
                if on_progress is not None:
                    on_progress(Progress(items_done=tally.items, items_total=batch.items_total))
            return parts.db.run(lambda conn: _pass(conn, batch, opened, tally, actor))
    except BatchRefused as refusal:
        refused = refusal
        return parts.db.run(lambda conn: _refuse(conn, batch, refused, actor))
    except BaseException:
        # Also Ctrl-C: a batch that is left as it is now would seem to be worked on.
        with suppress(LadingError):
            parts.db.run(lambda conn: _give_back(conn, batch, before))
        raise


def ref_of(batch: Batch) -> BatchRef:
    """The batch as its source is asked to open it."""
    return BatchRef(
        batch.id,
        batch.batch_key,
        batch.revision,
        gone=is_gone(batch.fingerprint),
        part=is_of_part(batch.fingerprint),
    )


def _begin(conn: Connection, batch_id: int) -> tuple[Batch, Batch]:
    """The batch as it was, and as it is in preflight."""
    batch = get_batch(conn, batch_id, lock=True)
    if batch.state in ACTIVE_BATCH_STATES:
        raise BatchBusy("a job has this batch", subject=batch.batch_key, found=batch.state)
    revision = batch.revision + 1
    move(conn, batch, BatchState.PREFLIGHTING, subject=batch.batch_key, revision=revision)
    delete_unused_decisions(
        conn, batch.id, after_revision=batch.queued_revision or 0, before_revision=revision
    )
    return batch, get_batch(conn, batch_id)


def _decided_chunks(
    parts: IngestParts, batch: Batch, opened: OpenBatch, tally: _Tally, *, check_bytes: bool
) -> Iterator[list[PlannedItem]]:
    """Decided items, some at a time; all of one chunk are of one kind."""
    seq = itertools.count()
    for _kind, items in itertools.groupby(_all_items(parts, opened), key=lambda item: item.kind):
        while chunk := list(itertools.islice(items, CHUNK_ITEMS)):
            with parts.db.read() as conn:
                decisions = opened.decide(conn, chunk, check_bytes=check_bytes)
                twice = _listed_twice(conn, batch, chunk, decisions)
            final = [twice.get(place, decided) for place, decided in enumerate(decisions)]
            tally.held += sum(not decided.recorded for decided in final)
            yield [
                _planned(next(seq), item, decided)
                for item, decided in zip(chunk, final, strict=True)
                if decided.recorded
            ]


def _all_items(parts: IngestParts, opened: OpenBatch) -> Iterator[Item]:
    """What is there, and then what the library has of the batch and is there no more."""
    yield from opened.items()
    if isinstance(opened, NoticesVanished):
        with parts.db.read() as conn:
            vanished = list(opened.vanished(conn))
        yield from vanished


def _listed_twice(
    conn: Connection, batch: Batch, chunk: Sequence[Item], decisions: Sequence[Decided]
) -> dict[int, Decided]:
    """Rejections by place in the chunk, of items whose key or content came before (A19).

    Content that was rejected does not count: another item may bring it in good order.
    """
    hashes = [item.content_hash for item in chunk if item.content_hash]
    keys, contents = already_listed(
        conn, batch.id, batch.revision, [item.key for item in chunk], hashes
    )
    twice: dict[int, Decided] = {}
    for place, item in enumerate(chunk):
        if item.key in keys or item.content_hash in contents:
            what = {"item_key": item.key} if item.key in keys else {"sha256": item.content_hash}
            twice[place] = Decided(Decision.REJECT, DUPLICATE_ITEM, {"duplicate_of": what})
        elif item.content_hash and decisions[place].decision is not Decision.REJECT:
            contents.add(item.content_hash)
        keys.add(item.key)
    return twice


def _planned(seq: int, item: Item, decided: Decided) -> PlannedItem:
    return PlannedItem(
        seq=seq,
        key=item.key,
        kind=item.kind,
        decision=decided.decision,
        title=item.title,
        content_hash=item.content_hash,
        bytes=item.bytes,
        reason=decided.reason.code if decided.reason else None,
        detail=decided.detail,
    )


def _guard(conn: Connection, batch: Batch, **values: Any) -> None:
    """Hold the batch's row if it still is ours to decide about. Raises `BatchOvertaken`."""
    touched = conn.execute(
        update(ingest_batch)
        .where(
            ingest_batch.c.id == batch.id,
            ingest_batch.c.revision == batch.revision,
            ingest_batch.c.state == BatchState.PREFLIGHTING.value,
        )
        .values(updated_at=now(), **values)
    ).rowcount
    if touched != 1:
        raise BatchOvertaken(
            "another preflight, or a scan, took the batch over", subject=batch.batch_key
        )


def _record(conn: Connection, batch: Batch, planned: list[PlannedItem]) -> None:
    _guard(conn, batch)
    insert_items(conn, batch.id, batch.revision, planned)


def _pass(
    conn: Connection, batch: Batch, opened: OpenBatch, tally: _Tally, actor: str
) -> PreflightReport:
    state = state_after_preflight(tally.items, tally.rejected, held=tally.held)
    reason = ALL_REJECTED.code if state is BatchState.PREFLIGHT_FAILED else None
    _guard(
        conn,
        batch,
        state=state.value,
        reason=reason,
        detail=as_json(_detail(opened, tally)),
        type=opened.type,
        action=opened.action,
        manifest_sha256=opened.manifest_sha256,
        preflight_sha256=opened.manifest_sha256,
        plan_digest=tally.digest,
        items_total=tally.items,
        bytes_total=tally.bytes,
        preflighted_at=now(),
    )
    decisions = count_decisions(conn, batch.id, batch.revision)
    if tally.held:
        decisions[Decision.UNCHANGED.value] = (
            decisions.get(Decision.UNCHANGED.value, 0) + tally.held
        )
    event = BatchPreflighted(
        passed=state is BatchState.PREFLIGHT_PASSED,
        decisions=decisions,
        plan_digest=tally.digest,
        manifest_sha256=opened.manifest_sha256,
        reason=reason,
    )
    chain.append(conn, event, actor=actor, source=batch.source, batch_id=batch.id)
    return PreflightReport(
        batch.id,
        batch.batch_key,
        state,
        decisions,
        tally.items,
        tally.bytes,
        tally.digest,
        reason,
        known=reason is not None and not refused_anew(conn, batch.id, batch.revision),
    )


def _detail(opened: OpenBatch, tally: _Tally) -> dict[str, Any]:
    """What the batch says of itself, and how many items were held already and not written down."""
    detail = dict(opened.detail) if isinstance(opened, DescribedBatch) else {}
    return detail | {HELD: tally.held} if tally.held else detail


def _refuse(conn: Connection, batch: Batch, refusal: BatchRefused, actor: str) -> PreflightReport:
    code = refusal.reason.code
    _guard(
        conn,
        batch,
        state=BatchState.PREFLIGHT_FAILED.value,
        reason=code,
        detail=as_json(refusal.as_dict()),
        preflighted_at=now(),
    )
    event = BatchPreflighted(passed=False, decisions={}, reason=code)
    chain.append(conn, event, actor=actor, source=batch.source, batch_id=batch.id)
    return PreflightReport(
        batch.id,
        batch.batch_key,
        BatchState.PREFLIGHT_FAILED,
        {},
        reason=code,
        error=refusal.as_dict(),
    )


def _give_back(conn: Connection, batch: Batch, before: Batch) -> None:
    """Preflight did not come to its end; the batch stands as if it had not begun.

    What was imported stays so, with the decisions it was imported by. Others wait for new ones.
    """
    if before.state in FINAL_BATCH_STATES and before.revision == before.queued_revision:
        _guard(conn, batch, state=before.state.value, revision=before.revision)
        delete_unused_decisions(
            conn, batch.id, after_revision=before.revision, before_revision=batch.revision + 1
        )
    else:
        _guard(conn, batch, state=BatchState.PENDING.value)
