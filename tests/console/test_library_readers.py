"""What pages and the API are told of the library: cards, one asset, sites, packages, the trash."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar import Request
from litestar.testing import RequestFactory

from lading.console.listing import read_query
from lading.console.readers.assets import TEXT_SHOWN, read_asset
from lading.console.readers.library import (
    ASSET_FIELDS,
    AssetBadge,
    MemberState,
    asset_filter,
    container_at,
    kind_word,
    read_assets,
    read_container,
    read_containers,
)
from lading.console.readers.sites import (
    read_package,
    read_packages,
    read_sight,
    read_site,
    read_sites,
)
from lading.console.readers.trash import KEPT, read_trash, read_undos
from lading.db import Database
from lading.db.counting import Count
from lading.library import browsing, packages, sites, trash
from lading.library.browsing import (
    AssetSort,
    Neighbours,
    asset_facets,
    browse_assets,
    count_browsed,
)
from lading.library.containers import UnknownContainer
from lading.library.filters import AssetFilter, ContainerFilter, CoverState
from lading.library.known import UnknownAsset
from lading.library.sites import UnknownSite
from lading.library.tables import ContainerKind
from lading.library.trash_lists import RemovalWay
from lading.library.values import ContainerRef
from lading.sources.handover import build
from lading.storage.memory import MemoryStore
from lading.testing.bundles import BundlePublisher
from lading.testing.installation import Installation
from tests.library.things import Photo, a_file, digest, gallery, save, save_gallery, watched

FILM = [
    a_file("original/day.mp4", "film", media_type="video/mp4", size_bytes=5_000_000),
    a_file("hls/playlist.m3u8", role="hls", media_type="application/vnd.apple.mpegurl"),
    a_file("hls/s0.ts", role="hls", media_type="video/mp2t"),
    a_file("transcript/en.vtt", role="transcript", variant="en", media_type="text/vtt"),
    a_file("cover/library.jpg", role="library_cover"),
    a_file("cloud/package.zip", role="cloud_package", media_type="application/zip"),
]
VIDEO = {"asset_type": "video", "asset_subtype": "video_simple", "title": None, "duration_s": 6.0}


def a_library(database: Database) -> None:
    """A film without a title, a photo whose cover is on its way, one in a gallery, one in trash."""
    save(database, Photo("film", VIDEO, files=FILM, source='{"file_name": "day.mp4"}'))
    save(database, Photo("awaiting", cover=digest("to come"), files=[]))
    save(database, Photo("shown"), Photo("binned"))
    members = [digest("shown"), digest("to come"), digest("binned"), digest("film")]
    save_gallery(database, "g/1", members, title="Nights")
    with database.write() as conn:
        sites.create_site(conn, "north", "The North", actor="ann")
        sites.create_site(conn, "south", "The South", actor="ann")
        packages.create_package(conn, "press", "Press kit", actor="ann")
        sites.grant_containers(conn, "north", [gallery("g/1")], actor="ann")
        sites.grant_assets(conn, "north", [digest("shown")], actor="ann")
        sites.allow_hashes(conn, "north", [digest("film"), digest("to come")], actor="ann")
        packages.add_to_package(conn, "press", hashes=[digest("film")], actor="ann")
        packages.add_to_package(conn, "press", containers=[gallery("g/1")], actor="ann")
        packages.attach_package(conn, "south", "press", actor="ann")
        trash.delete_assets(conn, [digest("binned")], actor="ann")


def test_a_card_says_what_a_grid_shows(database: Database) -> None:
    a_library(database)
    page = read_assets(database, AssetFilter())
    assert [card.name for card in page.cards] == ["shown", "awaiting", "day.mp4"]
    assert page.count == Count(3)
    assert {(facet.asset_type, facet.count.value) for facet in page.facets} == {
        ("photo", 2),
        ("video", 1),
    }
    shown, awaiting, film = page.cards
    assert film.kind == "Film (video simple)"
    assert film.alt == "day.mp4 (film (video simple))"
    assert film.badges == [AssetBadge.TRANSCRIPT, AssetBadge.HLS]
    assert (film.files, film.bytes) == (6, 5_005_000)
    assert film.sites == ["north", "south"]
    assert film.thumbnail.url is not None
    assert f"{digest('film')}/files/cover/library.jpg?v=" in film.thumbnail.url
    assert awaiting.badges == [AssetBadge.COVER_AWAITED]
    assert awaiting.thumbnail.url is None
    assert awaiting.sites == []
    assert shown.url == f"/library/assets/{digest('shown')}"


def test_a_site_narrows_every_list_and_no_site_narrows_none(database: Database) -> None:
    a_library(database)
    south = read_assets(database, AssetFilter(site="south"))
    assert [card.name for card in south.cards] == ["shown", "day.mp4"]
    assert (south.count, south.site) == (Count(2), "south")
    kind = ContainerKind.GALLERY
    assert read_containers(database, kind, ContainerFilter(site="south")).count == Count(1)
    with pytest.raises(UnknownSite):
        read_assets(database, AssetFilter(site="west"))
    with pytest.raises(UnknownSite):
        read_containers(database, kind, ContainerFilter(site="west"))


def test_a_page_of_cards_costs_the_same_however_many_there_are(sqlite_database: Database) -> None:
    save(sqlite_database, *(Photo(f"p{n}") for n in range(30)))
    counts = []
    for limit in (2, 30):
        with watched(sqlite_database) as statements:
            read_assets(sqlite_database, AssetFilter(), limit=limit)
        counts.append(len(statements.sent))
    assert counts[0] == counts[1]


def test_a_gallery_shows_its_members_in_order_and_which_are_not_here(database: Database) -> None:
    a_library(database)
    listed = read_containers(database, ContainerKind.GALLERY, ContainerFilter())
    [card] = listed.cards
    assert (card.name, card.kind) == ("Nights", "Gallery")
    assert (card.members.total, card.members.present) == (4, 2)
    assert (card.members.awaited, card.members.deleted) == (1, 1)
    assert card.sites == ["north", "south"]
    number = int(card.url.rpartition("/")[2])
    ref = container_at(database, ContainerKind.GALLERY, number)
    first = read_container(database, ref, limit=3)
    assert [line.state for line in first.members] == [
        MemberState.PRESENT,
        MemberState.AWAITED,
        MemberState.IN_TRASH,
    ]
    assert first.members[1].card is None
    assert first.packages == ["press"]
    assert {event.kind for event in first.history} == {"site_changed", "package_changed"}
    rest = read_container(database, ref, cursor=first.next_cursor)
    assert [line.position for line in rest.members] == [3]
    assert rest.prev_cursor is not None
    with pytest.raises(UnknownContainer):
        container_at(database, ContainerKind.EVENT, number)


def test_an_asset_page_has_files_by_role_and_what_plays(database: Database) -> None:
    a_library(database)
    found = read_asset(database, "sha256:" + digest("film").upper(), within=AssetFilter())
    assert [(group.label, group.total) for group in found.groups] == [
        ("Original", 1),
        ("Streaming (HLS)", 2),
        ("Transcripts", 1),
        ("Cloud package", 1),
        ("Library cover", 1),
    ]
    [original] = found.groups[0].files
    assert (original.name, original.inline, original.in_place) == ("day.mp4", True, None)
    assert original.download_url == f"{original.url}&download=1"
    assert found.preview.film_url == original.url
    assert found.preview.film_type == "video/mp4"
    assert found.preview.picture_url == found.card.thumbnail.url
    assert "/hls/playlist.m3u8?v=" in str(found.preview.playlist_url)
    assert [language for language, _ in found.preview.captions] == ["en"]
    assert found.cover.state is CoverState.PRESENT
    assert [(m.container, m.position) for m in found.memberships] == [(gallery("g/1"), 3)]
    assert [(site.key, len(site.routes)) for site in found.sites] == [("north", 2), ("south", 2)]
    assert found.packages == ["press"]
    assert found.beside == Neighbours(digest("awaiting"), None)
    assert [event.kind for event in found.history] == ["package_changed", "site_changed"]
    assert read_asset(database, digest("awaiting")).cover.state is CoverState.AWAITED
    assert read_asset(database, digest("shown")).beside is None


def test_documents_are_shown_parsed_and_raw_but_never_whole_when_long(
    sqlite_database: Database,
) -> None:
    long = json.dumps({"words": "é" * 100_000})
    photo = Photo(
        "p",
        source='{"origin": "nas"}',
        ai_runs={"photo.analysis": '{"a": 1}', "source_data:x.json": "no json", "photo.long": long},
    )
    save(sqlite_database, photo)
    found = read_asset(sqlite_database, digest("p"))
    assert found.source is not None
    assert found.source.parsed == {"origin": "nas"}
    runs = {run.label: run for run in found.ai_runs}
    assert runs["photo.analysis"].parsed == {"a": 1}
    assert not runs["photo.analysis"].is_source_data
    assert runs["source_data:x.json"].parsed is None
    assert runs["source_data:x.json"].text == "no json"
    assert runs["source_data:x.json"].is_source_data
    assert runs["photo.long"].cut
    assert len(runs["photo.long"].text) == TEXT_SHOWN
    with pytest.raises(UnknownAsset):
        read_asset(sqlite_database, "nonsense")


def test_a_file_no_longer_named_is_listed_apart(sqlite_database: Database) -> None:
    save(sqlite_database, Photo("p"))
    save(sqlite_database, Photo("p", files=[a_file("original/a.jpg", "p")]))
    found = read_asset(sqlite_database, digest("p"))
    assert [group.role for group in found.groups] == ["original"]
    assert [(line.name, line.url) for line in found.retired] == [("large.webp", None)]


def test_a_site_page_counts_by_route_and_names_what_is_awaited(database: Database) -> None:
    a_library(database)
    assert [(line.site.key, line.visible) for line in read_sites(database)] == [
        ("north", 2),
        ("south", 2),
    ]
    north = read_site(database, "north")
    assert north.summary.awaited == 1
    assert [found.ref for found in north.containers] == [gallery("g/1")]
    assert [entry.content_hash for entry in north.members.entries] == [digest("shown")]
    assert {entry.content_hash: entry.card is None for entry in north.allowed.entries} == {
        digest("film"): False,
        digest("to come"): True,
    }
    [awaited] = read_site(database, "north", awaited=True).allowed.entries
    assert awaited.content_hash == digest("to come")
    assert [event.payload["change"] for event in north.history][-1] == "created"
    south = read_site(database, "south", limit=1)
    assert [package.key for package in south.packages] == ["press"]


def test_a_package_page_has_contents_and_sites(database: Database) -> None:
    a_library(database)
    [line] = read_packages(database)
    assert (line.size.assets, line.size.containers, line.size.sites) == (1, 1, 1)
    press = read_package(database, "press")
    assert [entry.content_hash for entry in press.content.entries] == [digest("film")]
    assert [found.ref for found in press.containers] == [gallery("g/1")]
    assert [site.key for site in press.sites] == ["south"]
    changes = [event.payload["change"] for event in press.history]
    assert changes == ["attached", "added", "added", "created"]


@pytest.mark.parametrize(
    ("site", "name", "sentence", "ways"),
    [
        ("north", "shown", "The North sees it.", 2),
        ("south", "film", "The South sees it.", 2),
        ("south", "awaiting", "Nothing makes the asset visible on this site.", 0),
        ("north", "binned", "The asset is in the trash.", 1),
        ("north", "to come", "The library does not have this asset.", 2),
        (None, "film", "It is in the library. No site is selected.", 0),
        (None, "nobody", "The library does not have this asset.", 0),
    ],
)
def test_why_a_site_sees_something_is_said_in_words(
    sqlite_database: Database, site: str | None, name: str, sentence: str, ways: int
) -> None:
    a_library(sqlite_database)
    sight = read_sight(sqlite_database, site, digest(name))
    assert sight.sentence == sentence
    assert len(sight.open) == ways
    assert (sight.card is None) == (name in {"to come", "nobody"})


def test_a_way_through_a_container_in_the_trash_is_named_as_closed(
    sqlite_database: Database,
) -> None:
    a_library(sqlite_database)
    with sqlite_database.write() as conn:
        trash.delete_containers(conn, [gallery("g/1")], actor="ann")
    sight = read_sight(sqlite_database, "south", digest("shown"))
    assert sight.sentence == "Every container that leads to the asset is in the trash."
    assert sight.closed == [
        "The package press is open to the site and has gallery:g/1 in it, but that is in the trash."
    ]
    with pytest.raises(UnknownAsset):
        read_sight(sqlite_database, "south", "nonsense")


def test_the_trash_says_who_why_and_what_comes_back(database: Database) -> None:
    a_library(database)
    save(database, Photo("undone"), batch_id=7)
    with database.write() as conn:
        trash.retire_batch(conn, 7, actor="bob")
    with database.write() as conn:
        trash.delete_containers(conn, [gallery("g/1")], actor="cid")
    page = read_trash(database)
    undone, binned = page.lines
    assert (binned.name, binned.why) == (digest("binned"), "Put here by ann.")
    assert binned.removal is not None
    assert (binned.removal.way, binned.removal.actor) == (RemovalWay.BY_HAND, "ann")
    assert undone.why == "Went with batch number 7, which bob undid."
    assert {kind: count.value for kind, count in page.counts.items()} == {
        "asset": 2,
        "gallery": 1,
        "collection": 0,
        "event": 0,
    }
    [box] = read_trash(database, "gallery").lines
    assert (box.name, box.why) == ("gallery:g/1", "Put here by cid.")
    assert box.comes_back == "Comes back with 4 places for members, 1 site, 1 access package."
    [undo] = read_undos(database)
    assert (undo.undo.assets, undo.undo.actor, undo.undo.taken_back) == (1, "bob", False)
    with database.write() as conn:
        trash.restore_batch(conn, 7, actor="bob")
    assert read_undos(database)[0].undo.taken_back
    assert "Nothing is ever removed" in KEPT


def test_what_an_asset_brings_back_is_counted(database: Database) -> None:
    save(database, Photo("a", cover=digest("b")), Photo("b"))
    save_gallery(database, "g", [digest("b"), digest("b")])
    save_gallery(database, "gone", [digest("b")])
    with database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        sites.grant_assets(conn, "s", [digest("b")], actor="ann")
        trash.delete_containers(conn, [gallery("gone")], actor="ann")
        trash.delete_assets(conn, [digest("b")], actor="ann")
    [line] = read_trash(database).lines
    assert line.comes_back == (
        "Comes back with 2 files, 1 container it is in, 1 site, 1 cover that it is."
    )


def test_only_the_deletion_that_holds_is_told(sqlite_database: Database) -> None:
    save(sqlite_database, Photo("a"))
    for actor in ("ann", "bob"):
        with sqlite_database.write() as conn:
            trash.delete_assets(conn, [digest("a")], actor=actor)
        if actor == "ann":
            with sqlite_database.write() as conn:
                trash.restore_assets(conn, [digest("a")], actor="ann")
    [line] = read_trash(sqlite_database).lines
    assert line.why == "Put here by bob."


def test_what_nobody_recorded_is_not_made_up(sqlite_database: Database) -> None:
    save(sqlite_database, Photo("a"))
    save_gallery(sqlite_database, "g", [])
    with sqlite_database.write() as conn:
        trash.mark_assets(conn, [digest("a")], deleted=True)
        trash.mark_containers(conn, [gallery("g")], deleted=True)
    assert read_trash(sqlite_database).lines[0].removal is None
    assert read_trash(sqlite_database, "gallery").lines[0].removal is None


def test_an_asset_names_its_batch_and_item_and_the_trash_the_batch_that_removed_it(
    database: Database, tmp_path: Path
) -> None:
    upstream = BundlePublisher(tmp_path / "nas")
    source = build("nas", {"root": str(upstream.root)})
    here = Installation(database, MemoryStore(name="library"), [source])
    bundle = upstream.bundle("gallery")
    content_hash = bundle.photo("one")
    bundle.gallery("spring", [content_hash])
    brought = bundle.publish().sync_id
    here.take_in()
    found = read_asset(database, content_hash)
    assert found.batch is not None
    assert found.batch.batch_key == brought
    assert found.batch_url == f"/import/batches/{brought}"
    assert found.item is not None
    assert (found.item.kind, found.item.content_hash) == ("asset", content_hash)
    assert {"batch_found", "batch_finished"} <= {event.kind for event in found.history}
    [container] = read_containers(database, ContainerKind.GALLERY, ContainerFilter()).cards
    assert container.batch_url == found.batch_url
    removal = upstream.bundle("gallery", "remove")
    removal.remove_asset(content_hash)
    removal.remove_container("gallery", "spring")
    removed = removal.publish().sync_id
    here.take_in()
    for kind in ("asset", "gallery"):
        [line] = read_trash(database, kind).lines
        assert line.removal is not None
        assert line.removal.way is RemovalWay.IMPORT
        assert line.why == f"Its upstream removed it with batch {removed[:8]}."
        assert line.batch_url == f"/import/batches/{removed}"


def asked(**parameters: Any) -> Request[Any, Any, Any]:
    return RequestFactory().get("/library/assets", query_params=parameters)


def test_the_address_of_a_list_is_its_filter() -> None:
    request = asked(q="moon", type="photo,video", transcript="yes", cover="awaited", batch="7")
    query = read_query(request, ASSET_FIELDS, sorts=[s.value for s in AssetSort])
    filters = asset_filter(query, "north")
    assert filters == AssetFilter(
        q="moon",
        types=("photo", "video"),
        has_transcript=True,
        cover=CoverState.AWAITED,
        batch_id=7,
        site="north",
    )
    assert asset_filter(read_query(asked(), ASSET_FIELDS)) == AssetFilter()


def test_kinds_are_words() -> None:
    assert kind_word("photo") == "Photo"
    assert kind_word("video", "video_simple") == "Film (video simple)"
    assert kind_word("point_cloud") == "Point cloud"
    assert str(ContainerRef("event", "a")) == "event:a"


def test_a_count_added_up_from_facets_is_the_length_of_the_list(database: Database) -> None:
    a_library(database)
    searches: list[dict[str, Any]] = [
        {},
        {"q": "shown"},
        {"q": "nothing is called this"},
        {"q": "day.mp4"},
        {"types": ["video"]},
        {"types": ["photo", "video"], "subtypes": ["video_simple"]},
        {"types": ["photo"], "subtypes": ["video_simple"]},
        {"q": "s", "site": "north"},
        {"deleted": True},
    ]
    with database.read() as conn:
        for search in searches:
            filters = AssetFilter(**search)
            facets = asset_facets(conn, filters)
            listed = browse_assets(conn, filters).assets
            assert count_browsed(conn, filters, facets) == Count(len(listed)), search
            assert count_browsed(conn, filters) == Count(len(listed)), search
            whole = browse_assets(conn, replace(filters, types=(), subtypes=())).assets
            assert sum(facet.count.value for facet in facets) == len(whole), search
            assert len(facets) == 2


def test_what_is_counted_in_parts_is_counted_alike_when_it_is_much(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_library(database)
    monkeypatch.setattr(browsing, "COUNT_CAP", 2)
    with database.read() as conn:
        facets = asset_facets(conn, AssetFilter())
        assert [(f.asset_type, f.count) for f in facets] == [
            ("photo", Count(2)),
            ("video", Count(1)),
        ]
        assert count_browsed(conn, AssetFilter(), facets) == Count(2, exact=False)
