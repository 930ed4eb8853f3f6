"""Settings for faces are adopted, from a run or an earlier version, with what is judged anew."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.actions.people_lab import AdoptedAnswer, adopt_again, adopt_tried
from lading.console.lab_words import SETTING_WORDS, THRESHOLDS, changes_in_words, read_draft
from lading.console.listing import Field, read_query
from lading.console.pages.forms import (
    BadForm,
    Form,
    Number,
    one,
    required,
    see_other,
    with_parameters,
)
from lading.console.pages.people import PEOPLE
from lading.console.pages.people_lab import CRUMBS
from lading.console.parts import Console
from lading.console.readers.people_lab import (
    VERSIONS,
    AdoptPlan,
    plan_for_run,
    plan_for_version,
    read_versions,
    run_url,
)
from lading.console.readers.people_lab_run import read_run_line
from lading.console.render import page
from lading.console.security.guards import requires
from lading.media.faces.settings import FaceSettings
from lading.people.adopted import changed_settings
from lading.people.adopting import SCOPE_MEANINGS, Scope
from lading.people.errors import SettingsAdoptedMeanwhile, UnknownLabRun

SCOPE_WORDS: Final = {
    Scope.NEW: "New faces only",
    Scope.UNIDENTIFIED: "Unidentified faces",
    Scope.EVERYTHING: "Everything",
}


def routes() -> list[HTTPRouteHandler]:
    """What adopting would mean, doing it, and the versions."""
    return [adopt_page, adopt, versions_page, version_page, adopt_version_again]


@get(
    "/people/lab/{run_id:int}/adopt",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def adopt_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    run_id: Number,
) -> Response[str]:
    """What adopting the thresholds in the address would mean."""
    query = read_query(request, [Field(name, SETTING_WORDS[name]) for name in THRESHOLDS])
    given = {name: query.one(name) or "" for name in THRESHOLDS}
    settings = _chosen(console, run_id, given)
    return _plan_page(console, caller, plan_for_run(console, run_id, settings))


@post(
    "/people/lab/{run_id:int}/adopt",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def adopt(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    run_id: Number,
    data: Form,
) -> Response[Any]:
    """Let them hold; leads to the versions, or tells both if others hold meanwhile (409)."""
    settings = _chosen(console, run_id, {name: one(data, name) for name in THRESHOLDS})
    try:
        done = adopt_tried(
            console,
            caller,
            run_id,
            settings.matching,
            scope=_scope(data),
            expected=_held(data),
        )
    except SettingsAdoptedMeanwhile as error:
        plan = plan_for_run(console, run_id, settings)
        return _plan_page(console, caller, plan, conflict=error, chosen=_scope(data))
    return see_other(_told(done))


@get(VERSIONS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def versions_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """The settings that hold, and all that held before."""
    query = read_query(request, [Field("adopted", "Adopted", kind="number")])
    found = read_versions(console, cursor=query.cursor, limit=query.limit)
    return page(
        console,
        caller,
        "pages/people_lab_versions.html",
        section=PEOPLE,
        crumbs=CRUMBS,
        query=query,
        found=found,
        adopted=query.number("adopted"),
        words=changes_in_words,
        setting_words=SETTING_WORDS,
    )


@get(
    "/people/lab/versions/{version:int}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def version_page(
    console: NamedDependency[Console], caller: NamedDependency[Caller], version: Number
) -> Response[str]:
    """What letting an earlier version hold again would mean."""
    return _plan_page(console, caller, plan_for_version(console, version))


@post(
    "/people/lab/versions/{version:int}",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def adopt_version_again(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    version: Number,
    data: Form,
) -> Response[Any]:
    """Let it hold again; leads to the versions, or tells both if others hold meanwhile (409)."""
    try:
        done = adopt_again(console, caller, version, scope=_scope(data), expected=_held(data))
    except SettingsAdoptedMeanwhile as error:
        plan = plan_for_version(console, version)
        return _plan_page(console, caller, plan, conflict=error, chosen=_scope(data))
    return see_other(_told(done))


def _plan_page(
    console: Console,
    caller: Caller,
    plan: AdoptPlan,
    *,
    conflict: SettingsAdoptedMeanwhile | None = None,
    chosen: Scope = Scope.NEW,
) -> Response[str]:
    settings = plan.settings
    values = settings.as_dict()
    if plan.run is not None:
        here = f"{run_url(plan.run.id)}/adopt"
        thresholds = {name: str(values[name]) for name in THRESHOLDS}
        back = with_parameters(run_url(plan.run.id), **thresholds)
    else:
        here, thresholds, back = f"{VERSIONS}/{plan.version}", {}, VERSIONS
    return page(
        console,
        caller,
        "pages/people_lab_adopt.html",
        section=PEOPLE,
        crumbs=[*CRUMBS, (f"Run {plan.run.id}", back)]
        if plan.run
        else [*CRUMBS, ("Versions", VERSIONS)],
        status_code=409 if conflict else 200,
        plan=plan,
        conflict=conflict,
        chosen=chosen,
        here=here,
        back=back,
        thresholds=thresholds,
        changed=changes_in_words(changed_settings(plan.held.settings, settings)),
        consequences=settings.consequences(),
        setting_words=SETTING_WORDS,
        scope_words=SCOPE_WORDS,
        scope_meanings=SCOPE_MEANINGS,
    )


def _chosen(console: Console, run_id: int, given: dict[str, str]) -> FaceSettings:
    """The settings of a run with these thresholds. Raises `UnknownLabRun`, `BadForm`."""
    line, held = read_run_line(console, run_id)
    if not line.run.finished:
        raise UnknownLabRun("the lab run has no result yet", subject=f"run {run_id}")
    draft = read_draft(given, line.run.settings, held.settings, names=THRESHOLDS)
    if draft.settings is None:
        wrong = draft.errors[0]
        raise BadForm(
            "a threshold cannot be so", subject=wrong.name, expected=wrong.error, found=wrong.text
        )
    return draft.settings


def _scope(data: Form) -> Scope:
    text = required(data, "scope")
    if text not in list(Scope):
        raise BadForm("there is no such scope", subject="scope", expected=", ".join(Scope))
    return Scope(text)


def _held(data: Form) -> int:
    text = required(data, "held")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadForm("this is a number of a version", subject="held", found=text[:50])
    return int(text)


def _told(done: AdoptedAnswer) -> str:
    return f"{VERSIONS}?adopted={done.version}"
