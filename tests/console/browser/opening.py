"""Opens pages of a served console as someone with a role, a theme, a screen and a zone."""

from __future__ import annotations

from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext

from lading.accounts.values import Role
from tests.console.browser.serving import Served

Theme = Literal["light", "dark"]
WIDE, NARROW = 1280, 390
HEIGHTS = {WIDE: 800, NARROW: 844}


def open_as(
    browser: Browser,
    served: Served,
    *,
    role: Role | None = Role.ADMIN,
    theme: Theme = "light",
    width: int = WIDE,
    zone: str = "UTC",
    js: bool = True,
    **more: Any,
) -> BrowserContext:
    """A context of the browser; it is signed in without typing a password, or with no `role` not.

    `more` are further options of the browser, such as `forced_colors="active"`.
    """
    context = browser.new_context(
        base_url=served.origin,
        color_scheme=theme,
        viewport={"width": width, "height": HEIGHTS.get(width, 800)},
        timezone_id=zone,
        locale="en-GB",
        java_script_enabled=js,
        **more,
    )
    if role is not None:
        context.add_cookies(
            [
                {"name": name, "value": value, "url": served.origin}
                for name, value in served.cookies_of(role).items()
            ]
        )
    return context
