"""What pages say is so: progress, times, sources that are away, and what an undo brings back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from lading.base.progress import STALLED_AFTER_S
from lading.console.readers import running, watching
from lading.console.readers.assets import read_asset
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.library.tables import asset, asset_gallery_item
from lading.testing.console_imported import batches_in, drain, upstream_of
from lading.testing.seed_57 import SOURCE
from lading.testing.snapshots import library_snapshot
from tests.console.browser.acting import (
    count_of,
    enqueue,
    give_sign,
    jobs_in,
    open_live,
    publish,
    rows_of,
    so_far,
    until,
    working,
)
from tests.console.browser.serving import Served

GetServed = Callable[[str], Served]
OpenPage = Callable[..., Page]

WORKER = "ingest-9/77/test"
PHOTOS = 40
# Every share that stands at the two places while the page is open, in order.
WATCH_SHARES = """
window.shares = {'#job-head': [], '#engine': []};
addEventListener('DOMContentLoaded', () => {
  const look = () => {
    for (const [place, seen] of Object.entries(window.shares)) {
      const bar = document.querySelector(`${place} progress[value]`);
      if (bar && bar.value !== seen.at(-1)) seen.push(bar.value);
    }
  };
  look();
  new MutationObserver(look).observe(
    document.body, {subtree: true, childList: true, attributes: true});
});
"""


def test_the_share_of_a_real_import_never_goes_back(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("empty")
    lading = served.lading
    publish(lading, 2, photos=PHOTOS)
    lading.ingest.scan(SOURCE, actor="user:otto")
    lading.ingest.queue(batches_in(lading, SOURCE, BatchState.PENDING), actor="user:otto")
    first, second = sorted(jobs_in(lading, JobState.QUEUED))
    page = open_page(served)
    page.add_init_script(WATCH_SHARES)
    open_live(page, f"/jobs/{first}")
    with working(lading):
        expect(page.locator("#job-head")).to_contain_text("Done")
        until(lambda: second in jobs_in(lading, JobState.DONE), "both imports are done")
        expect(page.locator("#engine")).to_have_attribute("data-state", "idle")
    # The strip is of all that runs: it begins anew with the second, which the next test is about.
    seen = page.evaluate("window.shares")["#job-head"]
    assert seen == sorted(seen), f"the share of the job fell: {seen}"


def test_a_share_that_falls_says_why(serve_own: GetServed, open_page: OpenPage) -> None:
    served = serve_own("empty")
    lading = served.lading
    enqueue(lading, 2)
    give_sign(lading, WORKER)
    first = lading.queue.claim(WORKER)
    assert first is not None
    page = open_page(served)
    page.add_init_script(WATCH_SHARES)
    open_live(page, "/jobs")
    strip = page.locator("#engine")
    with lading.db.write() as conn:
        lading.queue.guard(conn, first, so_far(9, 10))
    expect(strip).to_contain_text("90 %")
    second = lading.queue.claim(WORKER)
    assert second is not None
    with lading.db.write() as conn:
        lading.queue.guard(conn, second, so_far(1, 90))
    expect(strip).to_contain_text("10 % (work was added or begun anew)")


def test_a_standstill_is_said(
    serve_own: GetServed, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve_own("empty")
    lading = served.lading
    enqueue(lading, 1)
    give_sign(lading, WORKER)
    taken = lading.queue.claim(WORKER)
    assert taken is not None
    with lading.db.write() as conn:
        lading.queue.guard(conn, taken, so_far(2, 10))
    page = open_page(served)
    open_live(page, f"/jobs/{taken.job_id}")
    head = page.locator("#job-head")
    expect(head).to_contain_text("Running")
    # The time in which nothing moves, at once.
    monkeypatch.setattr(running, "monotonic", lambda: monotonic() + STALLED_AFTER_S + 1)
    expect(head).to_contain_text("Stalled")
    expect(head).to_contain_text(re.compile(r"stalled \d+ s"))
    expect(page.locator("#engine")).to_contain_text(re.compile(r"stalled \d+ s"))


# The clocks of St John's went from 02:00 to 03:00 on 8 March 2026, at 05:30 UTC.
BEFORE, AFTER = "2026-03-08T05:29:59", "2026-03-08T05:30:01"
ZONES = {
    "UTC": ("2026-03-08 05:29:59", "2026-03-08 05:30:01"),
    "Asia/Kathmandu": ("2026-03-08 11:14:59", "2026-03-08 11:15:01"),
    "America/St_Johns": ("2026-03-08 01:59:59", "2026-03-08 03:00:01"),
}


@pytest.mark.parametrize("chosen", [False, True], ids=["of_the_browser", "of_the_profile"])
def test_an_instant_is_the_same_in_every_zone(
    serve_own: GetServed, open_page: OpenPage, chosen: bool
) -> None:
    served = serve_own("seed_57")
    with served.lading.db.write() as conn:
        ids = conn.scalars(select(ingest_batch.c.id).order_by(ingest_batch.c.id).limit(2)).all()
        for number, text in zip(ids, (BEFORE, AFTER), strict=True):
            at = datetime.fromisoformat(text).replace(tzinfo=UTC)
            conn.execute(
                update(ingest_batch).where(ingest_batch.c.id == number).values(updated_at=at)
            )
    for zone, texts in ZONES.items():
        page = open_page(served, zone="Pacific/Auckland" if chosen else zone)
        if chosen:
            page.goto("/profile")
            page.get_by_label("Times are shown in").fill(zone)
            page.get_by_role("button", name="Save").click()
            page.wait_for_url(re.compile("saved=1"))
        page.goto("/import?limit=100")
        # Browsers know some zones by their older names.
        expect(page.locator("#zone-name")).to_have_text(re.compile(zone.replace("Kath", "Kath?")))
        for number, text, instant in zip(ids, texts, (BEFORE, AFTER), strict=True):
            shown = page.locator(f"#b-{number} time")
            expect(shown).to_have_text(text)
            expect(shown).to_have_attribute("datetime", re.compile(instant))


def test_a_source_that_is_gone_is_said_to_be_and_believed_only_when_that_is_confirmed(
    serve_own: GetServed, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sources are looked at more often than otherwise.
    monkeypatch.setattr(watching.Watch.__init__, "__kwdefaults__", {"every_s": 0.2})
    served = serve_own("imported")
    lading, root = served.lading, upstream_of(served.lading)
    before = rows_of(lading, "ingest_batch")
    page = open_page(served)
    open_live(page, "/import")
    # Its disk is not mounted any more, and the folder it was mounted on is empty.
    root.rename(root.with_name("elsewhere"))
    expect(page.locator("#engine")).to_contain_text(f"Source {SOURCE} is missing")
    (root / "sync").mkdir(parents=True)
    scan = page.get_by_role("button", name=f"Scan {SOURCE} now")
    scan.click()
    expect(page.locator(f"#scan-{SOURCE}")).to_contain_text("in line for a worker")
    drain_scans(served)
    expect(page.locator(f"#scan-{SOURCE}")).to_contain_text("refused, nothing changed")
    assert rows_of(lading, "ingest_batch") == before

    page.get_by_role("link", name="why, and what to do").click()
    expect(page.locator("main")).to_contain_text("nothing changed")
    page.goto("/scans")
    jobs = count_of(lading, "import_job")
    page.get_by_role("button", name="It is meant: believe it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Believe what a scan")
    assert count_of(lading, "import_job") == jobs
    page.get_by_role("link", name="Leave it as it is").or_(
        page.get_by_role("button", name="Leave it as it is")
    ).click()
    page.wait_for_url(re.compile("/scans$"))
    assert count_of(lading, "import_job") == jobs
    assert rows_of(lading, "ingest_batch") == before


def drain_scans(served: Served) -> None:
    """Let a worker do what is in line, with nothing else there."""
    assert all(
        job.kind == "scan"
        for job in served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs
    )
    drain(served.lading)


def test_an_undo_on_the_page_of_an_asset_leaves_no_trace(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("imported")
    lading = served.lading
    with lading.db.read() as conn:
        content_hash = conn.scalars(
            select(asset.c.content_hash)
            .join(asset_gallery_item, asset_gallery_item.c.content_hash == asset.c.content_hash)
            .where(asset.c.deleted_at.is_(None))
            .order_by(asset.c.id)
            .limit(1)
        ).one()
        before = library_snapshot(conn)
    shown = read_asset(lading.db, content_hash)
    page = open_page(served)
    page.goto(f"/library/assets/{content_hash}")
    page.get_by_role("button", name="Move to trash").click()
    expect(page.locator(".headline")).to_contain_text("In trash")
    with lading.db.read() as conn:
        assert library_snapshot(conn) != before
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(re.compile("/operations/op_"))
    page.goto(f"/library/assets/{content_hash}")
    expect(page.locator(".headline")).to_contain_text("In the library")
    with lading.db.read() as conn:
        assert library_snapshot(conn) == before
    again = read_asset(lading.db, content_hash)
    assert (again.cover, again.sites, again.packages) == (shown.cover, shown.sites, shown.packages)
    assert again.card.asset.deleted == shown.card.asset.deleted
