"""What the script does with ticks, keys and forms, in a real browser under the real policy."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.console.scripted import (
    ROWS,
    STATIC_JS,
    Open,
    row,
    ticked,
)
from tests.console.streaming import eventually

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
