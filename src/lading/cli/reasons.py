"""Finds the sentence and the next step that go with a reason code, whoever declared it."""

from __future__ import annotations

from collections.abc import Mapping

from lading.base.errors import LadingError, all_error_classes
from lading.base.reasons import Reason
from lading.ingest.registry import source_kinds
from lading.ingest.rules import ENGINE_REASONS
from lading.settings import Settings


class Reasons:
    """All reasons of this installation: the engine's, each kind of source's, and error codes."""

    def __init__(self, settings: Settings) -> None:
        try:
            kinds = source_kinds()
        except LadingError:
            # A broken plug-in must not keep people from reading why something failed.
            kinds = {}
        self._of_source: Mapping[str, Mapping[str, Reason]] = {
            name: kinds[source.kind].reasons
            for name, source in settings.sources.items()
            if source.kind in kinds
        }
        self._errors = {cls.code: cls for cls in all_error_classes()}

    def find(self, source: str, code: str | None) -> Reason | None:
        """The reason of this code; None for no code."""
        if code is None:
            return None
        reason = self._of_source.get(source, {}).get(code) or ENGINE_REASONS.get(code)
        if reason is not None:
            return reason
        error = self._errors.get(code)
        sentence = error.__doc__.splitlines()[0] if error and error.__doc__ else code
        step = error.next_step if error else "Read the batch's events for what led to it."
        return Reason(code, sentence, step)
