"""Deleting, restoring and undoing: only `deleted_at` moves, and all of it comes back (A17, G11)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.ledger.events import AssetsDeleted, parse_payload
from lading.ledger.tables import ingest_event
from lading.library import trash
from lading.library.assets import find_assets
from lading.library.containers import UnknownContainer, find_containers
from lading.library.known import UnknownAsset
from lading.library.sites import create_site, grant_assets
from lading.library.statements import moment
from lading.library.tables import CONTAINERS, ContainerKind, asset
from lading.library.trash import Trashed
from lading.library.values import ContainerRef
from tests.library.things import Photo, a_file, digest, gallery, picture_of, save, save_gallery

CLOCKS = ["updated_at", "deleted_at"]


def events(database: Database) -> list[tuple[str, int | None, AssetsDeleted]]:
    found = []
    with database.read() as conn:
        for row in conn.execute(select(ingest_event).order_by(ingest_event.c.seq)):
            event = parse_payload(row.kind, row.payload)
            assert isinstance(event, AssetsDeleted)
            found.append((row.actor, row.batch_id, event))
    return found


def live(database: Database) -> set[str]:
    """Titles of the assets and keys of the containers that are not in the trash."""
    with database.read() as conn:
        names = set(conn.scalars(select(asset.c.title).where(asset.c.deleted_at.is_(None))))
        for container, _ in CONTAINERS.values():
            names |= set(
                conn.scalars(select(container.c.key).where(container.c.deleted_at.is_(None)))
            )
    return {str(name) for name in names}


def test_delete_and_restore_touch_nothing_but_the_clocks(database: Database) -> None:
    cover = a_file("cover.jpg", role="cover")
    save(
        database,
        Photo("a", files=[cover], cover=digest("cover.jpg")),
        Photo("b", cover=digest("a")),
    )
    save_gallery(database, "g", [digest("a"), digest("b")], cover_hash=digest("a"))
    with database.write() as conn:
        create_site(conn, "s", "S", actor="ann")
        grant_assets(conn, "s", [digest("a")], actor="ann")
    whole = picture_of(database)
    bare = picture_of(database, without=CLOCKS)
    undeleted = picture_of(database, without=["updated_at"])
    with database.write() as conn:
        changed = trash.delete_assets(conn, [digest("a")], actor="ann")
        assert changed == Trashed(assets=[digest("a")])
        changed = trash.delete_containers(conn, [gallery("g")], actor="ann")
        assert changed == Trashed(containers=[gallery("g")])
    assert live(database) == {"b"}
    assert picture_of(database, without=CLOCKS) == bare
    with database.write() as conn:
        assert trash.restore_assets(conn, [digest("a")], actor="bob")
        assert trash.restore_containers(conn, [gallery("g")], actor="bob")
    after = picture_of(database)
    assert picture_of(database, without=["updated_at"]) == undeleted
    assert {n: r for n, r in after.items() if n not in {"asset", "asset_gallery"}} == {
        n: r for n, r in whole.items() if n not in {"asset", "asset_gallery"}
    }
    assert live(database) == {"a", "b", "g"}


def test_a_second_time_changes_nothing_and_records_nothing(database: Database) -> None:
    save(database, Photo("a"))
    with database.write() as conn:
        trash.delete_assets(conn, [digest("a")], actor="ann")
    before = picture_of(database)
    with database.write() as conn:
        assert not trash.delete_assets(conn, [digest("a"), digest("a")], actor="bob")
    assert picture_of(database) == before
    assert events(database) == [
        ("ann", None, AssetsDeleted(content_hashes=[digest("a")], restored=False))
    ]


def test_the_ledger_says_who_deleted_and_restored_what(database: Database) -> None:
    save(database, Photo("a"), batch_id=3)
    save_gallery(database, "g:1", [], batch_id=3)
    with database.write() as conn:
        trash.retire_batch(conn, 3, actor="ann")
    with database.write() as conn:
        trash.restore_batch(conn, 3, actor="bob")
    hashes = [digest("a")]
    assert events(database) == [
        ("ann", 3, AssetsDeleted(content_hashes=hashes, restored=False)),
        ("ann", 3, AssetsDeleted(content_hashes=[], restored=False, containers=["gallery:g:1"])),
        ("bob", 3, AssetsDeleted(content_hashes=hashes, restored=True)),
        ("bob", 3, AssetsDeleted(content_hashes=[], restored=True, containers=["gallery:g:1"])),
    ]


def test_undoing_a_batch_takes_what_it_added_and_nothing_else(database: Database) -> None:
    save(database, Photo("before"), batch_id=1)
    save(database, Photo("added"), Photo("before", facts={"width": 1}), batch_id=2)
    save_gallery(database, "g2", [digest("before")], batch_id=2)
    save_gallery(database, "e2", [digest("before")], batch_id=2, kind="event")
    save(database, Photo("after"), batch_id=3)
    with database.write() as conn:
        changed = trash.retire_batch(conn, 2, actor="ann")
    assert changed == Trashed([digest("added")], [gallery("g2"), ContainerRef("event", "e2")])
    assert live(database) == {"before", "after"}
    with database.write() as conn:
        assert not trash.retire_batch(conn, 2, actor="ann")
    with database.write() as conn:
        assert trash.restore_batch(conn, 2, actor="ann") == changed
    assert live(database) == {"before", "added", "after", "g2", "e2"}
    with database.write() as conn:
        assert not trash.restore_batch(conn, 2, actor="ann")
        assert not trash.restore_batch(conn, 99, actor="ann")


def test_what_was_deleted_by_hand_stays_deleted_when_an_undo_is_taken_back(
    database: Database,
) -> None:
    save(database, Photo("earlier"), Photo("later"), Photo("kept"))
    with database.write() as conn:
        trash.delete_assets(conn, [digest("earlier")], actor="ann")
    with database.write() as conn:
        trash.retire_batch(conn, 1, actor="ann")
    with database.write() as conn:
        trash.restore_assets(conn, [digest("later")], actor="ann")
    with database.write() as conn:
        trash.delete_assets(conn, [digest("later")], actor="ann")
    with database.write() as conn:
        trash.restore_batch(conn, 1, actor="ann")
    assert live(database) == {"kept"}


def test_only_the_last_undo_is_taken_back(database: Database) -> None:
    save(database, Photo("a"), Photo("b"))
    for _ in range(2):
        with database.write() as conn:
            trash.retire_batch(conn, 1, actor="ann")
        with database.write() as conn:
            trash.restore_batch(conn, 1, actor="ann")
    with database.write() as conn:
        trash.delete_assets(conn, [digest("a")], actor="ann")
    with database.write() as conn:
        trash.retire_batch(conn, 1, actor="ann")
    with database.write() as conn:
        assert trash.restore_batch(conn, 1, actor="ann").assets == [digest("b")]
    assert live(database) == {"b"}


def test_a_large_undo_is_recorded_in_events_of_bounded_size(sqlite_database: Database) -> None:
    with sqlite_database.write() as conn:
        at = moment(conn)
        row = {"asset_type": "photo", "batch_id": 1, "created_at": at, "updated_at": at}
        hashes = [digest(str(n)) for n in range(2_001)]
        bulk_insert(conn, asset, ({"content_hash": h, **row} for h in hashes))
    with sqlite_database.write() as conn:
        assert len(trash.retire_batch(conn, 1, actor="ann").assets) == 2_001
    assert [len(event.content_hashes) for _, _, event in events(sqlite_database)] == [
        1_000,
        1_000,
        1,
    ]
    with sqlite_database.write() as conn:
        assert len(trash.restore_batch(conn, 1, actor="ann").assets) == 2_001


def test_an_import_marks_without_an_event_of_its_own(database: Database) -> None:
    save(database, Photo("a"))
    save_gallery(database, "g", [])
    with database.write() as conn:
        assert trash.mark_assets(conn, [digest("a"), digest("none")], deleted=True) == [digest("a")]
        assert trash.mark_containers(conn, [gallery("g"), gallery("none")], deleted=True) == [
            gallery("g")
        ]
        assert trash.mark_assets(conn, [digest("a")], deleted=True) == []
    assert events(database) == []
    with database.read() as conn:
        assert find_assets(conn, [digest("a")])[digest("a")].deleted
        assert find_containers(conn, [gallery("g")])[gallery("g")].deleted


def test_what_is_not_there_cannot_be_deleted(sqlite_database: Database) -> None:
    save(sqlite_database, Photo("a"))
    with pytest.raises(UnknownAsset), sqlite_database.write() as conn:
        trash.delete_assets(conn, [digest("a"), digest("b")], actor="ann")
    with pytest.raises(UnknownContainer), sqlite_database.write() as conn:
        trash.delete_containers(conn, [gallery("g")], actor="ann")
    assert live(sqlite_database) == {"a"}
    assert len(ContainerKind) == len(CONTAINERS)
