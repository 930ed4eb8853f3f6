"""Photos are sorted with the mouse: a wrong pattern, the preview, the run that ends while seen."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from lading.sorting.sorting import SORT_JOB_KIND
from tests.console.browser.looks import (
    axe_problems,
    overflow_problems,
    structure_problems,
    target_problems,
)
from tests.console.browser.serving import Served
from tests.console.photo_trees import know_anew
from tests.console.visitor import work_on

ARRIVES_WITHIN_MS = 30_000
WIDE, NARROWEST = 1280, 320


def look(page: Page, what: str) -> list[str]:
    """What is wrong with the page as it is now."""
    found = [*structure_problems(page), *overflow_problems(page), *target_problems(page)]
    page.set_viewport_size({"width": NARROWEST, "height": 844})
    found += [*overflow_problems(page), *axe_problems(page)]
    page.set_viewport_size({"width": WIDE, "height": 844})
    return [f"{what}: {problem}" for problem in found]


def test_photos_are_sorted_with_the_mouse_and_put_back(
    open_page: Callable[..., Page], serve_own: Callable[[str], Served]
) -> None:
    own = serve_own("photos")
    know_anew(own)
    page = open_page(own, allow=["400"])
    page.goto("/photos/sorting?source=home&folder=2024")
    page.get_by_label("Pattern", exact=True).fill("../{name}{ext}")
    page.get_by_role("button", name="Where would it be moved?").click()
    expect(page.get_by_label("Pattern", exact=True)).to_have_attribute("aria-invalid", "true")
    problems = look(page, "a wrong pattern")

    page.get_by_label("Pattern", exact=True).fill("{year}/{month:02}/{name}{ext}")
    page.get_by_role("button", name="Where would it be moved?").click()
    accept = page.get_by_role("button", name="Sort exactly this")
    while not accept.is_visible():
        page.get_by_role("link", name="Look how far it is").click()
    problems += look(page, "the preview")

    accept.click()
    expect(page.locator("#sort-run")).to_contain_text("Planning")
    work_on(own, SORT_JOB_KIND)
    expect(page.locator("#sort-run")).to_contain_text("Sorted", timeout=ARRIVES_WITHIN_MS)
    page.reload()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#sort-run")).to_contain_text("Taking back")
    work_on(own, SORT_JOB_KIND)
    expect(page.locator("#sort-run")).to_contain_text("Taken back", timeout=ARRIVES_WITHIN_MS)
    assert not problems, "\n".join(problems)
