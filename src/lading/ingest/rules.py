"""Pure decisions of the flow: may a scan retire batches, what state follows, what adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lading.base.reasons import Reason, reason_table
from lading.ledger.states import (
    ACTIVE_BATCH_STATES,
    FINAL_BATCH_STATES,
    SUCCESSFUL_OUTCOMES,
    BatchState,
    Outcome,
)

DUPLICATE_ITEM: Final = Reason(
    "duplicate_item",
    "An item before this one in the batch has the same key or the same content.",
    "Ask the upstream to list each item once; the first one is imported.",
)
PREFLIGHT_STALE: Final = Reason(
    "preflight_stale",
    "The manifest changed after the decisions about it were made; nothing was imported.",
    "Preflight the batch again, look at the decisions, and queue it.",
)
WITHDRAWN: Final = Reason(
    "withdrawn",
    "The upstream took the bundle away before it was imported.",
    "Nothing, if that was meant; otherwise ask the upstream to publish it again.",
)
ALL_REJECTED: Final = Reason(
    "all_rejected",
    "Every item of the batch was rejected; nothing of it can be imported.",
    "See why with `lading batch`; the upstream has to publish it again.",
)
STORE_FAULT: Final = Reason(
    "store_fault",
    "The store or the database failed too often while the batch was imported.",
    "Mend the store, then retry the job; it continues where it stopped.",
)
INTERNAL_FAULT: Final = Reason(
    "internal_fault",
    "Lading itself failed on this item; the others went on.",
    "Report it with the worker's log, then queue the batch again.",
)
ENGINE_REASONS: Final = reason_table(
    (DUPLICATE_ITEM, PREFLIGHT_STALE, WITHDRAWN, ALL_REJECTED, STORE_FAULT, INTERNAL_FAULT)
)
"""Reasons the engine itself gives, for every kind of source."""

GONE: Final = "gone"
"""The fingerprint of a batch that vanished after it was imported (G1)."""

HELD: Final = "held"
"""In the detail of a batch: how many of its items were held unchanged and are not written down."""

_PART: Final = ".part"

_CHECK_MOUNT: Final = (
    "Check that the right disk is mounted, then scan again; if the change is real, scan with"
    " --accept-root."
)
ROOT_OTHER: Final = Reason(
    "root_other",
    "the root is not the one of the last scan, which a scan of one folder cannot judge",
    "Check that the right disk is mounted, then scan the whole source.",
)
ROOT_EMPTY: Final = Reason(
    "root_empty", "none of the known batches is there; this looks unmounted", _CHECK_MOUNT
)
ROOT_REPLACED: Final = Reason(
    "root_replaced",
    "the root is not the one of the last scan, and known batches are missing",
    _CHECK_MOUNT,
)
TOO_MANY_VANISHED: Final = Reason(
    "too_many_vanished", "more batches vanished than is plausible", _CHECK_MOUNT
)
GUARD_REASONS: Final = reason_table((ROOT_EMPTY, ROOT_REPLACED, TOO_MANY_VANISHED, ROOT_OTHER))
"""Why the missing-mount guard stops a scan (G1)."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """How much a scan may retire without asking: the larger of the two counts (G1)."""

    vanish_share_max: float = 0.01
    vanish_items_max: int = 100


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What a scan saw, before anything is written; a scan of one folder counts what is below it.

    What `moved` has vanished, and is there under another name; it is not among the `retired`.
    """

    known: int  # recorded batches, but those known to be gone
    known_seen: int  # of those, how many are still there
    retired: int  # those that would be marked as withdrawn, or of which nothing shall stay
    identity_before: str | None  # of the root at the last accepted scan
    identity_now: str
    moved: int = 0
    folder_alone: bool = False
    beside_seen: bool = False  # of one folder: whether something known beside it is there


@dataclass(frozen=True, slots=True)
class ScanRefusal:
    """Why a scan must not be believed."""

    code: str
    sentence: str
    threshold: int


def judge_scan(facts: ScanFacts, limits: GuardLimits) -> ScanRefusal | None:
    """The missing-mount guard (G1): None when the scan may be written.

    A root that is another one than before is only believed when nothing known is missing under
    it, which takes a scan of all of it. A root under which nothing known is left is not believed,
    unless all of it is there under other names.
    """
    threshold = max(limits.vanish_items_max, int(facts.known * limits.vanish_share_max))
    vanished = facts.known - facts.known_seen
    replaced = facts.identity_before not in {None, facts.identity_now}
    left = facts.known_seen or facts.beside_seen or (facts.moved == vanished and not replaced)
    if facts.known and not left:
        return ScanRefusal(ROOT_EMPTY.code, ROOT_EMPTY.sentence, threshold)
    if replaced and facts.folder_alone:
        return ScanRefusal(ROOT_OTHER.code, ROOT_OTHER.sentence, threshold)
    if replaced and vanished:
        return ScanRefusal(ROOT_REPLACED.code, ROOT_REPLACED.sentence, threshold)
    if facts.retired > threshold:
        return ScanRefusal(TOO_MANY_VANISHED.code, TOO_MANY_VANISHED.sentence, threshold)
    return None


def is_gone(fingerprint: str) -> bool:
    """Whether a recorded fingerprint says that its batch vanished."""
    return fingerprint in {GONE, GONE + _PART}


def of_part(fingerprint: str) -> str:
    """The fingerprint as a scan of one folder records it.

    What such a scan misses may lie elsewhere. A scan of all of it finds the mark unknown to the
    source, and so looks again and takes it away.
    """
    return fingerprint.removesuffix(_PART) + _PART


def is_of_part(fingerprint: str) -> bool:
    """Whether a scan of one folder recorded it, and none of the whole source since."""
    return fingerprint.endswith(_PART)


def state_after_change(state: BatchState) -> BatchState | None:
    """Where a batch goes when a scan finds its manifest changed; None: not while a job has it.

    The job sees the change itself, and the next scan records it.
    """
    if state in ACTIVE_BATCH_STATES:
        return None
    if state in {BatchState.PREFLIGHT_PASSED, BatchState.PREFLIGHT_STALE}:
        return BatchState.PREFLIGHT_STALE
    return BatchState.PENDING


def shall_be_retired(state: BatchState, *, was_queued: bool) -> bool:
    """Whether a batch that is gone is decided about again, where nothing of it is to stay."""
    settled = ACTIVE_BATCH_STATES | {BatchState.SUPERSEDED}
    return was_queued and state not in settled


def may_be_withdrawn(state: BatchState) -> bool:
    """Whether a batch that is no longer there is marked as superseded."""
    return state not in FINAL_BATCH_STATES | ACTIVE_BATCH_STATES


def state_after_preflight(items: int, rejected: int, *, held: int = 0) -> BatchState:
    """A batch passes when something of it can be imported or is `held`; an empty one passes too."""
    if items and rejected == items and not held:
        return BatchState.PREFLIGHT_FAILED
    return BatchState.PREFLIGHT_PASSED


def state_after_import(outcomes: Mapping[Outcome, int], *, held: int = 0) -> BatchState:
    """`imported` when all items did well, `failed` when none did, else `partial` (A20).

    What was `held` unchanged and is not among the items did well.
    """
    well = held + sum(outcomes.get(outcome, 0) for outcome in SUCCESSFUL_OUTCOMES)
    total = held + sum(outcomes.values())
    if well == total:
        return BatchState.IMPORTED
    return BatchState.PARTIAL if well else BatchState.FAILED
