"""Progress is honest: skips are no speed, estimates are earned, standstills are said (G7)."""

from __future__ import annotations

import pytest

from lading.base.progress import (
    ETA_AFTER_S,
    RATE_WINDOW_S,
    STALLED_AFTER_S,
    Meter,
    Pace,
    Progress,
)
from lading.cli.progress import describe

MIB = 1024 * 1024


def paced(*samples: tuple[float, Progress]) -> Pace:
    """The pace after a series of progress at times since the start."""
    meter = Meter(0.0)
    pace = Pace(0.0, None, None)
    for now_s, progress in samples:
        pace = meter.update(now_s, progress)
    return pace


def test_skipped_bytes_are_progress_and_never_speed() -> None:
    progress = Progress(bytes_moved=10 * MIB, bytes_skipped=80 * MIB, bytes_total=100 * MIB)
    pace = paced((ETA_AFTER_S, progress))
    assert progress.share == pytest.approx(0.9)
    assert pace.rate_bytes_s == pytest.approx(10 * MIB / ETA_AFTER_S)
    assert pace.eta_s == pytest.approx(ETA_AFTER_S)  # 10 MiB are left, at the same speed


def test_no_estimate_before_there_is_something_to_estimate_from() -> None:
    some = Progress(bytes_moved=5 * MIB, bytes_total=100 * MIB)
    little = Progress(bytes_moved=MIB // 2, bytes_total=100 * MIB)
    skipped = Progress(bytes_skipped=5 * MIB, bytes_total=100 * MIB)
    assert paced((ETA_AFTER_S - 1, some)).eta_s is None
    assert paced((ETA_AFTER_S, little)).eta_s is None
    assert paced((ETA_AFTER_S, skipped)).eta_s is None
    assert paced((ETA_AFTER_S, Progress(bytes_moved=5 * MIB))).eta_s is None
    assert paced((ETA_AFTER_S, some)).eta_s is not None


def test_a_standstill_is_said_and_takes_the_estimate_away() -> None:
    some = Progress(bytes_moved=5 * MIB, bytes_total=100 * MIB)
    more = Progress(bytes_moved=5 * MIB, items_failed=1, bytes_total=100 * MIB)
    still = ETA_AFTER_S + STALLED_AFTER_S
    assert paced((ETA_AFTER_S, some), (still - 1, some)).stalled_s is None
    halted = paced((ETA_AFTER_S, some), (still, some))
    assert (halted.stalled_s, halted.eta_s) == (STALLED_AFTER_S, None)
    assert paced((ETA_AFTER_S, some), (still, some), (still + 1, more)).stalled_s is None


def test_the_speed_is_that_of_the_last_minute() -> None:
    fast = Progress(bytes_moved=600 * MIB, bytes_total=1000 * MIB)
    slow = Progress(bytes_moved=660 * MIB, bytes_total=1000 * MIB)
    pace = paced((60.0, fast), (60.0 + RATE_WINDOW_S, slow))
    assert pace.rate_bytes_s == pytest.approx(MIB)


def test_a_line_tells_items_bytes_speed_and_time_left() -> None:
    progress = Progress(
        items_done=3,
        items_skipped=2,
        items_failed=1,
        items_total=10,
        bytes_moved=MIB,
        bytes_skipped=MIB,
        bytes_total=4 * MIB,
    )
    line = describe(progress, Pace(MIB / 2, 4.0, None), progress.share)
    assert "50%" in line
    for part in ("6/10 items", "2 skipped", "1 failed", "/s", "left"):
        assert part in line
    halted = describe(progress, Pace(0.0, None, 45.0), progress.share)
    assert "stalled 45 s" in halted
    assert "/s" not in halted
