"""What people decided about one photo: when it was taken, and with which others it is stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lading.base.identifiers import parse_content_hash
from lading.console.readers.library import AssetCard
from lading.console.readers.operations import shift_words
from lading.console.readers.photos_alike import live_cards
from lading.db import Database
from lading.library.known import UnknownAsset, find_assets
from lading.library.photo_dates import DatedPhoto, DateHow, dated_photos
from lading.library.photo_stacks import stack_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """That a person's time counts: what the file says instead, who said so, when, and how.

    `from_sidecar`: what would count instead is what a sidecar says.
    """

    said_at: datetime | None
    said_offset_min: int | None
    actor: str
    at: datetime
    how: DateHow
    shift_s: int | None
    operation: str
    from_sidecar: bool = False

    @property
    def words(self) -> str:
        """How it was corrected: `shifted by +1 h`."""
        if self.how is DateHow.SHIFT and self.shift_s is not None:
            return f"shifted by {shift_words(self.shift_s)}"
        return "set"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """The stack that a photo is in: the top first, nothing of it in the trash."""

    cards: Sequence[AssetCard]
    on_top: bool

    @property
    def top(self) -> AssetCard:
        """The one that the timeline shows."""
        return self.cards[0]

    @property
    def hashes(self) -> list[str]:
        """The content hashes of all."""
        return [card.content_hash for card in self.cards]


def photo_id(db: Database, content_hash: str) -> int:
    """The number of an asset. Raises `UnknownAsset`."""
    digest = parse_content_hash(content_hash) or content_hash
    with db.read() as conn:
        found = find_assets(conn, [digest]).get(digest)
    if found is None:
        raise UnknownAsset("the library has no such asset", subject=content_hash[:100])
    return found.id


def read_correction(db: Database, asset_id: int) -> Correction | None:
    """The correction that counts for a photo, or None."""
    with db.read() as conn:
        one = dated_photos(conn, [asset_id]).get(asset_id)
    return None if one is None else correction_of(one)


def correction_of(one: DatedPhoto) -> Correction | None:
    """The correction that counts, as pages and the API tell it."""
    if not one.corrected or one.changed_at is None:
        return None
    return Correction(
        said_at=one.said.at,
        said_offset_min=one.said.offset_min,
        actor=one.actor or "",
        at=one.changed_at,
        how=one.how,
        shift_s=one.shift_s,
        operation=one.operation or "",
        from_sidecar=one.from_sidecar,
    )


def read_stack(db: Database, asset_id: int) -> StackView | None:
    """The stack that a photo is in, or None."""
    with db.read() as conn:
        stack = stack_of(conn, asset_id)
        if stack is None:
            return None
        cards = live_cards(conn, stack.members)
    return StackView(
        cards=[cards[number] for number in stack.members if number in cards],
        on_top=stack.top == asset_id,
    )
