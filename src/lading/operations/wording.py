"""The sentence and next step that go with a code, whoever declared it, and if retrying helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lading.base.errors import InternalError, LadingError, all_error_classes
from lading.base.reasons import Reason
from lading.ingest.registry import source_kinds
from lading.ingest.rules import ENGINE_REASONS, GUARD_REASONS, PREFLIGHT_STALE, STORE_FAULT

_REFERENCE: Final = re.compile(r" \([A-G]\d+(, [A-G]\d+)*\)")
"""What a docstring says to those who know the requirements, and to nobody else."""


class Retry(StrEnum):
    """Whether trying again can help."""

    YES = "yes"
    NO = "no"
    AFTER = "after"  # after the next step was taken


class Wording:
    """The words of one installation: the engine's, those of each kind of source, and of errors.

    `kinds` names the kind of each configured source.
    """

    def __init__(self, kinds: Mapping[str, str]) -> None:
        try:
            known = source_kinds()
        except LadingError:
            # A broken plug-in must not keep people from reading why something failed.
            known = {}
        self._of_source: Mapping[str, Mapping[str, Reason]] = {
            name: known[kind].reasons for name, kind in kinds.items() if kind in known
        }
        self._errors = {cls.code: cls for cls in all_error_classes()}

    @property
    def sources(self) -> list[str]:
        """The configured sources whose kind is installed."""
        return sorted(self._of_source)

    def find(self, source: str | None, code: str | None) -> Reason | None:
        """The reason of this code; None for no code."""
        if code is None:
            return None
        reason = self._of_source.get(source or "", {}).get(code)
        reason = reason or ENGINE_REASONS.get(code) or GUARD_REASONS.get(code)
        if reason is not None:
            return reason
        error = self._errors.get(code)
        if error is None:
            return Reason(code, code, "Read the batch's events for what led to it.")
        return _of_error(error)

    def known(self) -> dict[str, Reason]:
        """Every reason and error by code; of one that several declare, the engine's words."""
        found = {code: _of_error(error) for code, error in self._errors.items()}
        for reasons in self._of_source.values():
            found.update(reasons)
        return found | dict(GUARD_REASONS) | dict(ENGINE_REASONS)

    def retry(self, source: str | None, code: str) -> Retry:
        """Whether trying again can help: what passes by itself, what must be mended first."""
        if code in {STORE_FAULT.code, PREFLIGHT_STALE.code, "worker_lost"}:
            return Retry.YES
        if code in self._of_source.get(source or "", {}):
            return Retry.AFTER
        error = self._errors.get(code)
        if error is None:
            return Retry.AFTER
        if error.transient:
            return Retry.YES
        return Retry.NO if issubclass(error, InternalError) else Retry.AFTER


def _of_error(error: type[LadingError]) -> Reason:
    paragraph = " ".join((error.__doc__ or error.code).split("\n\n")[0].split())
    return Reason(error.code, _REFERENCE.sub("", paragraph), error.next_step)
