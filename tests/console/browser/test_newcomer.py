"""What a newcomer does with the mouse: sign in, look, import what is left, and watch it arrive."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.console.browser.watch import Watch

ENDS_WITHIN_S = 60
ARRIVES_WITHIN_MS = 60_000
OWN_PASSWORD = "a long walk at the lake"


@contextmanager
def lading_up(folder: Path) -> Iterator[dict[str, Any]]:
    """What `lading up --demo --json` says of itself, while it runs."""
    command = [sys.executable, "-m", "lading.cli", "up", "--json", "--demo", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(folder / "demo")], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield _address_in(process.stdout)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(ENDS_WITHIN_S)
    assert status == 0


def _address_in(lines: Iterator[str]) -> dict[str, Any]:
    """The line in which it says where it is; what comes before tells of the showing."""
    for line in lines:
        if line.startswith('{"address"'):
            facts: dict[str, Any] = json.loads(line)
            return facts
    raise AssertionError("it ended without saying where it is")


@pytest.mark.timeout(300)
def test_a_newcomer_signs_in_and_imports_the_rest_with_the_mouse(
    tmp_path: Path,
    open_context: Callable[..., tuple[BrowserContext, Watch]],
) -> None:
    with lading_up(tmp_path) as told:
        context, _ = open_context(told["address"])
        page = context.new_page()

        page.goto("/")
        page.get_by_label("Name").fill(told["name"])
        page.get_by_label("Password").fill(told["one_time_password"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Change password")).to_be_visible()
        page.get_by_label("Current password").fill(told["one_time_password"])
        page.get_by_label("New password", exact=True).fill(OWN_PASSWORD)
        page.get_by_label("New password, again").fill(OWN_PASSWORD)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

        page.get_by_role("navigation", name="Main").get_by_role("link", name="Import media").click()
        page.get_by_role("link", name=re.compile(r"^Ready")).click()
        boxes = page.get_by_role("table").get_by_role("checkbox", name=re.compile("^Select "))
        boxes.first.wait_for()
        rows = page.locator("tr[data-row]")
        assert rows.count() == 2
        for row in rows.all():
            row.get_by_role("checkbox").check()
        expect(page.locator("[data-selected-count]")).to_have_text(re.compile("2"))
        page.get_by_role("button", name="Queue", exact=True).click()
        expect(page.get_by_role("heading", name="Queue 2 batches?")).to_be_visible()
        page.get_by_role("button", name="Queue 2 batches").click()
        expect(page.get_by_role("link", name="What happened to each")).to_be_visible()

        # The tabs count by themselves: nobody has to load the page again.
        page.goto("/import?view=all")
        done = page.get_by_role("link", name=re.compile(r"^Done"))
        expect(done).to_contain_text("6", timeout=ARRIVES_WITHIN_MS)
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Galleries").click()
        page.get_by_role("link", name=re.compile("Up in the hills")).first.click()
        expect(page.get_by_role("heading", name="Up in the hills")).to_be_visible()
        assert page.locator("main img").count() >= 6
