"""The console by keyboard alone, at rest for who asks for that, and across a session's end."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from lading.accounts.values import Role
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.states import JobState
from lading.testing.console_data import PEOPLE
from lading.testing.console_imported import drain, upstream_of
from lading.testing.publisher import Breakage, Publisher
from lading.testing.seed_57 import SOURCE
from tests.console.browser.acting import advance as go_on
from tests.console.browser.acting import jobs_in, open_live, publish, so_far, tab_to, working
from tests.console.browser.serving import Served

GetServed = Callable[[str], Served]
OpenPage = Callable[..., Page]

NO_MOUSE = """
for (const kind of ['mousedown', 'pointerdown', 'touchstart']) {
  addEventListener(kind, () => { document.title = 'A mouse was used'; }, true);
}
"""
TYPED = "the disk is being repl"


def press(page: Page, name: str, *, role: str = "button") -> None:
    """Go to a button or link by Tab, and press Enter."""
    tab_to(page, page.get_by_role(role, name=name, exact=True).first)  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def go(page: Page, key: str, heading: str) -> None:
    """Go to a page by its two keys."""
    page.keyboard.press("g")
    page.keyboard.press(key)
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()


def test_from_a_scan_to_a_retry_without_a_mouse(serve_own: GetServed, open_page: OpenPage) -> None:
    served = serve_own("empty")
    publisher = Publisher(upstream_of(served.lading), seed=31)
    publisher.publish_broken(Breakage.FILE_OTHER_BYTES)
    publish(served.lading, 2)
    page = open_page(served)
    page.add_init_script(NO_MOUSE)
    with working(served.lading):
        open_live(page, "/")
        go(page, "i", "Import media")
        press(page, f"Scan {SOURCE} now")
        expect(page.locator(f"#scan-{SOURCE}")).to_contain_text("3 new")
        page.reload()
        expect(page.locator("tr[data-row]")).to_have_count(3)
        for number in range(3):
            page.keyboard.press("j")
            page.keyboard.press("x")
            expect(page.locator("[data-selected-count]")).to_have_text(str(number + 1))
        press(page, "Queue")
        expect(page.get_by_role("heading", name="Queue 3 batches?")).to_be_visible()
        press(page, "Queue 3 batches")
        expect(page.locator("#told")).to_contain_text("Queued 3 batches.")
        page.keyboard.press("g")
        page.keyboard.press("i")
        page.wait_for_url(re.compile("/import$"))
        expect(page.locator("#count-done")).to_have_text("2")
        expect(page.locator("#count-needs-me")).to_have_text("1")

        go(page, "p", "Problems")
        card = page.locator(".group-card a").first
        tab_to(page, card)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/problems/"))
        expect(page.locator("tr[data-row]")).to_have_count(1)
        retry = page.get_by_role("button", name=re.compile("^Retry|^Queue"))
        tab_to(page, retry.first)
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_contain_text("What happened to each")
    drain(served.lading)
    imports = [job for job in served.lading.queue.list().jobs if job.kind == IMPORT_JOB_KIND]
    assert [job.status for job in imports] == [JobState.DONE] * 4, "three, and one tried again"
    assert "A mouse was used" not in page.title()


def test_single_keys_do_nothing_in_a_field_and_can_be_switched_off(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    page = open_page(serve_own("seed_57"))
    page.goto("/import")
    field = page.locator("[data-filter]")
    field.focus()
    page.keyboard.type("jx?gi")
    expect(field).to_have_value("jx?gi")
    expect(page.locator("#legend")).to_have_count(0)
    assert page.locator("input[name=id]:checked").count() == 0
    assert page.url.endswith("/import")
    field.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#legend")).to_be_visible()

    page.goto("/profile")
    page.get_by_label("Keyboard shortcuts of a single key").select_option("off")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile("saved=1"))
    page.goto("/import")
    for key in ("j", "x", "?"):
        page.keyboard.press(key)
    # What the keys would have done, they would have done before this.
    page.locator("[data-filter]").fill("later")
    expect(page.locator("#legend")).to_have_count(0)
    assert page.locator("input[name=id]:checked").count() == 0


def test_nothing_moves_for_who_wants_it_so_while_work_goes_on(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("busy")
    page = open_page(served, reduced_motion="reduce")
    job = min(jobs_in(served.lading, JobState.RUNNING))
    for address in ("/", "/jobs?view=all", f"/jobs/{job}", "/import"):
        open_live(page, address)
        go_on(served.lading, job, so_far(10, 20))
        expect(page.locator(f'progress[aria-label="Progress of job {job}"]').first).to_be_visible()
        moving = "document.getAnimations().filter(one => one.playState === 'running').length"
        assert page.evaluate(moving) == 0


def test_what_was_being_typed_when_the_session_ended_is_there_after_signing_in(
    serve_own: GetServed, open_page: OpenPage
) -> None:
    served = serve_own("busy")
    person = PEOPLE[Role.OPERATOR]
    page = open_page(served, role=Role.OPERATOR)
    open_live(page, "/jobs?view=all")
    page.locator("#pause-why").fill(TYPED)
    caller = served.accounts.caller_of_session(served.session_of(Role.OPERATOR))
    assert caller is not None
    served.accounts.revoke_all_sessions(caller.account.id, actor="user:ada")
    page.get_by_role("button", name="Pause", exact=True).last.click()
    page.wait_for_url(re.compile("/sign-in"))
    page.get_by_label("Name").fill(person.name)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/jobs\?view=all$"))
    expect(page.locator("#pause-why")).to_have_value(TYPED)
    assert not served.lading.queue.intake().paused
