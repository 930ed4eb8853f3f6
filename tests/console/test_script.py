"""What the script does on pages, in a real browser under the real content policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from playwright.sync_api import BrowserContext, Page, expect

from lading.accounts.values import Caller
from lading.console.live.fragments import Fragment, Fragments, Notice, Visible
from lading.console.live.live import Live
from lading.console.live.ticks import Tick
from lading.console.render import HTMX_CONFIG
from lading.console.static_files import StaticFiles
from lading.db import Database
from tests.console.browser.watch import Watch
from tests.console.live_app import Pages, make_app, served
from tests.console.test_live import eventually, head_of, write_events

Opener = Callable[..., tuple[BrowserContext, Watch]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
ROWS = 30
QUICK = {"look_every_s": 0.02, "clock_every_s": 0.1}
STATIC_JS = Path(__file__).parents[2] / "src/lading/console/static/js"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Import media - Lading</title>
<meta name="htmx-config" content='{config}'>
<link rel="icon" id="favicon" type="image/svg+xml" href="{static}/icons/favicon-idle.svg">
<script src="{static}/js/early.js"></script>
<script src="{static}/vendor/htmx-4.0.1.min.js" defer></script>
<script src="{static}/js/main.js" type="module"></script></head>
<body data-zone="{zone}" data-server-time="{at}" data-stale-after="30" data-csrf="secret"
 data-shortcuts="{shortcuts}">
<span id="live-indicator" hidden></span>
<button type="button" data-live-pause hidden>Pause</button>
<span id="zone-name">UTC</span>
<section id="engine" data-live data-title="{title}" data-favicon="idle">Engine</section>
<nav><a href="/jobs" data-key="j">Jobs</a> <a href="/page2" data-key="p">Other page</a></nav>
<main id="main" tabindex="-1"><h1>Import</h1><div id="notices"></div>
<details data-help="import"><summary>Help</summary><p id="help-text">Purpose</p></details>
<p data-new-rows="batches" hidden><a href="/">Show</a></p>
<input id="filter" data-filter>
<div id="menu-part" data-live><details data-menu><summary>Menu</summary><p>Old</p></details></div>
<div id="field-part" data-live><input id="reason"><span class="n">0</span></div>
<div id="choice-part" data-live><select><option>5<option>6</select><span>0</span></div>
<button id="hx" hx-post="/done" hx-target="#hx-out" hx-select="h1">Do</button>
<div id="hx-out"></div>
<p id="mile" data-live data-milestone="">m</p>
<form id="bulk" data-bulk="batches" data-selection="{sel}" method="post" action="/done">
<input type="hidden" name="sel" value="{sel}">
<div data-bulk-bar><output data-selected-count>{count}</output>
<button data-submit-once>Queue</button></div>
<table><thead><tr><td><input type="checkbox" data-select-page aria-label="Page" hidden></td></tr>
</thead><tbody>{rows}</tbody></table></form>
<a id="pager" data-carry href="/?cursor=2">Older</a>
<form id="note" method="post" action="/done"><textarea name="text"></textarea>
<input type="password" name="secret"><button>Save</button></form>
<form id="purge" method="post" action="/done" data-confirm="Purge 12 assets?"
 data-confirm-verb="Purge" data-confirm-typed="12"><button>Purge</button></form>
<form id="once" method="post" action="/slow" data-submit-once><button>Go</button></form>
<time id="t" datetime="2026-06-29T18:30:04Z" data-local>2026-06-29 18:30:04</time>
<time id="age" datetime="{old}" data-relative>?</time>
<button type="button" data-copy="sha256:abc" id="copy" hidden>Copy</button>
<textarea id="paste"></textarea>
<button type="button" data-opens="palette" hidden>Go to</button>
</main>
<div id="toasts"></div><p id="status" role="status"></p>
<dialog id="palette" aria-label="Go to"><form action="/go"><input name="q"></form>
<ul data-palette-links></ul></dialog>
<div id="live" hidden data-url="/live?topics=test" data-after="{seq}"></div>
</body></html>"""

PLAIN = """<!doctype html><html lang="en"><head><title>{name}</title>
<link rel="icon" href="data:,"></head><body><h1>{name}</h1></body></html>"""


