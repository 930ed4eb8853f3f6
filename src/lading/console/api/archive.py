"""Archives: their runs, inventory codes and rejections, and keys judged without reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions.archive import (
    KEYS_MAX,
    PREFIX_LENGTH_MAX,
    Judged,
    request_run,
    validate_keys,
)
from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    Done,
    DryRun,
    Export,
    Form,
    Limit,
    Name,
    States,
    Word,
    Words,
    also,
    asked,
    creates,
    reads,
    rehearsed,
    require_beginning,
    whole,
)
from lading.console.archive_funnel import Step
from lading.console.archive_words import Marked
from lading.console.parts import Console
from lading.console.readers.archive_object import (
    ArchiveFileLine,
    CodeEvent,
    ObjectDetail,
    read_object,
)
from lading.console.readers.archive_objects import OBJECT_FIELDS, CodeLine, read_objects
from lading.console.readers.archive_rejects import REJECT_FIELDS, Reject, read_rejects
from lading.console.readers.archive_runs import RUN_FIELDS, RunDetail, RunLine, read_run, read_runs
from lading.sources.archive.reports import RunReport

TAG: Final = "archive"
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """One run: its line, its report, and its funnel with where each number is listed."""

    run: RunLine
    report: RunReport
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """The job that is to make a run, also one that waited already; a rehearsed request has none."""

    source: str | None
    dry_run: bool
    safe_run: bool
    prefix: str
    again: bool
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeItem:
    """One inventory code. Each file is `present`, `absent`, `invalid` or `not known`."""

    code: str
    kind: str
    type: str
    state: str
    streaming: str
    json: str
    pdf: str
    md5: str
    mime: str | None
    mime_source: str | None
    container: str | None
    master_bytes: int | None
    run: str | None
    rule: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAnswer:
    """One code with all that is known. `master` is by its words; `rejects` are of latest runs."""

    object: CodeItem
    content_hash: str | None
    files: Sequence[ArchiveFileLine]
    master: Mapping[str, Any]
    width: int | None
    height: int | None
    duration_s: float | None
    checked_by: str | None
    verdict: str
    notes: Sequence[str]
    rejects: Sequence[RejectItem]
    history: Sequence[CodeEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectItem:
    """One rejected key or code. `wrong_at` counts from 1 the character that goes wrong."""

    key: str
    code: str | None
    rule: str
    sentence: str
    expected: str | None
    found: str | None
    wrong_at: int | None
    wanted: str | None
    suggestion: str | None
    next_step: str
    phase: int
    source: str
    run: str


class RunBody(Body, frozen=True):
    """What a run shall be. Without `source` the only archive is meant."""

    source: Name | None = None
    dry_run: bool = True
    safe_run: bool = False
    prefix: Annotated[str, msgspec.Meta(max_length=PREFIX_LENGTH_MAX)] = ""
    again: bool = False


class ValidateBody(Body, frozen=True):
    """The keys to judge, relative to the prefix of the source."""

    keys: Annotated[list[Key], msgspec.Meta(min_length=1, max_length=KEYS_MAX)]
    source: Name | None = None


def routes() -> list[HTTPRouteHandler]:
    """Runs, codes, rejections, and judging keys."""
    return [list_runs, one_run, start, list_objects, one_object, list_rejects, validate]


@reads("/archive/runs", "Runs and dry runs of all archives, the newest first", tag=TAG)
def list_runs(
    console: NamedDependency[Console],
    *,
    kind: Words = None,
    source: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[RunLine]:
    """A page of runs."""
    query = asked(RUN_FIELDS, {"kind": kind, "source": source}, cursor=cursor, limit=limit)
    found = read_runs(
        console,
        kinds=query.many("kind"),
        source=query.one("source"),
        cursor=query.cursor,
        limit=limit,
    )
    return many(found.lines, found, found.count)


@reads("/archive/runs/{run:str}", "One run with its funnel", tag=TAG)
def one_run(console: NamedDependency[Console], run: FromPath[str]) -> RunAnswer:
    """A run by its number, or a dry run by `dry-` and its number."""
    found: RunDetail = read_run(console, run)
    return RunAnswer(run=found.line, report=found.report, steps=found.steps)


@creates(
    "/archive/runs",
    "Have a worker run an archive; a dry run unless the body says otherwise",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=202,
    responses=also(200, Done[RunAsked], "A rehearsed request: nothing was asked for."),
)
def start(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[RunBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[RunAsked]]:
    """Ask for a run; the same request while one waits is answered with the same job.

    `dry_run` in the address rehearses the request, `dry_run` in the body is what the run shall be.
    """
    with rehearsed(dry_run):
        job_id = request_run(
            console,
            caller,
            data.source,
            dry_run=data.dry_run,
            safe_run=data.safe_run,
            prefix=data.prefix,
            again=data.again,
        )
    result = RunAsked(
        source=data.source,
        dry_run=data.dry_run,
        safe_run=data.safe_run,
        prefix=data.prefix,
        again=data.again,
        job_id=None if dry_run else job_id,
    )
    return Response(
        Done(dry_run=dry_run, result=result),
        status_code=200 if dry_run else 202,
        headers={} if dry_run else {"Location": f"{BASE}/jobs/{job_id}"},
    )


@reads("/archive/objects", "Inventory codes", tag=TAG, operation_class=Export)
def list_objects(
    console: NamedDependency[Console],
    *,
    q: Word = None,
    states: States = None,
    carrier: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[CodeItem]]:
    """Codes that the library has, or with `state=rejected` those that the latest runs rejected."""
    query = asked(
        OBJECT_FIELDS, {"q": q, "state": states, "carrier": carrier}, cursor=cursor, limit=limit
    )
    read = partial(
        read_objects,
        console,
        q=query.one("q"),
        state=query.one("state"),
        carrier=query.one("carrier"),
    )
    if form == "json":
        found = read(cursor=query.cursor, limit=limit)
        return Response(many([_code(line) for line in found.lines], found, found.count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[CodeItem], str | None]:
        page = read(cursor=after, limit=EXPORT_PAGE, counted=False)
        return [_code(line) for line in page.lines], page.next_cursor

    return export("archive-objects", form, fetch, CodeItem)


@reads("/archive/objects/{code:str}", "One inventory code", tag=TAG)
def one_object(console: NamedDependency[Console], code: FromPath[str]) -> CodeAnswer:
    """A code of the library, or one that was only ever rejected."""
    found: ObjectDetail = read_object(console, code)
    return CodeAnswer(
        object=_code(found.line),
        content_hash=found.content_hash,
        files=found.files,
        master=dict(found.master),
        width=found.width,
        height=found.height,
        duration_s=found.duration_s,
        checked_by=found.checked_by,
        verdict=found.verdict,
        notes=found.notes,
        rejects=[_reject(one) for one in found.rejects],
        history=found.history,
    )


@reads("/archive/rejects", "What runs rejected, and why", tag=TAG, operation_class=Export)
def list_rejects(
    console: NamedDependency[Console],
    *,
    rule: Words = None,
    source: Word = None,
    run: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[RejectItem]]:
    """Of the latest run of each archive, or of one run; a dry run has the first of them."""
    query = asked(
        REJECT_FIELDS, {"rule": rule, "source": source, "run": run}, cursor=cursor, limit=limit
    )
    rules = [part for text in query.many("rule") for part in text.split(",") if part]
    read = partial(
        read_rejects,
        console,
        rules=rules,
        source=query.one("source"),
        run=query.one("run"),
        samples=0,
    )
    if form == "json":
        found = read(cursor=query.cursor, limit=limit)
        return Response(many([_reject(one) for one in found.rejects], found, found.count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[RejectItem], str | None]:
        page = read(cursor=after, limit=EXPORT_PAGE)
        return [_reject(one) for one in page.rejects], page.next_cursor

    return export("archive-rejects", form, fetch, RejectItem)


@creates(
    "/archive/validate",
    "What the rules say of some keys; nothing is read from the bucket, nothing written",
    tag=TAG,
    permission=Permission.OPERATE,
)
def validate(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[ValidateBody],
    *,
    dry_run: DryRun = False,
) -> Many[Judged]:
    """Judge keys by their names; with `dry_run` just so, since nothing is changed either way."""
    del dry_run
    return whole(validate_keys(console, caller, data.source, data.keys))


def _code(line: CodeLine) -> CodeItem:
    files = {kind.value: word for kind, word in line.files.items()}
    return CodeItem(
        code=line.code,
        kind=line.kind.value,
        type=line.carrier,
        state=line.state,
        streaming=files["streaming"],
        json=files["metadata"],
        pdf=files["report"],
        md5=files["checksum"],
        mime=line.mime,
        mime_source=line.mime_source,
        container=line.container,
        master_bytes=line.master_bytes,
        run=line.run,
        rule=line.rule,
        updated_at=line.updated_at,
    )


def _reject(one: Reject) -> RejectItem:
    found, marked = one.rejection, one.marked
    return RejectItem(
        key=found.subject,
        code=one.code,
        rule=found.rule,
        sentence=found.sentence,
        expected=found.expected,
        found=found.found,
        wrong_at=_place(marked),
        wanted=marked.wanted if marked else None,
        suggestion=marked.suggestion if marked else None,
        next_step=found.next_step,
        phase=found.phase,
        source=one.source,
        run=one.run,
    )


def _place(marked: Marked | None) -> int | None:
    return marked.place if marked else None
