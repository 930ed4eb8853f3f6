"""Decides about the items of an open bundle, reading files, library and ledger alone (A5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.base.errors import SourceError
from lading.base.stopping import StopSignal
from lading.ingest.source import Decided, Item
from lading.ledger.states import ACTIVE_BATCH_STATES, Decision, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.known import (
    find_assets,
    find_containers,
    known_members,
    load_assets,
    load_containers,
)
from lading.library.rules import container_differences, differences
from lading.library.statements import chunked
from lading.library.values import ContainerRef
from lading.sources.handover.items import AssetItem, BadItem, ContainerItem, FileEntry
from lading.sources.handover.proposals import planned_files, propose_asset, propose_container
from lading.sources.handover.reasons import REASONS
from lading.sources.handover.rules import (
    Fault,
    LibraryState,
    Verdict,
    decide_asset,
    decide_container,
    is_kept,
    judge_asset,
)
from lading.sources.handover.upstream import OpenBundle
from lading.storage.transfer import verify_in_place

FILES_PER_COMPARISON: Final = 20_000
"""Files compared with the library at a time, so that memory does not follow the chunk."""


class _Uncounted:
    """The meter of a preflight, whose reading is nobody's progress."""

    def moved(self, count: int) -> None:
        """Take no note."""

    def skipped(self, count: int) -> None:
        """Take no note."""


class Decider:
    """Decides for one open bundle. `in_place_store` names its files' store when none is copied."""

    def __init__(self, bundle: OpenBundle) -> None:
        self._bundle = bundle

    def decide(
        self, conn: Connection, items: Sequence[Item], *, check_bytes: bool
    ) -> list[Decided]:
        """One decision for each of `items`, in their order.

        Raises `SourceMissing` when files are missing because the whole tree is.
        """
        verdicts: dict[int, Verdict] = {}
        assets: dict[int, AssetItem] = {}
        containers: dict[int, ContainerItem] = {}
        for place, item in enumerate(items):
            payload = item.payload
            if isinstance(payload, BadItem):
                verdicts[place] = _bad(payload)
            elif isinstance(payload, AssetItem):
                assets[place] = payload
            else:
                containers[place] = payload
        if assets:
            verdicts |= self._assets(conn, assets, check_bytes=check_bytes)
        if containers:
            verdicts |= self._containers(conn, containers)
        return [_decided(verdicts[place]) for place in range(len(items))]

    def _assets(
        self, conn: Connection, items: Mapping[int, AssetItem], *, check_bytes: bool
    ) -> dict[int, Verdict]:
        if self._bundle.action == "remove":
            return self._asset_removals(conn, items)
        verdicts: dict[int, Verdict] = {}
        sound: dict[int, AssetItem] = {}
        for place, item in items.items():
            fault = judge_asset(self._bundle.action, item) or self._file_fault(item, check_bytes)
            if fault is None:
                sound[place] = item
            else:
                verdicts[place] = _rejected(fault)
        # A cover that nothing answers to yet is kept, and found when it arrives.
        awaited = self._unknown(
            conn,
            {
                item.cover_hash
                for item in sound.values()
                if item.cover_hash is not None and not _has_cover(item)
            },
        ) - {item.content_hash for item in sound.values()}
        for some in _bounded(sound):
            known = load_assets(conn, [item.content_hash for item in some.values()])
            for place, item in some.items():
                there = known.get(item.content_hash)
                files = planned_files(item, there, self._bundle.in_place_store)
                state = LibraryState()
                if there is not None:
                    proposal = propose_asset(self._bundle.action, item, files, there)
                    same = not differences(there, proposal).any
                    state = LibraryState(known=True, same=same, deleted=there.row.deleted)
                verdict = decide_asset(self._bundle.action, item, state)
                verdicts[place] = _noting_cover(verdict, item.cover_hash, awaited)
        return verdicts

    def _asset_removals(
        self, conn: Connection, items: Mapping[int, AssetItem]
    ) -> dict[int, Verdict]:
        rows = find_assets(conn, [item.content_hash for item in items.values()])
        verdicts = {}
        for place, item in items.items():
            row = rows.get(item.content_hash)
            state = LibraryState(known=row is not None, deleted=row is not None and row.deleted)
            verdicts[place] = decide_asset(self._bundle.action, item, state)
        return verdicts

    def _file_fault(self, item: AssetItem, check_bytes: bool) -> Fault | None:
        for file in item.files:
            if not is_kept(file):
                continue
            try:
                fault = self._look(file, check_bytes)
            except SourceError as error:
                fault = self._bundle.upstream.item_fault(error, self._bundle.identity)
            if fault is not None:
                return fault
        return None

    def _look(self, file: FileEntry, check_bytes: bool) -> Fault | None:
        root = self._bundle.upstream.root
        found = root.stat(file.path).size_bytes
        if found != file.size_bytes:
            return Fault("size_mismatch", str(file.size_bytes), str(found), file.path)
        if check_bytes:
            verify_in_place(
                root,
                file.path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                meter=_Uncounted(),
                stop=StopSignal(),
            )
        return None

    def _containers(
        self, conn: Connection, items: Mapping[int, ContainerItem]
    ) -> dict[int, Verdict]:
        refs = {place: container_ref(item) for place, item in items.items()}
        if self._bundle.action == "remove":
            rows = find_containers(conn, list(refs.values()))
            states = {ref: LibraryState(known=True, deleted=rows[ref].deleted) for ref in rows}
            return {
                place: _noting_key(
                    decide_container(
                        self._bundle.action, item, states.get(refs[place], LibraryState()), ()
                    ),
                    item,
                )
                for place, item in items.items()
            }
        members = {member for item in items.values() for member in item.members or ()}
        unknown = self._unknown(conn, members)
        awaited = self._unknown(
            conn, {item.cover_hash for item in items.values() if item.cover_hash is not None}
        )
        known = load_containers(conn, list(refs.values()))
        verdicts = {}
        for place, item in items.items():
            there = known.get(refs[place])
            state = LibraryState()
            if there is not None:
                proposal = propose_container(self._bundle.action, item, there)
                same = not container_differences(there, proposal).any
                state = LibraryState(known=True, same=same, deleted=there.row.deleted)
            missing = [member for member in item.members or () if member in unknown]
            verdict = decide_container(self._bundle.action, item, state, missing)
            verdict = _noting_cover(verdict, item.cover_hash, awaited)
            verdicts[place] = _noting_key(verdict, item)
        return verdicts

    def _unknown(self, conn: Connection, hashes: Iterable[str]) -> set[str]:
        """Which of `hashes` are assets neither of this bundle, nor held, nor on their way."""
        left = set(hashes)
        column = ingest_batch_item.c.content_hash
        for chunk in chunked(sorted(left)):
            left.difference_update(
                conn.scalars(
                    select(column).where(
                        ingest_batch_item.c.batch_id == self._bundle.batch.id,
                        ingest_batch_item.c.revision == self._bundle.batch.revision,
                        ingest_batch_item.c.kind == "asset",
                        column.in_(chunk),
                    )
                )
            )
        left -= known_members(conn, left)
        return left - self._on_their_way(conn, left) if left else left

    def _on_their_way(self, conn: Connection, hashes: set[str]) -> set[str]:
        """Which of `hashes` are assets of other bundles that workers were given.

        Bundles are queued many at a time; a gallery need not wait for the one with its pictures,
        since its places wait for their content.
        """
        item, batch = ingest_batch_item.c, ingest_batch.c
        found: set[str] = set()
        for chunk in chunked(sorted(hashes)):
            found.update(
                conn.scalars(
                    select(item.content_hash)
                    .join_from(
                        ingest_batch,
                        ingest_batch_item,
                        (item.batch_id == batch.id) & (item.revision == batch.queued_revision),
                    )
                    .where(
                        batch.state.in_(sorted(ACTIVE_BATCH_STATES)),
                        batch.action != "remove",
                        item.kind == "asset",
                        item.outcome == Outcome.PENDING.value,
                        item.content_hash.in_(chunk),
                    )
                )
            )
        return found


