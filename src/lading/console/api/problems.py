"""Open problems by reason, and what is done about a whole group: acknowledge, snooze, retry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions.problems import (
    acknowledge_problem,
    preview_problem,
    retry_problem,
    unacknowledge_problem,
)
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    Body,
    Cursor,
    DryRun,
    Limit,
    Text,
    Word,
    creates,
    reads,
    whole,
)
from lading.console.parts import Console
from lading.console.readers.problems import ProblemCard, ProblemLine, read_problem, read_problems
from lading.db.counting import Count
from lading.operations.params import SNOOZE_MAX_S
from lading.operations.problem_desk import Attempt
from lading.operations.problems import ProblemGroup
from lading.operations.values import Operation, Preview, Verb

TAG: Final = "problems"
Hidden = Annotated[bool, QueryParameter(description="Also those that were acknowledged.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemAnswer:
    """One group, and a page of its problems."""

    group: ProblemGroup
    problems: Many[ProblemLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDone:
    """What was begun about a group: an operation, or of a source a job, or nothing to wait for.

    A dry run has the preview of the operation, if it is one.
    """

    dry_run: bool
    operation: Operation | None
    job_id: int | None
    preview: Preview | None


class AckBody(Body, frozen=True):
    """What whoever comes next should know."""

    note: Text | None = None


class SnoozeBody(Body, frozen=True):
    """For how long a group is hidden, and why."""

    snooze_s: Annotated[float, msgspec.Meta(gt=0, le=SNOOZE_MAX_S)]
    note: Text | None = None


def routes() -> list[HTTPRouteHandler]:
    """The groups, one of them, and what is done about it."""
    return [list_problems, one_problem, ack, snooze, unack, retry]


@reads("/problems", "Groups of open problems, the latest first", tag=TAG)
def list_problems(
    console: NamedDependency[Console],
    *,
    source: Word = None,
    with_acknowledged: Hidden = False,
) -> Many[ProblemCard]:
    """All groups, with samples."""
    found = read_problems(console, with_acknowledged=with_acknowledged, source=source or None)
    return whole(found.cards)


@reads("/problems/{fingerprint:str}", "One group, problem by problem", tag=TAG)
def one_problem(
    console: NamedDependency[Console],
    fingerprint: FromPath[str],
    *,
    with_acknowledged: Hidden = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ProblemAnswer:
    """One group and a page of its problems."""
    found = read_problem(
        console,
        fingerprint,
        with_acknowledged=with_acknowledged,
        cursor=cursor or None,
        limit=limit,
    )
    group = found.card.group
    return ProblemAnswer(group=group, problems=many(found.lines, found, Count(group.count)))


@creates(
    "/problems/{fingerprint:str}/ack",
    "Hide a group until it changes",
    tag=TAG,
    permission=Permission.OPERATE,
)
def ack(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    data: JSONBody[AckBody],
    *,
    dry_run: DryRun = False,
) -> ProblemDone:
    """Take note of a group."""
    params = {"note": data.note}
    return _acknowledge(console, caller, fingerprint, params, dry_run=dry_run)


@creates(
    "/problems/{fingerprint:str}/snooze",
    "Hide a group for some time",
    tag=TAG,
    permission=Permission.OPERATE,
)
def snooze(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    data: JSONBody[SnoozeBody],
    *,
    dry_run: DryRun = False,
) -> ProblemDone:
    """Put a group off."""
    params = {"note": data.note, "snooze_s": data.snooze_s}
    return _acknowledge(console, caller, fingerprint, params, dry_run=dry_run)


def _acknowledge(
    console: Console, caller: Caller, fingerprint: str, params: dict[str, Any], *, dry_run: bool
) -> ProblemDone:
    if dry_run:
        return _foreseen(preview_problem(console, caller, fingerprint, Verb.ACKNOWLEDGE, params))
    return _done(Attempt(acknowledge_problem(console, caller, fingerprint, **params)))


@creates(
    "/problems/{fingerprint:str}/unack",
    "Show a group again",
    tag=TAG,
    permission=Permission.OPERATE,
)
def unack(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    *,
    dry_run: DryRun = False,
) -> ProblemDone:
    """Take the note back."""
    if dry_run:
        return _foreseen(preview_problem(console, caller, fingerprint, Verb.UNACKNOWLEDGE))
    return _done(Attempt(unacknowledge_problem(console, caller, fingerprint)))


@creates(
    "/problems/{fingerprint:str}/retry",
    "Try all of a group again",
    tag=TAG,
    permission=Permission.OPERATE,
)
def retry(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    fingerprint: FromPath[str],
    *,
    dry_run: DryRun = False,
) -> ProblemDone:
    """Queue the batches, run the jobs, or scan the source again."""
    if dry_run:
        return _foreseen(preview_problem(console, caller, fingerprint, Verb.RETRY))
    return _done(retry_problem(console, caller, fingerprint))


def _foreseen(preview: Preview | None) -> ProblemDone:
    return ProblemDone(dry_run=True, operation=None, job_id=None, preview=preview)


def _done(attempt: Attempt) -> ProblemDone:
    return ProblemDone(
        dry_run=False, operation=attempt.operation, job_id=attempt.job_id, preview=None
    )
