"""Shortens names for people: an id to what tells it apart, a path to its last folders.

The whole name stands beside it: in the title of a page's link, or in `--json`.
"""

from __future__ import annotations

import re
from typing import Final

ID_SHOWN: Final = 8
NAME_SHOWN: Final = 40

# UUIDs, and digests as they are written with their kind before them or as an ETag.
_ID: Final = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r'|(?:sha256:|")?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})(?:-[0-9]{1,5})?"?',
    re.ASCII | re.IGNORECASE,
)


def is_id(text: str) -> bool:
    """Whether `text` looks like a UUID or a digest, of which a beginning tells enough."""
    return _ID.fullmatch(text) is not None


def short_name(text: str) -> str:
    """`37e428d2` of a UUID or digest; of a longer path its last folders, as `…/2019/Rome`."""
    if is_id(text):
        return text.removeprefix("sha256:").strip('"')[:ID_SHOWN]
    if len(text) <= NAME_SHOWN:
        return text
    parts = text.split("/")
    shown = parts.pop()
    while parts and len(shown) + len(parts[-1]) + len("…//") <= NAME_SHOWN:
        shown = f"{parts.pop()}/{shown}"
    return f"…/{shown}" if len(shown) <= NAME_SHOWN - 2 else without_middle(shown, NAME_SHOWN)


def without_middle(text: str, length_max: int) -> str:
    """`text`, or its beginning and end around an ellipsis where it is longer than `length_max`."""
    if len(text) <= length_max:
        return text
    end = (length_max - 1) // 2
    return f"{text[: length_max - 1 - end]}…{text[len(text) - end :]}"
