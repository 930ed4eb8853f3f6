"""Where a recording stands, in words and looks, and what a policy would make of a conflict; pure.

The word that is used for a check is the check that was made: a size, or every byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lading.catalog.rules import Conflict, Unchanged, differences, register_recording
from lading.catalog.values import Policy, RecordingRow
from lading.console.vocabulary import Family, Icon, Look
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState
from lading.sources.recordings.rules import proposed_beside

LOCAL_ONLY: Final = "local_only"
UPLOADING: Final = "uploading"
PAUSED: Final = "paused"
UNREGISTERED: Final = "uploaded_unregistered"
REGISTERED: Final = "registered"
VERIFIED: Final = "verified"
VERIFY_FAILED: Final = "verify_failed"

STATES: Final[Mapping[str, Look]] = {
    LOCAL_ONLY: Look(Family.NEUTRAL, Icon.RING, "Local only", "On the rig; not taken in yet."),
    UPLOADING: Look(Family.ACTIVE, Icon.HALF_DISC, "Uploading", "A job has it, or will take it."),
    PAUSED: Look(
        Family.ATTENTION,
        Icon.TRIANGLE,
        "Paused: rig is recording",
        "Nothing is read from the rig while it records; it goes on by itself.",
    ),
    UNREGISTERED: Look(
        Family.ATTENTION,
        Icon.TRIANGLE,
        "Uploaded, unregistered",
        "Its files are stored; the catalog does not have it.",
    ),
    REGISTERED: Look(
        Family.DONE, Icon.CHECK, "Registered", "Stored, and in the catalog; not verified since."
    ),
    VERIFIED: Look(
        Family.DONE,
        Icon.CHECK,
        "Verified",
        "Its last verification found every file as it shall be.",
    ),
    VERIFY_FAILED: Look(
        Family.FAILED,
        Icon.CROSS,
        "Verify failed",
        "Its last verification found a file that is missing or other than it shall be.",
    ),
}
"""Where a recording stands."""

CHECKED_WORDS: Final[Mapping[str, str]] = {
    "size": "by size: the bytes were not read",
    "sha256": "by hash: every byte was read",
}
POLICY_WORDS: Final[Mapping[Policy, tuple[str, str]]] = {
    Policy.ERROR: ("Error", "Refuse it; what is held stays."),
    Policy.EXTEND: ("Extend", "Take length and end from the longer of the two."),
    Policy.MERGE_PARTICIPANTS: ("Merge participants", "Name the participants of both."),
    Policy.OVERWRITE: ("Overwrite", "Put what is proposed in the place of what is held."),
}
FIELD_WORDS: Final[Mapping[str, str]] = {
    "started_at": "Started",
    "ended_at": "Ended",
    "duration_s": "Duration",
    "participant_ids": "Participants",
    "status": "Status",
    "metadata": "Metadata",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEffect:
    """One column in which two rows differ, and what each policy would leave there.

    An effect of None: the policy does not settle it, so the registration would be refused.
    """

    column: str
    word: str
    held: str
    proposed: str
    effects: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConflict:
    """The row held and the row proposed, and which policies settle all that differs."""

    fields: Sequence[FieldEffect]
    settled_by: Sequence[str]
    modalities_differ: Sequence[str] = ()


BOTH: Final = "extend+merge_participants"
_CHOICES: Final[Mapping[str, tuple[Policy, ...]]] = {
    Policy.ERROR.value: (Policy.ERROR,),
    Policy.EXTEND.value: (Policy.EXTEND,),
    Policy.MERGE_PARTICIPANTS.value: (Policy.MERGE_PARTICIPANTS,),
    BOTH: (Policy.EXTEND, Policy.MERGE_PARTICIPANTS),
    Policy.OVERWRITE.value: (Policy.OVERWRITE,),
}


def local_state(
    state: BatchState, *, waits_for_rig: bool, rig_active: bool, files_stored: bool
) -> str:
    """Where a recording on the rig stands, by its batch."""
    if state is BatchState.IMPORTED:
        return REGISTERED
    if waits_for_rig or (rig_active and state in ACTIVE_BATCH_STATES):
        return PAUSED
    if state in ACTIVE_BATCH_STATES:
        return UPLOADING
    return UNREGISTERED if files_stored else LOCAL_ONLY


def registered_state(files_failed: int | None) -> str:
    """Where a registered recording stands; None: it was not verified lately."""
    if files_failed is None:
        return REGISTERED
    return VERIFY_FAILED if files_failed else VERIFIED


def conflict_between(
    held: RecordingRow, proposed: RecordingRow, modalities_differ: Sequence[str] = ()
) -> RowConflict | None:
    """What each policy would make of a row that is proposed over one that is held; None: no matter.

    `proposed` is as the manifest says; `modalities_differ` are worker folders whose rows differ,
    which overwriting alone settles.
    """
    beside = proposed_beside(held, proposed)
    found = differences(held, beside)
    if not found and not modalities_differ:
        return None
    results: dict[str, RecordingRow | None] = {}
    settled = []
    for name, policies in _CHOICES.items():
        offered = proposed if Policy.OVERWRITE in policies else beside
        decided = register_recording(held, offered, policies)
        results[name] = None if isinstance(decided, Conflict) else decided.row
        others = bool(modalities_differ) and Policy.OVERWRITE not in policies
        if not isinstance(decided, Conflict) and not others:
            settled.append(name)
    columns = [each.column for each in differences(held, proposed)]
    columns += [each.column for each in found if each.column not in columns]
    return RowConflict(
        fields=[_effect(column, held, proposed, results) for column in columns],
        settled_by=settled,
        modalities_differ=modalities_differ,
    )


def policies_named(name: str) -> tuple[Policy, ...] | None:
    """The policies of a choice in the dialog, or None for what is none."""
    return _CHOICES.get(name)


def shown_value(value: object) -> str:
    """A value of the catalog as people read it."""
    if value is None or value in ((), {}):
        return "nothing"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g} s"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {said}" for name, said in value.items())
    return str(value)


def _effect(
    column: str,
    held: RecordingRow,
    proposed: RecordingRow,
    results: Mapping[str, RecordingRow | None],
) -> FieldEffect:
    def left_by(name: str) -> str | None:
        row = results[name]
        if row is not None:
            return shown_value(getattr(row, column))
        return _alone(column, held, proposed_beside(held, proposed), _CHOICES[name])

    return FieldEffect(
        column=column,
        word=FIELD_WORDS.get(column, column),
        held=shown_value(getattr(held, column)),
        proposed=shown_value(getattr(proposed, column)),
        effects={policy.value: left_by(policy.value) for policy in Policy},
    )


def _alone(
    column: str, held: RecordingRow, beside: RecordingRow, policies: tuple[Policy, ...]
) -> str | None:
    """What a policy makes of one column, were it the only one that differs; None: a refusal."""
    only = _with_only(column, held, beside)
    decided = register_recording(held, only, policies)
    if isinstance(decided, Conflict):
        return None
    row = held if isinstance(decided, Unchanged) else decided.row
    return shown_value(getattr(row, column))


def _with_only(column: str, held: RecordingRow, beside: RecordingRow) -> RecordingRow:
    taken = {"duration_s", "ended_at"} if column in {"duration_s", "ended_at"} else {column}
    return replace(held, **{name: getattr(beside, name) for name in taken})
