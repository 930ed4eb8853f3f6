"""Where a recording stands follows from its batch, its rig and its last verification alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lading.catalog.rules import Conflict, register_recording
from lading.catalog.values import Policy, RecordingRow
from lading.console.recordings_words import (
    BOTH,
    LOCAL_ONLY,
    PAUSED,
    REGISTERED,
    STATES,
    UNREGISTERED,
    UPLOADING,
    VERIFIED,
    VERIFY_FAILED,
    conflict_between,
    local_state,
    policies_named,
    registered_state,
)
from lading.ledger.states import BatchState

AT = datetime(2026, 5, 20, 19, 56, 28, tzinfo=UTC)
HELD = RecordingRow(
    recording_hash="a" * 64, started_at=AT, duration_s=61.5, participant_ids=("Aria",)
)


@pytest.mark.parametrize(
    ("state", "waits", "active", "stored", "expected"),
    [
        (BatchState.PENDING, False, False, False, LOCAL_ONLY),
        (BatchState.PENDING, False, True, False, LOCAL_ONLY),
        (BatchState.QUEUED, False, False, False, UPLOADING),
        (BatchState.IMPORTING, False, True, False, PAUSED),
        (BatchState.QUEUED, True, False, False, PAUSED),
        (BatchState.PARTIAL, False, False, False, LOCAL_ONLY),
        (BatchState.PARTIAL, False, False, True, UNREGISTERED),
        (BatchState.FAILED, False, False, False, LOCAL_ONLY),
        (BatchState.IMPORTED, False, True, True, REGISTERED),
    ],
)
def test_where_a_recording_on_the_rig_stands(
    state: BatchState, waits: bool, active: bool, stored: bool, expected: str
) -> None:
    found = local_state(state, waits_for_rig=waits, rig_active=active, files_stored=stored)
    assert found == expected
    assert STATES[found].meaning.endswith(".")


def test_where_a_registered_recording_stands() -> None:
    found = [registered_state(failed) for failed in (None, 0, 3)]
    assert found == [REGISTERED, VERIFIED, VERIFY_FAILED]
    assert {*STATES} == {*found, LOCAL_ONLY, UPLOADING, PAUSED, UNREGISTERED}
    assert len({look.word for look in STATES.values()}) == len(STATES)


@pytest.mark.parametrize(
    ("changed", "settled"),
    [
        ({"duration_s": 90.0}, [Policy.EXTEND, BOTH, Policy.OVERWRITE]),
        ({"participant_ids": ("Bo",)}, [Policy.MERGE_PARTICIPANTS, BOTH, Policy.OVERWRITE]),
        ({"duration_s": 90.0, "participant_ids": ("Bo",)}, [BOTH, Policy.OVERWRITE]),
        ({"metadata": {"rig": "green"}}, [Policy.OVERWRITE]),
    ],
)
def test_a_policy_is_offered_only_where_the_catalog_would_take_it(
    changed: dict[str, object], settled: list[str]
) -> None:
    facts = {"recording_hash": HELD.recording_hash, "started_at": AT}
    kept = {"duration_s": 61.5, "participant_ids": ("Aria",)}
    proposed = RecordingRow(**(facts | kept | changed))  # type: ignore[arg-type]
    conflict = conflict_between(HELD, proposed)
    assert conflict is not None
    assert list(conflict.settled_by) == settled
    for name in (Policy.ERROR.value, Policy.EXTEND.value, BOTH, Policy.OVERWRITE.value):
        policies = policies_named(name)
        assert policies is not None
        decided = register_recording(HELD, proposed, policies)
        assert (name in conflict.settled_by) is not isinstance(decided, Conflict), name


def test_rows_that_say_the_same_are_no_conflict_and_files_need_overwriting() -> None:
    assert conflict_between(HELD, HELD) is None
    files = conflict_between(HELD, HELD, ["camera_0"])
    assert files is not None
    assert list(files.settled_by) == [Policy.OVERWRITE]
    assert not files.fields
