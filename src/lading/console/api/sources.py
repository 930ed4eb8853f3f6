"""Sources and their scans: whether each answers, what it was told, and asking for another scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions.scans import request_scan
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    Done,
    DryRun,
    Limit,
    Name,
    Number,
    Word,
    also,
    asked,
    creates,
    reads,
    rehearsed,
    whole,
)
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.counted import count_events
from lading.console.readers.explanations import Explained, read_explanation
from lading.console.readers.scans import (
    SCAN_KINDS,
    Scan,
    ScanLine,
    read_scan,
    read_scan_lines,
    read_scans,
)
from lading.console.readers.sources import SourceView, read_source, read_source_views, try_source
from lading.ledger.event_lists import EventFilter
from lading.operations.explain import REF_LENGTH_MAX

TAG: Final = "sources"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAnswer:
    """A source and its last scans."""

    source: SourceView
    scans: Sequence[Scan]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAnswer:
    """Whether a source answered just now; `error` says why not, with what to do."""

    ok: bool
    identity: str | None
    error: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanAsked:
    """The job that is to scan a source, also one that waited already; a dry run has none."""

    source: str
    accept_root: bool
    job_id: int | None
    folder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanAnswer:
    """One scan, and a page of what it changed.

    `waiting` counts the batches that cannot be consumed now, by reason; `since` is the scan before
    it, and `newest` says that none came after it.
    """

    scan: Scan
    since: Scan | None
    newest: bool
    waiting: Mapping[str, int]
    changes: Many[ScanLine]


class ScanBody(Body, frozen=True):
    """`accept_root` lets the missing-mount guard pass: what is gone then counts as withdrawn.

    With `folder`, that folder of a source of photos and what is below it is scanned, and no other.
    """

    accept_root: bool = False
    folder: Name | None = None


def routes() -> list[HTTPRouteHandler]:
    """Sources, scans, and why something is not here."""
    return [list_sources, one_source, scan_source, test_source, list_scans, one_scan, explain]


@reads("/sources", "All configured sources", tag=TAG)
def list_sources(console: NamedDependency[Console]) -> Many[SourceView]:
    """All sources, by name."""
    return whole(read_source_views(console))


@reads("/sources/{name:str}", "One source and its last scans", tag=TAG)
def one_source(console: NamedDependency[Console], name: FromPath[str]) -> SourceAnswer:
    """One source."""
    view, scans = read_source(console, name)
    return SourceAnswer(source=view, scans=scans)


@creates(
    "/sources/{name:str}/scans",
    "Have a worker scan a source",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=202,
    responses=also(200, Done[ScanAsked], "A dry run: nothing was asked for."),
)
def scan_source(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    name: FromPath[str],
    data: JSONBody[ScanBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[ScanAsked]]:
    """Ask for a scan; a second request while one waits is answered with the same job."""
    with rehearsed(dry_run):
        job_id = request_scan(
            console, caller, name, accept_root=data.accept_root, folder=data.folder
        )
    result = ScanAsked(
        source=name,
        accept_root=data.accept_root,
        job_id=None if dry_run else job_id,
        folder=data.folder,
    )
    return Response(
        Done(dry_run=dry_run, result=result),
        status_code=200 if dry_run else 202,
        headers={} if dry_run else {"Location": f"{BASE}/jobs/{job_id}"},
    )


@creates(
    "/sources/{name:str}/test",
    "Look at a source now; changes nothing",
    tag=TAG,
    permission=Permission.OPERATE,
)
def test_source(
    console: NamedDependency[Console], caller: NamedDependency[Caller], name: FromPath[str]
) -> TrialAnswer:
    """Whether the source answers."""
    caller.require(Permission.OPERATE)
    found = try_source(console, name)
    return TrialAnswer(
        ok=found.error is None,
        identity=found.identity,
        error=found.error.as_dict() if found.error else None,
    )


@reads("/scans", "Scans that ended, the newest first", tag="scans")
def list_scans(
    console: NamedDependency[Console],
    *,
    source: Word = None,
    result: Annotated[str | None, QueryParameter(description="finished or refused")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[Scan]:
    """A page of scans."""
    query = asked(
        [
            Field("source", "Source"),
            Field("result", "Result", {"finished": "finished", "refused": "refused"}),
        ],
        {"source": source, "result": result},
        cursor=cursor,
        limit=limit,
    )
    results = query.many("result")
    refused = results[0] == "refused" if len(results) == 1 else None
    page = read_scans(
        console, source=query.one("source"), refused=refused, cursor=query.cursor, limit=limit
    )
    kinds = SCAN_KINDS[refused]
    return many(
        page.scans,
        page,
        count_events(console, EventFilter(kinds=kinds, source=query.one("source"))),
    )


@reads("/scans/{seq:int}", "One scan: what it changed, or why it was not believed", tag="scans")
def one_scan(
    console: NamedDependency[Console],
    seq: Number,
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ScanAnswer:
    """One scan by the number of its event."""
    found = read_scan(console, seq, cursor=cursor, limit=limit)
    return ScanAnswer(
        scan=found.scan,
        since=found.since,
        newest=found.newest,
        waiting=found.waiting,
        changes=many(read_scan_lines(found), found.changes, None),
    )


@reads("/import/explain", "Why a bundle is or is not in the library, step by step", tag="batches")
def explain(
    console: NamedDependency[Console],
    ref: Annotated[
        str,
        QueryParameter(
            min_length=1, max_length=REF_LENGTH_MAX, description="A key, a path, or a part of one."
        ),
    ],
    *,
    source: Word = None,
) -> Explained:
    """Look for what somebody calls `ref`."""
    return read_explanation(console, ref.strip(), source=source or None)
