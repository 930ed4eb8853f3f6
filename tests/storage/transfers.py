"""What the tests of transfer share: a file, its promise, a meter that remembers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from lading.base.stopping import StopSignal
from lading.storage.folder import FolderStore
from lading.storage.port import ObjectStore
from lading.storage.roots import SafeRoot
from lading.storage.transfer import Stored, copy_in
from lading.testing.store_suite import large_bytes

DATA = large_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()


class Counts:
    """A meter that remembers, and calls back after so many bytes."""

    def __init__(self, at_bytes: int = 0, then: Callable[[], object] | None = None) -> None:
        self.moved_bytes = 0
        self.skipped_bytes = 0
        self._at_bytes = at_bytes
        self._then = then

    def moved(self, count: int) -> None:
        self.moved_bytes += count
        if self._then is not None and self.moved_bytes >= self._at_bytes:
            then, self._then = self._then, None
            then()

    def skipped(self, count: int) -> None:
        self.skipped_bytes += count


def bring(
    root: SafeRoot,
    store: ObjectStore,
    *,
    relative: str = "in/large",
    size_bytes: int = len(DATA),
    sha256: str = SHA256,
    meter: Counts | None = None,
    stop: StopSignal | None = None,
) -> Stored:
    return copy_in(
        root,
        relative,
        store,
        size_bytes=size_bytes,
        sha256=sha256,
        media_type="application/x-test",
        owner="job-7-lease-1",
        meter=meter or Counts(),
        stop=stop or StopSignal(),
    )


def assert_empty(store: FolderStore) -> None:
    """Nothing under a key, and nothing unfinished either."""
    assert list(store.list()) == []
    assert os.listdir(store.root / ".incoming") == []
