"""Settings with their origins, secrets masked, and the search for anything by what is typed."""

from __future__ import annotations

from typing import Annotated, Final

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from lading.console.answers import Many
from lading.console.api.conventions import reads, whole
from lading.console.parts import Console
from lading.console.readers.going import TEXT_MAX, Hit, find_anything
from lading.console.readers.settings import SettingsSection, read_settings

TAG: Final = "installation"


def routes() -> list[HTTPRouteHandler]:
    """Settings, and the search."""
    return [settings, go]


@reads("/settings", "All settings with where each comes from; secrets are masked", tag=TAG)
def settings(console: NamedDependency[Console]) -> Many[SettingsSection]:
    """The settings by section."""
    return whole(read_settings(console.lading.settings))


@reads("/go", "What a number, a key, a hash or a name may mean", tag=TAG)
def go(
    console: NamedDependency[Console],
    q: Annotated[str, QueryParameter(min_length=1, max_length=TEXT_MAX)],
) -> Many[Hit]:
    """What is exactly so comes first."""
    return whole(find_anything(console, q.strip()))
