"""An open bundle: its manifest was read once and is kept, so it cannot change under us (A6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from sqlalchemy import Connection

from lading.base.errors import InternalError
from lading.ingest.source import Decided, FetchContext, Item
from lading.ledger.states import Decision, Outcome
from lading.sources.handover.decide import Decider
from lading.sources.handover.importer import Fetched, Importer
from lading.sources.handover.items import AssetItem, BadItem, ContainerItem
from lading.sources.handover.manifest import stream_items
from lading.sources.handover.rules import BYTES_MAX
from lading.sources.handover.upstream import OpenBundle


class HandoverBatch:
    """The `OpenBatch` of a bundle; good until its context ends."""

    def __init__(
        self, bundle: OpenBundle, *, manifest_sha256: str, type_: str, spool: BinaryIO
    ) -> None:
        self.manifest_sha256 = manifest_sha256
        self.type = type_
        self.action = bundle.action
        self._spool = spool
        self._decider = Decider(bundle)
        self._importer = Importer(bundle)

    def items(self) -> Iterator[Item]:
        """Assets in the manifest's order, then containers and whatever is neither."""
        for payload in stream_items(self._spool):
            yield self._item(payload)

    def decide(
        self, conn: Connection, items: Sequence[Item], *, check_bytes: bool = False
    ) -> Sequence[Decided]:
        """One decision for each item, reading only (A5)."""
        return self._decider.decide(conn, items, check_bytes=check_bytes)

    def fetch(self, item: Item, decided: Decision, context: FetchContext) -> object:
        """Verify the item's bytes and bring them in; from several threads."""
        return self._importer.fetch(item, decided, context)

    def write(self, conn: Connection, item: Item, fetched: object) -> Outcome:
        """Write the item's rows in the caller's transaction."""
        if not isinstance(fetched, Fetched):
            raise InternalError("the item was fetched by another source", subject=item.key)
        return self._importer.write(conn, item, fetched)

    def _item(self, payload: AssetItem | ContainerItem | BadItem) -> Item:
        if isinstance(payload, BadItem):
            return Item(payload.key, payload.kind, payload, content_hash=payload.content_hash)
        if isinstance(payload, ContainerItem):
            return Item(payload.item_id, payload.container_type, payload, title=payload.title)
        # A removal moves no bytes, whatever files it may list.
        listed = () if self.action == "remove" else payload.files
        return Item(
            payload.item_id,
            "asset",
            payload,
            title=payload.title,
            content_hash=payload.content_hash,
            bytes=min(sum(file.size_bytes for file in listed), BYTES_MAX),
        )
