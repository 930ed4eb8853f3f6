"""Manifests reconstructed from what is stored: by reading each file once, and only where needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.catalog.values import UNKNOWN_PARTICIPANT
from lading.sources.recordings.errors import (
    ManifestInvalid,
    RecordingIdRefused,
    StoredFilesMissing,
    StoredNameRefused,
    StoredRecordingMissing,
)
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.ingesting import register_stored
from lading.sources.recordings.reconstructing import (
    Reconstructed,
    ReconstructionOutcome,
    ReconstructProgress,
    reconstruct,
    reconstruct_all,
)
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import recording_hash_of
from lading.storage.bucket import ObjectChanged
from lading.storage.memory import MemoryStore
from lading.storage.port import StoreUnavailable
from lading.testing.faulty_store import FaultyStore
from lading.testing.servers_s3 import S3Facts
from tests.recordings.making import (
    REC_ID,
    bucket_repository,
    folder_repository,
    make_recording,
    manifest_of,
    memory_repository,
    own_prefix,
)
from tests.recordings.stores import CountingStore, ingest, put

VALID, RECONSTRUCTED, WANTED = (
    ReconstructionOutcome.VALID,
    ReconstructionOutcome.RECONSTRUCTED,
    ReconstructionOutcome.WANTED,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording's folder, the truth to compare with; never read by what is tested."""
    return make_recording(tmp_path / "rig")


