"""Reads time and place from what an export of Google Photos says of a picture, as JSON.

Nothing of it is trusted: it may be large, deep, or of any other shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from lading.media.facts import (
    OffsetOrigin,
    StatedPlace,
    StatedTime,
    Statements,
    TimeOrigin,
    TimeRefusal,
)
from lading.media.limits import Limits

_SECONDS: Final = re.compile(r"-?[0-9]{1,12}")
_PLACES: Final = ("geoData", "geoDataExif")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the clock's time; its zone stands beside it
_TEXT_LENGTH_MAX: Final = 200


def read_takeout(data: bytes, limits: Limits) -> Statements:
    """What it says; nothing but `damaged` where it is too large or is no such JSON."""
    damaged = Statements(damaged=("takeout",))
    if len(data) > limits.metadata_bytes_max:
        return damaged
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return damaged
    if not isinstance(said, Mapping):
        return damaged
    taken = said.get("photoTakenTime")
    times: tuple[StatedTime, ...] = ()
    wrong = False
    if isinstance(taken, Mapping) and "timestamp" in taken:
        times = (_time(taken["timestamp"]),)
    elif taken is not None:
        wrong = True
    given = [said[name] for name in _PLACES if said.get(name) is not None]
    places = tuple(_place(each) for each in given if isinstance(each, Mapping))
    wrong = wrong or len(places) < len(given)
    # Google writes zeros for a place that it does not know.
    known = tuple(each for each in places if (each.latitude, each.longitude) != (0, 0))
    return Statements(times=times, places=known, damaged=("takeout",) if wrong else ())


def _time(stamp: Any) -> StatedTime:
    """Seconds since 1970 in UTC, as a text or a number."""
    text = str(stamp)[:_TEXT_LENGTH_MAX] if isinstance(stamp, str) or _is_whole(stamp) else ""
    if _SECONDS.fullmatch(text) is None:
        return StatedTime(TimeOrigin.TAKEOUT, text, refusal=TimeRefusal.MALFORMED)
    try:
        local = _EPOCH + timedelta(seconds=int(text))
    except OverflowError:
        return StatedTime(TimeOrigin.TAKEOUT, text, refusal=TimeRefusal.MALFORMED)
    return StatedTime(TimeOrigin.TAKEOUT, text, local, 0, OffsetOrigin.UTC)


def _is_whole(value: Any) -> bool:
    # A larger one is no time, and would take long to write down.
    return type(value) is int and abs(value) < 10**12


def _place(given: Mapping[str, Any]) -> StatedPlace:
    latitude, longitude, altitude = (
        _degrees(given.get(name)) for name in ("latitude", "longitude", "altitude")
    )
    return StatedPlace(latitude, longitude, altitude or None)


def _degrees(value: Any) -> float | None:
    if type(value) not in {int, float}:
        return None
    try:
        return float(value)
    except OverflowError:
        return None
