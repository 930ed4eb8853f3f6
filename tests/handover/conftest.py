"""An upstream in a temporary tree, a source over it, and an installation that takes it in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import insert

from lading.base.stopping import StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.ingest.source import BatchRef, Decided, FetchContext, Item
from lading.ledger.items import PlannedItem, insert_items
from lading.ledger.states import Decision, Outcome
from lading.ledger.tables import ingest_batch
from lading.sources.handover import HandoverSource, build
from lading.storage.memory import MemoryStore
from lading.testing.publisher import Publisher


@dataclass
class CountingMeter:
    """Counts the bytes that moved and those that did not need to."""

    moved_bytes: int = 0
    skipped_bytes: int = 0

    def moved(self, count: int) -> None:
        self.moved_bytes += count

    def skipped(self, count: int) -> None:
        self.skipped_bytes += count


@dataclass
class Taken:
    """What became of the items of one bundle, by key."""

    decided: dict[str, Decided] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    meters: dict[str, CountingMeter] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)

    def decisions(self) -> dict[str, str]:
        return {key: decided.decision.value for key, decided in self.decided.items()}


class Desk:
    """Decides about a bundle and takes it in as the engine does, one item after another."""

    def __init__(self, db: Database, source: HandoverSource) -> None:
        self.db = db
        self.source = source
        self.store = MemoryStore(name="library")
        self._numbers = itertools.count(1)

    def take_in(self, key: str, *, check_bytes: bool = False, write: bool = True) -> Taken:
        taken = Taken()
        ref = BatchRef(self._batch(key), key, next(self._numbers))
        with self.source.open_batch(ref) as opened:
            for _kind, group in itertools.groupby(opened.items(), key=lambda item: item.kind):
                items = list(group)
                with self.db.read() as conn:
                    decisions = opened.decide(conn, items, check_bytes=check_bytes)
                self._record(ref, items, decisions)
                for item, decided in zip(items, decisions, strict=True):
                    taken.items[item.key] = item
                    taken.decided[item.key] = decided
            if not write:
                return taken
            for item in opened.items():
                decision = taken.decided[item.key].decision
                if decision is Decision.REJECT:
                    continue
                meter = taken.meters[item.key] = CountingMeter()
                context = FetchContext(self.store, "job1-1", meter, StopSignal())
                fetched = opened.fetch(item, decision, context)
                with self.db.write() as conn:
                    taken.outcomes[item.key] = opened.write(conn, item, fetched)
        return taken

    def _batch(self, key: str) -> int:
        with self.db.write() as conn:
            values = {
                "source": "nas",
                "batch_key": f"{key}#{next(self._numbers)}",
                "state": "preflighting",
                "fingerprint": "-",
                "found_at": now(),
                "updated_at": now(),
            }
            made = conn.execute(insert(ingest_batch).values(**values)).inserted_primary_key
            assert made is not None
            return int(made[0])

    def _record(self, ref: BatchRef, items: list[Item], decisions: Sequence[Decided]) -> None:
        planned = [
            PlannedItem(
                seq=next(self._numbers),
                key=item.key,
                kind=item.kind,
                decision=decided.decision,
                content_hash=item.content_hash,
            )
            for item, decided in zip(items, decisions, strict=True)
        ]
        with self.db.write() as conn:
            insert_items(conn, ref.id, ref.revision, planned)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the upstream publishes."""
    return tmp_path / "upstream"


@pytest.fixture
def publisher(root: Path) -> Publisher:
    """The upstream."""
    return Publisher(root)


@pytest.fixture
def make_source(root: Path) -> Callable[..., HandoverSource]:
    """Builds the source `nas` over the upstream's tree, with further options."""

    def make(**options: object) -> HandoverSource:
        source = build("nas", {"root": str(root), **options})
        assert isinstance(source, HandoverSource)
        return source

    return make


@pytest.fixture
def source(publisher: Publisher, make_source: Callable[..., HandoverSource]) -> HandoverSource:
    """The source that copies."""
    del publisher
    return make_source()


@pytest.fixture
def desk(sqlite_database: Database, source: HandoverSource) -> Desk:
    """Takes bundles in, copying into a store in memory."""
    return Desk(sqlite_database, source)
