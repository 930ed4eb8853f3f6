"""Writes assets: creates one, or changes only what differs, and nothing when nothing does (A19).

An asset keeps its row and number for good (A15); files and documents come and go beneath it, and
what is no longer named is marked, not removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, insert, select, update

from lading.base.errors import InternalError
from lading.db.bulk import bulk_insert
from lading.ledger.states import Outcome
from lading.library.covers import resolve_covers, set_cover
from lading.library.known import ASSET_OWNER, find_assets, known_members, load_assets
from lading.library.known import load_files as find_files
from lading.library.photo_dates import keep_said
from lading.library.rules import (
    COVER_ROLE,
    DOCUMENT_BYTES_MAX,
    AssetDifferences,
    FactsRefused,
    check_asset,
    differences,
)
from lading.library.statements import VALUES_PER_STATEMENT, chunked, insert_one, moment
from lading.library.tables import FileRole, asset, asset_ai_run, asset_file, asset_source
from lading.library.values import (
    AssetFacts,
    AssetProposal,
    AssetRow,
    Document,
    FileFacts,
    KnownAsset,
    Saved,
    detail_text,
)

__all__ = [
    "AssetFacts",
    "AssetProposal",
    "AssetRow",
    "Document",
    "FileFacts",
    "Saved",
    "asset_columns",
    "compare_assets",
    "find_assets",
    "find_files",
    "known_members",
    "preview_assets",
    "save_asset",
    "save_assets",
]

_FILE_FIELDS: Final = tuple(field.name for field in fields(FileFacts))
FILES_PER_COMPARISON: Final = 20_000
"""How many proposed files are compared at a time, so that memory does not follow the batch."""


def save_asset(
    conn: Connection,
    facts: AssetFacts,
    files: Sequence[FileFacts],
    *,
    source: Document | None = None,
    ai_runs: Sequence[Document] = (),
    cover: str | None = None,
    batch_id: int | None = None,
) -> Saved:
    """Make the library hold this asset, in the caller's writing transaction (A11-A16, A19).

    `files` is the complete list: others of this asset are marked as deleted, and a file or asset
    that was deleted comes back. `cover` is a cover hash; None leaves the cover as it is. The
    batch is recorded on creation only. Raises `FactsRefused` and `WithheldDerivative`.
    """
    proposal = _propose(facts, files, source, ai_runs, cover)
    known = load_assets(conn, [facts.content_hash], lock=True).get(facts.content_hash)
    created = False
    if known is None:
        known, created = _create(conn, facts, batch_id)
    found = differences(known, proposal)
    if found.any:
        at = known.row.created_at if created else moment(conn)
        if not created:
            _update_facts(conn, known, facts, found, at)
        _write_files(conn, known.row.id, found, at)
        documents = [document for document in ai_runs if document.analysis_kind in found.ai_runs]
        if found.source and source is not None:
            documents.append(source)
        _write_documents(conn, known, documents, batch_id, at)
        if found.cover and cover is not None:
            replaces = known.cover_hash is not None
            set_cover(conn, ASSET_OWNER, known.row.id, cover, at=at, replaces=replaces)
    resolve_covers(conn, _cover_hashes_touched(facts, found, cover))
    return Saved(known.row.id, Outcome.CREATED if created else found.outcome)


def save_assets(
    conn: Connection,
    saves: Sequence[tuple[AssetFacts, Sequence[FileFacts]]],
    *,
    batch_id: int | None = None,
) -> list[Outcome]:
    """`save_asset` for many assets without documents, in the order given.

    New ones take a handful of statements together; those that are there already are saved one by
    one. Fails as a whole when another transaction creates one of them at the same moment.
    """
    known = load_assets(conn, [facts.content_hash for facts, _ in saves], lock=True)
    new = {f.content_hash: (f, files) for f, files in saves if f.content_hash not in known}
    for facts, files in new.values():
        check_asset(AssetProposal(facts=facts, files=files))
    if new:
        at = moment(conn)
        stamps = {"batch_id": batch_id, "created_at": at, "updated_at": at}
        bulk_insert(conn, asset, ({**asset_columns(facts), **stamps} for facts, _ in new.values()))
        ids = _ids_of(conn, list(new))
        _insert_files(
            conn,
            ((ids[digest], file) for digest, (_, files) in new.items() for file in files),
            at,
        )
        resolve_covers(conn, new)
    outcomes = []
    for facts, files in saves:
        if new.pop(facts.content_hash, None) is not None:
            outcomes.append(Outcome.CREATED)
        else:
            outcomes.append(save_asset(conn, facts, files, batch_id=batch_id).outcome)
    return outcomes


def _ids_of(conn: Connection, hashes: Sequence[str]) -> dict[str, int]:
    return {
        row.content_hash: row.id
        for chunk in chunked(hashes)
        for row in conn.execute(
            select(asset.c.id, asset.c.content_hash).where(asset.c.content_hash.in_(chunk))
        )
    }


def preview_assets(conn: Connection, proposals: Sequence[AssetProposal]) -> list[Outcome]:
    """What `save_asset` would make of each proposal, reading only; in the order given."""
    return [found.outcome for found in compare_assets(conn, proposals)]


def compare_assets(
    conn: Connection, proposals: Sequence[AssetProposal]
) -> Iterator[AssetDifferences]:
    """What each proposal would change, reading only, with a few statements for many proposals."""
    for chunk in _bounded(proposals):
        known = load_assets(conn, [p.facts.content_hash for p in chunk])
        for proposal in chunk:
            yield differences(known.get(proposal.facts.content_hash), proposal)


def _bounded(proposals: Sequence[AssetProposal]) -> Iterator[list[AssetProposal]]:
    chunk: list[AssetProposal] = []
    files = 0
    for proposal in proposals:
        chunk.append(proposal)
        files += len(proposal.files)
        if len(chunk) == VALUES_PER_STATEMENT or files >= FILES_PER_COMPARISON:
            yield chunk
            chunk, files = [], 0
    if chunk:
        yield chunk


def _propose(
    facts: AssetFacts,
    files: Sequence[FileFacts],
    source: Document | None,
    ai_runs: Sequence[Document],
    cover: str | None,
) -> AssetProposal:
    kinds = [str(document.analysis_kind) for document in ai_runs]
    if len(set(kinds)) != len(kinds) or any(d.analysis_kind is None for d in ai_runs):
        raise FactsRefused(
            "each AI run of an asset needs an analysis kind of its own",
            subject=facts.content_hash,
            found=", ".join(sorted(kinds)),
        )
    proposal = AssetProposal(
        facts=facts,
        files=files,
        source_sha256=source.sha256 if source else None,
        ai_runs={str(document.analysis_kind): document.sha256 for document in ai_runs},
        cover_hash=cover,
    )
    check_asset(proposal)
    roles = frozenset(FileRole)
    for file in files:
        if file.role not in roles:
            raise FactsRefused(
                "the library does not know this role of a file",
                subject=file.path,
                expected=", ".join(FileRole),
                found=file.role,
            )
    for document in (*ai_runs, *([source] if source else [])):
        _check_document(facts.content_hash, document)
    return proposal


def _check_document(subject: str, document: Document) -> None:
    if len(document.body) > DOCUMENT_BYTES_MAX:
        raise FactsRefused(
            "a provenance document is too large to be kept",
            subject=subject,
            expected=f"at most {DOCUMENT_BYTES_MAX} bytes",
            found=len(document.body),
        )
    digest = hashlib.sha256(document.body).hexdigest()
    if digest != document.sha256:
        raise InternalError(
            "a provenance document is not the one that was announced",
            subject=subject,
            expected=document.sha256,
            found=digest,
        )


def _create(conn: Connection, facts: AssetFacts, batch_id: int | None) -> tuple[KnownAsset, bool]:
    """The new asset, or the one that another transaction made in the meantime, and which."""
    at = moment(conn)
    row = AssetRow(
        id=0, facts=facts, batch_id=batch_id, created_at=at, updated_at=at, deleted_at=None
    )
    values = {"batch_id": batch_id, "created_at": at, "updated_at": at, **asset_columns(facts)}
    asset_id = insert_one(conn, asset, values)
    if asset_id is None:
        known = load_assets(conn, [facts.content_hash], lock=True).get(facts.content_hash)
        if known is None:
            raise InternalError("an asset is there and is not", subject=facts.content_hash)
        return known, False
    row = AssetRow(
        id=asset_id, facts=facts, batch_id=batch_id, created_at=at, updated_at=at, deleted_at=None
    )
    return KnownAsset(row=row), True


def _update_facts(
    conn: Connection, known: KnownAsset, facts: AssetFacts, found: AssetDifferences, at: datetime
) -> None:
    columns = asset_columns(facts)
    differing = {name: columns[name] for name in found.facts}
    values = keep_said(conn, known.row.id, differing)
    if found.restored:
        values["deleted_at"] = None
    conn.execute(update(asset).where(asset.c.id == known.row.id).values(**values, updated_at=at))


def _write_files(conn: Connection, asset_id: int, found: AssetDifferences, at: datetime) -> None:
    _insert_files(conn, ((asset_id, file) for file in found.files_added), at)
    if found.files_changed:
        changing = tuple(name for name in _FILE_FIELDS if name != "path")
        statement = (
            update(asset_file)
            .where(asset_file.c.id == bindparam("row_id"))
            .values(
                **{name: bindparam(f"new_{name}") for name in changing},
                updated_at=at,
                deleted_at=None,
            )
        )
        conn.execute(
            statement,
            [
                {"row_id": row.id, **{f"new_{name}": getattr(file, name) for name in changing}}
                for row, file in found.files_changed
            ],
        )
    for chunk in chunked(row.id for row in found.files_retired):
        conn.execute(
            update(asset_file)
            .where(asset_file.c.id.in_(chunk))
            .values(deleted_at=at, updated_at=at)
        )


def _insert_files(conn: Connection, files: Iterable[tuple[int, FileFacts]], at: datetime) -> None:
    """Insert new files, each with the id of its asset."""
    bulk_insert(
        conn,
        asset_file,
        (
            {
                "asset_id": asset_id,
                "path_sha256": hashlib.sha256(file.path.encode()).hexdigest(),
                **{name: getattr(file, name) for name in _FILE_FIELDS},
                "role": str(file.role),
                "created_at": at,
                "updated_at": at,
            }
            for asset_id, file in files
        ),
    )


def _write_documents(
    conn: Connection,
    known: KnownAsset,
    documents: Sequence[Document],
    batch_id: int | None,
    at: datetime,
) -> None:
    for document in documents:
        kind = document.analysis_kind
        into = asset_source if kind is None else asset_ai_run
        which: dict[str, Any] = {"asset_id": known.row.id}
        if kind is not None:
            which["analysis_kind"] = kind
        history = known.sources if kind is None else known.ai_runs.get(kind, ())
        if document.sha256 in history:
            # One that came back is the newest again; it is kept once, with its last arrival.
            conn.execute(
                update(into)
                .where(*_matches(into, which), into.c.sha256 == document.sha256)
                .values(created_at=_after_newest(conn, into, which, at), batch_id=batch_id)
            )
            continue
        conn.execute(
            insert(into).values(
                **which,
                sha256=document.sha256,
                body=document.body,
                batch_id=batch_id,
                created_at=_after_newest(conn, into, which, at) if history else at,
            )
        )


def _matches(into: Table, which: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [into.c[name] == value for name, value in which.items()]


def _after_newest(
    conn: Connection, into: Table, which: Mapping[str, Any], at: datetime
) -> datetime:
    # Within one tick of the clock, or after it was set back, the newest must still be newest.
    newest = conn.scalar(select(func.max(into.c.created_at)).where(*_matches(into, which)))
    return at if newest is None else max(at, newest + timedelta(microseconds=1))


def _cover_hashes_touched(
    facts: AssetFacts, found: AssetDifferences, cover: str | None
) -> set[str]:
    """Every hash that may stand for something else now than before this save."""
    hashes = {facts.content_hash}
    if cover is not None:
        hashes.add(cover)
    touched = [*found.files_added, *(row.facts for row in found.files_retired)]
    for row, file in found.files_changed:
        touched += (row.facts, file)
    hashes.update(file.sha256 for file in touched if file.role == COVER_ROLE and file.sha256)
    return hashes


def asset_columns(facts: AssetFacts) -> dict[str, Any]:
    """The columns of an asset's row that its facts fill."""
    return {
        "content_hash": facts.content_hash,
        "asset_type": facts.asset_type,
        "asset_subtype": facts.asset_subtype,
        "title": facts.title,
        "captured_at": facts.captured_at,
        "captured_offset_min": facts.captured_offset_min,
        "width": facts.width,
        "height": facts.height,
        "duration_s": facts.duration_s,
        "detail": detail_text(facts.detail),
    }
