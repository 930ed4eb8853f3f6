"""Sorting photos: what is to be sorted, where each file would be moved, runs, and taking back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.base.errors import LadingError
from lading.console.actions.photos_sorting import (
    preview_sorting,
    start_sorting,
    undo_sorting,
    wanted_of,
)
from lading.console.listing import Field, ListQuery
from lading.console.live.fragments import Fragment, Fragments, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import Form, required, see_other
from lading.console.pages.photos import PHOTOS, VIEWS, photos_query
from lading.console.parts import Console
from lading.console.readers.photos import photos_sources
from lading.console.readers.photos_sorting import SortDetail, read_moves, read_sort, read_sorts
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.console.sorting_words import (
    MOVE_LOOKS,
    RUN_LOOKS,
    SHOW_WORDS,
    VERDICT_LOOKS,
    move_counts,
    preview_sentence,
    run_sentence,
    share_done,
    shown_counts,
)
from lading.jobs.queries import get_job
from lading.sorting.errors import BadPattern, BadSortFolder, NotSortable
from lading.sorting.previews import LISTED_MAX, Show
from lading.sorting.rules import parse_pattern
from lading.sorting.sorting import SORT_JOB_KIND
from lading.sorting.values import MoveState, Wanted

SORTING: Final = "/photos/sorting"
PREVIEW: Final = f"{SORTING}/preview"
PREVIEW_WAIT_S: Final = 3.0
"""So long a page waits for a preview; what was not looked at by then is told as such."""
TOKENS: Final = (
    ("{year}/{month:02}", "2024/07", "when it was taken, by the clock of the place"),
    ("{hour}{minute:02}", "1805", "also {day} and {second}; :02 gives two digits"),
    ("{place}", "Grandma's", "the nearest place that has a name in the settings"),
    ("{country}", "Portugal", "the country, as far as the map that Lading brings along tells"),
    ("{camera}", "X100", "the model of the camera"),
    ("{folder}", "trip", "the name of the folder it lies in now"),
    ("{name}", "IMG_0042", "its name without the ending"),
    ("{counter:04}", "0001", "a number, in the order of time"),
    ("{ext}", ".jpg", "its ending; it ends every pattern"),
)
"""What a pattern can be made of: an example, what becomes of it, and what it is."""
_ASKED: Final = ("source", "folder", "to", "pattern", "undated", "set_aside")
_OUTCOMES: Final = {state.value: look.word for state, look in MOVE_LOOKS.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form or an address asks to be sorted, as it was typed."""

    texts: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Asked:
        """What is given of it; names keep the spaces around them, for files may have such."""
        texts = {name: given.get(name) or "" for name in _ASKED}
        return cls({name: text if isinstance(text, str) else "" for name, text in texts.items()})

    def address(self, path: str, **more: str | None) -> str:
        """An address that asks the same; what is empty is left out."""
        found = {name: text for name, text in {**self.texts, **more}.items() if text}
        return f"{path}?{urlencode(found)}" if found else path

    def wanted(self, console: Console) -> Wanted:
        """What it means."""
        texts = self.texts
        return wanted_of(
            console,
            source=texts["source"],
            folder=texts["folder"],
            target=texts["to"],
            pattern=texts["pattern"].strip(),
            undated=texts["undated"].strip(),
            set_aside=texts["set_aside"] == "1",
        )


def routes() -> list[HTTPRouteHandler]:
    """The runs with the form, the preview, one run, starting and taking back."""
    return [sorting_page, preview_page, run_page, start, undo]


def live(fragments: Fragments) -> None:
    """What changes on the page of a run: how far it is."""
    fragments.register("sorting", _live_run, rows=Rows.JOBS)


