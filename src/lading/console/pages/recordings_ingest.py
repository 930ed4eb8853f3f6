"""Taking one recording in: which way, what speaks against it, what to do about a conflict (E6)."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.catalog.values import Policy
from lading.console.actions.recordings import request_ingest, require_mode
from lading.console.listing import Field, read_query
from lading.console.pages.forms import Form, one, required, see_other, with_parameters
from lading.console.pages.recordings import following
from lading.console.parts import Console
from lading.console.readers.recordings_jobs import lines_of, read_jobs
from lading.console.readers.recordings_lines import RECORDINGS, ingest_url, recording_url
from lading.console.readers.recordings_plan import PATH_WORDS, PATHS, read_plan
from lading.console.recordings_words import BOTH, POLICY_WORDS
from lading.console.render import page
from lading.console.security.guards import requires

FIELDS: Final = (
    Field("source", "Source"),
    Field("id", "Recording"),
    Field("mode", "Way", {path: PATH_WORDS[path] for path in PATHS}),
)


def routes() -> list[HTTPRouteHandler]:
    """The plan for a recording, and doing it."""
    return [ingest_page, ingest]


@get(
    "/recordings/ingest",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def ingest_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str] | Redirect:
    """The way that fits, as a checklist; everything is only read."""
    query = read_query(request, FIELDS)
    recording_id, mode = query.one("id"), query.one("mode")
    if recording_id is None:
        return see_other(RECORDINGS)
    require_mode(mode or "")
    plan = read_plan(console, query.one("source"), recording_id, path=mode)
    about = [recording_id, plan.recording_hash or recording_id]
    jobs = lines_of(console, read_jobs(console, about=about))
    here = ingest_url(plan.source, recording_id)
    return page(
        console,
        caller,
        "pages/recording_ingest.html",
        section=RECORDINGS,
        crumbs=[("Recordings", RECORDINGS)],
        live="topics=engine,recordings" + following(jobs),
        query=query,
        plan=plan,
        mode=mode,
        jobs=jobs,
        here=here,
        others=[
            (PATH_WORDS[path], with_parameters(here, mode=path))
            for path in PATHS
            if path != plan.path
        ],
        policies=POLICY_WORDS,
        choices=_choices(),
        both=BOTH,
        page_of=recording_url(plan.source, plan.recording_hash)
        if plan.recording_hash and (plan.settled or plan.conflict)
        else None,
    )


@post(
    "/recordings/ingest",
    guards=[requires(Permission.OPERATE)],
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def ingest(
    console: NamedDependency[Console], caller: NamedDependency[Caller], data: Form
) -> Redirect:
    """Take it in; leads to the operation, or back to the plan with its job."""
    recording_id = required(data, "id")
    plan, asked = request_ingest(
        console,
        caller,
        one(data, "source") or None,
        recording_id,
        mode=one(data, "mode"),
        on_conflict=one(data, "on_conflict") or Policy.ERROR.value,
        typed=one(data, "typed"),
    )
    if asked.operation is not None:
        return see_other(f"/operations/{asked.operation}")
    return see_other(ingest_url(plan.source, recording_id))


def _choices() -> list[tuple[str, str, str]]:
    """What can be chosen about a conflict, with what it means; the first changes nothing."""
    found = [(policy.value, word, meaning) for policy, (word, meaning) in POLICY_WORDS.items()]
    both = (BOTH, "Extend and merge participants", "Both of the above, as for half of a session.")
    return [*found[:3], both, *found[3:]]
