"""Says in words what can be done to a batch as it stands, and why not the rest (design 5.2).

Pure: it is given what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lading.jobs.states import JobState
from lading.jobs.values import JobRow
from lading.ledger.states import BatchState
from lading.operations.values import Verb

S = BatchState


@dataclass(frozen=True, slots=True)
class Offer:
    """A button: what it does, to the batch or to its job, and what it says."""

    verb: Verb
    label: str
    to_job: bool = False
    primary: bool = False


_QUEUE: Final = Offer(Verb.QUEUE, "Queue", primary=True)
_RECHECK: Final = Offer(Verb.PREFLIGHT, "Re-check")
_ACKNOWLEDGE: Final = Offer(Verb.ACKNOWLEDGE, "Acknowledge")
_UNACKNOWLEDGE: Final = Offer(Verb.UNACKNOWLEDGE, "Take acknowledgement back")
_RETRY: Final = Offer(Verb.QUEUE, "Retry failed items", primary=True)

_OFFERS: Final[Mapping[BatchState, Sequence[Offer]]] = {
    S.PENDING: (_QUEUE, Offer(Verb.PREFLIGHT, "Preflight")),
    S.PREFLIGHTING: (),
    S.PREFLIGHT_PASSED: (_QUEUE, _RECHECK),
    S.PREFLIGHT_FAILED: (_RECHECK, _ACKNOWLEDGE),
    S.PREFLIGHT_STALE: (_RECHECK, _ACKNOWLEDGE),
    S.QUEUED: (Offer(Verb.CANCEL, "Cancel"),),
    S.IMPORTING: (Offer(Verb.STOP, "Stop after item", to_job=True),),
    S.IMPORTED: (_RECHECK,),
    S.PARTIAL: (_RETRY, _ACKNOWLEDGE),
    S.FAILED: (_RETRY, _ACKNOWLEDGE),
    S.CANCELLED: (Offer(Verb.QUEUE, "Queue again", primary=True), _RECHECK),
    S.SUPERSEDED: (),
}

_REST: Final[Mapping[BatchState, str]] = {
    S.PENDING: "Queue preflights it first. It cannot be cancelled: it is not in line.",
    S.PREFLIGHTING: "It is being checked; what can be done to it is said when that has ended.",
    S.PREFLIGHT_PASSED: "It cannot be cancelled: it is not in line yet.",
    S.PREFLIGHT_FAILED: "It cannot be queued: nothing of it can be imported as it is.",
    S.PREFLIGHT_STALE: "Check it again and see what changed, then queue it.",
    S.QUEUED: "It cannot be checked again while it is in line.",
    S.IMPORTING: "It cannot be cancelled while a worker has it; what is done stays done.",
    S.IMPORTED: "To check it again proves that nothing of it is left to do.",
    S.PARTIAL: "A retry takes in only what is missing.",
    S.FAILED: "A retry takes in only what is missing.",
    S.CANCELLED: "What was imported before it was cancelled stays.",
    S.SUPERSEDED: "Nothing can be done to it: its upstream took it away. It comes back by a scan"
    " when it is published again.",
}


def offers_for(state: BatchState, job: JobRow | None, *, acknowledged: bool) -> Sequence[Offer]:
    """What can be done to a batch now, the most likely first."""
    offers = [
        _UNACKNOWLEDGE if offer is _ACKNOWLEDGE and acknowledged else offer
        for offer in _OFFERS[state]
    ]
    if job is None or state not in {S.QUEUED, S.IMPORTING}:
        return [offer for offer in offers if not offer.to_job]
    if job.status is JobState.PAUSED:
        return [Offer(Verb.RESUME, "Resume", to_job=True, primary=True), *offers]
    if job.stop_requested:
        return [offer for offer in offers if offer.verb is not Verb.STOP]
    return offers


def rest_of(state: BatchState, job: JobRow | None, *, stale_after: str) -> str:
    """Why the rest cannot be done, or what the offers mean."""
    if state is S.IMPORTING and job is not None:
        if job.stop_requested:
            return "It was asked to stop, and does so after the item in hand."
        return f"{_REST[state]} A worker that falls silent for {stale_after} loses it to another."
    return _REST[state]
