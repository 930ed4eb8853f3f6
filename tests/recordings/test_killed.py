"""Whoever takes a recording in may be killed anywhere, and others may do the same at once.

What a query finds can be fetched at every moment, and a second run completes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.base.steps import RecordingStep, observe
from lading.sources.recordings.downloading import download
from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.querying import query
from lading.sources.recordings.repository import Repository
from lading.storage.multipart import MultipartClient
from lading.storage.s3 import S3Options
from lading.testing.faults import Fault, record_steps
from lading.testing.servers_s3 import S3Facts
from tests.recordings import rig
from tests.recordings.making import REC_ID, bucket_repository, make_recording, own_prefix

SPAWNED = multiprocessing.get_context("spawn")
PART_BYTES = 5 * 1024 * 1024
FILES = {"camera_0/long.mp4": 3 * PART_BYTES + 1, "eeg_a/a.edf": 9_000, "mic_1/a.wav": 8_000}


@pytest.fixture
def options(s3_server_of: Callable[[str], S3Facts]) -> S3Options:
    return s3_server_of("radosgw").options(
        prefix=own_prefix(), part_bytes=PART_BYTES, parts_in_flight_max=1
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("rig"), files=FILES)


def test_taking_a_recording_in_goes_through_every_step(options: S3Options, folder: Path) -> None:
    repository = bucket_repository(options)
    steps = record_steps()
    try:
        ingest_recording(repository, open_local(folder / "manifest.json", folder))
    finally:
        observe(None)
    assert set(RecordingStep) <= set(steps)


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(step) for step in RecordingStep),
        Fault(RecordingStep.PART_SENT, 3),
        Fault(RecordingStep.FILE_STORED, 2),
    ],
    ids=str,
)
def test_what_a_killed_process_leaves_is_whole_or_not_seen(
    options: S3Options, folder: Path, tmp_path: Path, fault: Fault
) -> None:
    repository = bucket_repository(options)
    process = SPAWNED.Process(target=rig.ingest_until, args=(options, folder, str(fault)))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    found = list(query(repository.catalog))
    assert bool(found) is (fault.step is RecordingStep.RECORDING_WRITTEN)
    require_fetched(repository, folder, tmp_path / "after the kill")
    for info in repository.stored(REC_ID):  # no half of a file is visible
        if info.key in FILES:
            assert info.size_bytes == FILES[info.key]

    result = ingest_recording(repository, open_local(folder / "manifest.json", folder))

    assert not result.paused
    if fault == Fault(RecordingStep.PART_SENT, 3):  # what was sent is not sent again
        assert result.bytes_uploaded <= sum(FILES.values()) - 2 * PART_BYTES
    assert require_fetched(repository, folder, tmp_path / "completed") == len(FILES)
    checked = repository.catalog.check()
    assert (checked.recordings, checked.modalities, checked.participants) == (1, 3, 1)
    assert checked.rows_twice == checked.modalities_orphaned == checked.participants_orphaned == 0
    client = MultipartClient(options, name="raw")
    assert client.unfinished(repository.key(REC_ID, "camera_0/long.mp4")) == []


def test_four_processes_end_in_one_set_of_rows(
    options: S3Options, folder: Path, tmp_path: Path
) -> None:
    repository = bucket_repository(options)
    start, said = SPAWNED.Barrier(4), SPAWNED.Queue()
    processes = [
        SPAWNED.Process(target=rig.ingest_together, args=(options, folder, start, said))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    results = {said.get() for _ in processes}
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    (row,) = repository.catalog.list_recordings()
    assert results == {(row.recording_hash, len(FILES))}
    checked = repository.catalog.check()
    assert (checked.recordings, checked.modalities, checked.participants) == (1, 3, 1)
    assert checked.rows_twice == 0
    assert require_fetched(repository, folder, tmp_path / "fetched") == len(FILES)


def require_fetched(repository: Repository, folder: Path, dest: Path) -> int:
    """Fetch all that is found, and compare; how many files that were."""
    result = download(repository, query(repository.catalog), dest)
    for place in result.folders:
        for path in FILES:
            assert (place / path).read_bytes() == (folder / path).read_bytes()
    return result.files_downloaded
