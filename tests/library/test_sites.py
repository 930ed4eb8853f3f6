"""Sites and access packages: routes are given and taken back, idempotently (A18)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError

from lading.db import Database
from lading.ledger.queries import list_events
from lading.ledger.verify import verify_chain
from lading.library import packages, sites
from lading.library.containers import UnknownContainer
from lading.library.known import UnknownAsset
from lading.library.named import KeyTaken, NameRefused
from lading.library.packages import PackageContent, UnknownPackage
from lading.library.sites import UnknownSite
from lading.library.tables import (
    asset_site_membership,
    container_site_membership,
    site_access_package,
    site_allow_list,
)
from lading.library.values import ContainerRef
from tests.library.things import Photo, digest, gallery, picture_of, save, save_gallery


def test_a_site_is_set_up_once(database: Database) -> None:
    with database.write() as conn:
        first = sites.create_site(conn, "north", "The North", actor="ann")
        again = sites.create_site(conn, "north", "The North", actor="ann")
        sites.create_site(conn, "east", "The East", actor="ann")
        assert first == again
        assert [site.key for site in sites.list_sites(conn)] == ["east", "north"]
        assert sites.require_site(conn, "north") == first
        with pytest.raises(KeyTaken):
            sites.create_site(conn, "north", "Another", actor="ann")
        with pytest.raises(UnknownSite):
            sites.require_site(conn, "North")


def test_every_route_is_given_once_and_taken_back(database: Database) -> None:
    save(database, Photo("a"), Photo("b"))
    save_gallery(database, "g", [digest("a")])
    save_gallery(database, "g", [digest("a")], kind="event")
    refs = [gallery("g"), ContainerRef("event", "g")]
    hashes = [digest("a"), digest("late")]
    with database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        packages.create_package(conn, "p", "P", actor="ann")
    empty = picture_of(database)
    with database.write() as conn:
        assert sites.grant_assets(conn, "s", [digest("a")], actor="ann") == [digest("a")]
        assert sites.grant_assets(conn, "s", [digest("a"), digest("b")], actor="ann") == [
            digest("b")
        ]
        assert sites.grant_containers(conn, "s", refs, actor="ann") == refs
        assert sites.grant_containers(conn, "s", refs, actor="ann") == []
        assert sites.allow_hashes(conn, "s", hashes, actor="ann") == hashes
        assert sites.allow_hashes(conn, "s", hashes, actor="ann") == []
        content = packages.add_to_package(conn, "p", hashes=hashes, containers=refs, actor="ann")
        assert content == PackageContent(hashes, refs)
        content = packages.add_to_package(conn, "p", hashes=hashes, containers=refs, actor="ann")
        assert content == PackageContent([], [])
        assert packages.attach_package(conn, "s", "p", actor="ann")
        assert not packages.attach_package(conn, "s", "p", actor="ann")
    with database.write() as conn:
        assert sites.revoke_assets(conn, "s", [digest("a"), digest("b")], actor="ann") == [
            digest("a"),
            digest("b"),
        ]
        assert sites.revoke_containers(conn, "s", refs, actor="ann") == refs
        assert sites.disallow_hashes(conn, "s", [*hashes, digest("b")], actor="ann") == hashes
        content = packages.remove_from_package(
            conn, "p", hashes=hashes, containers=refs, actor="ann"
        )
        assert content == PackageContent(hashes, refs)
        assert packages.detach_package(conn, "s", "p", actor="ann")
        assert not packages.detach_package(conn, "s", "p", actor="ann")
        assert sites.revoke_assets(conn, "s", [digest("a")], actor="ann") == []
    assert picture_of(database) == empty


def test_only_an_allow_list_or_package_may_name_what_is_on_its_way(
    sqlite_database: Database,
) -> None:
    with sqlite_database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        packages.create_package(conn, "p", "P", actor="ann")
        with pytest.raises(UnknownAsset):
            sites.grant_assets(conn, "s", [digest("late")], actor="ann")
        with pytest.raises(UnknownContainer):
            sites.grant_containers(conn, "s", [gallery("late")], actor="ann")
        assert sites.allow_hashes(conn, "s", [digest("late")], actor="ann")
        assert packages.add_to_package(conn, "p", hashes=[digest("late")], actor="ann").assets
        with pytest.raises(UnknownPackage):
            packages.attach_package(conn, "s", "q", actor="ann")
        with pytest.raises(UnknownSite):
            packages.attach_package(conn, "t", "p", actor="ann")
        assert [package.key for package in packages.list_packages(conn)] == ["p"]


def test_no_route_without_its_site(database: Database) -> None:
    [saved] = save(database, Photo("a"))
    with database.write() as conn:
        at = packages.create_package(conn, "p", "P", actor="ann").created_at
    rows: list[tuple[Table, dict[str, Any]]] = [
        (asset_site_membership, {"asset_id": saved.id}),
        (container_site_membership, {"container_kind": "gallery", "container_id": 1}),
        (site_allow_list, {"content_hash": digest("a")}),
        (site_access_package, {"package_id": 1}),
    ]
    for table, values in rows:
        with pytest.raises(IntegrityError), database.write() as conn:
            conn.execute(insert(table).values(site_id=4711, created_at=at, **values))


def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """Who did what, as the ledger has it."""
    with database.read() as conn:
        assert verify_chain(conn).whole
        return [(event.actor, dict(event.payload)) for event in list_events(conn)]


def test_every_change_is_in_the_ledger_once_and_names_who_made_it(database: Database) -> None:
    save(database, Photo("a"))
    save_gallery(database, "g", [digest("a")])
    for _ in range(2):
        with database.write() as conn:
            sites.create_site(conn, "s", "S", actor="ann")
            sites.rename_site(conn, "s", "S", actor="ann")
            sites.grant_assets(conn, "s", [digest("a")], actor="bob")
            sites.grant_containers(conn, "s", [gallery("g")], actor="bob")
            sites.allow_hashes(conn, "s", [digest("a"), digest("late")], actor="bob")
            packages.create_package(conn, "p", "P", actor="ann")
            packages.add_to_package(
                conn, "p", hashes=[digest("a")], containers=[gallery("g")], actor="bob"
            )
            packages.attach_package(conn, "s", "p", actor="bob")
    assert told(database) == [
        ("ann", {"site": "s", "change": "created", "after": "S"}),
        ("bob", {"site": "s", "change": "granted", "content_hashes": [digest("a")]}),
        ("bob", {"site": "s", "change": "granted", "containers": ["gallery:g"]}),
        (
            "bob",
            {"site": "s", "change": "allowed", "content_hashes": [digest("a"), digest("late")]},
        ),
        ("ann", {"package": "p", "change": "created", "after": "P"}),
        ("bob", {"package": "p", "change": "added", "content_hashes": [digest("a")]}),
        ("bob", {"package": "p", "change": "added", "containers": ["gallery:g"]}),
        ("bob", {"site": "s", "change": "attached", "package": "p"}),
    ]


def test_taking_back_and_renaming_are_in_the_ledger_too(sqlite_database: Database) -> None:
    database = sqlite_database
    save(database, Photo("a"))
    save_gallery(database, "g", [digest("a")])
    with database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        packages.create_package(conn, "p", "P", actor="ann")
        sites.grant_assets(conn, "s", [digest("a")], actor="ann")
        sites.grant_containers(conn, "s", [gallery("g")], actor="ann")
        sites.allow_hashes(conn, "s", [digest("a")], actor="ann")
        packages.add_to_package(conn, "p", hashes=[digest("a")], actor="ann")
        packages.attach_package(conn, "s", "p", actor="ann")
    before = len(told(database))
    for _ in range(2):
        with database.write() as conn:
            assert sites.rename_site(conn, "s", "Site", actor="bob").name == "Site"
            assert packages.rename_package(conn, "p", "Pack", actor="bob").name == "Pack"
            sites.revoke_assets(conn, "s", [digest("a")], actor="bob")
            sites.revoke_containers(conn, "s", [gallery("g")], actor="bob")
            sites.disallow_hashes(conn, "s", [digest("a")], actor="bob")
            packages.remove_from_package(conn, "p", hashes=[digest("a")], actor="bob")
            packages.detach_package(conn, "s", "p", actor="bob")
    assert told(database)[before:] == [
        ("bob", {"site": "s", "change": "renamed", "before": "S", "after": "Site"}),
        ("bob", {"package": "p", "change": "renamed", "before": "P", "after": "Pack"}),
        ("bob", {"site": "s", "change": "revoked", "content_hashes": [digest("a")]}),
        ("bob", {"site": "s", "change": "revoked", "containers": ["gallery:g"]}),
        ("bob", {"site": "s", "change": "disallowed", "content_hashes": [digest("a")]}),
        ("bob", {"package": "p", "change": "removed", "content_hashes": [digest("a")]}),
        ("bob", {"site": "s", "change": "detached", "package": "p"}),
    ]


def test_a_large_grant_is_recorded_in_events_of_bounded_size(sqlite_database: Database) -> None:
    hashes = [digest(str(n)) for n in range(2_001)]
    with sqlite_database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        sites.allow_hashes(conn, "s", hashes, actor="ann")
    sizes = [len(payload.get("content_hashes", [])) for _, payload in told(sqlite_database)]
    assert sizes == [0, 1_000, 1_000, 1]


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "a/b", "-a", "a" * 65, "a\n"])
def test_a_key_that_cannot_be_typed_again_is_refused(sqlite_database: Database, key: str) -> None:
    with sqlite_database.write() as conn, pytest.raises(NameRefused):
        sites.create_site(conn, key, "Name", actor="ann")
    with sqlite_database.write() as conn, pytest.raises(NameRefused):
        packages.create_package(conn, key, "Name", actor="ann")
    assert told(sqlite_database) == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 191, "a\0b", "\ud800"])
def test_a_name_that_cannot_be_kept_is_refused(sqlite_database: Database, name: str) -> None:
    with sqlite_database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        with pytest.raises(NameRefused):
            sites.rename_site(conn, "s", name, actor="ann")
        with pytest.raises(UnknownSite):
            sites.rename_site(conn, "t", "T", actor="ann")
