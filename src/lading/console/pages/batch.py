"""The whole truth of one batch (console design 5.3): each tab is an address of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from sqlalchemy import select

from lading.accounts.values import Caller, Permission
from lading.base.naming import short_name
from lading.base.units import format_duration
from lading.console.batch_words import offers_for, rest_of
from lading.console.listing import PAGE_SIZES, Field, ListQuery, parse_instant, read_query
from lading.console.live.fragments import Fragment, Fragments, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.import_media import PRIORITIES
from lading.console.parts import Console
from lading.console.readers.batch import (
    BatchHead,
    find,
    find_namesakes,
    read_events,
    read_head,
    read_history,
    read_item,
    read_item_lines,
    read_items,
    read_provenance,
    reread,
)
from lading.console.readers.import_queue import batch_url
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.readers.manifest import read_manifest, read_sentinel
from lading.console.readers.operations import told_of
from lading.console.render import Shell, page, row_shell
from lading.console.security.guards import requires
from lading.console.vocabulary import BATCH_LOOKS, DECISION_LOOKS, OUTCOME_LOOKS
from lading.db.clock import now
from lading.jobs.values import PRIORITY_DEFAULT, JobRow
from lading.ledger.batches import Batch, BatchMissing
from lading.ledger.item_lists import ItemFilter
from lading.ledger.states import ACTIVE_BATCH_STATES, Decision, Outcome

TABS: Final = (
    ("items", "Items"),
    ("events", "Events"),
    ("provenance", "Provenance"),
    ("manifest", "Manifest"),
    ("history", "History"),
)
ITEM_FIELDS: Final = (
    Field(
        "decision",
        "Planned",
        {d.value: DECISION_LOOKS[d].word for d in Decision if d is not Decision.FAILED},
    ),
    Field("outcome", "Outcome", {o.value: OUTCOME_LOOKS[o].word for o in Outcome}),
    Field("reason", "Reason"),
    Field("q", "Item"),
)
MANIFEST_LINES: Final = 500


def routes() -> list[HTTPRouteHandler]:
    """The tabs of a batch, and one of its items."""
    return [
        batch_page,
        items_page,
        item_page,
        events_page,
        provenance_page,
        manifest_page,
        history_page,
    ]


def live(fragments: Fragments) -> None:
    """What changes on a batch's page: its head, and the items that are seen."""
    fragments.register("batch", _live_head, rows=Rows.BATCHES)
    fragments.register("batch-items", _live_items, rows=Rows.BATCHES)


