"""Pictures that look alike, found among all photos at once and kept for a while, for all pages.

What people decided about them is in the ledger, and is read from there as it grows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Final

from sqlalchemy import Connection, or_, select

from lading.ledger.likeness_events import AlikeDecided, PhotosUnstacked
from lading.ledger.queries import EVENTS_PAGE, EventView, list_events
from lading.ledger.tables import ledger_head
from lading.library.likeness import AlikeGroup, Seen, find_alike
from lading.library.live_photos import live_photos
from lading.library.tables import asset, asset_file, photo

KEPT_S: Final = 20.0
STACK: Final = "stack"
"""The decision that folds the others under one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about pictures, by whom, and which operation did what there was to do.

    A stack `stands` until it is taken apart, or made anew with another on top.
    """

    seq: int
    at: datetime
    actor: str
    decision: str
    hashes: frozenset[str]
    kept: str | None
    operation: str | None
    stands: bool = True


class AlikeWatch:
    """Finds what looks alike; one for a process, safe between threads.

    What was found stands until the ledger has grown, and `kept_s` seconds at least: to compare
    all photos takes seconds for each hundred thousand of them.
    """

    def __init__(self, *, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._seq = -1
        self._read_s = float("-inf")
        self._groups: Sequence[AlikeGroup] = ()
        self._decisions: list[Decision] = []
        self._decisions_seq = 0

    def undecided(self, conn: Connection) -> list[AlikeGroup]:
        """The groups that nobody decided about, those with the newest pictures first."""
        with self._lock:
            return self._undecided(conn)

    def decisions(self, conn: Connection) -> list[Decision]:
        """Everything that was decided, the newest first."""
        with self._lock:
            return self._read_decisions(conn)[::-1]

    def _undecided(self, conn: Connection) -> list[AlikeGroup]:
        seq = int(conn.scalar(select(ledger_head.c.seq)) or 0)
        if seq != self._seq and monotonic() - self._read_s >= self._kept_s:
            self._groups = find_alike(_seen(conn))
            self._seq, self._read_s = seq, monotonic()
        by_hash: dict[str, list[Decision]] = {}
        for each in self._read_decisions(conn):
            if not each.stands:
                continue
            for digest in each.hashes:
                by_hash.setdefault(digest, []).append(each)
        # One more picture makes it another question; one less does not.
        return [
            group
            for group in self._groups
            if not any(
                group.hashes <= each.hashes for each in by_hash.get(group.keep.content_hash, ())
            )
        ]

    def _read_decisions(self, conn: Connection) -> list[Decision]:
        """All decisions; only those that are new are read."""
        kinds = [AlikeDecided.kind, PhotosUnstacked.kind]
        while True:
            events = list_events(conn, after=self._decisions_seq, kinds=kinds)
            for event in events:
                self._take_note(event)
                self._decisions_seq = event.seq
            if len(events) < EVENTS_PAGE:
                return self._decisions

    def _take_note(self, event: EventView) -> None:
        said = event.payload
        hashes = frozenset(said["content_hashes"])
        if event.kind == PhotosUnstacked.kind or said["decision"] == STACK:
            self._decisions = [
                replace(each, stands=False)
                if each.decision == STACK and each.hashes & hashes
                else each
                for each in self._decisions
            ]
        if event.kind == PhotosUnstacked.kind:
            return
        self._decisions.append(
            Decision(
                seq=event.seq,
                at=event.at,
                actor=event.actor,
                decision=str(said["decision"]),
                hashes=hashes,
                kept=said.get("kept"),
                operation=said.get("operation"),
            )
        )


def _seen(conn: Connection) -> Iterable[Seen]:
    """Every picture that can be compared, in one statement.

    A RAW is not: the picture that was made of it looks the same, and both are wanted.
    """
    query = (
        live_photos(
            asset.c.id,
            asset.c.content_hash,
            asset.c.captured_at,
            asset.c.width,
            asset.c.height,
            photo.c.perceptual_hash,
            photo.c.latitude,
            photo.c.camera_make,
            photo.c.camera_model,
            photo.c.lens,
            asset_file.c.size_bytes,
        )
        .join(asset_file, asset_file.c.asset_id == asset.c.id)
        .where(
            photo.c.perceptual_hash.is_not(None),
            asset.c.asset_type == "photo",
            or_(asset.c.asset_subtype.is_(None), asset.c.asset_subtype != "raw"),
            asset_file.c.role == "original",
            asset_file.c.deleted_at.is_(None),
        )
    )
    for row in conn.execute(query):
        said = (row.captured_at, row.latitude, row.camera_model, row.lens)
        yield Seen(
            asset_id=row.id,
            content_hash=row.content_hash,
            looks=int(row.perceptual_hash, 16),
            captured_at=row.captured_at,
            camera=" ".join(part for part in (row.camera_make, row.camera_model) if part) or None,
            pixels=(row.width or 0) * (row.height or 0),
            size_bytes=row.size_bytes,
            said=sum(each is not None for each in said),
        )
