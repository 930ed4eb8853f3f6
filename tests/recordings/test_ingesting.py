"""Taking recordings in: uploads first, rows last; again and again, in halves, and interrupted."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lading.catalog.errors import CatalogConflict
from lading.catalog.values import UNKNOWN_PARTICIPANT
from lading.sources.recordings.errors import (
    ManifestIncomplete,
    ManifestMissing,
    ManifestsDisagree,
    PlaceTaken,
    RecordingHeldElsewhere,
    Sha256Unknown,
    StoredFilesMissing,
    StoredRecordingMissing,
)
from lading.sources.recordings.ingesting import (
    augment_stored,
    ingest_recording,
    open_local,
    register_stored,
)
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.querying import query
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import recording_hash_of
from lading.sources.recordings.uploading import CHUNK_BYTES
from lading.sources.recordings.values import IngestResult, UploadProgress
from lading.storage.memory import MemoryStore
from lading.storage.roots import FileMissing, SafeFile
from lading.storage.transfer import HashMismatch, SizeMismatch
from lading.testing.servers_s3 import S3Facts
from tests.recordings.making import (
    FILES,
    REC_ID,
    bucket_repository,
    folder_repository,
    make_recording,
    manifest_of,
    memory_repository,
    own_prefix,
)


def ingest(repository: Repository, folder: Path, **asked: Any) -> IngestResult:
    participant = asked.pop("participant", None)
    recording = open_local(folder / "manifest.json", folder, participant=participant)
    return ingest_recording(repository, recording, **asked)


@pytest.fixture(params=["folder", "memory", "ministack", "radosgw"])
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> Repository:
    """A repository on each kind of store."""
    if request.param == "folder":
        return folder_repository(tmp_path / "kept")
    if request.param == "memory":
        return memory_repository(tmp_path / "kept")
    return bucket_repository(s3_server_of(request.param).options(prefix=own_prefix()))


@pytest.fixture
def plain(tmp_path: Path) -> Repository:
    """A repository with its bytes in memory."""
    return memory_repository(tmp_path / "kept")


def test_a_recording_is_stored_whole_then_registered_and_found(
    repository: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    result = ingest(repository, folder)

    manifest = manifest_of(folder)
    assert (result.paused, result.files_uploaded, result.files_skipped) == (False, len(FILES), 0)
    assert result.bytes_uploaded == sum(FILES.values())
    assert result.recording is not None
    assert result.recording.recording_hash == manifest["recording_hash"]
    assert result.recording.metadata["manifest_recording_id"] == REC_ID
    assert result.recording.duration_s == 61.5
    assert result.recording.started_at is not None
    assert result.recording.started_at.isoformat() == "2026-05-20T19:56:28+00:00"
    assert result.recording.participant_ids == ("Aria Lin",)

    (found,) = query(repository.catalog, recording_hash=manifest["recording_hash"])
    assert list(found.modalities) == ["camera", "eeg", "mic", "notes", "session"]
    assert found.modalities["camera"].worker_id == "0"
    assert [person.display_name for person in found.participants] == ["Aria Lin"]
    for row in found.modalities.values():
        for key in row.keys:
            stored = b"".join(repository.raw.get(f"{row.location}/{key}"))
            assert stored == (folder / key).read_bytes()
    listed = {entry["rel_path"]: entry["sha256"] for entry in manifest["files"]}
    assert set(listed) == set(FILES)
    if repository.raw.abilities.user_metadata:
        for path, sha256 in listed.items():
            info = repository.raw.head(repository.key(REC_ID, path))
            assert info is not None
            assert info.metadata["sha256"] == sha256
    assert (
        repository.read(REC_ID, "manifest.json", 10**6) == (folder / "manifest.json").read_bytes()
    )
    assert repository.participant(REC_ID) == "Aria Lin"


def test_a_second_time_changes_nothing_and_says_how_it_knew(
    repository: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    first = ingest(repository, folder)
    versions = repository.catalog.versions("recordings")

    again = ingest(repository, folder)

    assert again == replace(
        first,
        files_uploaded=0,
        bytes_uploaded=0,
        files_skipped=len(FILES),
        skipped_by={"size_and_registration": len(FILES)},
    )
    assert repository.catalog.versions("recordings") == versions


def test_what_was_stored_before_the_rows_is_recognised_by_what_the_store_can_tell(
    repository: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    ingest(repository, folder, is_active=after(8), max_concurrent_files=1)  # some are there
    assert not list(repository.catalog.list_recordings())

    result = ingest(repository, folder)

    assert set(result.skipped_by) == {"size_and_sha256"}
    assert result.files_uploaded + result.files_skipped == len(FILES)
    assert result.files_skipped > 0


def test_an_object_of_the_right_size_with_another_hash_is_replaced(
    repository: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    key = repository.key(REC_ID, "eeg_4559/eeg.edf")
    repository.raw.put(
        key,
        iter([b"\0" * 40_000]),
        sha256=recording_hash_of(["other"])
        if (repository.raw.abilities.user_metadata and not isinstance(repository.raw, MemoryStore))
        else None,
    )
    result = ingest(repository, folder)
    if isinstance(repository.raw, MemoryStore):  # which would tell the hash, had it been given one
        assert result.skipped_by == {"size": 1}  # the word used is the check that was made
        return
    assert result.files_uploaded == len(FILES)
    assert b"".join(repository.raw.get(key)) == (folder / "eeg_4559/eeg.edf").read_bytes()


def test_overwrite_sends_every_file_again(plain: Repository, tmp_path: Path) -> None:
    folder = make_recording(tmp_path)
    ingest(plain, folder)
    plain.raw.put(plain.key(REC_ID, "mic_1/audio.wav"), iter([b"\0" * 30_000]))

    result = ingest(plain, folder, overwrite=True)

    assert (result.files_uploaded, result.files_skipped) == (len(FILES), 0)
    stored = b"".join(plain.raw.get(plain.key(REC_ID, "mic_1/audio.wav")))
    assert stored == (folder / "mic_1/audio.wav").read_bytes()


def test_progress_is_told_after_each_file_and_its_errors_change_nothing(
    plain: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    said: list[UploadProgress] = []

    def listen(progress: UploadProgress) -> None:
        said.append(progress)
        raise RuntimeError("a listener's own trouble")

    ingest(plain, folder, progress=listen, max_concurrent_files=1)
    total = sum(FILES.values())
    assert [each.files_done for each in said] == list(range(1, len(FILES) + 1))
    assert {each.current_file for each in said} == set(FILES)
    assert said[-1] == UploadProgress(
        len(FILES), len(FILES), total, total, total, said[-1].current_file
    )

    said.clear()
    plain.catalog.restore("recordings", 0, expected=plain.catalog.versions("recordings")[0].number)
    ingest(plain, folder, progress=listen)
    assert said[-1].bytes_uploaded == 0
    assert said[-1].bytes_processed == said[-1].bytes_total == total


@pytest.mark.parametrize("asked", [0, 1, 2, 3, 5, 8, 13])
def test_a_rig_that_records_pauses_the_upload_wherever_it_is(
    plain: Repository, tmp_path: Path, asked: int
) -> None:
    folder = make_recording(tmp_path)
    result = ingest(plain, folder, is_active=after(asked), max_concurrent_files=2)

    assert result.paused
    assert result.recording is None
    assert list(plain.catalog.list_recordings()) == []
    for info in plain.stored(REC_ID):  # what is there is whole
        assert info.size_bytes == FILES[info.key]
    assert not ingest(plain, folder).paused
    assert len(list(query(plain.catalog))) == 1


@pytest.mark.parametrize("files_at_once", [1, 4])
def test_what_is_read_after_the_rig_began_is_bounded_by_a_chunk_a_file(
    plain: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_at_once: int
) -> None:
    sizes = {f"camera_{n}/seg.mp4": 3 * CHUNK_BYTES for n in range(6)}
    folder = make_recording(tmp_path, files=sizes)
    active = threading.Event()
    lock = threading.Lock()
    before, after_it = [0], [0]
    read = SafeFile.read

    def counted(self: SafeFile, size: int = -1) -> bytes:
        began_after = active.is_set()
        chunk = read(self, size) or b""
        with lock:
            (after_it if began_after else before)[0] += len(chunk)
            if before[0] >= 4 * CHUNK_BYTES:
                active.set()
        return chunk

    monkeypatch.setattr(SafeFile, "read", counted)
    result = ingest(plain, folder, is_active=active.is_set, max_concurrent_files=files_at_once)
    assert result.paused
    assert before[0] >= 4 * CHUNK_BYTES
    assert after_it[0] <= CHUNK_BYTES * files_at_once


@pytest.mark.parametrize("server", ["ministack"])
def test_hashing_adds_no_second_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    s3_server_of: Callable[[str], S3Facts],
    server: str,
) -> None:
    part_bytes = 5 * 1024 * 1024
    options = s3_server_of(server).options(prefix=own_prefix(), part_bytes=part_bytes)
    sizes = {"camera_0/long.mp4": 2 * part_bytes + 7, "eeg_a/a.edf": 70_000, "notes_a/n.txt": 0}
    folder = make_recording(tmp_path, files=sizes)
    lock, seen = threading.Lock(), Counter[str]()
    read = SafeFile.read

    def counted(self: SafeFile, size: int = -1) -> bytes:
        chunk = read(self, size) or b""
        with lock:
            seen[self.relative] += len(chunk)
        return chunk

    monkeypatch.setattr(SafeFile, "read", counted)
    repository = bucket_repository(options)
    recording = open_local(folder / "manifest.json", folder, participant="Aria Lin")
    ingest_recording(repository, recording)
    assert +seen == +Counter(sizes)


def test_the_rig_is_asked_before_anything_is_sent(plain: Repository, tmp_path: Path) -> None:
    folder = make_recording(tmp_path)
    result = ingest(plain, folder, is_active=lambda: True)
    assert (result.paused, result.files_uploaded, result.bytes_uploaded) == (True, 0, 0)
    assert list(plain.stored(REC_ID)) == []


def test_a_file_that_is_not_what_the_manifest_says_ends_it_with_no_row(
    repository: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    spoilt = folder / "mic_1/audio.wav"
    spoilt.write_bytes(b"\1" * 30_000)
    with pytest.raises(HashMismatch) as caught:
        ingest(repository, folder)
    assert caught.value.subject == "mic_1/audio.wav"
    assert repository.raw.head(repository.key(REC_ID, "mic_1/audio.wav")) is None
    assert list(repository.catalog.list_recordings()) == []


def test_what_is_wrong_with_the_folder_is_said_before_a_byte_is_sent(
    plain: Repository, tmp_path: Path
) -> None:
    short = make_recording(tmp_path, "rec_20260520_195628_aaaa")
    (short / "mic_1/audio.wav").write_bytes(b"short")
    with pytest.raises(SizeMismatch):
        ingest(plain, short)
    gone = make_recording(tmp_path, "rec_20260520_195628_bbbb")
    (gone / "mic_1/audio.wav").unlink()
    with pytest.raises(FileMissing):
        ingest(plain, gone)
    bare = make_recording(tmp_path, "rec_20260520_195628_cccc", augmented=False)
    with pytest.raises(ManifestIncomplete) as incomplete:
        ingest(plain, bare)
    assert "augment_manifest" in incomplete.value.advice
    (bare / "manifest.json").unlink()
    with pytest.raises(ManifestMissing):
        ingest(plain, bare)
    assert list(plain.raw.list()) == []


def test_another_participant_for_what_is_registered_is_a_conflict_unless_told(
    plain: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    ingest(plain, folder, participant="Aria Lin")
    with pytest.raises(CatalogConflict):
        ingest(plain, folder, participant="Bo Chen")
    merged = ingest(plain, folder, participant="Bo Chen", on_conflict="merge_participants")
    assert merged.recording is not None
    assert merged.recording.participant_ids == ("Aria Lin", "Bo Chen")
    replaced = ingest(plain, folder, participant="Bo Chen", overwrite=True)
    assert replaced.recording is not None
    assert replaced.recording.participant_ids == ("Bo Chen",)


def test_a_participant_nobody_knew_is_named_later_and_never_forgotten(
    plain: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path, participant=None)
    first = ingest(plain, folder)
    assert first.recording is not None
    assert first.recording.participant_ids == (UNKNOWN_PARTICIPANT,)
    named = ingest(plain, folder, participant="Aria Lin")
    assert named.recording is not None
    assert named.recording.participant_ids == ("Aria Lin",)
    again = ingest(plain, folder)
    assert again.recording is not None
    assert again.recording.participant_ids == ("Aria Lin",)
    assert plain.catalog.check().participants == 1


def test_the_same_bytes_are_not_catalogued_twice(plain: Repository, tmp_path: Path) -> None:
    folder = make_recording(tmp_path)
    ingest(plain, folder)
    copy = tmp_path / "rec_20260520_195628_c0b1"
    folder.rename(copy)
    facts = manifest_of(copy)
    (copy / "manifest.json").write_text(json.dumps({**facts, "recording_id": copy.name}))
    with pytest.raises(RecordingHeldElsewhere) as caught:
        ingest(plain, copy)
    assert caught.value.found == REC_ID


def test_files_of_a_registered_recording_are_never_overwritten_by_another(
    plain: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    ingest(plain, folder)
    (folder / "mic_1/audio.wav").write_bytes(b"edited later")
    augment_manifest(folder / "manifest.json", force=True)
    for overwrite in (False, True):
        with pytest.raises(PlaceTaken):
            ingest(plain, folder, overwrite=overwrite)
    (found,) = query(plain.catalog)
    stored = b"".join(plain.raw.get(plain.key(REC_ID, "mic_1/audio.wav")))
    assert len(stored) == found.modalities["mic"].size_bytes


def test_two_workers_of_one_family_are_told_apart_and_noticed(
    plain: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_recording(tmp_path, files={"eeg_a/1.edf": 9, "eeg_b/1.edf": 9, "mic_x/1.wav": 9})
    ingest(plain, folder)
    (found,) = query(plain.catalog)
    assert list(found.modalities) == ["eeg_a", "eeg_b", "mic"]
    assert "several workers recorded one modality" in capsys.readouterr().out
    assert [list(r.modalities) for r in query(plain.catalog, modalities=["eeg"])] == [
        ["eeg_a", "eeg_b"]
    ]
    assert [list(r.modalities) for r in query(plain.catalog, modalities=["eeg_b"])] == [["eeg_b"]]
    assert list(query(plain.catalog, modalities=["camera"])) == []


def test_uncollapsed_a_modality_is_called_as_its_folder(plain: Repository, tmp_path: Path) -> None:
    folder = make_recording(tmp_path)
    ingest(plain, folder, collapse_modalities=False)
    (found,) = query(plain.catalog)
    assert list(found.modalities) == ["camera_0", "eeg_4559", "mic_1", "notes_a", "session"]


def halves(tmp_path: Path) -> tuple[Path, Path]:
    """The two halves of a session, each in the folder its node left, under one hash."""
    host = make_recording(
        tmp_path / "host",
        files={"camera_0/a.mp4": 900, "mic_1/a.wav": 90},
        participant="Aria Lin",
        manifest={"hostname": "green-mantis", "duration_s": 60.0},
    )
    peer = make_recording(
        tmp_path / "peer",
        files={"eeg_a/a.edf": 800},
        participant="Bo Chen",
        manifest={"hostname": "green-motor", "duration_s": 75.0},
    )
    facts = [manifest_of(folder) for folder in (host, peer)]
    together = recording_hash_of(f["sha256"] for fact in facts for f in fact["files"])
    for folder, fact in zip((host, peer), facts, strict=True):
        (folder / "manifest.json").write_text(json.dumps({**fact, "recording_hash": together}))
    return host, peer


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_halves_of_a_session_merge_whichever_comes_first(
    plain: Repository, tmp_path: Path, order: tuple[int, int]
) -> None:
    both = halves(tmp_path)
    first = ingest(plain, both[order[0]])
    assert first.recording is not None
    (alone,) = query(plain.catalog)
    assert len(alone.modalities) == (2, 1)[order[0]]  # the other half is not made up

    ingest(plain, both[order[1]])
    for folder in both:  # and again, in any order
        ingest(plain, folder)

    (found,) = query(plain.catalog)
    assert list(found.modalities) == ["camera", "eeg", "mic"]
    assert found.recording.duration_s == 75.0
    assert found.recording.participant_ids == ("Aria Lin", "Bo Chen")
    sizes = plain.sizes(REC_ID)
    manifest = plain.manifest(REC_ID, sizes)
    assert {file.rel_path for file in manifest.files} == {
        "camera_0/a.mp4", "mic_1/a.wav", "eeg_a/a.edf",
    }  # fmt: skip
    # The store knows both people, so that a catalog that is made anew from it does, too.
    assert sorted(plain.participants(REC_ID, sizes)) == ["Aria Lin", "Bo Chen"]
    elsewhere = memory_repository(tmp_path / "elsewhere", plain.raw)
    rebuilt = register_stored(elsewhere, REC_ID)
    assert rebuilt.recording is not None
    assert rebuilt.recording.participant_ids == ("Aria Lin", "Bo Chen")


def test_manifests_of_nodes_are_merged_where_there_is_no_other(
    plain: Repository, tmp_path: Path
) -> None:
    host, peer = halves(tmp_path)
    both = tmp_path / REC_ID
    for folder in (host, peer):
        for path in folder.rglob("*"):
            if path.is_file() and path.parent != folder:
                target = both / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
        node = manifest_of(folder)["hostname"]
        (both / "_node_manifests").mkdir(exist_ok=True)
        (folder / "manifest.json").rename(both / "_node_manifests" / f"{node}.json")

    result = ingest(plain, both, participant="Aria Lin")

    assert result.files_uploaded == 3
    assert sorted(plain.manifests(REC_ID, plain.sizes(REC_ID))) == [
        "_node_manifests/green-mantis.json", "_node_manifests/green-motor.json",
    ]  # fmt: skip
    elsewhere = memory_repository(tmp_path / "elsewhere", plain.raw)
    registered = register_stored(elsewhere, REC_ID)
    assert registered.recording is not None
    (found,) = query(elsewhere.catalog)
    assert list(found.modalities) == ["camera", "eeg", "mic"]


def test_manifests_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    folder = make_recording(tmp_path, files={"eeg_a/1.edf": 9})
    facts = manifest_of(folder)
    (folder / "manifest.json").unlink()
    (folder / "_node_manifests").mkdir()
    for node, sha256 in (("a", facts["files"][0]["sha256"]), ("b", "0" * 64)):
        facts["files"][0]["sha256"] = sha256
        (folder / "_node_manifests" / f"{node}.json").write_text(json.dumps(facts))
    with pytest.raises(ManifestsDisagree) as caught:
        open_local(folder / "manifest.json", folder)
    assert caught.value.subject == "eeg_a/1.edf"


def test_what_is_stored_is_registered_without_moving_a_byte(
    repository: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    store_bare(repository, folder, with_manifest=True)
    result = register_stored(repository, REC_ID, participant="Aria Lin")
    assert (result.files_uploaded, result.files_skipped, result.bytes_uploaded) == (0, 0, 0)
    assert result.recording is not None
    assert result.recording.participant_ids == ("Aria Lin",)
    (found,) = query(repository.catalog)
    assert sum(len(row.keys) for row in found.modalities.values()) == len(FILES)
    assert repository.participant(REC_ID) is None
    again = register_stored(repository, REC_ID, participant="Aria Lin", keep_participant=True)
    assert again == result
    assert repository.participant(REC_ID) == "Aria Lin"


@pytest.mark.parametrize("spoil", ["gone", "short"])
def test_nothing_is_registered_while_a_stored_file_is_missing(
    plain: Repository, tmp_path: Path, spoil: str
) -> None:
    folder = make_recording(tmp_path)
    store_bare(plain, folder, with_manifest=True)
    key = plain.key(REC_ID, "mic_1/audio.wav")
    plain.raw.delete(key)
    if spoil == "short":
        plain.raw.put(key, iter([b"short"]))
    with pytest.raises(StoredFilesMissing, match=r"mic_1/audio\.wav"):
        register_stored(plain, REC_ID)
    assert list(plain.catalog.list_recordings()) == []


def test_what_is_not_stored_or_has_no_manifest_cannot_be_registered(
    plain: Repository, tmp_path: Path
) -> None:
    with pytest.raises(StoredRecordingMissing):
        register_stored(plain, REC_ID)
    store_bare(plain, make_recording(tmp_path), with_manifest=False)
    with pytest.raises(ManifestMissing):
        register_stored(plain, REC_ID)


def test_hashes_in_the_metadata_of_objects_complete_a_stored_manifest(
    plain: Repository, tmp_path: Path
) -> None:
    folder = make_recording(tmp_path)
    ingest(plain, folder)
    whole = manifest_of(folder)
    stub = {key: value for key, value in whole.items() if key not in ("files", "recording_hash")}
    plain.raw.put(plain.key(REC_ID, "manifest.json"), iter([json.dumps(stub).encode()]))

    found = augment_stored(plain, REC_ID)

    assert found.recording_hash == whole["recording_hash"]
    assert found.body["rig"] == "green-mantis"
    assert augment_stored(plain, REC_ID) == found
    plain.raw.put(plain.key(REC_ID, "mic_1"), iter([]))  # where a folder begins, to some programs
    plain.raw.delete(plain.key(REC_ID, "manifest.json"))
    assert augment_stored(plain, REC_ID).recording_hash == found.recording_hash
    plain.raw.put(plain.key(REC_ID, "mic_1/more.wav"), iter([b"no hash"]))
    plain.raw.delete(plain.key(REC_ID, "manifest.json"))
    with pytest.raises(Sha256Unknown, match=r"more\.wav"):
        augment_stored(plain, REC_ID)


def test_names_that_keys_do_not_have_are_stored_and_found(
    repository: Repository, tmp_path: Path
) -> None:
    files = {"notes_a/größe 100%.txt": 5, "notes_a/ソース.txt": 6, "mic_1/a b&c.wav": 7}
    folder = make_recording(tmp_path, files=files)
    ingest(repository, folder)
    manifest = repository.manifest(REC_ID, repository.sizes(REC_ID))
    assert {file.rel_path for file in manifest.files} == set(files)
    again = register_stored(repository, REC_ID)
    assert again.recording is not None


def store_bare(repository: Repository, folder: Path, *, with_manifest: bool) -> None:
    """Store a recording's files as a rig of another make would: without anything beside them."""
    for path in FILES:
        body = (folder / path).read_bytes()
        repository.raw.put(repository.key(REC_ID, path), iter([body] if body else []))
    if with_manifest:
        body = (folder / "manifest.json").read_bytes()
        repository.raw.put(repository.key(REC_ID, "manifest.json"), iter([body]))


def after(times: int) -> Callable[[], bool]:
    """Not active for so many questions, and active from then on; safe from several threads."""
    answers: Iterator[bool] = iter([False] * times)
    lock = threading.Lock()

    def is_active() -> bool:
        with lock:
            return next(answers, True)

    return is_active
