"""States of batches, decisions and outcomes of items; transitions are tables (`docs/states.md`)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lading.base.errors import IllegalTransition


class BatchState(StrEnum):
    """Where one batch stands."""

    PENDING = "pending"
    PREFLIGHTING = "preflighting"
    PREFLIGHT_PASSED = "preflight_passed"
    PREFLIGHT_FAILED = "preflight_failed"
    PREFLIGHT_STALE = "preflight_stale"
    QUEUED = "queued"
    IMPORTING = "importing"
    IMPORTED = "imported"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


S = BatchState

BATCH_TRANSITIONS: Final[Mapping[BatchState, frozenset[BatchState]]] = {
    S.PENDING: frozenset({S.PENDING, S.PREFLIGHTING, S.SUPERSEDED}),
    # back to where it was when it could not be decided about after all
    S.PREFLIGHTING: frozenset(
        {S.PREFLIGHTING, S.PREFLIGHT_PASSED, S.PREFLIGHT_FAILED, S.PENDING, S.SUPERSEDED}
        | {S.IMPORTED, S.PARTIAL, S.FAILED, S.CANCELLED}
    ),
    S.PREFLIGHT_PASSED: frozenset({S.PREFLIGHTING, S.PREFLIGHT_STALE, S.QUEUED, S.SUPERSEDED}),
    S.PREFLIGHT_FAILED: frozenset({S.PREFLIGHTING, S.PENDING, S.SUPERSEDED}),
    S.PREFLIGHT_STALE: frozenset({S.PREFLIGHT_STALE, S.PREFLIGHTING, S.SUPERSEDED}),
    S.QUEUED: frozenset({S.IMPORTING, S.CANCELLED, S.PARTIAL, S.FAILED, S.PREFLIGHT_STALE}),
    S.IMPORTING: frozenset(
        {S.IMPORTING, S.QUEUED, S.IMPORTED, S.PARTIAL, S.FAILED, S.PREFLIGHT_STALE, S.CANCELLED}
    ),
    S.IMPORTED: frozenset({S.PENDING, S.PREFLIGHTING}),
    S.PARTIAL: frozenset({S.PENDING, S.PREFLIGHTING, S.QUEUED}),
    # back to queued when their job is retried by hand
    S.FAILED: frozenset({S.PENDING, S.PREFLIGHTING, S.QUEUED}),
    S.CANCELLED: frozenset({S.PENDING, S.PREFLIGHTING, S.QUEUED, S.SUPERSEDED}),
    S.SUPERSEDED: frozenset({S.PENDING}),
}
"""From each state, the states a batch may move to. Anything else is `IllegalTransition`."""

FINAL_BATCH_STATES: Final = frozenset({S.IMPORTED, S.PARTIAL, S.FAILED, S.CANCELLED, S.SUPERSEDED})
ACTIVE_BATCH_STATES: Final = frozenset({S.QUEUED, S.IMPORTING})
"""A job is at work on the batch or about to be; a scan leaves its state alone."""


def require_batch_transition(before: BatchState, after: BatchState, subject: str) -> None:
    """Raise `IllegalTransition` unless the table connects the two states."""
    if after not in BATCH_TRANSITIONS[before]:
        raise IllegalTransition(
            f"a batch cannot go from {before} to {after}",
            subject=subject,
            next_step="Look at the batch's events: something else moved it in the meantime.",
        )


class Decision(StrEnum):
    """What is to be done with one item; `failed` replaces the plan when the import of it failed."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    REMOVE = "remove"
    REJECT = "reject"
    FAILED = "failed"


class Outcome(StrEnum):
    """What became of one item. Every item found has exactly one (G5)."""

    PENDING = "pending"
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    REJECTED = "rejected"
    FAILED = "failed"


SUCCESSFUL_OUTCOMES: Final = frozenset(
    {Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.REMOVED}
)
"""Outcomes after which nothing of the item is missing from the library."""

ITEM_TRANSITIONS: Final[Mapping[Outcome, frozenset[Outcome]]] = {
    Outcome.PENDING: frozenset(Outcome) - {Outcome.PENDING},
    Outcome.FAILED: frozenset({Outcome.PENDING}),
    Outcome.REJECTED: frozenset({Outcome.PENDING}),
    Outcome.CREATED: frozenset(),
    Outcome.UPDATED: frozenset(),
    Outcome.UNCHANGED: frozenset(),
    Outcome.REMOVED: frozenset(),
}
"""Within one revision of a batch; a new preflight has items of its own."""
