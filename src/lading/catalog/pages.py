"""Pages of recordings by when they started, and the search for a text; as SQL and cursors.

A cursor says after which recording a page begins, not at which number: what is registered
meanwhile moves no row from one page to the next. Recordings without a start come last either way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lading.base.errors import printable
from lading.catalog.columns import RECORDINGS
from lading.catalog.errors import CatalogFilterRefused
from lading.catalog.filters import Where, condition, moment_literal, text_literal
from lading.catalog.values import RecordingRow, metadata_text

PAGE_ROWS_MAX: Final = 1_000
TEXT_LENGTH_MAX: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR: Final = re.compile(r"(newest|oldest)\.(-?\d{1,17}|none)\.([0-9a-f]{16,64})")
_HASH_BEGINNING: Final = re.compile(r"[0-9a-f]{1,64}")
# The identifier within metadata as it is stored: JSON in which a quote in a text is escaped.
_MANIFEST_ID: Final = r'"manifest_recording_id": "((?:[^"\\]|\\.)*)"'


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """Recordings in order, and the cursor of the next page; None on the last page."""

    rows: tuple[RecordingRow, ...]
    next: str | None


def search(where: Where | None, text: str | None) -> str:
    """The condition of a filter and of a text that people look for. Raises `CatalogFilterRefused`.

    The text is the beginning of the hash, or part of `metadata["manifest_recording_id"]` or of a
    participant's identifier; upper and lower case are the same.
    """
    wanted = condition(RECORDINGS, where)
    text = (text or "").strip()
    if not text:
        return wanted
    if len(text) > TEXT_LENGTH_MAX:
        raise CatalogFilterRefused(
            "The text is too long to look for",
            expected=f"at most {TEXT_LENGTH_MAX} characters",
            found=len(text),
        )
    lowered = f"lower({text_literal(text)})"
    stored = f"lower({text_literal(metadata_text({'': text})[6:-2])})"
    manifest_id = f"regexp_match(metadata, {text_literal(_MANIFEST_ID)})[1]"
    either = [
        f"contains(lower(array_to_string(participant_ids, chr(10))), {lowered})",
        # Few rows hold the text at all, and only those are worth an expression.
        f"(contains(lower(metadata), {stored}) AND contains(lower({manifest_id}), {stored}))",
    ]
    if _HASH_BEGINNING.fullmatch(text.lower()):
        either.append(f"starts_with(recording_hash, {lowered})")
    return f"{wanted} AND ({' OR '.join(either)})"


def order(*, newest_first: bool) -> str:
    """The order of pages, as columns for ORDER BY."""
    direction = "DESC" if newest_first else "ASC"
    return f"started_at {direction} NULLS LAST, recording_hash {direction}"


def cursor_after(row: RecordingRow, *, newest_first: bool) -> str:
    """The cursor of the page that begins after a row."""
    moment = "none"
    if row.started_at is not None:
        moment = str((row.started_at - _EPOCH) // timedelta(microseconds=1))
    return f"{_direction(newest_first)}.{moment}.{row.recording_hash}"


def after_condition(after: str | None, *, newest_first: bool) -> str:
    """The condition for what a cursor leads to. Raises `CatalogFilterRefused`."""
    if after is None:
        return "true"
    found = _CURSOR.fullmatch(after)
    if found is None or found[1] != _direction(newest_first):
        raise CatalogFilterRefused(
            "The cursor is none that this list gave out",
            expected=f"what a page of the {_direction(newest_first)} first said is next",
            found=printable(repr(after), length_max=120),
            next_step="Start again from the first page.",
        )
    beyond = "<" if newest_first else ">"
    later_hash = f"recording_hash {beyond} {text_literal(found[3])}"
    if found[2] == "none":
        return f"started_at IS NULL AND {later_hash}"
    try:
        moment = moment_literal(_EPOCH + timedelta(microseconds=int(found[2])))
    except OverflowError as error:
        raise CatalogFilterRefused("The cursor is out of range", found=after) from error
    return (
        f"(started_at {beyond} {moment} OR started_at = {moment} AND {later_hash}"
        " OR started_at IS NULL)"
    )


def rows_wanted(limit: object) -> int:
    """How many rows a page may have. Raises `CatalogFilterRefused`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= PAGE_ROWS_MAX:
        raise CatalogFilterRefused(
            "A page has a number of rows", expected=f"1 to {PAGE_ROWS_MAX}", found=repr(limit)
        )
    return limit


def _direction(newest_first: bool) -> str:
    return "newest" if newest_first else "oldest"
