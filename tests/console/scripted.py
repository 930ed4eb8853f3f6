"""A page with all that the script acts on, the stream behind it, and a browser in front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
from tests.console.browser.watch import Watch
from tests.console.live_app import Pages
from tests.console.streaming import head_of, write_events

Opener = Callable[..., tuple[BrowserContext, Watch]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
ROWS = 30
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


def ticked(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "input[name=id]:checked", "boxes => boxes.map(box => box.value)"
    )
    return found
