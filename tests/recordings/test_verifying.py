"""Verifying recordings where they are stored: by their sizes, or by every byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import CheckedBy, FileCheck
from lading.sources.recordings.verifying import VerifyProgress, verify
from lading.storage.port import StoreUnavailable
from lading.testing.servers_s3 import S3Facts
from tests.recordings.downloads import WatchedStore, a_result, recorded, take_in
from tests.recordings.making import (
    FILES,
    REC_ID,
    bucket_repository,
    memory_repository,
    own_prefix,
)

PLACE = f"recordings/{REC_ID}"
OTHER_ID = "rec_20260521_000000_ffff"


@pytest.fixture
def raw() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def repository(tmp_path: Path, raw: WatchedStore) -> Repository:
    return memory_repository(tmp_path, raw)


@pytest.mark.parametrize("full", [False, True])
def test_what_was_taken_in_is_found_in_order(
    full: bool, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    repository = bucket_repository(s3_server_of("radosgw").options(prefix=own_prefix()))
    source, result = take_in(repository, tmp_path)
    checks = list(verify(repository, [result], full=full))
    assert [check.name for check in checks] == sorted(FILES)
    for check in checks:
        body = recorded(source)[check.name]
        stated = hashlib.sha256(body).hexdigest() if full else len(body)
        assert check == FileCheck(
            recording_hash=result.recording_hash,
            modality=check.name.partition("_")[0] if "/" in check.name else "session",
            name=check.name,
            ok=True,
            checked=CheckedBy.SHA256 if full else CheckedBy.SIZE,
            expected=stated,
            found=stated,
        )


def test_sizes_are_compared_by_one_listing_of_each_recording_and_no_file_is_read(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    _, one = take_in(repository, tmp_path)
    _, other = take_in(repository, tmp_path, OTHER_ID)
    raw.put(f"{PLACE}/camera_0/seg_0000.mp4", iter([b"shorter"]))
    raw.delete(f"{PLACE}/mic_1/audio.wav")
    raw.turn(f"{PLACE}/eeg_4559/eeg.edf", b"x" * 40_000)  # sizes do not tell
    raw.listings = 0
    raw.reads.clear()
    checks = list(verify(repository, iter([one, other]), full=False))
    assert [(each.name, each.expected, each.found) for each in checks if not each.ok] == [
        ("camera_0/seg_0000.mp4", 70_000, 7),
        ("mic_1/audio.wav", 30_000, None),
    ]
    assert len(checks) == 2 * len(FILES)
    assert raw.listings == 2
    assert [key for key, _ in raw.reads] == [
        f"{PLACE}/manifest.json",
        f"recordings/{OTHER_ID}/manifest.json",
    ]


def test_every_byte_is_read_and_what_differs_is_named(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    source, result = take_in(repository, tmp_path)
    raw.delete(f"{PLACE}/mic_1/audio.wav")
    raw.turn(f"{PLACE}/eeg_4559/eeg.edf", b"x" * 40_000)
    said: list[VerifyProgress] = []
    checks = list(verify(repository, [result], full=True, progress=said.append))

    def sha256(name: str) -> str:
        return hashlib.sha256(recorded(source)[name]).hexdigest()

    assert [(each.name, each.expected, each.found) for each in checks if not each.ok] == [
        ("eeg_4559/eeg.edf", sha256("eeg_4559/eeg.edf"), hashlib.sha256(b"x" * 40_000).hexdigest()),
        ("mic_1/audio.wav", sha256("mic_1/audio.wav"), None),
    ]
    assert [each.current_file for each in said] == sorted(FILES)
    assert (said[-1].files_done, said[-1].files_failed) == (len(FILES), 2)
    assert said[-1].bytes_read == sum(FILES.values()) - 30_000


@pytest.mark.parametrize("full", [False, True])
def test_without_a_manifest_an_object_is_held_to_what_it_says_of_itself(
    full: bool, repository: Repository, raw: WatchedStore
) -> None:
    raw.put(f"{PLACE}/good", iter([b"good"]), sha256=hashlib.sha256(b"good").hexdigest())
    raw.put(f"{PLACE}/bare", iter([b"good"]))
    raw.put(f"{PLACE}/bad", iter([b"fine"]), sha256=hashlib.sha256(b"fine").hexdigest())
    raw.turn(f"{PLACE}/bad", b"evil")
    checks = verify(repository, [a_result("good", "bare", "bad", "gone")], full=full)
    found = {check.name: check.ok for check in checks}
    assert found == {"good": True, "bare": not full, "bad": not full, "gone": False}


def test_a_listener_that_raises_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    _, result = take_in(repository, tmp_path, files={"camera_0/a": 5})

    def progress(_: VerifyProgress) -> None:
        raise ValueError("from the listener")

    assert len(list(verify(repository, [result], full=False, progress=progress))) == 1


@pytest.mark.parametrize("full", [False, True])
def test_a_stop_ends_it(full: bool, repository: Repository, tmp_path: Path) -> None:
    _, result = take_in(repository, tmp_path)
    stop = StopSignal()
    checks = verify(repository, [result], full=full, stop=stop, max_concurrent_files=1)
    next(checks)
    stop.request(StopReason.OPERATOR)
    with pytest.raises(Interrupted):
        list(checks)


def test_who_asks_for_no_more_files_leaves_no_thread_reading(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    files = {f"camera_0/{number:03}": 3 for number in range(100)}
    _, result = take_in(repository, tmp_path, files=files)
    raw.reads.clear()
    checks = verify(repository, [result], full=True, max_concurrent_files=2)
    assert next(checks).ok
    checks.close()  # type: ignore[attr-defined]
    asked = len(raw.reads)
    assert asked < 10
    assert len(list(verify(repository, [result], full=True))) == 100
    assert len(raw.reads) == asked + 101


def test_a_store_that_does_not_answer_is_no_damaged_file(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    _, result = take_in(repository, tmp_path)

    def watch(key: str, _offset: int) -> None:
        if key.endswith("eeg.edf"):
            raise StoreUnavailable("nobody answers", subject=key)

    raw.watch = watch
    with pytest.raises(StoreUnavailable):
        list(verify(repository, [result], full=True))
