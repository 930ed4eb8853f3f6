"""Operations: one verb on many things, seen before it is done, then with what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.console.actions.operations import (
    preview_operation,
    select_ids,
    start_operation,
    undo_operation,
)
from lading.console.listing import Field, read_query
from lading.console.live.fragments import Fragment, Fragments, Rows, Visible
from lading.console.live.ticks import Tick
from lading.console.pages.forms import (
    BadForm,
    Form,
    local_path,
    numbers,
    one,
    required,
    see_other,
    with_parameters,
)
from lading.console.pages.import_media import PRIORITIES
from lading.console.pages.selections import selection_of_form
from lading.console.parts import Console
from lading.console.readers.operations import (
    LIST_OF,
    NO_UNDO,
    NOUNS,
    VERB_WORDS,
    list_url,
    preview_sentence,
    read_operations,
    read_preview_facts,
    read_results,
    sentence_of,
    title_of,
    told,
    told_of,
    told_of_job,
    verb_label,
)
from lading.console.render import page, row_shell
from lading.console.security.guards import requires
from lading.jobs.values import PRIORITY_DEFAULT
from lading.operations.queries import OperationFilter
from lading.operations.states import OperationState, TargetOutcome
from lading.operations.values import Operation, Resource, Targets, Verb

PARAMETERS: Final = (
    "priority",
    "why",
    "note",
    "snooze_s",
    "site",
    "package",
    "check_bytes",
    "with_dependents",
    "by",
    "shift_s",
    "at",
    "offset",
    "step_s",
    "operation",
)
_TAKES: Final[Mapping[Verb, frozenset[str]]] = {
    Verb.QUEUE: frozenset({"priority"}),
    Verb.PRIORITISE: frozenset({"priority"}),
    Verb.STOP: frozenset({"why"}),
    Verb.CANCEL: frozenset({"why"}),
    Verb.RETRY: frozenset({"with_dependents"}),
    Verb.ACKNOWLEDGE: frozenset({"note", "snooze_s"}),
    Verb.GRANT_SITE: frozenset({"site"}),
    Verb.REVOKE_SITE: frozenset({"site"}),
    Verb.ADD_TO_PACKAGE: frozenset({"package"}),
    Verb.REMOVE_FROM_PACKAGE: frozenset({"package"}),
    Verb.PREFLIGHT: frozenset({"check_bytes"}),
    Verb.SHIFT_TAKEN: frozenset({"by", "shift_s"}),
    Verb.SET_TAKEN: frozenset({"at", "offset", "step_s"}),
    Verb.RESTORE_TAKEN: frozenset({"operation"}),
}
"""What each verb asks for; a list's form has the fields of all its verbs together."""

OPERATION_WORDS: Final[Mapping[OperationState, str]] = {
    OperationState.QUEUED: "Queued",
    OperationState.RUNNING: "Running",
    OperationState.PAUSED: "Paused",
    OperationState.DONE: "Done",
    OperationState.FAILED: "Failed",
    OperationState.CANCELLED: "Cancelled",
}
LIST_FIELDS: Final = (
    Field(
        "verb",
        "What",
        {verb.value: verb_label(verb) for verb in VERB_WORDS},
    ),
    Field("state", "State", {state.value: word for state, word in OPERATION_WORDS.items()}),
    Field("actor", "Who"),
    Field("since", "Since", kind="instant"),
)
OUTCOME_TABS: Final = (
    (None, "All"),
    (TargetOutcome.DONE, "Done"),
    (TargetOutcome.SKIPPED, "Skipped"),
    (TargetOutcome.REFUSED, "Refused"),
    (TargetOutcome.FAILED, "Failed"),
)


class NothingSelected(RequestError):
    """Something was to be done to what is selected, and nothing is."""

    code = "nothing_selected"
    next_step = "Go back, tick what you mean, and choose again."


def routes() -> list[HTTPRouteHandler]:
    """The list of operations, one of them, and what starts and undoes them."""
    return [operations_page, operation_page, start, undo]


def live(fragments: Fragments) -> None:
    """What changes on the page of an operation, and in the note about one on other pages."""
    fragments.register("operation", _live_operation, rows=Rows.JOBS)
    fragments.register("told", _live_note, rows=Rows.JOBS)


@get(
    "/operations", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False
)
def operations_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """What people did to many things at once, newest first."""
    query = read_query(request, LIST_FIELDS)
    listed = read_operations(
        console,
        OperationFilter(
            actor=query.one("actor"),
            verbs=[Verb(value) for value in query.many("verb")],
            states=[OperationState(value) for value in query.many("state")],
            since=query.instant("since"),
        ),
        cursor=query.cursor,
        limit=query.limit,
    )
    return page(
        console,
        caller,
        "pages/operations.html",
        section="/operations",
        query=query,
        listed=listed,
        sentence_of=sentence_of,
        nouns=NOUNS,
        undo_for_s=console.operations.undo_for_s,
        told=told_of(console, query.done),
    )


