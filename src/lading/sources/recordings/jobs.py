"""What people ask for of recordings, each as a job: verify, download, register, reconstruct.

A job reads and writes as `DataInterface` does; while it reads, its heart beats between chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.base.errors import RequestError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.catalog.rules import Policies, policies_of
from lading.catalog.values import Policy
from lading.ingest.parts import IngestParts
from lading.jobs.context import Handler, JobContext, JobResult
from lading.jobs.values import NewJob
from lading.ledger.chain import Entry
from lading.ledger.events import Event
from lading.ledger.recording_events import (
    RecordingDownloaded,
    RecordingReconstructed,
    RecordingRegistered,
    RecordingVerified,
)
from lading.ledger.tables import ingest_batch
from lading.sources.recordings.downloading import download
from lading.sources.recordings.ingesting import ingest_recording, open_local, register_stored
from lading.sources.recordings.layout import MANIFEST
from lading.sources.recordings.querying import query
from lading.sources.recordings.reconstructing import ReconstructProgress, reconstruct
from lading.sources.recordings.source import RecordingsSource
from lading.sources.recordings.values import (
    DownloadProgress,
    FileCheck,
    QueryResult,
    UploadProgress,
)
from lading.sources.recordings.verifying import VerifyProgress, verify

VERIFY: Final = "recordings.verify"
DOWNLOAD: Final = "recordings.download"
REGISTER: Final = "recordings.register"
RECONSTRUCT: Final = "recordings.reconstruct"
KINDS: Final = (VERIFY, DOWNLOAD, REGISTER, RECONSTRUCT)

UPLOAD: Final = "upload"
"""Register what lies in the source's folder, after its files were uploaded."""
STORED: Final = "register"
"""Register what is stored already."""
FAILURES_KEPT: Final = 100
"""How many files the event of a verification names; a ledger is no place for all of them."""

_ATTEMPTS_MAX: Final = 3
_PRIORITY: Final = 4
"""Before imports: somebody waits for it."""


class NotRecordings(RequestError):
    """The source is of another kind, or it has to be said which one is meant."""

    code = "not_recordings"
    http_status = 409
    next_step = "Name a source of kind `recordings`; `lading config show` lists the sources."


class DownloadDirMissing(RequestError):
    """The source names no folder for downloads."""

    code = "recordings_download_dir_missing"
    http_status = 409
    next_step = (
        "Set download_dir in the source's table of the settings, or fetch it yourself with"
        " `lading recordings download`."
    )


def recordings_sources(parts: IngestParts) -> list[RecordingsSource]:
    """The configured sources of kind `recordings`, by name."""
    found = [each for each in parts.sources.values() if isinstance(each, RecordingsSource)]
    return sorted(found, key=lambda source: source.name)


def recordings_source(parts: IngestParts, name: str | None) -> RecordingsSource:
    """The recordings source of this name, or the only one.

    Raises `NotRecordings`, `UnknownSource`.
    """
    if name is None:
        found = recordings_sources(parts)
        if len(found) != 1:
            raise NotRecordings(
                "it has to be said which source is meant"
                if found
                else "no source of recordings is configured",
                expected="one source of kind `recordings`",
                found=", ".join(each.name for each in found) or "none",
                next_step=None if found else "Add one to the settings file.",
            )
        return found[0]
    source = parts.source(name)
    if not isinstance(source, RecordingsSource):
        raise NotRecordings("this source has no recordings", subject=name, found=source.kind)
    return source


def verify_job(source: str, recording_hash: str, *, full: bool, actor: str) -> NewJob:
    """A job that compares a recording's stored files by size or, with `full`, by every byte."""
    return _job(VERIFY, source, recording_hash, actor, recording_hash=recording_hash, full=full)


def download_job(source: str, recording_hash: str, *, actor: str) -> NewJob:
    """A job that brings a recording into the source's folder for downloads."""
    return _job(DOWNLOAD, source, recording_hash, actor, recording_hash=recording_hash)


def register_job(
    source: str,
    recording_id: str,
    *,
    mode: str,
    policies: Collection[Policy],
    actor: str,
    folder: str = "",
    wait_for: Collection[int] = (),
) -> NewJob:
    """A job that registers a recording, stored already or from a `folder` of the source (E6).

    Raises `RequestError` for policies that contradict each other.
    """
    chosen = sorted(policies_of(list(policies) or [Policy.ERROR], allowed=frozenset(Policy)))
    return _job(
        REGISTER,
        source,
        recording_id,
        actor,
        wait_for,
        recording_id=recording_id,
        mode=mode,
        folder=folder,
        policies=[policy.value for policy in chosen],
    )


def reconstruct_job(source: str, recording_id: str, *, actor: str) -> NewJob:
    """A job that makes the manifest of a stored recording by reading its files."""
    return _job(RECONSTRUCT, source, recording_id, actor, recording_id=recording_id)


