"""Photos by keyboard, and photos that arrive while somebody looks."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from lading.ledger.states import BatchState
from lading.testing.console_imported import ACTOR, batches_in
from lading.testing.console_photos import PHOTOS, encode, tree_of
from tests.console.browser.acting import open_live, working
from tests.console.browser.serving import Served

GetServed = Callable[[str], Served]
OpenPage = Callable[..., Page]
FOLDER = "2024/garden"


def test_groups_are_decided_by_keys_and_photos_that_arrive_wait_behind_a_bar(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("photos")
    page = open_page(served)
    _groups_by_keys(page)
    with working(served.lading):
        _photos_arrive(page, served)


def _groups_by_keys(page: Page) -> None:
    """Go to groups, choose, and decide in each of the three ways; what is not asked for stays."""
    page.goto("/photos/duplicates")
    groups = page.locator("section[data-row]")
    count = groups.count()
    assert count >= 2
    first, second = groups.nth(0), groups.nth(1)
    for key, row in (("j", first), ("j", second), ("k", first)):
        page.keyboard.press(key)
        expect(row.locator("a.tile").first).to_be_focused()
    choices = first.locator("input[type=radio]")
    page.keyboard.press("2")
    expect(choices.nth(1)).to_be_checked()
    expect(choices.nth(1)).to_be_focused()
    page.keyboard.press("9")
    expect(choices.nth(1)).to_be_checked()
    expect(second.locator("input[type=radio]").first).to_be_checked()
    chosen = _name_of(choices.nth(1))
    _decide(page, "s", "Stack", f"{chosen} on top")

    page.goto("/photos/duplicates")
    expect(groups).to_have_count(count - 1)
    page.keyboard.press("j")
    kept = _name_of(groups.first.locator("input[type=radio]").first)
    page.keyboard.press("t")  # not without Shift
    expect(page.locator("section[data-row]")).to_have_count(count - 1)
    _decide(page, "Shift+T", "Trash the others", f"{kept} kept")
    if count > 2:
        page.goto("/photos/duplicates")
        page.keyboard.press("j")
        _decide(page, "a", "Keep all", "")


def _name_of(choice: Locator) -> str:
    return (choice.get_attribute("aria-label") or "").removeprefix("Keep ")


def _decide(page: Page, key: str, decision: str, words: str) -> None:
    """Press the key; the newest decision is this one then, and says these words."""
    with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
        page.keyboard.press(key)
    assert posted.value.status < 400
    page.wait_for_load_state()
    page.goto("/photos/duplicates?kind=decided")
    newest = page.locator("table tbody tr").first
    expect(newest).to_contain_text(decision)
    expect(newest).to_contain_text(words)


def _photos_arrive(page: Page, served: Served) -> None:
    """A worker takes two photos in; the page says so, and stays as it is until it is asked."""
    open_live(page, f"/photos/folders/{PHOTOS}/{FOLDER}")
    tiles = page.locator("main a.tile")
    before = tiles.count()
    bar = page.get_by_role("link", name="2 new photos - show")
    expect(bar).to_be_hidden()
    tiles.last.scroll_into_view_if_needed()
    page.evaluate("window.stayed = true")
    seen = tiles.last.bounding_box()
    for name in ("arrived-1.jpg", "arrived-2.jpg"):
        (tree_of(served.lading) / FOLDER / name).write_bytes(encode(name))
    lading = served.lading
    lading.ingest.scan(PHOTOS, actor=ACTOR)
    lading.ingest.queue(batches_in(lading, PHOTOS, BatchState.PENDING), actor=ACTOR)
    expect(bar).to_be_visible()
    expect(tiles).to_have_count(before)
    assert tiles.last.bounding_box() == seen
    assert page.evaluate("window.stayed"), "the page was loaded anew"
    bar.click()
    expect(tiles).to_have_count(before + 2)
    expect(page.get_by_text("arrived-2.jpg").first).to_be_visible()
    expect(page.locator("#new-photos")).to_be_hidden()