def stored_without_manifest(
    repository: Repository, folder: Path, *, stub: dict[str, Any] | None = None
) -> dict[str, bytes]:
    """Store the files of a folder and, instead of its manifest, a stub or none."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    if stub is not None:
        files["manifest.json"] = json.dumps(stub).encode()
    put(repository, folder.name, files)
    return files


def manifest_stored(repository: Repository, recording_id: str = REC_ID) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(b"".join(repository.raw.get(
        repository.key(recording_id, "manifest.json"))))  # fmt: skip
    return facts


def objects(repository: Repository, recording_id: str = REC_ID) -> dict[str, bytes]:
    return {
        info.key: b"".join(repository.raw.get(repository.key(recording_id, info.key)))
        for info in repository.stored(recording_id)
    }


@pytest.mark.parametrize("where", ["folder", "memory", "ministack"])
def test_a_recording_without_a_manifest_gets_the_one_it_would_have_had(
    where: str, folder: Path, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    if where == "ministack":
        repository = bucket_repository(s3_server_of(where).options(prefix=own_prefix()))
    else:
        make = folder_repository if where == "folder" else memory_repository
        repository = make(tmp_path)
    stored_without_manifest(repository, folder)
    said: list[ReconstructProgress] = []
    done = reconstruct(repository, REC_ID, progress=said.append)

    truth = manifest_of(folder)
    assert (done.outcome, done.recording_hash) == (RECONSTRUCTED, truth["recording_hash"])
    assert (done.participant, done.damaged, done.stated_hash) == ("Aria Lin", (), None)
    written = manifest_stored(repository)
    assert written["files"] == truth["files"]
    assert (written["recording_id"], written["participant"]) == (REC_ID, "Aria Lin")
    assert written["reconstruction"]["reconstructed_participant"] is False
    assert written["reconstruction"]["files"] == len(truth["files"])
    assert [each.files_done for each in said] == list(range(1, len(truth["files"]) + 1))
    assert said[-1].bytes_done == said[-1].bytes_total == done.size_bytes
    assert {each.current_file for each in said} == {each["rel_path"] for each in truth["files"]}

    registered = register_stored(repository, REC_ID).recording
    assert registered is not None
    assert registered.recording_hash == truth["recording_hash"]
    assert registered.participant_ids == ("Aria Lin",)
    before = objects(repository)
    assert reconstruct(repository, REC_ID).outcome is VALID
    assert objects(repository) == before


def test_a_stub_keeps_all_that_it_says(folder: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    stub = {"session_id": "s-7", "files": [], "rig": "green", "started_at": "2026-05-20T19:56:28Z"}
    stored_without_manifest(repository, folder, stub=stub)
    reconstruct(repository, REC_ID)
    written = manifest_stored(repository)
    assert {key: written[key] for key in stub if key != "files"} == {
        key: value for key, value in stub.items() if key != "files"
    }
    assert "recording_id" not in written  # the stub's own word for it stays the only one
    assert written["recording_hash"] == manifest_of(folder)["recording_hash"]


@pytest.mark.parametrize(
    ("text", "stub", "expected"),
    [
        (None, {}, None),
        (b" \n\t", {}, None),
        (b" Aria \n Lin\r\n", {}, "Aria Lin"),
        (b"Bo", {"participant": "Aria"}, "Bo"),
        (None, {"participant": " Aria  Lin "}, "Aria Lin"),
        (None, {"participant": UNKNOWN_PARTICIPANT}, None),
        (b"\xef\xbb\xbfJos\xc3\xa9", {}, "José"),
    ],
)
def test_the_participant_is_recovered_or_said_to_be_unknown(
    text: bytes | None, stub: dict[str, Any], expected: str | None, tmp_path: Path
) -> None:
    repository = memory_repository(tmp_path)
    put(repository, REC_ID, {"eeg_a/0.bin": b"bytes", "manifest.json": json.dumps(stub).encode()})
    if text is not None:
        put(repository, REC_ID, {"participant.txt": text})
    assert reconstruct(repository, REC_ID).participant == expected
    written = manifest_stored(repository)
    assert written["participant"] == (expected or UNKNOWN_PARTICIPANT)
    assert written["reconstruction"]["reconstructed_participant"] is (expected is None)


def test_a_valid_manifest_costs_one_read_and_a_listing(folder: Path, tmp_path: Path) -> None:
    store = CountingStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    ingest(repository, folder)
    before = objects(repository)
    store.forget()
    done = reconstruct(repository, REC_ID)
    assert (done.outcome, done.unlisted) == (VALID, 0)
    assert done.files == len(manifest_of(folder)["files"])
    assert (dict(store.asked), store.got) == (
        {"list": 1, "get": 1},
        [repository.key(REC_ID, "manifest.json")],
    )
    assert objects(repository) == before


def test_manifests_of_nodes_make_it_unnecessary(folder: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    manifest = manifest_of(folder)
    files = stored_without_manifest(repository, folder)
    for node, part in (("mantis", manifest["files"][:2]), ("motor", manifest["files"][2:])):
        half = {"hostname": node, "recording_hash": manifest["recording_hash"], "files": part}
        put(repository, REC_ID, {f"_node_manifests/{node}.json": json.dumps(half).encode()})
    put(repository, REC_ID, {"mic_9/late.wav": b"nobody lists me"})
    done = reconstruct(repository, REC_ID)
    assert (done.outcome, done.recording_hash) == (VALID, manifest["recording_hash"])
    assert (done.unlisted, "manifest.json" in objects(repository)) == (1, False)
    # A node's manifest that cannot be read is named, and nothing is written over it.
    put(repository, REC_ID, {"_node_manifests/motor.json": b"{"})
    with pytest.raises(ManifestInvalid, match=r"_node_manifests/motor\.json"):
        reconstruct(repository, REC_ID)
    assert set(objects(repository)) >= set(files)


def test_what_was_lost_is_not_forgotten_unless_asked_for(folder: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    ingest(repository, folder)
    repository.raw.delete(repository.key(REC_ID, "mic_1/audio.wav"))
    before = objects(repository)
    with pytest.raises(StoredFilesMissing, match=r"mic_1/audio\.wav"):
        reconstruct(repository, REC_ID)
    assert objects(repository) == before
    done = reconstruct(repository, REC_ID, force=True)
    left = [f for f in manifest_of(folder)["files"] if f["rel_path"] != "mic_1/audio.wav"]
    assert done.recording_hash == recording_hash_of(each["sha256"] for each in left)
    assert done.stated_hash == manifest_of(folder)["recording_hash"]
    assert (
        manifest_stored(repository)["reconstruction"]["recording_hash_before"]
        == (manifest_of(folder)["recording_hash"])
    )


def test_bytes_that_are_not_those_that_were_sent_are_named(folder: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    stated = {each["rel_path"]: each["sha256"] for each in manifest_of(folder)["files"]}
    files = [{"rel_path": "notes_a/notes.txt", "sha256": stated["notes_a/notes.txt"]}]
    stored_without_manifest(repository, folder, stub={"files": files})
    store = repository.raw
    assert isinstance(store, MemoryStore)
    for name in ("eeg_4559/eeg.edf", "notes_a/notes.txt"):  # damaged where they lie
        key = repository.key(REC_ID, name)
        held = store._objects[key]
        store._objects[key] = type(held)(held.info, bytes(len(held.data)))
    done = reconstruct(repository, REC_ID)
    assert {(each.name, each.stated_by) for each in done.damaged} == {
        ("eeg_4559/eeg.edf", "its object"),
        ("notes_a/notes.txt", "its object"),
        ("notes_a/notes.txt", "a manifest"),
    }
    assert all(each.expected == stated[each.name] != each.found for each in done.damaged)
    assert "eeg_4559/eeg.edf" in manifest_stored(repository)["reconstruction"]["damaged"]


def test_what_is_no_manifest_is_kept_aside(folder: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    stored_without_manifest(repository, folder)
    put(repository, REC_ID, {"manifest.json": b'{"rig": "green", "fil'})
    assert reconstruct(repository, REC_ID).outcome is RECONSTRUCTED
    (aside,) = (name for name in objects(repository) if name.endswith(".unreadable"))
    assert objects(repository)[aside] == b'{"rig": "green", "fil'
    assert register_stored(repository, REC_ID).recording is not None
    assert reconstruct(repository, REC_ID).outcome is VALID


def test_names_of_any_kind_are_taken_as_they_would_be_uploaded(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    folder = make_recording(tmp_path / "rig", files={"eeg_a/mü 50%.edf": 9, "eeg_a/.DS_Store": 3})
    ingest(repository, folder)
    repository.raw.delete(repository.key(REC_ID, "manifest.json"))
    put(repository, REC_ID, {"eeg_a": b""})  # how listings show a marker `eeg_a/`
    done = reconstruct(repository, REC_ID)
    assert (done.files, done.recording_hash) == (1, manifest_of(folder)["recording_hash"])
    assert reconstruct(repository, REC_ID).unlisted == 0
    for name in ("eeg_a/50%.bin", "eeg_a/%FF.bin"):
        put(repository, "rec_odd", {name: b"x"})
        with pytest.raises(StoredNameRefused, match=r"50%|%FF"):
            reconstruct(repository, "rec_odd")
        repository.raw.delete(repository.key("rec_odd", name))


def test_a_dry_run_reads_no_file_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    store = CountingStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    stored_without_manifest(repository, folder)
    store.forget()
    done = reconstruct(repository, REC_ID, dry_run=True)
    sizes = [each["size_bytes"] for each in manifest_of(folder)["files"]]
    assert (done.outcome, done.files, done.size_bytes) == (WANTED, len(sizes), sum(sizes))
    assert dict(store.asked) == {"list": 1}


def test_a_run_that_is_cut_off_changes_nothing_and_the_next_completes_it(
    folder: Path, tmp_path: Path
) -> None:
    store = FaultyStore(MemoryStore())
    repository = memory_repository(tmp_path, store)
    stored_without_manifest(repository, folder, stub={"rig": "green"})
    before = objects(repository)
    stop = StopSignal()

    def asked_to_stop(said: ReconstructProgress) -> None:
        stop.request(StopReason.OPERATOR)

    with pytest.raises(Interrupted):
        reconstruct(repository, REC_ID, progress=asked_to_stop, stop=stop, max_concurrent_files=1)
    assert objects(repository) == before
    with pytest.raises(StoreUnavailable):
        reconstruct(
            repository,
            REC_ID,
            progress=lambda said: store.is_unavailable(1),
            max_concurrent_files=1,
        )
    store.heals()
    assert objects(repository) == before
    store.dies_after(0)  # the manifest itself cannot be written
    with pytest.raises(StoreUnavailable):
        reconstruct(repository, REC_ID)
    store.heals()
    assert objects(repository) == before
    assert reconstruct(repository, REC_ID).recording_hash == manifest_of(folder)["recording_hash"]


def test_a_recording_that_is_being_uploaded_gets_no_manifest(folder: Path, tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    stored_without_manifest(repository, folder)

    def uploads(said: ReconstructProgress) -> None:
        put(repository, REC_ID, {"camera_1/late.mp4": b"late"})

    with pytest.raises(ObjectChanged, match="camera_1/late"):
        reconstruct(repository, REC_ID, progress=uploads)
    assert "manifest.json" not in objects(repository)


def test_nothing_and_no_identifier_are_refused(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    with pytest.raises(StoredRecordingMissing):
        reconstruct(repository, REC_ID)
    with pytest.raises(RecordingIdRefused):
        reconstruct(repository, "../rec")
    put(repository, REC_ID, {"participant.txt": b"Aria"})
    with pytest.raises(ManifestInvalid, match="nothing recorded"):
        reconstruct(repository, REC_ID)


@pytest.mark.parametrize("where", ["folder", "memory", "ministack"])
def test_all_recordings_are_reconstructed_and_one_that_fails_ends_nothing(
    where: str, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    if where == "ministack":
        repository = bucket_repository(s3_server_of(where).options(prefix=own_prefix()))
    else:
        make = folder_repository if where == "folder" else memory_repository
        repository = make(tmp_path)
    names = ["rec_1", "rec_1-b", "rec_10", "rec_2"]
    for name in names:
        put(repository, name, {f"eeg_a/{n}.bin": f"{name} {n}".encode() for n in range(3)})
    put(repository, "rec_bad", {"eeg_a/50%.bin": b"x"})
    put(repository, "rec_3", {"participant.txt": b"Aria"})
    repository.raw.put("recordings/stray.txt", iter((b"of no recording",)))
    put(repository, "rec_gone", {"eeg_a/0.bin": b"x"})
    repository.raw.delete(repository.key("rec_gone", "eeg_a/0.bin"))  # leaves an empty folder
    assert list(repository.recording_ids()) == [
        "rec_1-b", "rec_1", "rec_10", "rec_2", "rec_3", "rec_bad",
    ]  # fmt: skip

    def outcomes(done: Iterator[Reconstructed | Failure]) -> dict[str, str]:
        return {
            each.subject if isinstance(each, Failure) else each.recording_id: each.code
            if isinstance(each, Failure)
            else each.outcome
            for each in done
        }

    failed = {"rec_3": "recording_manifest_invalid", "rec_bad": "recording_object_name_refused"}
    assert outcomes(reconstruct_all(repository, dry_run=True)) == {
        **dict.fromkeys(names, WANTED), **failed,
    }  # fmt: skip
    assert outcomes(reconstruct_all(repository)) == dict.fromkeys(names, RECONSTRUCTED) | failed
    assert outcomes(reconstruct_all(repository)) == dict.fromkeys(names, VALID) | failed
    some = outcomes(reconstruct_all(repository, recording_ids=["rec_2", "rec_nobody"]))
    assert some == {"rec_2": VALID, "rec_nobody": "recording_not_stored"}
    for each in reconstruct_all(repository, recording_ids=["rec_bad"]):
        assert isinstance(each, Failure)
        assert "%25" in each.next_step
        assert each.as_dict()["recording"] == "rec_bad"
