"""Sites and access packages: routes are given and taken back, idempotently (A18)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError

from lading.db import Database
from lading.library import packages, sites
from lading.library.containers import UnknownContainer
from lading.library.known import UnknownAsset
from lading.library.named import KeyTaken
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
        first = sites.create_site(conn, "north", "The North")
        again = sites.create_site(conn, "north", "The North")
        sites.create_site(conn, "east", "The East")
        assert first == again
        assert [site.key for site in sites.list_sites(conn)] == ["east", "north"]
        assert sites.require_site(conn, "north") == first
        with pytest.raises(KeyTaken):
            sites.create_site(conn, "north", "Another")
        with pytest.raises(UnknownSite):
            sites.require_site(conn, "North")


def test_every_route_is_given_once_and_taken_back(database: Database) -> None:
    save(database, Photo("a"), Photo("b"))
    save_gallery(database, "g", [digest("a")])
    save_gallery(database, "g", [digest("a")], kind="event")
    refs = [gallery("g"), ContainerRef("event", "g")]
    hashes = [digest("a"), digest("late")]
    with database.write() as conn:
        sites.create_site(conn, "s", "S")
        packages.create_package(conn, "p", "P")
    empty = picture_of(database)
    with database.write() as conn:
        assert sites.grant_assets(conn, "s", [digest("a")]) == [digest("a")]
        assert sites.grant_assets(conn, "s", [digest("a"), digest("b")]) == [digest("b")]
        assert sites.grant_containers(conn, "s", refs) == refs
        assert sites.grant_containers(conn, "s", refs) == []
        assert sites.allow_hashes(conn, "s", hashes) == hashes
        assert sites.allow_hashes(conn, "s", hashes) == []
        content = packages.add_to_package(conn, "p", hashes=hashes, containers=refs)
        assert content == PackageContent(hashes, refs)
        content = packages.add_to_package(conn, "p", hashes=hashes, containers=refs)
        assert content == PackageContent([], [])
        assert packages.attach_package(conn, "s", "p")
        assert not packages.attach_package(conn, "s", "p")
    with database.write() as conn:
        assert sites.revoke_assets(conn, "s", [digest("a"), digest("b")]) == [
            digest("a"),
            digest("b"),
        ]
        assert sites.revoke_containers(conn, "s", refs) == refs
        assert sites.disallow_hashes(conn, "s", [*hashes, digest("b")]) == hashes
        content = packages.remove_from_package(conn, "p", hashes=hashes, containers=refs)
        assert content == PackageContent(hashes, refs)
        assert packages.detach_package(conn, "s", "p")
        assert not packages.detach_package(conn, "s", "p")
        assert sites.revoke_assets(conn, "s", [digest("a")]) == []
    assert picture_of(database) == empty


def test_only_an_allow_list_or_package_may_name_what_is_on_its_way(
    sqlite_database: Database,
) -> None:
    with sqlite_database.write() as conn:
        sites.create_site(conn, "s", "S")
        packages.create_package(conn, "p", "P")
        with pytest.raises(UnknownAsset):
            sites.grant_assets(conn, "s", [digest("late")])
        with pytest.raises(UnknownContainer):
            sites.grant_containers(conn, "s", [gallery("late")])
        assert sites.allow_hashes(conn, "s", [digest("late")])
        assert packages.add_to_package(conn, "p", hashes=[digest("late")]).assets
        with pytest.raises(UnknownPackage):
            packages.attach_package(conn, "s", "q")
        with pytest.raises(UnknownSite):
            packages.attach_package(conn, "t", "p")
        assert [package.key for package in packages.list_packages(conn)] == ["p"]


def test_no_route_without_its_site(database: Database) -> None:
    [saved] = save(database, Photo("a"))
    with database.write() as conn:
        at = packages.create_package(conn, "p", "P").created_at
    rows: list[tuple[Table, dict[str, Any]]] = [
        (asset_site_membership, {"asset_id": saved.id}),
        (container_site_membership, {"container_kind": "gallery", "container_id": 1}),
        (site_allow_list, {"content_hash": digest("a")}),
        (site_access_package, {"package_id": 1}),
    ]
    for table, values in rows:
        with pytest.raises(IntegrityError), database.write() as conn:
            conn.execute(insert(table).values(site_id=4711, created_at=at, **values))
