"""Why a bundle is or is not in the library, as a checklist in words for the page and the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lading.console.parts import Console
from lading.operations.explain import Check, Explanation, explain_batch

STEP_WORDS: Final[Mapping[str, str]] = {
    "source_reachable": "The source can be reached",
    "upload_finished": "It has been uploaded to its end",
    "manifest_present": "Its manifest (.json) is there",
    "sentinel_present": "Its sentinel (.ready) is there",
    "readable": "The manifest can be read",
    "status_completed": "The upstream says that it is completed",
    "verification_passed": "The upstream's own verification passed",
    "sentinel_matches": "The sentinel belongs to this manifest",
    "recorded": "A scan has recorded it",
    "manifest_hash": "The manifest is the one that was recorded",
    "not_superseded": "It was not taken away",
    "imported": "It is imported",
}
"""The steps from a source to the library in words; of another source's step its name is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the checklist. `check.ok` is None when nobody can tell."""

    words: str
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The verdict with the steps that lead to it."""

    explanation: Explanation
    steps: Sequence[Step]

    @property
    def good(self) -> bool:
        """Whether it is in the library."""
        return self.explanation.code == "already_imported"


def read_explanation(console: Console, ref: str, *, source: str | None = None) -> Explained:
    """Look for what somebody calls `ref`. Raises `UnknownSource`."""
    found = explain_batch(console.lading.ingest.parts, ref, source=source)
    return Explained(
        explanation=found,
        steps=[
            Step(
                words=STEP_WORDS.get(check.name, check.name.replace("_", " ").capitalize()),
                check=check,
            )
            for check in found.checks
        ],
    )