def handlers(parts: IngestParts) -> Mapping[str, Handler]:
    """What a worker needs to run these jobs."""
    return {
        VERIFY: partial(run_verify, parts),
        DOWNLOAD: partial(run_download, parts),
        REGISTER: partial(run_register, parts),
        RECONSTRUCT: partial(run_reconstruct, parts),
    }


def run_verify(parts: IngestParts, context: JobContext) -> JobResult:
    """Compare the files of a recording; one that is not what it shall be fails no job.

    Raises `RecordingMissing`, `StoreError`, `ManifestInvalid`, `Interrupted`.
    """
    source, full = _source(parts, context), bool(context.claim.params.get("full"))
    result = _held(source, context)
    rows = result.modalities.values()
    files_total = sum(row.files_count for row in rows)
    bytes_total = sum(row.size_bytes for row in rows)
    beat = _Beat(context)
    said = VerifyProgress(0, 0, 0, "")

    def listen(progress: VerifyProgress) -> None:
        nonlocal said
        said = progress

    failures: list[dict[str, Any]] = []
    bytes_processed = 0
    checks = verify(source.repository, [result], full=full, progress=listen, stop=beat)
    for check in checks:
        if not full and isinstance(check.found, int):
            bytes_processed += check.found
        if not check.ok and len(failures) < FAILURES_KEPT:
            failures.append(_plain_check(check))
        beat.say(
            Progress(
                items_done=said.files_done - said.files_failed,
                items_failed=said.files_failed,
                items_total=files_total,
                bytes_moved=said.bytes_read,
                bytes_skipped=bytes_processed,
                bytes_total=bytes_total,
                current=said.current_file,
            )
        )
    event = RecordingVerified(
        recording_hash=result.recording_hash,
        recording_id=_identifier(result),
        checked="sha256" if full else "size",
        files=said.files_done,
        files_failed=said.files_failed,
        bytes_processed=bytes_processed + said.bytes_read,
        bytes_transferred=said.bytes_read,
        failures=failures,
    )
    return _done(context, source, event, _identifier(result))


def run_download(parts: IngestParts, context: JobContext) -> JobResult:
    """Bring a recording into the folder for downloads; what is there already is kept.

    Raises `DownloadDirMissing`, `DownloadIncomplete`, `DestinationUnusable`, `Interrupted`.
    """
    source = _source(parts, context)
    dest = require_download_dir(source)
    result = _held(source, context)
    beat = _Beat(context)

    def listen(said: DownloadProgress) -> None:
        current = "/".join(part for part in (said.modality, said.current_file) if part)
        beat.say(
            Progress(
                items_done=said.files_done,
                items_total=said.files_total or None,
                bytes_moved=said.bytes_transferred,
                bytes_skipped=max(0, said.bytes_processed - said.bytes_transferred),
                bytes_total=said.bytes_total or None,
                current=current,
            )
        )

    done = download(source.repository, [result], dest, progress=listen, stop=beat)
    event = RecordingDownloaded(
        recording_hash=result.recording_hash,
        recording_id=_identifier(result),
        folder=str(done.folders[0]),
        files_downloaded=done.files_downloaded,
        files_kept=done.files_kept,
        bytes_processed=done.bytes_processed,
        bytes_transferred=done.bytes_transferred,
    )
    return _done(context, source, event, _identifier(result))


def run_register(parts: IngestParts, context: JobContext) -> JobResult:
    """Register a recording by the policies asked for, uploading it first where it is local.

    Raises `SourceBusy` while the rig records, and what `ingest_recording` or `register_stored` do.
    """
    source, params = _source(parts, context), context.claim.params
    recording_id, policies = str(params["recording_id"]), _policies(params.get("policies"))
    beat = _Beat(context)
    if params.get("mode") == UPLOAD:
        folder = source.options.path / str(params.get("folder") or recording_id)
        rig = source.rig
        rig.require_idle()

        def must_wait() -> bool:
            beat.beat()
            return context.stop.is_set() or rig.is_active()

        def listen(said: UploadProgress) -> None:
            beat.say(
                Progress(
                    items_done=said.files_done,
                    items_total=said.files_total,
                    bytes_moved=said.bytes_uploaded,
                    bytes_skipped=max(0, said.bytes_processed - said.bytes_uploaded),
                    bytes_total=said.bytes_total,
                    current=said.current_file,
                )
            )

        result = ingest_recording(
            source.repository,
            open_local(folder / MANIFEST, folder),
            is_active=must_wait,
            progress=listen,
            on_conflict=policies,
            max_concurrent_files=source.options.max_concurrent_files,
        )
        if result.paused:
            context.stop.check()
            raise rig.busy()
    else:
        result = register_stored(source.repository, recording_id, on_conflict=policies)
    assert result.recording is not None  # noqa: S101 - only a pause leaves it out
    event = RecordingRegistered(
        recording_hash=result.recording.recording_hash,
        recording_id=recording_id,
        mode=str(params.get("mode")),
        policies=[str(each) for each in params.get("policies") or ()],
        files_uploaded=result.files_uploaded,
        files_skipped=result.files_skipped,
        bytes_uploaded=result.bytes_uploaded,
    )
    return _done(context, source, event, recording_id)


