"""Lists of assets: what each filter shows, in which order, by pages and from one to the next."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from lading.db import Database
from lading.db.counting import Count
from lading.db.keyset import BadCursor
from lading.library import packages, sites, trash
from lading.library.browsing import (
    AssetSort,
    Facet,
    Neighbours,
    asset_facets,
    browse_assets,
    count_browsed,
    list_cameras,
    neighbours,
)
from lading.library.filters import (
    AssetFilter,
    ContainerFilter,
    CoverState,
    Search,
    asset_conditions,
    parse_search,
)
from lading.library.known import UnknownAsset
from lading.library.queries import list_assets, list_containers
from lading.library.tables import ContainerKind, asset, photo
from lading.library.visibility import visible_to
from tests.library.things import Photo, a_file, digest, gallery, save, save_gallery

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def shown(database: Database, filters: AssetFilter, **how: Any) -> list[str]:
    with database.read() as conn:
        titles = [str(row.facts.title) for row in browse_assets(conn, filters, **how).assets]
        assert count_browsed(conn, filters) == Count(len(titles))
        return titles


def fill(database: Database) -> None:
    """Assets that differ in what they have: covers, transcripts, types, words."""
    video = {"asset_type": "video", "asset_subtype": "video_simple"}
    film = [a_file("film.mp4", role="original"), a_file("en.vtt", role="transcript")]
    stream = [a_file("b.mp4"), a_file("hls/playlist.m3u8", role="hls")]
    save(
        database,
        Photo("Moon over the water", cover=digest("a-cover-to-come")),
        Photo("Last light at Übersee", files=[a_file("x.jpg"), a_file("c.jpg", role="cover")]),
        batch_id=1,
    )
    save(
        database,
        Photo("Talk_about moonlight", facts=video, files=film),
        Photo("Stream", facts=video, files=stream),
        Photo("Covered", cover=digest("Stream")),
        batch_id=2,
    )


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (AssetFilter(types=["video"]), ["Stream", "Talk_about moonlight"]),
        (AssetFilter(types=["video", "photo"], batch_id=1, q="light"), ["Last light at Übersee"]),
        (AssetFilter(has_transcript=True), ["Talk_about moonlight"]),
        (AssetFilter(types=["video"], has_transcript=False), ["Stream"]),
        (AssetFilter(has_hls=True), ["Stream"]),
        (AssetFilter(cover=CoverState.AWAITED), ["Moon over the water"]),
        (AssetFilter(cover=CoverState.PRESENT), ["Covered", "Last light at Übersee"]),
        (AssetFilter(cover=CoverState.NONE), ["Stream", "Talk_about moonlight"]),
        (AssetFilter(q="mOOn"), ["Talk_about moonlight", "Moon over the water"]),
        (AssetFilter(q="moon water"), ["Moon over the water"]),
        (AssetFilter(q="about"), ["Talk_about moonlight"]),
        (AssetFilter(q="Übersee"), ["Last light at Übersee"]),
        (AssetFilter(q="oon"), []),
        (AssetFilter(q="%"), []),
        (AssetFilter(q="…"), []),
        (AssetFilter(q=digest("Stream")[:6].upper()), ["Stream"]),
        (AssetFilter(q="sha256:" + digest("Covered")), ["Covered"]),
        (AssetFilter(q=digest("en.vtt")), ["Talk_about moonlight"]),
        (AssetFilter(q="en.vtt"), ["Talk_about moonlight"]),
        (AssetFilter(q="hls/playlist.m3u8"), ["Stream"]),
        (AssetFilter(q="playlist.m3u8"), ["Stream"]),
        (AssetFilter(q="list.m3u8"), []),
    ],
)
def test_a_filter_shows_what_it_says(
    sqlite_database: Database, filters: AssetFilter, expected: list[str]
) -> None:
    fill(sqlite_database)
    assert shown(sqlite_database, filters) == expected


def test_every_filter_means_the_same_on_every_database(database: Database) -> None:
    fill(database)
    assert shown(database, AssetFilter(q="MOON")) == ["Talk_about moonlight", "Moon over the water"]
    assert shown(database, AssetFilter(q="playlist.m3u8", has_hls=True)) == ["Stream"]
    assert shown(database, AssetFilter(q=digest("Stream")[:8])) == ["Stream"]
    assert shown(database, AssetFilter(cover=CoverState.NONE, has_transcript=False)) == ["Stream"]
    assert shown(database, AssetFilter(cover=CoverState.AWAITED)) == ["Moon over the water"]
    with database.read() as conn:
        facets = asset_facets(conn, AssetFilter(types=["video"], batch_id=1))
    assert facets == [
        Facet("photo", None, Count(2)),
        Facet("video", "video_simple", Count(0)),
    ]


def test_times_of_arrival_are_from_and_before(sqlite_database: Database) -> None:
    save(sqlite_database, Photo("a"), Photo("b"), Photo("c"))
    with sqlite_database.write() as conn:
        for day, name in enumerate("abc"):
            at = MAY + timedelta(days=day)
            conn.execute(
                update(asset).where(asset.c.content_hash == digest(name)).values(created_at=at)
            )
    since, until = MAY + timedelta(days=1), MAY + timedelta(days=2)
    assert shown(sqlite_database, AssetFilter(created_after=since)) == ["c", "b"]
    assert shown(sqlite_database, AssetFilter(created_before=until)) == ["b", "a"]
    assert shown(sqlite_database, AssetFilter(created_after=since, created_before=until)) == ["b"]


def test_a_filter_by_site_is_what_the_site_sees(database: Database) -> None:
    fill(database)
    save(database, Photo("gone"))
    save_gallery(database, "g", [digest("Stream"), digest("gone")])
    with database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        packages.create_package(conn, "p", "P", actor="ann")
        sites.grant_containers(conn, "s", [gallery("g")], actor="ann")
        packages.add_to_package(conn, "p", hashes=[digest("Covered")], actor="ann")
        packages.attach_package(conn, "s", "p", actor="ann")
        trash.delete_assets(conn, [digest("gone")], actor="ann")
    assert shown(database, AssetFilter(site="s")) == ["Covered", "Stream"]
    assert shown(database, AssetFilter(site="s", deleted=None)) == ["Covered", "Stream"]
    assert shown(database, AssetFilter(site="unknown")) == []
    with database.read() as conn:
        seen = list_assets(conn, where=visible_to(conn, "s")).assets
        assert [row.facts.title for row in seen] == ["Covered", "Stream"]
        [found] = list_containers(conn, ContainerKind.GALLERY, ContainerFilter(site="s")).containers
        assert found.ref == gallery("g")
        filters = ContainerFilter(site="unknown")
        assert not list_containers(conn, ContainerKind.GALLERY, filters).containers


def test_containers_are_found_by_words_and_by_the_beginning_of_their_key(
    database: Database,
) -> None:
    save_gallery(database, "spring-2026", [], title="Nights at the lake", batch_id=7)
    save_gallery(database, "summer%", [], title=None)

    def keys(filters: ContainerFilter) -> list[str]:
        with database.read() as conn:
            page = list_containers(conn, ContainerKind.GALLERY, filters)
        return [row.ref.key for row in page.containers]

    assert keys(ContainerFilter(q="lake NIGHTS")) == ["spring-2026"]
    assert keys(ContainerFilter(q="spring-2")) == ["spring-2026"]
    assert keys(ContainerFilter(q="summer%")) == ["summer%"]
    assert keys(ContainerFilter(q="s")) == ["summer%", "spring-2026"]
    assert keys(ContainerFilter(batch_id=7)) == ["spring-2026"]


def dated(database: Database) -> None:
    """Six assets; two were captured at one moment, two nobody knows when."""
    days = [3, None, 1, 3, None, 2]
    save(
        database,
        *(
            Photo(f"p{n}", {"captured_at": day and MAY + timedelta(days=day)})
            for n, day in enumerate(days)
        ),
    )


ORDERS = {
    AssetSort.NEWEST: ["p5", "p4", "p3", "p2", "p1", "p0"],
    AssetSort.OLDEST: ["p0", "p1", "p2", "p3", "p4", "p5"],
    AssetSort.CAPTURED_LAST: ["p3", "p0", "p5", "p2", "p4", "p1"],
    AssetSort.CAPTURED_FIRST: ["p2", "p5", "p0", "p3", "p1", "p4"],
}


@pytest.mark.parametrize("sort", ORDERS)
def test_pages_forward_and_back_are_the_list_and_neighbours_walk_it(
    database: Database, sort: AssetSort
) -> None:
    dated(database)
    expected = ORDERS[sort]
    every = AssetFilter()
    with database.read() as conn:
        for limit in (1, 2, 3, 4, 6, 7):
            forward, cursor, last = [], None, None
            while True:
                page = browse_assets(conn, every, sort=sort, cursor=cursor, limit=limit)
                forward += [row.facts.title for row in page.assets]
                if page.next_cursor is None:
                    last = page
                    break
                cursor = page.next_cursor
            assert forward == expected
            back = [row.facts.title for row in last.assets]
            while last.prev_cursor is not None:
                last = browse_assets(conn, every, sort=sort, cursor=last.prev_cursor, limit=limit)
                back = [row.facts.title for row in last.assets] + back
            assert back == expected
        beside = {name: neighbours(conn, digest(name), every, sort=sort) for name in expected}
    for before, after in itertools.pairwise(expected):
        assert beside[before].next == digest(after)
        assert beside[after].previous == digest(before)
    assert beside[expected[0]].previous is None
    assert beside[expected[-1]].next is None


def test_an_asset_has_neighbours_in_a_list_that_shows_it_no_more(sqlite_database: Database) -> None:
    dated(sqlite_database)
    with sqlite_database.write() as conn:
        trash.delete_assets(conn, [digest("p3")], actor="ann")
    with sqlite_database.read() as conn:
        assert neighbours(conn, digest("p3"), AssetFilter()) == Neighbours(
            digest("p4"), digest("p2")
        )
        bin_only = AssetFilter(deleted=True)
        alone = neighbours(conn, digest("p3"), bin_only, sort=AssetSort.DELETED_LAST)
        assert alone == Neighbours(None, None)
        with pytest.raises(UnknownAsset):
            neighbours(conn, digest("nobody"), AssetFilter())
    assert shown(sqlite_database, bin_only, sort=AssetSort.DELETED_LAST) == ["p3"]


@pytest.mark.parametrize("cursor", ["", "x", "0.", "W10", "WzFd", "eyJiZWZvcmUiOiBbXX0"])
def test_a_cursor_of_another_list_is_refused(sqlite_database: Database, cursor: str) -> None:
    sort = AssetSort.CAPTURED_FIRST
    with sqlite_database.read() as conn, pytest.raises(BadCursor):
        browse_assets(conn, AssetFilter(), sort=sort, cursor=cursor)


@pytest.mark.parametrize(
    ("text", "search"),
    [
        (None, Search()),
        ("  ", Search()),
        ("two words", Search(("two", "words"))),
        ("ABCDEF", Search(("ABCDEF",), "abcdef")),
        ("abcde", Search(("abcde",))),
        ("sha256:abcdef0", Search(("sha256", "abcdef0"), "abcdef0")),
        ("LAKE0011.jpg", Search(("LAKE0011", "jpg"), None, "LAKE0011.jpg")),
        ("/a/b", Search(("a", "b"), None, "a/b")),
        ("a\0b", Search(("ab",))),
        ("...", Search((), None, "...")),
    ],
)
def test_what_is_typed_is_read_as_all_that_it_may_mean(text: str | None, search: Search) -> None:
    assert parse_search(text) == search


def test_no_filter_is_no_condition_but_the_trash(sqlite_database: Database) -> None:
    with sqlite_database.read() as conn:
        assert len(asset_conditions(conn, AssetFilter())) == 1
        assert asset_conditions(conn, AssetFilter(deleted=None, q=" ")) == []


def test_photos_are_found_by_camera_and_by_make_where_no_model_is_stated(
    database: Database,
) -> None:
    stated = {
        "one": ("Canon", "EOS 5D"),
        "two": ("Canon", None),
        "three": ("Fuji", "X100"),
        "four": ("Fuji", "Canon"),
        "five": (None, None),
    }
    save(database, *(Photo(title) for title in stated), batch_id=1)
    with database.write() as conn:
        ids = {row.title: row.id for row in conn.execute(select(asset.c.title, asset.c.id))}
        rows = [
            {"asset_id": ids[title], "camera_make": make, "camera_model": model}
            | {"orientation": 1, "frames": 1, "created_at": MAY, "updated_at": MAY}
            for title, (make, model) in stated.items()
        ]
        conn.execute(insert(photo), rows)
    with database.read() as conn:
        assert list_cameras(conn) == ["Canon", "EOS 5D", "X100"]
    assert shown(database, AssetFilter(camera="EOS 5D")) == ["one"]
    assert set(shown(database, AssetFilter(camera="Canon"))) == {"two", "four"}
    assert shown(database, AssetFilter(camera="X100", q="three")) == ["three"]
    assert shown(database, AssetFilter(camera="X10")) == []
