"""An open run of an archive: fresh from a listing, or as it was planned when it is imported."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from lading.base.errors import InternalError, printable
from lading.ingest.source import Decided, FetchContext, Item, PlannedBatch
from lading.ledger.states import Decision, Outcome
from lading.sources.archive.decide import (
    CODE_ITEM,
    KEY_ITEM,
    CodeFiles,
    Decider,
    RejectedKey,
    files_of,
    identity_of,
)
from lading.sources.archive.importer import Fetched, Importer
from lading.sources.archive.inventory import Inventory
from lading.sources.archive.values import Fault

KEY_CHARS_MAX: Final = 190
ACTION: Final = "import"
TYPE: Final = "archive"
LEFT_OUT_SHOWN: Final = 50

log = structlog.get_logger("lading.archive")


class ArchiveBatch:
    """The `OpenBatch` of a run; what phases 2 and 3 have in common."""

    type = TYPE
    action = ACTION
    writes_max = 100

    def __init__(
        self, manifest_sha256: str, decider: Decider, importer: Importer, *, fetches_max: int
    ) -> None:
        self.manifest_sha256 = manifest_sha256
        self.fetches_max = fetches_max
        self._decider = decider
        self._importer = importer
        self._decisions: dict[Decision, int] = dict.fromkeys(Decision, 0)
        self._deciding_s = 0.0
        self._fetching_since: float | None = None

    def decide(
        self, conn: Connection, items: Sequence[Item], *, check_bytes: bool = False
    ) -> Sequence[Decided]:
        """One decision for each item, reading only (B4). Bytes are checked at import anyway."""
        del check_bytes
        began = time.monotonic()
        decided = self._decider.decide(conn, items)
        for one in decided:
            self._decisions[one.decision] += 1
        self._deciding_s += time.monotonic() - began
        return decided

    def fetch(self, item: Item, decided: Decision, context: FetchContext) -> object:
        """Phase 3: read and check the sidecars of a code (B5); from several threads."""
        del decided
        if self._fetching_since is None:
            self._fetching_since = time.monotonic()
        return self._importer.fetch(item, context)

    def write(self, conn: Connection, item: Item, fetched: object) -> Outcome:
        """Write the rows of one code in the caller's transaction."""
        (outcome,) = self.write_many(conn, [(item, fetched)])
        return outcome

    def write_many(
        self, conn: Connection, pairs: Sequence[tuple[Item, object]]
    ) -> Sequence[Outcome]:
        """Write the rows of some codes together."""
        values = []
        for item, fetched in pairs:
            if not isinstance(fetched, Fetched):
                raise InternalError("the item was fetched by another source", subject=item.key)
            values.append(fetched)
        return self._importer.write(conn, values)

    def log_phases(self, source: str) -> None:
        """Say what phases 2 and 3 did, as far as they came, and how long they took (B9)."""
        decisions = {decision.value: count for decision, count in self._decisions.items() if count}
        if decisions:
            seconds = round(self._deciding_s, 3)
            log.info("archive compared", phase=2, source=source, seconds=seconds, **decisions)
        if self._fetching_since is not None:
            seconds = round(time.monotonic() - self._fetching_since, 3)
            counts = self._importer.counts()
            log.info("archive read", phase=3, source=source, seconds=seconds, **counts)


class ListedRun(ArchiveBatch):
    """A run as the bucket has it now (phases 1 and 2, and 3 where it is only rehearsed)."""

    def __init__(self, inventory: Inventory, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._inventory = inventory

    @property
    def detail(self) -> Mapping[str, Any]:
        """What is recorded of phases 1 and 2 with the run."""
        seconds = {"compare": round(self._deciding_s, 3)}
        if self._inventory.seconds is not None:
            seconds["list"] = self._inventory.seconds
        return {**describe(self._inventory), "seconds": seconds}

    def items(self) -> Iterator[Item]:
        """The codes in order, then the rejected keys."""
        for code, files in self._inventory.codes():
            yield code_item(CodeFiles(code, tuple(files)))
        for key, size_bytes, stage, fault in self._inventory.rejected():
            payload = RejectedKey(key, stage.value, fault)
            yield Item(bounded(key), KEY_ITEM, payload, bytes=size_bytes)


class PlannedRun(ArchiveBatch):
    """A run as it was decided about (phase 3): the bucket may have moved on."""

    def __init__(self, planned: PlannedBatch, *args: Any, **options: Any) -> None:
        super().__init__(planned.manifest_sha256, *args, **options)
        self._planned = planned

    def items(self) -> Iterator[Item]:
        """The recorded items, in their order."""
        for item in self._planned.items():
            if item.kind == CODE_ITEM:
                code = CodeFiles(item.key, files_of(item.detail))
                yield code_item(code)
            else:
                fault = Fault(item.reason or "", key=item.detail.get("key"))
                stage = str(item.detail.get("stage", ""))
                payload = RejectedKey(fault.key or item.key, stage, fault)
                yield Item(item.key, item.kind, payload, bytes=item.bytes)


def code_item(payload: CodeFiles) -> Item:
    """The item of an inventory code."""
    return Item(
        payload.code,
        CODE_ITEM,
        payload,
        title=payload.code,
        content_hash=identity_of(payload.code),
        bytes=sum(file.size_bytes for file in payload.files),
    )


def bounded(key: str) -> str:
    """A key as an item is called: readable, unlike any other, and short enough for an index."""
    shown = printable(key, length_max=10_000)
    # A backslash may be the key's own or that of an escaped character.
    if len(shown) <= KEY_CHARS_MAX and "\\" not in key:
        return shown
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{shown[: KEY_CHARS_MAX - 18]}… {digest}"


def describe(inventory: Inventory) -> dict[str, Any]:
    """What is recorded of phase 1 with a run: its counts, and what was left out, by its rule."""
    return {
        "phase1": inventory.counts.as_dict(),
        "left_out": [
            {"stage": one.stage, "value": one.value, "keys": one.keys, "examples": one.examples}
            for one in inventory.left_out()[:LEFT_OUT_SHOWN]
        ],
    }
