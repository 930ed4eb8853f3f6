"""Loads what the library holds of many assets or containers, a few statements for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, select

from lading.base.errors import RequestError
from lading.library.statements import chunked
from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    asset,
    asset_ai_run,
    asset_cover,
    asset_file,
    asset_source,
    derivation,
    photo_date,
    photo_file,
)
from lading.library.values import (
    AssetFacts,
    AssetRow,
    ContainerRef,
    ContainerRow,
    FileFacts,
    FileRow,
    KnownAsset,
    KnownContainer,
    parse_detail,
)

ASSET_OWNER = "asset"
"""The `owner_kind` of an asset's cover; a container's is its own kind."""


class UnknownAsset(RequestError):
    """An asset that the library does not have."""

    code = "unknown_asset"
    http_status = 404
    next_step = "Check the content hash; `lading batch` shows those that a batch brought."


def _locked(query: Select[Any]) -> Select[Any]:
    # The weaker of PostgreSQL's locks: rows that refer to the locked one are not held up.
    return query.with_for_update(key_share=True)


# Built once: every item of an import runs one of them.
_ASSETS = (
    select(asset)
    .where(asset.c.content_hash.in_(bindparam("hashes", expanding=True)))
    .order_by(asset.c.id)
)
# An import is compared with what sources said, not with what people made of it.
_SAID = _ASSETS.add_columns(
    photo_date.c.asset_id.label("dated_id"), photo_date.c.said_at, photo_date.c.said_offset_min
).outerjoin(photo_date, photo_date.c.asset_id == asset.c.id)
_SAID_LOCKED = _SAID.with_for_update(key_share=True, of=asset)


def load_assets(
    conn: Connection, hashes: Collection[str], *, lock: bool = False
) -> dict[str, KnownAsset]:
    """The assets among `hashes`, deleted ones too, with all that an import is compared with.

    `lock` keeps other writers of the same assets out until the transaction ends. Holds all files
    of these assets in memory; callers bound how many they ask for.
    """
    found: dict[str, KnownAsset] = {}
    for chunk in chunked(sorted(set(hashes))):
        rows = _said_rows(conn, chunk, lock=lock)
        ids = [row.id for row in rows]
        files = _proposed_files(conn, ids)
        sources = _sources(conn, ids)
        runs = _ai_runs(conn, ids)
        covers = cover_hashes(conn, ASSET_OWNER, ids)
        for row in rows:
            found[row.facts.content_hash] = KnownAsset(
                row=row,
                files={file.facts.path: file for file in files.get(row.id, ())},
                sources=sources[row.id],
                ai_runs=runs[row.id],
                cover_hash=covers.get(row.id),
            )
    return found


def find_assets(conn: Connection, hashes: Iterable[str]) -> dict[str, AssetRow]:
    """The assets among `hashes` by content hash, deleted ones too."""
    return {
        row.facts.content_hash: row
        for chunk in chunked(dict.fromkeys(hashes))
        for row in _asset_rows(conn, chunk)
    }


def asset_hashes(conn: Connection, asset_ids: Iterable[int]) -> set[str]:
    """The content hashes of these assets."""
    return {
        digest
        for chunk in chunked(asset_ids)
        for digest in conn.scalars(select(asset.c.content_hash).where(asset.c.id.in_(chunk)))
    }


def known_members(conn: Connection, hashes: Iterable[str]) -> set[str]:
    """Which of `hashes` are assets of the library; one in the trash is known too."""
    known: set[str] = set()
    for chunk in chunked(dict.fromkeys(hashes)):
        known.update(
            conn.scalars(select(asset.c.content_hash).where(asset.c.content_hash.in_(chunk)))
        )
    return known


def load_files(
    conn: Connection, asset_ids: Iterable[int], *, deleted: bool = False
) -> dict[int, list[FileRow]]:
    """The files of each asset by path, with `deleted` also those no longer named."""
    found: dict[int, list[FileRow]] = defaultdict(list)
    for chunk in chunked(asset_ids):
        query = select(asset_file).where(asset_file.c.asset_id.in_(chunk))
        if not deleted:
            query = query.where(asset_file.c.deleted_at.is_(None))
        for row in conn.execute(query):
            found[row.asset_id].append(file_row(row))
    for files in found.values():
        files.sort(key=lambda file: file.facts.path)
    return dict(found)


def _proposed_files(conn: Connection, asset_ids: Sequence[int]) -> dict[int, list[FileRow]]:
    """The files that proposals are about: not the places of photos, and not what we derived.

    Those have rules of their own, and whoever proposes an asset knows nothing of them.
    """
    query = select(asset_file).where(
        asset_file.c.asset_id.in_(asset_ids),
        ~exists().where(photo_file.c.file_id == asset_file.c.id),
        ~exists().where(
            derivation.c.asset_id == asset_file.c.asset_id,
            derivation.c.file_id == asset_file.c.id,
        ),
    )
    found: dict[int, list[FileRow]] = defaultdict(list)
    for row in conn.execute(query):
        found[row.asset_id].append(file_row(row))
    return found


def load_containers(
    conn: Connection, refs: Collection[ContainerRef], *, lock: bool = False
) -> dict[ContainerRef, KnownContainer]:
    """The containers among `refs`, deleted ones too, with their members in order."""
    found: dict[ContainerRef, KnownContainer] = {}
    for kind in ContainerKind:
        keys = sorted({ref.key for ref in refs if ref.kind == kind})
        for chunk in chunked(keys):
            rows = _container_rows(conn, kind, chunk, lock=lock)
            ids = [row.id for row in rows]
            members = _members(conn, kind, ids)
            covers = cover_hashes(conn, kind, ids)
            for row in rows:
                found[row.ref] = KnownContainer(
                    row=row, members=members[row.id], cover_hash=covers.get(row.id)
                )
    return found


def find_containers(
    conn: Connection, refs: Collection[ContainerRef]
) -> dict[ContainerRef, ContainerRow]:
    """The containers among `refs`, deleted ones too, without their members."""
    return {
        row.ref: row
        for kind in ContainerKind
        for chunk in chunked(sorted({ref.key for ref in refs if ref.kind == kind}))
        for row in _container_rows(conn, kind, chunk)
    }


def cover_hashes(conn: Connection, owner_kind: str, owner_ids: Sequence[int]) -> dict[int, str]:
    """The cover hash of each owner that has one."""
    found: dict[int, str] = {}
    for chunk in chunked(owner_ids):
        rows = conn.execute(
            select(asset_cover.c.owner_id, asset_cover.c.cover_hash).where(
                asset_cover.c.owner_kind == owner_kind, asset_cover.c.owner_id.in_(chunk)
            )
        )
        found.update((row.owner_id, row.cover_hash) for row in rows)
    return found


def asset_row(row: Row[Any]) -> AssetRow:
    """The value of a row of `asset` with all its columns."""
    return AssetRow(
        id=row.id,
        facts=AssetFacts(
            content_hash=row.content_hash,
            asset_type=row.asset_type,
            asset_subtype=row.asset_subtype,
            title=row.title,
            captured_at=row.captured_at,
            captured_offset_min=row.captured_offset_min,
            width=row.width,
            height=row.height,
            duration_s=row.duration_s,
            detail=parse_detail(row.detail),
        ),
        batch_id=row.batch_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def file_row(row: Row[Any]) -> FileRow:
    """The value of a row of `asset_file` with all its columns."""
    return FileRow(
        id=row.id,
        asset_id=row.asset_id,
        facts=FileFacts(
            role=row.role,
            variant=row.variant,
            path=row.path,
            sha256=row.sha256,
            md5=row.md5,
            etag=row.etag,
            size_bytes=row.size_bytes,
            media_type=row.media_type,
            store=row.store,
            location=row.location,
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def container_row(kind: str, row: Row[Any]) -> ContainerRow:
    """The value of a row of a container table with all its columns."""
    return ContainerRow(
        id=row.id,
        ref=ContainerRef(str(kind), row.key),
        title=row.title,
        detail=parse_detail(row.detail),
        batch_id=row.batch_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def _asset_rows(conn: Connection, hashes: Sequence[str]) -> list[AssetRow]:
    return [asset_row(row) for row in conn.execute(_ASSETS, {"hashes": hashes})]


def _said_rows(conn: Connection, hashes: Sequence[str], *, lock: bool) -> list[AssetRow]:
    return [
        asset_row(row) if row.dated_id is None else _as_said(row)
        for row in conn.execute(_SAID_LOCKED if lock else _SAID, {"hashes": hashes})
    ]


def _as_said(row: Row[Any]) -> AssetRow:
    known = asset_row(row)
    said = replace(known.facts, captured_at=row.said_at, captured_offset_min=row.said_offset_min)
    return replace(known, facts=said)


def _container_rows(
    conn: Connection, kind: ContainerKind, keys: Sequence[str], *, lock: bool = False
) -> list[ContainerRow]:
    container, _ = CONTAINERS[kind]
    query = select(container).where(container.c.key.in_(keys)).order_by(container.c.id)
    rows = conn.execute(_locked(query) if lock else query)
    return [container_row(kind, row) for row in rows]


def _sources(conn: Connection, asset_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for chunk in chunked(asset_ids):
        for row in conn.execute(
            select(asset_source.c.asset_id, asset_source.c.sha256)
            .where(asset_source.c.asset_id.in_(chunk))
            .order_by(asset_source.c.created_at, asset_source.c.id)
        ):
            found[row.asset_id].append(row.sha256)
    return found


def _ai_runs(conn: Connection, asset_ids: Sequence[int]) -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = defaultdict(dict)
    for chunk in chunked(asset_ids):
        for row in conn.execute(
            select(asset_ai_run.c.asset_id, asset_ai_run.c.analysis_kind, asset_ai_run.c.sha256)
            .where(asset_ai_run.c.asset_id.in_(chunk))
            .order_by(asset_ai_run.c.created_at, asset_ai_run.c.id)
        ):
            found[row.asset_id].setdefault(row.analysis_kind, []).append(row.sha256)
    return found


def _members(
    conn: Connection, kind: ContainerKind, container_ids: Sequence[int]
) -> dict[int, list[str]]:
    _, item = CONTAINERS[kind]
    found: dict[int, list[str]] = defaultdict(list)
    for chunk in chunked(container_ids):
        for row in conn.execute(
            select(item.c.container_id, item.c.content_hash)
            .where(item.c.container_id.in_(chunk))
            .order_by(item.c.container_id, item.c.position)
        ):
            found[row.container_id].append(row.content_hash)
    return found
