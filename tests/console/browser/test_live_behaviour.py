"""Pages that are open while things happen: what changes by itself, and what is left in peace."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lading.base.errors import StoreError
from lading.base.progress import Progress
from lading.console.rules import EngineState
from lading.jobs.states import JobState
from lading.jobs.values import Claim, JobFilter
from lading.ledger.states import BatchState
from lading.sources.handover.source import HandoverSource
from lading.testing.console_imported import batches_in
from lading.testing.seed_57 import SOURCE
from tests.console.browser.acting import (
    advance,
    enqueue,
    expect_live,
    give_sign,
    jobs_in,
    open_live,
    process,
    publish,
    served_by_process,
    so_far,
    until,
    with_settings,
)
from tests.console.browser.serving import Served, serving

GetServed = Callable[[str], Served]
OpenPage = Callable[..., Page]

SHIFT_MAX = 0.02
ROUNDS = 6
TICKS_A_SECOND = 2

# Told to the page before anything of it runs.
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: 'layout-shift', buffered: true});
"""
HANDS = """() => ({
  ticked: [...document.querySelectorAll('input[name=id]:checked')].map(box => box.value),
  rows: [...document.querySelectorAll('tr[data-row]')].map(row => row.id),
  open: [...document.querySelectorAll('details[open]')].map(
    one => one.id || one.dataset.help || one.className),
  typed: [...document.querySelectorAll('main input[type=search], main input:not([type])')].map(
    one => [one.name, one.value]),
  focus: document.activeElement.id || document.activeElement.name,
  caret: document.activeElement.selectionStart,
  scrolled: Math.round(scrollY),
})"""
WATCH_MESSAGES = """
window.messages = [];
const Real = EventSource;
window.EventSource = class extends Real {
  constructor(url) {
    super(url);
    this.addEventListener('beat', () => window.messages.push(performance.now()));
  }
};
"""
WATCH_STATUS = """
window.said = [];
addEventListener('DOMContentLoaded', () => new MutationObserver(
  () => window.said.push(document.getElementById('status').textContent)
).observe(document.getElementById('status'), {childList: true}));
"""
# What the page thinks of itself as seen or not; the browser of tests shows all its pages.
MAY_HIDE = """
window.isHidden = false;
Object.defineProperty(document, 'hidden', {configurable: true, get: () => window.isHidden});
window.hide = hidden => {
  window.isHidden = hidden;
  document.dispatchEvent(new Event('visibilitychange'));
};
"""


def running_import(served: Served) -> int:
    """The import that goes on in the busy installation, of which 20 items are known."""
    return min(jobs_in(served.lading, JobState.RUNNING))


@pytest.mark.parametrize(
    ("address", "field"), [("/jobs?view=all", "#pause-why"), ("/import", "#explain-ref")]
)
def test_what_someone_has_in_hand_stays_while_everything_else_changes(
    serve_own: GetServed, open_page: OpenPage, address: str, field: str
) -> None:
    served = serve_own("busy")
    lading = served.lading
    job, waiting = running_import(served), jobs_in(lading, JobState.QUEUED)
    page = open_page(served)
    page.add_init_script(WATCH_SHIFTS)
    open_live(page, address)
    boxes = page.locator("tr[data-row] input[name=id]")
    for number in (1, 3, 4):
        boxes.nth(number).check()
    expect(page.locator("[data-selected-count]")).to_have_text("3")
    page.locator("details[data-menu] summary").click()
    page.locator(field).press_sequentially("half a sen")
    page.evaluate("scrollTo(0, 240)")
    page.evaluate("window.shifted = 0")
    before = page.evaluate(HANDS)
    row = page.locator("tr[data-row]", has=page.locator(f'.job-cell a[href="/jobs/{job}"]'))
    row = row.or_(page.locator(f"#j-{job}"))
    assert before["open"]
    assert len(before["ticked"]) == 3

    for step in range(1, ROUNDS + 1):
        advance(lading, job, so_far(3 + step, 20))
        lading.queue.set_priority(waiting[-1], step % 5 + 1, actor="user:otto")
        if step == ROUNDS // 2:
            enqueue(lading, 2)
            publish(lading, 1, seed=90)
            lading.ingest.scan(SOURCE, actor="schedule:scan")
        share = f"{(3 + step) * 5} %"
        expect(row).to_contain_text(share)

    expect(page.locator("[data-new-rows]")).to_be_visible()
    assert page.evaluate(HANDS) == before
    assert page.evaluate("window.shifted") < SHIFT_MAX