@get(SORTING, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def sorting_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """What may be sorted, and the runs there were, the newest first."""
    return _sorting_page(request, console, caller, {})


@get(PREVIEW, guards=[requires(Permission.OPERATE)], sync_to_thread=True, include_in_schema=False)
def preview_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Where each file would be moved and why, and the button that does exactly that."""
    asked = Asked.of(request.query_params)
    wanted = asked.wanted(console)
    choices = {show.value: word for show, word in SHOW_WORDS.items()}
    query = photos_query(
        request, caller, *map(_field, _ASKED), Field("show", "Shown", choices), _field("photo")
    )
    photo = request.query_params.get("photo") or None
    again = request.query_params.get("again") or ""
    try:
        _require_patterns(wanted)
        preview = preview_sorting(console, caller, wanted, cursor=query.cursor, not_this=again)
    except _Misfit as misfit:
        return _sorting_page(request, console, caller, {misfit.field: misfit.error})
    except BadSortFolder as error:
        return _sorting_page(request, console, caller, {"folder": error})
    except NotSortable as error:
        field = "source" if error.subject == wanted.source else "to"
        return _sorting_page(request, console, caller, {field: error})
    state = preview.wait(PREVIEW_WAIT_S)
    chosen = query.one("show")
    show = Show(chosen) if chosen else None
    listed = preview.page(show=show, path=photo, cursor=query.cursor, limit=query.limit)
    counts = {one: number for one, number in shown_counts(state).items() if number or one is show}
    return page(
        console,
        caller,
        "pages/photos_sorting_preview.html",
        section=PHOTOS,
        crumbs=[("Sorting", SORTING)],
        query=_only_list(query, PREVIEW),
        asked=asked,
        wanted=wanted,
        preview=preview,
        state=state,
        sentence=preview_sentence(state),
        listed=listed,
        listed_max=LISTED_MAX,
        verdict_looks=VERDICT_LOOKS,
        photo=photo,
        tabs=[("All", asked.address(PREVIEW, photo=photo), state.files)]
        + [
            (SHOW_WORDS[one], asked.address(PREVIEW, photo=photo, show=one.value), number)
            for one, number in counts.items()
        ],
        here=asked.address(PREVIEW, photo=photo, show=chosen),
        whole=asked.address(PREVIEW, show=chosen),
        more=asked.address(PREVIEW, photo=photo, show=chosen, cursor=listed.next_cursor)
        if listed.next_cursor
        else None,
        anew=asked.address(PREVIEW, photo=photo, show=chosen, again=preview.key),
        change=asked.address(SORTING),
        runs=SORTING,
    )


@get(
    SORTING + "/{key:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def run_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """One run: how far it is, what became of each file, and taking it back."""
    query = photos_query(request, caller, Field("outcome", "Outcome", _OUTCOMES))
    detail = read_sort(console, key)
    run = detail.line.run
    chosen = [MoveState(value) for value in query.many("outcome")]
    moves = read_moves(console, run, chosen, cursor=query.cursor, limit=query.limit)
    tabs: list[tuple[str, str, int]] = [("All", query.url(outcome=None), sum(run.moves.values()))]
    tabs += [
        (look.word, query.url(outcome=state.value), run.moves.get(state, 0))
        for state, look in MOVE_LOOKS.items()
        if run.moves.get(state) or state in chosen
    ]
    return page(
        console,
        caller,
        "pages/photos_sorting_run.html",
        section=PHOTOS,
        crumbs=[("Sorting", SORTING)],
        live=f"topics=engine,sorting&job={detail.line.job_id or ''}",
        query=query,
        run=run,
        moves=moves,
        tabs=tabs,
        current_tab=query.url(outcome=query.many("outcome")),
        move_looks=MOVE_LOOKS,
        again=_asked_of(run.wanted).address(PREVIEW),
        **_state_of(detail),
    )


@post(
    SORTING,
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def start(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Have exactly that sorted which a preview showed."""
    wanted = Asked.of(data).wanted(console)
    run = start_sorting(console, caller, wanted, accepted=required(data, "accept"))
    return see_other(f"{SORTING}/{run.key}")


@post(
    SORTING + "/{key:str}/undo",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def undo(
    console: NamedDependency[Console], caller: NamedDependency[Caller], key: FromPath[str]
) -> Redirect:
    """Have everything put back that a run moved."""
    return see_other(f"{SORTING}/{undo_sorting(console, caller, key).key}")


class _Misfit(Exception):
    """A field of the form that does not fit, and why."""

    def __init__(self, field: str, error: LadingError) -> None:
        super().__init__(field)
        self.field = field
        self.error = error


def _require_patterns(wanted: Wanted) -> None:
    for field, text, dated in (
        ("pattern", wanted.pattern, True),
        ("undated", wanted.undated, False),
    ):
        try:
            parse_pattern(text, dated=dated)
        except BadPattern as error:
            raise _Misfit(field, error) from error


def _sorting_page(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    errors: Mapping[str, LadingError],
) -> Response[str]:
    asked = Asked.of(request.query_params)
    query = _only_list(photos_query(request, caller, *map(_field, _ASKED)), SORTING)
    # Where a preview was asked for that cannot be, its address and cursor are none of the list.
    listed = read_sorts(console, cursor=None if errors else query.cursor, limit=query.limit)
    return page(
        console,
        caller,
        "pages/photos_sorting.html",
        section=PHOTOS,
        status_code=next((error.http_status for error in errors.values()), 200),
        query=query,
        views=VIEWS,
        sources=photos_sources(console),
        asked=asked.texts,
        defaults=console.lading.settings.sorting,
        errors=errors,
        tokens=TOKENS,
        listed=listed,
        run_looks=RUN_LOOKS,
        move_counts=move_counts,
    )


def _only_list(query: ListQuery, path: str) -> ListQuery:
    """The query without what is asked to be sorted: that is no filter which could be taken away."""
    return replace(query, path=path, values={})


def _field(name: str) -> Field:
    return Field(name, name.replace("_", " ").capitalize())


def _asked_of(wanted: Wanted) -> Asked:
    return Asked(
        {
            "source": wanted.source,
            "folder": wanted.folder,
            "to": wanted.target if wanted.target != wanted.source else "",
            "pattern": wanted.pattern,
            "undated": wanted.undated,
            "set_aside": "1" if wanted.set_aside else "",
        }
    )


def _state_of(detail: SortDetail) -> dict[str, Any]:
    """What is told of how far a run is, in the order in which `run_state` takes it."""
    run = detail.line.run
    return {
        "detail": detail,
        "look": RUN_LOOKS[run.state],
        "sentence": run_sentence(run),
        "share": share_done(run),
    }


def _live_run(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    found = []
    for job_id in sorted(visible.jobs):
        with console.lading.db.read() as conn:
            job = get_job(conn, job_id)
        if job.kind != SORT_JOB_KIND:
            continue
        told = _state_of(read_sort(console, str(job.params["run"])))
        parts = ("parts/sorting_rows.html", "run_state")
        html = console.renderer.fragment(*parts, shell, *told.values())
        found.append(Fragment("sort-run", html))
    return found
