"""Finds recordings' folders below the roots of a network drive or disk (E5, E11)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lading.base.errors import LadingError
from lading.sources.recordings.layout import MANIFEST, NODE_MANIFESTS, is_data
from lading.storage.roots import RootMissing, source_fault

DEPTH_MAX: Final = 4
"""How many folders deep below a root recordings are looked for."""
_NAMED: Final = "rec_"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder that could not be looked into."""

    folder: Path
    error: LadingError


def recording_folders(root: Path) -> Iterator[Path | Unreadable]:
    """The folders of recordings at or below `root`, in order, one folder's names in memory.

    A recording has a manifest, or those of its nodes, or a name such as `rec_20260520_195628_b1dd`.
    A folder that holds folders with such names is none itself. Links are not followed; folders of
    the system and those whose names begin with a dot are left out.
    """
    if not root.is_dir():
        yield Unreadable(root, RootMissing("There is no such folder", subject=str(root)))
        return
    yield from _below(root, DEPTH_MAX)


def _below(folder: Path, depth: int) -> Iterator[Path | Unreadable]:
    try:
        with os.scandir(folder) as entries:
            found = [(each.name, each.is_dir(follow_symlinks=False)) for each in entries]
    except OSError as error:
        yield Unreadable(folder, source_fault(error, str(folder)))
        return
    names = {name for name, _ in found}
    folders = sorted(name for name, is_dir in found if is_dir and is_data(name))
    holds_others = any(name.startswith(_NAMED) for name in folders)
    described = MANIFEST in names or NODE_MANIFESTS in names
    if folder.name.startswith(_NAMED) or (described and not holds_others):
        yield folder
    elif depth > 0:
        for name in folders:
            yield from _below(folder / name, depth - 1)
