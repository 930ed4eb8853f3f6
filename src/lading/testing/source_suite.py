"""The conformance suite for sources: whatever arrives, these sentences have to be true of it.

A source's tests subclass `SourceSuite` and provide the fixture `bench`, which publishes batches
the way that source's upstream does.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from lading.ingest.rules import GuardLimits
from lading.ingest.source import BatchRef, Discovered, Source, SourceMissing
from lading.ledger.items import count_outcomes
from lading.ledger.states import BatchState, Outcome
from lading.ledger.verify import verify_chain
from lading.testing.installation import ACTOR, Installation
from lading.testing.snapshots import library_snapshot, store_snapshot


class SourceBench(ABC):
    """An upstream that tests can move. `root` is the tree it publishes into.

    `closing_items` are those that a batch has beside the published ones and that need all of them,
    such as a registration. What is kept `elsewhere` is no business of the library. Unchanged items
    are only counted where it is not `records_unchanged`.
    """

    root: Path
    source: Source
    closing_items: int = 0
    elsewhere: bool = False
    records_unchanged: bool = True

    @abstractmethod
    def publish(self, items: int) -> str:
        """Publish a batch of `items` good assets; its key."""

    @abstractmethod
    def change(self, key: str) -> None:
        """Publish another version of a batch under the same key, also after it was withdrawn."""

    @abstractmethod
    def withdraw(self, key: str) -> None:
        """Take a batch away."""

    @abstractmethod
    def break_one_item(self, key: str) -> None:
        """Spoil one item's bytes so that preflight by size does not see it but import does."""


