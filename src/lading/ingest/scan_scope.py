"""What a scan is of: a whole source, or one folder of it with all that is below.

A scan of one folder says nothing of the rest: what is missing in it may have been moved there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lading.base.errors import RequestError
from lading.ingest.rules import GONE, ScanRefusal, is_gone, is_of_part, of_part
from lading.ingest.source import Discovered, ScansFolders, Source
from lading.ledger.batches import KnownBatch
from lading.ledger.events import (
    Event,
    FolderScanned,
    FolderScanRefused,
    ScanFinished,
    ScanRefused,
)

_BESIDE_LOOKED_AT: Final = 100


class NoFolderScans(RequestError):
    """A source of this kind can only be scanned as a whole."""

    code = "no_folder_scans"
    next_step = "Scan the source without naming a folder."


class ScanFolderMissing(RequestError):
    """A scan was asked for of a folder that is not there and was never recorded."""

    code = "scan_folder_missing"
    http_status = 404
    next_step = "Give its path below the source's root, as the page of folders shows it."


@dataclass(frozen=True, slots=True)
class Whole:
    """A scan of all of a source."""

    source: Source
    folder: None = None

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Every batch there is."""
        return self.source.discover(known)

    def covered(self, known: Mapping[str, KnownBatch]) -> set[str]:
        """The recorded batches that would have been found if they still were there."""
        return set(known)


@dataclass(frozen=True, slots=True)
class Part:
    """A scan of one folder of a source and all below it."""

    source: ScansFolders
    folder: str

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Every batch of the folder and below."""
        return self.source.discover_below(self.folder, known)

    def covered(self, known: Mapping[str, KnownBatch]) -> set[str]:
        """The recorded batches that would have been found if they still were there."""
        return {key for key in known if self.source.lies_below(key, self.folder)}


Scope = Whole | Part


def scope_of(source: Source, folder: str | None) -> Scope:
    """What a scan is of. Raises `NoFolderScans`, and `RequestError` for what is no folder."""
    if folder is None:
        return Whole(source)
    if not isinstance(source, ScansFolders):
        raise NoFolderScans(
            "a source of this kind has no folders that can be scanned alone",
            subject=source.name,
            found=source.kind,
        )
    meant = source.folder_meant(folder)
    return Part(source, meant) if meant else Whole(source)


def require_there(scope: Scope, *, found: int, covered: set[str]) -> None:
    """Raise `ScanFolderMissing` for a folder that neither is there nor was."""
    if isinstance(scope, Part) and not found and not covered:
        if scope.source.is_there(scope.folder):
            return
        raise ScanFolderMissing("there is no such folder", subject=scope.folder)


def beside_seen(scope: Scope, known: Mapping[str, KnownBatch], covered: set[str]) -> bool:
    """Whether something recorded that is not of the folder is there, so that its root is.

    Looks at some of those at most.
    """
    if not isinstance(scope, Part):
        return False
    beside = (
        key for key, one in known.items() if key not in covered and not is_gone(one.fingerprint)
    )
    return any(scope.source.is_there(key) for key in islice(beside, _BESIDE_LOOKED_AT))


def fingerprint_of(scope: Scope, fingerprint: str) -> str:
    """The fingerprint as it is recorded of a batch that changed."""
    return of_part(fingerprint) if isinstance(scope, Part) else fingerprint


def touched_fingerprint(scope: Scope, before: str, fingerprint: str) -> str:
    """The fingerprint of a batch that reads as before; a scan of one folder settles nothing."""
    return fingerprint_of(scope, fingerprint) if is_of_part(before) else fingerprint


def is_settled(scope: Scope, fingerprint: str) -> bool:
    """Whether it is known already that a batch is gone, and all that follows is done."""
    return fingerprint == GONE or (isinstance(scope, Part) and is_gone(fingerprint))


def finished(
    scope: Scope,
    *,
    root_identity: str,
    found: int,
    unchanged: int,
    unreadable: int,
    counts: Mapping[str, int],
) -> Event:
    """The event of a scan that came to its end."""
    facts = {"found": found, "unchanged": unchanged, "unreadable": unreadable, **counts}
    if scope.folder is None:
        return ScanFinished(root_identity=root_identity, **facts)
    return FolderScanned(folder=scope.folder, root_identity=root_identity, **facts)


def refused(
    scope: Scope, refusal: ScanRefusal, *, known: int, vanished: int, root: str | None
) -> Event:
    """The event of a scan that the guard stopped."""
    facts = {"known": known, "vanished": vanished, "threshold": refusal.threshold}
    if scope.folder is None:
        return ScanRefused(reason=refusal.code, root_identity=root, **facts)
    return FolderScanRefused(folder=scope.folder, reason=refusal.code, root_identity=root, **facts)
