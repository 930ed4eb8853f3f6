"""Operations: the same done to many things, previewed, with the result of each, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions.operations import (
    preview_operation,
    preview_undo,
    start_operation,
    undo_operation,
)
from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    DryRun,
    Export,
    Form,
    Id,
    Instant,
    Limit,
    Name,
    States,
    Word,
    Words,
    also,
    asked,
    creates,
    reads,
    require_beginning,
)
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.counted import count_operations
from lading.console.readers.operations import preview_sentence, read_operations
from lading.db.counting import Count
from lading.operations.queries import OperationFilter
from lading.operations.states import FINAL_OPERATION_STATES, OperationState, TargetOutcome
from lading.operations.values import Operation, Preview, Resource, Result, Targets, Verb

TAG: Final = "operations"
IDS_MAX: Final = 10_000
FIELDS: Final = (
    Field("verb", "What", {verb.value: verb.value for verb in Verb}),
    Field("state", "State", {state.value: state.value for state in OperationState}),
    Field("actor", "Who"),
    Field("since", "Since", kind="instant"),
)
OUTCOMES: Final = (Field("outcome", "Outcome", {o.value: o.value for o in TargetOutcome}),)


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldBe:
    """What an operation would do if it were started now."""

    dry_run: bool
    sentence: str
    preview: Preview


class OperationBody(Body, frozen=True):
    """What is to be done, to a selection or to things of one resource by number."""

    verb: Verb
    selection: Name | None = None
    resource: Resource | None = None
    ids: Annotated[list[Id], msgspec.Meta(max_length=IDS_MAX)] = msgspec.field(default_factory=list)
    params: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def targets(self) -> Targets:
        """What it is to be done to."""
        return Targets(selection=self.selection, resource=self.resource, ids=self.ids)


def routes() -> list[HTTPRouteHandler]:
    """The list, one operation, its results, starting and undoing."""
    return [list_operations, one_operation, results, start, undo]


def answer_of(done: Operation) -> Response[Operation | WouldBe]:
    """200 for what is done, 202 for what a worker will do."""
    return Response(
        done,
        status_code=200 if done.state in FINAL_OPERATION_STATES else 202,
        headers={"Location": f"{BASE}/operations/{done.key}"},
    )


def would_be(preview: Preview) -> Response[Operation | WouldBe]:
    """The answer to a dry run."""
    answer = WouldBe(dry_run=True, sentence=preview_sentence(preview), preview=preview)
    return Response(answer, status_code=200)


@reads("/operations", "Operations, the newest first", tag=TAG)
def list_operations(
    console: NamedDependency[Console],
    *,
    verb: Words = None,
    states: States = None,
    actor: Word = None,
    since: Instant = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[Operation]:
    """A page of operations."""
    given = {"verb": verb, "state": states, "actor": actor, "since": since}
    query = asked(FIELDS, given, cursor=cursor, limit=limit)
    filters = OperationFilter(
        actor=query.one("actor"),
        verbs=[Verb(value) for value in query.many("verb")],
        states=[OperationState(value) for value in query.many("state")],
        since=query.instant("since"),
    )
    page = read_operations(console, filters, cursor=query.cursor, limit=limit)
    return many(page.operations, page, count_operations(console, filters))


@reads("/operations/{key:str}", "One operation as it stands", tag=TAG)
def one_operation(console: NamedDependency[Console], key: FromPath[str]) -> Operation:
    """One operation."""
    return console.operations.get(key)


@reads(
    "/operations/{key:str}/results",
    "What became of each target",
    tag=TAG,
    operation_class=Export,
)
def results(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    outcome: Words = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[Result]]:
    """A page of results, or all of them."""
    query = asked(OUTCOMES, {"outcome": outcome}, cursor=cursor, limit=limit)
    outcomes = [TargetOutcome(value) for value in query.many("outcome")]
    found = console.operations.get(key)
    if form == "json":
        page = console.operations.results(key, outcome=outcomes, cursor=query.cursor, limit=limit)
        count = Count(sum(found.totals[one] for one in outcomes or TargetOutcome))
        return Response(many(page.results, page, count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[Result], str | None]:
        page = console.operations.results(key, outcome=outcomes, cursor=after, limit=EXPORT_PAGE)
        return page.results, page.next_cursor

    return export(f"results-{found.id}", form, fetch, Result)


@creates(
    "/operations",
    "Do something to many things; with dry_run, say what would be done",
    tag=TAG,
    permission=Permission.OPERATE,
    responses=also(202, Operation, "A worker does it."),
)
def start(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[OperationBody],
    *,
    dry_run: DryRun = False,
) -> Response[Operation | WouldBe]:
    """Start an operation, or preview it."""
    if dry_run:
        return would_be(preview_operation(console, caller, data.verb, data.targets, data.params))
    return answer_of(start_operation(console, caller, data.verb, data.targets, data.params))


@creates(
    "/operations/{key:str}/undo",
    "Take back what an operation changed",
    tag=TAG,
    permission=Permission.OPERATE,
    responses=also(202, Operation, "A worker does it."),
)
def undo(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    *,
    dry_run: DryRun = False,
) -> Response[Operation | WouldBe]:
    """Undo an operation: by another one, which is the answer."""
    if dry_run:
        return would_be(preview_undo(console, caller, key))
    return answer_of(undo_operation(console, caller, key))
