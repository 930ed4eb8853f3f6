"""States of an operation and outcomes of its targets, with the table of transitions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lading.base.errors import IllegalTransition


class OperationState(StrEnum):
    """Where one operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = OperationState

OPERATION_TRANSITIONS: Final[Mapping[OperationState, frozenset[OperationState]]] = {
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED, S.FAILED}),
    # what is carried out by a job goes where its job goes
    S.RUNNING: frozenset({S.DONE, S.FAILED, S.PAUSED, S.QUEUED}),
    S.PAUSED: frozenset({S.QUEUED, S.CANCELLED}),
    S.DONE: frozenset(),
    S.FAILED: frozenset({S.QUEUED}),
    S.CANCELLED: frozenset({S.QUEUED}),
}
"""From each state, the states an operation may move to; the last two rows are a retry of its job.

Only `running` and `done` are written: while an operation runs, its state is that of its job, read
each time, so that it cannot claim to run when nobody works on it.
"""

FINAL_OPERATION_STATES: Final = frozenset({S.DONE, S.FAILED, S.CANCELLED})


def require_operation_transition(
    before: OperationState, after: OperationState, subject: str
) -> None:
    """Raise `IllegalTransition` unless the table connects the two states."""
    if after not in OPERATION_TRANSITIONS[before]:
        raise IllegalTransition(
            f"an operation cannot go from {before} to {after}",
            subject=subject,
            next_step="Look at the operation again: something else ended it in the meantime.",
        )


class TargetOutcome(StrEnum):
    """What became of one target of an operation; each target has exactly one."""

    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