@dataclass
class Site(Pages):
    """One page, a selection, and what the live stream shall say; the test changes them."""

    ticked: set[int] = field(default_factory=set)
    selections: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    posts: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    new: int = 0  # type: ignore[assignment]
    streams: int = 0
    signed_in: bool = True
    zone: str = "UTC"
    shortcuts: str = "on"
    clock_off_s: float = 0.0

    def fragments(self) -> Fragments:
        made = Fragments()
        made.register("test", self.render, on_clock=True)
        return made

    def render(
        self, console: Any, caller: Caller, visible: Visible, tick: Tick
    ) -> list[Fragment | Notice]:
        made: list[Fragment | Notice] = [Fragment(name, html) for name, html in self.shown.items()]
        if self.new:
            made.append(Notice("batches:changed", {"new": self.new}))
        return made

    def html(self, sel: str) -> str:
        chosen = self.ticked if sel else set()
        at = datetime.now(UTC) + timedelta(seconds=self.clock_off_s)
        return PAGE.format(
            config=HTMX_CONFIG,
            static=f"/static/{StaticFiles().version}",
            zone=self.zone,
            at=at.isoformat(),
            old=(at - timedelta(minutes=4)).isoformat(),
            shortcuts=self.shortcuts,
            title="41 % - Importing",
            sel=sel,
            count=len(chosen),
            rows="".join(row(n, ticked=n in chosen) for n in range(1, ROWS + 1)),
            seq=head_of(self.db),
        )


def row(number: int, state: str = "pending", *, ticked: bool = False) -> str:
    checked = " checked" if ticked else ""
    return (
        f'<tr data-row data-live id="b-{number}"><td><input type="checkbox" name="id" '
        f'value="{number}" aria-label="{number}"{checked}></td>'
        f'<th scope="row"><a href="/row/{number}">Batch {number}</a></th><td>{state}</td>'
        f"<td><details><summary>More</summary><p>Detail</p></details></td></tr>"
    )


def handlers(site: Site) -> list[HTTPRouteHandler]:
    def answer(html: str, status_code: int = 200) -> Response[str]:
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
        return Response(html, media_type="text/html", headers=headers, status_code=status_code)

    @get("/", sync_to_thread=False)
    def page(request: Request[Any, Any, Any]) -> Response[Any]:
        if not site.signed_in:
            return Redirect("/sign-in?next=/", status_code=303)
        return answer(site.html(request.query_params.get("sel", "")))

    @get(["/row/{number:int}", "/jobs", "/page2", "/go", "/done"], sync_to_thread=False)
    def other() -> Response[str]:
        return answer(PLAIN.format(name="Other"))

    @get("/sign-in", sync_to_thread=False)
    def sign_in() -> Response[str]:
        script = f"/static/{StaticFiles().version}/js/main.js"
        tag = f'<script src="{script}" type="module"></script>'
        return answer(PLAIN.format(name="Sign in").replace("<h1>", f"{tag}<h1>"))

    @post("/selections/{key:str}", status_code=200)
    async def select(request: Request[Any, Any, Any], key: FromPath[str]) -> Response[Any]:
        assert request.headers["x-csrf-token"] == "secret"
        form = await _fields(request)
        site.selections.append((key, form))
        site.ticked |= {int(n) for n in form.get("add", ())}
        site.ticked -= {int(n) for n in form.get("remove", ())}
        return Response({"key": "sel7", "count": len(site.ticked)})

    @post(["/done", "/slow"], status_code=200)
    async def done(request: Request[Any, Any, Any]) -> Response[str]:
        site.posts.append((request.url.path, await _fields(request)))
        if request.url.path == "/slow":
            return answer("", 204)
        return answer(PLAIN.format(name="Done"))

    return [page, other, sign_in, select, done, StaticFiles().route()]


