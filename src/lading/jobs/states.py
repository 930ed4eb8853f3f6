"""States of a job and the table of its transitions (`docs/states.md` is made from it)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    """Where one job stands."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = JobState

JOB_TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    # for another job, or for its time
    S.WAITING: frozenset({S.QUEUED, S.FAILED, S.CANCELLED}),
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED}),
    # back to waiting with a back-off; back to queued on a graceful stop or a rescue
    S.RUNNING: frozenset({S.DONE, S.FAILED, S.PAUSED, S.QUEUED, S.WAITING}),
    S.PAUSED: frozenset({S.QUEUED, S.CANCELLED}),
    S.DONE: frozenset(),
    S.FAILED: frozenset({S.QUEUED, S.WAITING}),
    S.CANCELLED: frozenset({S.QUEUED, S.WAITING}),
}
"""From each state, the states a job may move to; the last two rows are a retry by hand."""

FINAL_JOB_STATES: Final = frozenset({S.DONE, S.FAILED, S.CANCELLED})
UNFINISHED_JOB_STATES: Final = frozenset(S) - FINAL_JOB_STATES
CANCELLABLE_JOB_STATES: Final = frozenset({S.QUEUED, S.WAITING, S.PAUSED})
