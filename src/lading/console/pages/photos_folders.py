"""Photos by folder: the sources, then folder by folder with what became of each."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.pages.library_scope import from_list
from lading.console.pages.photos import PHOTOS, VIEWS, photos_query
from lading.console.parts import Console
from lading.console.readers.library import BADGE_WORDS
from lading.console.readers.photos_folders import read_folder, read_roots
from lading.console.render import page
from lading.console.security.guards import requires

FOLDERS: Final = "/photos/folders"


def routes() -> list[HTTPRouteHandler]:
    """The sources, and a folder of one."""
    return [folders_page, folder_page]


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
    query = photos_query(request, caller)
    # As the address has it: as a parameter, some of its characters would be tidied.
    place = str(request.scope["path"]).partition(f"{FOLDERS}/")[2]
    folder = read_folder(console, place, cursor=query.cursor, limit=query.limit)
    return page(
        console,
        caller,
        "pages/photos_folder.html",
        section=PHOTOS,
        crumbs=[("Photos", PHOTOS), *folder.steps],
        query=query,
        folder=folder,
        badge_words=BADGE_WORDS,
        from_list=from_list(query.here),
    )
