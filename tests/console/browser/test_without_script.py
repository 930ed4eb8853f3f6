"""The console with scripts off: everything can be read, chosen and done, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import select

from lading.jobs.states import JobState
from lading.library.tables import asset
from lading.testing.console_imported import drain
from lading.testing.seed_57 import SEED_57, SOURCE
from tests.console.browser.acting import jobs_in, publish
from tests.console.browser.serving import Served

GetServed = Callable[[str], Served]
OpenPage = Callable[..., Page]


def test_a_list_is_filtered_sorted_and_paged(served: GetServed, open_page: OpenPage) -> None:
    page = open_page(served("seed_57"), js=False)
    page.goto("/import")
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(len(SEED_57) - 50)
    page.get_by_label("Status").select_option("pending")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(15)
    page.get_by_role("link", name="Updated", exact=True).click()
    expect(page.locator("th[aria-sort]")).to_have_count(1)
    shown = rows.locator("th a").all_inner_texts()
    page.get_by_role("link", name="Updated", exact=True).click()
    assert rows.locator("th a").all_inner_texts() != shown
    page.get_by_role("link", name="Clear all").click()
    expect(rows).to_have_count(50)
    page.get_by_role("link", name=re.compile("^Done")).click()
    expect(rows).to_have_count(39)


def test_batches_are_scanned_queued_and_cancelled(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("empty")
    publish(served.lading, 3)
    page = open_page(served, js=False)
    page.goto("/import")
    page.get_by_role("button", name=f"Scan {SOURCE} now").click()
    expect(page.locator(f"#scan-{SOURCE}")).to_contain_text("in line for a worker")
    drain(served.lading)
    page.reload()
    boxes = page.locator("tr[data-row] input[name=id]")
    expect(boxes).to_have_count(3)
    for number in range(3):
        boxes.nth(number).check()
    served.lading.queue.pause_intake(actor="user:ada", why="a test")
    page.get_by_role("button", name="Preflight", exact=True).click()
    served.lading.queue.resume_intake(actor="user:ada")
    drain(served.lading)
    page.goto("/import?status=preflight_passed")
    expect(boxes).to_have_count(3)
    for number in range(3):
        boxes.nth(number).check()
    page.get_by_role("button", name="Queue", exact=True).click()
    expect(page.get_by_role("heading", name="Queue 3 batches?")).to_be_visible()
    page.get_by_role("button", name="Queue 3 batches").click()
    expect(page.locator("main")).to_contain_text("Queued 3 batches.")
    assert len(jobs_in(served.lading, JobState.QUEUED)) == 3

    page.goto("/import?status=queued")
    boxes.first.check()
    page.get_by_role("button", name="Cancel queued").click()
    expect(page.locator("main")).to_contain_text("Cancelled 1 batch.")
    assert len(jobs_in(served.lading, JobState.QUEUED)) == 2
    drain(served.lading)
    page.goto("/import?view=done")
    expect(page.locator("tr[data-row]", has_text="Imported")).to_have_count(2)


def test_what_was_put_in_the_trash_is_restored(serve_own: GetServed, open_page: OpenPage) -> None:
    served = serve_own("imported")
    page = open_page(served, js=False)
    with served.lading.db.read() as conn:
        known = select(asset.c.content_hash).where(asset.c.deleted_at.is_(None))
        content_hash = conn.scalars(known.order_by(asset.c.id).limit(1)).one()
    page.goto(f"/library/assets/{content_hash}")
    page.get_by_role("button", name="Move to trash").click()
    expect(page.locator(".headline")).to_contain_text("In trash")
    page.goto("/library/trash")
    row = page.locator("tr[data-row]", has=page.locator(f'a[href*="{content_hash}"]'))
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Restore what is selected").click()
    expect(page.locator("main")).to_contain_text("Restored 1 asset.")
    page.goto(f"/library/assets/{content_hash}")
    expect(page.locator(".headline")).to_contain_text("In the library")
