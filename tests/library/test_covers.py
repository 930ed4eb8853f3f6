"""Covers: found when they arrive, whatever came first, and followed when they change (A13)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from lading.db import Database
from lading.ledger.states import Outcome
from lading.library.assets import find_files
from lading.library.covers import resolve_covers, resolve_waiting_covers
from lading.library.queries import Cover, get_asset, get_cover
from lading.library.tables import asset_cover
from tests.library.things import Photo, a_file, digest, picture_of, save, save_gallery, watched

COVER = digest("cover content")


def with_cover_file(name: str, **facts: str | None) -> Photo:
    photo = Photo(name, **facts)  # type: ignore[arg-type]
    file = a_file("cover.jpg", "cover content", role="cover")
    return replace(photo, files=[*photo.all_files(), file])


def cover_of(database: Database, name: str) -> Cover | None:
    with database.read() as conn:
        return get_asset(conn, digest(name)).cover


def cover_file_id(database: Database, asset_id: int) -> int:
    with database.read() as conn:
        [found] = [f for f in find_files(conn, [asset_id])[asset_id] if f.facts.role == "cover"]
    return found.id


def test_a_cover_is_the_file_of_that_role_of_its_own_asset(database: Database) -> None:
    other, own = save(database, with_cover_file("other"), with_cover_file("own", cover=COVER))
    assert other.id < own.id
    assert cover_of(database, "own") == Cover(COVER, cover_file_id(database, own.id), None)
    assert cover_of(database, "other") is None


def test_a_cover_may_be_another_asset(database: Database) -> None:
    face, _ = save(database, Photo("face"), Photo("album", cover=digest("face")))
    assert cover_of(database, "album") == Cover(digest("face"), None, face.id)


def test_a_file_that_is_no_cover_is_not_taken_for_one(database: Database) -> None:
    original = a_file("original/a.jpg", "cover content")
    save(database, Photo("a", files=[original], cover=COVER))
    assert cover_of(database, "a") == Cover(COVER, None, None)


def test_a_cover_that_is_on_its_way_is_found_when_it_arrives(database: Database) -> None:
    gallery = save_gallery(database, "g", [], cover_hash=digest("late"))
    save(database, Photo("waiting", cover=digest("late")))
    assert cover_of(database, "waiting") == Cover(digest("late"), None, None)
    [late] = save(database, Photo("late"))
    arrived = Cover(digest("late"), None, late.id)
    assert cover_of(database, "waiting") == arrived
    with database.read() as conn:
        assert get_cover(conn, "gallery", gallery.id) == arrived


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_arrival_does_not_matter(
    sqlite_database: Database, order: tuple[int, ...]
) -> None:
    steps: list[Callable[[], object]] = [
        lambda: save_gallery(sqlite_database, "g", [digest("m")], cover_hash=COVER),
        lambda: save(sqlite_database, with_cover_file("m")),
        lambda: save(sqlite_database, Photo("by hash", facts={"content_hash": COVER})),
    ]
    for index in order:
        steps[index]()
    with sqlite_database.read() as conn:
        [cover] = conn.execute(select(asset_cover)).all()
        view = get_asset(conn, COVER)
    assert (cover.file_id, cover.cover_asset_id) == (None, view.asset.id)


def test_a_container_takes_the_cover_file_of_any_asset(database: Database) -> None:
    [holder] = save(database, with_cover_file("holder"))
    gallery = save_gallery(database, "g", [digest("holder")], cover_hash=COVER)
    with database.read() as conn:
        cover = get_cover(conn, "gallery", gallery.id)
    assert cover == Cover(COVER, cover_file_id(database, holder.id), None)


def test_a_cover_goes_back_to_waiting_when_its_file_is_replaced(database: Database) -> None:
    photo = with_cover_file("holder")
    save(database, photo, Photo("second", files=[]))
    gallery = save_gallery(database, "g", [], cover_hash=COVER)
    other = replace(photo, files=[a_file("cover.jpg", "new content", role="cover")])
    save(database, other)
    with database.read() as conn:
        assert get_cover(conn, "gallery", gallery.id) == Cover(COVER, None, None)
    save(database, replace(photo, files=[]))
    save(database, photo)
    with database.read() as conn:
        cover = get_cover(conn, "gallery", gallery.id)
    assert cover is not None
    assert cover.file_id is not None


def test_a_cover_file_that_is_no_longer_named_covers_nothing(database: Database) -> None:
    photo = with_cover_file("holder", cover=COVER)
    save(database, photo)
    save(database, replace(photo, files=photo.all_files()[:-1]))
    assert cover_of(database, "holder") == Cover(COVER, None, None)
    [back] = save(database, photo)
    assert cover_of(database, "holder") == Cover(COVER, cover_file_id(database, back.id), None)


def test_a_new_cover_replaces_the_old_one_and_none_leaves_it(database: Database) -> None:
    first, second, album = save(
        database, Photo("one"), Photo("two"), Photo("album", cover=digest("one"))
    )
    [changed] = save(database, Photo("album", cover=digest("two")))
    assert changed.outcome is Outcome.UPDATED
    assert cover_of(database, "album") == Cover(digest("two"), None, second.id)
    [silent] = save(database, Photo("album"))
    assert silent.outcome is Outcome.UNCHANGED
    assert cover_of(database, "album") == Cover(digest("two"), None, second.id)
    assert album.id > first.id


def test_looking_up_again_what_is_known_writes_nothing(database: Database) -> None:
    save(database, with_cover_file("a", cover=COVER), Photo("b", cover=digest("a")))
    before = picture_of(database)
    with watched(database) as statements, database.write() as conn:
        assert resolve_covers(conn, [COVER, digest("a"), digest("none")]) == 0
    assert statements.writes == []
    assert picture_of(database) == before


def test_covers_that_missed_each_other_are_found_afterwards(database: Database) -> None:
    face, _, _ = save(
        database,
        Photo("face"),
        with_cover_file("holder"),
        Photo("still waiting", cover=digest("nobody")),
    )
    album = save_gallery(database, "g", [], cover_hash=digest("face"))
    second = save_gallery(database, "h", [], cover_hash=COVER)
    with database.write() as conn:
        conn.execute(update(asset_cover).values(file_id=None, cover_asset_id=None))
    with database.write() as conn:
        assert resolve_waiting_covers(conn) == 2
    with database.read() as conn:
        assert get_cover(conn, "gallery", album.id) == Cover(digest("face"), None, face.id)
        found = get_cover(conn, "gallery", second.id)
    assert found is not None
    assert found.file_id is not None
    with database.write() as conn:
        assert resolve_waiting_covers(conn) == 0
