"""Audit: who did what, when and why, before and after; every event of the ledger, none edited."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.listing import read_query
from lading.console.parts import Console
from lading.console.readers.audit import AUDIT_FIELDS, audit_filter, read_audit
from lading.console.render import page
from lading.console.security.guards import requires


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
