"""Reading the library: filters, one asset with all that belongs to it, counts (C6)."""

from __future__ import annotations

import pytest

from lading.db import Database
from lading.library import trash
from lading.library.filters import AssetFilter, ContainerFilter
from lading.library.known import UnknownAsset
from lading.library.queries import (
    Membership,
    TypeCount,
    count_assets,
    count_library,
    get_asset,
    list_assets,
    list_containers,
)
from lading.library.tables import ContainerKind
from lading.library.values import ContainerRef
from tests.library.things import Photo, a_file, digest, gallery, save, save_gallery


def fill(database: Database) -> None:
    video = {"asset_type": "video", "asset_subtype": "video_simple"}
    save(database, Photo("p1"), Photo("p2"), batch_id=1)
    save(database, Photo("v1", facts=video), Photo("v2", facts={"asset_type": "video"}), batch_id=2)
    save(database, Photo("gone"), batch_id=2)
    with database.write() as conn:
        trash.mark_assets(conn, [digest("gone")], deleted=True)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (None, ["v2", "v1", "p2", "p1"]),
        (AssetFilter(types=["photo"]), ["p2", "p1"]),
        (AssetFilter(types=["video"], subtypes=["video_simple"]), ["v1"]),
        (AssetFilter(batch_id=2), ["v2", "v1"]),
        (AssetFilter(batch_id=2, deleted=None), ["gone", "v2", "v1"]),
        (AssetFilter(deleted=True), ["gone"]),
        (AssetFilter(types=["audio"]), []),
    ],
)
def test_a_list_shows_what_its_filter_says(
    database: Database, filters: AssetFilter | None, expected: list[str]
) -> None:
    fill(database)
    with database.read() as conn:
        assert [row.facts.title for row in list_assets(conn, filters).assets] == expected
        assert count_assets(conn, filters) == len(expected)
        page = list_assets(conn, filters, limit=1)
        assert (page.next_cursor is not None) == (len(expected) > 1)


def test_counts_are_those_of_the_rows_there_are(database: Database) -> None:
    with database.read() as conn:
        empty = count_library(conn)
    assert (empty.assets, empty.deleted, empty.files, empty.bytes) == (0, 0, 0, 0)
    fill(database)
    save(database, Photo("p1", files=[a_file("one", size_bytes=7_000_000_000)]))
    save_gallery(database, "g", [digest("p1")], cover_hash=digest("nobody"))
    save_gallery(database, "binned", [])
    with database.write() as conn:
        trash.mark_containers(conn, [gallery("binned")], deleted=True)
    with database.read() as conn:
        counts = count_library(conn)
    assert sorted(counts.types, key=repr) == sorted(
        [
            TypeCount("photo", None, 2, 1),
            TypeCount("video", None, 1, 0),
            TypeCount("video", "video_simple", 1, 0),
        ],
        key=repr,
    )
    assert (counts.assets, counts.deleted) == (4, 1)
    assert (counts.files, counts.bytes) == (7, 7_000_006_000)
    assert counts.containers == {"gallery": 1, "collection": 0, "event": 0}
    assert counts.covers_awaited == 1


def test_an_asset_knows_where_it_is_a_member(database: Database) -> None:
    save(database, Photo("a"))
    save_gallery(database, "g", [digest("b"), digest("a"), digest("a")], title="G")
    save_gallery(database, "e", [digest("a")], kind="event", title=None)
    save_gallery(database, "c", [digest("b")], kind="collection")
    with database.write() as conn:
        trash.mark_containers(conn, [ContainerRef("event", "e")], deleted=True)
    with database.read() as conn:
        view = get_asset(conn, digest("a"))
    assert view.memberships == [
        Membership(ContainerRef("event", "e"), None, 0, True),
        Membership(gallery("g"), "G", 1, False),
        Membership(gallery("g"), "G", 2, False),
    ]


def test_an_asset_that_is_not_there_is_an_error(sqlite_database: Database) -> None:
    with sqlite_database.read() as conn, pytest.raises(UnknownAsset):
        get_asset(conn, digest("a"))


def test_containers_are_listed_by_kind_newest_first(database: Database) -> None:
    for key in ("one", "two", "binned"):
        save_gallery(database, key, [])
    save_gallery(database, "event", [], kind="event")
    with database.write() as conn:
        trash.mark_containers(conn, [gallery("binned")], deleted=True)
    with database.read() as conn:
        first = list_containers(conn, ContainerKind.GALLERY, limit=1)
        rest = list_containers(conn, ContainerKind.GALLERY, cursor=first.next_cursor)
        binned = list_containers(conn, ContainerKind.GALLERY, ContainerFilter(deleted=True))
    assert [row.ref.key for row in first.containers] == ["two"]
    assert [row.ref.key for row in rest.containers] == ["one"]
    assert [row.ref.key for row in binned.containers] == ["binned"]
