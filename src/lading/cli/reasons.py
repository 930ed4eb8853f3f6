"""Finds the sentence and the next step that go with a reason code, whoever declared it."""

from __future__ import annotations

from lading.operations.wording import Wording
from lading.settings import Settings


class Reasons(Wording):
    """All reasons of this installation: the engine's, each kind of source's, and error codes."""

    def __init__(self, settings: Settings) -> None:
        super().__init__({name: source.kind for name, source in settings.sources.items()})
