"""A worker that takes recordings in is killed, meets others, waits for the rig, and completes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from lading.base.steps import AnyStep, RecordingStep, Step, observe
from lading.base.stopping import StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.ingest.importing import in_turns
from lading.ingest.source import BatchRef, FetchContext, Item, SourceBusy
from lading.jobs.tables import import_job
from lading.ledger.items import RecordedItem, count_outcomes
from lading.ledger.queries import list_events
from lading.ledger.states import BatchState, Decision, Outcome
from lading.ledger.verify import verify_chain
from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.options import parse_options
from lading.sources.recordings.source import RecordingsSource
from lading.storage.folder import FolderStore
from lading.storage.multipart import MultipartClient
from lading.storage.s3 import S3Options
from lading.storage.transfer import TransferMeter, Unmetered
from lading.testing.faults import Fault, record_steps
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_db import url_of
from lading.testing.servers_s3 import S3Facts
from tests.recordings.making import make_recording, own_prefix
from tests.recordings.upstream import RecordingsBench

PART_BYTES = 5 * 1024 * 1024


def installed(database: Database, bench: RecordingsBench, folder: Path) -> Installation:
    store = FolderStore(folder / "library", name="library", create=True)
    return Installation(database, store, [bench.source])


@pytest.fixture
def observed() -> Iterator[Callable[[Callable[[AnyStep], None]], None]]:
    """Installs an observer of steps for the length of a test."""
    yield observe
    observe(None)


def outcomes_of(installation: Installation, key: str) -> dict[Outcome, int]:
    batch = installation.batch(key)
    with installation.db.read() as conn:
        return {o: n for o, n in count_outcomes(conn, batch.id, batch.revision).items() if n}


# Killed


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        (Fault(RecordingStep.FILE_STORED, 2), {}),
        (Fault(Step.ITEM_WRITTEN, 2), {"augment": True}),
        (Fault(RecordingStep.RECORDING_WRITTEN), {}),
        *(
            pytest.param(fault, options, marks=pytest.mark.slow)
            for fault in (
                Fault(Step.ITEM_STARTED, 3),
                Fault(Step.ITEM_COMMITTED, 3),
                Fault(RecordingStep.MANIFEST_STORED),
                Fault(RecordingStep.PARTICIPANTS_WRITTEN),
                Fault(RecordingStep.MODALITIES_WRITTEN),
                Fault(Step.BATCH_FINISHED),
            )
            for options in ({}, {"augment": True})
        ),
    ],
    ids=lambda each: str(each) if isinstance(each, Fault) else "".join(each),
)
def test_the_next_run_completes_what_a_killed_worker_began(
    sqlite_database: Database, tmp_path: Path, fault: Fault, options: dict[str, Any]
) -> None:
    bench = RecordingsBench(tmp_path, max_concurrent_files=2, **options)
    installation = installed(sqlite_database, bench, tmp_path)
    key = bench.publish(4, augmented=not options)
    (batch_id,) = installation.scan()
    installation.ingest.queue([batch_id], actor=ACTOR)
    config = tmp_path / "worker.json"
    config.write_text(
        json.dumps(
            {
                "database_url": url_of(sqlite_database),
                "store": str(tmp_path / "library"),
                "sources": {"lab": {"kind": "recordings", **bench.options}},
                "fault": str(fault),
            }
        )
    )
    killed = subprocess.run(
        [sys.executable, "-m", "lading.testing.worker_program", str(config)],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    registered = len(list(bench.repository.catalog.list_recordings()))
    seen = fault.step in {RecordingStep.RECORDING_WRITTEN, Step.BATCH_FINISHED}
    assert registered == seen  # only what is whole is seen
    with sqlite_database.write() as conn:
        conn.execute(update(import_job).values(heartbeat_at=now(-3600)))

    installation.drain()

    assert installation.batch(key).state is BatchState.IMPORTED
    assert sum(outcomes_of(installation, key).values()) == 5
    assert bench.rows() == (1, 2, 1)
    assert installation.ingest.verify(batch_id, actor=ACTOR).problems == []
    with sqlite_database.read() as conn:
        assert verify_chain(conn).whole


# The rig


def test_while_the_rig_records_nothing_new_is_found_and_nothing_known_is_missed(
    tmp_path: Path, sqlite_database: Database
) -> None:
    bench = RecordingsBench(tmp_path, active_marker=".recording")
    installation = installed(sqlite_database, bench, tmp_path)
    known = bench.publish(1)
    installation.scan()
    bench.publish(1)
    (bench.root / ".recording").touch()
    assert installation.scan() == []
    assert installation.batch(known).state is BatchState.PENDING
    (bench.root / ".recording").unlink()
    assert len(installation.scan()) == 1


class _StartsTheRig:
    """A meter that starts the rig when a file was read as far as this."""

    def __init__(self, marker: Path, at_bytes: int) -> None:
        self._marker = marker
        self._left = at_bytes

    def moved(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            self._marker.touch()

    def skipped(self, count: int) -> None:
        raise AssertionError("nothing is stored yet")


def test_an_upload_stops_when_the_rig_records_and_goes_on_where_it_was_afterwards(
    tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    options = s3_server_of("radosgw").options(
        prefix=own_prefix(), part_bytes=PART_BYTES, parts_in_flight_max=1
    )
    bench = RecordingsBench(tmp_path, options, active_marker=".recording")
    source = RecordingsSource("lab", parse_options("lab", bench.options), lambda: bench.repository)
    key = make_recording(bench.root, files={"camera_0/a.mp4": 4 * PART_BYTES}).name
    stored_key = bench.repository.key(key, "camera_0/a.mp4")
    marker = bench.root / ".recording"
    parts = MultipartClient(options, name="raw")
    with source.open_batch(BatchRef(1, key, 1)) as opened:
        file, _ = opened.items()

        def fetch(meter: TransferMeter) -> object:
            store = FolderStore(tmp_path / "library", name="library", create=True)
            context = FetchContext(store, "job1-1", meter, StopSignal())
            return opened.fetch(file, Decision.CREATE, context)

        with pytest.raises(SourceBusy, match="the rig is recording"):
            fetch(_StartsTheRig(marker, 3 * PART_BYTES))
        (begun,) = parts.unfinished(stored_key)
        assert len(begun.parts) in {1, 2, 3}
        with pytest.raises(SourceBusy):
            fetch(Unmetered())
        marker.unlink()
        assert fetch(Unmetered()) is Outcome.CREATED
    assert parts.unfinished(stored_key) == []
    assert bench.repository.sizes(key) == {"camera_0/a.mp4": 4 * PART_BYTES}


def test_an_import_waits_for_the_rig_however_often_without_using_up_its_attempts(
    tmp_path: Path,
    database: Database,
    observed: Callable[[Callable[[AnyStep], None]], None],
) -> None:
    bench = RecordingsBench(tmp_path, active_marker=".recording", max_concurrent_files=1)
    installation = installed(database, bench, tmp_path)
    key = bench.publish(8)
    installation.ingest.queue(installation.scan(), actor=ACTOR)
    with database.write() as conn:
        conn.execute(update(import_job).values(attempts_max=2))
    marker = bench.root / ".recording"
    claims: list[set[str]] = []

    def step_reached(step: AnyStep) -> None:
        if step is Step.JOB_CLAIMED:
            claims.append(set(bench.repository.sizes(key)))
            if len(claims) == 4:
                marker.unlink()
        if step is RecordingStep.FILE_STORED and len(claims) == 1:
            marker.touch()

    observed(step_reached)
    installation.drain()

    assert installation.batch(key).state is BatchState.IMPORTED
    # What is under way while the marker appears may be one file further.
    assert [len(stored) for stored in claims] in ([0, 1, 1, 1], [0, 2, 2, 2])
    with database.read() as conn:
        job = conn.execute(select(import_job.c.attempt)).one()
        waits = list_events(conn, kinds=["job_retrying"])
    assert job.attempt == 1
    assert [event.payload["code"] for event in waits] == ["source_busy"] * 3
    assert "the rig is recording" in waits[0].payload["error"]
    assert bench.rows() == (1, 2, 1)


# Others


def test_a_worker_and_a_person_at_the_same_time_end_in_one_recording(
    tmp_path: Path, sqlite_database: Database, s3_server_of: Callable[[str], S3Facts]
) -> None:
    options: S3Options = s3_server_of("ministack").options(prefix=own_prefix())
    bench = RecordingsBench(tmp_path, options)
    installation = installed(sqlite_database, bench, tmp_path)
    key = bench.publish(6)
    installation.ingest.queue(installation.scan(), actor=ACTOR)
    folder = bench.root / key
    ready = threading.Barrier(2)

    def by_hand() -> None:
        ready.wait()
        ingest_recording(bench.repository, open_local(folder / "manifest.json", folder))

    person = threading.Thread(target=by_hand)
    person.start()
    ready.wait()
    installation.drain()
    person.join()

    assert installation.batch(key).state is BatchState.IMPORTED
    assert bench.rows() == (1, 2, 1)
    assert sorted(bench.repository.sizes(key)) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


def test_the_registration_is_the_last_step_of_all(
    tmp_path: Path,
    sqlite_database: Database,
    observed: Callable[[Callable[[AnyStep], None]], None],
) -> None:
    bench = RecordingsBench(tmp_path, max_concurrent_files=8)
    installation = installed(sqlite_database, bench, tmp_path)
    bench.publish(12)
    steps = record_steps()
    installation.take_in()
    written = [place for place, step in enumerate(steps) if step is Step.ITEM_COMMITTED]
    registered = steps.index(RecordingStep.MANIFEST_STORED)
    assert len(written) == 13
    assert written[11] < registered < written[12]


def test_an_item_that_needs_all_others_begins_a_turn_of_its_own() -> None:
    def pair(name: str, *, after_all: bool = False) -> tuple[Item, RecordedItem]:
        item = Item(name, "file", None, after_all=after_all)
        return item, RecordedItem(0, 0, name, Decision.CREATE, Outcome.PENDING, 0)

    a, b, last = pair("a"), pair("b"), pair("z", after_all=True)
    assert [list(turn) for turn in in_turns([a, b, last])] == [[a, b], [last]]
    assert [list(turn) for turn in in_turns([last])] == [[last]]
    assert [list(turn) for turn in in_turns([])] == []
