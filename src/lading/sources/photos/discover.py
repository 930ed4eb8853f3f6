"""Finds the folders with pictures and videos in one walk; of an unchanged one, by one look.

A folder's time changes when something in it comes, goes or is renamed, but not when a file is
written over. So every some hours all files are looked at, for each folder on its own.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from lading.base.errors import SourceError, printable
from lading.ingest.rules import is_gone
from lading.ingest.source import Discovered, SourceMissing
from lading.sources.photos.folders import ROOT_KEY, Listing, folder_key, list_folder
from lading.sources.photos.options import PhotosOptions
from lading.sources.photos.reasons import REASONS, facts_of, folder_reason
from lading.sources.photos.rules import Fingerprint, is_shortened, may_change_unseen
from lading.storage.roots import FileMissing, RootMissing, SafeRoot

TYPE: Final = "folder"
ACTION: Final = "import"
_SECONDS_PER_HOUR: Final = 3_600
_DIGEST_CHARS: Final = 16

log = structlog.get_logger("lading.photos")


def discover(
    root: SafeRoot, known: Mapping[str, str], options: PhotosOptions, *, below: str = ""
) -> Iterator[Discovered]:
    """Every folder that has pictures or videos right in it, of all or of one folder.

    Raises `SourceMissing`.
    """
    # Folders that were replaced a moment ago are to be seen.
    root.close()
    try:
        yield from _Walk(root, known, options).run(below)
    except RootMissing as error:
        raise SourceMissing(error.message, subject=str(root.path)) from error


class _Walk:
    def __init__(self, root: SafeRoot, known: Mapping[str, str], options: PhotosOptions) -> None:
        self._root = root
        self._known = known
        self._options = options
        self._inside = _known_folders(known)
        # Where a key does not tell its path, what is inside of folders has to be looked up.
        self._guess = not any(is_shortened(key) for key in known)

    def run(self, below: str) -> Iterator[Discovered]:
        waiting = [below]
        while waiting:
            folder = waiting.pop()
            try:
                found, folders = self._look(folder)
            except RootMissing:
                raise
            except FileMissing:
                if not folder:
                    raise
                continue  # it went away since its parent was listed
            except SourceError as error:
                log.warning("a folder cannot be listed", folder=printable(folder), error=str(error))
                yield from self._unreadable(folder, error)
                continue
            if found is not None:
                yield found
            waiting += [f"{folder}/{name}" if folder else name for name in folders]

    def _look(self, folder: str) -> tuple[Discovered | None, list[str]]:
        """The folder as a batch, if it is one, and the names of the folders in it."""
        key = folder_key(folder)
        recorded = Fingerprint.parse(self._known.get(key))
        now_ns = time.time_ns()
        status = self._status(folder)
        if recorded is not None and self._is_unchanged(recorded, status, now_ns):
            inside = self._inside.get(folder, set())
            if recorded.folders == 0 or (self._guess and recorded.folders == len(inside)):
                return Discovered(key, self._known[key]), sorted(inside)
        listing = list_folder(self._root, folder, self._options)
        if listing.empty:
            return None, listing.folders
        made = Fingerprint(
            status.st_mtime_ns if status else 0,
            self._inode(status),
            len(listing.folders),
            self._options.listing_digest,
            now_ns // 1_000_000_000,
            listing.digest[:_DIGEST_CHARS],
            again=bool(listing.young)
            or status is None
            or may_change_unseen(status.st_mtime_ns, now_ns),
        )
        if recorded is not None and _is_the_same(recorded, made):
            return Discovered(key, self._known[key]), listing.folders
        return _discovered(key, str(made), listing), listing.folders

    def _status(self, folder: str) -> os.stat_result | None:
        """What the system says of a folder; None when its path is too long to ask."""
        try:
            return os.stat(os.path.join(self._root.path, folder), follow_symlinks=not folder)
        except OSError:
            return None

    def _inode(self, status: os.stat_result | None) -> int:
        return status.st_ino if status is not None and self._options.inodes else 0

    def _is_unchanged(
        self, recorded: Fingerprint, status: os.stat_result | None, now_ns: int
    ) -> bool:
        if status is None or recorded.again:
            return False
        age_s = now_ns / 1_000_000_000 - recorded.looked_at_s
        due = not 0 <= age_s < self._options.full_every_h * _SECONDS_PER_HOUR
        same = (status.st_mtime_ns, self._inode(status), self._options.listing_digest)
        return not due and same == (recorded.mtime_ns, recorded.inode, recorded.options)

    def _unreadable(self, folder: str, error: SourceError) -> Iterator[Discovered]:
        """The folder with its reason, and all below it as it was: nothing of it has vanished."""
        key = folder_key(folder)
        below = printable(f"{folder}/", length_max=10_000) if folder else ""
        for other, fingerprint in self._known.items():
            if other != key and not is_gone(fingerprint) and _may_be_below(other, below):
                yield Discovered(other, fingerprint)
        yield Discovered(
            key,
            f"unreadable.{error.code}",
            reason=folder_reason(folder),
            detail=facts_of(error),
        )


def _known_folders(known: Mapping[str, str]) -> dict[str, set[str]]:
    """The names of the folders in each folder, as far as known batches tell."""
    inside: dict[str, set[str]] = defaultdict(set)
    for key, fingerprint in known.items():
        if key == ROOT_KEY or is_shortened(key) or is_gone(fingerprint):
            continue
        path = key
        while path:
            parent, _, name = path.rpartition("/")
            if name in inside[parent]:
                break
            inside[parent].add(name)
            path = parent
    return inside


def _may_be_below(key: str, below: str) -> bool:
    if not is_shortened(key):
        return key.startswith(below)
    shown = key.partition("…")[0]
    return shown.startswith(below) or below.startswith(shown)


def _is_the_same(recorded: Fingerprint, made: Fingerprint) -> bool:
    """Whether a folder that had to be looked at again has nothing new to be remembered."""
    moments = (recorded.mtime_ns, recorded.inode, recorded.folders, recorded.options)
    return (
        recorded.again
        and made.again
        and recorded.digest == made.digest
        and moments == (made.mtime_ns, made.inode, made.folders, made.options)
    )


def _discovered(key: str, fingerprint: str, listing: Listing) -> Discovered:
    return Discovered(
        key=key,
        fingerprint=fingerprint,
        manifest_sha256=listing.digest if listing.files else None,
        type=TYPE,
        action=ACTION,
        items=len(listing.files) + len(listing.sidecars),
        bytes=listing.bytes,
        reason=None if listing.files else REASONS["still_written"],
        detail=describe(listing),
    )


def describe(listing: Listing) -> dict[str, object]:
    """What is recorded of a folder, for people."""
    facts = {"ignored": listing.ignored, "left_for_later": len(listing.young)}
    return {"folder": printable(listing.folder), **{k: v for k, v in facts.items() if v}}
