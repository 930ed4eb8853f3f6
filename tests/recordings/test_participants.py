"""Participants named after the fact, counted, and renamed; in the catalog and in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.base.errors import RequestError
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.catalog.values import UNKNOWN_PARTICIPANT, ParticipantRow
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.participants import (
    Backfilled,
    BackfillOutcome,
    ParticipantMissing,
    backfill_participants,
    participants_counted,
    rename_participant,
)
from lading.sources.recordings.repository import Repository
from lading.storage.memory import MemoryStore
from lading.testing.faulty_store import FaultyStore
from tests.recordings.making import make_recording, memory_repository
from tests.recordings.stores import CountingStore, ingest, put

NAMED, REPLACED, UNCHANGED, UNKNOWN = (
    BackfillOutcome.NAMED,
    BackfillOutcome.REPLACED,
    BackfillOutcome.UNCHANGED,
    BackfillOutcome.UNKNOWN,
)


def registered(repository: Repository, root: Path, name: str, participant: str | None) -> str:
    """A small recording, taken in; its hash."""
    folder = make_recording(root, name, {"eeg_a/0.bin": 10}, participant=participant)
    done = ingest(repository, folder).recording
    assert done is not None
    return done.recording_hash


def outcomes(done: list[Backfilled | Failure]) -> dict[str, str]:
    return {
        (each.subject if isinstance(each, Failure) else str(each.recording_id)): (
            each.code if isinstance(each, Failure) else each.outcome
        )
        for each in done
    }


def named(repository: Repository) -> dict[str, tuple[str, ...]]:
    """Whom each recording names, by its identifier."""
    return {
        row.metadata["manifest_recording_id"]: row.participant_ids
        for row in repository.catalog.list_recordings()
    }


def test_whom_nobody_knew_is_taken_from_the_store_or_from_the_names_given(tmp_path: Path) -> None:
    store = CountingStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    catalog = repository.catalog
    catalog.register_participant(ParticipantRow(participant_id="P-7", display_name="Aria Lin"))
    known = registered(repository, tmp_path, "rec_known", "P-7")
    hashes = {n: registered(repository, tmp_path, f"rec_{n}", None) for n in "abcd"}
    put(repository, "rec_a", {"participant.txt": b"Aria Lin\n"})  # found later on the NAS
    put(repository, "rec_d", {"participant.txt": b" \n"})
    names = {hashes["b"]: "Bo  Chen ", "rec_d": "Aria Lin", "rec_nobody": "Bo Chen"}
    expected = {
        "rec_a": NAMED, "rec_b": NAMED, "rec_c": UNKNOWN, "rec_d": NAMED,
        "rec_nobody": "recording_missing",
    }  # fmt: skip
    store.forget()
    before = named(repository)
    assert outcomes(list(backfill_participants(repository, names=names, dry_run=True))) == expected
    assert (named(repository), store.asked["put"]) == (before, 0)

    done = list(backfill_participants(repository, names=names))
    assert outcomes(done) == expected
    assert isinstance(done[-1], Failure)
    assert named(repository) == {
        "rec_known": ("P-7",), "rec_a": ("P-7",), "rec_b": ("Bo Chen",), "rec_d": ("P-7",),
        "rec_c": (UNKNOWN_PARTICIPANT,),
    }  # fmt: skip
    assert [repository.participant(f"rec_{n}") for n in "abcd"] == [
        "Aria Lin", "Bo Chen", None, "Aria Lin",
    ]  # fmt: skip
    stored = {each.recording_id for each in done if isinstance(each, Backfilled) and each.stored}
    assert stored == {"rec_b", "rec_d"}  # where there was no name; that of `a` is left as it was

    versions = catalog.versions("recordings")
    store.forget()
    again = outcomes(list(backfill_participants(repository, names=names)))
    assert again == {
        "rec_b": UNCHANGED, "rec_c": UNKNOWN, "rec_d": UNCHANGED, "rec_nobody": "recording_missing",
    }  # fmt: skip
    assert (catalog.versions("recordings"), store.asked["put"]) == (versions, 0)
    assert catalog.get_recording(known).duration_s == 61.5


def test_somebody_else_takes_a_place_only_when_that_is_asked_for(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    recording_hash = registered(repository, tmp_path, "rec_a", "Aria Lin")
    registered(repository, tmp_path, "rec_b", None)
    put(repository, "rec_b", {"participant.txt": b"Cy"})
    names = {"rec_a": "Bo Chen", "rec_b": "Bo Chen"}
    refused = list(backfill_participants(repository, names=names))
    assert outcomes(refused) == dict.fromkeys(names, "participant_held")
    assert {str(each.error.found) for each in refused if isinstance(each, Failure)} == {
        "Aria Lin", "Cy",
    }  # fmt: skip
    assert named(repository) == {"rec_a": ("Aria Lin",), "rec_b": (UNKNOWN_PARTICIPANT,)}

    done = {
        each.recording_id: each
        for each in backfill_participants(repository, names=names, overwrite=True)
        if isinstance(each, Backfilled)
    }
    shown = done["rec_a"]
    assert (shown.outcome, shown.before, shown.now) == (REPLACED, ("Aria Lin",), ("Bo Chen",))
    assert done["rec_b"].outcome is NAMED
    assert set(named(repository).values()) == {("Bo Chen",)}
    assert {repository.participant(each) for each in names} == {"Bo Chen"}
    row = repository.catalog.get_recording(recording_hash)
    assert (row.duration_s, row.metadata["manifest_recording_id"]) == (61.5, "rec_a")


def test_names_that_only_the_catalog_has_are_brought_into_the_store(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    folder = make_recording(tmp_path, "rec_a", {"eeg_a/0.bin": 10}, participant=None)
    ingest(repository, folder, participant="Aria Lin")
    repository.raw.delete(repository.key("rec_a", "participant.txt"))
    assert list(backfill_participants(repository)) == []
    (done,) = backfill_participants(repository, also_known=True)
    assert isinstance(done, Backfilled)
    assert (done.outcome, done.stored) == (UNCHANGED, True)
    assert repository.participant("rec_a") == "Aria Lin"
    (again,) = backfill_participants(repository, also_known=True)
    assert isinstance(again, Backfilled)
    assert not again.stored


def test_one_that_fails_ends_nothing_and_the_next_run_completes_it(tmp_path: Path) -> None:
    store = FaultyStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    for name in "abc":
        registered(repository, tmp_path, f"rec_{name}", None)
    names = {"rec_a": "Aria Lin", "rec_b": "x" * 2000, "rec_c": "Cy"}
    store.is_full()
    full = outcomes(list(backfill_participants(repository, names=names)))
    assert full == {
        "rec_a": "store_full", "rec_b": "catalog_row_refused", "rec_c": "store_full",
    }  # fmt: skip
    # The name is stored before the catalog has it, so none is named that a rebuild would lose.
    assert set(named(repository).values()) == {(UNKNOWN_PARTICIPANT,)}
    store.heals()
    healed = outcomes(list(backfill_participants(repository, names=names)))
    assert healed == {"rec_a": NAMED, "rec_b": "catalog_row_refused", "rec_c": NAMED}
    stop = StopSignal()
    stop.request(StopReason.OPERATOR)
    with pytest.raises(Interrupted):
        list(backfill_participants(repository, stop=stop))


def test_participants_are_counted_and_renamed(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    catalog = repository.catalog
    for name, participant in (("a", "Aria Lin"), ("b", "Aria Lin"), ("c", "Bo Chen"), ("d", None)):
        registered(repository, tmp_path, f"rec_{name}", participant)
    counted = {
        each.participant.participant_id: each.recordings for each in participants_counted(catalog)
    }
    assert counted == {"Aria Lin": 2, "Bo Chen": 1, UNKNOWN_PARTICIPANT: 1}
    renamed = rename_participant(catalog, "Bo Chen", " Bo  Chen-Lin ")
    assert (renamed.participant_id, renamed.display_name) == ("Bo Chen", "Bo Chen-Lin")
    (held,) = catalog.list_participants({"participant_id": "Bo Chen"})
    assert held.display_name == "Bo Chen-Lin"
    # Whoever types the new name from now on means the same participant.
    registered(repository, tmp_path, "rec_e", "Bo Chen-Lin")
    assert named(repository)["rec_e"] == ("Bo Chen",)
    with pytest.raises(ParticipantMissing):
        rename_participant(catalog, "Cy", "Cy")
    with pytest.raises(RequestError, match="empty"):
        rename_participant(catalog, "Bo Chen", "  ")
