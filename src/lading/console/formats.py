"""Values as pages show them: sizes, numbers, instants in the viewer's zone, spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lading.base.units import format_bytes, format_duration

UNKNOWN: Final = "-"


def format_number(number: float | None) -> str:
    """`12,431`; what is unknown is a dash, which is not 0."""
    if number is None:
        return UNKNOWN
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def format_instant(at: datetime | None, zone: tzinfo = UTC) -> str:
    """`2026-06-29 18:30:04` in `zone`."""
    if at is None:
        return UNKNOWN
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def format_utc(at: datetime) -> str:
    """`2026-06-29T18:30:04Z`, as addresses, exports and tooltips have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_captured(at: datetime | None, offset_min: int | None) -> str:
    """A capture time on the wall clock of where it was taken, with its own offset if known."""
    if at is None:
        return UNKNOWN
    if offset_min is None:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} (zone unknown)"
    local = at.astimezone(UTC) + timedelta(minutes=offset_min)
    sign = "-" if offset_min < 0 else "+"
    hours, minutes = divmod(abs(offset_min), 60)
    return f"{local:%Y-%m-%d %H:%M:%S} {sign}{hours:02}:{minutes:02}"


def format_age(seconds: float | None) -> str:
    """`12 min ago`; a moment less than two seconds away is `just now`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 2:
        return "just now"
    return f"{format_duration(seconds)} ago"


def format_span(seconds: float | None) -> str:
    """`1 h 30 min`, or a dash."""
    return UNKNOWN if seconds is None else format_duration(seconds)


def format_clock(seconds: float | None) -> str:
    """The length of a film or recording: `4:05`, `1:02:03`."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_rate(bytes_s: float | None) -> str:
    """`214.0 MB/s`."""
    return UNKNOWN if bytes_s is None else f"{format_bytes(round(bytes_s))}/s"


def format_eta(seconds: float | None) -> str:
    """`about 12 min`, rounded to what can be known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 60:
        rounded = minutes if minutes < 10 else round(minutes / 5) * 5
        return f"about {rounded} min"
    return f"about {format_duration(round(seconds / 600) * 600)}"


def format_share(share: float | None) -> str:
    """`41 %`, rounded down: 100 % means all of it."""
    return UNKNOWN if share is None else f"{int(share * 100)} %"


def zone_of(name: str | None) -> tzinfo:
    """The zone of that name; UTC for `browser`, `UTC` and what is not known here."""
    if name in {None, "", "browser", "UTC"}:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
