"""What one document says of one file, whichever tool wrote it, and how its fields are read.

A field is taken if it is what it should be, in whatever clothes: a number, a number as text, text
with a unit, the first of a list. Anything else counts as not said; nothing here raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

TEXT_CHARS_MAX: Final = 200
NAME_CHARS_MAX: Final = 1_000
SIDE_MAX: Final = 100_000
CHANNELS_MAX: Final = 1_000
RATE_HZ_MAX: Final = 100_000_000
SIZE_BYTES_MAX: Final = 2**63 - 1
DURATION_S_MAX: Final = 1e9

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SPACE = r"[ \u00a0\u2009\u202f]"  # between groups of three digits: 1 920 pixels
_NUMBER = (
    rf"(?P<number>[0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+(?![0-9])|[0-9]{{1,20}}(?:\.[0-9]{{1,20}})?)"
)
_WITH_UNIT = re.compile(rf"{_NUMBER}{_SPACE}*(?P<unit>[A-Za-z]*)(?:\(s\))?(?: / .*)?", re.ASCII)
_UNIT_FACTORS: Final = {
    "": 1, "pixel": 1, "pixels": 1, "pix": 1, "px": 1, "channel": 1, "channels": 1, "byte": 1,
    "bytes": 1, "hz": 1, "khz": 1_000, "mhz": 1_000_000,
}  # fmt: skip
_RATES_HZ: Final = (
    8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
    352_800, 384_000, 2_822_400, 5_644_800, 11_289_600,
)  # fmt: skip
_CLOCK = re.compile(
    r"(?P<h>[0-9]{1,6}):(?P<m>[0-5]?[0-9]):(?P<s>[0-5]?[0-9])(?:[.,](?P<part>[0-9]{1,9}))?"
    r"(?:[:;][0-9]{1,3})?(?: \(.*\))?",
    re.ASCII,
)
_SPAN_PART = re.compile(r"([0-9]{1,9})\s*(hours?|h|min|mn|ms|s)(?![a-z])", re.ASCII | re.IGNORECASE)
_SPAN_UNITS_S: Final = {
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0, "min": 60.0, "mn": 60.0, "s": 1.0, "ms": 0.001,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """An object that a tool wrote, in the document stored at `key`.

    `around` are the objects it lies in, outermost first, and `names` the fields that lead to it.
    """

    key: str
    node: Mapping[str, Any]
    names: tuple[str, ...] = ()
    around: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A duration in seconds, and by how much it may be wrong: `1 h 2 min` by a minute."""

    seconds: float
    margin_s: float = 0.001


@dataclass(frozen=True, slots=True)
class Picture:
    """The first stream that shows moving pictures."""

    codec: str | None
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Sound:
    """The streams that sound: codec and rate of the first, and the channels of all of them."""

    codec: str | None
    channels: int | None
    rate_hz: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a document says of one file.

    `container` is None where it does not tell; `container_found` holds what it says instead.
    `container_source` is dialect and field. `streams_listed` is False where the document leaves
    the streams out. `conflict` is how two of its fields disagree.
    """

    key: str
    tool: str
    container: str | None
    container_source: str
    container_found: str
    file_name: str | None = None
    size_bytes: int | None = None
    duration: Span | None = None
    picture: Picture | None = None
    sound: Sound | None = None
    streams_listed: bool = True
    streams_found: str = ""
    conflict: str | None = None
    notes: tuple[str, ...] = field(default=())


def text_of(value: Any, chars_max: int = TEXT_CHARS_MAX) -> str | None:
    """Printable text that is not empty, or None; of a list, the first such."""
    if isinstance(value, list):
        return next((text for text in map(text_of, value[:8]) if text is not None), None)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return str(value)
    if not isinstance(value, str):
        return None
    return _CONTROL.sub(" ", value[:chars_max]).strip() or None


def file_name_of(value: Any) -> str | None:
    """The last part of a path as Unix or Windows write one, or None."""
    path = text_of(value, NAME_CHARS_MAX)
    return None if path is None else re.split(r"[/\\]", path)[-1].strip() or None


def number_of(value: Any, largest: float) -> float | None:
    """A number above 0 and up to `largest`; of text, also with a unit we know."""
    if isinstance(value, list):
        found = (number_of(one, largest) for one in value[:8] if not isinstance(one, list))
        return next((number for number in found if number is not None), None)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        match = _WITH_UNIT.fullmatch(value[:TEXT_CHARS_MAX].strip())
        factor = None if match is None else _UNIT_FACTORS.get(match["unit"].lower())
        if match is None or factor is None:
            return None
        digits = re.sub(_SPACE, "", match["number"])
        number: float = (float(digits) if "." in digits else int(digits)) * factor
    else:
        number = value
    return number if 0 < number <= largest else None  # false for NaN, too


def count_of(value: Any, largest: int) -> int | None:
    """A whole number from 1 to `largest`, or None; `48000.000` is one."""
    number = number_of(value, largest)
    return None if number is None or number != int(number) else int(number)


def rate_of(value: Any) -> int | None:
    """Samples in a second; one that was rounded for reading, such as 44.1 kHz, is put right."""
    number = number_of(value, RATE_HZ_MAX)
    if number is None:
        return None
    if isinstance(value, str) and "khz" in value.lower():
        nearest = min(_RATES_HZ, key=lambda rate: abs(rate - number))
        if abs(nearest - number) <= 500 and abs(nearest - number) < nearest * 0.005:
            return nearest
    return round(number) or None


def span_of(value: Any, unit_s: float = 1.0) -> Span | None:
    """A duration of text or number; a bare number counts in `unit_s` seconds."""
    if isinstance(value, list):
        spans = (span_of(one, unit_s) for one in value[:8] if not isinstance(one, list))
        return next((span for span in spans if span is not None), None)
    if isinstance(value, str):
        text = value[:TEXT_CHARS_MAX].strip()
        if clock := _CLOCK.fullmatch(text):
            whole = int(clock["h"]) * 3600 + int(clock["m"]) * 60 + int(clock["s"])
            part = clock["part"]
            return _span(whole + float(f"0.{part or 0}"), 0.001 if part else 1.0)
        parts = _SPAN_PART.findall(text)
        if parts and not _SPAN_PART.sub("", text).strip():
            units = [_SPAN_UNITS_S[unit.lower()] for _, unit in parts]
            seconds = sum(int(n) * unit for (n, _), unit in zip(parts, units, strict=True))
            return _span(seconds, min(units))
        if not re.fullmatch(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", text, re.ASCII):
            return None
    number = number_of(value, DURATION_S_MAX / unit_s)
    return None if number is None else _span(number * unit_s, 0.001)


def _span(seconds: float, margin_s: float) -> Span | None:
    if not 0 < seconds <= DURATION_S_MAX or not math.isfinite(seconds):
        return None
    return Span(round(seconds, 6), margin_s)


def mapping_of(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object, or an empty one; keys that are no text are left out."""
    if not isinstance(value, Mapping):
        return {}
    return {key: inner for key, inner in value.items() if isinstance(key, str)}


def mappings_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; one object on its own counts as a list of it."""
    values = value if isinstance(value, list) else [value]
    return [mapping_of(one) for one in values if isinstance(one, Mapping)]
