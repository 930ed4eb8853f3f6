"""One registered recording: its tabs, and what can be asked for of it (design 5.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.base.errors import LadingError
from lading.console.actions.recordings import request_download, request_verify
from lading.console.listing import Field, ListQuery, read_query
from lading.console.pages.forms import Form, local_path, one, see_other
from lading.console.pages.library_scope import audit_lines
from lading.console.pages.recordings import following
from lading.console.parts import Console
from lading.console.readers.recordings_jobs import lines_of, read_jobs
from lading.console.readers.recordings_lines import RECORDINGS, ingest_url, recording_url
from lading.console.readers.recordings_one import (
    Recording,
    read_events,
    read_files,
    read_manifests,
    read_recording,
    read_verifications,
    read_versions,
)
from lading.console.recordings_words import CHECKED_WORDS
from lading.console.render import page
from lading.console.security.guards import requires

T = TypeVar("T")
TABS: Final = {
    "modalities": "Modalities",
    "files": "Files",
    "participants": "Participants",
    "verify": "Verify and download",
    "history": "History",
}
_SOURCE: Final = Field("source", "Source")


def routes() -> list[HTTPRouteHandler]:
    """A recording's tabs, verifying and downloading it."""
    return [
        recording_page,
        modalities_page,
        files_page,
        participants_page,
        verify_page,
        history_page,
        verify,
        download,
    ]


@get(
    "/recordings/{recording_hash:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def recording_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
) -> Response[str]:
    """What was recorded, by family and worker."""
    return _page(request, console, caller, recording_hash, tab="modalities")


@get(
    "/recordings/{recording_hash:str}/modalities",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def modalities_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
) -> Response[str]:
    """The same, by the name of its tab."""
    return _page(request, console, caller, recording_hash, tab="modalities")


@get(
    "/recordings/{recording_hash:str}/files",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def files_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
) -> Response[str]:
    """Its files, compared with what the store lists."""

    def more(found: Recording, query: ListQuery) -> dict[str, Any]:
        return _parts(files=lambda: read_files(found, cursor=query.cursor, limit=query.limit))

    return _page(request, console, caller, recording_hash, tab="files", more=more)


@get(
    "/recordings/{recording_hash:str}/participants",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def participants_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
) -> Response[str]:
    """Who was recorded, and where that is known from."""

    def more(found: Recording, _query: ListQuery) -> dict[str, Any]:
        return _parts(manifests=lambda: read_manifests(found))

    return _page(request, console, caller, recording_hash, tab="participants", more=more)


@get(
    "/recordings/{recording_hash:str}/verify",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def verify_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
) -> Response[str]:
    """What verifications found, and asking for one or for a download."""

    def more(found: Recording, _query: ListQuery) -> dict[str, Any]:
        return {
            "verifications": read_verifications(console, found),
            "checked_words": CHECKED_WORDS,
            "download_dir": found.source.options.download_dir,
            "profile": found.source.options.profile,
        }

    return _page(request, console, caller, recording_hash, tab="verify", more=more)


@get(
    "/recordings/{recording_hash:str}/history",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def history_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
) -> Response[str]:
    """Its row as it was, its manifests, and what the ledger says of it."""

    def more(found: Recording, _query: ListQuery) -> dict[str, Any]:
        return _parts(
            versions=lambda: read_versions(found), manifests=lambda: read_manifests(found)
        ) | {"events": audit_lines(console, read_events(console, found))}

    return _page(request, console, caller, recording_hash, tab="history", more=more)


@post(
    "/recordings/{recording_hash:str}/verify",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def verify(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
    data: Form,
) -> Redirect:
    """Have its files compared."""
    source, level = one(data, "source") or None, one(data, "level")
    request_verify(console, caller, source, recording_hash, level=level)
    return see_other(local_path(one(data, "back"), f"{RECORDINGS}/{recording_hash}/verify"))


@post(
    "/recordings/{recording_hash:str}/download",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def download(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    recording_hash: FromPath[str],
    data: Form,
) -> Redirect:
    """Have it brought to the folder for downloads."""
    request_download(console, caller, one(data, "source") or None, recording_hash)
    return see_other(local_path(one(data, "back"), f"{RECORDINGS}/{recording_hash}/verify"))


def _page(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    recording_hash: str,
    *,
    tab: str,
    more: Callable[[Recording, ListQuery], dict[str, Any]] | None = None,
) -> Response[str]:
    query = read_query(request, [_SOURCE])
    found = read_recording(console, query.one("source"), recording_hash)
    line = found.line
    jobs = lines_of(console, read_jobs(console, about=[recording_hash, line.recording_id]))
    return page(
        console,
        caller,
        f"pages/recording_{tab}.html",
        section=RECORDINGS,
        crumbs=[("Recordings", RECORDINGS)],
        live="topics=engine,recordings" + following(jobs),
        query=query,
        found=found,
        line=line,
        jobs=jobs,
        tabs=[
            (label, recording_url(line.source, recording_hash, name), None)
            for name, label in TABS.items()
        ],
        current=recording_url(line.source, recording_hash, tab),
        tab_label=TABS[tab],
        ingest=ingest_url(line.source, line.recording_id),
        **(more(found, query) if more else {}),
    )


def _parts(**reads: Callable[[], Any]) -> dict[str, Any]:
    """What could be read; where the store was away, None, and `away` says why."""
    parts: dict[str, Any] = {"away": None}
    for name, read in reads.items():
        try:
            parts[name] = read()
        except LadingError as error:
            parts[name] = None
            parts["away"] = error
    return parts
