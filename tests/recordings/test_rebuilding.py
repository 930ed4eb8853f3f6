"""The catalog rebuilt from what is stored, compared with the live one, and made live."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.catalog.catalog import Catalog
from lading.catalog.comparing import Found
from lading.catalog.errors import CatalogMoved
from lading.catalog.pointer import Pointer
from lading.catalog.values import ParticipantRow
from lading.sources.recordings import flipping, rebuilding
from lading.sources.recordings.flipping import (
    Comparison,
    ComparisonNotAccepted,
    Flipped,
    NothingToFlipBack,
)
from lading.sources.recordings.participants import backfill_participants, rename_participant
from lading.sources.recordings.rebuilding import PrefixInUse, RebuildProgress, Rebuilt, rebuild
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import recording_hash_of
from lading.storage.memory import MemoryStore
from lading.storage.port import StoreUnavailable
from lading.testing.faulty_store import FaultyStore
from lading.testing.servers_s3 import S3Facts
from tests.recordings.making import (
    PREFIX,
    bucket_repository,
    make_recording,
    manifest_of,
    memory_repository,
    own_prefix,
)
from tests.recordings.stores import ingest, put

NEW = "ursa/catalog-2"


def taken_in(repository: Repository, root: Path, name: str, **facts: Any) -> str:
    """A recording with two workers, taken in; its hash."""
    files = facts.pop("files", {"eeg_a/0.bin": 100, "camera_0/0.mp4": 50})
    folder = make_recording(root, name, files, **facts)
    done = ingest(repository, folder).recording
    assert done is not None
    return done.recording_hash


def compare(repository: Repository) -> Comparison:
    return flipping.compare(repository.catalog, Catalog(repository.catalog.location, NEW))


def flip(repository: Repository, comparison: Comparison, **asked: Any) -> Flipped:
    return flipping.flip(repository.catalog.location, comparison, **asked)


def live(repository: Repository) -> str:
    return Pointer(repository.catalog.location).read().prefix


def counts(done: Rebuilt) -> tuple[int, int, int, int]:
    return done.recordings, done.written, done.unchanged, done.failed


@pytest.mark.parametrize("where", ["folder", "ministack"])
def test_a_rebuilt_catalog_says_what_the_live_one_did_and_takes_its_place(
    where: str, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    if where == "folder":
        repository = memory_repository(tmp_path)
    else:
        repository = bucket_repository(s3_server_of(where).options(prefix=own_prefix()))
    repository.catalog.register_participant(
        ParticipantRow(participant_id="P-7", display_name="Aria Lin")
    )
    taken_in(repository, tmp_path, "rec_20260520_195628_b1dd", participant="Aria Lin")
    taken_in(repository, tmp_path, "rec_nobody", participant=None)
    taken_in(repository, tmp_path, "rec_bo", participant="Bo Chen")
    rename_participant(repository.catalog, "Bo Chen", "Bo Chen-Lin")
    said: list[RebuildProgress] = []
    done = rebuild(repository, prefix=NEW, progress=said.append)
    assert (counts(done), done.caught_up, done.failures) == ((3, 3, 0, 0), 0, ())
    assert [each.recordings_done for each in said] == [1, 2, 3]
    assert live(repository) == PREFIX

    comparison = compare(repository)
    assert (comparison.clean, comparison.total, comparison.differences) == (True, 0, ())
    versions = flipping.versions_of(Catalog(repository.catalog.location, NEW))
    assert counts(rebuild(repository, prefix=NEW)) == (3, 0, 3, 0)
    assert flipping.versions_of(Catalog(repository.catalog.location, NEW)) == versions

    flipped = flip(repository, comparison)
    assert (flipped.pointed.prefix, flipped.pointed.previous) == (NEW, PREFIX)
    assert (live(repository), flipped.written_meanwhile) == (NEW, False)
    reopened = Catalog.open(repository.catalog.location.root)
    assert list(reopened.compare(repository.catalog)) == []
    back = flipping.flip_back(repository.catalog.location)
    assert (back.pointed.prefix, back.pointed.previous) == (PREFIX, NEW)
    flip(repository, comparison)  # which still is what both catalogs are
    assert live(repository) == NEW


@pytest.mark.parametrize("says", ["end", "length"])
@pytest.mark.parametrize("order", [1, -1])
def test_halves_of_a_session_are_rebuilt_as_they_were_registered(
    says: str, order: int, tmp_path: Path
) -> None:
    repository = memory_repository(tmp_path)
    start = {"started_at": "2026-05-20T19:56:28Z"}
    both = [
        make_recording(
            tmp_path / node,
            files=files,
            manifest={
                **start,
                "hostname": node,
                "ended_at": f"2026-05-20T19:57:{28 + longer}Z" if says == "end" else None,
                "duration_s": 60 + longer if says == "length" else None,
            },
        )
        for node, files, longer in (
            ("mantis", {"camera_0/a.mp4": 900, "mic_1/a.wav": 90}, 0),
            ("motor", {"eeg_a/a.edf": 800}, 15),
        )
    ]
    facts = [manifest_of(each) for each in both]
    together = recording_hash_of(f["sha256"] for fact in facts for f in fact["files"])
    for folder, fact in zip(both, facts, strict=True):
        (folder / "manifest.json").write_text(json.dumps({**fact, "recording_hash": together}))
    for folder in both[::order]:
        ingest(repository, folder)
    assert repository.catalog.get_recording(together).duration_s == 75.0
    rebuild(repository, prefix=NEW)
    assert compare(repository).differences == ()


def test_what_differs_is_shown_and_accepted_by_those_who_saw_it(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    kept = taken_in(repository, tmp_path, "rec_kept")
    lost = taken_in(repository, tmp_path, "rec_lost", participant="Cy Only")
    edited = taken_in(repository, tmp_path, "rec_edited", files={"mic_0/0.wav": 70})
    repository.raw.delete(repository.key("rec_lost", "eeg_a/0.bin"))
    row = repository.catalog.get_recording(edited)
    repository.catalog.register(replace(row, duration_s=99.0), on_conflict="overwrite")
    put(repository, "rec_bare", {"eeg_a/0.bin": b"no manifest"})

    done = rebuild(repository, prefix=NEW)
    assert counts(done) == (4, 2, 0, 2)
    assert {(each.subject, each.code) for each in done.failures} == {
        ("rec_lost", "recording_files_missing"), ("rec_bare", "recording_manifest_missing"),
    }  # fmt: skip
    comparison = compare(repository)
    assert comparison.counts == {
        ("recordings", Found.ONLY_HERE): 1, ("recordings", Found.DIFFERS): 1,
        ("modalities", Found.ONLY_HERE): 2, ("participants", Found.ONLY_HERE): 1,
    }  # fmt: skip
    assert comparison.count("recordings", Found.ONLY_THERE) == 0
    assert comparison.participants_only_live == ("Cy Only",)
    shown = {each.key[0]: each for each in comparison.differences if each.table == "recordings"}
    assert set(shown) == {lost, edited}
    assert [(each.column, each.held) for each in shown[edited].columns] == [("duration_s", 99.0)]

    for word in (None, "", "5", "5-0000000000000000"):
        with pytest.raises(ComparisonNotAccepted, match=comparison.accept_word):
            flip(repository, comparison, accept=word)
    assert live(repository) == PREFIX
    assert compare(repository).accept_word == comparison.accept_word  # also in another process
    # Another difference, though as many of them, is another word.
    repository.catalog.register(replace(row, duration_s=98.0), on_conflict="overwrite")
    newer = compare(repository)
    assert newer.total == comparison.total
    assert newer.accept_word != comparison.accept_word
    with pytest.raises(CatalogMoved, match="recordings was changed after"):
        flip(repository, comparison, accept=comparison.accept_word)
    assert live(repository) == PREFIX
    flip(repository, newer, accept=newer.accept_word)
    assert live(repository) == NEW
    assert Catalog.open(repository.catalog.location.root).get_recording(kept).duration_s == 61.5


def test_a_rebuild_that_was_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_TOGETHER_MAX", 2)
    store = FaultyStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    for number in range(7):
        taken_in(repository, tmp_path, f"rec_{number}")
    stop = StopSignal()

    def stops(said: RebuildProgress) -> None:
        if said.recordings_done == 5:
            stop.request(StopReason.OPERATOR)

    with pytest.raises(Interrupted):
        rebuild(repository, prefix=NEW, progress=stops, stop=stop, max_concurrent_recordings=1)
    assert Catalog(repository.catalog.location, NEW).count() == 4
    store.is_unavailable(1)  # the listing of the store
    with pytest.raises(StoreUnavailable):
        rebuild(repository, prefix=NEW)

    def breaks_off(said: RebuildProgress) -> None:
        if said.recordings_done == 2:
            store.is_unavailable(1)

    done = rebuild(repository, prefix=NEW, progress=breaks_off, max_concurrent_recordings=1)
    assert (done.recordings, done.written + done.unchanged, done.failed) == (7, 6, 1)
    assert done.failures[0].code == "store_unavailable"
    again = rebuild(repository, prefix=NEW)
    assert (again.recordings, again.written + again.unchanged, again.failed) == (7, 7, 0)
    assert compare(repository).clean


def test_what_is_registered_while_it_runs_is_taken_in_as_well(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    taken_in(repository, tmp_path, "rec_5", participant=None)
    late = iter(["rec_1", "rec_9"])  # before and behind where the listing is

    def registers(said: RebuildProgress) -> None:
        for name in late:
            taken_in(repository, tmp_path, name)
            list(backfill_participants(repository, names={"rec_5": "Bo Chen"}))

    done = rebuild(repository, prefix=NEW, progress=registers)
    assert (done.recordings, done.caught_up, done.failed) == (1, 3, 0)
    comparison = compare(repository)
    assert comparison.clean
    taken_in(repository, tmp_path, "rec_7")
    with pytest.raises(CatalogMoved, match="changed after the comparison") as moved:
        flip(repository, comparison)
    assert "Run the rebuild again" in moved.value.advice
    assert counts(rebuild(repository, prefix=NEW)) == (4, 1, 3, 0)
    flip(repository, compare(repository))
    assert live(repository) == NEW


def test_what_is_written_between_the_last_look_and_the_flip_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = memory_repository(tmp_path)
    taken_in(repository, tmp_path, "rec_1")
    rebuild(repository, prefix=NEW)
    comparison = compare(repository)
    flips = Pointer.flip

    def late(self: Pointer, *args: Any, **asked: Any) -> Any:
        taken_in(repository, tmp_path, "rec_2")
        return flips(self, *args, **asked)

    monkeypatch.setattr(Pointer, "flip", late)
    assert flip(repository, comparison).written_meanwhile
    assert live(repository) == NEW


def test_of_two_copies_the_one_that_is_registered_is_rebuilt(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    taken_in(repository, tmp_path, "rec_5")
    for other in ("rec_1", "rec_9"):  # a copy before it, and one behind it
        for info in list(repository.stored("rec_5")):
            body = b"".join(repository.raw.get(repository.key("rec_5", info.key)))
            put(repository, other, {info.key: body})
    for _ in range(2):
        done = rebuild(repository, prefix=NEW)
        assert {each.subject for each in done.failures} == {"rec_1", "rec_9"}
        assert {each.code for each in done.failures} == {"recording_held_elsewhere"}
        assert compare(repository).clean


def test_a_catalog_that_is_in_use_is_not_written_over(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    taken_in(repository, tmp_path, "rec_1")
    with pytest.raises(NothingToFlipBack):
        flipping.flip_back(repository.catalog.location)
    for prefix in (PREFIX, "ursa", f"{PREFIX}/new"):
        with pytest.raises(PrefixInUse):
            rebuild(repository, prefix=prefix)
    rebuild(repository, prefix=NEW)
    flip(repository, compare(repository))
    flipped = replace(repository, catalog=Catalog.open(repository.catalog.location.root))
    with pytest.raises(PrefixInUse):  # it is the way back
        rebuild(flipped, prefix=PREFIX)
    with pytest.raises(CatalogMoved, match="Another catalog is live"):
        flip(repository, compare(repository))
    assert counts(rebuild(flipped, prefix="ursa/catalog-3", recording_ids=["rec_1"])) == (
        1,
        1,
        0,
        0,
    )


def test_memory_holds_some_recordings_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, few are read ahead of those that are registered."""
    monkeypatch.setattr(rebuilding, "_TOGETHER_MAX", 3)
    repository = memory_repository(tmp_path)
    facts = {"recording_hash": "", "files": [{"rel_path": "eeg_a/0.bin", "sha256": ""}]}
    for number in range(40):
        sha256 = f"{number:064x}"
        facts = {
            "recording_hash": recording_hash_of([sha256]),
            "files": [{"rel_path": "eeg_a/0.bin", "sha256": sha256}],
        }
        put(
            repository,
            f"rec_{number:02}",
            {"eeg_a/0.bin": b"x", "manifest.json": json.dumps(facts).encode()},
        )
    listed = registered = ahead_max = 0

    def ids() -> Iterator[str]:
        nonlocal listed, ahead_max
        for recording_id in repository.recording_ids():
            listed += 1
            ahead_max = max(ahead_max, listed - registered)
            yield recording_id

    register_many = Catalog.register_many

    def counted(self: Catalog, given: Any, **asked: Any) -> Any:
        nonlocal registered
        registered += len(given)
        return register_many(self, given, **asked)

    monkeypatch.setattr(Catalog, "register_many", counted)
    done = rebuild(repository, prefix=NEW, recording_ids=ids(), max_concurrent_recordings=2)
    assert counts(done) == (40, 40, 0, 0)
    assert ahead_max <= 3 + 2 * 2
