"""One field of a manifest at a time: a plain value that is safe to keep, or `Misshapen`.

Safe means: text that every database takes, numbers that fit a column, paths that stay below their
root by their spelling. What the file system says of them comes later.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lading.base.errors import printable
from lading.base.identifiers import parse_content_hash

NAME_CHARS_MAX: Final = 190
CODE_CHARS_MAX: Final = 64
TITLE_CHARS_MAX: Final = 10_000
PATH_BYTES_MAX: Final = 4_000
SEGMENT_BYTES_MAX: Final = 255
DETAIL_CHARS_MAX: Final = 1024 * 1024
DEPTH_MAX: Final = 64
DURATION_S_MAX: Final = 1e9
YEAR_MIN, YEAR_MAX = 1000, 9998

_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
_PLAIN_PATH = re.compile(
    r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}/)*[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class Misshapen(ValueError):
    """What is wrong with a value; becomes a `BadItem` of the item it belongs to."""

    def __init__(
        self, field: str, expected: str, found: object, *, code: str = "manifest_shape"
    ) -> None:
        super().__init__(field)
        self.field = field
        self.expected = expected
        self.found = shown(found)
        self.code = code


def shown(value: object) -> str:
    """A value from outside as it may stand in a message: short, printable, with its type."""
    if isinstance(value, str):
        return printable(value, length_max=120)
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    return str(value)


def check_path(value: object, field: str) -> str:
    """`value` as a relative path that stays where it is; raises `Misshapen` otherwise.

    Absolute paths and `..` are `path_escapes_root`; what no file system can name is
    `path_too_long`; control characters, `.` and empty segments are `manifest_shape`.
    """
    if not isinstance(value, str) or not value:
        raise Misshapen(field, "a relative path", value)
    if _PLAIN_PATH.fullmatch(value):
        return value  # nearly all of them; the rest is for the odd ones
    if value.startswith("/"):
        raise Misshapen(field, "a relative path", value, code="path_escapes_root")
    if _UNSTORABLE.search(value) or _CONTROL.search(value):
        raise Misshapen(field, "a path without control characters", value)
    for segment in value.split("/"):
        if segment == "..":
            raise Misshapen(field, "a path below its root", value, code="path_escapes_root")
        if segment in {"", "."}:
            raise Misshapen(field, "a path without empty segments", value)
        if len(segment) > SEGMENT_BYTES_MAX // 4 and len(segment.encode()) > SEGMENT_BYTES_MAX:
            raise Misshapen(
                field,
                f"names of at most {SEGMENT_BYTES_MAX} bytes",
                value,
                code="path_too_long",
            )
    return value


def name_of(
    fields: Mapping[str, Any], field: str, *, chars_max: int = NAME_CHARS_MAX, where: str = ""
) -> str:
    """A key from outside: not empty, on one line, and short enough for an index."""
    value = fields.get(field)
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > chars_max
        or _CONTROL.search(value)
        or _UNSTORABLE.search(value)
    ):
        name = f"{where}.{field}" if where else field
        raise Misshapen(name, f"1 to {chars_max} printable characters", value)
    return value


def text_of(
    fields: Mapping[str, Any], field: str, *, chars_max: int, where: str = ""
) -> str | None:
    """Text of at most `chars_max` characters that every database takes, or None."""
    value = fields.get(field)
    if value is None:
        return None
    name = f"{where}.{field}" if where else field
    if not isinstance(value, str) or len(value) > chars_max:
        raise Misshapen(name, f"text of at most {chars_max} characters", value)
    if _UNSTORABLE.search(value):
        raise Misshapen(name, "text without NUL or half characters", value)
    return value


def word_of(fields: Mapping[str, Any], field: str, *, where: str = "") -> str | None:
    """A lower-case word of ours or of the upstream's, or None."""
    value = fields.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or _CODE.fullmatch(value) is None:
        name = f"{where}.{field}" if where else field
        raise Misshapen(name, f"a lower-case word of at most {CODE_CHARS_MAX} characters", value)
    return value


def hash_of(fields: Mapping[str, Any], field: str) -> str | None:
    """A content hash as bare lower-case hex, or None."""
    value = fields.get(field)
    if value is None:
        return None
    digest = parse_content_hash(value)
    if digest is None:
        raise Misshapen(field, "sha256:<64 hex digits>", value)
    return digest


def count_of(fields: Mapping[str, Any], field: str, largest: int) -> int | None:
    """A whole number from 0 to `largest`, or None."""
    value = fields.get(field)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= largest:
        raise Misshapen(field, f"a number from 0 to {largest}", value)
    return value


def seconds_of(fields: Mapping[str, Any], field: str) -> float | None:
    """A finite number of seconds, or None."""
    value = fields.get(field)
    if value is None:
        return None
    if type(value) not in {int, float} or not 0 <= value <= DURATION_S_MAX:
        raise Misshapen(field, f"seconds from 0 to {DURATION_S_MAX:.0f}", value)
    return float(value)


def instant_of(fields: Mapping[str, Any], field: str) -> tuple[datetime | None, int | None]:
    """The instant in UTC and its wall clock's offset; a time without a zone is taken as UTC."""
    value = fields.get(field)
    if value is None:
        return None, None
    try:
        local = datetime.fromisoformat(value)
        offset = local.utcoffset()
        at = local.replace(tzinfo=UTC) if offset is None else local.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Misshapen(field, "a date and time in ISO 8601", value) from None
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise Misshapen(field, f"a year from {YEAR_MIN} to {YEAR_MAX}", value)
    return at, None if offset is None else int(offset.total_seconds() // 60)


def check_detail(detail: Mapping[str, Any]) -> None:
    """Fields unknown to us are kept, unless no database could."""
    if not detail:
        return
    _check_value(detail, "", 1)
    size = len(json.dumps(detail))
    if size > DETAIL_CHARS_MAX:
        raise Misshapen("further fields", f"at most {DETAIL_CHARS_MAX} characters in all", size)


def _check_value(value: Any, field: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise Misshapen(field, f"values nested at most {DEPTH_MAX} deep", "deeper nesting")
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise Misshapen(field, "text without NUL or half characters", value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Misshapen(field, "a finite number", value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_value(name, field or shown(name), depth + 1)
            _check_value(inner, field or shown(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, field, depth + 1)
