"""Sorting photos, previewed, started and taken back; pages and the API do it here alone.

Files are moved on disk, but none is lost or written over and every run can be taken back: it asks
for the permission that scans, imports and the trash ask for.
"""

from __future__ import annotations

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console
from lading.sorting.previews import Preview
from lading.sorting.values import SortRun, Wanted


def wanted_of(
    console: Console,
    *,
    source: str,
    folder: str = "",
    target: str = "",
    pattern: str = "",
    undated: str = "",
    set_aside: bool = False,
) -> Wanted:
    """What is to be sorted; what is empty is as the settings have it, the target the source."""
    chosen = console.lading.settings.sorting
    return Wanted(
        source=source,
        target=target or source,
        folder=folder.removesuffix("/"),
        pattern=pattern or chosen.pattern,
        undated=undated or chosen.undated,
        duplicates=chosen.duplicates,
        set_aside=set_aside,
    )


def preview_sorting(
    console: Console,
    caller: Caller,
    wanted: Wanted,
    *,
    cursor: str | None = None,
    not_this: str = "",
) -> Preview:
    """Where each file would be moved; it may be under way still, and nothing is written.

    Raises as `Sorting.check`. `cursor` and `not_this` are as in `Previews.of`.
    """
    caller.require(Permission.OPERATE)
    return console.sort_previews.of(wanted, cursor=cursor, not_this=not_this)


def start_sorting(
    console: Console, caller: Caller, wanted: Wanted, *, accepted: str | None
) -> SortRun:
    """Have a worker sort. With the word of a preview, exactly what it showed, or nothing.

    Raises as `Sorting.check`.
    """
    caller.require(Permission.OPERATE)
    return console.lading.sorting.start(wanted, actor=caller.actor, accepted=accepted)


def undo_sorting(console: Console, caller: Caller, key: str, *, dry_run: bool = False) -> SortRun:
    """Have a worker put back what a run moved. Raises `UnknownSort`, `SortNotUndoable`."""
    caller.require(Permission.OPERATE)
    if dry_run:
        return console.lading.sorting.preview_undo(key)
    return console.lading.sorting.undo(key, actor=caller.actor)