def container_ref(item: ContainerItem) -> ContainerRef:
    """The container an item is about."""
    return ContainerRef(item.container_type, item.container_key)


def _has_cover(item: AssetItem) -> bool:
    return any(file.role == "cover" and file.sha256 == item.cover_hash for file in item.files)


def _bounded(items: Mapping[int, AssetItem]) -> Iterator[dict[int, AssetItem]]:
    some: dict[int, AssetItem] = {}
    files = 0
    for place, item in items.items():
        some[place] = item
        files += len(item.files)
        if files >= FILES_PER_COMPARISON:
            yield some
            some, files = {}, 0
    if some:
        yield some


def _bad(item: BadItem) -> Verdict:
    return _rejected(Fault(item.code, item.expected, item.found, item.field))


def _rejected(fault: Fault) -> Verdict:
    return Verdict(Decision.REJECT, fault)


def _noting_cover(verdict: Verdict, cover_hash: str | None, awaited: set[str]) -> Verdict:
    if verdict.fault is not None or cover_hash is None or cover_hash not in awaited:
        return verdict
    return Verdict(verdict.decision, detail={"cover_awaited": f"sha256:{cover_hash}"})


def _noting_key(verdict: Verdict, item: ContainerItem) -> Verdict:
    """The verdict with the container's key, by which `verify` looks for it in the library."""
    return replace(verdict, detail={**verdict.detail, "container_key": item.container_key})


def _decided(verdict: Verdict) -> Decided:
    detail: dict[str, Any] = dict(verdict.detail)
    if verdict.fault is None:
        return Decided(verdict.decision, detail=detail)
    return Decided(verdict.decision, REASONS[verdict.fault.code], detail | verdict.fault.detail())
