"""Photos by folder: folder by folder with what became of each, and asking for a look at one."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from sqlalchemy import select

from lading.accounts.values import Caller, Permission
from lading.console.actions.photos_folders import look_for_faces, scan_folder
from lading.console.listing import read_query
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import Form, local_path, one, see_other, with_parameters
from lading.console.pages.library_scope import from_list
from lading.console.pages.photos import PHOTOS, VIEWS, photos_query
from lading.console.parts import Console
from lading.console.readers.job_lines import JobLine, job_lines, pulse_of
from lading.console.readers.library import BADGE_WORDS
from lading.console.readers.photos_folders import (
    FolderDetail,
    NoSuchFolder,
    folder_url,
    read_folder,
    read_roots,
)
from lading.console.readers.photos_new import new_in_folder
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.db.clock import now
from lading.jobs.queries import list_jobs
from lading.jobs.values import JobFilter, JobRow
from lading.ledger.batches import get_batches

FOLDERS: Final = "/photos/folders"
_SCAN: Final = "/scan"
_FACES: Final = "/faces"
FACES_TOLD: Final = {
    "some": "Faces are looked for here as soon as a worker is free.",
    "none": "Nothing is left to be looked at: all photos here were searched with these settings.",
}
"""What is said after faces were asked for, by what was put in line."""


def routes() -> list[HTTPRouteHandler]:
    """The sources, a folder of one, and what can be asked for of it."""
    return [folders_page, folder_page, ask_of_folder]


def live(fragments: Fragments) -> None:
    """What changes on the page of a folder: its batch, what is at work on it, and new photos."""
    fragments.register("folder", _live_batch, rows=Rows.BATCHES)
    fragments.register("folder", _live_jobs, rows=Rows.JOBS, on_clock=True)
    fragments.register("folder", _live_new)


@get(FOLDERS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def folders_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """Every source of photos with its last scan."""
    return page(
        console,
        caller,
        "pages/photos_sources.html",
        section=PHOTOS,
        query=photos_query(request, caller),
        views=VIEWS,
        roots=read_roots(console),
    )


@get(
    "/photos/folders/{place:path}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def folder_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One folder: the folders in it, its pictures, and what of it was not taken in."""
    size = int(caller.account.preferences.get("page_size", "50"))
    query = read_query(request, [], page_size=size, extra={"faces": list(FACES_TOLD)})
    folder = read_folder(console, _place(request), cursor=query.cursor, limit=query.limit)
    jobs = [*folder.state.scan_jobs, *folder.state.jobs]
    return page(
        console,
        caller,
        "pages/photos_folder.html",
        section=PHOTOS,
        crumbs=[("Photos", PHOTOS), *folder.steps],
        live=_live_query(folder),
        query=query,
        folder=folder,
        folder_url=folder_url,
        jobs=_lines(console, jobs),
        faces=console.lading.settings.faces.enabled and folder.nameable,
        faces_told=FACES_TOLD.get(query.extra.get("faces", "")),
        badge_words=BADGE_WORDS,
        from_list=from_list(query.here),
    )


@post(
    "/photos/folders/{place:path}",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def ask_of_folder(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: Form,
) -> Redirect:
    """Have a folder scanned (`.../scan`), or looked at for faces (`.../faces`)."""
    asked = _place(request)
    place, _, verb = asked.rpartition("/")
    source, _, path = place.partition("/")
    back = local_path(one(data, "back"), folder_url(source, path))
    if f"/{verb}" == _SCAN:
        scan_folder(console, caller, place)
        return see_other(with_parameters(back, faces=None))
    if f"/{verb}" == _FACES:
        lined = look_for_faces(console, caller, place)
        told = "some" if lined.scans or lined.matches else "none"
        return see_other(with_parameters(back, faces=told))
    raise NoSuchFolder("nothing of this kind can be asked of a folder", subject=asked[:200])


def _place(request: Request[Any, Any, Any]) -> str:
    # As the address has it: as a parameter, some of its characters would be tidied.
    return str(request.scope["path"]).partition(f"{FOLDERS}/")[2]


def _live_query(folder: FolderDetail) -> str:
    batch = f"&batch={folder.own.batch.id}" if folder.own.batch else ""
    numbers = ",".join(str(number) for number in folder.state.job_ids)
    return f"topics=engine,folder{batch}&job={numbers}&above={folder.newest}"


def _lines(console: Console, jobs: list[JobRow]) -> list[JobLine]:
    pulse = pulse_of(console)
    with console.lading.db.read() as conn:
        return job_lines(conn, jobs, conn.scalars(select(now())).one(), pulse)


def _live_batch(console: Console, _caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    with console.lading.db.read() as conn:
        batches = get_batches(conn, visible.batches)
    return [
        Fragment(
            f"fb-{batch.id}",
            console.renderer.fragment("parts/folder_rows.html", "folder_batch", batch),
        )
        for batch in batches.values()
    ]


def _live_jobs(console: Console, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    if not visible.jobs:
        return []
    with console.lading.db.read() as conn:
        wanted = JobFilter(ids=sorted(visible.jobs))
        jobs = list_jobs(conn, wanted, cursor=None, limit=len(visible.jobs)).jobs
    shell = row_shell(caller)
    return [
        Fragment(
            f"fj-{line.job.id}",
            console.renderer.fragment("parts/folder_rows.html", "folder_job", shell, line),
        )
        for line in _lines(console, list(jobs))
    ]


def _live_new(console: Console, _caller: Caller, visible: Visible, _tick: Tick) -> list[Notice]:
    with console.lading.db.read() as conn:
        new = sum(
            new_in_folder(conn, batch, visible.above)
            for batch in get_batches(conn, visible.batches).values()
        )
    return [Notice("photos:changed", {"new": new})]
