"""A store with one fault at a time, each with a name, around any real store.

    faulty = FaultyStore(FolderStore(folder))
    faulty.dies_after(1_000_000)     # the next puts break off there

Faults stay until `heals`. What the wrapped store then holds is what a faulty disk or service
would have left behind.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from lading.storage.port import ObjectInfo, ObjectStore, StoreFull, StoreUnavailable


class FaultyStore:
    """Behaves as `store` does until it is told otherwise. Safe to share between threads."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.name = store.name
        self.abilities = store.abilities
        self.stalled = threading.Event()  # set when a put has come to a stall
        self._released = threading.Event()
        self._lock = threading.Lock()
        self.heals()

    def heals(self) -> None:
        """No fault any more; a stalled put goes on."""
        self._dies_after: int | None = None
        self._truncates_at: int | None = None
        self._stalls_after: int | None = None
        self._full_after: int | None = None
        self._unavailable_calls = 0
        self._lied_size: int | None = None
        self._lies_about: str | None = None
        self._released.set()

    def dies_after(self, size_bytes: int) -> None:
        """Every put breaks off after this many bytes (a lost connection, a failing disk)."""
        self._dies_after = size_bytes

    def truncates(self, size_bytes: int) -> None:
        """Every put keeps only this many bytes, says how many it kept, and reports no error."""
        self._truncates_at = size_bytes

    def stalls(self, size_bytes: int = 0) -> None:
        """Every put stops after this many bytes until `releases`; `stalled` is set when it does."""
        self.stalled.clear()
        self._released.clear()
        self._stalls_after = size_bytes

    def releases(self) -> None:
        """A stalled put goes on, and later ones do not stall."""
        self._stalls_after = None
        self._released.set()

    def is_full(self, after_bytes: int = 0) -> None:
        """Every put finds no more room after this many bytes."""
        self._full_after = after_bytes

    def is_unavailable(self, calls: int) -> None:
        """The next `calls` calls of any method do not reach the store."""
        self._unavailable_calls = calls

    def lies_in_head(self, key: str, size_bytes: int | None) -> None:
        """`head` and the answer of `put` give this size for `key`; with None, it is not there."""
        self._lies_about, self._lied_size = key, size_bytes

    def put(
        self,
        key: str,
        chunks: Iterator[bytes],
        *,
        sha256: str | None = None,
        media_type: str | None = None,
        owner: str = "",
        if_absent: bool = False,
    ) -> ObjectInfo:
        """As the wrapped store, with the faults that concern bytes."""
        self._reach()
        body = self._faulty(chunks)
        if self._truncates_at is not None:
            body = _drained(body, self._truncates_at)
            sha256 = None  # a store that checked it would not truncate silently
        info = self.store.put(
            key, body, sha256=sha256, media_type=media_type, owner=owner, if_absent=if_absent
        )
        if key == self._lies_about and self._lied_size is not None:
            return replace(info, size_bytes=self._lied_size)
        return info

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """As the wrapped store."""
        self._reach()
        return self.store.get(key, offset=offset, length=length)

    def head(self, key: str) -> ObjectInfo | None:
        """As the wrapped store, unless it lies about `key`."""
        self._reach()
        info = self.store.head(key)
        if key != self._lies_about:
            return info
        if self._lied_size is None or info is None:
            return None
        return replace(info, size_bytes=self._lied_size)

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """As the wrapped store."""
        self._reach()
        return self.store.list(prefix, after=after)

    def delete(self, key: str) -> None:
        """As the wrapped store."""
        self._reach()
        self.store.delete(key)

    def clean(self, owner: str) -> int:
        """As the wrapped store."""
        self._reach()
        return self.store.clean(owner)

    def _reach(self) -> None:
        with self._lock:
            if self._unavailable_calls <= 0:
                return
            self._unavailable_calls -= 1
        raise StoreUnavailable(f"The store {self.name} does not answer (planted)")

    def _faulty(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, cut at the byte where a fault is due, so that it strikes exactly there."""
        seen = 0
        for chunk in chunks:
            rest = chunk
            while rest:
                due = self._due(seen)
                piece = rest if due is None else rest[: due - seen]
                if piece:
                    yield piece
                    seen += len(piece)
                    rest = rest[len(piece) :]
                if due is not None and seen >= due:
                    self._strike(seen)
        self._strike(seen)

    def _due(self, seen: int) -> int | None:
        limits = (self._dies_after, self._full_after, self._stalls_after)
        return min((n for n in limits if n is not None and n >= seen), default=None)

    def _strike(self, seen: int) -> None:
        if self._stalls_after is not None and seen >= self._stalls_after:
            self.stalled.set()
            self._released.wait()
            self._stalls_after = None
        if self._dies_after is not None and seen >= self._dies_after:
            raise StoreUnavailable(f"The store {self.name} broke off after {seen} bytes (planted)")
        if self._full_after is not None and seen >= self._full_after:
            raise StoreFull(f"The store {self.name} is full after {seen} bytes (planted)")


def _drained(chunks: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    """The first bytes of `chunks`; the others are taken and lost."""
    left = size_bytes
    for chunk in chunks:
        piece = chunk[:left]
        left -= len(piece)
        if piece:
            yield piece
