"""Turns items into what the library is asked to hold, from plain values alone.

An import states an asset in full. An update changes what it mentions: fields that it leaves out
stay, and when it does not bring the asset's own content, so do files that it does not name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lading.library.values import (
    AssetFacts,
    AssetProposal,
    ContainerFacts,
    FileFacts,
    KnownAsset,
    KnownContainer,
)
from lading.sources.handover.items import AssetItem, ContainerItem, FileEntry
from lading.sources.handover.rules import analysis_kind, has_content, is_document, is_kept

IN_PLACE_PREFIX = "source:"


def stored_files(item: AssetItem) -> list[FileEntry]:
    """The files that are kept as files: no documents, no derivatives that are never stored."""
    return [file for file in item.files if is_kept(file) and not is_document(file)]


def file_facts(file: FileEntry, *, store: str, location: str) -> FileFacts:
    """A file as the library records it, at its location in a store."""
    return FileFacts(
        role=file.role,
        variant=file.variant,
        path=file.name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        media_type=file.media_type,
        store=store,
        location=location,
    )


def planned_files(
    item: AssetItem, known: KnownAsset | None, in_place_store: str | None
) -> list[FileFacts]:
    """The files as they will be recorded, before anything is moved.

    A copy of the same bytes stays where the library has it. Where a new copy will lie is not
    known yet; its facts differ from any known ones.
    """
    planned = []
    for file in stored_files(item):
        if in_place_store is not None:
            planned.append(file_facts(file, store=in_place_store, location=file.path))
            continue
        held = known.files.get(file.name) if known is not None else None
        same = (
            held is not None
            and held.facts.sha256 == file.sha256
            and not held.facts.store.startswith(IN_PLACE_PREFIX)
        )
        store, location = (held.facts.store, held.facts.location) if held and same else ("", "")
        planned.append(file_facts(file, store=store, location=location))
    return planned


def propose_asset(
    action: str, item: AssetItem, files: Sequence[FileFacts], known: KnownAsset | None
) -> AssetProposal:
    """All that an item says about its asset, completed from `known` where an update is silent."""
    before = known if action == "update" else None
    documents = [file for file in item.files if is_document(file)]
    return AssetProposal(
        facts=_asset_facts(item, before.row.facts if before else None),
        files=_complete(item, files, before),
        source_sha256=next((file.sha256 for file in documents if file.role == "source"), None),
        ai_runs={
            analysis_kind(file): file.sha256 for file in documents if file.role == "source_data"
        },
        cover_hash=item.cover_hash,
    )


def propose_container(
    action: str, item: ContainerItem, known: KnownContainer | None
) -> ContainerFacts:
    """All that an item says about its container, completed from `known` like an asset."""
    before = known if action == "update" else None
    silent_title = before is not None and "title" not in item.given
    return ContainerFacts(
        kind=item.container_type,
        key=item.container_key,
        title=before.row.title if before is not None and silent_title else item.title,
        detail=_merged(before.row.detail if before else None, item.detail),
        cover_hash=item.cover_hash,
        members=_members(item, known),
    )


def _members(item: ContainerItem, known: KnownContainer | None) -> Sequence[str]:
    if item.members is not None:
        return item.members
    return known.members if known is not None else ()


def _asset_facts(item: AssetItem, before: AssetFacts | None) -> AssetFacts:
    facts = AssetFacts(
        content_hash=item.content_hash,
        asset_type=item.asset_type or "",
        asset_subtype=item.asset_subtype,
        title=item.title,
        captured_at=item.captured_at,
        captured_offset_min=item.captured_offset_min,
        width=item.width,
        height=item.height,
        duration_s=item.duration_s,
        detail=_merged(before.detail if before else None, item.detail),
    )
    if before is None:
        return facts
    names = {"asset_type", "asset_subtype", "title", "width", "height", "duration_s"} - item.given
    silent: dict[str, Any] = {name: getattr(before, name) for name in names}
    if "captured_at" not in item.given:
        silent["captured_at"] = before.captured_at
        silent["captured_offset_min"] = before.captured_offset_min
    return replace(facts, **silent)


def _merged(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**before, **after} if before else after


def _complete(
    item: AssetItem, files: Sequence[FileFacts], before: KnownAsset | None
) -> Sequence[FileFacts]:
    if before is None or has_content(item):
        return files
    named = {file.path for file in files}
    kept = [
        row.facts for path, row in before.files.items() if path not in named and not row.deleted
    ]
    return [*kept, *files]
