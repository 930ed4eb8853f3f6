"""Every page, in both themes, at both widths, for every role, with little data and with much.

A page that is not in the table of routes fails here, too.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from playwright.sync_api import Page

from lading.accounts.values import Role
from lading.console.app import create_app
from lading.testing.console_archive import ARCHIVE
from tests.console.browser.crawl import Links, crawl
from tests.console.browser.looks import (
    STOPS_MAX,
    animation_problems,
    axe_problems,
    focus_problems,
    overflow_problems,
    skip_problems,
    structure_problems,
    target_problems,
)
from tests.console.browser.opening import NARROW, WIDE, Theme
from tests.console.browser.routes import (
    ADMIN_ONLY,
    DETAILS,
    LISTS,
    NOT_LOOKED_AT,
    PHOTOS,
    PLAIN,
    RECORDINGS,
    ROUTES,
    SIGNED_OUT,
    Places,
    data_for,
    role_for,
)
from tests.console.browser.serving import Served

NARROWEST = 320
NARROW_STOPS_MAX = 40
"""In a narrow window the menu is folded, and the list is the one of the wide window."""

HTML_BYTES_MAX = 150_000
SCRIPT_AND_STYLE_BYTES_MAX = 80_000
COLOUR_RULES = ("color-contrast", "link-in-text-block")
OTHERS: tuple[tuple[Role, str, Theme, int], ...] = (
    (Role.VIEWER, "empty", "dark", NARROW),
    (Role.OPERATOR, "seed_57", "light", WIDE),
    (Role.OPERATOR, "failing", "dark", WIDE),
    (Role.VIEWER, "failing", "light", NARROW),
    (Role.VIEWER, "paused", "light", NARROW),
    (Role.ADMIN, "large", "dark", WIDE),
)
"""Every role with each kind of data that it meets otherwise, in pairs."""

ALWAYS = frozenset(
    set(LISTS)
    - {"/profile", "/go?q=lake", "/archive/objects", "/archive/objects?state=rejected"}
    - {"/about", "/operations", "/scans", "/recordings?state=local"}
    - {"/photos/folders", "/photos/duplicates?kind=same"}
    - {"/people/unassigned?show=passed_over", "/people/lab/versions", "/library/events"}
    - {"/library/collections", "/library/packages", "/password", "/import/explain?ref=a", "/tokens"}
)
"""These are looked at in each run; the rest, and everything else here, in the slow one."""


def mostly_slow(routes: Sequence[str]) -> list[Any]:
    """The routes, those marked slow that need not be looked at in each run."""
    return [r if r in ALWAYS else pytest.param(r, marks=pytest.mark.slow) for r in routes]


OpenPage = Callable[..., Page]
GetServed = Callable[[str], Served]


def address_of(served: Served, route: str) -> str:
    with served.lading.db.read() as conn:
        address = Places(conn).address(route)
    if address is None:
        pytest.fail(f"nothing to show {route} with")
    return address


def visit(page: Page, address: str) -> None:
    """Open a page that is there."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200, f"{answer.status}: {address}"


def look(page: Page, width: int) -> list[str]:
    """What is wrong with a page at this width."""
    page.set_viewport_size({"width": width, "height": 844})
    problems = [*overflow_problems(page), *target_problems(page), *axe_problems(page)]
    return [f"{width} px: {problem}" for problem in problems]


