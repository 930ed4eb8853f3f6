"""What people do to many things at once: pages and the API start it here, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console
from lading.operations.filters import Raw
from lading.operations.values import Operation, Preview, Resource, Selection, Targets, Verb


def select_matching(
    console: Console, caller: Caller, resource: Resource | str, filters: Raw
) -> Selection:
    """Select everything that matches now. Raises `BadFilter`."""
    caller.require(Permission.OPERATE)
    return console.operations.select(resource, filters, actor=caller.actor)


def select_ids(
    console: Console, caller: Caller, resource: Resource | str, ids: Collection[int]
) -> Selection:
    """Select things by number. Raises `TargetMissing`."""
    caller.require(Permission.OPERATE)
    return console.operations.select_ids(resource, ids, actor=caller.actor)


def change_selection(
    console: Console,
    caller: Caller,
    key: str,
    *,
    add: Collection[int] = (),
    remove: Collection[int] = (),
) -> Selection:
    """Put things into a selection and take others out.

    Raises `UnknownSelection`, `TargetMissing`, `SelectionClosed`.
    """
    caller.require(Permission.OPERATE)
    return console.operations.change_selection(key, add=add, remove=remove)


def preview_operation(
    console: Console,
    caller: Caller,
    verb: Verb | str,
    targets: Targets,
    params: Mapping[str, Any] | None = None,
) -> Preview:
    """What an operation would do now. Raises what `start_operation` raises."""
    caller.require(Permission.OPERATE)
    return console.operations.preview(verb, targets, params)


def start_operation(
    console: Console,
    caller: Caller,
    verb: Verb | str,
    targets: Targets,
    params: Mapping[str, Any] | None = None,
) -> Operation:
    """Do `verb` to the targets: few now, many by a job.

    Raises `BadOperation`, `UnknownSelection`, `TargetMissing`, `UnknownSite`, `UnknownPackage`.
    """
    caller.require(Permission.OPERATE)
    return console.operations.start(verb, targets, params, actor=caller.actor)


def preview_undo(console: Console, caller: Caller, key: str) -> Preview:
    """What taking back an operation would do now. Raises `UnknownOperation`, `NotUndoable`."""
    caller.require(Permission.OPERATE)
    return console.operations.preview_undo(key)


def undo_operation(console: Console, caller: Caller, key: str) -> Operation:
    """Take back what an operation changed. Raises `UnknownOperation`, `NotUndoable`."""
    caller.require(Permission.OPERATE)
    return console.operations.undo(key, actor=caller.actor)