def run_reconstruct(parts: IngestParts, context: JobContext) -> JobResult:
    """Make the manifest of a stored recording by reading its files. Raises what that raises."""
    source, recording_id = _source(parts, context), str(context.claim.params["recording_id"])
    beat = _Beat(context)

    def listen(said: ReconstructProgress) -> None:
        beat.say(
            Progress(
                items_done=said.files_done,
                items_total=said.files_total,
                bytes_moved=said.bytes_done,
                bytes_total=said.bytes_total,
                current=said.current_file,
            )
        )

    made = reconstruct(source.repository, recording_id, progress=listen, stop=beat)
    event = RecordingReconstructed(
        recording_hash=made.recording_hash,
        recording_id=recording_id,
        outcome=made.outcome.value,
        files=made.files,
        bytes_read=beat.progress.bytes_moved,
        participant=made.participant,
        damaged=[each.name for each in made.damaged[:FAILURES_KEPT]],
    )
    return _done(context, source, event, recording_id)


def require_download_dir(source: RecordingsSource) -> Path:
    """Where downloads of a source go. Raises `DownloadDirMissing`."""
    if source.options.download_dir is None:
        raise DownloadDirMissing("no folder for downloads is configured", subject=source.name)
    return source.options.download_dir


class _Beat(StopSignal):
    """The stop of a job, which keeps its heart beating: it is asked for between chunks."""

    def __init__(self, context: JobContext) -> None:
        super().__init__()
        self._context = context
        self.progress = Progress()

    def say(self, progress: Progress) -> None:
        """Take note of how far the job is."""
        self.progress = progress
        self._context.report(progress)

    def beat(self) -> None:
        """Give a sign of life, when one is due. Raises `LeaseLost`."""
        self._context.report(self.progress)

    def check(self) -> None:
        """Raise `Interrupted` when the job shall stop, `LeaseLost` when another has it."""
        self._context.stop.check()
        self.beat()


def _job(
    kind: str, source: str, about: str, actor: str, wait_for: Collection[int] = (), **params: Any
) -> NewJob:
    wanted = {"source": source, **params}
    # What is asked for differently is another job: a check of sizes is none of every byte.
    named = "\0".join(f"{name}={value}" for name, value in sorted(wanted.items()))
    digest = hashlib.sha256(f"{about}\0{named}".encode()).hexdigest()[:32]
    return NewJob(
        kind,
        params={**wanted, "actor": actor[:190]},
        priority=_PRIORITY,
        wait_for=tuple(wait_for),
        active_key=f"{kind}:{digest}",
        attempts_max=_ATTEMPTS_MAX,
    )


def _source(parts: IngestParts, context: JobContext) -> RecordingsSource:
    return recordings_source(parts, str(context.claim.params["source"]))


def _held(source: RecordingsSource, context: JobContext) -> QueryResult:
    """The recording a job is about, with all that was recorded. Raises `RecordingMissing`."""
    catalog, recording_hash = source.repository.catalog, str(context.claim.params["recording_hash"])
    for result in query(catalog, recording_hash=recording_hash):
        return result
    return QueryResult(catalog.get_recording(recording_hash), {})


def _identifier(result: QueryResult) -> str:
    return str(result.recording.metadata.get("manifest_recording_id") or result.recording_hash)


def _policies(given: Any) -> Policies:
    """As the catalog compares them: one is a word, several are a set."""
    chosen = policies_of(list(given or [Policy.ERROR]), allowed=frozenset(Policy))
    return next(iter(chosen)) if len(chosen) == 1 else chosen


def _plain_check(check: FileCheck) -> dict[str, Any]:
    return {
        "modality": check.modality,
        "name": check.name[:400],
        "expected": check.expected,
        "found": check.found,
    }


def _done(
    context: JobContext, source: RecordingsSource, event: Event, recording_id: str
) -> JobResult:
    """The job's end, with its event; it is also one of the recording's batch, where there is."""
    actor = str(context.claim.params.get("actor") or context.actor)

    def write(conn: Connection) -> list[Entry]:
        columns = ingest_batch.c
        batch_id = conn.scalar(
            select(columns.id).where(
                columns.source == source.name, columns.batch_key == recording_id
            )
        )
        return [Entry(event, actor, source.name, batch_id, context.claim.job_id)]

    return JobResult(write=write)
