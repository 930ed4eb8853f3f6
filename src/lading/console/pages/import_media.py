"""Import media: find bundles, decide, queue, watch (A23); the list's whole state is its address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.base.naming import short_name
from lading.console.listing import ListQuery, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.parts import Console
from lading.console.readers.explanations import read_explanation
from lading.console.readers.import_queue import (
    SORTS,
    VIEWS,
    batch_filter,
    count_newer,
    count_views,
    queue_fields,
    read_import_queue,
    read_lines_by_id,
    read_next_in_line,
    selection_filter,
    view_of,
)
from lading.console.readers.operations import told_of
from lading.console.readers.scans import SourceScan, read_sources
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.jobs.values import PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN
from lading.ledger.batch_lists import BatchFilter
from lading.ledger.events import (
    BatchFinished,
    BatchFound,
    BatchMoved,
    BatchPreflighted,
    BatchQueued,
    BatchUpdated,
    JobCancelled,
    JobDone,
    JobFailed,
    JobQueued,
    JobReprioritised,
    JobStarted,
    ScanFinished,
    ScanRefused,
)
from lading.operations.explain import REF_LENGTH_MAX
from lading.operations.selections import FORGOTTEN_AFTER_S
from lading.operations.values import Selection

PRIORITIES: Final = ((0, "0 - first"), (3, "3"), (5, "5 - as usual"), (8, "8"), (20, "20 - last"))

_BATCH_KINDS: Final = frozenset(
    kind.kind
    for kind in (BatchFound, BatchUpdated, BatchMoved, BatchPreflighted, BatchQueued, BatchFinished)
)
_LINE_KINDS: Final = frozenset(
    kind.kind
    for kind in (JobQueued, JobStarted, JobDone, JobFailed, JobCancelled, JobReprioritised)
)
_SCAN_KINDS: Final = frozenset({ScanFinished.kind, ScanRefused.kind}) | _LINE_KINDS


def routes() -> list[HTTPRouteHandler]:
    """The import queue, and why something is not in it."""
    return [import_page, explain_page]


def live(fragments: Fragments) -> None:
    """What changes on the page while it is looked at; the order of its rows does not."""
    fragments.register("batches", _rows, rows=Rows.BATCHES)
    fragments.register("batches", _counts, kinds=_BATCH_KINDS)
    fragments.register("batches", _in_line, kinds=_LINE_KINDS)
    fragments.register("sources", _sources, kinds=_SCAN_KINDS)
    fragments.register("sources", _sources, rows=Rows.JOBS)


@get("/import", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def import_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One page of the import queue."""
    settings = console.lading.settings
    fields = queue_fields(sorted(console.lading.sources))
    query = _query(request, console, caller)
    selectable = caller.may(Permission.OPERATE)
    queue = read_import_queue(console, query, selection=_selection(console, query, selectable))
    sources = read_sources(console)
    told = told_of(console, query.done)
    filters = batch_filter(query)
    return page(
        console,
        caller,
        "pages/import.html",
        section="/import",
        live=_live_query(
            [line.batch.id for line in queue.lines],
            [source.job.id for source in sources if source.job]
            + ([told.job_id] if told and told.job_id and told.running else []),
        ),
        query=query,
        field_names=[known.name for known in fields],
        choices={known.name: known.choices for known in fields},
        queue=queue,
        current_view=next(view for view in queue.views if view.name == queue.view),
        view_urls={name: query.url(view=name, status=None, sel=query.selection) for name in VIEWS},
        status_choices=list(queue.by_state.items()),
        selectable=selectable,
        selection_query=urlencode({"resource": "batches", **selection_filter(filters)}, safe=",:"),
        export_query=_export_query(query),
        sources=sources,
        ever_scanned=any(source.last for source in sources),
        example=short_name(queue.lines[0].batch.batch_key) if queue.lines else None,
        next_in_line=read_next_in_line(console),
        priorities=PRIORITIES,
        priority_default=PRIORITY_DEFAULT,
        priority_min=PRIORITY_MIN,
        priority_max=PRIORITY_MAX,
        selection_kept_s=FORGOTTEN_AFTER_S,
        settings=settings,
        told=told,
    )


