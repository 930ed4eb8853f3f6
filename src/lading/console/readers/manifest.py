"""Reads a batch's manifest as its upstream has it now, for people to see: bounded, and only read.

What was decided and imported is in the ledger; this is what is there to compare it with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.base.errors import LadingError, printable
from lading.console.parts import Console
from lading.ingest.source import ShowsManifest, Source
from lading.ledger.batches import Batch

SHOWN_BYTES_MAX: Final = 4 * 1024 * 1024
SENTINEL_BYTES_MAX: Final = 1_024
LAID_OUT_BYTES_MAX: Final = 1024 * 1024
"""Up to here a manifest that is written in few lines is laid out anew, to be read."""

LINE_CHARS_MAX: Final = 400
LINES_OF_ITS_OWN_MIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, by its number from 1. `cut` says that it is longer than what is shown."""

    number: int
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestText:
    """A manifest as it is now. `sha256` is None when only its beginning was read.

    `laid_out` says that the lines are ours and not the file's.
    """

    location: str
    size_bytes: int
    sha256: str | None
    laid_out: bool
    lines: Sequence[Line]
    first: int
    lines_total: int

    @property
    def previous(self) -> int | None:
        """The first line of the page before."""
        return None if self.first <= 1 else max(1, self.first - len(self.lines))

    @property
    def following(self) -> int | None:
        """The first line of the page after."""
        after = self.first + len(self.lines)
        return after if after <= self.lines_total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """The file that says a batch is complete, as it is now; `text` is its beginning."""

    location: str
    size_bytes: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Why something cannot be shown: the source is away, or has no such file now."""

    message: str
    next_step: str
    code: str


def read_manifest(console: Console, batch: Batch, *, first: int, limit: int) -> ManifestText | Away:
    """Some lines of the manifest, from line `first` on."""
    source = _source_of(console, batch)
    if isinstance(source, Away):
        return source
    location = source.manifest_location(batch.batch_key)
    try:
        size = source.stat_location(location)
        data = _read(source, location, SHOWN_BYTES_MAX)
    except LadingError as error:
        return _away(error)
    whole = len(data) == size
    lines, laid_out = _lines_of(data, whole=whole)
    first = max(1, min(first, len(lines)))
    shown = lines[first - 1 : first - 1 + limit]
    return ManifestText(
        location=location,
        size_bytes=size,
        sha256=hashlib.sha256(data).hexdigest() if whole else None,
        laid_out=laid_out,
        lines=[
            Line(number=number, text=text[:LINE_CHARS_MAX], cut=len(text) > LINE_CHARS_MAX)
            for number, text in enumerate(shown, first)
        ],
        first=first,
        lines_total=len(lines),
    )


def read_sentinel(console: Console, batch: Batch) -> Sentinel | Away:
    """The sentinel beside the manifest."""
    source = _source_of(console, batch)
    if isinstance(source, Away):
        return source
    location = source.sentinel_location(batch.batch_key)
    try:
        size = source.stat_location(location)
        text = _read(source, location, SENTINEL_BYTES_MAX).decode("utf-8", "replace")
    except LadingError as error:
        return _away(error)
    return Sentinel(location=location, size_bytes=size, text=printable(text.strip()))


class _ReadableSource(Source, ShowsManifest):
    """A source that has both."""


def _source_of(console: Console, batch: Batch) -> _ReadableSource | Away:
    source = console.lading.sources.get(batch.source)
    if source is None:
        return Away(
            message=f"The source {batch.source} is not configured any more.",
            next_step="Name it in the settings again to see what it has.",
            code="unknown_source",
        )
    if not isinstance(source, ShowsManifest):
        return Away(
            message="This kind of source has no manifest that could be shown.",
            next_step="What was decided about its items is under Items.",
            code="no_manifest",
        )
    return source  # type: ignore[return-value] # it is a source, and has these two methods


def _read(source: Source, location: str, bytes_max: int) -> bytes:
    data = bytearray()
    for chunk in source.read_location(location):
        data += chunk
        if len(data) >= bytes_max:
            break
    return bytes(data[:bytes_max])


def _lines_of(data: bytes, *, whole: bool) -> tuple[list[str], bool]:
    text = data.decode("utf-8", "replace")
    lines = [printable(line, length_max=len(line) * 10 + 1) for line in text.splitlines()] or [""]
    if not whole or len(data) > LAID_OUT_BYTES_MAX or len(lines) >= LINES_OF_ITS_OWN_MIN:
        return lines, False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return lines, False
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines(), True


def _away(error: LadingError) -> Away:
    return Away(message=str(error), next_step=error.advice, code=error.code)
