"""A stranger's source: folders of notes. A folder is a batch once it has a list named `DONE`.

`DONE` is what `sha256sum` prints. Everything that is hard (jobs, leases, transactions, retries,
accounting) is the engine's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from lading.base.errors import SourceError
from lading.base.reasons import Reason, reason_table
from lading.ingest.source import (
    BatchRef,
    BatchRefused,
    Decided,
    Discovered,
    FetchContext,
    Item,
    ItemRefused,
    SourceDefinition,
    SourceMissing,
)
from lading.ledger.states import Decision, Outcome
from lading.library.assets import preview_assets, save_asset
from lading.library.values import AssetFacts, AssetProposal, FileFacts
from lading.storage.placement import content_key
from lading.storage.roots import RootMissing, SafeRoot
from lading.storage.transfer import copy_in

EMPTY = Reason("empty_note", "The note is empty.", "Write something in it.")
GONE = Reason("folder_gone", "The folder of notes is gone.", "Put it back, then scan.")
UNREADABLE = Reason("note_unreadable", "The note cannot be read as listed.", "Look at the file.")
DECISIONS = {
    Outcome.CREATED: Decision.CREATE,
    Outcome.UPDATED: Decision.UPDATE,
    Outcome.UNCHANGED: Decision.UNCHANGED,
}


class OpenNotes:
    """One folder, read once."""

    type = "notes"
    action = "import"

    def __init__(self, root: SafeRoot, folder: str, store: str, batch_id: int) -> None:
        self._root, self._store, self._batch_id = root, store, batch_id
        with root.open(f"{folder}/DONE") as file:
            listing = file.read() or b""
        self.manifest_sha256 = hashlib.sha256(listing).hexdigest()
        self._notes = []
        for line in listing.decode().splitlines():
            digest, name = line.split("  ", 1)
            path = f"{folder}/{name}"
            self._notes.append((path, digest, root.stat(path).size_bytes))

    def items(self) -> Iterator[Item]:
        for path, digest, size in self._notes:
            yield Item(path, "asset", digest, title=path, content_hash=digest, bytes=size)

    def decide(
        self, conn: Connection, items: Sequence[Item], *, check_bytes: bool = False
    ) -> list[Decided]:
        outcomes = iter(preview_assets(conn, [self._proposal(i) for i in items if i.bytes]))
        return [
            Decided(DECISIONS[next(outcomes)]) if i.bytes else Decided(Decision.REJECT, EMPTY)
            for i in items
        ]

    def fetch(self, item: Item, decided: Decision, context: FetchContext) -> None:
        try:
            copy_in(
                self._root,
                item.key,
                context.store,
                size_bytes=item.bytes,
                sha256=item.payload,
                owner=context.owner,
                meter=context.meter,
                stop=context.stop,
            )
        except SourceError as error:
            raise ItemRefused(UNREADABLE, subject=item.key, found=error.message) from error

    def write(self, conn: Connection, item: Item, fetched: object) -> Outcome:
        proposal = self._proposal(item)
        return save_asset(conn, proposal.facts, proposal.files, batch_id=self._batch_id).outcome

    def _proposal(self, item: Item) -> AssetProposal:
        return AssetProposal(
            facts=AssetFacts(content_hash=item.payload, asset_type="note", title=item.key),
            files=[
                FileFacts(
                    role="original",
                    path=item.key,
                    sha256=item.payload,
                    size_bytes=item.bytes,
                    store=self._store,
                    location=content_key(item.payload),
                )
            ],
        )


class Notes:
    """The source itself."""

    kind = "toy"

    def __init__(self, name: str, root: str, store: str) -> None:
        self.name = name
        self._root, self._store = SafeRoot(root), store

    def identity(self) -> str:
        try:
            return self._root.identity()
        except RootMissing as error:
            raise SourceMissing(error.message, subject=error.subject) from error

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        for entry in self._root.names():
            if not entry.is_dir(follow_symlinks=False):
                continue
            try:
                done = self._root.stat(f"{entry.name}/DONE")
            except SourceError:
                continue
            print_ = f"{done.size_bytes}:{done.mtime_ns}:{done.inode}"
            if known.get(entry.name) == print_:
                yield Discovered(entry.name, print_)
                continue
            notes = OpenNotes(self._root, entry.name, self._store, 0)
            items = list(notes.items())
            yield Discovered(
                entry.name,
                print_,
                manifest_sha256=notes.manifest_sha256,
                type=notes.type,
                action=notes.action,
                items=len(items),
                bytes=sum(item.bytes for item in items),
            )

    @contextmanager
    def open_batch(self, batch: BatchRef) -> Iterator[OpenNotes]:
        try:
            notes = OpenNotes(self._root, batch.key, self._store, batch.id)
        except SourceError as error:
            raise BatchRefused(GONE, subject=batch.key) from error
        yield notes

    def stat_location(self, location: str) -> int:
        return self._root.stat(location).size_bytes

    def read_location(self, location: str, *, offset: int = 0) -> Iterator[bytes]:
        with self._root.open(location) as file:
            file.seek(offset)
            yield file.read() or b""


definition = SourceDefinition(
    kind="toy",
    build=lambda name, options: Notes(name, options["root"], options.get("store", "library")),
    reasons=reason_table((EMPTY, GONE, UNREADABLE)),
    summary="folders of notes, each closed by a list named DONE",
)
