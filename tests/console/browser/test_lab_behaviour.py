"""The lab in a browser: what is moved is judged at once, and who moves it keeps the focus."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.console.browser.serving import Served

OpenPage = Callable[..., Page]
GetServed = Callable[[str], Served]


def test_a_slider_and_its_field_follow_each_other_and_judge_while_they_are_moved(
    open_page: OpenPage, served: GetServed
) -> None:
    page = open_page(served("people"))
    page.goto("/people/lab/1")
    field = page.get_by_label("Match distance, at most", exact=True)
    slider = page.get_by_label("Match distance, at most, slider")
    lost = page.locator("#judged .preview-sentence b").nth(1)
    expect(slider).to_have_value("0.45")
    expect(lost).to_have_text("-0")
    slider.focus()
    slider.press("Home")
    expect(field).to_have_value("0.2")
    expect(lost).not_to_have_text("-0")
    expect(page).to_have_url(re.compile(r"distance_max=0\.2(&|$)"))
    expect(slider).to_be_focused()
    field.fill("0.52")
    expect(slider).to_have_value("0.52")
    expect(lost).to_have_text("-0")
    expect(page.locator("#judged")).to_contain_text("These are the settings that hold.")
    expect(field).to_be_focused()
    field.fill("7")
    expect(page.locator("#judged [role=alert]")).to_contain_text("a number from 0.2 to 0.9")
    expect(field).to_be_focused()


def test_without_scripts_there_is_no_slider_and_a_button_judges(
    open_page: OpenPage, served: GetServed
) -> None:
    page = open_page(served("people"), js=False)
    page.goto("/people/lab/1")
    expect(page.locator("input[type=range]").first).to_be_hidden()
    page.get_by_label("Match distance, at most", exact=True).fill("0.3")
    page.get_by_role("button", name="Judge again").click()
    expect(page.locator("#judged")).to_contain_text("0.52 → 0.3")
    page.get_by_role("button", name="Adopt these settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Adopt the settings of run 1")
