"""Finds and starts the Chromium that is installed; nothing is fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # tests run as root in containers, and open nothing but our own pages
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


PATIENCE_MS = 30_000
"""For so long pages may take on a machine that has other things to do."""


class NoChromium(Exception):
    """There is no browser here to look at pages with."""


def find_chromium() -> str:
    """The path of the browser: `$CHROMIUM`, or its first usual name. Raises `NoChromium`."""
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        sought = f"CHROMIUM={named}" if named else ", ".join(NAMES)
        raise NoChromium(f"no Chromium is installed (sought: {sought})")
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """One browser process, ended with the block."""
    path = find_chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
