"""Somebody settles a conflict and takes a recording in, and sees it happen without a reload."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from lading.sources.recordings import jobs
from lading.testing.console_imported import drain
from lading.testing.console_recordings import CONFLICTING, VERIFIED, WAITING, hash_of
from tests.console.browser.acting import expect_live, open_live
from tests.console.browser.serving import Served
from tests.console.visitor import work_on


def test_a_conflict_is_settled_and_an_upload_seen_to_its_end(
    open_page: Callable[..., Page], serve_own: Callable[[str], Served]
) -> None:
    served = serve_own("recordings")
    source = jobs.recordings_source(served.lading.ingest.parts, "rig")
    work_on(served, jobs.VERIFY)  # what waits is not of this story
    page = open_page(served)
    open_live(page, f"/recordings/ingest?id={CONFLICTING}")
    page.get_by_role("radio", name="Overwrite").check()
    page.get_by_label("To overwrite, type").fill(CONFLICTING)
    page.get_by_role("button", name="Register", exact=True).click()
    row = page.get_by_role("region", name="Jobs of recordings").locator("tr[data-row]")
    expect(row).to_contain_text("Queued")
    expect_live(page)
    work_on(served, jobs.REGISTER)
    expect(row).to_contain_text("Done")
    held = source.repository.catalog.get_recording(hash_of(source.options.path / CONFLICTING))
    assert (held.duration_s, held.participant_ids) == (90.0, ("Eve Moss",))

    page.goto(f"/recordings/ingest?id={WAITING}")
    page.get_by_role("button", name="Upload and register").click()
    page.wait_for_url("**/operations/*")
    work_on(served, "operation")
    open_live(page, "/recordings?state=local")
    row = page.get_by_role("region", name="List of recordings").locator("tr[data-row]")
    expect(row).to_contain_text("Uploading")
    drain(served.lading)
    expect(row).to_contain_text("Registered")
    row.get_by_role("link", name=WAITING).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(WAITING)

    page.get_by_role("link", name="Verify and download").click()
    page.get_by_role("button", name="Download", exact=True).click()
    row = page.get_by_role("region", name="Jobs of recordings").locator("tr[data-row]")
    expect_live(page)
    work_on(served, jobs.DOWNLOAD)
    expect(row).to_contain_text("22.0 kB processed of 22.0 kB 22.0 kB transferred")
    assert (served.folder / "downloads" / WAITING / "session.log").stat().st_size == 11
    assert VERIFIED in page.goto("/recordings").text()  # type: ignore[union-attr]
