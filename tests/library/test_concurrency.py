"""Two transactions with the same new thing: one row, and nobody hears an error (A19)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, event, func, select

from lading.db import Database
from lading.ledger.states import Outcome
from lading.library.containers import save_container
from lading.library.sites import create_site, grant_assets
from lading.library.tables import asset, asset_file, asset_gallery, asset_site_membership
from lading.library.values import ContainerFacts, Saved
from tests.library.things import Photo, a_file, digest, save

T = TypeVar("T")


def at_once(
    database: Database, *works: Callable[[Connection], T], meeting_at: str = "INSERT"
) -> list[T]:
    """Run each work in a transaction of its own; all meet before their first such statement.

    On SQLite writers exclude each other from the start, so there they only begin together.
    """
    together = threading.Barrier(len(works), timeout=60)
    looked = threading.local()

    def meet(conn: object, cursor: object, statement: str, *args: object) -> None:
        if getattr(looked, "waiting", False) and statement.startswith(meeting_at):
            looked.waiting = False
            together.wait()

    def run(work: Callable[[Connection], T]) -> T:
        if database.dialect == "sqlite":
            together.wait()
        else:
            looked.waiting = True
        return database.run(work)

    event.listen(database.engine, "before_cursor_execute", meet)
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(run, works))
    finally:
        event.remove(database.engine, "before_cursor_execute", meet)


def test_two_transactions_that_bring_the_same_new_asset_make_one_row(database: Database) -> None:
    photo = Photo("a")
    first, second = at_once(database, photo.save, photo.save)
    assert {first.outcome, second.outcome} == {Outcome.CREATED, Outcome.UNCHANGED}
    assert first.id == second.id
    with database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset)) == 1
        assert conn.scalar(select(func.count()).select_from(asset_file)) == 2


def test_four_transactions_make_one_row_too(database: Database) -> None:
    photo = Photo("a")
    outcomes = sorted(saved.outcome for saved in at_once(database, *[photo.save] * 4))
    assert outcomes == [Outcome.CREATED, *[Outcome.UNCHANGED] * 3]


def test_two_that_differ_end_as_one_or_the_other_and_never_as_a_mixture(
    database: Database,
) -> None:
    one = Photo("a", facts={"title": "one"}, files=[a_file("x", "one"), a_file("one")])
    two = Photo("a", facts={"title": "two"}, files=[a_file("x", "two"), a_file("two")])
    saved = at_once(database, one.save, two.save)
    assert {each.outcome for each in saved} == {Outcome.CREATED, Outcome.UPDATED}
    with database.read() as conn:
        title = conn.scalar(select(asset.c.title))
        live = set(
            conn.scalars(select(asset_file.c.sha256).where(asset_file.c.deleted_at.is_(None)))
        )
    assert title in {"one", "two"}
    assert live == {digest(title)}


def test_two_updates_of_one_asset_follow_each_other(database: Database) -> None:
    save(database, Photo("a", files=[]))
    photos = [Photo("a", files=[a_file("new", text)]) for text in ("one", "two")]
    saved = at_once(database, *(photo.save for photo in photos), meeting_at="SELECT")
    assert [each.outcome for each in saved] == [Outcome.UPDATED, Outcome.UPDATED]
    with database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset_file)) == 1


def test_two_transactions_that_bring_the_same_new_container_make_one_row(
    database: Database,
) -> None:
    facts = ContainerFacts(kind="gallery", key="g", members=[digest("a"), digest("b")])

    def work(conn: Connection) -> Saved:
        return save_container(conn, facts)

    first, second = at_once(database, work, work)
    assert {first.outcome, second.outcome} == {Outcome.CREATED, Outcome.UNCHANGED}
    with database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset_gallery)) == 1


def test_the_same_grant_twice_at_once_is_one_grant(database: Database) -> None:
    save(database, Photo("a"))
    with database.write() as conn:
        create_site(conn, "s", "S", actor="ann")

    def work(conn: Connection) -> list[str]:
        return grant_assets(conn, "s", [digest("a")], actor="ann")

    at_once(database, work, work)
    with database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(asset_site_membership)) == 1


def test_the_same_site_twice_at_once_is_one_site(database: Database) -> None:
    def work(conn: Connection) -> int:
        return create_site(conn, "s", "S", actor="ann").id

    first, second = at_once(database, work, work)
    assert first == second
