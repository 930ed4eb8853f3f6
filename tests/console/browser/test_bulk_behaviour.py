"""Lists and what is done to many at once: what is shown, what is chosen, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, expect

from lading.jobs.states import JobState
from lading.ledger.states import BatchState
from lading.testing.console_imported import batches_in, drain
from lading.testing.seed_57 import SEED_57, SOURCE
from tests.console.browser.acting import count_of, enqueue, jobs_in
from tests.console.browser.opening import open_as
from tests.console.browser.serving import Served

GetServed = Callable[[str], Served]
OpenPage = Callable[..., Page]

QUEUED = 130
ARRIVED_LATE = 5


def names_on(page: Page) -> list[str]:
    """What the rows are about, in order."""
    return [text.strip() for text in page.locator("tr[data-row] th a").all_inner_texts()]


def ids_on(page: Page) -> list[str]:
    found = page.locator("tr[data-row]").evaluate_all("rows => rows.map(row => row.id)")
    return [str(name) for name in found]


def ticked(page: Page) -> list[str]:
    """The rows that are ticked on this page."""
    boxes = page.locator("tr[data-row] input[name=id]:checked")
    found = boxes.evaluate_all("boxes => boxes.map(box => box.closest('tr').id)")
    return [str(name) for name in found]


def counted(page: Page, count: int) -> None:
    """So many are said to be chosen, and the server knows of all of them."""
    expect(page.locator("[data-selected-count]")).to_have_text(str(count))
    expect(page.locator("[data-bulk-bar]")).not_to_have_attribute("aria-busy", "true")


def test_the_fifty_seven_are_in_order_on_every_page_and_counted(
    served: GetServed, open_page: OpenPage
) -> None:
    page = open_page(served("seed_57"))
    page.goto("/import")
    expect(page.locator("#batch-total")).to_have_text("57 batches")
    found = names_on(page)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tr[data-row]")).to_have_count(7)
    found += names_on(page)
    assert found == [row.sync_id[:8] for row in SEED_57]
    for status, count in (("preflight_passed", 3), ("pending", 15), ("imported", 39)):
        page.goto(f"/import?status={status}")
        expect(page.locator("tr[data-row]")).to_have_count(count)


def test_where_someone_is_in_a_list_survives_reloads_history_and_being_sent_on(
    browser: Browser, served: GetServed, open_page: OpenPage
) -> None:
    console = served("seed_57")
    page = open_page(console)
    page.goto("/import?view=all")
    page.get_by_label("Updated after").fill("2026-06-27")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile("updated_after="))
    page.get_by_role("link", name="Updated", exact=True).click()
    page.wait_for_url(re.compile("sort="))
    page.get_by_role("link", name="Older").click()
    page.wait_for_url(re.compile("cursor="))
    address, shown = page.url, ids_on(page)
    asked = parse_qs(urlsplit(address).query)
    assert asked["updated_after"] == ["2026-06-27"]
    assert {"sort", "cursor"} <= set(asked)
    assert shown

    page.reload()
    assert ids_on(page) == shown
    page.get_by_role("link", name="Newer").or_(page.get_by_role("link", name="First")).first.click()
    page.wait_for_url(lambda url: url != address)
    assert ids_on(page) != shown
    page.go_back()
    page.wait_for_url(address)
    assert ids_on(page) == shown
    with open_as(browser, console) as another:
        elsewhere = another.new_page()
        elsewhere.goto(address)
        assert ids_on(elsewhere) == shown

    # Another filter begins at its first page; the order stays.
    page.locator("select[name=type]").select_option("asset")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile("type=asset"))
    asked = parse_qs(urlsplit(page.url).query)
    assert "cursor" not in asked
    assert "sort" in asked
    assert asked["updated_after"] == ["2026-06-27"]

    page.goto("/import?colour=blue&status=imported")
    expect(page.locator("main")).to_contain_text("colour")
    expect(page.locator("tr[data-row]")).to_have_count(39)


def test_all_that_match_are_those_that_were_seen_and_become_what_was_said(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("empty")
    lading = served.lading
    chosen = set(enqueue(lading, 60))
    page = open_page(served)
    page.goto("/jobs?view=all")
    page.locator("tr[data-row] input[name=id]").first.check()
    counted(page, 1)
    page.get_by_role("button", name="Select all 60 matching").click()
    counted(page, 60)
    late = set(enqueue(lading, ARRIVED_LATE))
    # One of them is done meanwhile, and no longer what it was when it was chosen.
    (gone, *_) = sorted(chosen)
    lading.queue.cancel(gone, actor="user:vera", why="a test")
    preview = page.request.post(
        "/operations?preview=1",
        form=fields_of(page) | {"verb": "cancel", "resource": "jobs"},
        headers={"accept": "text/html"},
    ).text()
    said = re.search(r'<p class="preview-sentence">([^<]*)', preview)
    assert said is not None
    numbers = {int(number) for number in re.findall(r"\d+", said[1])}
    assert {60, 59, 1} <= numbers, said[1]

    page.get_by_role("button", name="Cancel queued").click()
    page.wait_for_url(re.compile("done=op_"))
    drain_operations(served)
    operation = lading.operations.get(parse_qs(urlsplit(page.url).query)["done"][0])
    assert sorted(filter(None, operation.totals.values())) == [1, 59]
    assert late <= set(jobs_in(lading, JobState.QUEUED))
    assert set(jobs_in(lading, JobState.CANCELLED)) == chosen


def drain_operations(served: Served) -> None:
    """Nothing but operations is left to do: let them be done."""
    if any(job.kind == "operation" for job in served.lading.queue.list().jobs):
        drain(served.lading)


def fields_of(page: Page) -> dict[str, str | float | bool]:
    """What the form around the list carries along."""
    found = page.locator("form[data-bulk]").evaluate(
        "form => [...new FormData(form)].filter(([name]) => ['_csrf', 'sel'].includes(name))"
    )
    return dict(found)


def test_a_range_is_ticked_from_the_eighth_row_to_the_twelfth(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    page = open_page(serve_own("seed_57"))
    page.goto("/import")
    rows = ids_on(page)
    boxes = page.locator("tr[data-row] input[name=id]")
    boxes.nth(7).click()
    boxes.nth(11).click(modifiers=["Shift"])
    counted(page, 5)
    assert ticked(page) == rows[7:12]
    page.wait_for_url(re.compile("sel="))
    page.reload()
    assert ticked(page) == rows[7:12]
    # The same again, by key: there is nothing to add, and what comes next is sent all the same.
    boxes.nth(7).focus()
    page.keyboard.press("Shift+X")
    with page.expect_response(re.compile("/selections/")):
        boxes.nth(1).click()
    page.reload()
    assert ticked(page) == [rows[1], *rows[7:12]]


def test_what_is_chosen_on_three_pages_is_chosen_after_a_reload_and_acted_on(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("empty")
    enqueue(served.lading, QUEUED)
    page = open_page(served)
    page.goto("/jobs?view=all")
    chosen: list[str] = []
    for number in range(3):
        for place in (2, 3):
            page.locator("tr[data-row] input[name=id]").nth(place).check()
        chosen += ticked(page)
        counted(page, 2 * (number + 1))
        page.wait_for_url(re.compile("sel="))
        if number < 2:
            page.get_by_role("link", name="Older").click()
            page.wait_for_function("id => !document.getElementById(id)", arg=chosen[-1])
    assert len(set(chosen)) == 6
    page.reload()
    assert ticked(page) == chosen[-2:]
    counted(page, 6)
    page.get_by_role("button", name="Cancel queued").click()
    page.wait_for_url(re.compile("done=op_"))
    assert {f"j-{job}" for job in jobs_in(served.lading, JobState.CANCELLED)} == set(chosen)


def test_whoever_presses_twice_goes_back_or_has_two_tabs_acts_once(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("seed_57")
    (chosen, *_) = batches_in(served.lading, SOURCE, BatchState.PREFLIGHT_PASSED)
    page = open_page(served)
    tab = page.context.new_page()
    for one in (page, tab):
        one.goto("/import")
        one.locator(f"#b-{chosen} input[name=id]").check()
        counted(one, 1)
        one.get_by_role("button", name="Queue", exact=True).click()
        expect(one.get_by_role("heading", name="Queue 1 batch?")).to_be_visible()
    button = page.get_by_role("button", name="Queue 1 batch")
    button.dblclick()
    page.wait_for_url(re.compile("done=op_"))
    assert count_of(served.lading, "operation") == 1

    # Back on the list it is still ticked; asked for again, nothing is left to be done.
    page.evaluate("history.go(-2)")
    page.locator(f"#b-{chosen} input[name=id]:checked").wait_for()
    # It stands elsewhere in the list by now; a browser puts ticks back by their places.
    assert ticked(page) == [f"b-{chosen}"]
    page.get_by_role("button", name="Queue", exact=True).click()
    expect(page.locator("main")).to_contain_text("Nothing of it would be done")
    assert count_of(served.lading, "operation") == 1

    # The other tab is another wish of the same: it is done already, and said to be.
    tab.get_by_role("button", name="Queue 1 batch").click()
    tab.wait_for_url(re.compile("done=op_"))
    tab.get_by_role("link", name="What happened to each").click()
    expect(tab.locator("main")).to_contain_text("skipped")
    assert count_of(served.lading, "import_job") == 1
