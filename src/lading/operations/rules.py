"""Decides what a verb would do to a target, from the target's state alone.

A preview and the operation itself ask here, so that on an unchanged world both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lading.jobs.states import CANCELLABLE_JOB_STATES, UNFINISHED_JOB_STATES, JobState
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState
from lading.operations.errors import BadOperation
from lading.operations.values import Resource, Verb

INLINE_TARGETS_MAX: Final = 200
"""More than that, or anything that must be preflighted, becomes a job."""

PROBLEM_BATCH_STATES: Final = frozenset(
    {
        BatchState.PREFLIGHT_FAILED,
        BatchState.PREFLIGHT_STALE,
        BatchState.PARTIAL,
        BatchState.FAILED,
    }
)

_LIBRARY_VERBS: Final = frozenset(
    {
        Verb.DELETE,
        Verb.RESTORE,
        Verb.GRANT_SITE,
        Verb.REVOKE_SITE,
        Verb.ADD_TO_PACKAGE,
        Verb.REMOVE_FROM_PACKAGE,
    }
)
_DATE_VERBS: Final = frozenset({Verb.SHIFT_TAKEN, Verb.SET_TAKEN, Verb.RESTORE_TAKEN})
_NOTED: Final = frozenset({Verb.ACKNOWLEDGE, Verb.UNACKNOWLEDGE})

VERBS: Final[Mapping[Resource, frozenset[Verb]]] = {
    Resource.BATCHES: frozenset({Verb.PREFLIGHT, Verb.QUEUE, Verb.CANCEL, Verb.PRIORITISE})
    | _NOTED,
    Resource.JOBS: frozenset({Verb.STOP, Verb.RESUME, Verb.RETRY, Verb.CANCEL, Verb.PRIORITISE})
    | _NOTED,
    Resource.ASSETS: _LIBRARY_VERBS | _DATE_VERBS,
    Resource.GALLERIES: _LIBRARY_VERBS,
    Resource.COLLECTIONS: _LIBRARY_VERBS,
    Resource.EVENTS: _LIBRARY_VERBS,
}
"""What can be done to what."""

INVERSES: Final[Mapping[Verb, Verb]] = {
    Verb.DELETE: Verb.RESTORE,
    Verb.RESTORE: Verb.DELETE,
    Verb.GRANT_SITE: Verb.REVOKE_SITE,
    Verb.REVOKE_SITE: Verb.GRANT_SITE,
    Verb.ADD_TO_PACKAGE: Verb.REMOVE_FROM_PACKAGE,
    Verb.REMOVE_FROM_PACKAGE: Verb.ADD_TO_PACKAGE,
    Verb.ACKNOWLEDGE: Verb.UNACKNOWLEDGE,
    Verb.UNACKNOWLEDGE: Verb.ACKNOWLEDGE,
    Verb.SHIFT_TAKEN: Verb.RESTORE_TAKEN,
    Verb.SET_TAKEN: Verb.RESTORE_TAKEN,
    Verb.RESTORE_TAKEN: Verb.RESTORE_TAKEN,
    # A cancelled job that is retried stands in its old place, and so does what waited for it.
    Verb.CANCEL: Verb.RETRY,
}
"""What takes back what."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a verb would do to a target: `code` is None when it would be done."""

    code: str | None = None
    preflight: bool = False


DO: Final = Judged()

SENTENCES: Final[Mapping[str, str]] = {
    "already_queued": "A job has it already.",
    "already_imported": "It is imported; preflight it again to see whether anything is left to do.",
    "superseded": "Its upstream took it away before it was imported.",
    "batch_busy": "A job has it; its decisions cannot be made anew meanwhile.",
    "running": "It is running; stop it after the item in hand instead.",
    "not_queued": "It is not in line.",
    "ended": "It has ended.",
    "priority_unchanged": "It has this priority already.",
    "not_running": "It is not running.",
    "already_stopping": "It was asked to stop already.",
    "not_paused": "It is not paused.",
    "not_ended_badly": "Only what failed or was cancelled can be retried.",
    "other_job": "Another job does the same work by now.",
    "spoiled_parent": "It waits for a job that did not end well.",
    "no_problem": "There is nothing to acknowledge: it is no problem as it stands.",
    "already_acknowledged": "It was acknowledged already, and has not changed since.",
    "not_acknowledged": "It is not acknowledged.",
    "already_deleted": "It is in the trash already.",
    "not_deleted": "It is not in the trash.",
    "already_granted": "The site has it already.",
    "not_granted": "The site does not have it directly.",
    "already_in_package": "The package holds it already.",
    "not_in_package": "The package does not hold it.",
    "not_a_photo": "It is no picture or video out of a folder of photos.",
    "no_time": "Nothing says when it was taken, so that there is nothing to shift; set its date.",
    "date_impossible": "The date that comes out is none that the timeline has.",
    "date_not_corrected": "It has the date that its file says.",
    "date_changed_since": "Its date was changed again since.",
}
"""Why a target is left as it is."""


