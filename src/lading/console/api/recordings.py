"""Recordings: the catalog's rows, one of them, and taking in, verifying and downloading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions.recordings import (
    Asked,
    BadRecordingRequest,
    request_download,
    request_ingest,
    request_verify,
    require_policies,
)
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    BASE,
    BadParameter,
    Body,
    Cursor,
    Done,
    DryRun,
    Limit,
    Name,
    States,
    Text,
    Word,
    also,
    asked,
    creates,
    reads,
    rehearsed,
)
from lading.console.parts import Console
from lading.console.readers.recordings import RECORDING_FIELDS, read_recordings
from lading.console.readers.recordings_held import source_of
from lading.console.readers.recordings_jobs import Verification
from lading.console.readers.recordings_lines import Person, RecordingLine
from lading.console.readers.recordings_one import (
    FileLine,
    ManifestLine,
    RowVersion,
    read_files,
    read_manifests,
    read_recording,
    read_versions,
)
from lading.console.readers.recordings_plan import IngestPlan, read_plan
from lading.sources.recordings.layout import MANIFEST

TAG: Final = "recordings"
FILES_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityItem:
    """One modality of a recording, by the key that readers use."""

    key: str
    modality: str
    worker_id: str
    status: str
    location: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingAnswer:
    """One recording. `files` are the first ones, compared by size with the store's listing.

    `verification` is the last one; None where there was none lately.
    """

    recording: RecordingLine
    ended_at: datetime | None
    modalities: Sequence[ModalityItem]
    participants: Sequence[Person]
    files: Sequence[FileLine]
    files_total: int
    files_bad: int
    manifests: Sequence[ManifestLine]
    versions: Sequence[RowVersion]
    verification: Verification | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestAnswer:
    """How a recording is taken in, and what does it: jobs, or an operation on its batch."""

    plan: IngestPlan
    asked: Asked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAsked:
    """The job that does it, also one that waited already; a rehearsed request has none."""

    recording_hash: str
    job_id: int | None


class IngestBody(Body, frozen=True):
    """The recording to take in, by its identifier or by its `manifest`, a path below the source.

    Without `mode` the way is picked by what is there. With `overwrite`, `confirm` has to be the
    identifier.
    """

    recording_id: Name | None = None
    manifest: Text | None = None
    source: Name | None = None
    mode: Literal["upload", "register", "reconstruct"] | None = None
    on_conflict: Literal[
        "error", "extend", "merge_participants", "extend+merge_participants", "overwrite"
    ] = "error"
    confirm: Text = ""
    dry_run: bool = False


class VerifyBody(Body, frozen=True):
    """How the files are compared: by one listing of sizes, or by reading every byte."""

    level: Literal["size", "sha256"] = "size"
    source: Name | None = None


class DownloadBody(Body, frozen=True):
    """Of which source the recording is, where there are several."""

    source: Name | None = None


def routes() -> list[HTTPRouteHandler]:
    """The list, one recording, and what can be asked for."""
    return [list_recordings, one_recording, ingest, verify, download]


@reads("/recordings", "Recordings, the newest first", tag=TAG)
def list_recordings(
    console: NamedDependency[Console],
    *,
    q: Word = None,
    states: States = None,
    modality: Word = None,
    participant: Word = None,
    source: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[RecordingLine]:
    """Those of the catalog; with `state=local` those on the rig, with `stored` those only stored.

    Other states are `verified` and `verify_failed`. A page by modality looks at 2,000 recordings at
    the most, so it may be shorter than `limit` and have a `next` all the same.
    """
    query = asked(
        RECORDING_FIELDS,
        {
            "q": q,
            "state": states,
            "modality": modality,
            "participant": participant,
            "source": source,
        },
        cursor=cursor,
        limit=limit,
    )
    lists = query.many("state")
    if len(lists) > 1:
        raise BadParameter("each state is a list of its own", subject="state", expected="one")
    found = read_recordings(
        console,
        source_of(console, query.one("source")),
        view=lists[0] if lists else "",
        q=query.one("q"),
        modality=query.one("modality"),
        participant=query.one("participant"),
        cursor=query.cursor,
        limit=limit,
    )
    return many(found.lines, found, found.count)


@reads("/recordings/{recording_hash:str}", "One registered recording", tag=TAG)
def one_recording(
    console: NamedDependency[Console],
    recording_hash: FromPath[str],
    *,
    source: Word = None,
    cursor: Cursor = None,
    limit: Limit = FILES_MAX,
) -> RecordingAnswer:
    """A recording with what the store has of it; `cursor` and `limit` are of its files."""
    found = read_recording(console, source or None, recording_hash)
    files = read_files(found, cursor=cursor, limit=limit)
    return RecordingAnswer(
        recording=found.line,
        ended_at=found.row.ended_at,
        modalities=[
            ModalityItem(
                key=key,
                modality=row.modality,
                worker_id=row.worker_id,
                status=row.status,
                location=row.location,
                files=row.files_count,
                size_bytes=row.size_bytes,
            )
            for key, row in found.modalities.items()
        ],
        participants=found.line.participants,
        files=files.files,
        files_total=files.total,
        files_bad=files.bad,
        manifests=read_manifests(found),
        versions=read_versions(found),
        verification=found.verification,
    )


@creates(
    "/recordings/ingest",
    "Take a recording in by the way that fits, or say how",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=202,
    responses=also(200, Done[IngestAnswer], "A dry run: the plan, and nothing asked for."),
)
def ingest(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[IngestBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[IngestAnswer]]:
    """Upload, register or reconstruct; a dry run, asked for either way, only reads."""
    recording_id = _named(data)
    if dry_run or data.dry_run:
        caller.require(Permission.OPERATE)
        require_policies(data.on_conflict)
        plan = read_plan(console, data.source, recording_id, path=data.mode)
        return Response(
            Done(dry_run=True, result=IngestAnswer(plan=plan, asked=None)), status_code=200
        )
    plan, done = request_ingest(
        console,
        caller,
        data.source,
        recording_id,
        mode=data.mode or "",
        on_conflict=data.on_conflict,
        typed=data.confirm,
    )
    where = f"operations/{done.operation}" if done.operation else f"jobs/{done.jobs[-1]}"
    return Response(
        Done(dry_run=False, result=IngestAnswer(plan=plan, asked=done)),
        status_code=202,
        headers={"Location": f"{BASE}/{where}"},
    )


@creates(
    "/recordings/{recording_hash:str}/verify",
    "Have a recording's stored files compared",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=202,
    responses=also(200, Done[JobAsked], "A rehearsed request: nothing was asked for."),
)
def verify(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
    data: JSONBody[VerifyBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[JobAsked]]:
    """The same request while one waits is answered with the same job."""
    request = partial(
        request_verify, console, caller, data.source, recording_hash, level=data.level
    )
    return _job(request, recording_hash, dry_run=dry_run)


@creates(
    "/recordings/{recording_hash:str}/download",
    "Have a recording brought to its source's folder for downloads",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=202,
    responses=also(200, Done[JobAsked], "A rehearsed request: nothing was asked for."),
)
def download(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
    data: JSONBody[DownloadBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[JobAsked]]:
    """What is there already is kept; each byte is verified."""
    request = partial(request_download, console, caller, data.source, recording_hash)
    return _job(request, recording_hash, dry_run=dry_run)


def _job(request: Any, recording_hash: str, *, dry_run: bool) -> Response[Done[JobAsked]]:
    with rehearsed(dry_run):
        job_id: int = request()
    result = JobAsked(recording_hash=recording_hash, job_id=None if dry_run else job_id)
    return Response(
        Done(dry_run=dry_run, result=result),
        status_code=200 if dry_run else 202,
        headers={} if dry_run else {"Location": f"{BASE}/jobs/{job_id}"},
    )


def _named(data: IngestBody) -> str:
    """The recording that a request is about. Raises `BadRecordingRequest`."""
    folder, slash, name = (data.manifest or "").rpartition("/")
    if data.recording_id is not None and data.manifest is None:
        return data.recording_id
    if data.recording_id is None and slash and name == MANIFEST:
        return folder
    raise BadRecordingRequest(
        "it has to be said which recording is meant, in one way",
        subject="recording_id",
        expected=f"recording_id, or manifest such as rec_20260520_195628_b1dd/{MANIFEST}",
        found=data.manifest,
    )
