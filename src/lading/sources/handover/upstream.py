"""The read-only tree a bundle comes from, and what its faults mean: for a bundle, an item, or us.

A file that is missing because its whole mount is gone is no fault of the item, so the root is
looked at again before anybody is blamed (G1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lading.base.errors import SourceError
from lading.ingest.source import BatchRef, BatchRefused, ItemRefused, SourceMissing
from lading.sources.handover.reasons import REASONS
from lading.sources.handover.rules import Fault
from lading.storage.roots import (
    FileMissing,
    FileUnreadable,
    NotARegularFile,
    PathEscapesRoot,
    RootMissing,
    SafeRoot,
)
from lading.storage.transfer import FileChanged, HashMismatch, SizeMismatch

SYNC_FOLDER: Final = "sync"


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """What deciding about a bundle's items and taking them in both need to know of it.

    `identity` is the root's at the opening. `in_place_store` names the store of files that stay
    where they are, None when they are copied.
    """

    batch: BatchRef
    action: str
    upstream: Upstream
    identity: str
    in_place_store: str | None


_CODES: Final[dict[type[SourceError], str]] = {
    FileMissing: "missing_file",
    NotARegularFile: "not_a_regular_file",
    PathEscapesRoot: "path_escapes_root",
    FileUnreadable: "unreadable",
    SizeMismatch: "size_mismatch",
    HashMismatch: "hash_mismatch",
    FileChanged: "file_changed",
}


def fault_of(error: SourceError) -> Fault:
    """The fault that an error of reading stands for. Raises `SourceMissing` for the root's own."""
    if isinstance(error, RootMissing | SourceMissing):
        raise _missing(str(error)) from error
    for cls, code in _CODES.items():
        if isinstance(error, cls):
            expected = None if error.expected is None else str(error.expected)
            found = error.message if error.found is None else str(error.found)
            return Fault(code, expected, found, error.subject)
    raise error


def refused_batch(fault: Fault, subject: str) -> BatchRefused:
    """The error that refuses a whole bundle for `fault`."""
    return BatchRefused(
        REASONS[fault.code],
        subject=fault.subject or subject,
        expected=fault.expected,
        found=fault.found,
    )


def refused_item(fault: Fault, subject: str) -> ItemRefused:
    """The error that refuses one item for `fault`."""
    return ItemRefused(
        REASONS[fault.code],
        subject=fault.subject or subject,
        expected=fault.expected,
        found=fault.found,
    )


class Upstream:
    """One upstream's tree. Safe to share between threads; everything it does is reading (A1)."""

    def __init__(self, root: SafeRoot) -> None:
        self.root = root
        self._sync = SafeRoot(root.path / SYNC_FOLDER)

    def identity(self) -> str:
        """What tells this tree from another in its place. Raises `SourceMissing`."""
        try:
            return f"{self.root.identity()}/{self._sync.identity()}"
        except RootMissing as error:
            raise _missing(str(error)) from error

    def require(self, identity: str) -> None:
        """Raise `SourceMissing` unless the tree is still the one of this `identity`."""
        found = self.identity()
        if found != identity:
            raise SourceMissing(
                "the source's root was replaced by another",
                subject=str(self.root.path),
                expected=identity,
                found=found,
            )

    def item_fault(self, error: SourceError, identity: str) -> Fault:
        """The fault of an item; raises `SourceMissing` when it is the tree's instead."""
        fault = fault_of(error)
        if fault.code in {"missing_file", "unreadable"}:
            self.require(identity)
        return fault


def _missing(sentence: str) -> SourceMissing:
    return SourceMissing(f"the source's tree is not there: {sentence}")
