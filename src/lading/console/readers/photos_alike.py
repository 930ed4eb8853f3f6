"""Photos that look alike or are the same: groups that nobody decided about, and those decided.

Each group comes with what its members differ in, and with the one that is best kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from lading.base.units import format_bytes, format_count, format_duration
from lading.console.parts import Console
from lading.console.readers.alike_watch import Decision
from lading.console.readers.library import AssetCard, asset_cards
from lading.console.readers.photos import PhotoList, page_of_photos
from lading.db import Database
from lading.db.counting import Count
from lading.db.keyset import BadCursor, Key
from lading.library.known import asset_row
from lading.library.likeness import AlikeGroup, Seen, bits_apart
from lading.library.live_photos import live_photos, photo_places
from lading.library.statements import chunked
from lading.library.tables import asset, asset_file

MEMBERS_SHOWN: Final = 24
"""A group may have hundreds; so many of it are shown, and only those can be put in the trash."""
_DIGITS_MAX: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """One of a group. `differences` are those from the one that is recommended to be kept."""

    card: AssetCard
    bits: int
    differences: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """Pictures that look alike, the recommended one first, and why it is.

    `hashes` are those of all, also of members that are too many to be shown.
    """

    members: Sequence[Alike]
    hashes: Sequence[str]
    burst: bool
    why: str

    @property
    def keep(self) -> AssetCard:
        """The recommended one."""
        return self.members[0].card


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupList:
    """A page of groups, those with the newest pictures first."""

    groups: Sequence[GroupLine]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedLine:
    """A decision with those of its pictures that are still here."""

    decision: Decision
    cards: Sequence[AssetCard]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedList:
    """A page of decisions, the newest first."""

    lines: Sequence[DecidedLine]
    count: Count
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SameLine:
    """One photo that lies at several places."""

    card: AssetCard
    places: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SameList:
    """A page of photos with several files, the newest arrivals first."""

    lines: Sequence[SameLine]
    page: PhotoList


def read_groups(console: Console, *, cursor: str | None = None, limit: int = 20) -> GroupList:
    """A page of what nobody decided about. Raises `BadCursor`."""
    before = _number(cursor)
    with console.lading.db.read() as conn:
        found = console.alike.undecided(conn)
        shown = [group for group in found if before is None or group.newest < before]
        page = shown[:limit]
        cards = live_cards(conn, [m.asset_id for g in page for m in g.members[:MEMBERS_SHOWN]])
    lines = [_line(group, cards) for group in page]
    return GroupList(
        # What was put in the trash meanwhile leaves no group behind.
        groups=[line for line in lines if len(line.members) > 1],
        count=Count(len(found)),
        next_cursor=str(page[-1].newest) if len(shown) > limit else None,
    )


def read_decided(console: Console, *, cursor: str | None = None, limit: int = 20) -> DecidedList:
    """A page of what was decided. Raises `BadCursor`."""
    before = _number(cursor)
    with console.lading.db.read() as conn:
        known = console.alike.decisions(conn)
        shown = [each for each in known if before is None or each.seq < before]
        page = shown[:limit]
        cards = _cards_of(conn, {digest for each in page for digest in each.hashes})
    lines = [
        DecidedLine(
            decision=each,
            cards=[cards[digest] for digest in sorted(each.hashes) if digest in cards],
        )
        for each in page
    ]
    return DecidedList(
        lines=lines,
        count=Count(len(known)),
        next_cursor=str(page[-1].seq) if len(shown) > limit else None,
    )


def read_same(db: Database, *, cursor: str | None = None, limit: int = 50) -> SameList:
    """A page of the photos whose content lies at several places. Raises `BadCursor`."""
    places = (
        photo_places(asset_file.c.asset_id).group_by(asset_file.c.asset_id).having(func.count() > 1)
    )
    with db.read() as conn:
        query = live_photos(asset).where(asset.c.id.in_(places))
        order = [Key(asset.c.id, descending=True)]
        page = page_of_photos(conn, query, order, cursor, limit)
        found: dict[int, list[str]] = {}
        for row in conn.execute(
            photo_places(asset_file.c.asset_id, asset_file.c.path)
            .where(asset_file.c.asset_id.in_([card.asset.id for card in page.cards]))
            .order_by(asset_file.c.path)
        ):
            found.setdefault(row.asset_id, []).append(row.path)
    lines = [SameLine(card=card, places=found.get(card.asset.id, ())) for card in page.cards]
    return SameList(lines=lines, page=page)


def _line(group: AlikeGroup, cards: dict[int, AssetCard]) -> GroupLine:
    here = [member for member in group.members[:MEMBERS_SHOWN] if member.asset_id in cards]
    return GroupLine(
        members=[
            Alike(
                card=cards[member.asset_id],
                bits=bits_apart(member.looks, here[0].looks),
                differences=differences(member, here[0]) if member is not here[0] else (),
            )
            for member in here
        ],
        hashes=[member.content_hash for member in group.members],
        burst=group.burst,
        why=group.why,
    )


def differences(one: Seen, other: Seen) -> list[str]:
    """In what a picture differs from another, in words."""
    found = []
    bits = bits_apart(one.looks, other.looks)
    found.append(f"{format_count(bits, 'bit')} of its look" if bits else "looks the same")
    if one.pixels != other.pixels and other.pixels:
        found.append(f"{one.pixels * 100 // other.pixels} % of the pixels")
    if one.size_bytes != other.size_bytes:
        less = one.size_bytes < other.size_bytes
        size = format_bytes(abs(one.size_bytes - other.size_bytes))
        found.append(f"{size} {'smaller' if less else 'larger'}")
    if one.captured_at is None or other.captured_at is None:
        if one.captured_at is not other.captured_at:
            found.append("undated" if one.captured_at is None else "dated")
    elif one.captured_at != other.captured_at:
        seconds = (one.captured_at - other.captured_at).total_seconds()
        found.append(
            f"taken {format_duration(abs(seconds))} {'later' if seconds > 0 else 'earlier'}"
        )
    if one.camera != other.camera:
        found.append(f"by {one.camera}" if one.camera else "camera not said")
    return found


def live_cards(conn: Connection, ids: Sequence[int]) -> dict[int, AssetCard]:
    """The cards of those of these assets that are not in the trash."""
    rows = [
        asset_row(row)
        for chunk in chunked(ids)
        for row in conn.execute(
            select(asset).where(asset.c.id.in_(chunk), asset.c.deleted_at.is_(None))
        )
    ]
    return {card.asset.id: card for card in asset_cards(conn, rows)}


def _cards_of(conn: Connection, hashes: Iterable[str]) -> dict[str, AssetCard]:
    rows: list[Any] = [
        asset_row(row)
        for chunk in chunked(sorted(hashes))
        for row in conn.execute(select(asset).where(asset.c.content_hash.in_(chunk)))
    ]
    return {card.content_hash: card for card in asset_cards(conn, rows)}


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS_MAX):
        raise BadCursor("the page cursor cannot be read")
    return int(cursor)
