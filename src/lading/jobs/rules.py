"""The queue's decisions as plain functions: moves, first states, causes of failure, delays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lading.base.errors import IllegalTransition
from lading.jobs.states import JOB_TRANSITIONS, JobState

_SPOILED = frozenset({JobState.FAILED, JobState.CANCELLED})
_EXPONENT_MAX = 30


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a job stands that is put in line: its state, what it waits for, what failed it."""

    state: JobState
    pending_deps: int = 0
    failed_by: int | None = None


def require_job_transition(before: JobState, after: JobState, job_id: int) -> None:
    """Raise `IllegalTransition` unless the table connects the two states."""
    if after not in JOB_TRANSITIONS[before]:
        raise IllegalTransition(
            f"a job cannot go from {before} to {after}",
            subject=f"job {job_id}",
            next_step="Look at the job's events: something else moved it in the meantime.",
        )


def place(wait_for: Iterable[int], states: Mapping[int, JobState], *, delayed: bool) -> Placing:
    """Where a job belongs whose `wait_for` jobs stand in `states`.

    What ended badly fails the job at once, by the lowest number; what is done counts no more.
    """
    awaited = sorted(set(wait_for))
    spoiled = [job_id for job_id in awaited if states[job_id] in _SPOILED]
    if spoiled:
        return Placing(JobState.FAILED, failed_by=spoiled[0])
    pending = sum(states[job_id] is not JobState.DONE for job_id in awaited)
    return Placing(JobState.WAITING if pending or delayed else JobState.QUEUED, pending)


def causes(
    root: int, edges: Iterable[tuple[int, int]], candidates: Iterable[int]
) -> dict[int, int]:
    """For each of `candidates` that `root` spoils, the job it waits for that spoils it (C4).

    `edges` are (job, job it waits for). Numbers ascend along edges, so one pass is enough.
    """
    wait_for: dict[int, list[int]] = {}
    for job_id, awaited in edges:
        wait_for.setdefault(job_id, []).append(awaited)
    spoiled = {root}
    found: dict[int, int] = {}
    for job_id in sorted(set(candidates) - {root}):
        culprits = spoiled.intersection(wait_for.get(job_id, ()))
        if culprits:
            found[job_id] = min(culprits)
            spoiled.add(job_id)
    return found


def revivable(
    root: int, failed_by: Mapping[int, int | None], wait_for: Mapping[int, Sequence[int]]
) -> list[int]:
    """The failed jobs whose cause leads back to `root` and that a retry of `root` brings back.

    `failed_by` has the failed descendants of `root`. One that waits for another job that ended
    badly (named by `wait_for`, which lists such jobs only) stays as it is.
    """
    revived = {root}
    for job_id in sorted(failed_by):
        spoilers = set(wait_for.get(job_id, ()))
        if failed_by[job_id] in revived and spoilers <= revived:
            revived.add(job_id)
    return sorted(revived - {root})


def backoff_s(attempt: int, *, base_s: float, max_s: float, jitter: float) -> float:
    """Seconds before try `attempt` + 1: doubling from `base_s` up to `max_s`, half of it jitter.

    `jitter` is a random number between 0 and 1, so that jobs that failed together spread out.
    """
    full = min(max_s, base_s * 2.0 ** min(max(attempt, 1) - 1, _EXPONENT_MAX))
    return full * (0.5 + jitter / 2)


def attempts_used_up(attempt: int, attempts_max: int) -> bool:
    """Whether a job that was claimed `attempt` times may not be claimed again."""
    return attempt >= attempts_max
