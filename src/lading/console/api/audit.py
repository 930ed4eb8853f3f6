"""The audit: who did what, when and why, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    Cursor,
    Export,
    Form,
    Instant,
    Limit,
    Whole,
    Word,
    Words,
    asked,
    reads,
    require_beginning,
)
from lading.console.parts import Console
from lading.console.readers.audit import AUDIT_FIELDS, AuditLine, audit_filter, read_audit

TAG: Final = "audit"


def routes() -> list[HTTPRouteHandler]:
    """The list of events, as people read it."""
    return [audit]


@reads("/audit", "Events for people, the newest first", tag=TAG, operation_class=Export)
def audit(
    console: NamedDependency[Console],
    *,
    actor: Word = None,
    action: Words = None,
    source: Word = None,
    batch: Whole = None,
    job: Whole = None,
    since: Instant = None,
    until: Instant = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[AuditLine]]:
    """A page of the audit, or all of it."""
    given = {
        "actor": actor,
        "action": action,
        "source": source,
        "since": since,
        "until": until,
    }
    query = asked(AUDIT_FIELDS, given, cursor=cursor, limit=limit)
    filters = replace(audit_filter(query), batch_id=batch, job_id=job)
    if form == "json":
        found = read_audit(console, filters, cursor=query.cursor, limit=limit)
        return Response(many(found.lines, found, found.count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[AuditLine], str | None]:
        page = read_audit(console, filters, cursor=after, limit=EXPORT_PAGE)
        return page.lines, page.next_cursor

    return export("audit", form, fetch, AuditLine)
