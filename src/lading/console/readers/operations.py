"""Operations as pages show them: what was done in a sentence, and what became of each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from lading.base.units import format_count
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.ledger.batches import get_batches
from lading.library.tables import CONTAINERS, ContainerKind, asset
from lading.operations.date_params import parse_shift
from lading.operations.errors import UnknownOperation
from lading.operations.filters import KINDS
from lading.operations.queries import OperationFilter
from lading.operations.rules import SENTENCES
from lading.operations.states import FINAL_OPERATION_STATES, OperationState, TargetOutcome
from lading.operations.tables import operation
from lading.operations.values import (
    Operation,
    OperationPage,
    Preview,
    Resource,
    Result,
    Selection,
    Skipped,
    Verb,
)

USUAL_RATE_OF: Final = 20
"""So many of the last imports say how fast the next ones may be."""


@dataclass(frozen=True, slots=True)
class VerbWords:
    """A verb as people say it: to do it, having done it, being at it. `{}` stands for to what."""

    do: str
    done: str
    doing: str


VERB_WORDS: Final[Mapping[Verb, VerbWords]] = {
    Verb.PREFLIGHT: VerbWords("Preflight {}", "Preflighted {}", "Preflighting {}"),
    Verb.QUEUE: VerbWords("Queue {}", "Queued {}", "Queueing {}"),
    Verb.CANCEL: VerbWords("Cancel {}", "Cancelled {}", "Cancelling {}"),
    Verb.PRIORITISE: VerbWords(
        "Set the priority of {}", "Set the priority of {}", "Setting the priority of {}"
    ),
    Verb.STOP: VerbWords("Stop {}", "Asked {} to stop", "Asking {} to stop"),
    Verb.RESUME: VerbWords("Resume {}", "Resumed {}", "Resuming {}"),
    Verb.RETRY: VerbWords("Retry {}", "Put {} back in line", "Putting {} back in line"),
    Verb.ACKNOWLEDGE: VerbWords("Acknowledge {}", "Acknowledged {}", "Acknowledging {}"),
    Verb.UNACKNOWLEDGE: VerbWords(
        "Show {} as a problem again",
        "Took back the acknowledgement of {}",
        "Taking back the acknowledgement of {}",
    ),
    Verb.DELETE: VerbWords(
        "Move {} to the trash", "Moved {} to the trash", "Moving {} to the trash"
    ),
    Verb.RESTORE: VerbWords("Restore {}", "Restored {}", "Restoring {}"),
    Verb.GRANT_SITE: VerbWords(
        "Show {} on the site {site}", "Put {} on the site {site}", "Putting {} on the site {site}"
    ),
    Verb.REVOKE_SITE: VerbWords(
        "Take {} off the site {site}",
        "Took {} off the site {site}",
        "Taking {} off the site {site}",
    ),
    Verb.ADD_TO_PACKAGE: VerbWords(
        "Add {} to the package {package}",
        "Added {} to the package {package}",
        "Adding {} to the package {package}",
    ),
    Verb.REMOVE_FROM_PACKAGE: VerbWords(
        "Remove {} from the package {package}",
        "Removed {} from the package {package}",
        "Removing {} from the package {package}",
    ),
    Verb.SHIFT_TAKEN: VerbWords(
        "Shift the dates of {} by {by}",
        "Shifted the dates of {} by {by}",
        "Shifting the dates of {} by {by}",
    ),
    Verb.SET_TAKEN: VerbWords(
        "Set the dates of {} to {at}",
        "Set the dates of {} to {at}",
        "Setting the dates of {} to {at}",
    ),
    Verb.RESTORE_TAKEN: VerbWords(
        "Put back the dates of {}", "Put back the dates of {}", "Putting back the dates of {}"
    ),
}
"""Every verb in words; a test fails on one without them."""

NOUNS: Final[Mapping[Resource, tuple[str, str]]] = {
    Resource.BATCHES: ("batch", "batches"),
    Resource.JOBS: ("job", "jobs"),
    Resource.ASSETS: ("asset", "assets"),
    Resource.GALLERIES: ("gallery", "galleries"),
    Resource.COLLECTIONS: ("collection", "collections"),
    Resource.EVENTS: ("event", "events"),
}

NO_UNDO: Final[Mapping[Verb, str]] = {
    Verb.PREFLIGHT: "It has no undo: decisions are only made anew.",
    Verb.QUEUE: "It has no undo of its own: a batch that is still in line can be cancelled.",
    Verb.PRIORITISE: "It has no undo of its own: set another priority instead.",
    Verb.STOP: "It has no undo of its own: what was stopped can be resumed.",
    Verb.RESUME: "It has no undo of its own: what runs can be stopped again.",
    Verb.RETRY: "It has no undo of its own: what is still in line can be cancelled.",
}
"""What to do instead, for the verbs that nothing takes back."""

LIST_OF: Final[Mapping[Resource, str]] = {
    Resource.BATCHES: "/import",
    Resource.JOBS: "/jobs",
    Resource.ASSETS: "/library/assets",
    Resource.GALLERIES: "/library/galleries",
    Resource.COLLECTIONS: "/library/collections",
    Resource.EVENTS: "/library/events",
}
"""The page on which things of each resource are selected."""

_LIST_PARAMETERS: Final[Mapping[Resource, Mapping[str, str]]] = {
    Resource.BATCHES: {"states": "status"},
    Resource.JOBS: {"states": "state", "kinds": "kind"},
    Resource.ASSETS: {
        "types": "type",
        "subtypes": "subtype",
        "batch_id": "batch",
        "has_transcript": "transcript",
        "has_hls": "hls",
        "created_after": "arrived_after",
        "created_before": "arrived_before",
    },
    Resource.GALLERIES: {"batch_id": "batch"},
    Resource.COLLECTIONS: {"batch_id": "batch"},
    Resource.EVENTS: {"batch_id": "batch"},
}
_RESULT_WORDS: Final[Mapping[TargetOutcome, str]] = {
    TargetOutcome.SKIPPED: "skipped",
    TargetOutcome.REFUSED: "refused",
    TargetOutcome.FAILED: "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an operation did, in a sentence; what a page says after one was started."""

    key: str
    sentence: str
    can_undo: bool
    running: bool
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """What became of one target, with the way to it."""

    result: Result
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLines:
    """A page of results, and the cursor of the page after them."""

    lines: Sequence[ResultLine]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedGroup:
    """Targets that would be left as they are for one reason; `shown` are the first of them."""

    code: str
    sentence: str
    count: int
    shown: Sequence[Skipped]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFacts:
    """What a page says beside a preview: groups, names and addresses, and how long it may take."""

    skipped: Sequence[SkippedGroup]
    urls: Mapping[int, str]
    batch_names: Mapping[int, str]
    usual_rate_bytes_s: float | None
    usual_s: float | None


