"""Access packages: what was put together once, and to which sites it is open (A18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions import library
from lading.console.listing import read_query
from lading.console.pages.forms import Form, one, required, see_other
from lading.console.pages.library_scope import (
    audit_lines,
    back_to,
    changed_words,
    chosen_of,
    container_urls,
    from_list,
    with_change,
)
from lading.console.parts import Console
from lading.console.readers.library import CONTAINER_WORDS
from lading.console.readers.sites import read_package, read_packages, site_choices
from lading.console.render import page
from lading.console.security.guards import requires

PACKAGES: Final = "/library/packages"
PARTS: Final[Mapping[str, str]] = {"contents": "Contents", "history": "History"}


def routes() -> list[HTTPRouteHandler]:
    """The list, one package, and what is done to it."""
    return [packages_page, package_page, create, rename, change_content, change_site]


@get(PACKAGES, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def packages_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All access packages."""
    return page(
        console,
        caller,
        "pages/packages.html",
        section=PACKAGES,
        packages=read_packages(console.lading.db),
        changed=changed_words(request),
    )


@get(
    f"{PACKAGES}/{{key:str}}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def package_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """One access package."""
    given = request.query_params
    kept = {name: [str(given.get(name, ""))] for name in ("changed", "count")}
    query = read_query(request, (), extra={"part": list(PARTS), **kept})
    part = query.extra.get("part", "contents")
    found = read_package(console.lading.db, key, cursor=query.cursor, limit=query.limit)
    here = query.url(changed=None, count=None, cursor=query.cursor)
    url = f"{PACKAGES}/{key}"
    return page(
        console,
        caller,
        "pages/package.html",
        section=PACKAGES,
        crumbs=[("Access packages", PACKAGES)],
        query=query,
        found=found,
        package=found.package,
        url=url,
        here=here,
        part=part,
        tabs=[("Contents", url, None), ("History", f"{url}?part=history", None)],
        current_tab=url if part == "contents" else f"{url}?part=history",
        container_words=CONTAINER_WORDS,
        container_urls=container_urls(found.containers),
        from_list=from_list(here),
        lines=audit_lines(console, found.history) if part == "history" else (),
        sites=site_choices(console.lading.db),
        names_max=library.NAMES_MAX,
        changed=changed_words(request),
    )


@post(PACKAGES, guards=[requires(Permission.OPERATE)], sync_to_thread=True, include_in_schema=False)
def create(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Set up an access package."""
    made = library.create_package(console, caller, required(data, "key"), required(data, "name"))
    return see_other(with_change(f"{PACKAGES}/{made.key}", "created"))


@post(
    f"{PACKAGES}/{{key:str}}/rename",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def rename(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Redirect:
    """Give an access package another name."""
    library.rename_package(console, caller, key, required(data, "name"))
    return back_to(data, f"{PACKAGES}/{key}", "renamed")


@post(
    f"{PACKAGES}/{{key:str}}/content",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def change_content(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Redirect:
    """Put assets and containers in a package, or take them out of it."""
    does = {"added": library.add_to_package, "removed": library.remove_from_package}
    change = chosen_of(data, does)
    count = does[change](console, caller, key, library.parse_names(one(data, "names")))
    return back_to(data, f"{PACKAGES}/{key}", change, count)


@post(
    f"{PACKAGES}/{{key:str}}/sites",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def change_site(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Redirect:
    """Open a package to a site, or close it."""
    does = {"attached": library.attach_package, "detached": library.detach_package}
    change = chosen_of(data, does)
    done = does[change](console, caller, required(data, "site"), key)
    return back_to(data, f"{PACKAGES}/{key}", change, int(done))
