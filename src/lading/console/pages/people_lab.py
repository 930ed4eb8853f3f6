"""The lab: settings for faces are chosen, tried on a file or folder, and judged (C9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from anyio import to_thread
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.actions.people_lab import try_settings
from lading.console.face_pictures import answer_face, crop_of_place
from lading.console.failures import PageMissing
from lading.console.lab_words import (
    SETTING_WORDS,
    THRESHOLDS,
    Draft,
    changes_in_words,
    read_draft,
    shown,
)
from lading.console.listing import Field, ListQuery, read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.media_bytes import require_bytes
from lading.console.pages.forms import Form, Number, numbers, one, see_other
from lading.console.pages.people import PEOPLE, VIEWS
from lading.console.parts import Console
from lading.console.readers.job import JobView, read_job
from lading.console.readers.people_lab import LAB, LabPage, read_lab, run_url
from lading.console.readers.people_lab_run import (
    ERRORS,
    FILES,
    Judged,
    Listed,
    judge_run,
    lab_face,
    lab_face_version,
    lab_file,
    read_run_head,
    read_run_line,
)
from lading.console.render import make_shell, page
from lading.console.security.guards import requires
from lading.console.vocabulary import CHANGE_LOOKS, VERDICT_LOOKS
from lading.media.faces.settings import FaceSettings
from lading.people.adopted import changed_settings
from lading.people.errors import LabTooLarge, NotPhotos
from lading.people.lab import FILES_MAX, RUNS_KEPT

CRUMBS: Final = [("People", PEOPLE), ("Lab", LAB)]
SHOWN: Final[Mapping[str, str]] = {
    **{kind.value: look.word for kind, look in CHANGE_LOOKS.items()},
    **{verdict.value: look.word for verdict, look in VERDICT_LOOKS.items()},
    FILES: "All files",
    ERRORS: "Files with errors",
}
"""What of a run can be listed, beside all faces."""


def routes() -> list[HTTPRouteHandler]:
    """The form with what was tried before, one run, and pictures of its faces."""
    return [lab_page, start, run_page, lab_face_picture]


def live(fragments: Fragments) -> None:
    """A run's page tells how far its job is, and when there is a result."""
    fragments.register("lab", _standing, rows=Rows.JOBS, on_clock=True)