@pytest.mark.parametrize("route", mostly_slow(ROUTES))
def test_a_page_is_without_barriers(open_page: OpenPage, served: GetServed, route: str) -> None:
    console = served(data_for(route))
    page = open_page(console, role=role_for(route), width=WIDE)
    visit(page, address_of(console, route))
    problems = structure_problems(page, plain=route in PLAIN)
    problems += skip_problems(page) if route not in PLAIN else []
    for width, stops_max in ((WIDE, STOPS_MAX), (NARROW, NARROW_STOPS_MAX)):
        problems += look(page, width)
        found = focus_problems(page, stops_max=stops_max)
        problems += [f"{width} px: {problem}" for problem in found]
    page.set_viewport_size({"width": NARROWEST, "height": 844})
    problems += [f"{NARROWEST} px: {problem}" for problem in overflow_problems(page)]
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("route", mostly_slow(ROUTES))
def test_a_page_can_be_read_in_the_dark_and_stands_still_where_that_is_asked_for(
    open_page: OpenPage, served: GetServed, route: str
) -> None:
    console = served(data_for(route))
    page = open_page(console, role=role_for(route), theme="dark", reduced_motion="reduce")
    visit(page, address_of(console, route))
    problems = animation_problems(page)
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 844})
        # What has no colour is the same in the dark.
        problems += [f"{width} px: {found}" for found in axe_problems(page, rules=COLOUR_RULES)]
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize(
    ("role", "data", "theme", "width"), OTHERS, ids=[f"{r}-{d}" for r, d, _, _ in OTHERS]
)
def test_a_page_is_without_barriers_for_others_and_with_other_data(
    open_page: OpenPage,
    served: GetServed,
    route: str,
    role: Role,
    data: str,
    theme: Theme,
    width: int,
) -> None:
    console = served(data)
    page = open_page(console, role=role, theme=theme, width=width)
    visit(page, route)
    problems = structure_problems(page, plain=route in PLAIN) + look(page, width)
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("route", [r for r in DETAILS if r.startswith(("/import", "/jobs"))])
def test_what_failed_is_shown_without_barriers(
    open_page: OpenPage, served: GetServed, route: str
) -> None:
    console = served("failing")
    page = open_page(console, role=Role.OPERATOR, theme="dark", width=NARROW)
    visit(page, address_of(console, route))
    problems = structure_problems(page) + look(page, NARROW)
    assert not problems, "\n".join(problems)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["/", "/import", "/jobs", "/problems", "/sign-in"])
def test_the_focus_can_be_seen_in_forced_colours(
    open_page: OpenPage, served: GetServed, route: str
) -> None:
    console = served(data_for(route))
    page = open_page(console, role=role_for(route), forced_colors="active")
    visit(page, address_of(console, route))
    problems = focus_problems(page) + overflow_problems(page)
    assert not problems, "\n".join(problems)


@pytest.mark.slow
def test_no_two_pages_have_one_title(served: GetServed) -> None:
    titles: dict[str, list[str]] = {}
    for data in sorted({data_for(route) for route in ROUTES}):
        console = served(data)
        with client_of(console, Role.ADMIN) as client:
            for route in ROUTES:
                if role_for(route) is None or data_for(route) != data:
                    continue
                text = client.get(address_of(console, route), follow_redirects=True).text
                found = re.search(r"<title>\s*(.*?)\s*</title>", text, re.DOTALL)
                titles.setdefault(found.group(1) if found else "", []).append(route)
    same = {title: routes for title, routes in titles.items() if len(routes) > 1 or not title}
    assert not same, same


@pytest.mark.slow
@pytest.mark.parametrize("data", ["busy", "failing", "empty", ARCHIVE, RECORDINGS, PHOTOS])
@pytest.mark.parametrize("role", Role)
def test_every_link_leads_somewhere(served: GetServed, role: Role, data: str) -> None:
    with client_of(served(data), role) as client:
        crawled = crawl(client)
    # The bucket of the archive is nowhere: what lies in it is said to be out of reach.
    away = "503: /media/" if data == ARCHIVE else "-"
    problems = [problem for problem in crawled.problems if not problem.startswith(away)]
    assert not problems, "\n".join(problems)
    assert len(crawled.statuses) > 25


@pytest.mark.slow
def test_who_is_not_signed_in_is_sent_to_the_door_and_back(served: GetServed) -> None:
    for route in ROUTES:
        if route in SIGNED_OUT:
            continue
        console = served(data_for(route))
        with httpx.Client(base_url=console.origin) as client:
            answer = client.get(address_of(console, route), headers={"accept": "text/html"})
        assert answer.status_code == 303, route
        assert answer.headers["location"].startswith("/sign-in"), route


