"""Loads what stands for assets and containers in a list: a few statements for a whole page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from lading.console.media_rules import Candidate, choose_thumbnail, file_url
from lading.library.containers import container_kind
from lading.library.known import ASSET_OWNER
from lading.library.statements import chunked
from lading.library.tables import CONTAINERS, FileRole, asset, asset_cover, asset_file

FIRST_MEMBERS: Final = 5
"""How many members are looked at for one that can stand for a container without a cover."""

_ROLES: Final = (
    FileRole.LIBRARY_COVER.value,
    FileRole.COVER.value,
    FileRole.DERIVATIVE.value,
    FileRole.ORIGINAL.value,
)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The picture that stands for something; `cover_awaited` when a cover is still on its way."""

    candidate: Candidate | None = None
    cover_awaited: bool = False

    @property
    def url(self) -> str | None:
        """Where the picture is; None where the page shows an icon of the kind."""
        found = self.candidate
        return None if found is None else file_url(found.content_hash, found.path, found.sha256)


@dataclass(slots=True)
class _Loaded:
    """Candidates by asset, and by file for the covers that other assets brought."""

    by_asset: Mapping[int, Sequence[Candidate]] = field(default_factory=dict)
    by_file: Mapping[int, Candidate] = field(default_factory=dict)

    def of_cover(self, cover: Any) -> Candidate | None:
        """The picture that a cover is."""
        if cover is None:
            return None
        if cover.file_id is not None:
            return self.by_file.get(cover.file_id)
        return choose_thumbnail(self.by_asset.get(cover.cover_asset_id, ()))


def asset_thumbnails(conn: Connection, asset_ids: Iterable[int]) -> dict[int, Thumbnail]:
    """What stands for each of these assets."""
    wanted = list(dict.fromkeys(asset_ids))
    covers = _covers(conn, ASSET_OWNER, wanted)
    loaded = _load(conn, wanted, covers.values())
    return {
        asset_id: Thumbnail(
            choose_thumbnail(
                loaded.by_asset.get(asset_id, ()), loaded.of_cover(covers.get(asset_id))
            ),
            _is_awaited(covers.get(asset_id)),
        )
        for asset_id in wanted
    }


def container_thumbnails(
    conn: Connection, kind: str, container_ids: Iterable[int]
) -> dict[int, Thumbnail]:
    """What stands for each of these containers of one kind: its cover, else one of its first."""
    wanted = list(dict.fromkeys(container_ids))
    covers = _covers(conn, kind, wanted)
    loaded = _load(conn, (), covers.values())
    chosen = {number: loaded.of_cover(covers.get(number)) for number in wanted}
    without = [number for number, found in chosen.items() if found is None]
    members = _first_members(conn, kind, without)
    pictures = asset_thumbnails(conn, [a for ids in members.values() for a in ids])
    for number in without:
        found = (pictures[asset_id].candidate for asset_id in members.get(number, ()))
        chosen[number] = next((picture for picture in found if picture is not None), None)
    return {n: Thumbnail(chosen[n], _is_awaited(covers.get(n))) for n in wanted}


def asset_candidates(conn: Connection, asset_id: int) -> Sequence[Candidate]:
    """The files that could stand for one asset."""
    return _load(conn, [asset_id], ()).by_asset.get(asset_id, ())


def _is_awaited(cover: Any) -> bool:
    return cover is not None and cover.file_id is None and cover.cover_asset_id is None


def _covers(conn: Connection, owner_kind: str, owner_ids: Sequence[int]) -> dict[int, Any]:
    return {
        row.owner_id: row
        for chunk in chunked(owner_ids)
        for row in conn.execute(
            select(
                asset_cover.c.owner_id, asset_cover.c.file_id, asset_cover.c.cover_asset_id
            ).where(asset_cover.c.owner_kind == owner_kind, asset_cover.c.owner_id.in_(chunk))
        )
    }


def _load(conn: Connection, asset_ids: Sequence[int], covers: Iterable[Any]) -> _Loaded:
    known = list(covers)
    of_assets = {*asset_ids, *(c.cover_asset_id for c in known if c.cover_asset_id is not None)}
    by_asset: dict[int, list[Candidate]] = defaultdict(list)
    by_file: dict[int, Candidate] = {}
    for chunk in chunked(sorted(of_assets)):
        query = _files().where(asset_file.c.asset_id.in_(chunk), asset_file.c.role.in_(_ROLES))
        for row in conn.execute(query):
            candidate = _candidate(row)
            by_asset[row.asset_id].append(candidate)
            by_file[row.id] = candidate
    missing = {c.file_id for c in known if c.file_id is not None} - by_file.keys()
    for chunk in chunked(sorted(missing)):
        for row in conn.execute(_files().where(asset_file.c.id.in_(chunk))):
            by_file[row.id] = _candidate(row)
    return _Loaded(by_asset, by_file)


def _files() -> Select[Any]:
    file = asset_file.c
    return (
        select(
            file.id, file.asset_id, file.role, file.variant, file.media_type, file.size_bytes,
            file.path, file.sha256, asset.c.content_hash,
        )
        .join_from(asset_file, asset, asset.c.id == file.asset_id)
        .where(file.deleted_at.is_(None))
    )  # fmt: skip


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(
        file_id=row.id,
        role=row.role,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        path=row.path,
        content_hash=row.content_hash,
        sha256=row.sha256,
        variant=row.variant,
    )


def _first_members(
    conn: Connection, kind: str, container_ids: Sequence[int]
) -> dict[int, list[int]]:
    _, item = CONTAINERS[container_kind(kind)]
    found: dict[int, list[int]] = defaultdict(list)
    for chunk in chunked(container_ids):
        for row in conn.execute(
            select(item.c.container_id, asset.c.id)
            .join_from(item, asset, asset.c.content_hash == item.c.content_hash)
            .where(
                item.c.container_id.in_(chunk),
                item.c.position < FIRST_MEMBERS,
                asset.c.deleted_at.is_(None),
            )
            .order_by(item.c.container_id, item.c.position)
        ):
            found[row.container_id].append(row.id)
    return found
