"""Counts items and bytes of a running import, and drives the job's heartbeat as they move (A9)."""

from __future__ import annotations

import threading

from lading.base.progress import Progress
from lading.base.stopping import StopReason, StopSignal
from lading.jobs.context import JobContext


class ImportMeter:
    """Shared by the threads of one import.

    `abort` ends fetches in mid-file: at once on a shutdown or a lost lease; a stop asked for by an
    operator lets the item in hand be finished (A22).
    """

    def __init__(self, context: JobContext, *, items_total: int, bytes_total: int) -> None:
        self.abort = StopSignal()
        self._context = context
        self._lock = threading.Lock()
        self._items_total = items_total
        self._bytes_total = bytes_total
        self._done = self._skipped = self._failed = 0
        self._bytes_moved = self._bytes_skipped = 0
        self._current = ""

    def progress(self) -> Progress:
        """Where the import stands."""
        with self._lock:
            return Progress(
                items_done=self._done,
                items_skipped=self._skipped,
                items_failed=self._failed,
                items_total=self._items_total,
                bytes_moved=self._bytes_moved,
                bytes_skipped=self._bytes_skipped,
                bytes_total=self._bytes_total,
                current=self._current,
            )

    def item(self, key: str, size_bytes: int) -> ItemMeter:
        """The meter of one item about to be fetched."""
        with self._lock:
            self._current = key
        return ItemMeter(self, size_bytes)

    def settled(self, size_bytes: int) -> None:
        """Take note of an item that needed nothing in this attempt."""
        with self._lock:
            self._skipped += 1
            self._bytes_skipped += size_bytes
        self._context.report(self.progress())

    def failed(self, size_bytes: int) -> None:
        """Take note of an item that could not be imported; its bytes are not waited for."""
        with self._lock:
            self._failed += 1
            self._bytes_total -= size_bytes
        self._context.report(self.progress())

    def finished(self, bytes_left: int) -> None:
        """Take note of an item that was imported, of which `bytes_left` needed no transfer."""
        with self._lock:
            self._done += 1
            self._bytes_skipped += bytes_left
        self._context.report(self.progress())

    def add(self, *, moved: int, skipped: int) -> None:
        """Add bytes as they move; beats the job's heart and passes a hard stop on."""
        with self._lock:
            self._bytes_moved += moved
            self._bytes_skipped += skipped
        self._context.report(self.progress())
        reason = self._context.stop.reason
        if reason in {StopReason.SHUTDOWN, StopReason.LEASE_LOST}:
            self.abort.request(reason)


class ItemMeter:
    """The meter a source reports one item's bytes to."""

    def __init__(self, whole: ImportMeter, size_bytes: int) -> None:
        self._whole = whole
        self._left = size_bytes

    def moved(self, count: int) -> None:
        """`count` bytes were read from the source."""
        self._left -= count
        self._whole.add(moved=count, skipped=0)

    def skipped(self, count: int) -> None:
        """`count` bytes needed no transfer."""
        self._left -= count
        self._whole.add(moved=0, skipped=count)

    def finish(self) -> None:
        """The item is in; whatever was not moved (dropped derivatives) counts as skipped."""
        self._whole.finished(max(0, self._left))
