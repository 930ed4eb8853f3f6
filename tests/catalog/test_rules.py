"""What becomes of a proposed row, whatever is held; how modalities are named; how long to wait."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lading.base.errors import RequestError
from lading.catalog import rules
from lading.catalog.rules import Conflict, Unchanged, Write
from lading.catalog.values import Policy, RecordingRow
from tests.catalog.rows import STARTED, a_hash, a_modality, a_participant, a_recording

EVERY = [*Policy, ("extend", "merge_participants")]


def columns(decided: object) -> list[str]:
    assert isinstance(decided, Conflict)
    return [each.column for each in decided.differences]


@pytest.mark.parametrize("policy", EVERY)
def test_what_is_not_held_is_written_under_every_policy(policy: Any) -> None:
    row = a_recording()
    assert rules.register_recording(None, row, policy) == Write(row, replaces=False)


@pytest.mark.parametrize("policy", EVERY)
def test_what_is_held_already_is_skipped_under_every_policy(policy: Any) -> None:
    held = a_recording(created_at=STARTED, updated_at=STARTED)
    assert rules.register_recording(held, a_recording(), policy) == Unchanged(held)


def test_without_a_policy_a_difference_is_named_and_nothing_written() -> None:
    decided = rules.register_recording(
        a_recording(), a_recording(duration_s=90.0, participant_ids=("P-2",))
    )
    assert columns(decided) == ["duration_s", "participant_ids"]


def test_extend_takes_the_longer_duration_with_its_end() -> None:
    end = STARTED + timedelta(seconds=90)
    longer = a_recording(duration_s=90.0, ended_at=end)
    assert rules.register_recording(a_recording(), longer, "extend") == Write(longer, replaces=True)
    assert rules.register_recording(longer, a_recording(), "extend") == Unchanged(longer)


def test_extend_works_out_an_end_that_the_longer_half_does_not_say() -> None:
    longer = a_recording(duration_s=90.0, ended_at=None)
    decided = rules.register_recording(a_recording(), longer, "extend")
    assert isinstance(decided, Write)
    assert decided.row.ended_at == STARTED + timedelta(seconds=90)


def test_extend_takes_the_end_that_was_missing_at_the_same_length() -> None:
    decided = rules.register_recording(a_recording(ended_at=None), a_recording(), "extend")
    assert decided == Write(a_recording(), replaces=True)


def test_extend_cannot_tell_between_two_ends_of_one_length() -> None:
    other = a_recording(ended_at=STARTED + timedelta(seconds=61))
    assert columns(rules.register_recording(a_recording(), other, "extend")) == ["ended_at"]


def test_extend_settles_nothing_but_the_duration() -> None:
    proposed = a_recording(duration_s=90.0, participant_ids=("P-2",), metadata={})
    decided = rules.register_recording(a_recording(), proposed, "extend")
    assert columns(decided) == ["participant_ids", "metadata"]


def test_participants_are_united_where_all_else_is_the_same() -> None:
    decided = rules.register_recording(
        a_recording(), a_recording(participant_ids=("P-0", "P-1")), "merge_participants"
    )
    assert isinstance(decided, Write)
    assert decided.row.participant_ids == ("P-0", "P-1")
    longer = a_recording(participant_ids=("P-2",), duration_s=61.0)
    refused = rules.register_recording(a_recording(), longer, "merge_participants")
    assert columns(refused) == ["duration_s"]


def test_a_half_that_is_longer_and_has_another_participant_takes_both_policies() -> None:
    half = a_recording(
        participant_ids=("P-2",), duration_s=90.0, ended_at=STARTED + timedelta(seconds=90)
    )
    decided = rules.register_recording(a_recording(), half, ["extend", "merge_participants"])
    assert decided == Write(replace(half, participant_ids=("P-1", "P-2")), replaces=True)


def test_overwrite_takes_the_proposed_row_as_it_is() -> None:
    shorter = a_recording(duration_s=1.0, participant_ids=(), metadata={"x": 1})
    decided = rules.register_recording(a_recording(), shorter, "overwrite")
    assert decided == Write(shorter, replaces=True)


def test_a_modality_that_differs_is_a_conflict_or_overwritten() -> None:
    moved = a_modality(location="recordings/elsewhere")
    assert columns(rules.register_modality(a_modality(), moved)) == ["location"]
    assert rules.register_modality(a_modality(), moved, "overwrite") == Write(moved, replaces=True)


def test_a_participant_by_another_name_is_a_conflict_or_overwritten() -> None:
    named = a_participant(display_name="A. Lin")
    assert columns(rules.register_participant(a_participant(), named)) == ["display_name"]
    assert isinstance(rules.register_participant(a_participant(), named, "overwrite"), Write)


@pytest.mark.parametrize("policy", ["extend", "merge_participants", "nonsense", "", ()])
def test_a_modality_has_no_policy_but_error_and_overwrite(policy: Any) -> None:
    with pytest.raises(RequestError, match="no such policy"):
        rules.register_modality(None, a_modality(), policy)


@pytest.mark.parametrize("other", ["overwrite", "error"])
def test_policies_that_contradict_each_other_are_refused(other: str) -> None:
    with pytest.raises(RequestError, match="contradict"):
        rules.register_recording(None, a_recording(), ["extend", other])


def test_a_modality_is_called_by_its_family_or_by_family_and_worker() -> None:
    eeg = [a_modality(worker_id=worker) for worker in "ba"]
    camera = a_modality(modality="camera", worker_id="4559")
    keyed = rules.modality_keys([*eeg, camera])
    assert list(keyed) == ["camera", "eeg_a", "eeg_b"]
    assert keyed["eeg_b"] == eeg[0]


def test_two_modalities_are_never_called_the_same() -> None:
    rows = [a_modality(worker_id="a"), a_modality(worker_id="b"), a_modality(modality="eeg_a")]
    assert list(rules.modality_keys(rows)) == ["eeg_a~a", "eeg_b", "eeg~a"]
    with pytest.raises(RequestError, match="several recordings"):
        rules.modality_keys([a_modality("one"), a_modality("two")])


def test_each_wait_is_longer_than_the_last_up_to_a_bound() -> None:
    waits = [rules.wait_s(attempt, 0.5) for attempt in range(50)]
    assert waits == sorted(waits)
    assert 0 < waits[0] < waits[3] < waits[-1] <= rules.WAIT_S_MAX
    assert rules.wait_s(3, 0.0) < rules.wait_s(3, 1.0)


class Registering(RuleBasedStateMachine):
    """Registrations in any order, against a plain model: a dict of what may be known by then."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, RecordingRow] = {}
        self.length: dict[str, float | None] = {}
        self.people: dict[str, set[str]] = {}
        self.fixed: dict[str, tuple[Any, ...]] = {}

    @rule(
        name=st.sampled_from("ab"),
        duration_s=st.sampled_from([None, 0.0, 1.0, 2.0]),
        ends=st.booleans(),
        people=st.frozensets(st.sampled_from(["P-1", "P-2", "P-3"]), max_size=2),
        note=st.sampled_from([{}, {"n": 1}]),
        policy=st.sampled_from(EVERY),
    )
    def register(
        self,
        name: str,
        duration_s: float | None,
        ends: bool,
        people: frozenset[str],
        note: dict[str, int],
        policy: str | Collection[str],
    ) -> None:
        end = STARTED + timedelta(seconds=duration_s) if ends and duration_s is not None else None
        row = a_recording(
            name, duration_s=duration_s, ended_at=end, participant_ids=tuple(people), metadata=note
        )
        held = self.held.get(name)
        decided = rules.register_recording(held, row, policy)
        policies = {policy} if isinstance(policy, str) else set(policy)
        fixed = (tuple(note.items()),)
        if held is None or policies == {"overwrite"}:
            self.length[name], self.people[name], self.fixed[name] = duration_s, set(people), fixed
            accepted = True
        else:
            same_length = self.length[name] == duration_s and held.ended_at == end
            accepted = (
                self.fixed[name] == fixed
                and ("extend" in policies or same_length)
                and ("merge_participants" in policies or self.people[name] == people)
            )
            if accepted:
                lengths = [each for each in (self.length[name], duration_s) if each is not None]
                self.length[name] = max(lengths, default=None)
                self.people[name] |= people
        assert isinstance(decided, Conflict) is not accepted
        if isinstance(decided, Write):
            assert rules.differences(held, decided.row) if held else decided.row == row
            self.held[name] = decided.row
        if accepted:
            again = rules.register_recording(self.held[name], row, policy)
            assert again == Unchanged(self.held[name])

    @invariant()
    def what_is_held_is_what_the_model_knows(self) -> None:
        for name, row in self.held.items():
            assert row.recording_hash == a_hash(name)
            assert row.duration_s == self.length[name]
            assert set(row.participant_ids) == self.people[name]
            if row.ended_at is not None:
                assert row.duration_s is not None
                assert row.ended_at == STARTED + timedelta(seconds=row.duration_s)


TestRegistering = Registering.TestCase
TestRegistering.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)