def told_of(console: Console, key: str | None) -> Told | None:
    """What to say of an operation that was just started; None without one of this key."""
    if not key:
        return None
    try:
        return told(console.operations.get(key))
    except UnknownOperation:
        return None


def told(found: Operation) -> Told:
    """What an operation did, or is doing, in a sentence."""
    return Told(
        key=found.key,
        sentence=sentence_of(found),
        can_undo=found.undoable,
        running=found.state not in FINAL_OPERATION_STATES,
        job_id=found.job_id,
    )


def told_of_job(console: Console, job_id: int) -> Operation | None:
    """The operation that a job carries out, if it does."""
    with console.lading.db.read() as conn:
        key = conn.scalar(select(operation.c.key).where(operation.c.job_id == job_id))
    return None if key is None else console.operations.get(key)


def sentence_of(found: Operation) -> str:
    """The operation in one sentence, with every count that is not zero."""
    words, done = VERB_WORDS[found.verb], found.totals[TargetOutcome.DONE]
    others = [
        f"{found.totals[outcome]:,} {word}"
        for outcome, word in _RESULT_WORDS.items()
        if found.totals[outcome]
    ]
    match found.state:
        case OperationState.QUEUED | OperationState.RUNNING:
            doing = phrase(words.doing, found.resource, found.total, found.params)
            so_far = (
                f"{found.settled:,} settled so far" if found.settled else "in line for a worker"
            )
            return f"{doing}: {so_far}."
        case OperationState.PAUSED:
            doing = phrase(words.doing, found.resource, found.total, found.params)
            return f"{doing} was paused after {found.settled:,}."
        case OperationState.CANCELLED:
            doing = phrase(words.doing, found.resource, found.total, found.params)
            return f"{doing} was cancelled after {found.settled:,}."
        case OperationState.FAILED:
            doing = phrase(words.doing, found.resource, found.total, found.params)
            return f"{doing} failed after {found.settled:,}; start it again to go on."
    said = phrase(words.done, found.resource, done, found.params)
    return f"{said}; {', '.join(others)}." if others else f"{said}."