async def _fields(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    form = await request.form()
    return {name: form.getall(name) for name in form}


@dataclass
class Open:
    """The site, served, and a browser's context."""

    site: Site
    live: Live
    base: str
    context: BrowserContext
    watch: Watch

    def page(self, path: str = "/", *, live: bool = True) -> Page:
        page = self.context.new_page()
        page.goto(f"{self.base}{path}")
        if live:
            expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")
        return page

    def show(self, target: str, html: str) -> None:
        """Let the stream say what an element is now."""
        self.site.shown[target] = html
        write_events(self.site.db, 1)


@pytest.fixture
def start(sqlite_database: Database, open_context: Opener) -> Iterator[Callable[..., Open]]:
    with ExitStack() as stack:

        def go(context: dict[str, Any] | None = None, **facts: Any) -> Open:
            site = Site(sqlite_database, **facts)
            app, live = make_app(site.db, site, *handlers(site), **QUICK)
            base = stack.enter_context(served(app, live))
            return Open(site, live, base, *open_context(base, **(context or {})))

        yield go


def ticked(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "input[name=id]:checked", "boxes => boxes.map(box => box.value)"
    )
    return found


# Live


def test_rows_change_in_place_and_keep_focus_ticks_and_open_details(
    start: Callable[..., Open],
) -> None:
    opened = start()
    page = opened.page()
    page.check("#b-3 input")
    page.click("#b-3 summary")
    page.focus("#b-3 a")
    before = page.eval_on_selector_all("tr[data-row]", "rows => rows.map(row => row.id)")
    opened.show("b-3", row(3, "importing"))
    expect(page.locator("#b-3 td >> nth=1")).to_have_text("importing")
    assert ticked(page) == ["3"]
    assert page.evaluate("() => document.activeElement.textContent") == "Batch 3"
    expect(page.locator("#b-3 details")).to_have_attribute("open", "")
    assert before == page.eval_on_selector_all("tr[data-row]", "rows => rows.map(row => row.id)")
    assert re.fullmatch(r"Live, \d s ago", page.inner_text("#live-indicator"))


def test_what_is_being_used_is_not_swapped_until_it_is_left(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.click("#menu-part summary")
    page.fill("#reason", "half typed")
    opened.site.shown["menu-part"] = (
        '<div id="menu-part" data-live><details data-menu><summary>Menu</summary>'
        "<p>New</p></details></div>"
    )
    opened.site.shown["field-part"] = (
        '<div id="field-part" data-live><input id="reason"><span class="n">1</span></div>'
    )
    opened.site.shown["choice-part"] = (
        '<div id="choice-part" data-live><select><option>5<option>6</select><span>1</span></div>'
    )
    opened.show("b-1", row(1, "done"))
    expect(page.locator("#b-1 td >> nth=1")).to_have_text("done")
    expect(page.locator("#choice-part span")).to_have_text("1")
    expect(page.locator("#menu-part p")).to_have_text("Old")
    expect(page.locator("#field-part .n")).to_have_text("0")
    assert page.input_value("#reason") == "half typed"
    page.click("#menu-part summary")
    expect(page.locator("#menu-part p")).to_have_text("New", use_inner_text=False)
    page.fill("#reason", "")
    page.focus("#filter")
    expect(page.locator("#field-part .n")).to_have_text("1")


def test_new_rows_wait_behind_a_bar(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    expect(page.locator("[data-new-rows]")).to_be_hidden()
    opened.site.new = 3
    write_events(opened.site.db, 1)
    expect(page.locator("[data-new-rows] a")).to_have_text("3 new - show")


def test_a_hidden_page_has_no_stream_and_comes_back_to_what_changed(
    start: Callable[..., Open],
) -> None:
    opened = start()
    page = opened.page()
    assert opened.live.feed.listeners == 1
    hide(page, hidden=True)
    eventually(lambda: opened.live.feed.listeners == 0)
    opened.show("b-2", row(2, "queued"))
    hide(page, hidden=False)
    expect(page.locator("#b-2 td >> nth=1")).to_have_text("queued")
    assert opened.live.feed.listeners == 1


def hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def test_a_page_opened_in_the_background_has_no_stream(start: Callable[..., Open]) -> None:
    opened = start()
    opened.context.add_init_script(
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})"
    )
    page = opened.page(live=False)
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-live-pause]")).to_be_visible()
    assert opened.live.feed.listeners == 0
    hide(page, hidden=False)
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")


