"""Audit: who did what, when and why, before and after; every event of the ledger, none edited."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.listing import Field, ListQuery, read_query
from lading.console.parts import Console
from lading.console.readers.audit import action_words, read_audit
from lading.console.render import page
from lading.console.security.guards import requires
from lading.ledger.event_lists import EventFilter
from lading.ledger.events import event_kinds

AUDIT_FIELDS: Final = (
    Field("actor", "Who"),
    Field("action", "What", {kind: action_words(kind) for kind in event_kinds()}),
    Field("source", "Source"),
    Field("batch", "Batch number", kind="number"),
    Field("job", "Job number", kind="number"),
    Field("since", "Since", kind="instant"),
    Field("until", "Until", kind="instant"),
)


def routes() -> list[HTTPRouteHandler]:
    """The list of events."""
    return [audit_page]


@get("/audit", guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def audit_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One page of the audit."""
    query = read_query(request, AUDIT_FIELDS)
    return page(
        console,
        caller,
        "pages/audit.html",
        section="/audit",
        query=query,
        actions=AUDIT_FIELDS[1].choices,
        listed=read_audit(console, audit_filter(query), cursor=query.cursor, limit=query.limit),
        retention="for ever",
    )


def audit_filter(query: ListQuery) -> EventFilter:
    """What an address of the audit asks of the ledger."""
    return EventFilter(
        actor=query.one("actor"),
        kinds=query.many("action"),
        source=query.one("source"),
        batch_id=query.number("batch"),
        job_id=query.number("job"),
        since=query.instant("since"),
        until=query.instant("until"),
    )
