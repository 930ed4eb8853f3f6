"""A transfer meets stores that break off, truncate, stall, fill up, go away and lie."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.storage.folder import FolderStore
from lading.storage.placement import content_key
from lading.storage.port import StoreFull, StoreMismatch, StoreUnavailable
from lading.storage.roots import SafeRoot
from lading.storage.transfer import (
    hash_stored,
)
from lading.testing.faulty_store import FaultyStore
from tests.storage.transfers import DATA, SHA256, assert_empty, bring


@pytest.fixture
def faulty(folder: FolderStore) -> FaultyStore:
    return FaultyStore(folder)


def test_a_store_that_dies_after_some_bytes_holds_nothing_and_then_everything(
    root: SafeRoot, faulty: FaultyStore, folder: FolderStore
) -> None:
    for size_bytes in (0, 1, 5_000_000, len(DATA)):
        faulty.dies_after(size_bytes)
        with pytest.raises(StoreUnavailable):
            bring(root, faulty)
        assert_empty(folder)
    faulty.heals()
    assert bring(root, faulty).moved


def test_a_store_that_truncates_is_found_out_and_cleared(
    root: SafeRoot, faulty: FaultyStore, folder: FolderStore
) -> None:
    faulty.truncates(len(DATA) - 1)
    with pytest.raises(StoreMismatch) as raised:
        bring(root, faulty)
    assert raised.value.code == "store_mismatch"
    assert_empty(folder)


def test_a_full_store_holds_nothing_and_then_everything(
    root: SafeRoot, faulty: FaultyStore, folder: FolderStore
) -> None:
    faulty.is_full(after_bytes=1_000_000)
    with pytest.raises(StoreFull):
        bring(root, faulty)
    assert_empty(folder)
    faulty.heals()
    assert bring(root, faulty).moved


def test_a_store_that_is_away_for_a_while_is_reached_later(
    root: SafeRoot, faulty: FaultyStore
) -> None:
    faulty.is_unavailable(calls=2)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            bring(root, faulty)
    assert bring(root, faulty).moved


def test_a_store_that_lies_about_the_size_is_not_believed(
    root: SafeRoot, faulty: FaultyStore, folder: FolderStore
) -> None:
    faulty.lies_in_head(content_key(SHA256), 5)
    with pytest.raises(StoreMismatch):
        bring(root, faulty)
    assert_empty(folder)


def test_a_store_that_denies_what_it_holds_gets_it_again(
    root: SafeRoot, faulty: FaultyStore
) -> None:
    bring(root, faulty)
    faulty.lies_in_head(content_key(SHA256), None)
    assert bring(root, faulty).moved
    assert hash_stored(faulty, content_key(SHA256)) == (SHA256, len(DATA))


def test_what_a_lying_store_really_holds_shows_when_it_is_read(
    root: SafeRoot, faulty: FaultyStore
) -> None:
    faulty.put(content_key(SHA256), iter([b"rotten"]))
    faulty.lies_in_head(content_key(SHA256), len(DATA))
    assert not bring(root, faulty).moved
    assert hash_stored(faulty, content_key(SHA256)) == (hashlib.sha256(b"rotten").hexdigest(), 6)


def test_a_store_that_stalls_is_waited_for_and_a_stop_then_honoured(
    root: SafeRoot, faulty: FaultyStore, folder: FolderStore
) -> None:
    stop = StopSignal()
    faulty.stalls(6_000_000)
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(bring, root, faulty, stop=stop)
        assert faulty.stalled.wait(60)
        assert not going.done()
        stop.request(StopReason.SHUTDOWN)
        faulty.releases()
        assert isinstance(going.exception(60), Interrupted)
    assert_empty(folder)
