"""The parameters of the verbs on the dates of photos, as people and programs write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from lading.operations.errors import BadOperation
from lading.operations.values import Verb

SHIFT_MAX_S: Final = 400 * 366 * 86_400
STEP_MAX_S: Final = 86_400
_TEXT_MAX: Final = 100
_YEARS: Final = (1801, 8998)
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,11}")
_SHIFT: Final = re.compile(
    r"([+-])?\s*(?:([0-9]{1,6})\s*d)?\s*(?:([0-9]{1,7})\s*h)?\s*(?:([0-9]{1,8})\s*m)?"
    r"\s*(?:([0-9]{1,10})\s*s)?"
)


def date_params(verb: Verb, params: Mapping[str, Any]) -> dict[str, object]:
    """What each verb takes, None for what was not given or was put in another's place.

    Raises `BadOperation`.
    """
    match verb:
        case Verb.SHIFT_TAKEN:
            return {"shift_s": _shift(params), "by": None}
        case Verb.SET_TAKEN:
            return {"at": _clock_time(params), "offset": None, "step_s": _step(params)}
    return {"operation": _text(params, "operation") or None}


def _shift(params: Mapping[str, Any]) -> int:
    """`shift_s` in seconds, or `by` as people write it."""
    given = params.get("shift_s")
    if given is None:
        text = _text(params, "by")
        seconds = parse_shift(text)
        given = text if seconds is None else seconds
    elif isinstance(given, str) and _WHOLE.fullmatch(given):
        given = int(given)
    if type(given) is not int or not 0 < abs(given) <= SHIFT_MAX_S:
        raise BadOperation(
            "a shift is days, hours, minutes and seconds, and not nothing",
            subject="by",
            expected="such as +1h, -365d or -1d 2h 30m 5s",
            found=given,
        )
    return given


def parse_shift(text: str) -> int | None:
    """Seconds of `-1d 2h 30m 5s`, whose sign is that of all of it; None for anything else."""
    match = _SHIFT.fullmatch(text.strip().lower().replace("\u2212", "-"))
    if match is None or not any(match.groups()[1:]):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if match[1] == "-" else total


def _clock_time(params: Mapping[str, Any]) -> str:
    """`at`, with its offset from UTC when that is said there or as `offset`, in ISO's form."""
    text, offset = _text(params, "at"), _text(params, "offset")
    try:
        at = datetime.fromisoformat(text + offset)
    except ValueError:
        at = None
    whole = at is not None and (at.utcoffset() or timedelta()) % timedelta(minutes=1) == timedelta()
    if at is None or not whole or not _YEARS[0] <= at.year <= _YEARS[1]:
        raise BadOperation(
            "this is no time on a clock that the timeline has",
            subject="at",
            expected="such as 2024-07-03T14:30:00, and an offset such as +02:00 if it is known",
            found=f"{text} {offset}".strip()[:80],
        )
    return at.isoformat()


def _step(params: Mapping[str, Any]) -> int | None:
    given = params.get("step_s")
    if given is None or given == "":
        return None
    if isinstance(given, str) and _WHOLE.fullmatch(given):
        given = int(given)
    if type(given) is not int or not 0 <= given <= STEP_MAX_S:
        raise BadOperation(
            "the step from one photo to the next is a number of seconds",
            subject="step_s",
            expected=f"0 to {STEP_MAX_S}",
            found=given,
        )
    return given or None


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > _TEXT_MAX):
        raise BadOperation("this is a short text", subject=name, found=str(value)[:80])
    return (value or "").strip()
