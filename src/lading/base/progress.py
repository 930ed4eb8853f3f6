"""Honest progress (G7): what is done, how fast bytes really move, and when an estimate is earned.

Skipped bytes count as progress but never as speed. The meter is given its times, so that it can
be tested without waiting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

ETA_AFTER_S = 30.0
ETA_AFTER_SHARE = 0.01
STALLED_AFTER_S = 30.0
RATE_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a piece of work stands. Counts of items; sizes in bytes; totals None while unknown."""

    items_done: int = 0
    items_skipped: int = 0
    items_failed: int = 0
    items_total: int | None = None
    bytes_moved: int = 0
    bytes_skipped: int = 0
    bytes_total: int | None = None
    current: str = ""

    @property
    def items_processed(self) -> int:
        """Items that need nothing more: done, skipped and failed."""
        return self.items_done + self.items_skipped + self.items_failed

    @property
    def share(self) -> float | None:
        """Processed share between 0 and 1, by bytes where known, else by items."""
        if self.bytes_total:
            return min(1.0, (self.bytes_moved + self.bytes_skipped) / self.bytes_total)
        if self.items_total:
            return min(1.0, self.items_processed / self.items_total)
        return None


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed as shown: bytes a second, seconds left once that is earned, seconds stalled."""

    rate_bytes_s: float
    eta_s: float | None
    stalled_s: float | None


class Meter:
    """Turns a series of `Progress` values with their times into a `Pace`."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._moved_s = started_s
        self._last = Progress()
        self._samples: deque[tuple[float, int]] = deque([(started_s, 0)])

    def update(self, now_s: float, progress: Progress) -> Pace:
        """Take in where the work stands at `now_s` (any monotonic clock) and return its pace."""
        if (progress.bytes_moved, progress.items_processed, progress.bytes_skipped) != (
            self._last.bytes_moved,
            self._last.items_processed,
            self._last.bytes_skipped,
        ):
            self._moved_s = now_s
        self._last = progress
        self._samples.append((now_s, progress.bytes_moved))
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - RATE_WINDOW_S:
            self._samples.popleft()
        first_s, first_bytes = self._samples[0]
        elapsed_s = now_s - first_s
        rate = (progress.bytes_moved - first_bytes) / elapsed_s if elapsed_s > 0 else 0.0
        idle_s = now_s - self._moved_s
        stalled_s = idle_s if idle_s >= STALLED_AFTER_S else None
        return Pace(rate, None if stalled_s else self._eta(now_s, rate, progress), stalled_s)

    def _eta(self, now_s: float, rate: float, progress: Progress) -> float | None:
        share = progress.share
        earned = now_s - self._started_s >= ETA_AFTER_S and (share or 0) >= ETA_AFTER_SHARE
        if not earned or rate <= 0 or progress.bytes_total is None:
            return None
        left = progress.bytes_total - progress.bytes_moved - progress.bytes_skipped
        return max(0, left) / rate