@get(
    "/import/explain",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def explain_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Why a bundle is not here: each step from its source to the library."""
    given = request.query_params
    ref = str(given.get("ref", "")).strip()[:REF_LENGTH_MAX]
    names = sorted(console.lading.sources)
    source = str(given.get("source", "")) or None
    found = read_explanation(console, ref, source=source) if ref else None
    return page(
        console,
        caller,
        "pages/explain.html",
        section="/import",
        crumbs=[("Import media", "/import")],
        ref=ref,
        source=source,
        sources=names,
        found=found,
        here=f"/import/explain?{urlencode({'ref': ref})}",
    )


def _query(request: Request[Any, Any, Any], console: Console, caller: Caller) -> ListQuery:
    return read_query(
        request,
        queue_fields(sorted(console.lading.sources)),
        sorts=SORTS,
        default_sort=SORTS[0],
        page_size=int(caller.account.preferences.get("page_size", "50")),
        extra={"view": list(VIEWS)},
    )


def _selection(console: Console, query: ListQuery, selectable: bool) -> Selection | None:
    """The selection of the address, for whoever could do something with it."""
    if not query.selection or not selectable:
        return None
    return console.operations.get_selection(query.selection)


def _live_query(batch_ids: Sequence[int], job_ids: Sequence[int]) -> str:
    parts = ["topics=engine,batches,sources,told"]
    if batch_ids:
        parts.append(f"batch={','.join(map(str, batch_ids))}")
    if job_ids:
        parts.append(f"job={','.join(map(str, job_ids))}")
    return "&".join(parts)


def _export_query(query: ListQuery) -> str:
    """What the list shows, on all its pages, as the API's list takes it."""
    given = {
        field.name: ",".join(query.many(field.name))
        for field in query.fields
        if query.many(field.name)
    }
    if view_of(query) != "all":
        given["view"] = view_of(query)
    if query.sort != query.default_sort:
        given["sort"] = query.sort
    return f"&{urlencode(given, safe=',:')}" if given else ""


def _rows(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell, selectable = row_shell(caller), caller.may(Permission.OPERATE)
    return [
        Fragment(
            f"b-{line.batch.id}",
            console.renderer.fragment(
                "parts/batch_rows.html", "batch_row", shell, line, selectable
            ),
        )
        for line in read_lines_by_id(console, visible.batches)
    ]


def _counts(
    console: Console, _caller: Caller, visible: Visible, _tick: Tick
) -> list[Fragment | Notice]:
    with console.lading.db.read() as conn:
        counts = count_views(conn, BatchFilter())
        newer = count_newer(conn, visible.since)
    made: list[Fragment | Notice] = [
        Fragment(
            f"count-{name.replace('_', '-')}",
            console.renderer.fragment("parts/batch_rows.html", "view_count", name, count, True),
        )
        for name, count in counts.items()
    ]
    tabs = {name: str(count) for name, count in counts.items()}
    return [*made, Notice("batches:changed", {"new": newer, "tabs": tabs})]


def _in_line(console: Console, caller: Caller, _visible: Visible, _tick: Tick) -> list[Fragment]:
    html = console.renderer.fragment(
        "parts/batch_rows.html",
        "in_line",
        row_shell(caller),
        read_next_in_line(console),
        "/import",
    )
    return [Fragment("next-in-line", html)]


def _sources(console: Console, caller: Caller, _visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    return [_source(console, shell, source) for source in read_sources(console)]


def _source(console: Console, shell: Any, source: SourceScan) -> Fragment:
    html = console.renderer.fragment(
        "parts/batch_rows.html", "source_line", shell, source, "/import"
    )
    return Fragment(f"scan-{source.name}", html)
