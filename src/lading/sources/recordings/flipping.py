"""Compares a rebuilt catalog with the live one, and makes it live once that was looked at (G12).

Differences are accepted by a word that is made of all of them, so nobody accepts what they did not
see; and a comparison counts only as long as neither catalog was changed since.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lading.base.errors import RequestError
from lading.catalog.catalog import Catalog
from lading.catalog.columns import MODALITIES, PARTICIPANTS, RECORDINGS
from lading.catalog.comparing import CatalogDifference, Found
from lading.catalog.errors import CatalogMoved
from lading.catalog.location import CatalogLocation
from lading.catalog.pointer import POINTER_NAME, Pointed, Pointer

DIFFERENCES_KEPT_MAX: Final = 1_000
_TABLES: Final = (RECORDINGS.name, MODALITIES.name, PARTICIPANTS.name)

Versions = Mapping[str, int | None]


class ComparisonNotAccepted(RequestError):
    """Two catalogs differ, and nobody said that these differences shall be."""

    code = "comparison_not_accepted"
    http_status = 409
    next_step = (
        "Look at the differences: rebuild, backfill or correct what is wrong and compare again; or"
        " accept them by the word that the comparison gives."
    )


class NothingToFlipBack(RequestError):
    """The pointer was never flipped, so there is no catalog before this one."""

    code = "nothing_to_flip_back"
    http_status = 409
    next_step = "Name the prefix to go to, after a comparison with what is live."


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between the live catalog and a rebuilt one.

    `counts` are of differences, by table and where the row was found: only live (`only_here`), only
    rebuilt (`only_there`), or in both and not alike (`differs`). `differences` are the first 1,000,
    `participants_only_live` the first 1,000 identifiers that only the live catalog knows. The
    versions of the tables are those before the first row was read; None for a table without rows.
    `accept_word` stands for exactly these differences, all of them.
    """

    live_prefix: str
    rebuilt_prefix: str
    live_versions: Versions
    rebuilt_versions: Versions
    counts: Mapping[tuple[str, Found], int]
    differences: tuple[CatalogDifference, ...]
    participants_only_live: tuple[str, ...]
    accept_word: str

    @property
    def total(self) -> int:
        """How many rows differ."""
        return sum(self.counts.values())

    @property
    def clean(self) -> bool:
        """Whether readers would see the same in both."""
        return not self.counts

    def count(self, table: str, found: Found) -> int:
        """How many rows of a table were found only here, only there, or not alike."""
        return self.counts.get((table, found), 0)


@dataclass(frozen=True, slots=True)
class Flipped:
    """A pointer that was flipped.

    With `written_meanwhile`, somebody wrote to the catalog that was live between the comparison and
    the flip: compare again, and register what is missing.
    """

    pointed: Pointed
    written_meanwhile: bool = False


def compare(live: Catalog, rebuilt: Catalog) -> Comparison:
    """Compare all rows as readers see them, a part of them in memory at a time."""
    live_versions, rebuilt_versions = versions_of(live), versions_of(rebuilt)
    counts: Counter[tuple[str, Found]] = Counter()
    kept: list[CatalogDifference] = []
    participants: list[str] = []
    digest = hashlib.sha256()
    for each in live.compare(rebuilt):
        counts[each.table, each.found] += 1
        digest.update(f"{each!r}\n".encode())
        if len(kept) < DIFFERENCES_KEPT_MAX:
            kept.append(each)
        only_live = each.table == PARTICIPANTS.name and each.found is Found.ONLY_HERE
        if only_live and len(participants) < DIFFERENCES_KEPT_MAX:
            participants.append(each.key[0])
    return Comparison(
        live.prefix,
        rebuilt.prefix,
        live_versions,
        rebuilt_versions,
        dict(counts),
        tuple(kept),
        tuple(participants),
        f"{counts.total()}-{digest.hexdigest()[:16]}",
    )


def flip(
    location: CatalogLocation,
    comparison: Comparison,
    *,
    accept: str | None = None,
    pointer: str = POINTER_NAME,
) -> Flipped:
    """Make the rebuilt catalog of a comparison live (E1).

    `accept` is the comparison's `accept_word`, where it is not clean. Programs that have the other
    catalog open go on with it until they open it anew. Raises `ComparisonNotAccepted`, and
    `CatalogMoved` when a table of either catalog, or the pointer, was changed since.
    """
    if not comparison.clean and accept != comparison.accept_word:
        raise ComparisonNotAccepted(
            "The rebuilt catalog differs from the live one",
            subject=comparison.rebuilt_prefix,
            expected=f"{comparison.total} differences, accepted as {comparison.accept_word}",
            found=accept or "not accepted",
        )
    at = Pointer(location, pointer)
    seen = at.read()
    if seen.prefix != comparison.live_prefix:
        raise CatalogMoved(
            "Another catalog is live than the one that was compared",
            subject=pointer,
            expected=comparison.live_prefix,
            found=seen.prefix,
        )
    live = Catalog(location, comparison.live_prefix)
    _require_versions(live, comparison.live_versions)
    _require_versions(Catalog(location, comparison.rebuilt_prefix), comparison.rebuilt_versions)
    pointed = at.flip(comparison.rebuilt_prefix, seen=seen)
    return Flipped(pointed, versions_of(live) != comparison.live_versions)


def flip_back(location: CatalogLocation, *, pointer: str = POINTER_NAME) -> Flipped:
    """Make the catalog live again that was so before the last flip.

    What was registered since goes out of sight; it is seen again after flipping back once more.
    Raises `NothingToFlipBack`, `CatalogMoved`.
    """
    at = Pointer(location, pointer)
    seen = at.read()
    if seen.previous is None:
        raise NothingToFlipBack("The pointer names no catalog before this one", subject=pointer)
    return Flipped(at.flip(seen.previous, seen=seen))


def versions_of(catalog: Catalog) -> Versions:
    """The newest version of each table; None for one without rows."""
    return {
        table: next((each.number for each in catalog.versions(table, limit=1)), None)
        for table in _TABLES
    }


def _require_versions(catalog: Catalog, expected: Versions) -> None:
    found = versions_of(catalog)
    if found != expected:
        table = next(name for name in _TABLES if found[name] != expected[name])
        raise CatalogMoved(
            f"The table {table} was changed after the comparison",
            subject=catalog.prefix,
            expected=f"version {expected[table]}",
            found=f"version {found[table]}",
            next_step="Run the rebuild again, which takes in what is new; then compare again.",
        )
