"""What people ask for of recordings: taking one in, verifying it, downloading it; workers do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.catalog.values import Policy
from lading.console.actions.operations import start_operation
from lading.console.parts import Console
from lading.console.readers.recordings_one import read_recording
from lading.console.readers.recordings_plan import (
    NOTHING,
    PATHS,
    RECONSTRUCT,
    IngestPlan,
    read_plan,
)
from lading.console.recordings_words import policies_named
from lading.jobs.values import NewJob
from lading.operations.values import Resource, Targets, Verb
from lading.sources.recordings import jobs
from lading.sources.recordings.jobs import STORED, UPLOAD

LEVELS: Final = ("size", "sha256")


class BadRecordingRequest(RequestError):
    """What is asked for of a recording makes no sense."""

    code = "bad_recording_request"
    next_step = "Load the page of the recording again and choose there."


class OverwriteNotTyped(RequestError):
    """A registered row would be replaced, and its recording was not named by who asks for it."""

    code = "overwrite_not_typed"
    http_status = 422
    next_step = "Type the recording's identifier exactly as it is shown, then ask again."


class NotReady(RequestError):
    """A precondition of taking a recording in is not met."""

    code = "recording_not_ready"
    http_status = 409
    next_step = "See what is named, mend it, then ask again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for. `jobs` do it, or `operation` queues the recording's batch."""

    source: str
    mode: str
    recording_id: str
    jobs: tuple[int, ...] = ()
    operation: str | None = None


def request_verify(
    console: Console, caller: Caller, source: str | None, recording_hash: str, *, level: str
) -> int:
    """Have a recording's stored files compared, by `size` or `sha256`; the number of the job.

    Raises `RecordingMissing`, `BadRecordingRequest`.
    """
    caller.require(Permission.OPERATE)
    if level not in LEVELS:
        raise BadRecordingRequest(
            "files are not compared so",
            subject="level",
            expected=" or ".join(LEVELS),
            found=level[:50],
        )
    found = read_recording(console, source, recording_hash)
    job = jobs.verify_job(
        found.line.source, recording_hash, full=level == "sha256", actor=caller.actor
    )
    return _enqueue(console, caller, job)


def request_download(
    console: Console, caller: Caller, source: str | None, recording_hash: str
) -> int:
    """Have a recording brought to the source's folder for downloads; the number of the job.

    Raises `RecordingMissing`, `DownloadDirMissing`.
    """
    caller.require(Permission.OPERATE)
    found = read_recording(console, source, recording_hash)
    jobs.require_download_dir(found.source)
    job = jobs.download_job(found.line.source, recording_hash, actor=caller.actor)
    return _enqueue(console, caller, job)


def request_ingest(
    console: Console,
    caller: Caller,
    source: str | None,
    recording_id: str,
    *,
    mode: str = "",
    on_conflict: str = Policy.ERROR.value,
    typed: str = "",
) -> tuple[IngestPlan, Asked]:
    """Take a recording in, by `mode` or by what is there; the plan, and what was asked for.

    A usual upload queues the recording's batch, so that the ledger accounts for each file; one that
    is imported already, and whose stored files are not good any more, is brought by a job. With
    `overwrite`, `typed` has to be the recording's identifier. Raises `NotReady`,
    `OverwriteNotTyped`, `BadRecordingRequest`, and what `read_plan` raises.
    """
    caller.require(Permission.OPERATE)
    policies = require_policies(on_conflict)
    require_mode(mode)
    if Policy.OVERWRITE in policies and typed != recording_id:
        raise OverwriteNotTyped(
            "overwriting has to be confirmed", expected=recording_id, found=typed[:200] or "nothing"
        )
    plan = read_plan(console, source, recording_id, path=mode or None)
    require_ready(plan, on_conflict)
    usual = plan.path == UPLOAD and policies == (Policy.ERROR,)
    if usual and plan.batch_queueable and plan.batch_id is not None:
        operation = start_operation(
            console, caller, Verb.QUEUE, Targets(resource=Resource.BATCHES, ids=[plan.batch_id])
        )
        return plan, _asked(plan, operation=operation.key)
    numbers: list[int] = []
    if plan.path == RECONSTRUCT:
        first = jobs.reconstruct_job(plan.source, recording_id, actor=caller.actor)
        numbers.append(_enqueue(console, caller, first))
    numbers.append(
        _enqueue(
            console,
            caller,
            jobs.register_job(
                plan.source,
                recording_id,
                mode=UPLOAD if plan.path == UPLOAD else STORED,
                policies=policies,
                actor=caller.actor,
                wait_for=numbers,
            ),
        )
    )
    return plan, _asked(plan, numbers=tuple(numbers))


def require_policies(name: str) -> tuple[Policy, ...]:
    """The policies of a choice. Raises `BadRecordingRequest`."""
    policies = policies_named(name or Policy.ERROR.value)
    if policies is None:
        raise BadRecordingRequest(
            "there is no such policy",
            subject="on_conflict",
            expected="error, extend, merge_participants, extend+merge_participants or overwrite",
            found=name[:100],
        )
    return policies


def require_mode(mode: str) -> None:
    """Raise `BadRecordingRequest` for a way that there is not; empty is the one that fits."""
    if mode and mode not in PATHS:
        raise BadRecordingRequest(
            "a recording is not taken in so",
            subject="mode",
            expected=", ".join(PATHS),
            found=mode[:50],
        )


def require_ready(plan: IngestPlan, on_conflict: str) -> None:
    """Raise `NotReady` where something speaks against a plan that the policy does not settle."""
    if plan.path == NOTHING and plan.settled:
        raise NotReady(
            "it is registered exactly so; nothing is left to do",
            subject=plan.recording_id,
            next_step="Nothing: verify it if you want to be sure of its bytes.",
        )
    for each in plan.preconditions:
        if not each.met:
            raise NotReady(
                each.name.lower() + ": it is not so",
                subject=plan.recording_id,
                found=each.found,
                next_step=each.next_step,
            )
    if plan.conflict is not None and (on_conflict or "error") not in plan.conflict.settled_by:
        raise NotReady(
            "the catalog holds this recording with other facts, which this policy does not settle",
            subject=plan.recording_id,
            expected=" or ".join(plan.conflict.settled_by) or "another recording",
            found=on_conflict,
            next_step="Compare what is held with what is proposed, and choose what shall stand.",
        )


def _asked(
    plan: IngestPlan, *, numbers: tuple[int, ...] = (), operation: str | None = None
) -> Asked:
    return Asked(
        source=plan.source,
        mode=plan.path,
        recording_id=plan.recording_id,
        jobs=numbers,
        operation=operation,
    )


def _enqueue(console: Console, caller: Caller, job: NewJob) -> int:
    lading = console.lading
    (made,) = lading.db.run(lambda conn: lading.queue.enqueue(conn, [job], actor=caller.actor))
    console.engine.forget()
    return made.job_id
