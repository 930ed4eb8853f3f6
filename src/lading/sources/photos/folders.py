"""Lists one folder: its pictures and videos with their sidecars, and the folders in it.

Kinds are told by the endings of names, so that nothing is opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from lading.media.kind import types_by_name
from lading.media.rules import SIDECARS, sidecar_kind
from lading.sources.photos.deriving import stamp_of
from lading.sources.photos.options import PhotosOptions
from lading.sources.photos.pairing import belonging
from lading.sources.photos.rules import (
    SeenFile,
    is_ignored,
    is_shortened,
    is_utf8,
    is_young,
    key_of,
    listing_digest,
)
from lading.storage.roots import FileMissing, SafeRoot, source_fault

ROOT_KEY: Final = "."


@dataclass(slots=True)
class Listing:
    """What is in a folder: files to be taken in by name, and the names of the folders in it.

    `young` are names of files that are left for later; `ignored` counts what is neither. `digest`
    tells this state of the folder from another. Without `there`, there is no such folder.
    """

    folder: str
    files: list[SeenFile] = field(default_factory=list)
    sidecars: list[SeenFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    young: list[str] = field(default_factory=list)
    ignored: int = 0
    digest: str = listing_digest(())
    there: bool = True

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.stamp.size_bytes for file in self.seen())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be taken in, now or later."""
        return not self.files and not self.young

    def seen(self) -> Iterator[SeenFile]:
        """The files, pictures and videos first."""
        yield from self.files
        yield from self.sidecars


def list_folder(root: SafeRoot, folder: str, options: PhotosOptions) -> Listing:
    """Look at a folder and at each of its pictures and videos. Raises as `SafeRoot.open` does."""
    listing = Listing(folder)
    now_ns = time.time_ns()
    sidecars: list[SeenFile] = []
    young: list[str] = []
    for entry in root.names(folder):
        name = entry.name
        if is_ignored(name, options.ignore):
            listing.ignored += 1
            continue
        media = is_media(name)
        # Most entries are files to be looked at, so that is asked first.
        if not ((media or is_sidecar(name)) and entry.is_file(follow_symlinks=False)):
            if entry.is_dir(follow_symlinks=False):
                listing.folders.append(name)
            else:
                listing.ignored += 1
            continue
        status = _status(entry, folder)
        if status is None:
            continue
        if is_young(status.st_ctime_ns, now_ns, options.stable_for_s):
            (listing.young if media else young).append(name)
            continue
        inode = status.st_ino if options.inodes else 0
        stamp = stamp_of(status.st_size, status.st_mtime_ns, inode)
        (listing.files if media else sidecars).append(SeenFile(name, stamp))
    listing.files.sort(key=attrgetter("name"))
    listing.folders.sort()
    _pair(listing, sidecars, young)
    listing.digest = listing_digest(listing.seen())
    return listing


def is_media(name: str) -> bool:
    """Whether a name stands for a picture or video that is looked into."""
    return bool(types_by_name(name))


def is_sidecar(name: str) -> bool:
    """Whether a name stands for metadata of another file."""
    return sidecar_kind(name) is not None


def folder_key(folder: str) -> str:
    """The batch key of a folder, given by its path below the root."""
    return key_of(folder) if folder else ROOT_KEY


def folder_of(root: SafeRoot, key: str) -> str | None:
    """The path of the folder that a batch key stands for; None when it is not found.

    The path of a shortened key is looked for where its beginning leads.
    """
    if key == ROOT_KEY:
        return ""
    return _find(root, "", key) if is_shortened(key) else key


def is_folder(root: SafeRoot, folder: str, options: PhotosOptions) -> bool:
    """Whether a walk of the tree would come to this folder; names count as the system has them.

    Raises as `SafeRoot.open` does where that cannot be told.
    """
    above = ""
    for name in folder.split("/") if folder else ():
        if is_ignored(name, options.ignore):
            return False
        try:
            there = any(
                entry.name == name and entry.is_dir(follow_symlinks=False)
                for entry in root.names(above)
            )
        except FileMissing:
            return False
        if not there:
            return False
        above = f"{above}/{name}" if above else name
    return True


def lies_below(key: str, folder: str) -> bool:
    """Whether the folder of a batch key is this one, or surely below it."""
    if not folder or key == folder:
        return True
    # What a shortened key shows may be written otherwise, but for backslashes.
    sure = not is_shortened(key) or "\\" not in folder
    return sure and not is_shortened(folder) and key.startswith(f"{folder}/")


def _find(root: SafeRoot, folder: str, key: str) -> str | None:
    beginning = key[: key.rindex("…")]
    try:
        names = [e.name for e in root.names(folder) if e.is_dir(follow_symlinks=False)]
    except FileMissing:
        return None
    for name in names:
        path = f"{folder}/{name}" if folder else name
        if key_of(path) == key:
            return path
        shown = key_of(path).partition("…")[0]
        if beginning.startswith(shown) or shown.startswith(beginning):
            found = _find(root, path, key)
            if found is not None:
                return found
    return None


def _status(entry: os.DirEntry[str], folder: str) -> os.stat_result | None:
    """What the system says of an entry; None when it went away meanwhile."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise source_fault(error, f"{folder}/{entry.name}" if folder else entry.name) from error


def _pair(listing: Listing, sidecars: list[SeenFile], young: list[str]) -> None:
    """Give each sidecar to its picture or video; one that has none is ignored.

    One that is young, or whose picture is, is left for later.
    """
    if not sidecars and not young:
        return
    seen = [file.name for file in (*listing.files, *sidecars)]
    names = [name for name in (*seen, *listing.young, *young) if is_utf8(name)]
    belongs = {one.name: one.to for one in belonging(names) if one.companion in SIDECARS.values()}
    waiting = {*listing.young, *young}
    for name in young:
        if name in belongs:
            listing.young.append(name)
        else:
            listing.ignored += 1
    for file in sorted(sidecars, key=lambda file: file.name):
        of = belongs.get(file.name)
        if of is None:
            listing.ignored += 1
        elif of in waiting:
            listing.young.append(file.name)
        else:
            listing.sidecars.append(SeenFile(file.name, file.stamp, of=of))
