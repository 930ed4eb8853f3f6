"""Takes one item in: first its bytes and documents, then its rows, in the transaction given."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from lading.base.errors import SourceError
from lading.ingest.source import FetchContext, Item
from lading.ledger.states import Decision, Outcome
from lading.library.assets import Document, FileFacts, find_assets, save_asset
from lading.library.containers import find_containers, save_container
from lading.library.known import load_assets, load_containers
from lading.library.trash import mark_assets, mark_containers
from lading.sources.handover.decide import container_ref
from lading.sources.handover.items import AssetItem, BadItem, ContainerItem, FileEntry
from lading.sources.handover.proposals import file_facts, propose_asset, propose_container
from lading.sources.handover.rules import (
    Fault,
    LibraryState,
    analysis_kind,
    decide_asset,
    decide_container,
    is_document,
    is_kept,
)
from lading.sources.handover.upstream import OpenBundle, refused_item
from lading.storage.transfer import copy_in, verified_chunks, verify_in_place


@dataclass(frozen=True, slots=True)
class Fetched:
    """An item's verified files where they now lie, and its documents, verbatim."""

    files: tuple[FileFacts, ...] = ()
    source: Document | None = None
    ai_runs: tuple[Document, ...] = ()


class Importer:
    """Takes items of one open bundle in; the same one serves several threads."""

    def __init__(self, bundle: OpenBundle) -> None:
        self._bundle = bundle

    def fetch(self, item: Item, decided: Decision, context: FetchContext) -> Fetched:
        """Verify each byte of the item once, copying or leaving it in place (A1, A11, A12).

        Moved and skipped bytes together are the item's. Raises `ItemRefused`, `SourceMissing`,
        `StoreError` and `Interrupted`.
        """
        payload = item.payload
        if isinstance(payload, BadItem):
            raise refused_item(
                Fault(payload.code, payload.expected, payload.found, payload.field), item.key
            )
        if not isinstance(payload, AssetItem) or decided is Decision.REMOVE:
            return Fetched()
        if self._bundle.action == "remove":
            return Fetched()
        files: list[FileFacts] = []
        source: Document | None = None
        ai_runs: list[Document] = []
        for file in payload.files:
            if not is_kept(file):
                context.meter.skipped(file.size_bytes)
                continue
            try:
                if not is_document(file):
                    files.append(self._bring(file, context))
                elif file.role == "source":
                    source = Document(None, file.sha256, self._read(file, context))
                else:
                    body = self._read(file, context)
                    ai_runs.append(Document(analysis_kind(file), file.sha256, body))
            except SourceError as error:
                fault = self._bundle.upstream.item_fault(error, self._bundle.identity)
                raise refused_item(fault, item.key) from error
        return Fetched(tuple(files), source, tuple(ai_runs))

    def write(self, conn: Connection, item: Item, fetched: Fetched) -> Outcome:
        """Write the item's rows; a second time changes nothing (A19). Raises `ItemRefused`."""
        payload = item.payload
        if isinstance(payload, AssetItem):
            return self._write_asset(conn, item, payload, fetched)
        if isinstance(payload, ContainerItem):
            return self._write_container(conn, item, payload)
        raise refused_item(
            Fault(payload.code, payload.expected, payload.found, payload.field), item.key
        )

    def _bring(self, file: FileEntry, context: FetchContext) -> FileFacts:
        root = self._bundle.upstream.root
        if self._bundle.in_place_store is not None:
            verify_in_place(
                root,
                file.path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                meter=context.meter,
                stop=context.stop,
            )
            return file_facts(file, store=self._bundle.in_place_store, location=file.path)
        stored = copy_in(
            root,
            file.path,
            context.store,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            media_type=file.media_type,
            owner=context.owner,
            meter=context.meter,
            stop=context.stop,
        )
        return file_facts(file, store=context.store.name, location=stored.key)

    def _read(self, file: FileEntry, context: FetchContext) -> bytes:
        """A document's bytes; the rules have bounded how many there may be."""
        with self._bundle.upstream.root.open(file.path) as opened:
            chunks = verified_chunks(
                opened,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                meter=context.meter,
                stop=context.stop,
            )
            return b"".join(chunks)

    def _write_asset(
        self, conn: Connection, item: Item, payload: AssetItem, fetched: Fetched
    ) -> Outcome:
        if self._bundle.action == "remove":
            if mark_assets(conn, [payload.content_hash], deleted=True):
                return Outcome.REMOVED
            there = bool(find_assets(conn, [payload.content_hash]))
            return self._settled(item, decide_asset("remove", payload, _in_trash(there)).fault)
        known = None
        if self._bundle.action == "update":
            found = load_assets(conn, [payload.content_hash], lock=True)
            known = found.get(payload.content_hash)
            state = LibraryState(known=known is not None)
            self._settled(item, decide_asset(self._bundle.action, payload, state).fault)
        proposal = propose_asset(self._bundle.action, payload, fetched.files, known)
        return save_asset(
            conn,
            proposal.facts,
            proposal.files,
            source=fetched.source,
            ai_runs=fetched.ai_runs,
            cover=payload.cover_hash,
            batch_id=self._bundle.batch.id,
        ).outcome

    def _write_container(self, conn: Connection, item: Item, payload: ContainerItem) -> Outcome:
        ref = container_ref(payload)
        if self._bundle.action == "remove":
            if mark_containers(conn, [ref], deleted=True):
                return Outcome.REMOVED
            there = bool(find_containers(conn, [ref]))
            return self._settled(
                item, decide_container("remove", payload, _in_trash(there), ()).fault
            )
        known = None
        if self._bundle.action == "update":
            known = load_containers(conn, [ref], lock=True).get(ref)
            state = LibraryState(known=known is not None)
            self._settled(item, decide_container(self._bundle.action, payload, state, ()).fault)
        facts = propose_container(self._bundle.action, payload, known)
        return save_container(conn, facts, batch_id=self._bundle.batch.id).outcome

    def _settled(self, item: Item, fault: Fault | None) -> Outcome:
        """Nothing is left to do, unless what was to be changed is gone since preflight."""
        if fault is not None:
            raise refused_item(fault, item.key)
        return Outcome.UNCHANGED


def _in_trash(there: bool) -> LibraryState:
    return LibraryState(known=there, deleted=there)
