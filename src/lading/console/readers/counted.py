"""How long those lists are whose readers do not count, up to the limit of counting."""

from __future__ import annotations

from sqlalchemy import select

from lading.accounts.tables import access_token, account
from lading.console.parts import Console
from lading.db.counting import Count, count_capped
from lading.ledger.event_lists import EventFilter, event_conditions
from lading.ledger.tables import ingest_event
from lading.operations.queries import OperationFilter
from lading.operations.queries import count_operations as count_matching


def count_events(console: Console, filters: EventFilter) -> Count:
    """How many events there are of these."""
    with console.lading.db.read() as conn:
        return count_capped(conn, select(ingest_event.c.seq).where(*event_conditions(filters)))


def count_accounts(console: Console) -> Count:
    """How many accounts there are."""
    with console.lading.db.read() as conn:
        return count_capped(conn, select(account.c.id))


def count_tokens(console: Console, account_id: int | None) -> Count:
    """How many tokens there are, of one account or of all."""
    query = select(access_token.c.id)
    if account_id is not None:
        query = query.where(access_token.c.account_id == account_id)
    with console.lading.db.read() as conn:
        return count_capped(conn, query)


def count_operations(console: Console, filters: OperationFilter) -> Count:
    """How many operations there are of these."""
    with console.lading.db.read() as conn:
        return count_matching(conn, filters)
