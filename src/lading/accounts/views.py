"""Keeps named filters of lists, for one account or for all. Works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select

from lading.accounts.errors import BadSavedView, SavedViewMissing
from lading.accounts.limits import AccountLimits
from lading.accounts.rules import check_view
from lading.accounts.tables import saved_view
from lading.accounts.values import Caller, Permission, SavedView
from lading.db.clock import now
from lading.ledger.chain import append
from lading.ledger.events import SavedViewChanged

_V = saved_view.c


def _view_of(row: Row[Any]) -> SavedView:
    return SavedView(
        id=row.id,
        page=row.page,
        name=row.name,
        query=row.query,
        shared=row.account_id is None,
        created_at=row.created_at,
    )


def create(
    conn: Connection,
    caller: Caller,
    page: str,
    name: str,
    query: str,
    *,
    shared: bool,
    limits: AccountLimits,
) -> SavedView:
    """Save a view; one of the same name is replaced. Sharing it needs the right to operate."""
    if shared:
        caller.require(Permission.OPERATE)
    name, query = check_view(page, name, query)
    owner = None if shared else caller.account.id
    mine = _V.account_id.is_(None) if shared else _V.account_id == owner
    known = conn.execute(select(saved_view).where(mine, _V.page == page)).all()
    same = [row.id for row in known if row.name == name]
    if len(known) - len(same) >= limits.views_per_page:
        raise BadSavedView(
            "there are too many saved views of this page",
            subject=page,
            expected=f"at most {limits.views_per_page}",
        )
    if same:
        conn.execute(delete(saved_view).where(_V.id.in_(same)))
    conn.execute(
        insert(saved_view).values(
            account_id=owner, page=page, name=name, query=query, created_at=now()
        )
    )
    row = conn.execute(select(saved_view).where(mine, _V.page == page, _V.name == name)).one()
    view = _view_of(row)
    append(conn, _changed(view, caller, "saved"), actor=caller.actor)
    return view


def read(conn: Connection, caller: Caller, page: str | None) -> Sequence[SavedView]:
    """The views of a page (or of all) that the caller may use: first their own, then shared."""
    query = select(saved_view).where(
        or_(_V.account_id == caller.account.id, _V.account_id.is_(None))
    )
    if page is not None:
        query = query.where(_V.page == page)
    views = [_view_of(row) for row in conn.execute(query)]
    return sorted(views, key=lambda view: (view.shared, view.page, view.name.casefold(), view.id))


def remove(conn: Connection, caller: Caller, view_id: int) -> SavedView:
    """Delete a view of the caller's, or a shared one with the right to operate."""
    row = conn.execute(select(saved_view).where(_V.id == view_id)).one_or_none()
    if row is None or row.account_id not in {None, caller.account.id}:
        raise SavedViewMissing("there is no such saved view", subject=f"view {view_id}")
    view = _view_of(row)
    if view.shared:
        caller.require(Permission.OPERATE)
    conn.execute(delete(saved_view).where(_V.id == view_id))
    append(conn, _changed(view, caller, "deleted"), actor=caller.actor)
    return view


def _changed(view: SavedView, caller: Caller, change: str) -> SavedViewChanged:
    return SavedViewChanged(
        page=view.page,
        view=view.name,
        change=change,
        query=view.query,
        name=None if view.shared else caller.account.name,
    )
