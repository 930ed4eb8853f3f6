"""Sites: what each sees and by which of the four routes, and what it is given (A18)."""

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
from lading.console.listing import Field, read_query
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
from lading.console.readers.sites import (
    ROUTE_WORDS,
    Sight,
    read_packages,
    read_sight,
    read_site,
    read_sites,
)
from lading.console.render import page
from lading.console.security.guards import requires
from lading.library.known import UnknownAsset
from lading.library.routes import RouteKind

SITES: Final = "/library/sites"
PARTS: Final[Mapping[str, str]] = {
    "given": "Galleries and packages",
    "members": "Members",
    "allowed": "Allow list",
    "history": "History",
}
ROUTE_PARTS: Final[Mapping[RouteKind, str]] = {
    RouteKind.SITE_MEMBERSHIP: "members",
    RouteKind.CONTAINER_MEMBERSHIP: "given",
    RouteKind.ALLOW_LIST: "allowed",
    RouteKind.ACCESS_PACKAGE: "given",
}
AWAITED: Final = Field("awaited", "Entries", {"yes": "awaited", "no": "here"})


def routes() -> list[HTTPRouteHandler]:
    """The list, one site, and what is done to it."""
    return [sites_page, site_page, create, rename, change_content, change_allowed, change_package]


@get(SITES, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def sites_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """All sites."""
    return page(
        console,
        caller,
        "pages/sites.html",
        section=SITES,
        sites=read_sites(console.lading.db),
        changed=changed_words(request),
    )


@get(
    f"{SITES}/{{key:str}}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def site_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """One site."""
    given = request.query_params
    asked = str(given.get("asset", "")).strip()[:200]
    kept = {"asset": [asked], "part": list(PARTS)}
    kept |= {name: [str(given.get(name, ""))] for name in ("changed", "count")}
    query = read_query(request, (AWAITED,), extra=kept)
    part = query.extra.get("part", "given")
    awaited = {"yes": True, "no": False, None: None}[query.one("awaited")]
    found = read_site(
        console.lading.db,
        key,
        awaited=awaited if part == "allowed" else None,
        members_cursor=query.cursor if part == "members" else None,
        allowed_cursor=query.cursor if part == "allowed" else None,
        limit=query.limit,
    )
    sight, unclear = _sight(console, key, asked)
    here = query.url(changed=None, count=None, cursor=query.cursor, asset=None)
    return page(
        console,
        caller,
        "pages/site.html",
        section=SITES,
        crumbs=[("Sites", SITES)],
        query=query,
        found=found,
        site=found.site,
        url=f"{SITES}/{key}",
        here=here,
        part=part,
        tabs=[(words, _part_url(key, name), _count(found, name)) for name, words in PARTS.items()],
        current_tab=_part_url(key, part),
        route_words=ROUTE_WORDS,
        route_urls={kind: _part_url(key, name) for kind, name in ROUTE_PARTS.items()},
        container_words=CONTAINER_WORDS,
        container_urls=container_urls(found.containers),
        from_list=from_list(here),
        asked=asked,
        sight=sight,
        unclear=unclear,
        lines=audit_lines(console, found.history) if part == "history" else (),
        packages=[line.package for line in read_packages(console.lading.db)],
        names_max=library.NAMES_MAX,
        changed=changed_words(request),
    )


@post(SITES, guards=[requires(Permission.OPERATE)], sync_to_thread=True, include_in_schema=False)
def create(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Set up a site."""
    made = library.create_site(console, caller, required(data, "key"), required(data, "name"))
    return see_other(with_change(f"{SITES}/{made.key}", "created"))


@post(
    f"{SITES}/{{key:str}}/rename",
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
    """Give a site another name."""
    library.rename_site(console, caller, key, required(data, "name"))
    return back_to(data, f"{SITES}/{key}", "renamed")


@post(
    f"{SITES}/{{key:str}}/content",
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
    """Show assets and containers on a site, or take them off it."""
    does = {"granted": library.grant_content, "revoked": library.revoke_content}
    change = chosen_of(data, does)
    count = does[change](console, caller, key, library.parse_names(one(data, "names")))
    return back_to(data, f"{SITES}/{key}", change, count)


@post(
    f"{SITES}/{{key:str}}/allowed",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def change_allowed(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Redirect:
    """Put hashes on a site's allow list, or take them off it."""
    does = {"allowed": library.allow_hashes, "disallowed": library.disallow_hashes}
    change = chosen_of(data, does)
    count = does[change](console, caller, key, library.parse_hashes(one(data, "names")))
    return back_to(data, f"{SITES}/{key}", change, count)


@post(
    f"{SITES}/{{key:str}}/packages",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def change_package(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Redirect:
    """Open an access package to a site, or close it."""
    does = {"attached": library.attach_package, "detached": library.detach_package}
    change = chosen_of(data, does)
    done = does[change](console, caller, key, required(data, "package"))
    return back_to(data, f"{SITES}/{key}", change, int(done))


def _part_url(key: str, part: str) -> str:
    return f"{SITES}/{key}" + ("" if part == "given" else f"?part={part}")


def _count(found: Any, part: str) -> int | None:
    if part == "given":
        return len(found.containers) + len(found.packages)
    return None


def _sight(console: Console, key: str, asked: str) -> tuple[Sight | None, str | None]:
    """The answer to what was asked about visibility, or why it cannot be asked so."""
    if not asked:
        return None, None
    try:
        return read_sight(console.lading.db, key, asked), None
    except UnknownAsset:
        return None, asked
