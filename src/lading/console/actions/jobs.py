"""What is done to all failed jobs of one reason; the rest is in `operations`."""

from __future__ import annotations

from lading.accounts.values import Caller, Permission
from lading.console.actions.operations import select_matching, start_operation
from lading.console.parts import Console
from lading.jobs.states import JobState
from lading.operations.values import Operation, Resource, Selection, Targets, Verb


def select_failed(console: Console, caller: Caller, *, kind: str, reason: str) -> Selection:
    """Select the failed jobs of one kind and reason, as they are now."""
    caller.require(Permission.OPERATE)
    filters = {"states": JobState.FAILED.value, "kinds": kind, "reason": reason}
    return select_matching(
        console, caller, Resource.JOBS, {name: text for name, text in filters.items() if text}
    )


def retry_selected(console: Console, caller: Caller, selection: str) -> Operation:
    """Retry what is in a selection. Raises `UnknownSelection`."""
    caller.require(Permission.OPERATE)
    return start_operation(console, caller, Verb.RETRY, Targets(selection=selection))