def test_a_server_that_dies_is_said_to_be_away_and_nothing_is_missed(
    installation: Callable[[str], Path], open_page: OpenPage
) -> None:
    with served_by_process(installation("seed_57")) as (served, server):
        page = open_page(served, allow=("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED"))
        open_live(page, "/import")
        indicator = page.locator("#live-indicator")
        server.kill()
        expect(indicator).to_have_text(re.compile(r"^Reconnecting, data from \d\d:\d\d:\d\d$"))
        ready = batches_in(served.lading, SOURCE, BatchState.PREFLIGHT_PASSED)
        served.lading.ingest.queue(ready, actor="user:otto")
        page.evaluate("window.stayed = true")
        server.start()
        server.started()
        expect_live(page)
        for number in ready:
            expect(page.locator(f"#b-{number}")).to_contain_text("Queued")
        assert page.evaluate("window.stayed"), "the page was loaded anew"
        expect(page.locator("#count-in-progress")).to_have_text(str(len(ready)))
        server.stop()


def test_a_hidden_page_lets_go_of_its_stream_and_returns_to_what_changed(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("seed_57")
    page = open_page(served)
    page.add_init_script(MAY_HIDE)
    open_live(page, "/import")
    with page.expect_event("requestfailed", lambda request: "/live?" in request.url):
        page.evaluate("window.hide(true)")
    (number, *_) = batches_in(served.lading, SOURCE, BatchState.PREFLIGHT_PASSED)
    served.lading.ingest.queue([number], actor="user:otto")
    page.evaluate("window.hide(false)")
    expect(page.locator(f"#b-{number}")).to_contain_text("Queued")


def test_however_many_pages_are_open_one_more_loads(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("seed_57")
    pages = [open_page(served)]
    pages += [pages[0].context.new_page() for _ in range(7)]
    for page in pages:
        open_live(page, "/about")
    # A browser has six connections to one host: with all of them in streams this one would hang.
    last = pages[0].context.new_page()
    last.goto("/import")
    expect(last.get_by_role("heading", name="Import media")).to_be_visible()
    expect_live(last)
    expect(pages[0].locator("#live-indicator")).to_have_text(
        "Paused, newer pages of yours are live"
    )


def test_what_is_queued_elsewhere_is_seen_among_the_jobs(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("seed_57")
    page = open_page(served)
    open_live(page, "/jobs?view=waiting")
    page.evaluate("window.stayed = true")
    ready = batches_in(served.lading, SOURCE, BatchState.PREFLIGHT_PASSED)
    served.lading.ingest.queue(ready, actor="user:otto")
    bar = page.get_by_role("link", name=f"{len(ready)} new - show")
    expect(bar).to_be_visible()
    expect(page.locator("#queue")).to_contain_text(f"In line {len(ready)}", use_inner_text=True)
    assert page.evaluate("window.stayed"), "the page was loaded anew"
    bar.click()
    expect(page.locator("tr[data-row]")).to_have_count(len(ready))
    expect(page.locator("tr[data-row]").first).to_contain_text("Queued")


def test_the_job_of_a_killed_worker_leaves_running_on_every_page_alike(
    installation: Callable[[str], Path], open_page: OpenPage
) -> None:
    with (
        with_settings(
            installation("empty"), stale_after_s=3, heartbeat_s=0.5, rescue_every_s=0.5
        ) as folder,
        serving(folder) as served,
    ):
        lading = served.lading
        (_,) = publish(lading, 1, photos=150)
        lading.ingest.scan(SOURCE, actor="user:otto")
        lading.ingest.queue(batches_in(lading, SOURCE, BatchState.PENDING), actor="user:otto")
        with process(folder, "worker") as worker:
            until(lambda: at_work(served), "the import runs")
            worker.kill()
        (job,) = jobs_in(lading, JobState.RUNNING)
        # Nobody claims from here on: what is looked at is what becomes of the job.
        lading.queue.pause_intake(actor="user:ada", why="a test")
        first = open_page(served)
        pages = {
            address: first if not number else first.context.new_page()
            for number, address in enumerate(["/jobs?view=all", f"/jobs/{job}", "/workers", "/"])
        }
        for address, page in pages.items():
            open_live(page, address)
        places = [
            pages[address].locator(place)
            for address, place in zip(
                pages, (f"#j-{job}", "#job-head", "#workers-running", "#card-engine"), strict=True
            )
        ]
        for place in places:
            expect(place).to_contain_text("No sign of life")
        with process(folder, "worker") as rescuer:
            for place in places[:2]:
                expect(place).to_contain_text("Queued")
            for place in places[2:]:
                expect(place.locator(f'a[href="/jobs/{job}"]')).to_have_count(0)
            for page in pages.values():
                strip = page.locator("#engine")
                expect(strip.get_by_role("link", name="0 running")).to_be_visible()
                expect(strip.get_by_role("link", name="1 queued")).to_be_visible()
            rescuer.stop()


def at_work(served: Served) -> bool:
    jobs = served.lading.queue.list(JobFilter(states=[JobState.RUNNING])).jobs
    return any(job.progress.items_done for job in jobs)


def claim(served: Served) -> Claim:
    """Take the next job as the one worker there is."""
    give_sign(served.lading)
    found = served.lading.queue.claim("ingest-9/77/test")
    assert found is not None
    return found


def nothing(_served: Served) -> None:
    """Leave it as it was made."""


def degrade(served: Served) -> None:
    enqueue(served.lading, 1)


def scan(served: Served) -> None:
    served.lading.operations.request_scan(SOURCE, actor="user:otto")
    taken = claim(served)
    with served.lading.db.write() as conn:
        served.lading.queue.guard(conn, taken, Progress(items_done=4, current=SOURCE))


def work(served: Served) -> None:
    enqueue(served.lading, 2)
    claim(served)


def pause(served: Served) -> None:
    served.lading.queue.pause_intake(actor="user:ada", why="a disk")


STATES: dict[str, tuple[Callable[[Served], None], str, str, str]] = {
    "idle": (nothing, "Idle", "", "idle"),
    "degraded": (degrade, "Degraded", "Degraded", "failed"),
    "working": (work, "Working", "Importing", "busy"),
    "scanning": (scan, "Scanning", "Scanning", "busy"),
    "paused": (pause, "Paused", "Paused", "attention"),
    "needs_configuration": (nothing, "Configuration needed", "Configuration needed", "attention"),
    "starting": (nothing, "Starting", "Starting", "busy"),
}


def test_every_state_of_the_engine_is_shown_here() -> None:
    assert set(STATES) == {state.value for state in EngineState}


@pytest.mark.parametrize("state", STATES)
def test_a_state_of_the_engine_is_in_the_strip_the_title_and_the_icon(
    installation: Callable[[str], Path],
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
) -> None:
    bring_about, word, title, icon = STATES[state]
    folder, looked = installation("empty"), threading.Event()
    if state == "needs_configuration":
        settings = folder / "lading.toml"
        settings.write_text(settings.read_text().partition("[sources.")[0])
    if state == "starting":
        # The source is on a disk that does not answer.
        monkeypatch.setattr(HandoverSource, "identity", lambda _source: str(looked.wait()))
    try:
        with serving(folder) as served:
            bring_about(served)
            page = open_page(served)
            page.goto("/about")
            strip = page.locator("#engine")
            expect(strip).to_have_attribute("data-state", state)
            expect(strip.locator(".engine-state strong")).to_have_text(word)
            expect(page.locator("#favicon")).to_have_attribute(
                "href", re.compile(rf"/favicon-{icon}\.svg$")
            )
            expect(page).to_have_title(re.compile(rf"^{title} - About" if title else "^About"))
            looked.set()
    finally:
        looked.set()


def test_the_strip_title_and_icon_change_by_themselves(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("empty")
    page = open_page(served)
    open_live(page, "/about")
    expect(page).to_have_title(re.compile("^About"))
    pause(served)
    expect(page.locator("#engine")).to_have_attribute("data-state", "paused")
    expect(page.locator("#favicon")).to_have_attribute("href", re.compile("favicon-attention"))
    expect(page).to_have_title(re.compile("^Paused - About"))


def test_a_hundred_steps_are_few_announcements_and_a_failure_is_one_at_once(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("empty")
    enqueue(served.lading, 1)
    taken = claim(served)
    page = open_page(served)
    page.add_init_script(WATCH_STATUS)
    open_live(page, f"/jobs/{taken.job_id}")
    head = page.locator("#job-head")
    for step in range(1, 101):
        with served.lading.db.write() as conn:
            served.lading.queue.guard(conn, taken, so_far(step, 200))
        if step % 20 == 0:
            # Each fifth of it reaches the page by itself.
            expect(head).to_contain_text(f"{step // 2} %")
    expect(page.locator("#status")).to_contain_text("%")
    assert len(page.evaluate("window.said")) <= 5
    away = StoreError("the store does not answer", subject="library", next_step="Mend the store.")
    served.lading.queue.fail(taken, away)
    expect(page.locator("#status")).to_contain_text(re.compile("fail", re.IGNORECASE))
    assert len(page.evaluate("window.said")) <= 6


def test_a_burst_of_events_reaches_a_page_in_few_messages_and_leaves_it_usable(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("busy")
    job = running_import(served)
    page = open_page(served)
    page.add_init_script(WATCH_MESSAGES)
    open_live(page, "/jobs?view=all")
    elements = page.evaluate("document.querySelectorAll('*').length")
    field = page.locator("#pause-why")
    field.focus()
    began_at_ms = page.evaluate("performance.now()")
    messages = page.evaluate("window.messages.length")
    for step in range(1, 501):
        advance(served.lading, job, so_far(step, 1000))
        if step % 100 == 0:
            page.keyboard.type("ok ")
    row = page.locator(f"#j-{job}")
    expect(row).to_contain_text("50 %")
    took_s = (page.evaluate("performance.now()") - began_at_ms) / 1000
    came = page.evaluate("window.messages.length") - messages
    assert 1 <= came <= TICKS_A_SECOND * took_s + 2
    expect(field).to_have_value("ok ok ok ok ok ")
    assert abs(page.evaluate("document.querySelectorAll('*').length") - elements) < 20