def undo_params(verb: Verb, params: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The parameters of the operation that takes back the one of this key."""
    if verb in _DATE_VERBS:
        return {"operation": key}
    if verb is Verb.CANCEL:
        return {"with_dependents": True}
    return {name: params[name] for name in ("site", "package") if name in params}


def require_verb(verb: Verb, resource: Resource) -> None:
    """Raise `BadOperation` for a verb that is not for this resource."""
    if verb not in VERBS[resource]:
        raise BadOperation(
            f"this cannot be done to {resource}",
            subject=verb,
            expected=", ".join(sorted(VERBS[resource])),
        )


def judge_batch(
    verb: Verb, state: BatchState, *, acknowledged: bool, same_priority: bool
) -> Judged:
    """What `verb` would do to a batch in `state`."""
    match verb:
        case Verb.PREFLIGHT:
            return _judge_preflight(state)
        case Verb.QUEUE:
            return _judge_queue(state)
        case Verb.CANCEL:
            codes = {BatchState.QUEUED: None, BatchState.IMPORTING: "running"}
            return Judged(codes.get(state, "not_queued"))
        case Verb.PRIORITISE:
            if state not in ACTIVE_BATCH_STATES:
                return Judged("not_queued")
            return Judged("priority_unchanged") if same_priority else DO
    return _judge_noted(verb, state in PROBLEM_BATCH_STATES, acknowledged)


def judge_job(
    verb: Verb,
    state: JobState,
    *,
    acknowledged: bool = False,
    same_priority: bool = False,
    stopping: bool = False,
    other_job: bool = False,
    spoiled_parent: bool = False,
) -> Judged:
    """What `verb` would do to a job in `state`."""
    code: str | None = None
    match verb:
        case Verb.STOP if state is JobState.RUNNING:
            code = "already_stopping" if stopping else None
        case Verb.STOP:
            code = "not_running"
        case Verb.RESUME:
            code = None if state is JobState.PAUSED else "not_paused"
        case Verb.RETRY if state in {JobState.FAILED, JobState.CANCELLED}:
            code = "other_job" if other_job else "spoiled_parent" if spoiled_parent else None
        case Verb.RETRY:
            code = "not_ended_badly"
        case Verb.CANCEL if state not in CANCELLABLE_JOB_STATES:
            code = "running" if state is JobState.RUNNING else "ended"
        case Verb.PRIORITISE if state not in UNFINISHED_JOB_STATES:
            code = "ended"
        case Verb.PRIORITISE:
            code = "priority_unchanged" if same_priority else None
        case Verb.ACKNOWLEDGE | Verb.UNACKNOWLEDGE:
            return _judge_noted(verb, state is JobState.FAILED, acknowledged)
    return Judged(code)


def judge_holding(verb: Verb, *, deleted: bool, linked: bool) -> Judged:
    """What `verb` would do to an asset or container; `linked`: to the site or package named."""
    codes = {
        Verb.DELETE: "already_deleted" if deleted else None,
        Verb.RESTORE: None if deleted else "not_deleted",
        Verb.GRANT_SITE: "already_granted" if linked else None,
        Verb.REVOKE_SITE: None if linked else "not_granted",
        Verb.ADD_TO_PACKAGE: "already_in_package" if linked else None,
        Verb.REMOVE_FROM_PACKAGE: None if linked else "not_in_package",
    }
    return Judged(codes[verb])


def judge_date(
    verb: Verb, *, photo: bool, dated: bool, possible: bool, standing: bool, undoing: bool
) -> Judged:
    """What `verb` would do to the date of an asset.

    `standing`: a correction counts for it; with `undoing`, that of the operation to be undone.
    """
    if not photo:
        return Judged("not_a_photo")
    match verb:
        case Verb.SHIFT_TAKEN if not dated:
            return Judged("no_time")
        case Verb.SHIFT_TAKEN if not possible:
            return Judged("date_impossible")
        case Verb.RESTORE_TAKEN if not standing:
            return Judged("date_changed_since" if undoing else "date_not_corrected")
    return DO


def _judge_preflight(state: BatchState) -> Judged:
    if state in ACTIVE_BATCH_STATES:
        return Judged("batch_busy")
    return Judged("superseded") if state is BatchState.SUPERSEDED else DO


def _judge_queue(state: BatchState) -> Judged:
    if state in ACTIVE_BATCH_STATES:
        return Judged("already_queued")
    if state is BatchState.IMPORTED:
        return Judged("already_imported")
    if state is BatchState.SUPERSEDED:
        return Judged("superseded")
    # One that seems to be preflighted is decided about anew: a killed worker may have left it so.
    return Judged(preflight=state is not BatchState.PREFLIGHT_PASSED)


def _judge_noted(verb: Verb, problem: bool, acknowledged: bool) -> Judged:
    if verb is Verb.UNACKNOWLEDGE:
        return DO if acknowledged else Judged("not_acknowledged")
    if not problem:
        return Judged("no_problem")
    return Judged("already_acknowledged") if acknowledged else DO