def test_a_pause_is_kept_over_a_reload_until_it_is_lifted(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.keyboard.press("r")
    expect(page.locator("#live-indicator")).to_have_text("Paused by you")
    expect(page.locator("[data-live-pause]")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: opened.live.feed.listeners == 0)
    opened.show("b-1", row(1, "queued"))
    page.reload()
    expect(page.locator("#live-indicator")).to_have_text("Paused by you")
    expect(page.locator("#b-1 td >> nth=1")).to_have_text("pending")
    page.click("[data-live-pause]")
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")
    opened.show("b-1", row(1, "importing"))
    expect(page.locator("#b-1 td >> nth=1")).to_have_text("importing")


def test_a_lost_server_is_said_and_polled_for_and_found_again(
    start: Callable[..., Open],
) -> None:
    opened = start()
    opened.watch.allow("Failed to load resource")
    opened.watch.allow("answered 503")
    page = opened.page()
    page.clock.install()
    page.reload()
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")
    page.route("**/live?*", lambda route: route.fulfill(status=503, body=""))
    opened.live.feed.close()  # all streams end, as when the process does
    expect(page.locator("#live-indicator")).to_contain_text("Reconnecting, data from ")
    for _ in range(4):
        page.clock.run_for(10_000)
    page.clock.run_for(6_000)
    page.wait_for_load_state("networkidle")
    # Polling: the page's own parts as they are, in place; rows that were not there wait.
    expect(page.locator("body")).not_to_have_attribute("data-stale", "")
    page.route("**/", lambda route: route.fulfill(status=503, body=""))
    for _ in range(4):
        page.clock.run_for(10_000)
    expect(page.locator("body")).to_have_attribute("data-stale", "")
    page.unroute("**/")
    page.clock.run_for(6_000)
    expect(page.locator("body")).not_to_have_attribute("data-stale", "")
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "reconnecting")


