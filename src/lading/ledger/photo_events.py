"""What was done to where photos lie, as events of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lading.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotosSorted(Event):
    """Photos were moved to where their dates and places say; `moves` counts how it went."""

    kind: ClassVar[str] = "photos_sorted"
    run: str
    target: str
    pattern: str
    moves: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotosSortUndone(Event):
    """Photos that a run had sorted were put back; `moves` counts how it went."""

    kind: ClassVar[str] = "photos_sort_undone"
    run: str
    target: str
    moves: dict[str, int]
