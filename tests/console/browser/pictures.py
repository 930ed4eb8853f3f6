"""Takes pictures of pages: `python -m tests.console.browser.pictures FOLDER [ROUTE ...]`.

Each page in both themes and at both widths, as a whole. A route such as /jobs takes all pages
below it, too, `=/jobs` that one alone; `--data failing` looks at other data.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from playwright.sync_api import Browser, Error

from lading.cli.logs import configure_logs
from lading.settings.model import LogSettings
from lading.testing.console_data import DATA
from tests.console.browser.chromium import launched
from tests.console.browser.opening import NARROW, WIDE, Theme, open_as
from tests.console.browser.routes import ROUTES, Places, role_for
from tests.console.browser.serving import Served, copy_of, serving, template_of
from tests.console.browser.watch import Watch


def main(arguments: Sequence[str]) -> int:
    """Take the pictures that were asked for; 1 when something went wrong on a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("routes", nargs="*", default=["/"])
    parser.add_argument("--base", type=Path, help="where data is kept for the next time")
    parser.add_argument("--data", choices=sorted(DATA), default="busy")
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--theme", choices=get_args(Theme), action="append")
    given = parser.parse_intermixed_args(arguments)
    routes = wanted(given.routes)
    configure_logs(LogSettings(level="error", format="json"))
    problems = 0
    with (
        tempfile.TemporaryDirectory(prefix="lading-pictures-") as passing,
        serving(
            copy_of(template_of(given.base or Path(passing), given.data), Path(passing) / "served")
        ) as served,
        launched() as browser,
    ):
        for theme in given.theme or get_args(Theme):
            for width in given.width or (WIDE, NARROW):
                problems += take(browser, served, routes, given.folder, theme, width)
    return 1 if problems else 0


def wanted(asked: Sequence[str]) -> list[str]:
    """The known routes that were asked for, and what was asked for and is not known."""
    found: list[str] = []
    for name in asked:
        exact = name.removeprefix("=")
        if name.startswith("="):
            found.append(exact)
            continue
        below = name if name.endswith("/") else f"{name}/"
        known = [route for route in ROUTES if route == name or route.startswith(below)]
        found += known or [name]
    return list(dict.fromkeys(found))


def take(
    browser: Browser,
    served: Served,
    routes: Sequence[str],
    folder: Path,
    theme: Theme,
    width: int,
) -> int:
    """Take one picture of each page; returns how many had problems, and tells them."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = 0
    for route in routes:
        with served.lading.db.read() as conn:
            address = Places(conn).address(route)
        if address is None:
            print(f"{route}: nothing to show")
            continue
        with open_as(browser, served, role=role_for(route), theme=theme, width=width) as context:
            watch = Watch(context, served.origin)
            page = context.new_page()
            try:
                answer = page.goto(address)
                file = folder / f"{name_of(route)}--{theme}-{width}.png"
                page.screenshot(path=file, full_page=True)
            except Error as error:
                watch.problems.append(str(error))
            else:
                print(f"{answer.status if answer else '?'} {address} -> {file}")
        for problem in watch.found():
            print(f"  {problem}")
        problems += bool(watch.found())
    return problems


def name_of(route: str) -> str:
    """A route as the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", route.split("?", maxsplit=1)[0]).strip("-") or "overview"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