@get(LAB, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def lab_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """What to try, and what was tried."""
    fields = (
        Field("source", "Source"),
        Field("folder", "Folder"),
        Field("file", "File"),
        Field("person", "Person", kind="number"),
    )
    query = read_query(request, fields)
    given = {name: query.one(name) or "" for name in ("source", "folder", "file")}
    found = read_lab(console, cursor=query.cursor)
    return _lab(console, caller, found, given, query=query, persons=query.many("person"))


@post(
    LAB,
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def start(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Response[Any]:
    """Try it; leads to the run, or back with what is wrong, at its field."""
    found = read_lab(console)
    given = {name: one(data, name) for name in ("source", "folder", "file")}
    texts = {name: one(data, name) for name in data}
    held = found.held.settings
    draft = read_draft(texts, held, held, models=found.models)
    persons = numbers(data, "person")
    place_error = None
    if draft.settings is not None:
        try:
            number = try_settings(
                console,
                caller,
                source=given["source"],
                folder=given["folder"].strip("/"),
                file_name=given["file"],
                settings=draft.settings,
                persons=persons,
            )
            return see_other(run_url(number))
        except (LabTooLarge, NotPhotos) as error:
            place_error = error
    return _lab(
        console,
        caller,
        found,
        given,
        draft=draft,
        place_error=place_error,
        persons=[str(each) for each in persons],
        status_code=422,
    )


@get(
    "/people/lab/{run_id:int}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def run_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    run_id: Number,
) -> Response[str]:
    """A run: how far it is or, with a result, what the thresholds in the address make of it."""
    fields = (
        Field("show", "List", SHOWN),
        Field("person", "Person", kind="number"),
        Field("file", "File"),
        *(Field(name, SETTING_WORDS[name]) for name in THRESHOLDS),
    )
    query = read_query(request, fields)
    line, held = read_run_line(console, run_id)
    if not line.run.finished:
        return page(
            console,
            caller,
            "pages/people_lab_waiting.html",
            section=PEOPLE,
            crumbs=CRUMBS,
            live=f"topics=engine,job,lab&job={line.job_id}" if line.job_id else "",
            line=line,
            view=_job_of(console, line.job_id),
            changed=_tried(held.settings, line.run.settings),
        )
    given = {name: query.one(name) or "" for name in THRESHOLDS}
    draft = read_draft(given, line.run.settings, held.settings, names=THRESHOLDS)
    settings = draft.settings or line.run.settings
    query = _without_usual(query, line.run.settings)
    listed = Listed(
        show=query.one("show") or "", person=query.number("person"), file=query.one("file")
    )
    judged = judge_run(console, line, held, settings.matching, listed, cursor=query.cursor)
    return page(
        console,
        caller,
        "pages/people_lab_run.html",
        section=PEOPLE,
        crumbs=CRUMBS,
        query=query,
        judged=judged,
        line=line,
        draft=draft,
        listed=listed,
        tabs=_tabs(query, judged),
        current=query.url(show=listed.show or None),
        hidden=_hidden(query),
        changed=_tried(held.settings, judged.settings),
        adopt_query=query.url(show=None, person=None, file=None).partition("?")[2],
    )


@get(
    "/media/lab/{run_id:int}/faces/{number:int}",
    guards=[requires(Permission.READ)],
    opt={"permission": Permission.READ},
    include_in_schema=False,
)
async def lab_face_picture(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    run_id: Number,
    number: Number,
) -> Response[bytes]:
    """The picture of a face that a run found and the library does not have."""
    run = await to_thread.run_sync(read_run_head, console, run_id)
    version = lab_face_version(run, number)
    return await answer_face(console, request, version, partial(_crop, console, run_id, number))


def _crop(console: Console, run_id: int, number: int) -> bytes:
    run, found = lab_face(console, run_id, number)
    if found is None:
        raise PageMissing("the run has no such face", subject=f"face {number}")
    if (facts := lab_file(console, run, found)) is not None:
        require_bytes(console.lading, facts)
    return crop_of_place(console.lading, run.source, found.file, found.box)


def _lab(
    console: Console,
    caller: Caller,
    found: LabPage,
    given: Mapping[str, str],
    *,
    query: ListQuery | None = None,
    draft: Draft | None = None,
    place_error: LabTooLarge | NotPhotos | None = None,
    persons: list[str],
    status_code: int = 200,
) -> Response[str]:
    held = found.held.settings
    return page(
        console,
        caller,
        "pages/people_lab.html",
        section=PEOPLE,
        status_code=status_code,
        query=query,
        views=VIEWS,
        found=found,
        given=given,
        persons=persons,
        draft=draft or read_draft({}, held, held, models=found.models),
        place_error=place_error,
        files_max=FILES_MAX,
        runs_kept=RUNS_KEPT,
        words=changes_in_words,
    )


def _without_usual(query: ListQuery, run: FaceSettings) -> ListQuery:
    """The query without thresholds that are as in the run: forms send all, and none is a filter."""
    usual = run.as_dict()
    kept = {
        name: given
        for name, given in query.values.items()
        if name not in THRESHOLDS or list(given) != [shown(usual[name])]
    }
    return replace(query, values=kept)


def _tried(held: FaceSettings, settings: FaceSettings) -> list[str]:
    """What differs from what holds, in words."""
    return changes_in_words(changed_settings(held, settings))


def _job_of(console: Console, job_id: int | None) -> JobView | None:
    return None if job_id is None else read_job(console, job_id)


def _tabs(query: ListQuery, judged: Judged) -> list[tuple[str, str, int]]:
    """The lists of a run with how many there are in each; those of changes first."""
    counts = {**judged.changes, **judged.verdicts, ERRORS: judged.failed}
    counts[FILES] = len(judged.run.files)
    always = {kind.value for kind in CHANGE_LOOKS} - {"reason"}
    tabs = [("All faces", query.url(show=None), len(judged.run.faces))]
    return tabs + [
        (word, query.url(show=name), counts.get(name, 0))
        for name, word in SHOWN.items()
        if counts.get(name) or name in always
    ]


def _hidden(query: ListQuery) -> dict[str, str]:
    """What the form of thresholds carries along: what is listed."""
    kept = query.parameters()
    return {name: kept[name] for name in ("show", "person", "file") if name in kept}


def _standing(
    console: Console, caller: Caller, visible: Visible, _tick: Tick
) -> list[Fragment | Notice]:
    shell = make_shell(console, caller, section=PEOPLE)
    return [
        Fragment(
            "lab-standing",
            console.renderer.fragment(
                "parts/lab_bits.html", "standing", shell, read_job(console, number)
            ),
        )
        for number in sorted(visible.jobs)[:1]
    ]
