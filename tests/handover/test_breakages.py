"""Whatever is wrong with a bundle is named by its reason, and what stands beside it goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.base.errors import StoreError
from lading.db import Database
from lading.ingest.source import BatchRef, BatchRefused
from lading.ledger.queries import ItemView, list_items
from lading.ledger.states import BatchState, Outcome
from lading.sources.handover import HandoverSource
from lading.sources.handover.reasons import REASONS
from lading.storage.memory import MemoryStore
from lading.testing.installation import ACTOR, Installation
from lading.testing.publisher import Breakage, Publisher, Scope, Stage

OF_BATCHES = [kind for kind in Breakage if kind.scope is Scope.BATCH]
# Permissions do not hold root back; `test_upstream` shows an unreadable file as another user.
NO_BREAKAGE = {Breakage.FILE_UNREADABLE} if os.geteuid() == 0 else set()
OF_ITEMS = [kind for kind in Breakage if kind.scope is Scope.ITEM and kind not in NO_BREAKAGE]


@pytest.fixture
def installation(sqlite_database: Database, source: HandoverSource) -> Installation:
    return Installation(sqlite_database, MemoryStore(), [source])


def recorded(installation: Installation, batch_id: int) -> dict[int, ItemView]:
    batch = installation.batch(batch_id)
    with installation.db.read() as conn:
        items, _ = list_items(conn, batch)
    return {item.seq: item for item in items}


def test_every_reason_has_a_breakage_that_shows_it() -> None:
    assert {kind.expected_reason for kind in Breakage} == set(REASONS)


@pytest.mark.parametrize("kind", OF_BATCHES)
def test_a_broken_bundle_is_listed_with_its_reason_and_never_opened(
    kind: Breakage, publisher: Publisher, source: HandoverSource
) -> None:
    sound = publisher.bundle()
    sound.photo("sound")
    sound_key = sound.publish().sync_id
    broken = publisher.publish_broken(kind)
    found = {bundle.key: bundle for bundle in source.discover({})}
    assert set(found) == {sound_key, broken.sync_id}
    assert found[sound_key].reason is None
    reason = found[broken.sync_id].reason
    assert reason is not None
    assert reason.code == kind.expected_reason
    with (
        pytest.raises(BatchRefused) as refused,
        source.open_batch(BatchRef(1, broken.sync_id, 1)),
    ):
        pass
    assert refused.value.reason == reason


@pytest.mark.parametrize("kind", OF_ITEMS)
def test_a_broken_item_is_named_by_its_reason_and_its_neighbours_are_imported(
    kind: Breakage, publisher: Publisher, installation: Installation
) -> None:
    broken = publisher.publish_broken(kind)
    [batch_id] = installation.scan()
    report = installation.ingest.preflight(batch_id, actor=ACTOR)
    at_preflight = [item for item in recorded(installation, batch_id).values() if item.reason]
    if kind.stage is Stage.IMPORT:
        assert at_preflight == []
    else:
        assert [(item.key, item.reason) for item in at_preflight] == [
            (broken.item_key, kind.expected_reason)
        ]
    if not broken.neighbours:
        assert report.state is BatchState.PREFLIGHT_FAILED
        return
    installation.ingest.queue([batch_id], actor=ACTOR)
    if kind is Breakage.FILE_SHRINKS:
        assert broken.path is not None
        with publisher.shrinking(broken.path):
            installation.drain()
    else:
        installation.drain()
    items = recorded(installation, batch_id).values()
    bad = [(item.key, item.reason) for item in items if item.reason]
    good = {item.content_hash for item in items if item.outcome == Outcome.CREATED}
    assert bad == [(broken.item_key, kind.expected_reason)]
    assert good == set(broken.neighbours)
    assert installation.batch(batch_id).state is BatchState.PARTIAL


@pytest.mark.parametrize("kind", [Breakage.FILE_OTHER_BYTES, Breakage.DOCUMENT_OTHER_BYTES])
def test_other_bytes_are_found_in_preflight_when_asked(
    kind: Breakage, publisher: Publisher, installation: Installation
) -> None:
    broken = publisher.publish_broken(kind)
    [batch_id] = installation.scan()
    installation.ingest.preflight(batch_id, actor=ACTOR, check_bytes=True)
    items = recorded(installation, batch_id).values()
    assert [(i.key, i.reason) for i in items if i.reason] == [(broken.item_key, "hash_mismatch")]


@pytest.mark.parametrize("keep", ["copy", "in_place"])
def test_other_bytes_reach_neither_store_nor_library(
    keep: str,
    publisher: Publisher,
    sqlite_database: Database,
    make_source: Callable[..., HandoverSource],
) -> None:
    store = MemoryStore()
    installation = Installation(sqlite_database, store, [make_source(keep=keep)])
    broken = publisher.publish_broken(Breakage.FILE_OTHER_BYTES)
    [batch_id] = installation.take_in()
    failed = next(i for i in recorded(installation, batch_id).values() if i.reason)
    assert (failed.key, failed.outcome, failed.reason) == (
        broken.item_key,
        Outcome.FAILED,
        "hash_mismatch",
    )
    assert broken.path is not None
    assert broken.path in (failed.last_error or "")
    held = {info.key.rpartition("/")[2] for info in store.list()}
    assert failed.content_hash not in held


def test_a_manifest_replaced_after_preflight_is_not_imported(
    publisher: Publisher, installation: Installation
) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    published = bundle.publish()
    [batch_id] = installation.scan()
    installation.ingest.preflight(batch_id, actor=ACTOR)
    installation.ingest.queue([batch_id], actor=ACTOR)
    publisher.replace_manifest(published)
    installation.drain()
    assert installation.batch(batch_id).state is BatchState.PREFLIGHT_STALE
    assert {i.outcome for i in recorded(installation, batch_id).values()} == {Outcome.PENDING}


def test_a_full_temporary_folder_is_the_stores_fault_not_the_bundles(
    publisher: Publisher, source: HandoverSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    published = bundle.publish()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(StoreError), source.open_batch(BatchRef(1, published.sync_id, 1)):
        pass