@contextmanager
def counted_statements(engine: Engine) -> Iterator[list[str]]:
    """The SQL statements sent within the block."""
    statements: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def tree_snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path below `root` with its kind, size, times and content."""
    picture: dict[str, tuple[object, ...]] = {}
    for folder, _, names in os.walk(root):
        for path in [Path(folder), *(Path(folder, name) for name in names)]:
            status = path.lstat()
            body = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            picture[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, body)
    return picture


class SourceSuite:
    """What every source SHALL do. Fixtures: `bench` (yours), `installation` (of `bench.source`)."""

    def _discovered(self, bench: SourceBench, known: dict[str, str]) -> dict[str, Discovered]:
        return {batch.key: batch for batch in bench.source.discover(known)}

    def _opened_items(self, bench: SourceBench, key: str) -> list[tuple[str, str | None, int]]:
        with bench.source.open_batch(BatchRef(1, key, 1)) as opened:
            first = [(i.key, i.content_hash, i.bytes) for i in opened.items()]
            assert first == [(i.key, i.content_hash, i.bytes) for i in opened.items()]
            return first

    def kept(self, bench: SourceBench, installation: Installation) -> object:  # noqa: ARG002
        """What was brought in, to be compared; whoever keeps it elsewhere adds that."""
        return store_snapshot(installation.store)

    def test_discover_finds_every_published_batch_with_its_totals(self, bench: SourceBench) -> None:
        keys = {bench.publish(1): 1, bench.publish(3): 3}
        found = self._discovered(bench, {})
        closing = bench.closing_items
        assert {key: batch.items - closing for key, batch in found.items()} == keys
        assert all(b.manifest_sha256 and b.bytes > 0 and b.reason is None for b in found.values())
        assert all(len(batch.fingerprint) <= 190 for batch in found.values())

    def test_a_batch_keeps_its_fingerprint_until_it_changes(self, bench: SourceBench) -> None:
        key, other = bench.publish(2), bench.publish(1)
        prints = {k: b.fingerprint for k, b in self._discovered(bench, {}).items()}
        again = self._discovered(bench, prints)
        assert {k: b.fingerprint for k, b in again.items()} == prints
        bench.change(key)
        changed = self._discovered(bench, prints)
        assert changed[key].fingerprint != prints[key]
        assert changed[key].manifest_sha256 not in {None, again[key].manifest_sha256}
        assert changed[other].fingerprint == prints[other]

    def test_items_come_in_the_same_order_each_time(self, bench: SourceBench) -> None:
        items = self._opened_items(bench, bench.publish(5))
        assert len(items) == 5 + bench.closing_items
        assert len({key for key, _, _ in items}) == len(items)

    def test_an_open_batch_does_not_change_when_its_upstream_does(self, bench: SourceBench) -> None:
        key = bench.publish(3)
        with bench.source.open_batch(BatchRef(1, key, 1)) as opened:
            before = [item.key for item in opened.items()]
            digest = opened.manifest_sha256
            bench.change(key)
            assert [item.key for item in opened.items()] == before
        with bench.source.open_batch(BatchRef(1, key, 1)) as opened:
            assert opened.manifest_sha256 != digest

    def test_deciding_takes_as_many_statements_for_many_items_as_for_few(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        counts = []
        for size in (2, 40):
            with bench.source.open_batch(BatchRef(1, bench.publish(size), 1)) as opened:
                items = list(opened.items())[:size]
                with installation.db.read() as conn, _engine_counter(conn) as statements:
                    decided = opened.decide(conn, items)
                assert len(decided) == size
                counts.append(len(statements))
        assert counts[0] == counts[1]
        assert (counts[0] == 0) is bench.elsewhere

    def test_a_scan_of_known_batches_takes_a_constant_number_of_statements(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        counts = []
        for more in (1, 20):
            for _ in range(more):
                bench.publish(1)
            installation.scan()
            with counted_statements(installation.db.engine) as statements:
                assert installation.scan() == []
            counts.append(len(statements))
        assert counts[0] == counts[1]

    def test_a_batch_is_imported_and_found_whole(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        key = bench.publish(4)
        (batch_id,) = installation.take_in()
        assert installation.batch(key).state is BatchState.IMPORTED
        report = installation.ingest.verify(batch_id, actor=ACTOR)
        assert report.files >= 4
        assert report.problems == []
        with installation.db.read() as conn:
            outcomes = count_outcomes(conn, batch_id, installation.batch(key).revision)
            assert verify_chain(conn).whole
        assert outcomes[Outcome.CREATED] == sum(outcomes.values()) == 4 + bench.closing_items

    def test_importing_twice_writes_no_library_row_and_no_file(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        key = bench.publish(3)
        (batch_id,) = installation.take_in()
        with installation.db.read() as conn:
            rows = library_snapshot(conn, with_times=True)
        files = self.kept(bench, installation)
        installation.ingest.queue([batch_id], actor=ACTOR)
        installation.drain()
        batch = installation.batch(key)
        assert batch.state is BatchState.IMPORTED
        with installation.db.read() as conn:
            assert library_snapshot(conn, with_times=True) == rows
            outcomes = count_outcomes(conn, batch_id, batch.revision)
        assert self.kept(bench, installation) == files
        unchanged = 3 + bench.closing_items if bench.records_unchanged else 0
        assert outcomes[Outcome.UNCHANGED] == sum(outcomes.values()) == unchanged

    def test_one_bad_item_does_not_stop_the_others(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        key = bench.publish(5)
        ids = installation.scan()
        bench.break_one_item(key)
        installation.ingest.queue(ids, actor=ACTOR)
        installation.drain()
        batch = installation.batch(key)
        assert batch.state is BatchState.PARTIAL
        with installation.db.read() as conn:
            outcomes = count_outcomes(conn, batch.id, batch.revision)
        assert outcomes[Outcome.FAILED] == 1 + bench.closing_items
        assert outcomes[Outcome.CREATED] == 4

    def test_a_changed_manifest_is_not_imported_under_old_decisions(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        key = bench.publish(2)
        installation.ingest.queue(installation.scan(), actor=ACTOR)
        bench.change(key)
        with installation.db.read() as conn:
            before = library_snapshot(conn)
        installation.drain()
        assert installation.batch(key).state is BatchState.PREFLIGHT_STALE
        with installation.db.read() as conn:
            assert library_snapshot(conn) == before

    def test_a_changed_batch_is_recorded_again_and_can_be_imported(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        key = bench.publish(2)
        installation.take_in()
        bench.change(key)
        (batch_id,) = installation.scan()
        assert installation.batch(key).state is BatchState.PENDING
        installation.ingest.queue([batch_id], actor=ACTOR)
        installation.drain()
        assert installation.batch(key).state is BatchState.IMPORTED

    def test_a_withdrawn_batch_is_superseded_and_returns_when_it_is_back(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        gone = bench.publish(1)
        bench.publish(1)
        installation.scan()
        bench.withdraw(gone)
        installation.scan()
        assert installation.batch(gone).state is BatchState.SUPERSEDED
        bench.change(gone)
        assert installation.scan() == [installation.batch(gone).id]
        assert installation.batch(gone).state is BatchState.PENDING

    def test_a_scan_that_would_lose_too_much_changes_nothing(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        keys = [bench.publish(1) for _ in range(4)]
        installation.scan()
        strict = Installation(
            installation.db,
            installation.store,
            [bench.source],
            limits=GuardLimits(vanish_share_max=0.0, vanish_items_max=1),
        )
        for key in keys[:3]:
            bench.withdraw(key)
        with pytest.raises(Exception, match="vanished"):
            strict.scan()
        assert all(installation.batch(key).state is BatchState.PENDING for key in keys)
        strict.ingest.scan(bench.source.name, actor=ACTOR, accept_root=True)
        assert installation.batch(keys[0]).state is BatchState.SUPERSEDED

    def test_a_source_whose_root_is_gone_says_so_and_nothing_changes(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        key = bench.publish(1)
        installation.scan()
        hidden = bench.root.with_name(bench.root.name + "-unmounted")
        bench.root.rename(hidden)
        with pytest.raises(SourceMissing):
            installation.scan()
        assert installation.batch(key).state is BatchState.PENDING
        hidden.rename(bench.root)
        assert installation.scan() == []

    def test_nothing_is_written_at_the_upstream(
        self, bench: SourceBench, installation: Installation
    ) -> None:
        bench.publish(3)
        before = tree_snapshot(bench.root)
        installation.take_in()
        assert tree_snapshot(bench.root) == before


@contextmanager
def _engine_counter(conn: Connection) -> Iterator[list[str]]:
    with counted_statements(conn.engine) as statements:
        yield statements
