"""What people decided about pictures that look alike, as events of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lading.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AlikeDecided(Event):
    """Someone said what shall become of pictures that look alike; they are not asked about again.

    `decision` is `keep_all`, `trash_others` or `stack`. `kept` is the content hash of the one that
    stays, or is on top; `operation` put the others in the trash.
    """

    kind: ClassVar[str] = "alike_decided"
    content_hashes: list[str]
    decision: str
    kept: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotosUnstacked(Event):
    """A stack was taken apart: each of its photos is shown by itself again."""

    kind: ClassVar[str] = "photos_unstacked"
    content_hashes: list[str]
