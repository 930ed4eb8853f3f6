"""Says in words where a job stands, which way it came, and what can be done to it now.

Pure: it is given what is known. Words come in parts, so that a page can make links of some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from lading.base.progress import Pace
from lading.base.units import format_count, format_duration
from lading.console.vocabulary import (
    FAILED_BY_ANOTHER,
    JOB_LOOKS,
    STALLED,
    WORKER_GONE,
    Family,
    Look,
)
from lading.jobs.states import JobState
from lading.jobs.values import Intake, JobRow
from lading.operations.rules import SENTENCES, judge_job
from lading.operations.values import Verb

LATE_AFTER_SIGNS: Final = 2.0
"""So many signs of life may be due before one looks after it (console design 5.14)."""

KIND_WORDS: Final = {
    "import_batch": "Import",
    "scan": "Scan",
    "operation": "Operation",
    "archive_run": "Archive run",
    "people.lab": "Trial of face settings",
    "people.references": "Measuring of reference images",
    "photos.faces": "Search for faces",
    "photos.match": "Matching of faces",
    "photos.sort": "Sorting of photos",
    "recordings.verify": "Verification",
    "recordings.download": "Download",
    "recordings.register": "Registration",
    "recordings.reconstruct": "Reconstruction",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of a sentence, and where it leads."""

    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """A job that another one waits for."""

    id: int
    kind: str
    status: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What of the queue a job's sentence needs. `ahead` are the jobs in line before it.

    `not_before_s` is how long it is until its time, `silent_s` since its last sign of life.
    """

    waits_on: Sequence[Awaited] = ()
    ahead: int = 0
    intake: Intake = Intake(False)  # noqa: RUF009 - frozen
    workers_alive: int = 1
    silent_s: float | None = None
    not_before_s: float | None = None
    stale_after_s: float
    ended_by: str | None = None
    ended_why: str | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """One state on the way of a job: since when, and how long it lasted."""

    label: str
    at: datetime | None
    lasted_s: float | None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that could be done to a job; `refused` says why it cannot be done now."""

    verb: Verb
    label: str
    refused: str | None


def kind_word(kind: str) -> str:
    """What people call this kind of job."""
    return KIND_WORDS.get(kind, kind.replace("_", " ").capitalize())


def look_of_job(
    job: JobRow, *, pace: Pace | None, silent_s: float | None, stale_after_s: float
) -> Look:
    """How a job is shown: its state, unless what is known of it says otherwise."""
    if job.status is JobState.RUNNING:
        if silent_s is not None and silent_s >= stale_after_s:
            return WORKER_GONE
        if pace is not None and pace.stalled_s is not None:
            return STALLED
    if job.status is JobState.FAILED and job.failed_by is not None:
        return FAILED_BY_ANOTHER
    return JOB_LOOKS[job.status]


def family_of_silence(silent_s: float, *, every_s: float, stale_after_s: float) -> Family:
    """How worrying it is to have heard nothing for so long, with a sign due each `every_s`."""
    if silent_s >= stale_after_s:
        return Family.FAILED
    return Family.ATTENTION if silent_s > every_s * LATE_AFTER_SIGNS else Family.NEUTRAL


def sentence_of(job: JobRow, around: Around) -> list[Said]:
    """Where the job stands and why, in a sentence or two."""
    match job.status:
        case JobState.WAITING:
            return _waiting(job, around)
        case JobState.QUEUED:
            return _queued(around)
        case JobState.RUNNING:
            return _running(job, around)
    return _ended(job, around)


def path_of(job: JobRow, at: datetime) -> list[Passed]:
    """The states a job went through, with their times; the last one is where it stands."""
    looks = JOB_LOOKS[job.status]
    ended = job.finished_at
    steps: list[tuple[str, datetime | None]] = [("Created", job.created_at)]
    if job.queued_at is not None:
        steps.append(("Queued", job.queued_at))
    if job.started_at is not None and job.status is not JobState.QUEUED:
        steps.append(("Started", job.started_at))
    if ended is not None:
        steps.append((looks.word, ended))
    elif job.status in {JobState.WAITING, JobState.PAUSED}:
        steps.append((looks.word, job.heartbeat_at or job.created_at))
    path = []
    for index, (label, since) in enumerate(steps):
        last = index == len(steps) - 1
        until = (at if ended is None else None) if last else (steps[index + 1][1] or at)
        lasted_s = None
        if since is not None and until is not None:
            lasted_s = max(0.0, (until - since).total_seconds())
        path.append(Passed(label, since, lasted_s, now=last))
    return path


