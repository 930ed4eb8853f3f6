"""Whatever is published, each fault gets its reason, its neighbours are imported, and the worker
lives on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from lading.base.steps import Step, observe
from lading.db import Database
from lading.ledger.queries import list_items
from lading.ledger.states import BatchState, Outcome
from lading.library.tables import asset
from lading.testing.breakage_kinds import Breakage, Broken, Scope, Stage
from lading.testing.installation import ACTOR, Installation
from lading.testing.publisher import Publisher

Install = Callable[..., Installation]

NEEDS_A_HAND = {Breakage.FILE_SHRINKS}
"""What only breaks while it is being read; it has a test of its own."""

UNSEEN = {Breakage.FILE_UNREADABLE} if os.geteuid() == 0 else set()
"""What does not break for root."""


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "nas")


@pytest.fixture
def unobserved() -> Iterator[None]:
    yield
    observe(None)


def test_every_way_to_be_broken_gets_its_reason_and_hurts_nobody_else(
    database: Database, publisher: Publisher, install: Install
) -> None:
    kinds = [kind for kind in Breakage if kind not in NEEDS_A_HAND | UNSEEN]
    broken = [publisher.publish_broken(kind) for kind in kinds]
    good = publisher.bundle()
    survivor = good.photo("sound")
    sound = good.publish()
    here = install(database, publisher.root)
    ids = here.scan()
    listed = {here.batch(batch_id).batch_key: here.batch(batch_id) for batch_id in ids}
    # Nothing is dropped: what cannot be consumed is listed with its reason.
    assert {b.sync_id for b in broken if b.kind is not Breakage.NAME_UPPER_CASE} <= set(listed)
    results = here.ingest.queue(ids, actor=ACTOR)
    assert len(results) == len(ids)
    here.drain()
    assert here.batch(sound.sync_id).state is BatchState.IMPORTED
    with database.read() as conn:
        held = set(conn.scalars(select(asset.c.content_hash)))
        assert survivor in held
        found = {b.kind: _reason(here, b, held) for b in broken}
    assert found == {b.kind: b.kind.expected_reason for b in broken}


def _reason(here: Installation, broken: Broken, held: set[str]) -> str | None:
    """The reason Lading gives for what is broken, once the rest is as it has to be."""
    batch = here.batch(broken.sync_id)
    if broken.kind.scope is Scope.BATCH:
        assert batch.state is BatchState.PREFLIGHT_FAILED, broken.kind
        return batch.reason
    alone = not broken.neighbours
    expected = BatchState.PREFLIGHT_FAILED if alone else BatchState.PARTIAL
    assert batch.state is expected, broken.kind
    assert set(broken.neighbours) <= held, broken.kind
    with here.db.read() as conn:
        wrong, _ = list_items(conn, batch, outcomes=[Outcome.REJECTED, Outcome.FAILED])
    (item,) = wrong
    at_import = broken.kind.stage is Stage.IMPORT
    assert item.outcome == (Outcome.FAILED if at_import else Outcome.REJECTED), broken.kind
    assert bool(item.last_error) is at_import
    return item.reason


def test_a_file_that_shrinks_while_it_is_read_is_refused_and_its_neighbours_are_not(
    sqlite_database: Database, publisher: Publisher, install: Install, unobserved: None
) -> None:
    broken = publisher.publish_broken(Breakage.FILE_SHRINKS)
    assert broken.path is not None
    victim = publisher.root / broken.path
    here = install(sqlite_database, publisher.root, threads=1)
    here.ingest.queue(here.scan(), actor=ACTOR)

    def shrink(step: Step) -> None:
        if step is Step.FILE_OPENED and victim.stat().st_size > 1:
            os.truncate(victim, 1)

    observe(shrink)
    here.drain()
    with sqlite_database.read() as conn:
        held = set(conn.scalars(select(asset.c.content_hash)))
    assert set(broken.neighbours) <= held
    assert _reason(here, broken, held) in {"file_changed", "size_mismatch"}


def test_a_manifest_replaced_between_preflight_and_import_is_not_imported(
    database: Database, publisher: Publisher, install: Install
) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    published = bundle.publish(sentinel=b"")
    here = install(database, publisher.root)
    here.ingest.queue(here.scan(), actor=ACTOR)
    publisher.replace_manifest(published)
    here.drain()
    batch = here.batch(published.sync_id)
    assert (batch.state, batch.reason) == (BatchState.PREFLIGHT_STALE, "preflight_stale")
    with database.read() as conn:
        assert list(conn.scalars(select(asset.c.id))) == []
    here.ingest.queue([batch.id], actor=ACTOR)
    here.drain()
    assert here.batch(published.sync_id).state is BatchState.IMPORTED
