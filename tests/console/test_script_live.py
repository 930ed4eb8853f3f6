"""What the script does on pages as they change, in a real browser under the real policy."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.console.scripted import (
    Open,
    row,
    ticked,
)
from tests.console.streaming import eventually, write_events


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
