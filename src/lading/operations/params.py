"""The parameters each verb takes, checked before anything is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lading.jobs.values import PRIORITY_MAX, PRIORITY_MIN
from lading.operations.date_params import date_params
from lading.operations.errors import BadOperation
from lading.operations.values import Verb

NOTE_LENGTH_MAX: Final = 2_000
SNOOZE_MAX_S: Final = 366 * 86_400


def checked_params(verb: Verb, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters a verb takes, in order. Raises `BadOperation` for others, and for bad ones."""
    known: dict[str, object]
    match verb:
        case Verb.QUEUE | Verb.PRIORITISE:
            known = {"priority": _priority(params.get("priority"), required=verb is not Verb.QUEUE)}
        case Verb.STOP | Verb.CANCEL:
            known = {"why": _text(params, "why")}
        case Verb.RETRY:
            known = {"with_dependents": bool(params.get("with_dependents", False)) or None}
        case Verb.ACKNOWLEDGE:
            known = {"note": _text(params, "note"), "snooze_s": _snooze(params.get("snooze_s"))}
        case Verb.GRANT_SITE | Verb.REVOKE_SITE:
            known = {"site": _required_text(params, "site")}
        case Verb.ADD_TO_PACKAGE | Verb.REMOVE_FROM_PACKAGE:
            known = {"package": _required_text(params, "package")}
        case Verb.SHIFT_TAKEN | Verb.SET_TAKEN | Verb.RESTORE_TAKEN:
            known = date_params(verb, params)
        case Verb.PREFLIGHT:
            known = {"check_bytes": bool(params.get("check_bytes", False)) or None}
        case _:
            known = {}
    unknown = sorted(name for name in params if name not in known)
    if unknown:
        raise BadOperation(
            f"{verb} takes no such parameter",
            subject=unknown[0],
            expected=", ".join(sorted(known)) or "none",
        )
    return {name: value for name, value in known.items() if value is not None}


def _priority(value: object, *, required: bool) -> int | None:
    if value is None and not required:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 4:
        value = int(value)
    if type(value) is not int or not PRIORITY_MIN <= value <= PRIORITY_MAX:
        raise BadOperation(
            "the priority is a small number",
            subject="priority",
            expected=f"{PRIORITY_MIN} to {PRIORITY_MAX}",
            found=value,
        )
    return value


def _snooze(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= SNOOZE_MAX_S:
        return float(value)
    raise BadOperation(
        "a snooze is a number of seconds, at most a year", subject="snooze_s", found=value
    )


def _text(params: Mapping[str, Any], name: str) -> str | None:
    value = params.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > NOTE_LENGTH_MAX:
        raise BadOperation(
            "this is a text of moderate length",
            subject=name,
            expected=f"at most {NOTE_LENGTH_MAX} characters",
        )
    return value


def _required_text(params: Mapping[str, Any], name: str) -> str:
    value = _text(params, name)
    if value is None:
        raise BadOperation("this is needed", subject=name)
    return value
