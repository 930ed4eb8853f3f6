"""Many recordings taken in from the folders of a network drive, each on its own, again cheaply."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lading.base.errors import StoreError
from lading.catalog.tables import DeltaRows
from lading.sources.recordings import backlog
from lading.sources.recordings.backlog import (
    BacklogEntry,
    BacklogOutcome,
    BacklogSummary,
    ingest_backlog,
)
from lading.sources.recordings.finding import Unreadable, recording_folders
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.rules import recording_hash_of
from lading.sources.recordings.values import UploadProgress
from lading.storage.memory import MemoryStore
from lading.testing.faulty_store import FaultyStore
from lading.testing.servers_s3 import S3Facts
from tests.recordings.making import (
    bucket_repository,
    make_recording,
    manifest_of,
    memory_repository,
    own_prefix,
)
from tests.recordings.stores import CountingStore

SMALL = {"eeg_a/0.bin": 100, "camera_0/0.mp4": 50}
UPLOADED, REGISTERED, NO_MANIFEST, FAILED, PAUSED, WANTED = (
    BacklogOutcome.UPLOADED,
    BacklogOutcome.REGISTERED,
    BacklogOutcome.NO_MANIFEST,
    BacklogOutcome.FAILED,
    BacklogOutcome.PAUSED,
    BacklogOutcome.WANTED,
)


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    """A network drive with three good recordings, one without manifest, and two bad ones."""
    nas = tmp_path / "nas"
    for name in ("rec_1", "rec_2", "green/rec_3"):
        make_recording(nas / Path(name).parent, Path(name).name, SMALL)
    (make_recording(nas, "rec_4", SMALL) / "manifest.json").unlink()
    make_recording(nas, "rec_5", SMALL, augmented=False)
    (make_recording(nas, "rec_6", SMALL) / "eeg_a" / "0.bin").write_bytes(b"cut")
    (nas / "notes").mkdir()
    (nas / "readme.txt").write_text("not a recording")
    return nas


def outcomes(entries: list[BacklogEntry]) -> dict[str, str]:
    return {
        each.folder.name: each.failure.code if each.outcome is FAILED and each.failure
        else each.outcome
        for each in entries
    }  # fmt: skip


BAD = {"rec_4": NO_MANIFEST, "rec_5": "recording_manifest_incomplete", "rec_6": "size_mismatch"}
GOOD = ["rec_1", "rec_2", "rec_3"]


@pytest.mark.parametrize("where", ["memory", "ministack"])
def test_each_recording_is_taken_in_or_its_failure_told(
    where: str, nas: Path, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    if where == "memory":
        repository = memory_repository(tmp_path)
    else:
        repository = bucket_repository(s3_server_of(where).options(prefix=own_prefix()))
    wanted = list(ingest_backlog(repository, [nas], dry_run=True))
    assert outcomes(wanted) == {**dict.fromkeys(GOOD, WANTED), **BAD}
    assert (list(repository.raw.list("recordings/")), repository.catalog.count()) == ([], 0)

    said: list[UploadProgress] = []
    entries = list(ingest_backlog(repository, [nas], progress=said.append))
    assert outcomes(entries) == {**dict.fromkeys(GOOD, UPLOADED), **BAD}
    assert len(said) == 3 * len(SMALL)
    summary = BacklogSummary.of(entries)
    assert summary.outcomes == {UPLOADED: 3, NO_MANIFEST: 1, FAILED: 2}
    assert (summary.files_uploaded, summary.bytes_uploaded) == (6, 450)
    assert [Path(each.subject).name for each in summary.failures] == ["rec_4", "rec_5", "rec_6"]
    assert all(each.message and each.next_step for each in summary.failures)
    held = repository.catalog.recordings_held(each.recording_hash or "" for each in entries)
    assert {row.metadata["manifest_recording_id"] for row in held.values()} == set(GOOD)

    # What was wrong is put right, and the next run takes in what is new alone.
    augment_manifest(nas / "rec_4" / "manifest.json")
    again = list(ingest_backlog(repository, [nas, nas / "rec_6"], augment=True))
    assert outcomes(again) == {
        **dict.fromkeys(GOOD, REGISTERED), "rec_4": UPLOADED, "rec_5": UPLOADED,
        "rec_6": "size_mismatch",
    }  # fmt: skip
    assert len(again) == 7
    assert manifest_of(nas / "rec_5")["rig"] == "green-mantis"


def test_a_second_run_asks_the_store_nothing_and_the_catalog_twice(
    nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CountingStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    list(ingest_backlog(repository, [nas]))
    for name in ("rec_4", "rec_5", "rec_6"):
        (nas / name).rename(tmp_path / name)
    store.forget()
    queries: list[str] = []
    batches = DeltaRows._batches

    def counted(self: DeltaRows[Any], *asked: Any) -> Any:
        queries.append(self.shape.name)
        return batches(self, *asked)

    monkeypatch.setattr(DeltaRows, "_batches", counted)
    for name in GOOD[:2]:  # nothing but the manifest is looked at
        (nas / name / "eeg_a" / "0.bin").unlink()
    assert outcomes(list(ingest_backlog(repository, [nas]))) == dict.fromkeys(GOOD, REGISTERED)
    assert (dict(store.asked), queries) == ({}, ["recordings", "modalities"])
    queries.clear()
    monkeypatch.setattr(backlog, "TOGETHER", 2)
    list(ingest_backlog(repository, [nas]))
    assert (dict(store.asked), queries) == ({}, ["recordings", "modalities"] * 2)


def test_what_changed_or_is_not_whole_goes_the_whole_way(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    nas = tmp_path / "nas"
    unnamed = make_recording(nas, "rec_1", SMALL, participant=None)
    host = make_recording(nas, "rec_2", {"camera_0/0.mp4": 50})
    peer = make_recording(tmp_path / "peer", "rec_2", {"eeg_a/0.bin": 70})
    facts = [manifest_of(each) for each in (host, peer)]
    together = recording_hash_of(f["sha256"] for fact in facts for f in fact["files"])
    for folder, fact in zip((host, peer), facts, strict=True):
        (folder / "manifest.json").write_text(json.dumps({**fact, "recording_hash": together}))
    list(ingest_backlog(repository, [nas]))
    assert outcomes(list(ingest_backlog(repository, [nas]))) == dict.fromkeys(
        ["rec_1", "rec_2"], REGISTERED
    )
    # The other half of a session has the same hash, and is not there yet.
    assert outcomes(list(ingest_backlog(repository, [peer]))) == {"rec_2": UPLOADED}
    assert outcomes(list(ingest_backlog(repository, [peer]))) == {"rec_2": REGISTERED}
    # Somebody wrote down who it was.
    (unnamed / "participant.txt").write_text("Aria Lin")
    assert outcomes(list(ingest_backlog(repository, [unnamed]))) == {"rec_1": UPLOADED}
    row = repository.catalog.get_recording(manifest_of(unnamed)["recording_hash"])
    assert row.participant_ids == ("Aria Lin",)
    assert outcomes(list(ingest_backlog(repository, [nas]))) == dict.fromkeys(
        ["rec_1", "rec_2"], REGISTERED
    )
    # Files were changed, and their manifest with them: another recording in the same place.
    (unnamed / "eeg_a" / "0.bin").write_bytes(b"other")
    augment_manifest(unnamed / "manifest.json", force=True)
    assert outcomes(list(ingest_backlog(repository, [unnamed]))) == {
        "rec_1": "recording_place_taken"
    }


def test_a_rig_that_begins_to_record_ends_the_loop(nas: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    recording = False

    def second_file(said: UploadProgress) -> None:
        nonlocal recording
        recording = repository.catalog.count() == 1

    entries = list(
        ingest_backlog(repository, [nas], is_active=lambda: recording, progress=second_file)
    )
    assert [each.outcome for each in entries] == [UPLOADED, PAUSED]
    assert repository.catalog.count() == 1
    paused = list(ingest_backlog(repository, [nas], is_active=lambda: True))
    assert [each.outcome for each in paused] == [REGISTERED, PAUSED]
    recording = False
    (nas / "rec_5").rename(tmp_path / "rec_5")
    asked = 0

    def while_hashing() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2  # before the folder, after its first file

    (stopped,) = ingest_backlog(
        repository, [tmp_path / "rec_5"], augment=True, is_active=while_hashing
    )
    assert stopped.outcome is PAUSED
    assert "files" not in manifest_of(tmp_path / "rec_5")
    rest = outcomes(list(ingest_backlog(repository, [nas])))
    assert [rest[name] for name in GOOD].count(UPLOADED) == 2


def test_a_store_that_fails_is_told_of_each_and_the_next_run_goes_on(
    nas: Path, tmp_path: Path
) -> None:
    store = FaultyStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    store.dies_after(60)
    entries = outcomes(list(ingest_backlog(repository, [nas], participants={"rec_1": "Cy"})))
    assert {entries[name] for name in GOOD} == {"store_unavailable"}
    assert repository.catalog.count() == 0
    store.heals()
    named = list(ingest_backlog(repository, [nas], participants={"rec_1": "Cy"}))
    assert {outcomes(named)[name] for name in GOOD} == {UPLOADED}
    people = {row.participant_ids for row in repository.catalog.list_recordings()}
    assert people == {("Cy",), ("Aria Lin",)}


def test_folders_of_recordings_are_found_wherever_they_are(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    wanted = [
        make_recording(nas / "a" / "b", "rec_1", SMALL),
        make_recording(nas / "a", "session 7", SMALL),
        make_recording(nas, "rec_20260520_195628_b1dd", SMALL),
    ]
    (nas / "nodes" / "_node_manifests").mkdir(parents=True)
    (nas / "manifest.json").write_text("{}")  # of somebody's backup, not of a recording
    make_recording(nas / ".snapshots", "rec_1", SMALL)
    make_recording(nas / "@eaDir", "rec_1", SMALL)
    make_recording(nas / "1" / "2" / "3" / "4" / "5", "rec_deep", SMALL)
    (nas / "loop").symlink_to(nas, target_is_directory=True)
    found = list(recording_folders(nas))
    assert found == [wanted[0], wanted[1], nas / "nodes", wanted[2]]
    assert list(recording_folders(wanted[0])) == [wanted[0]]
    (gone,) = recording_folders(tmp_path / "unmounted")
    assert isinstance(gone, Unreadable)
    assert gone.error.code == "root_missing"
    (entry,) = ingest_backlog(memory_repository(tmp_path), [tmp_path / "unmounted"])
    assert (entry.outcome, outcomes([entry])) == (FAILED, {"unmounted": "root_missing"})


def test_a_folder_that_cannot_be_read_does_not_end_the_others(
    nas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nas / "rec_2" / "manifest.json").unlink()
    os.mkfifo(nas / "rec_2" / "manifest.json")
    (nas / "rec_3").write_text("a file of that name")
    (nas / "rec_1" / "participant.txt").unlink()
    (nas / "rec_1" / "participant.txt").mkdir()
    entries = outcomes(list(ingest_backlog(memory_repository(tmp_path), [nas])))
    assert entries["rec_2"] == "recording_manifest_invalid"
    assert entries["rec_1"] == entries["rec_3"] == UPLOADED
    scandir = os.scandir

    def refused(path: Any) -> Any:
        if str(path).endswith("green"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    entries = outcomes(list(ingest_backlog(memory_repository(tmp_path / "2"), [nas])))
    assert (entries["green"], entries["rec_1"]) == ("file_unreadable", UPLOADED)


def test_the_catalog_is_asked_before_a_byte_moves(nas: Path, tmp_path: Path) -> None:
    """A catalog that cannot be asked ends the run: nothing could be registered."""
    repository = memory_repository(tmp_path)
    (tmp_path / "assets" / "ursa" / "catalog-1" / "recordings" / "_delta_log").mkdir(parents=True)
    garbled = tmp_path / "assets/ursa/catalog-1/recordings/_delta_log/00000000000000000000.json"
    garbled.write_text("{no log}")
    with pytest.raises(StoreError, match="recordings"):
        list(ingest_backlog(repository, [nas]))
    assert list(repository.raw.list()) == []
