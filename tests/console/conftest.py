"""What tests of the console share: installations with known data, served, and a browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from lading.db import Database
from tests.conftest import ALL_REQUIRED
from tests.console.browser.chromium import NoChromium, find_chromium, launched
from tests.console.browser.opening import open_as
from tests.console.browser.serving import Served, copy_of, serving, template_of
from tests.console.browser.watch import Watch
from tests.console.live_app import Pages, make_app
from tests.console.live_app import served as streamed
from tests.console.scripted import Open, Opener, Site, handlers
from tests.console.streaming import QUICK


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives an installation with some data, made once for all processes of a run; only to copy."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    return lambda data: template_of(base / "installations", data)


@pytest.fixture
def installation(template: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Gives a copy of an installation of this test's own: `installation("busy")`."""
    return lambda data: copy_of(template(data), tmp_path / data)


@pytest.fixture(scope="session")
def served(
    template: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Served]]:
    """Gives the console on an installation that tests only look at: `served("busy")`."""
    running: dict[str, Served] = {}
    with ExitStack() as stack:

        def get(data: str) -> Served:
            if data not in running:
                folder = copy_of(template(data), tmp_path_factory.mktemp("served") / data)
                running[data] = stack.enter_context(serving(folder))
            return running[data]

        yield get


@pytest.fixture
def serve_own(installation: Callable[[str], Path]) -> Iterator[Callable[[str], Served]]:
    """Gives the console on an installation that this test alone changes: `serve_own("busy")`."""
    with ExitStack() as stack:
        yield lambda data: stack.enter_context(serving(installation(data)))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one the test is skipped, unless everything is required."""
    try:
        find_chromium()
    except NoChromium as error:
        if ALL_REQUIRED:
            pytest.fail(f"Chromium is required: {error}", pytrace=False)
        pytest.skip(str(error))
    with launched() as browser:
        yield browser


@pytest.fixture
def open_context(browser: Browser) -> Iterator[Callable[..., tuple[BrowserContext, Watch]]]:
    """Opens contexts that are watched: `open_context("http://127.0.0.1:1234", **options)`.

    A problem that a watch saw and no test allowed fails the test at its end.
    """
    watches: list[Watch] = []
    with ExitStack() as stack:

        def open_one(origin: str, **options: object) -> tuple[BrowserContext, Watch]:
            context = browser.new_context(base_url=origin, **options)  # type: ignore[arg-type]
            stack.callback(context.close)
            watch = Watch(context, origin)
            watches.append(watch)
            return context, watch

        yield open_one
    problems = [problem for watch in watches for problem in watch.found()]
    assert not problems, "\n".join(problems)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a watched page of a console: `open_page(served("busy"), role=…, theme="dark")`.

    A problem that its watch saw fails the test at its end, unless it has some words of `allow`.
    """
    watches: list[Watch] = []
    with ExitStack() as stack:

        def open_one(console: Served, *, allow: Sequence[str] = (), **options: Any) -> Page:
            context = stack.enter_context(open_as(browser, console, **options))
            watch = Watch(context, console.origin)
            watches.append(watch)
            for words in allow:
                watch.allow(words)
            return context.new_page()

        yield open_one
    problems = [problem for watch in watches for problem in watch.found()]
    assert not problems, "\n".join(problems)


@pytest.fixture
def pages(sqlite_database: Database) -> Pages:
    """What renderers of streams were asked for, on a database of its own."""
    return Pages(sqlite_database)


@pytest.fixture
def base(pages: Pages) -> Iterator[str]:
    """The address of an application that has the live streams alone."""
    app, live = make_app(pages.db, pages, **QUICK)
    with streamed(app, live) as address:
        yield address
        assert live.feed._closed is False


@pytest.fixture
def start(sqlite_database: Database, open_context: Opener) -> Iterator[Callable[..., Open]]:
    """Serves a page with all that the script acts on, to a browser: `start(zone="UTC")`."""
    with ExitStack() as stack:

        def go(context: dict[str, Any] | None = None, **facts: Any) -> Open:
            site = Site(sqlite_database, **facts)
            app, live = make_app(site.db, site, *handlers(site), **QUICK)
            base = stack.enter_context(streamed(app, live))
            return Open(site, live, base, *open_context(base, **(context or {})))

        yield go
