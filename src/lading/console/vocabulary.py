"""How every state is shown: its family (colour), its icon (shape) and its word; never one alone.

One table feeds badges, filters, the legend and the API; a test fails on a state it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lading.accounts.values import Permission, Role
from lading.console.rules import EngineState
from lading.jobs.states import JobState
from lading.ledger.states import BatchState, Decision, Outcome
from lading.media.faces.rules import ChangeKind, Verdict


class Family(StrEnum):
    """What a state asks of the one who sees it."""

    NEUTRAL = "neutral"  # waiting, or off
    ACTIVE = "active"  # the machine is at work
    DONE = "done"  # finished well
    ATTENTION = "attention"  # a person should look
    FAILED = "failed"  # did not happen


class Icon(StrEnum):
    """The shapes of states; each is a symbol in `parts/icons.html`."""

    RING = "ring"
    RING_PLAY = "ring-play"
    HALF_DISC = "half-disc"
    CHECK = "check"
    TRIANGLE = "triangle"
    CROSS = "cross"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Look:
    """How one state is shown, and what it means in a sentence."""

    family: Family
    icon: Icon
    word: str
    meaning: str


_RING, _PLAY, _HALF = Icon.RING, Icon.RING_PLAY, Icon.HALF_DISC
_CHECK, _TRIANGLE, _CROSS = Icon.CHECK, Icon.TRIANGLE, Icon.CROSS
_N, _A, _D, _T, _F = Family.NEUTRAL, Family.ACTIVE, Family.DONE, Family.ATTENTION, Family.FAILED

BATCH_LOOKS: Final[Mapping[BatchState, Look]] = {
    BatchState.PENDING: Look(_N, _RING, "Pending", "Found; nothing is decided about it yet."),
    BatchState.PREFLIGHTING: Look(_A, _HALF, "Preflighting", "Being checked right now."),
    BatchState.PREFLIGHT_PASSED: Look(_N, _PLAY, "Ready", "Checked; waits for you to queue it."),
    BatchState.PREFLIGHT_FAILED: Look(
        _F, _CROSS, "Preflight failed", "Checked; nothing of it can be imported."
    ),
    BatchState.PREFLIGHT_STALE: Look(
        _T, _TRIANGLE, "Changed since preflight", "Its manifest changed; check it again."
    ),
    BatchState.QUEUED: Look(_N, _RING, "Queued", "A worker will take it."),
    BatchState.IMPORTING: Look(_A, _HALF, "Importing", "A worker has it in hand."),
    BatchState.IMPORTED: Look(_D, _CHECK, "Imported", "Everything of it is in the library."),
    BatchState.PARTIAL: Look(
        _T, _TRIANGLE, "Partial", "Some of it is in the library, some items failed."
    ),
    BatchState.FAILED: Look(_F, _CROSS, "Failed", "Nothing of it came into the library."),
    BatchState.CANCELLED: Look(_N, _RING, "Cancelled", "Cancelled before it was imported."),
    BatchState.SUPERSEDED: Look(_N, _RING, "Withdrawn", "No longer offered by its upstream."),
}

JOB_LOOKS: Final[Mapping[JobState, Look]] = {
    JobState.WAITING: Look(_N, _RING, "Waiting", "Waits for another job, or for its time."),
    JobState.QUEUED: Look(_N, _RING, "Queued", "The next free worker takes it by its priority."),
    JobState.RUNNING: Look(_A, _HALF, "Running", "A worker has it in hand."),
    JobState.PAUSED: Look(_T, _TRIANGLE, "Paused", "Stopped after an item; resume it to go on."),
    JobState.DONE: Look(_D, _CHECK, "Done", "Ended well; what it did has its own record."),
    JobState.FAILED: Look(_F, _CROSS, "Failed", "Ended badly; the reason is on its page."),
    JobState.CANCELLED: Look(_N, _RING, "Cancelled", "Cancelled before it ran."),
}

FAILED_BY_ANOTHER: Final = Look(
    _F, Icon.CHAIN, "Dependency failed", "A job it waited for failed or was cancelled."
)
"""A failed job that never ran itself."""

STALLED: Final = Look(_T, _TRIANGLE, "Stalled", "Nothing moved for a while.")
WORKER_GONE: Final = Look(_F, _CROSS, "No sign of life", "Its worker fell silent.")

OUTCOME_LOOKS: Final[Mapping[Outcome, Look]] = {
    Outcome.PENDING: Look(_N, _RING, "Pending", "Not imported yet."),
    Outcome.CREATED: Look(_D, _CHECK, "Created", "New in the library."),
    Outcome.UPDATED: Look(_D, _CHECK, "Updated", "Changed in the library."),
    Outcome.UNCHANGED: Look(_N, _CHECK, "Unchanged", "The library had it exactly so."),
    Outcome.REMOVED: Look(_D, _CHECK, "Removed", "Put in the trash, as its bundle asked."),
    Outcome.REJECTED: Look(_T, _TRIANGLE, "Rejected", "Refused by a rule; see the reason."),
    Outcome.FAILED: Look(_F, _CROSS, "Failed", "Could not be imported; see the reason."),
}

DECISION_LOOKS: Final[Mapping[Decision, Look]] = {
    Decision.CREATE: Look(_N, _PLAY, "Create", "Will be new in the library."),
    Decision.UPDATE: Look(_N, _PLAY, "Update", "Will change what the library has."),
    Decision.UNCHANGED: Look(_N, _CHECK, "Unchanged", "Nothing is left to do."),
    Decision.REMOVE: Look(_N, _PLAY, "Remove", "Will be put in the trash; nothing is deleted."),
    Decision.REJECT: Look(_T, _TRIANGLE, "Reject", "A rule refuses it."),
    Decision.FAILED: Look(_F, _CROSS, "Failed", "The import of it failed."),
}

ENGINE_LOOKS: Final[Mapping[EngineState, Look]] = {
    EngineState.STARTING: Look(_A, _HALF, "Starting", "Settings and database are being checked."),
    EngineState.NEEDS_CONFIGURATION: Look(
        _T, _TRIANGLE, "Configuration needed", "A setting without which nothing can work."
    ),
    EngineState.DEGRADED: Look(_F, _CROSS, "Degraded", "Something keeps work from going on."),
    EngineState.PAUSED: Look(_T, _TRIANGLE, "Paused", "Someone paused intake."),
    EngineState.SCANNING: Look(_A, _HALF, "Scanning", "A source is being walked."),
    EngineState.WORKING: Look(_A, _HALF, "Working", "Jobs are running or in line."),
    EngineState.IDLE: Look(_N, _RING, "Idle", "Awaiting jobs."),
}

VERDICT_LOOKS: Final[Mapping[Verdict, Look]] = {
    Verdict.RECOGNISED: Look(_D, _CHECK, "Recognised", "Near enough to one person alone."),
    Verdict.AMBIGUOUS: Look(
        _T, _TRIANGLE, "Ambiguous", "The next person is nearly as near; people have to say."
    ),
    Verdict.UNKNOWN: Look(_N, _RING, "Unknown", "Nobody is near enough."),
    Verdict.TOO_SMALL: Look(_N, _PLAY, "Too small", "Smaller than faces are compared at."),
    Verdict.LOW_SCORE: Look(_N, _HALF, "Unsure", "The detector is not sure that it is a face."),
}

CHANGE_LOOKS: Final[Mapping[ChangeKind, Look]] = {
    ChangeKind.NEW: Look(_D, _CHECK, "New", "Recognised by the draft, and not by what holds."),
    ChangeKind.LOST: Look(_T, _TRIANGLE, "Lost", "Recognised by what holds, and not by the draft."),
    ChangeKind.CONFLICT: Look(
        _F, _CROSS, "Conflict", "The draft takes it for another person than people confirmed."
    ),
    ChangeKind.REASON: Look(
        _N, _RING, "Other reason", "Recognised by neither, for another reason."
    ),
}

ROLE_WORDS: Final[Mapping[Role, str]] = {
    Role.VIEWER: "Viewer",
    Role.OPERATOR: "Operator",
    Role.ADMIN: "Admin",
}

ROLE_MEANINGS: Final[Mapping[Role, str]] = {
    Role.VIEWER: "Sees everything but users, changes nothing.",
    Role.OPERATOR: "Also scans, queues, stops, retries, deletes and restores.",
    Role.ADMIN: "Also looks after users and everybody's tokens.",
}

PERMISSION_MEANINGS: Final[Mapping[Permission, str]] = {
    Permission.READ: "See everything but users.",
    Permission.OPERATE: "Scan, queue, stop, retry, delete and restore.",
    Permission.ADMINISTER: "Look after users and everybody's tokens.",
}

_KINDS: Final[Mapping[str, Mapping[str, Look]]] = {
    "batch": {state.value: look for state, look in BATCH_LOOKS.items()},
    "job": {state.value: look for state, look in JOB_LOOKS.items()},
    "outcome": {state.value: look for state, look in OUTCOME_LOOKS.items()},
    "decision": {state.value: look for state, look in DECISION_LOOKS.items()},
    "engine": {state.value: look for state, look in ENGINE_LOOKS.items()},
    "verdict": {verdict.value: look for verdict, look in VERDICT_LOOKS.items()},
    "change": {kind.value: look for kind, look in CHANGE_LOOKS.items()},
}


def look_of(kind: str, state: str) -> Look:
    """How `state` is shown: of a `batch`, `job`, `outcome`, `decision`, `engine`, `verdict` or
    `change` of one.
    """
    return _KINDS[kind][state]


def legend() -> Iterator[tuple[str, str, Look]]:
    """Every kind and state with its look, for the legend and for tests."""
    for kind, looks in _KINDS.items():
        for state, look in looks.items():
            yield kind, state, look
