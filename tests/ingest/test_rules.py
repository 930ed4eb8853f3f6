"""The flow's pure decisions, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.ingest.rules import (
    GuardLimits,
    ScanFacts,
    judge_scan,
    may_be_withdrawn,
    state_after_change,
    state_after_import,
    state_after_preflight,
)
from lading.ledger.states import (
    ACTIVE_BATCH_STATES,
    BATCH_TRANSITIONS,
    SUCCESSFUL_OUTCOMES,
    BatchState,
    Outcome,
)


def facts(
    known: int, seen: int, retired: int, before: str | None = "disk", now: str = "disk"
) -> ScanFacts:
    return ScanFacts(known, seen, retired, before, now)


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        (facts(0, 0, 0, None), None),
        (facts(57, 57, 0), None),
        (facts(57, 50, 7), None),
        (facts(1000, 899, 101), "too_many_vanished"),
        (facts(1000, 900, 100), None),
        (facts(20_000, 19_800, 200), None),
        (facts(20_000, 19_799, 201), "too_many_vanished"),
        # Imported bundles may be tidied away by the upstream in any number.
        (facts(1000, 10, 0), None),
        (facts(3, 0, 0), "root_empty"),
        (facts(3, 3, 0, "disk", "other"), None),
        (facts(3, 2, 0, "disk", "other"), "root_replaced"),
        (facts(3, 2, 1, None, "other"), None),
    ],
)
def test_the_guard_believes_a_scan_only_within_reason(seen: ScanFacts, refused: str | None) -> None:
    verdict = judge_scan(seen, GuardLimits())
    assert (verdict and verdict.code) == refused


@pytest.mark.parametrize(
    ("items", "rejected", "state"),
    [
        (0, 0, BatchState.PREFLIGHT_PASSED),
        (3, 0, BatchState.PREFLIGHT_PASSED),
        (3, 2, BatchState.PREFLIGHT_PASSED),
        (3, 3, BatchState.PREFLIGHT_FAILED),
    ],
)
def test_a_batch_passes_preflight_when_something_of_it_can_be_imported(
    items: int, rejected: int, state: BatchState
) -> None:
    assert state_after_preflight(items, rejected) is state


@given(st.dictionaries(st.sampled_from(list(Outcome)), st.integers(0, 5)))
def test_the_final_state_says_whether_all_some_or_none_did_well(
    outcomes: dict[Outcome, int],
) -> None:
    well = sum(n for outcome, n in outcomes.items() if outcome in SUCCESSFUL_OUTCOMES)
    badly = sum(outcomes.values()) - well
    state = state_after_import(outcomes)
    if badly == 0:
        assert state is BatchState.IMPORTED
    else:
        assert state is (BatchState.PARTIAL if well else BatchState.FAILED)


@pytest.mark.parametrize("state", list(BatchState))
def test_what_a_scan_does_to_a_batch_its_table_of_transitions_allows(state: BatchState) -> None:
    after = state_after_change(state)
    if state in ACTIVE_BATCH_STATES:
        assert after is None
    else:
        assert after in BATCH_TRANSITIONS[state]
    if may_be_withdrawn(state):
        assert BatchState.SUPERSEDED in BATCH_TRANSITIONS[state]
