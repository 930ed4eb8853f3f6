"""A recording as people name it: by its hash, the beginning of its hash, or its identifier."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from lading.base.errors import RequestError, printable
from lading.catalog.catalog import Catalog
from lading.catalog.errors import RecordingMissing
from lading.catalog.values import RecordingRow

_BEGINNING: Final = re.compile(r"[0-9a-f]{6,64}")
_WHOLE: Final = 16
_PAGE: Final = 500
_AMBIGUOUS_SHOWN: Final = 3


class RecordingAmbiguous(RequestError):
    """Several recordings have this name, or a hash that begins so."""

    code = "recording_ambiguous"
    http_status = 409
    next_step = "Give more digits of the hash."


class NamedBy(StrEnum):
    """What a name is taken for."""

    HASH = "hash"
    IDENTIFIER = "identifier"


def identifier_of(row: RecordingRow) -> str | None:
    """The identifier that a recording's manifest gave it."""
    stated = row.metadata.get("manifest_recording_id")
    return stated if isinstance(stated, str) and stated else None


def name_of(row: RecordingRow) -> str:
    """The identifier, or the hash of a recording that has none."""
    return identifier_of(row) or row.recording_hash


def find_recording(catalog: Catalog, name: str, by: NamedBy | None = None) -> RecordingRow:
    """The one recording of that name; an identifier counts before the beginning of a hash.

    Raises `RecordingMissing` and `RecordingAmbiguous`.
    """
    digits = name.lower()
    of_hash = by is not NamedBy.IDENTIFIER and bool(_BEGINNING.fullmatch(digits))
    if of_hash and len(digits) >= _WHOLE:
        for row in catalog.recordings_held([digits]).values():
            return row
    identified, begun = [], []
    for row in _holding(catalog, name) if of_hash or by is not NamedBy.HASH else ():
        if by is not NamedBy.HASH and identifier_of(row) == name:
            identified.append(row)
        elif of_hash and row.recording_hash.startswith(digits):
            begun.append(row)
    found = identified or begun
    if not found:
        raise RecordingMissing(
            "The catalog has no such recording",
            subject=printable(name),
            expected="a hash, at least 6 digits that it begins with, or an identifier",
        )
    if len(found) > 1:
        shown = ", ".join(row.recording_hash[:16] for row in found[:_AMBIGUOUS_SHOWN])
        raise RecordingAmbiguous(
            "Several recordings are meant", subject=printable(name), found=f"{shown}, …"
        )
    return found[0]


def _holding(catalog: Catalog, name: str) -> Iterator[RecordingRow]:
    """Recordings that hold the text anywhere, a page in memory at a time."""
    after: str | None = None
    while True:
        page = catalog.page(text=name, limit=_PAGE, after=after)
        yield from page.rows
        after = page.next
        if after is None:
            return
