"""What people call the things that a scan of each kind of source finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Noun:
    """A word for one and for many."""

    one: str
    many: str


BATCH: Final = Noun("batch", "batches")
"""For a kind of source that has no word of its own."""

_NOUNS: Final[Mapping[str, Noun]] = {
    "handover": Noun("bundle", "bundles"),
    "photos": Noun("folder", "folders"),
    "recordings": Noun("recording", "recordings"),
}


def noun_of(kind: str | None) -> Noun:
    """What a source of this kind is made of."""
    return _NOUNS.get(kind or "", BATCH)