@get(
    "/import/batches/{key:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def batch_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """What was planned and what became of it, item by item."""
    return _items(request, console, caller, key)


@get(
    "/import/batches/{key:str}/items",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def items_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """The same, by the name of its tab."""
    return _items(request, console, caller, key)


def _items(
    request: Request[Any, Any, Any], console: Console, caller: Caller, key: str
) -> Response[str]:
    batch = _find(console, caller, key)
    if isinstance(batch, Response):
        return batch
    query = read_query(request, ITEM_FIELDS)
    filters = ItemFilter(
        planned=[Decision(value) for value in query.many("decision")],
        outcomes=[Outcome(value) for value in query.many("outcome")],
        reasons=query.many("reason"),
        q=query.one("q"),
    )
    items = read_items(console, batch, filters, cursor=query.cursor, limit=query.limit)
    lines = read_item_lines(console, items.items)
    base, active = batch_url(batch), batch.state in ACTIVE_BATCH_STATES
    head = read_head(console, batch)
    counts = {
        outcome: sum(
            (row.as_planned if row.expected is outcome else row.otherwise.get(outcome, 0))
            + (row.pending if outcome is Outcome.PENDING else 0)
            for row in head.plan
        )
        for outcome in Outcome
    }
    return _page(
        console,
        caller,
        head,
        "items",
        query=query,
        lines=lines,
        reasons=active or any(line.item.reason for line in lines),
        topics=["batch-items"] if active and query.here in {base, f"{base}/items"} else [],
        items=items,
        outcome_counts=counts,
        told=told_of(console, query.done),
    )


@get(
    "/import/batches/{key:str}/items/{number:int}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def item_page(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    number: FromPath[int],
) -> Response[str]:
    """One item: what was planned, what became of it, and why."""
    batch = _find(console, caller, key)
    if isinstance(batch, Response):
        return batch
    found = read_item(console, batch, number)
    return page(
        console,
        caller,
        "pages/batch_item.html",
        section="/import",
        crumbs=[
            ("Import media", "/import"),
            (f"Batch {short_name(batch.batch_key)}", batch_url(batch)),
        ],
        batch=batch,
        base=batch_url(batch),
        number=number,
        found=found,
        item=found.item,
    )


@get(
    "/import/batches/{key:str}/events",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def events_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """Everything the ledger says of the batch, paged; each event has an address."""
    batch = _find(console, caller, key)
    if isinstance(batch, Response):
        return batch
    query = read_query(
        request,
        [Field("upto", "Up to event", kind="number")],
        sorts=("-seq", "seq"),
        default_sort="-seq",
    )
    events = read_events(
        console,
        batch,
        cursor=query.cursor,
        limit=query.limit,
        newest_first=query.sort != "seq",
        upto=query.number("upto"),
    )
    return _page(console, caller, read_head(console, batch), "events", query=query, events=events)


@get(
    "/import/batches/{key:str}/provenance",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def provenance_page(
    console: NamedDependency[Console], caller: NamedDependency[Caller], key: FromPath[str]
) -> Response[str]:
    """Where it came from, and by which manifest it was decided about and imported (A6)."""
    batch = _find(console, caller, key)
    if isinstance(batch, Response):
        return batch
    return _page(
        console,
        caller,
        read_head(console, batch),
        "provenance",
        provenance=read_provenance(console, batch),
        manifest=read_manifest(console, batch, first=1, limit=0),
        sentinel=read_sentinel(console, batch),
        upstream_times={
            name: parse_instant(value) if isinstance(value, str) else None
            for name, value in batch.detail.items()
            if name in {"created_at", "completed_at"}
        },
    )


@get(
    "/import/batches/{key:str}/manifest",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def manifest_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """The manifest as the upstream has it now, each line with an address."""
    batch = _find(console, caller, key)
    if isinstance(batch, Response):
        return batch
    query = read_query(request, [Field("line", "From line", kind="number")])
    manifest = read_manifest(console, batch, first=query.number("line") or 1, limit=MANIFEST_LINES)
    return _page(
        console, caller, read_head(console, batch), "manifest", query=query, manifest=manifest
    )


@get(
    "/import/batches/{key:str}/history",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def history_page(
    console: NamedDependency[Console], caller: NamedDependency[Caller], key: FromPath[str]
) -> Response[str]:
    """Its sets of decisions, its jobs, and every move it made."""
    batch = _find(console, caller, key)
    if isinstance(batch, Response):
        return batch
    history = read_history(console, batch)
    return _page(
        console,
        caller,
        read_head(console, batch),
        "history",
        history=history,
        job_lines=_job_lines(console, history.jobs),
    )


def _find(console: Console, caller: Caller, key: str) -> Batch | Response[str]:
    """The batch of an address, or the page that says why it is not to be found."""
    try:
        return find(console, key)
    except BatchMissing as error:
        return page(
            console,
            caller,
            "pages/batch_missing.html",
            section="/import",
            crumbs=[("Import media", "/import")],
            status_code=error.http_status,
            ref=key,
            error=error,
            namesakes=find_namesakes(console, key),
        )


def _page(
    console: Console, caller: Caller, head: BatchHead, tab: str, **context: Any
) -> Response[str]:
    batch = head.batch
    base = batch_url(batch)
    told = context.get("told")
    jobs = [str(number) for number in (getattr(told, "job_id", None),) if number]
    topics = ["engine", "batch", *context.get("topics", ()), *(["told"] if jobs else [])]
    query = context.get("query")
    return page(
        console,
        caller,
        f"pages/batch_{tab}.html",
        section="/import",
        crumbs=[("Import media", "/import")],
        live=f"topics={','.join(topics)}&batch={batch.id}"
        + (f"&job={','.join(jobs)}" if jobs else ""),
        batch=batch,
        head=head,
        base=base,
        tabs=[(label, base if name == "items" else f"{base}/{name}", None) for name, label in TABS],
        current_tab=base if tab == "items" else f"{base}/{tab}",
        tab_label=dict(TABS)[tab],
        look=BATCH_LOOKS[batch.state],
        back=query.here if isinstance(query, ListQuery) else base,
        **_head_parts(console, head),
        **{"told": None, **context},
    )


def _head_parts(console: Console, head: BatchHead) -> dict[str, Any]:
    stale_after = format_duration(console.lading.settings.worker.stale_after_s)
    return {
        "offers": offers_for(head.batch.state, head.job, acknowledged=head.acknowledged),
        "rest": rest_of(head.batch.state, head.job, stale_after=stale_after),
        "job_line": _job_line(console, head),
        "priorities": PRIORITIES,
        "priority_default": PRIORITY_DEFAULT,
    }


def _job_line(console: Console, head: BatchHead) -> JobLine | None:
    if head.job is None or not head.line.busy:
        return None
    return next(iter(_job_lines(console, [head.job])), None)


def _job_lines(console: Console, jobs: Sequence[JobRow]) -> list[JobLine]:
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        return job_lines(conn, jobs, conn.scalars(select(now())).one(), pulse)


def _live_head(
    console: Console, caller: Caller, visible: Visible, _tick: Tick
) -> Sequence[Fragment]:
    made = []
    for batch_id in sorted(visible.batches):
        batch = reread(console, batch_id)
        if batch is not None:
            made.append(_head_fragment(console, row_shell(caller), read_head(console, batch)))
    return made


def _live_items(
    console: Console, _caller: Caller, visible: Visible, _tick: Tick
) -> Sequence[Fragment]:
    """The first page of a batch's items while they are imported, and how the plan fares."""
    made = []
    for batch_id in sorted(visible.batches):
        batch = reread(console, batch_id)
        if batch is None:
            continue
        base, render = batch_url(batch), console.renderer.fragment
        plan = render("parts/batch_head.html", "plan_table", read_head(console, batch).plan, base)
        made.append(Fragment("batch-plan", plan))
        items = read_items(console, batch, ItemFilter(), cursor=None, limit=PAGE_SIZES[0]).items
        for line in read_item_lines(console, items):
            html = render("parts/batch_head.html", "item_row", line, base, True)
            made.append(Fragment(f"i-{line.item.seq + 1}", html))
    return made


def _head_fragment(console: Console, shell: Shell, head: BatchHead) -> Fragment:
    parts = _head_parts(console, head)
    html = console.renderer.fragment(
        "parts/batch_head.html",
        "batch_head",
        shell,
        head,
        parts["offers"],
        parts["rest"],
        parts["job_line"],
        PRIORITIES,
        batch_url(head.batch),
    )
    return Fragment("batch-head", html)
