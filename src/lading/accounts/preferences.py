"""What an account may choose for itself, and which values there are."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from lading.accounts.errors import BadPreference

BROWSER_ZONE: Final = "browser"
CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "theme": ("auto", "light", "dark"),
    "density": ("comfortable", "compact"),
    "shortcuts": ("on", "off"),
    "thumbnails": ("shown", "hidden"),
    "page_size": ("50", "100", "200"),
}
"""The values of each preference, its default first. `zone` has too many to be listed here."""


@cache
def zones() -> Sequence[str]:
    """All that `zone` can be: what the browser says, UTC, or a named zone."""
    named = zoneinfo.available_timezones() - {"UTC", "localtime"}
    return (BROWSER_ZONE, "UTC", *sorted(name for name in named if "/" in name))


def check_preferences(chosen: Mapping[str, str]) -> None:
    """Refuse a preference that does not exist, or a value it cannot have."""
    for key, value in chosen.items():
        allowed = zones() if key == "zone" else CHOICES.get(key)
        if allowed is None:
            raise BadPreference(
                "there is no such preference",
                subject=key,
                expected=", ".join(sorted({*CHOICES, "zone"})),
            )
        if value not in allowed:
            raise BadPreference(
                "this preference cannot have that value",
                subject=key,
                expected="browser, UTC or a zone such as Europe/Vienna"
                if key == "zone"
                else ", ".join(allowed),
                found=value,
            )
