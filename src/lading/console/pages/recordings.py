"""Recordings: those that are registered, those on the rig, those only stored (design 5.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.base.errors import LadingError
from lading.console.listing import Field, ListQuery, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine
from lading.console.readers.operations import told_of
from lading.console.readers.recordings import (
    LOCAL,
    RECORDING_FIELDS,
    STORED,
    VIEWS,
    read_recordings,
)
from lading.console.readers.recordings_held import source_of, sources_of
from lading.console.readers.recordings_jobs import lines_of, read_jobs, read_lines_of
from lading.console.readers.recordings_lines import RECORDINGS, RecordingList
from lading.console.readers.recordings_local import count_local, count_newer, read_local_lines
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.ledger.events import BatchFound
from lading.sources.recordings.source import RecordingsSource

ROWS = "parts/recording_rows.html"


def routes() -> list[HTTPRouteHandler]:
    """The lists."""
    return [recordings_page]


def live(fragments: Fragments) -> None:
    """What changes while it is looked at: rows of jobs and of batches, and that there are more."""
    fragments.register("recordings", _live_jobs, rows=Rows.JOBS)
    fragments.register("recordings", _live_local, rows=Rows.BATCHES)
    fragments.register("recordings", _live_new, kinds={BatchFound.kind})


@get(RECORDINGS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def recordings_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One of the lists; without a source of recordings, how to configure one."""
    sources = sources_of(console)
    query = read_query(request, fields_for(sources))
    if not sources:
        return page(
            console, caller, "pages/recordings.html", section=RECORDINGS, query=query, sources=[]
        )
    source = source_of(console, query.one("source"))
    view = query.one("state") or ""
    listed = _read(console, source, query, view)
    jobs = lines_of(console, read_jobs(console))
    return page(
        console,
        caller,
        "pages/recordings.html",
        section=RECORDINGS,
        live="topics=engine,recordings" + following(jobs, listed if view == LOCAL else None),
        query=query,
        sources=sources,
        source=source,
        view=view,
        view_word=VIEWS[view],
        listed=listed,
        jobs=jobs,
        tabs=_tabs(console, source, query, listed, view),
        current=query.url(state=view or None, cursor=None),
        told=told_of(console, query.done),
        on_the_rig=view == LOCAL,
        only_stored=view == STORED,
    )


def fields_for(sources: Sequence[RecordingsSource]) -> list[Field]:
    """The filters, the names of the sources among them."""
    *others, _ = RECORDING_FIELDS
    return [*others, Field("source", "Source", {each.name: each.name for each in sources})]


def following(jobs: Sequence[JobLine], local: RecordingList | None = None) -> str:
    """What a page's stream shall follow of rows, as a query."""
    numbers = [str(line.job.id) for line in jobs]
    batches = [str(line.batch_id) for line in local.lines if line.batch_id] if local else []
    return (f"&job={','.join(numbers)}" if numbers else "") + (
        f"&batch={','.join(batches)}" if batches else ""
    )


def _read(console: Console, source: RecordingsSource, query: ListQuery, view: str) -> RecordingList:
    try:
        return read_recordings(
            console,
            source,
            view=view,
            q=query.one("q"),
            modality=query.one("modality"),
            participant=query.one("participant"),
            cursor=query.cursor,
            limit=query.limit,
        )
    except LadingError as error:  # a catalog that is away takes nothing else with it
        return RecordingList(error=error)


def _tabs(
    console: Console,
    source: RecordingsSource,
    query: ListQuery,
    listed: RecordingList,
    view: str,
) -> list[tuple[str, str, Any]]:
    counts = {LOCAL: count_local(console, source), view: listed.count}
    return [
        (word, query.url(state=name or None, cursor=None), counts.get(name))
        for name, word in VIEWS.items()
    ]


def _live_jobs(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    return [
        Fragment(
            f"j-{line.job.id}",
            console.renderer.fragment(ROWS, "recording_job", shell, line, RECORDINGS),
        )
        for line in read_lines_of(console, visible.jobs)
    ]


def _live_local(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    return [
        Fragment(
            f"rec-{line.batch_id}",
            console.renderer.fragment(ROWS, "recording_row", shell, line),
        )
        for line in read_local_lines(console, sources_of(console), sorted(visible.batches))
    ]


def _live_new(console: Console, _caller: Caller, visible: Visible, _tick: Tick) -> list[Notice]:
    return [Notice("recordings:changed", {"new": count_newer(console, visible.since)})]