@pytest.mark.slow
@pytest.mark.parametrize("route", [*LISTS, *DETAILS])
def test_a_page_says_everything_without_scripts(
    open_page: OpenPage, served: GetServed, route: str
) -> None:
    console = served(data_for(route))
    page = open_page(console, js=False, width=NARROW)
    visit(page, address_of(console, route))
    assert page.locator("main h1").is_visible()
    assert page.locator("main").inner_text().strip()


@pytest.mark.slow
def test_a_list_is_filtered_and_paged_without_scripts(
    open_page: OpenPage, served: GetServed
) -> None:
    page = open_page(served("large"), js=False)
    visit(page, "/import?status=failed")
    assert page.locator("tbody tr").count() == 50
    first = page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Older").first.click()
    assert "status=failed" in page.url
    assert page.locator("tbody tr").first.inner_text() != first
    page.get_by_role("link", name="Newer").first.click()
    assert page.locator("tbody tr").first.inner_text() == first


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    [
        "/import?limit=100",
        "/jobs?view=all&limit=100",
        "/library/assets?view=list&limit=100",
        "/audit?limit=100",
        "/import/batches/{batch}/items?limit=100",
    ],
)
def test_a_hundred_rows_are_not_heavy(served: GetServed, address: str) -> None:
    console = served("large")
    address = address_of(console, address)
    with client_of(console, Role.ADMIN) as client:
        answer = client.get(address)
    assert answer.status_code == 200
    assert answer.text.count("<tr") >= 100
    assert len(answer.content) <= HTML_BYTES_MAX


def test_scripts_and_styles_are_not_heavy(served: GetServed) -> None:
    with client_of(served("busy"), Role.ADMIN) as client:
        sizes = dict(assets_of(client, "/jobs"))
    assert len(sizes) >= 3
    assert sum(sizes.values()) <= SCRIPT_AND_STYLE_BYTES_MAX, sizes


@pytest.mark.slow
def test_every_page_of_the_application_is_looked_at(served: GetServed) -> None:
    app = create_app(served("empty").lading, host="127.0.0.1", port=1)
    known = [re.sub(r"\{\w+\}", "*", route.split("?")[0]) for route in (*ROUTES, *NOT_LOOKED_AT)]
    patterns = list(pages_of(app))
    assert len(patterns) > 40
    assert [p for p in patterns if not any(re.fullmatch(p, route) for route in known)] == []


def pages_of(app: Litestar) -> Iterator[str]:
    """What answers a person who reads, as patterns."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and "GET" in route.methods:
            path = re.sub(r"\{[^}]+\}", "[^/]+", route.path_format)
            if not path.startswith(("/api/", "/static/", "/live", "/media/")):
                yield path


def assets_of(client: httpx.Client, page: str) -> Iterator[tuple[str, int]]:
    """Every script and style of a page, what scripts import too, with its size when zipped."""
    links = Links()
    links.feed(client.get(page).text)
    waiting = [urljoin(page, a) for a in links.addresses if re.search(r"\.(js|css)(\?|$)", a)]
    seen: set[str] = set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        yield address, len(gzip.compress(answer.content, mtime=0))
        if "javascript" in answer.headers["content-type"]:
            imported = re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""", answer.text)
            waiting += [urljoin(address, name) for name in imported]


@contextmanager
def client_of(served: Served, role: Role) -> Iterator[httpx.Client]:
    """A program that is signed in as this role."""
    with httpx.Client(
        base_url=served.origin,
        cookies=served.cookies_of(role),
        headers={"accept": "text/html"},
        timeout=60,
    ) as client:
        yield client


def test_the_table_names_no_route_twice() -> None:
    assert len(set(ROUTES)) == len(ROUTES)
    assert not set(ADMIN_ONLY) & set(LISTS)


def test_between_breadcrumbs_is_a_mark_and_after_the_last_is_none(
    open_page: OpenPage, served: GetServed
) -> None:
    page = open_page(served(PHOTOS))
    visit(page, "/photos/places?bbox=-20,30,30,70")
    marks = page.locator(".crumbs li").evaluate_all(
        "all => all.map(one => getComputedStyle(one, '::after').content)"
    )
    assert marks == ['"/"', "none"]
