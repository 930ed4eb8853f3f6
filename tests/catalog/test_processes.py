"""Processes register at once, and some are killed; nothing is lost, doubled or half seen."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import deltalake
import pytest

from lading.catalog.catalog import Catalog
from lading.catalog.columns import RECORDINGS
from lading.testing.servers_s3 import S3Facts
from tests.catalog import registering
from tests.catalog.conftest import PREFIX
from tests.catalog.rows import a_hash, a_modality, a_participant, a_recording

SPAWNED = multiprocessing.get_context("spawn")
WORKERS = range(4)
SHARED = ("session-a", "session-b")


@pytest.mark.parametrize("server", ["ministack", "radosgw"])
def test_four_processes_end_in_one_set_of_rows(
    s3_server_of: Callable[[str], S3Facts], server: str
) -> None:
    options = s3_server_of(server).options(prefix=f"t/{uuid4().hex}", retries_max=5)
    start, said = SPAWNED.Barrier(len(WORKERS)), SPAWNED.Queue()
    processes = [
        SPAWNED.Process(
            target=registering.register_many, args=(options, PREFIX, worker, SHARED, start, said)
        )
        for worker in WORKERS
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(WORKERS)
    own = dict(said.get() for _ in WORKERS)

    catalog = Catalog.open(options, prefix=PREFIX)
    recordings = {row.recording_hash: row for row in catalog.list_recordings()}
    names = [*SHARED, *(name for each in own.values() for name in each)]
    assert len(names) == 10
    assert set(recordings) == {a_hash(name) for name in names}
    people = tuple(f"P-{worker}" for worker in WORKERS)
    for name in SHARED:
        assert recordings[a_hash(name)].participant_ids == people
        rows = catalog.list_modalities({"recording_hash": a_hash(name)})
        assert [row.worker_id for row in rows] == [str(worker) for worker in WORKERS]
    checked = catalog.check()
    assert (checked.recordings, checked.modalities, checked.participants) == (10, 16, 4)
    assert checked.rows_twice == checked.participants_missing == 0
    assert checked.modalities_orphaned == checked.participants_orphaned == 0


@pytest.mark.parametrize(
    ("table", "after"),
    [("participants", False), ("participants", True), ("modalities", True), ("recordings", False)],
)
def test_a_registration_that_was_killed_shows_nothing_and_is_completed_by_the_next(
    catalog: Catalog, folder: Path, table: str, after: bool
) -> None:
    process = SPAWNED.Process(
        target=registering.register_until_killed, args=(str(folder), table, after)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list(catalog.list_recordings()) == []
    assert list(catalog.list_modalities()) == []
    assert list(catalog.list_participants()) == []
    checked = catalog.check()
    assert checked.participants_orphaned == (table != "participants" or after)
    assert checked.modalities_orphaned == (table == "recordings" or table == "modalities")

    done = catalog.register(a_recording(), [a_modality()], [a_participant()])
    assert done.recordings_written == 1
    assert [row.modality for row in catalog.list_modalities()] == ["eeg"]
    assert [row.display_name for row in catalog.list_participants()] == ["Aria Lin"]
    after_it = catalog.check()
    assert (after_it.modalities_orphaned, after_it.participants_orphaned) == (0, 0)


def test_a_registration_killed_after_the_last_row_is_complete(
    catalog: Catalog, folder: Path
) -> None:
    process = SPAWNED.Process(
        target=registering.register_until_killed, args=(str(folder), "recordings", True)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = catalog.register(a_recording(), [a_modality()], [a_participant()])
    written = (again.recordings_written, again.modalities_written, again.participants_written)
    assert written == (0, 0, 0)


def test_a_hundred_thousand_recordings_are_read_in_bounded_memory(
    catalog: Catalog, folder: Path
) -> None:
    made = 100_000
    address = f"{folder}/{PREFIX}/{RECORDINGS.name}"
    deltalake.DeltaTable.create(address, RECORDINGS.schema(), partition_by=["bucket"])
    for first in range(0, made, 20_000):
        rows = [a_recording(str(number)) for number in range(first, first + 20_000)]
        deltalake.write_deltalake(address, RECORDINGS.table(rows), mode="append")
    said = SPAWNED.Queue()
    grown = {}
    for keep in (False, True):
        process = SPAWNED.Process(target=registering.read_all, args=(str(folder), keep, said))
        process.start()
        process.join()
        assert process.exitcode == 0
        count, grown[keep] = said.get()
        assert count == made
    # Keeping the rows shows what the reading alone would take if it did not go on and let go.
    assert grown[False] < 50 * 1024 * 1024
    assert grown[True] > 2 * grown[False]
    assert catalog.get_recording(a_hash("77777")).recording_hash == a_hash("77777")
    assert len(list(catalog.list_recordings({"status": "raw"}, limit=10))) == 10
