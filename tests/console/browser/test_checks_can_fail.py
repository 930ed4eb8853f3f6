"""Every look and every watch finds the fault it is for, planted in a page that is well without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.console.browser.chromium import NoChromium, find_chromium
from tests.console.browser.looks import (
    animation_problems,
    axe_problems,
    focus_problems,
    overflow_problems,
    skip_problems,
    structure_problems,
    target_problems,
    text_problems,
)
from tests.console.browser.watch import Watch

ORIGIN = "http://planted.test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'"
)
STYLE = """
:root { color-scheme: light; scroll-padding-top: 60px; }
body { font: 16px sans-serif; margin: 0; color: #222; background: #fff; }
a, button, input { display: inline-block; min-height: 24px; min-width: 24px; color: #0b4f9e; }
:focus-visible { outline: 2px solid #0b4f9e; outline-offset: 1px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 0; }
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Jobs - Lading</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head>
<body><a class="skip" href="#main">Skip to the list</a>
<header><p>Lading</p></header><nav aria-label="Pages"><a href="/jobs">All jobs</a></nav>
<main id="main" tabindex="-1"><h1>Jobs</h1><h2>Running</h2>
<p class="text">Some words, and <a class="inline" href="/">a link among them</a>.</p>
<button type="button">Stop</button> <label>Name <input name="name"></label>
</main></body></html>"""

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"/>'

Look = Callable[[Page], list[str]]


@pytest.fixture
def plant(
    open_context: Callable[..., tuple[BrowserContext, Watch]],
) -> Callable[..., tuple[Page, Watch]]:
    """Opens the page with faults planted: `plant(("old", "new"), style="more style")`."""

    def open_page(
        *changes: tuple[str, str],
        style: str = "",
        script: str = "",
        files: dict[str, int] | None = None,
        **options: Any,
    ) -> tuple[Page, Watch]:
        body = PAGE
        for old, new in changes:
            assert old in body
            body = body.replace(old, new)
        if script:
            body = body.replace("</body>", '<script src="/script.js"></script></body>')

        def answer(route: Route) -> None:
            path = route.request.url.removeprefix(ORIGIN)
            if not route.request.url.startswith(ORIGIN):
                route.abort()
            elif path in (files or {}):
                route.fulfill(status=(files or {})[path], body="")
            elif path == "/style.css":
                route.fulfill(content_type="text/css", body=STYLE + style)
            elif path == "/script.js":
                route.fulfill(content_type="text/javascript", body=script)
            else:
                headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html"}
                route.fulfill(headers=headers, body=body)

        context, watch = open_context(ORIGIN, **options)
        context.route("**/*", answer)
        page = context.new_page()
        page.goto("/")
        return page, watch

    return open_page


LOOKS: dict[str, Look] = {
    "axe": axe_problems,
    "text": text_problems,
    "structure": structure_problems,
    "skip": skip_problems,
    "overflow": overflow_problems,
    "targets": target_problems,
    "animations": animation_problems,
    "focus": focus_problems,
}


def test_without_a_fault_nothing_is_found(plant: Callable[..., tuple[Page, Watch]]) -> None:
    page, watch = plant(viewport={"width": 320, "height": 640})
    assert {name: look(page) for name, look in LOOKS.items() if look(page)} == {}
    assert watch.found() == []


FAULTS: dict[str, tuple[str, tuple[tuple[str, str], ...], str, str]] = {
    # the look, what is changed in the page, what is added to its style, what it says
    "pale text": ("axe", (), ".text { color: #999; }", "color-contrast"),
    "pale text on a gradient": (
        "axe",
        (),
        ".text { background: linear-gradient(#fff, rgb(90, 90, 90)); color: #333; }",
        "contrast: <p>",
    ),
    "text on a picture": (
        "axe",
        (),
        f".text {{ background: url('data:image/svg+xml,{PICTURE}'); }}",
        "stands on a picture",
    ),
    "no label": ("axe", (("<label>Name ", "<label>"),), "", "label"),
    "small by axe": (
        "axe",
        (("</nav>", '<a class="tiny" href="/a">a</a><a class="tiny" href="/b">b</a></nav>'),),
        ".tiny { min-width: 0; min-height: 0; width: 10px; height: 10px; padding: 0; }",
        "target-size",
    ),
    "pale text, computed": ("text", (), ".text { color: rgb(0 0 0 / 40%); }", "contrast: <p>"),
    "no language": ("structure", ((' lang="en"', ""),), "", "names no language"),
    "no title": ("structure", (("Jobs - Lading", ""),), "", "has no title"),
    "two main parts": ("structure", (("</main>", "</main><main></main>"),), "", "2 main"),
    "no banner": ("structure", (("header>", "div>"),), "", "0 banners"),
    "no navigation": ("structure", (("nav", "div"),), "", "no navigation"),
    "two h1": ("structure", (("h2", "h1"),), "", "2 h1"),
    "late h1": ("structure", (("<p>Lading</p>", "<h2>Lading</h2>"),), "", "no h1"),
    "level left out": ("structure", (("h2", "h4"),), "", "leaves out a level"),
    "skips nothing": ("structure", (('"#main"', '"#nowhere"'),), "", "skips nothing"),
    "same names": (
        "structure",
        (("</nav>", '</nav><nav aria-label="Pages"></nav>'),),
        "",
        "cannot be told apart",
    ),
    "same id": ("structure", (("<h2", '<h2 id="main"'),), "", "occurs twice"),
    "skips to the wrong place": (
        "skip",
        (('id="main" ', ""), ("<header>", '<header id="main">')),
        "",
        "not in the main part",
    ),
    "too wide": ("overflow", (), ".text { width: 2000px; }", "<p> Some words"),
    "small button": (
        "targets",
        (),
        "button { min-height: 0; padding: 0; height: 20px; }",
        "<button> Stop: ",
    ),
    "small field": ("targets", (), "label, input { font-size: 6px; min-height: 0; }", "<input>"),
    "it moves": (
        "animations",
        (),
        "@keyframes turn { to { rotate: 1turn; } } h1 { animation: turn 1s infinite; }",
        "turn on <h1>",
    ),
    "covered": (
        "focus",
        (("</main>", "<div class=cover></div></main>"),),
        ".cover { position: fixed; inset: 60px 0 0 0; background: #fff; }",
        "covered at <button> Stop (Tab)",
    ),
    "covered on the way back": (
        "focus",
        (
            ("</header>", "</header><div class=cover>Table</div>"),
            ("</main>", "<p><a href='/x'>x</a></p>" * 60 + "</main>"),
        ),
        (
            ":root { scroll-padding: 0; }"
            " .cover { position: sticky; top: 0; height: 60px; background: #fff; }"
        ),
        "(Shift+Tab)",
    ),
    "no ring": ("focus", (), "button:focus-visible { outline: none; }", "0 px wide"),
    "pale ring": ("focus", (), ":focus-visible { outline-color: #ddd; }", "has a contrast of"),
    "pale shadow": (
        "focus",
        (),
        ":focus-visible { outline: none; box-shadow: 0 0 0 2px rgb(11 79 158 / 20%); }",
        "has a contrast of",
    ),
    "other order": ("focus", (("<button", '<button tabindex="1"'),), "", "another order"),
    "trapped": ("focus", (), "", "does not get past <input>"),
}
TRAP = """
const input = document.querySelector('input');
input.addEventListener('keydown', event => { if (event.key === 'Tab') event.preventDefault(); });
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(plant: Callable[..., tuple[Page, Watch]], fault: str) -> None:
    look, changes, style, said = FAULTS[fault]
    page, _ = plant(*changes, style=style, script=TRAP if fault == "trapped" else "")
    problems = LOOKS[look](page)
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ((("<h2>", '<h2 style="color: red">'),), {}, "refused inline"),
        ((("</main>", "</main><script>alert(1)</script>"),), {}, "script-src-elem refused inline"),
        ((("</main>", '<img alt="" src="http://elsewhere.test/x.png"></main>'),), {}, "elsewhere"),
        ((("</main>", '<img alt="" src="/broken.png"></main>'),), {}, "answered 500"),
        ((("</main>", '<img alt="" src="/missing.png"></main>'),), {}, "404"),
        ((), {"script": "console.error('odd')"}, "console: odd"),
        ((), {"script": "nowhere()"}, "nowhere is not defined"),
        ((), {"script": "Promise.reject(new Error('late'))"}, "late"),
    ],
    ids=["style", "script", "elsewhere", "500", "404", "console", "error", "promise"],
)
def test_what_goes_wrong_beside_is_seen(
    plant: Callable[..., tuple[Page, Watch]],
    changes: tuple[tuple[str, str], ...],
    options: dict[str, str],
    said: str,
) -> None:
    page, watch = plant(*changes, files={"/broken.png": 500, "/missing.png": 404}, **options)
    page.wait_for_load_state("networkidle")
    assert any(said in problem for problem in watch.found()), watch.found()
    watch.problems.clear()


def test_what_a_test_brings_about_itself_can_be_allowed(
    plant: Callable[..., tuple[Page, Watch]],
) -> None:
    _, watch = plant(script="console.error('meant'); console.error('not meant at all')")
    watch.allow("console: meant")
    (left,) = watch.found()
    assert "not meant" in left
    watch.problems.clear()


def test_a_link_in_a_sentence_and_a_field_with_its_label_need_not_be_large(
    plant: Callable[..., tuple[Page, Watch]],
) -> None:
    small = ".inline { display: inline; } input { min-height: 0; height: 12px; }"
    page, _ = plant(style=f"{small} label {{ display: block; min-height: 24px; }}")
    assert target_problems(page) == []


def test_a_browser_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(NoChromium, match="CHROMIUM=/nowhere/chromium"):
        find_chromium()


def test_a_long_page_is_walked_in_part_and_back_from_there(
    plant: Callable[..., tuple[Page, Watch]],
) -> None:
    rows = "<p><a href='/x'>x</a></p>" * 60
    page, _ = plant(("</main>", f"{rows}</main>"), style="p:last-child a { outline: none; }")
    assert focus_problems(page, stops_max=20) == []
    assert focus_problems(page, stops_max=80) == ["the ring around <a> x is 0 px wide"]


def test_the_buttons_of_a_player_are_walked_through(
    plant: Callable[..., tuple[Page, Watch]],
) -> None:
    player = "<video controls width=300></video>"
    page, _ = plant(("<button", f"{player}<button"))
    assert focus_problems(page) == []
