"""Covers: what each asset and container shows itself by, kept even while it is on its way (A13).

A cover is named by a hash. What the hash stands for is looked up whenever something of that hash
arrives or goes, so that the order of arrival does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from lading.library.known import ASSET_OWNER
from lading.library.rules import COVER_ROLE, choose_cover
from lading.library.statements import chunked, moment
from lading.library.tables import asset, asset_cover, asset_file

# Built once: every item of an import runs it.
_COVERS = (
    select(asset_cover)
    .where(asset_cover.c.cover_hash.in_(bindparam("hashes", expanding=True)))
    .order_by(asset_cover.c.id)
)


def set_cover(
    conn: Connection,
    owner_kind: str,
    owner_id: int,
    cover_hash: str,
    *,
    at: datetime,
    replaces: bool,
) -> None:
    """Record the cover's hash for an owner that is locked; `resolve_covers` finds what it is."""
    if replaces:
        conn.execute(
            update(asset_cover)
            .where(asset_cover.c.owner_kind == owner_kind, asset_cover.c.owner_id == owner_id)
            .values(cover_hash=cover_hash, file_id=None, cover_asset_id=None, updated_at=at)
        )
        return
    conn.execute(
        insert(asset_cover).values(
            owner_kind=owner_kind,
            owner_id=owner_id,
            cover_hash=cover_hash,
            created_at=at,
            updated_at=at,
        )
    )


def resolve_covers(conn: Connection, hashes: Iterable[str]) -> int:
    """Look up again what every cover of these hashes stands for; returns how many changed."""
    changed = 0
    for chunk in chunked(sorted(set(hashes))):
        covers = conn.execute(_COVERS, {"hashes": chunk}).all()
        if covers:
            changed += _resolve(conn, covers)
    return changed


def resolve_waiting_covers(conn: Connection) -> int:
    """Look up all covers that stand for nothing yet; returns how many were found.

    Two transactions that bring a container and its cover at the same moment do not see each
    other; this mends what they missed, and is cheap when there is nothing to mend.
    """
    waiting = select(asset_cover.c.cover_hash).where(
        asset_cover.c.file_id.is_(None), asset_cover.c.cover_asset_id.is_(None)
    )
    arrived_asset = asset.c.content_hash == asset_cover.c.cover_hash
    arrived_file = (
        (asset_file.c.sha256 == asset_cover.c.cover_hash)
        & (asset_file.c.role == COVER_ROLE)
        & asset_file.c.deleted_at.is_(None)
    )
    arrived = waiting.where(
        select(asset.c.id).where(arrived_asset).exists()
        | select(asset_file.c.id).where(arrived_file).exists()
    )
    return resolve_covers(conn, conn.scalars(arrived.distinct()).all())


def _resolve(conn: Connection, covers: Sequence[Row[Any]]) -> int:
    hashes = sorted({cover.cover_hash for cover in covers})
    assets: dict[str, int] = {
        row.content_hash: row.id
        for row in conn.execute(
            select(asset.c.id, asset.c.content_hash).where(asset.c.content_hash.in_(hashes))
        )
    }
    files: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in conn.execute(
        select(asset_file.c.id, asset_file.c.asset_id, asset_file.c.sha256).where(
            asset_file.c.sha256.in_(hashes),
            asset_file.c.role == COVER_ROLE,
            asset_file.c.deleted_at.is_(None),
        )
    ):
        files[row.sha256].append((row.asset_id, row.id))
    moved = []
    for cover in covers:
        file_id, cover_asset_id = choose_cover(
            owner_asset_id=cover.owner_id if cover.owner_kind == ASSET_OWNER else None,
            covering_asset_id=assets.get(cover.cover_hash),
            files=files[cover.cover_hash],
        )
        if (file_id, cover_asset_id) != (cover.file_id, cover.cover_asset_id):
            moved.append((cover.id, file_id, cover_asset_id))
    if moved:
        at = moment(conn)
        for cover_id, file_id, cover_asset_id in moved:
            conn.execute(
                update(asset_cover)
                .where(asset_cover.c.id == cover_id)
                .values(file_id=file_id, cover_asset_id=cover_asset_id, updated_at=at)
            )
    return len(moved)
