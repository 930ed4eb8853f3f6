"""Progress on a terminal, and nothing at all in a pipe (G7).

The bar counts what is processed, skips included; the rate counts only bytes that really moved;
an estimate is shown once it is earned, and a standstill is said in words.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from lading.base.errors import printable
from lading.base.progress import Meter, Pace, Progress
from lading.base.units import format_bytes, format_duration

REFRESH_PER_S: Final = 4
BAR_WIDTH: Final = 40
CURRENT_LENGTH_MAX: Final = 60


def describe(progress: Progress, pace: Pace, share: float | None) -> str:
    """One line: how far, what counts, how fast, how long."""
    of_items = "" if progress.items_total is None else f"/{progress.items_total:,}"
    parts = [f"{progress.items_processed:,}{of_items} items"]
    if share is not None:
        parts.insert(0, f"{share:>4.0%}")
    if progress.items_skipped:
        parts.append(f"{progress.items_skipped:,} skipped")
    if progress.items_failed:
        parts.append(f"{progress.items_failed:,} failed")
    if progress.bytes_moved or progress.bytes_total:
        handled = progress.bytes_moved + progress.bytes_skipped
        of_bytes = f" of {format_bytes(progress.bytes_total)}" if progress.bytes_total else ""
        parts.append(f"{format_bytes(handled)}{of_bytes}")
    if pace.stalled_s is not None:
        parts.append(f"stalled {format_duration(pace.stalled_s)}")
    elif progress.bytes_moved:
        parts.append(f"{format_bytes(int(pace.rate_bytes_s))}/s")
    if pace.eta_s is not None:
        parts.append(f"about {format_duration(pace.eta_s)} left")
    return "  ".join(parts)


class ProgressView:
    """The latest `Progress` as a bar and a line; may be fed from several threads."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._lock = threading.Lock()
        self._meter = Meter(monotonic())
        self._progress = Progress()
        self._share: float | None = None

    def update(self, progress: Progress) -> None:
        """Take in where the work stands."""
        with self._lock:
            self._progress = progress

    def render(self) -> Group:
        """What is shown now. Called by the display a few times a second."""
        with self._lock:
            progress = self._progress
            pace = self._meter.update(monotonic(), progress)
            if progress.share is not None:
                # A bar that goes backwards is read as an error.
                self._share = max(progress.share, self._share or 0.0)
            share = self._share
        bar = ProgressBar(total=1.0, completed=share or 0.0, width=BAR_WIDTH, pulse=share is None)
        line = Text(f"{self._label}  {describe(progress, pace, share)}")
        current = Text(printable(progress.current, length_max=CURRENT_LENGTH_MAX))
        return Group(line, bar, current) if progress.current else Group(line, bar)


@contextmanager
def shown(label: str, *, quiet: bool = False) -> Iterator[Callable[[Progress], None] | None]:
    """A function to feed with `Progress`, or None when nobody is looking (a pipe, `--json`)."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    view = ProgressView(label)
    console = Console(file=sys.stderr, highlight=False, markup=False)
    with Live(
        get_renderable=view.render,
        console=console,
        refresh_per_second=REFRESH_PER_S,
        transient=True,
    ):
        yield view.update


@contextmanager
def counted(label: str, *, quiet: bool = False) -> Iterator[Callable[[int], None] | None]:
    """As `shown`, for work whose total is not known while it counts (a scan)."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    console = Console(file=sys.stderr, highlight=False, markup=False)
    with console.status(label) as status:
        yield lambda found: status.update(f"{label}: {found:,} found so far")
