"""What was done to where photos lie and to when they were taken, as events of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoDatesChanged(Event):
    """An operation changed when these photos count as taken; their files are as they were."""

    kind: ClassVar[str] = "photo_dates_changed"
    operation: str
    verb: str
    content_hashes: list[str]
    params: dict[str, Any] | None = None