@get(
    "/operations/{key:str}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def operation_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
) -> Response[str]:
    """One operation: what it was to do, and what became of each target."""
    choices = {outcome.value: word for outcome, word in OUTCOME_TABS if outcome is not None}
    query = read_query(request, [Field("outcome", "Outcome", choices)])
    found = console.operations.get(key)
    chosen = query.one("outcome")
    outcome = TargetOutcome(chosen) if chosen else None
    results = read_results(console, found, outcome=outcome, cursor=query.cursor, limit=query.limit)
    tabs = [
        (
            word,
            query.url(outcome=value.value if value else None),
            found.settled if value is None else found.totals[value],
        )
        for value, word in OUTCOME_TABS
    ]
    return page(
        console,
        caller,
        "pages/operation.html",
        section="/operations",
        crumbs=[("Operations", "/operations")],
        live=f"topics=engine,operation&job={found.job_id or ''}",
        query=query,
        operation=found,
        title=title_of(found.verb, found.resource, found.total, found.params),
        sentence=sentence_of(found),
        tabs=tabs,
        current_tab=query.url(outcome=chosen),
        results=results,
        nouns=NOUNS,
        no_undo=NO_UNDO.get(found.verb, "It cannot be undone."),
        selection_url=list_url(found.resource, found.filter),
        told=told_of(console, query.done),
    )


@post(
    "/operations",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def start(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: Form,
) -> Response[Any]:
    """Show what a verb would do (`preview=1`), or do it and go back to where it was asked for."""
    verb = _verb(required(data, "verb"))
    params = parameters_of(verb, data)
    targets = _targets(console, caller, data)
    if request.query_params.get("preview") or one(data, "preview"):
        return _preview(console, caller, verb, targets, params, back=one(data, "back"))
    started = start_operation(console, caller, verb, targets, params)
    back = one(data, "back")
    path = local_path(back, f"/operations/{started.key}")
    return see_other(with_parameters(path, done=started.key) if back else path)


@post(
    "/operations/{key:str}/undo",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
)
def undo(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: Form,
) -> Response[Any]:
    """Take back what an operation changed."""
    undone = undo_operation(console, caller, key)
    path = local_path(one(data, "back"), f"/operations/{undone.key}")
    return see_other(with_parameters(path, done=undone.key))


def parameters_of(verb: Verb, form: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in a form that this verb takes; what is wrong with them is said later."""
    takes = _TAKES.get(verb, frozenset())
    params: dict[str, Any] = {}
    for name in PARAMETERS:
        text = one(form, name)
        if not text or name not in takes:
            continue
        if name in {"check_bytes", "with_dependents"}:
            params[name] = text in {"1", "on", "true", "yes"}
        elif name == "snooze_s":
            params[name] = int(text) if text.isdigit() and len(text) < 12 else text
        else:
            params[name] = text
    return params


def _targets(console: Console, caller: Caller, form: Mapping[str, Any]) -> Targets:
    key = selection_of_form(console, caller, form)
    if key is not None:
        return Targets(selection=key)
    ids = numbers(form, "id")
    if not ids:
        raise NothingSelected("nothing is selected")
    return Targets(resource=_resource(required(form, "resource")), ids=ids)


def _verb(name: str) -> Verb:
    if name not in set(Verb):
        raise BadForm("there is no such verb", subject=name, expected=", ".join(Verb))
    return Verb(name)


def _resource(name: str) -> Resource:
    if name not in set(Resource):
        raise BadForm("there is no such resource", subject=name, expected=", ".join(Resource))
    return Resource(name)


def _preview(
    console: Console,
    caller: Caller,
    verb: Verb,
    targets: Targets,
    params: Mapping[str, Any],
    *,
    back: str,
) -> Response[str]:
    # What is shown is exactly what is done, also if something arrives meanwhile.
    if targets.selection is None and targets.resource is not None:
        selection = select_ids(console, caller, targets.resource, targets.ids)
    else:
        selection = console.operations.get_selection(str(targets.selection))
    if not selection.count:
        raise NothingSelected("nothing is selected")
    preview = preview_operation(
        console, caller, verb, replace(targets, selection=selection.key), params
    )
    return page(
        console,
        caller,
        "pages/operation_preview.html",
        section=LIST_OF[selection.resource],
        crumbs=[(_list_name(selection.resource), LIST_OF[selection.resource])],
        preview=preview,
        selection=selection,
        params=params,
        title=title_of(verb, selection.resource, selection.count, params),
        sentence=preview_sentence(preview),
        do=title_of(verb, selection.resource, preview.eligible + preview.auto_preflight, params),
        facts=read_preview_facts(console, preview, selection),
        priorities=PRIORITIES,
        priority_default=PRIORITY_DEFAULT,
        back=local_path(back, LIST_OF[selection.resource]),
        list_url=list_url(selection.resource, selection.filter),
    )


def _list_name(resource: Resource) -> str:
    """What the menu calls the list of this resource."""
    return "Import media" if resource is Resource.BATCHES else NOUNS[resource][1].capitalize()


def _live_note(console: Any, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    return [
        Fragment("told", console.renderer.fragment("parts/macros.html", "told", shell, told(found)))
        for found in _operations_of(console, visible)
    ]


def _live_operation(console: Any, caller: Caller, visible: Visible, _tick: Tick) -> list[Fragment]:
    shell = row_shell(caller)
    return [
        Fragment(
            "operation",
            console.renderer.fragment(
                "parts/operation_rows.html", "operation_state", shell, found, sentence_of(found)
            ),
        )
        for found in _operations_of(console, visible)
    ]


def _operations_of(console: Any, visible: Visible) -> list[Operation]:
    found = (told_of_job(console, job_id) for job_id in sorted(visible.jobs))
    return [operation for operation in found if operation is not None]
