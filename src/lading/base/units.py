"""Sizes, durations and counts as people read them."""

from __future__ import annotations


def format_bytes(size_bytes: int | None) -> str:
    """Decimal units, one decimal: 1.5 GB; an unknown size is "-", which is not 0 B."""
    if size_bytes is None:
        return "-"
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} PB"


def format_duration(seconds: float) -> str:
    """Rounded to what matters: 12 s, 4 min, 1 h 30 min, 3 d 4 h."""
    total = int(seconds + 0.5)
    if total < 60:
        return f"{total} s"
    minutes, _ = divmod(total, 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """`1 item`, `2 items`, `12,431 items`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