def offers_for(job: JobRow) -> list[Offer]:
    """What people can do to jobs, in a steady order, each with why it cannot be done now."""
    wanted = [
        (Verb.RESUME, "Resume"),
        (Verb.STOP, "Stop after item"),
        (Verb.RETRY, "Retry"),
        (Verb.PRIORITISE, "Set priority"),
        (Verb.CANCEL, "Cancel"),
    ]
    return [Offer(verb, label, _refusal(verb, job)) for verb, label in wanted]


def _refusal(verb: Verb, job: JobRow) -> str | None:
    if verb is Verb.RETRY and job.status is JobState.FAILED and job.failed_by is not None:
        return SENTENCES["spoiled_parent"]
    code = judge_job(verb, job.status, stopping=job.stop_requested).code
    return None if code is None else SENTENCES[code]


def _waiting(job: JobRow, around: Around) -> list[Said]:
    said: list[Said] = []
    if around.waits_on:
        said = [Said("Waiting on ")]
        for index, awaited in enumerate(around.waits_on[:3]):
            said += [Said(", ")] * bool(index)
            word = kind_word(awaited.kind).lower()
            state = JOB_LOOKS[awaited.status].word.lower()
            said += [_job(awaited.id), Said(f" ({word}, {state})")]
        more = job.pending_deps - min(3, len(around.waits_on))
        said.append(Said(f" and {more:,} more." if more > 0 else "."))
    if around.not_before_s is not None:
        when = (
            f"in {format_duration(around.not_before_s)}"
            if around.not_before_s > 0
            else "as soon as a worker looks"
        )
        if job.attempt:
            tried = f"Attempt {job.attempt} of {job.attempts_max} met a passing fault"
            said.append(Said(f"{' ' if said else ''}{tried}; it is tried again {when}."))
        else:
            said.append(Said(f"{' ' if said else ''}Its time comes {when}."))
    return said or [Said("Waiting to be put in line.")]


def _queued(around: Around) -> list[Said]:
    place = (
        f"In line behind {format_count(around.ahead, 'job')}." if around.ahead else "First in line."
    )
    said = [Said(place)]
    if around.intake.paused:
        by = f" by {around.intake.paused_by}" if around.intake.paused_by else ""
        said.append(Said(f" Intake is paused{by}: nothing is taken up until it is resumed."))
    elif not around.workers_alive:
        said += [Said(" No "), Said("worker", "/workers"), Said(" is alive to take it.")]
    return said


def _running(job: JobRow, around: Around) -> list[Said]:
    silent_s = around.silent_s
    if silent_s is not None and silent_s >= around.stale_after_s:
        return [
            Said(f"No sign of life for {format_duration(silent_s)}. "),
            Said("The next worker that looks puts it back in line."),
        ]
    said = [Said(f"Attempt {job.attempt} of {job.attempts_max}, with ")]
    said.append(
        Said(worker_name(job.worker), worker_url(job.worker)) if job.worker else Said("a worker")
    )
    said.append(Said("; asked to stop after the item in hand." if job.stop_requested else "."))
    return said


def _ended(job: JobRow, around: Around) -> list[Said]:
    if job.status is JobState.FAILED and job.failed_by is not None:
        return [
            Said("Failed without running: "),
            _job(job.failed_by),
            Said(", which it waited for, did not end well."),
        ]
    by = f" by {around.ended_by}" if around.ended_by else ""
    why = f": {around.ended_why}" if around.ended_why else ""
    tried = format_count(job.attempt, "attempt")
    words = {
        JobState.PAUSED: "Stopped after an item, as it was asked to. Resume it to go on.",
        JobState.DONE: f"Ended well{_after(job)}.",
        JobState.FAILED: f"Failed{_after(job)}, in {tried} of {job.attempts_max}.",
        JobState.CANCELLED: f"Cancelled{by}{why}.",
    }
    return [Said(words[job.status])]


def worker_name(worker: str) -> str:
    """What people call a worker: host and process number."""
    return "/".join(worker.split("/")[:2])


def worker_url(worker: str) -> str:
    """The page of a worker."""
    return f"/workers/{quote(worker)}"


def _job(number: int) -> Said:
    return Said(f"job {number}", f"/jobs/{number}")


def _after(job: JobRow) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return f" after {format_duration(max(0.0, (job.finished_at - job.started_at).total_seconds()))}"
