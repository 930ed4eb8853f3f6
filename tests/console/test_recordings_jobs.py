"""Jobs of recordings end when they are asked to, wait for the rig, and write one event each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.bootstrap import Lading, open_lading
from lading.catalog.errors import CatalogConflict, RecordingMissing
from lading.catalog.values import Policy
from lading.ingest.source import SourceBusy
from lading.jobs.context import JobContext
from lading.jobs.errors import LeaseLost
from lading.jobs.settings import WorkerSettings
from lading.jobs.values import NewJob
from lading.sources.recordings import jobs
from lading.sources.recordings.errors import StoredRecordingMissing
from lading.sources.recordings.source import RecordingsSource
from lading.testing.console_data import read_installation
from lading.testing.console_recordings import (
    CONFLICTING,
    HALVES_HASH,
    RIG,
    UNNAMED,
    WAITING,
)

UPLOADING = jobs.register_job(
    RIG, WAITING, mode=jobs.UPLOAD, policies=[Policy.EXTEND], actor="user:otto"
)


@pytest.fixture
def lading(installation: Callable[[str], Path]) -> Iterator[Lading]:
    with open_lading(read_installation(installation("recordings"))) as opened:
        yield opened


def source_of(lading: Lading) -> RecordingsSource:
    return jobs.recordings_source(lading.ingest.parts, RIG)


def claimed(lading: Lading, job: NewJob, *, heartbeat_s: float = 10.0) -> JobContext:
    """The job in the hands of a worker."""
    lading.db.run(lambda conn: lading.queue.enqueue(conn, [job], actor="user:otto"))
    while True:
        claim = lading.queue.claim("host/1/x", [job.kind])
        assert claim is not None
        context = JobContext(
            lading.queue, claim, StopSignal(), WorkerSettings(heartbeat_s=heartbeat_s)
        )
        if dict(claim.params) == dict(job.params):
            return context


@pytest.mark.parametrize(
    "job",
    [
        jobs.verify_job(RIG, HALVES_HASH, full=False, actor="user:otto"),
        jobs.verify_job(RIG, HALVES_HASH, full=True, actor="user:otto"),
        jobs.download_job(RIG, HALVES_HASH, actor="user:otto"),
        jobs.reconstruct_job(RIG, UNNAMED, actor="user:otto"),
        UPLOADING,
    ],
    ids=lambda job: f"{job.kind}{'-full' if job.params.get('full') else ''}",
)
def test_a_job_that_shall_stop_stops_and_leaves_nothing_half_done(
    lading: Lading, job: NewJob
) -> None:
    context = claimed(lading, job)
    context.stop.request(StopReason.OPERATOR)
    with pytest.raises(Interrupted):
        lading.handlers[job.kind](context)
    repository = source_of(lading).repository
    assert "manifest.json" not in repository.sizes(UNNAMED)
    assert not repository.sizes(WAITING)
    assert not list((source_of(lading).options.download_dir or Path()).rglob("*.mp4"))


def test_nothing_is_read_while_the_rig_records(lading: Lading) -> None:
    (source_of(lading).options.path / ".recording").touch()
    with pytest.raises(SourceBusy, match="rig is recording"):
        lading.handlers[jobs.REGISTER](claimed(lading, UPLOADING))
    assert not source_of(lading).repository.sizes(WAITING)


def test_a_job_that_another_worker_has_ends_between_two_chunks(lading: Lading) -> None:
    job = jobs.verify_job(RIG, HALVES_HASH, full=True, actor="user:otto")
    context = claimed(lading, job, heartbeat_s=1e-9)
    lading.queue.release(context.claim, StopReason.SHUTDOWN)
    with pytest.raises(LeaseLost):
        lading.handlers[job.kind](context)


def test_what_is_not_there_is_named_and_a_conflict_is_no_retry(lading: Lading) -> None:
    unknown = jobs.verify_job(RIG, "0" * 64, full=False, actor="user:otto")
    with pytest.raises(RecordingMissing):
        lading.handlers[jobs.VERIFY](claimed(lading, unknown))
    gone = jobs.reconstruct_job(RIG, "rec_20200101_000000_none", actor="user:otto")
    with pytest.raises(StoredRecordingMissing):
        lading.handlers[jobs.RECONSTRUCT](claimed(lading, gone))
    refused = jobs.register_job(
        RIG, CONFLICTING, mode=jobs.STORED, policies=[Policy.ERROR], actor="user:otto"
    )
    with pytest.raises(CatalogConflict) as found:
        lading.handlers[jobs.REGISTER](claimed(lading, refused))
    assert not found.value.transient
    with pytest.raises(jobs.NotRecordings):
        jobs.recordings_source(lading.ingest.parts, "node2")