def phrase(words: str, resource: Resource, count: int, params: Mapping[str, object]) -> str:
    """A verb's words about so many things: `Queued 15 batches`."""
    things = format_count(count, *NOUNS[resource])
    return words.format(
        things,
        site=params.get("site", "") or "",
        package=params.get("package", "") or "",
        by=shift_words(params.get("shift_s") or parse_shift(str(params.get("by") or ""))),
        at=set_words(params),
    )


def shift_words(seconds: object) -> str:
    """`+1 h`, `-1 d 2 h 5 s`: a shift as people read it; nothing for none."""
    if not isinstance(seconds, int):
        return ""
    minutes, rest_s = divmod(abs(seconds), 60)
    hours, rest_min = divmod(minutes, 60)
    days, rest_h = divmod(hours, 24)
    parts = [(days, "d"), (rest_h, "h"), (rest_min, "min"), (rest_s, "s")]
    said = " ".join(f"{count:,} {unit}" for count, unit in parts if count)
    return f"{'-' if seconds < 0 else '+'}{said}"


def set_words(params: Mapping[str, object]) -> str:
    """The date that photos are set to, and how far apart they are."""
    at = f"{params.get('at', '') or ''}{params.get('offset', '') or ''}".replace("T", " ")
    step = params.get("step_s")
    return f"{at} and on, {step} s apart" if step else at


def verb_label(verb: Verb) -> str:
    """A verb's words without what it is done to: `Move … to the trash`."""
    label = VERB_WORDS[verb].do.format("…", site="", package="", by="", at="").strip(" …")
    return label.removesuffix(" … by").removesuffix(" … to").removesuffix(" of")


def title_of(verb: Verb, resource: Resource, count: int, params: Mapping[str, object]) -> str:
    """What a preview asks about: `Queue 18 batches`."""
    return phrase(VERB_WORDS[verb].do, resource, count, params)


def preview_sentence(preview: Preview) -> str:
    """The counts of a preview as people read them (console design 4.6)."""
    will = {
        Verb.QUEUE: "will be queued",
        Verb.PREFLIGHT: "will be preflighted",
        Verb.CANCEL: "will be cancelled",
    }.get(preview.verb, "will be done")
    parts = []
    if preview.eligible or not preview.auto_preflight:
        parts.append(f"{preview.eligible:,} {will}")
    if preview.auto_preflight:
        verb = "needs" if preview.auto_preflight == 1 else "need"
        parts.append(f"{preview.auto_preflight:,} {verb} preflight first, which is done for you")
    if preview.skipped_total:
        parts.append(f"{preview.skipped_total:,} skipped")
    return f"{preview.total:,} selected: {', '.join(parts)}."


