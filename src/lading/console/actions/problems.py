"""What is done about a group of problems, by a page or the API: retry it, take note of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console
from lading.operations.problem_desk import Attempt
from lading.operations.values import Operation, Preview, Verb


def retry_problem(console: Console, caller: Caller, fingerprint: str) -> Attempt:
    """Queue the batches, run the jobs or scan the source again. Raises `UnknownProblem`."""
    caller.require(Permission.OPERATE)
    done = console.operations.problems.retry(fingerprint, actor=caller.actor)
    console.engine.forget()
    return done


def preview_problem(
    console: Console,
    caller: Caller,
    fingerprint: str,
    verb: Verb,
    params: Mapping[str, Any] | None = None,
) -> Preview | None:
    """What acknowledging or retrying a group would do now; None for a source.

    Raises `UnknownProblem` and `BadOperation`.
    """
    caller.require(Permission.OPERATE)
    return console.operations.problems.preview(fingerprint, verb, params)


def acknowledge_problem(
    console: Console,
    caller: Caller,
    fingerprint: str,
    *,
    note: str | None = None,
    snooze_s: float | None = None,
) -> Operation | None:
    """Hide a group until it changes, or for so long. Raises `UnknownProblem`, `BadOperation`."""
    caller.require(Permission.OPERATE)
    done = console.operations.problems.acknowledge(
        fingerprint, actor=caller.actor, note=note, snooze_s=snooze_s
    )
    console.engine.forget()
    return done


def unacknowledge_problem(console: Console, caller: Caller, fingerprint: str) -> Operation | None:
    """Show a group again. Raises `UnknownProblem`."""
    caller.require(Permission.OPERATE)
    done = console.operations.problems.unacknowledge(fingerprint, actor=caller.actor)
    console.engine.forget()
    return done
