"""Tells whether the root of a source is the one under which the last scan was believed (G1).

What is missing under another root, or under the empty folder that a disk was mounted on, has not
vanished. Scans judge roots; a preflight or an import that comes later only has to find the same.
"""

from __future__ import annotations

from sqlalchemy import Connection

from lading.db import Database
from lading.ingest.source import RetiresVanished, Source, SourceMissing
from lading.ledger.events import FolderScanned, ScanFinished
from lading.ledger.queries import last_event


def root_before(conn: Connection, source: str) -> str | None:
    """The identity of the root at the last scan that was believed.

    Of scans of folders only when there was no other: they judge no root.
    """
    for kind in (ScanFinished.kind, FolderScanned.kind):
        event = last_event(conn, source=source, kind=kind)
        if event is not None:
            root: str | None = event.payload.get("root_identity")
            return root
    return None


def require_known_root(db: Database, source: Source) -> str | None:
    """Raise `SourceMissing` where a source that takes away what vanished has another root.

    Its identity, for `require_same_root`; None where any is as good.
    """
    if not isinstance(source, RetiresVanished):
        return None
    with db.read() as conn:
        before = root_before(conn, source.name)
    require_same_root(source, before)
    return before


def require_same_root(source: Source, before: str | None) -> None:
    """Raise `SourceMissing` unless the root is the one of this identity; None is any."""
    if before is None:
        return
    now = source.identity()
    if before != now:
        raise SourceMissing(
            "its root is another one than when it was scanned",
            subject=source.name,
            expected=before,
            found=now,
            next_step="Mount the disk that was scanned. If it was replaced on purpose, scan the"
            " source, which takes the new one when nothing is missing there, and asks otherwise.",
        )