def list_url(resource: Resource, filters: Mapping[str, object] | None) -> str:
    """The list on which a selection was made, filtered as it was then."""
    names = _LIST_PARAMETERS.get(resource, {})
    given = {
        names.get(name, name): value if isinstance(value, str) else ",".join(map(str, value))  # type: ignore[call-overload] # texts or lists of texts
        for name, value in (filters or {}).items()
        if value
    }
    if filters and "taken" in filters:
        return f"/photos?on={filters['taken']}"
    path = LIST_OF[resource]
    return f"{path}?{urlencode(given, safe=',:')}" if given else path


def read_operations(
    console: Console, filters: OperationFilter, *, cursor: str | None, limit: int
) -> OperationPage:
    """A page of operations, newest first. Raises `BadCursor`."""
    return console.operations.list(filters, cursor=cursor, limit=limit)


def read_preview_facts(console: Console, preview: Preview, selection: Selection) -> PreviewFacts:
    """What a preview does not say by itself."""
    numbers = sorted({number for c in preview.conflicts for number in c.batch_ids})
    urls = target_urls(
        console, selection.resource, [s.target_id for s in preview.skipped] + numbers
    )
    with console.lading.db.read() as conn:
        names = {number: b.batch_key for number, b in get_batches(conn, numbers).items()}
        rate = _usual_rate(conn) if preview.verb is Verb.QUEUE else None
    groups = [
        SkippedGroup(
            code=code,
            sentence=SENTENCES.get(code, code),
            count=count,
            shown=[skipped for skipped in preview.skipped if skipped.code == code],
        )
        for code, count in preview.skipped_counts.items()
    ]
    return PreviewFacts(
        skipped=groups,
        urls=urls,
        batch_names=names,
        usual_rate_bytes_s=rate,
        usual_s=preview.bytes / rate if rate and preview.bytes else None,
    )


def _usual_rate(conn: Connection) -> float | None:
    """Bytes a second of the last imports that moved any, end to end; None before there are any."""
    job = import_job.c
    last = (
        select(job.bytes_moved, job.started_at, job.finished_at)
        .where(
            job.finished_at.is_not(None),
            job.started_at.is_not(None),
            job.status == JobState.DONE.value,
            job.kind == IMPORT_JOB_KIND,
            job.bytes_moved > 0,
        )
        .order_by(job.finished_at.desc())
        .limit(USUAL_RATE_OF)
    )
    moved, took_s = 0, 0.0
    for row in conn.execute(last):
        moved += row.bytes_moved
        took_s += max(0.0, (row.finished_at - row.started_at).total_seconds())
    return moved / took_s if took_s >= 1 else None


def read_results(
    console: Console,
    found: Operation,
    *,
    outcome: TargetOutcome | None,
    cursor: str | None,
    limit: int,
) -> ResultLines:
    """A page of what became of the targets, each with its address. Raises `BadCursor`."""
    page = console.operations.results(found.key, outcome=outcome or (), cursor=cursor, limit=limit)
    urls = target_urls(console, found.resource, [result.target_id for result in page.results])
    return ResultLines(
        lines=[
            ResultLine(result=result, url=urls.get(result.target_id)) for result in page.results
        ],
        next_cursor=page.next_cursor,
    )


def target_urls(console: Console, resource: Resource, ids: Sequence[int]) -> dict[int, str]:
    """The pages of things by number; without those that are no longer there."""
    if not ids:
        return {}
    if resource is Resource.JOBS:
        return {number: f"/jobs/{number}" for number in ids}
    with console.lading.db.read() as conn:
        if resource is Resource.BATCHES:
            return {number: batch_url(found) for number, found in get_batches(conn, ids).items()}
        if resource is Resource.ASSETS:
            table, name = asset, asset.c.content_hash
        else:  # by number: a key may hold what no address can
            table = CONTAINERS[ContainerKind(KINDS[resource])][0]
            name = table.c.id
        rows = conn.execute(select(table.c.id, name).where(table.c.id.in_(ids)))
        return {row[0]: f"{LIST_OF[resource]}/{row[1]}" for row in rows}