def test_a_page_far_behind_reads_itself_again(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.keyboard.press("r")
    expect(page.locator("#live-indicator")).to_have_text("Paused by you")
    write_events(opened.site.db, 2_500)
    page.check("#b-4 input")
    with page.expect_request(lambda request: request.url.endswith("/?sel=sel7")) as asked:
        page.keyboard.press("r")
    assert asked.value.resource_type == "fetch"
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")
    assert ticked(page) == ["4"]


def test_who_is_signed_out_is_told_and_finds_the_typed_text_again(
    start: Callable[..., Open],
) -> None:
    opened = start()
    opened.live._still_valid = lambda _: opened.site.signed_in
    page = opened.page()
    page.fill("#note textarea", "half a sentence")
    page.fill("#note [type=password]", "hunter2")
    opened.site.signed_in = False
    page.route("**/live?*", lambda route: route.fulfill(status=401, body=""))
    opened.watch.allow("401")
    hide(page, hidden=True)
    hide(page, hidden=False)
    expect(page.locator("#notices")).to_contain_text("Signed out")
    assert page.get_attribute("#notices a", "href") == "/sign-in?next=%2F"
    page.click("#notices a")
    expect(page.locator("h1")).to_have_text("Sign in")
    # The page of the sign-in notes, in a script that may come after its text, whence one came.
    # Asked from outside: the policy of the page lets nothing in it read code from a text.
    noted = "() => JSON.parse(sessionStorage.getItem('lading:kept'))?.returning"
    eventually(lambda: page.evaluate(noted))
    opened.site.signed_in = True
    page.goto(f"{opened.base}/")
    expect(page.locator("#note textarea")).to_have_value("half a sentence")
    expect(page.locator("#note [type=password]")).to_have_value("")
    page.reload()
    expect(page.locator("#note textarea")).to_have_value("")


def test_text_that_was_sent_is_not_put_back(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.fill("#note textarea", "sent")
    page.click("#note button")
    expect(page.locator("h1")).to_have_text("Done")
    page.goto(f"{opened.base}/")
    expect(page.locator("#note textarea")).to_have_value("")


def test_the_tab_tells_the_state_of_the_engine(start: Callable[..., Open]) -> None:
    opened = start()
    opened.context.clock.install()
    page = opened.page()
    page.clock.run_for(1)
    expect(page).to_have_title("41 % - Importing - Import media - Lading")
    opened.show(
        "engine",
        '<section id="engine" data-live data-title="" data-favicon="failed">x</section>',
    )
    expect(page.locator("#favicon")).to_have_attribute("href", re.compile(r"/favicon-failed\.svg$"))
    assert page.title().startswith("41 %"), "the title waits its ten seconds"
    page.clock.run_for(10_000)
    expect(page).to_have_title("Import media - Lading")


# Time


@pytest.mark.parametrize(
    ("zone", "name", "shown"),
    [
        ("UTC", "UTC", "2026-06-29 18:30:04"),
        ("Asia/Kathmandu", "Kath?mandu", "2026-06-30 00:15:04"),
        ("America/St_Johns", "St_Johns", "2026-06-29 16:00:04"),
    ],
)
def test_times_are_shown_in_the_zone_of_the_browser(
    start: Callable[..., Open], zone: str, name: str, shown: str
) -> None:
    opened = start({"timezone_id": zone}, zone="browser")
    page = opened.page()
    expect(page.locator("#t")).to_have_text(shown)
    expect(page.locator("#zone-name")).to_have_text(re.compile(name))
    expect(page.locator("#age")).to_have_text("4 min ago")


def test_times_in_a_chosen_zone_are_left_as_they_are(start: Callable[..., Open]) -> None:
    opened = start({"timezone_id": "Asia/Kathmandu"})
    expect(opened.page().locator("#t")).to_have_text("2026-06-29 18:30:04")


def test_clocks_that_disagree_are_noticed(start: Callable[..., Open]) -> None:
    opened = start(clock_off_s=8)
    page = opened.page()
    expect(page.locator("#notices")).to_contain_text("8 s apart")
    assert start(clock_off_s=2).page().inner_text("#notices") == ""


# Ticks


def test_a_range_is_what_is_between_two_rows_on_the_page(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.click("#b-8 input")
    page.click("#b-12 input", modifiers=["Shift"])
    assert ticked(page) == ["8", "9", "10", "11", "12"]
    expect(page.locator("[data-selected-count]")).to_have_text("5")
    eventually(lambda: opened.site.ticked == {8, 9, 10, 11, 12})
    page.click("#b-10 input")
    page.click("#b-9 input", modifiers=["Shift"])
    assert ticked(page) == ["8", "11", "12"]
    eventually(lambda: opened.site.ticked == {8, 11, 12})


def test_ticks_outlast_paging_reloads_and_live_changes(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    expect(page.locator("[data-bulk-bar]")).to_be_hidden()
    page.click("#b-8 input")
    page.click("#pager")
    expect(page).to_have_url(f"{opened.base}/?cursor=2&sel=sel7")
    assert ticked(page) == ["8"]
    expect(page.locator("[data-selected-count]")).to_have_text("1")
    opened.show("b-8", row(8, "queued"))  # the stream knows of no ticks
    expect(page.locator("#b-8 td >> nth=1")).to_have_text("queued")
    assert ticked(page) == ["8"]
    page.click("#b-9 input")
    expect(page.locator("[data-selected-count]")).to_have_text("2")
    eventually(lambda: opened.site.ticked == {8, 9})
    page.reload()
    assert ticked(page) == ["8", "9"]
    assert [key for key, _ in opened.site.selections] == ["new", "sel7"]


def test_a_form_is_sent_after_the_ticks(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.evaluate(
        """() => {
            document.querySelector('#b-5 input').click();
            document.querySelector('#bulk button').click();
        }"""
    )
    expect(page.locator("h1")).to_have_text("Done")
    path, form = opened.site.posts[0]
    assert (path, form["sel"], form["id"]) == ("/done", ["sel7"], ["5"])


def test_the_header_ticks_the_page(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.check("[data-select-page]")
    assert len(ticked(page)) == ROWS
    page.click("#b-4 input")
    assert page.evaluate("() => document.querySelector('[data-select-page]').indeterminate")
    expect(page.locator("[data-selected-count]")).to_have_text(str(ROWS - 1))


def test_ticks_that_could_not_be_saved_are_said_and_tried_again(
    start: Callable[..., Open],
) -> None:
    opened = start()
    page = opened.page()
    opened.watch.allow("503")
    page.route("**/selections/*", lambda route: route.fulfill(status=503, body=""))
    page.click("#b-4 input")
    expect(page.locator("#notices")).to_contain_text("could not be saved")
    page.unroute("**/selections/*")
    page.click("#b-5 input")
    eventually(lambda: opened.site.ticked == {4, 5})


def test_a_selection_that_is_gone_is_begun_anew(start: Callable[..., Open]) -> None:
    opened = start(ticked={2, 3})
    page = opened.page("/?sel=old")
    opened.watch.allow("404")
    page.route("**/selections/old", lambda route: route.fulfill(status=404, body=""))
    page.click("#b-4 input")
    expect(page).to_have_url(re.compile("sel=sel7"))
    assert opened.site.selections == [("new", {"resource": ["batches"], "add": ["2", "3", "4"]})]


# Keys


def test_rows_are_walked_ticked_opened_and_expanded_by_keys(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    for key in ("j", "j", "j", "k", "x"):
        page.keyboard.press(key)
    assert ticked(page) == ["2"]
    for key in ("j", "j", "Shift+X"):
        page.keyboard.press(key)
    assert ticked(page) == ["2", "3", "4"]
    page.keyboard.press("e")
    expect(page.locator("#b-4 details")).to_have_attribute("open", "")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/row/4$"))


def test_enter_on_a_tick_opens_its_row_and_sends_no_form(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.focus("#b-6 input")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/row/6$"))
    assert opened.site.posts == []


def test_keys_go_to_pages_to_the_filter_and_to_the_palette(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.id") == "filter"
    page.keyboard.type("xr?")
    assert page.input_value("#filter") == "xr?", "keys in a field are text"
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.type("oth")
    expect(page.locator("#palette li")).to_have_text(["Other page"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/page2$"))
    page.goto(f"{opened.base}/")
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(r"/jobs$"))


def test_the_legend_is_the_registry(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.keyboard.press("?")
    expect(page.locator("#legend")).to_be_visible()
    held = page.evaluate(
        """async () => {
            const at = document.querySelector('script[type=module]').src;
            const {registry} = await import(at.replace('main.js', 'keys.js'));
            return registry.map(entry => [entry.keys.replace('Mod', 'Ctrl'), entry.label]);
        }"""
    )
    shown = page.eval_on_selector_all(
        "#legend tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert shown == held
    keys = {key for key, _ in held}
    assert keys == {
        *("/", "?", "j", "k", "x", "e", "r", "g j", "g p", "Enter"),
        *("Shift+X", "Shift+H", "Ctrl+k"),
    }
    page.keyboard.press("r")
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")


def test_single_keys_can_be_switched_off(start: Callable[..., Open]) -> None:
    opened = start(shortcuts="off")
    page = opened.page()
    for key in ("j", "x", "r", "?"):
        page.keyboard.press(key)
    assert ticked(page) == []
    expect(page.locator("#legend")).to_have_count(0)
    expect(page.locator("#live-indicator")).to_have_attribute("data-state", "live")


# The rest


@pytest.mark.parametrize("secure", [True, False], ids=["over https", "over plain http"])
def test_copy_buttons_copy(start: Callable[..., Open], secure: bool) -> None:
    opened = start({"permissions": ["clipboard-read", "clipboard-write"]})
    if not secure:  # where there is no clipboard to write to
        opened.context.add_init_script(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
        )
    page = opened.page()
    text = f"sha256:{secure}"
    page.eval_on_selector("#copy", "(button, text) => { button.dataset.copy = text; }", text)
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    expect(page.locator("#status")).to_have_text("Copied.")
    page.focus("#paste")
    page.keyboard.press("Control+v")
    expect(page.locator("#paste")).to_have_value(text)
    expect(page.locator("#copy")).to_have_text("Copy")


def test_media_stay_hidden_on_this_device(start: Callable[..., Open]) -> None:
    page = start().page()
    page.keyboard.press("Shift+H")
    expect(page.locator("html")).to_have_class("hide-media")
    page.reload()
    expect(page.locator("html")).to_have_class("hide-media")
    page.keyboard.press("Shift+H")
    expect(page.locator("html")).not_to_have_class("hide-media")


def test_help_is_open_at_first_and_then_as_it_was_left(start: Callable[..., Open]) -> None:
    page = start().page()
    expect(page.locator("#help-text")).to_be_visible()
    page.reload()
    expect(page.locator("#help-text")).to_be_hidden()
    page.click("[data-help] summary")
    page.reload()
    expect(page.locator("#help-text")).to_be_visible()


def test_what_cannot_be_undone_is_asked_about_with_cancel_first(
    start: Callable[..., Open],
) -> None:
    opened = start()
    page = opened.page()
    page.click("#purge button")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("Purge 12 assets?")
    assert page.evaluate("() => document.activeElement.textContent") == "Cancel"
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert opened.site.posts == []
    page.click("#purge button")
    expect(dialog.locator("[value=go]")).to_be_disabled()
    dialog.locator("input").fill("12")
    dialog.locator("[value=go]").click()
    expect(page.locator("h1")).to_have_text("Done")
    assert opened.site.posts == [("/done", {"confirmed": ["1"]})]


def test_enter_in_the_typed_field_goes_on_only_when_it_is_right(
    start: Callable[..., Open],
) -> None:
    opened = start()
    page = opened.page()
    page.click("#purge button")
    page.locator("dialog[open] input").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open] [value=go]")).to_be_disabled()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Done")
    assert len(opened.site.posts) == 1


def test_requests_of_htmx_carry_the_token_and_say_when_they_fail(
    start: Callable[..., Open],
) -> None:
    opened = start()
    page = opened.page()
    with page.expect_request("**/done") as asked:
        page.click("#hx")
    assert asked.value.headers["x-csrf-token"] == "secret"
    expect(page.locator("#hx-out")).to_have_text("Done")
    opened.watch.allow("50")
    page.route("**/done", lambda route: route.fulfill(status=500, body="<h1>Broken</h1>"))
    page.click("#hx")
    expect(page.locator("#notices")).to_contain_text("The server answered 500")
    expect(page.locator("#hx-out")).to_have_text("Done")
    opened.watch.allow("401")
    page.unroute("**/done")
    page.route("**/done", lambda route: route.fulfill(status=401, body=""))
    page.click("#hx")
    expect(page.locator("#notices")).to_contain_text("Signed out")


def test_a_double_click_sends_once(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.dblclick("#once button")
    expect(page.locator("#once button")).to_be_disabled()
    expect(page.locator("#once")).to_have_attribute("aria-busy", "true")
    page.wait_for_load_state("networkidle")
    assert len(opened.site.posts) == 1


def test_milestones_are_said_seldom_and_failures_at_once(start: Callable[..., Open]) -> None:
    opened = start()
    page = opened.page()
    page.evaluate(
        """() => {
            globalThis.said = [];
            new MutationObserver(() => said.push(document.getElementById('status').textContent))
                .observe(document.getElementById('status'), {childList: true});
        }"""
    )
    for percent in (25, 50, 75):
        opened.show("mile", f'<p id="mile" data-live data-milestone="Import: {percent} %">m</p>')
        expect(page.locator("#mile")).to_have_attribute("data-milestone", f"Import: {percent} %")
    expect(page.locator("#status")).to_have_text("Import: 25 %")
    opened.show(
        "mile", '<p id="mile" data-live data-milestone="Import: failed" data-milestone-now>m</p>'
    )
    expect(page.locator("#status")).to_have_text("Import: failed")
    assert page.evaluate("() => said") == ["Import: 25 %", "Import: failed"]


def test_the_script_is_small_and_needs_no_evaluation() -> None:
    texts = {path.name: path.read_text() for path in STATIC_JS.glob("*.js")}
    assert "main.js" in texts
    for name, text in texts.items():
        assert not re.search(r"\beval\(|new Function|style=|\.style\b|hx-on|https?://", text), name
    imported = set(re.findall(r"import '\./([\w.]+)'", texts["main.js"]))
    known = imported | {"main.js", "early.js"}
    for text in texts.values():
        known |= set(re.findall(r"from '\./([\w.]+)'", text))
    assert known == set(texts)
