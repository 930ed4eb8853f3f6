"""What a site sees: by four routes, each asset once, compared with a plain model (A18)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from lading.db import Database
from lading.library import packages, sites, trash
from lading.library.filters import AssetFilter
from lading.library.queries import list_assets
from lading.library.routes import RouteKind
from lading.library.sites import UnknownSite
from lading.library.tables import ContainerKind, asset
from lading.library.values import ContainerRef
from lading.library.visibility import (
    HIDDEN_SENTENCES,
    Explanation,
    HiddenBecause,
    Route,
    explain,
    site_summary,
    sites_seeing,
    visible_assets,
    visible_containers,
    visible_to,
)
from tests.library.things import (
    LIBRARY_TABLES,
    Photo,
    digest,
    gallery,
    save,
    save_gallery,
    watched,
)

EVENT = ContainerRef("event", "e")


def titles(
    database: Database, site_key: str | None, filters: AssetFilter | None = None
) -> list[str | None]:
    with database.read() as conn:
        page = visible_assets(conn, site_key, limit=1000, filters=filters)
    return [row.facts.title for row in page.assets]


def four_routes(database: Database) -> None:
    """Site `s` sees one asset by each route, one by all of them, and one by none."""
    names = ["member", "in gallery", "allowed", "packaged", "in packaged event", "all", "none"]
    save(database, *(Photo(name, source=None, ai_runs={}) for name in names))
    save_gallery(database, "g", [digest("in gallery"), digest("all"), digest("all")])
    save_gallery(database, "e", [digest("in packaged event"), digest("all")], kind="event")
    with database.write() as conn:
        sites.create_site(conn, "s", "S", actor="ann")
        sites.create_site(conn, "empty", "Empty", actor="ann")
        packages.create_package(conn, "p", "P", actor="ann")
        sites.grant_assets(conn, "s", [digest("member"), digest("all")], actor="ann")
        sites.grant_containers(conn, "s", [gallery("g")], actor="ann")
        sites.allow_hashes(
            conn, "s", [digest("allowed"), digest("all"), digest("late")], actor="ann"
        )
        packages.add_to_package(
            conn, "p", hashes=[digest("packaged"), digest("all")], containers=[EVENT], actor="ann"
        )
        packages.attach_package(conn, "s", "p", actor="ann")


def test_each_route_leads_to_its_asset_and_many_routes_to_one(database: Database) -> None:
    four_routes(database)
    seen = ["all", "in packaged event", "packaged", "allowed", "in gallery", "member"]
    assert titles(database, "s") == seen
    assert titles(database, "empty") == []
    assert titles(database, None) == ["none", *seen]
    with database.read() as conn, pytest.raises(UnknownSite):
        visible_assets(conn, "unknown")


def test_pages_follow_each_other_without_a_gap(database: Database) -> None:
    four_routes(database)
    found: list[str | None] = []
    cursor = None
    with database.read() as conn:
        while True:
            page = visible_assets(conn, "s", cursor=cursor, limit=2)
            assert len(page.assets) <= 2
            found += [row.facts.title for row in page.assets]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == titles(database, "s")


def test_what_arrives_later_is_seen_at_once(database: Database) -> None:
    four_routes(database)
    with database.read() as conn:
        assert site_summary(conn, "s").awaited == 1
    save(database, Photo("late", facts={"asset_type": "video"}))
    assert titles(database, "s")[0] == "late"
    assert titles(database, "s", filters=AssetFilter(types=["video"])) == ["late"]
    with database.read() as conn:
        assert site_summary(conn, "s").awaited == 0


def test_the_trash_is_seen_by_nobody(database: Database) -> None:
    four_routes(database)
    with database.write() as conn:
        trash.mark_assets(conn, [digest("all")], deleted=True)
        trash.mark_containers(conn, [gallery("g"), EVENT], deleted=True)
    assert titles(database, "s") == ["packaged", "allowed", "member"]
    assert "all" not in titles(database, None)
    deleted = AssetFilter(deleted=True)
    assert titles(database, "s", filters=deleted) == []


def test_an_explanation_names_every_route(database: Database) -> None:
    four_routes(database)
    with database.read() as conn:
        found = explain(conn, "s", digest("all"))
    assert found == Explanation(
        digest("all"),
        True,
        [
            Route(RouteKind.SITE_MEMBERSHIP, "s"),
            Route(RouteKind.CONTAINER_MEMBERSHIP, "gallery:g"),
            Route(RouteKind.ALLOW_LIST, "s"),
            Route(RouteKind.ACCESS_PACKAGE, "p"),
            Route(RouteKind.ACCESS_PACKAGE, "p", EVENT),
        ],
        [],
    )


def test_an_explanation_says_why_something_is_hidden(database: Database) -> None:
    four_routes(database)
    with database.write() as conn:
        trash.mark_assets(conn, [digest("member")], deleted=True)
        trash.mark_containers(conn, [gallery("g")], deleted=True)
    with database.read() as conn:
        reasons = {
            name: explain(conn, "s", digest(name)).hidden_because
            for name in ("none", "late", "member", "in gallery", "allowed", "all")
        }
        closed = explain(conn, "s", digest("in gallery"))
        elsewhere = explain(conn, None, digest("none"))
        binned = explain(conn, None, digest("member"))
        late = explain(conn, "s", digest("late"))
    assert reasons == {
        "none": HiddenBecause.NO_ROUTE,
        "late": HiddenBecause.ASSET_UNKNOWN,
        "member": HiddenBecause.ASSET_DELETED,
        "in gallery": HiddenBecause.CONTAINER_DELETED,
        "allowed": None,
        "all": None,
    }
    assert closed.closed_routes == [Route(RouteKind.CONTAINER_MEMBERSHIP, "gallery:g", closed=True)]
    assert late.routes == [Route(RouteKind.ALLOW_LIST, "s")]
    assert elsewhere.visible
    assert binned.hidden_because is HiddenBecause.ASSET_DELETED
    assert set(HIDDEN_SENTENCES) == set(HiddenBecause)


def test_a_summary_counts_each_route(database: Database) -> None:
    four_routes(database)
    with database.read() as conn:
        summary = site_summary(conn, "s")
    assert summary.visible == 6
    assert summary.awaited == 1
    assert summary.by_route == {
        RouteKind.SITE_MEMBERSHIP: 2,
        RouteKind.CONTAINER_MEMBERSHIP: 2,
        RouteKind.ALLOW_LIST: 2,
        RouteKind.ACCESS_PACKAGE: 3,
    }


def test_a_site_shows_its_containers_and_those_of_its_packages(database: Database) -> None:
    four_routes(database)
    save_gallery(database, "hidden", [])

    def keys(site_key: str | None, kind: ContainerKind) -> list[str]:
        with database.read() as conn:
            page = visible_containers(conn, site_key, kind)
        return [container.ref.key for container in page.containers]

    assert keys("s", ContainerKind.GALLERY) == ["g"]
    assert keys("s", ContainerKind.EVENT) == ["e"]
    assert keys("s", ContainerKind.COLLECTION) == []
    assert keys(None, ContainerKind.GALLERY) == ["hidden", "g"]
    with database.write() as conn:
        trash.mark_containers(conn, [gallery("g")], deleted=True)
    assert keys("s", ContainerKind.GALLERY) == []


def test_a_page_is_one_statement_and_every_route_a_look_up_in_an_index(
    sqlite_database: Database,
) -> None:
    four_routes(sqlite_database)
    with watched(sqlite_database) as statements, sqlite_database.read() as conn:
        visible_assets(conn, "s", limit=2)
    asked = [sql for sql in statements.sent if "FROM" in sql]
    assert len(asked) == 3, "the site, the routes it has, and the page"
    with sqlite_database.read() as conn:
        query = select(asset).where(visible_to(conn, "s")).order_by(asset.c.id.desc()).limit(3)
        written_out = str(query.compile(conn, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in conn.execute(text("EXPLAIN QUERY PLAN " + written_out))]
    # The page walks the assets from the newest and stops when it is full.
    assert plan[0] == "SEARCH asset USING INDEX ix_asset_deleted (deleted_at=?)"
    assert sum(step.startswith("SEARCH") for step in plan) >= 9
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in plan)


def test_a_page_asks_only_for_the_routes_a_site_has(sqlite_database: Database) -> None:
    four_routes(sqlite_database)
    with sqlite_database.write() as conn:
        sites.create_site(conn, "one", "One", actor="ann")
        sites.allow_hashes(conn, "one", [digest("allowed")], actor="ann")
    with watched(sqlite_database) as statements:
        assert titles(sqlite_database, "one") == ["allowed"]
    assert "site_allow_list" in statements.sent[-1]
    assert not any(word in statements.sent[-1] for word in ("package", "membership", "_item"))


NAMES = st.sampled_from("abcdef")
KEYS = st.sampled_from(["gallery:g", "event:e", "collection:c"])


@dataclass
class Model:
    """Who sees what, said as plainly as can be."""

    arrived: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    members: dict[str, list[str]] = field(default_factory=dict)
    assets: set[str] = field(default_factory=set)
    containers: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    packaged: set[str] = field(default_factory=set)
    packaged_containers: set[str] = field(default_factory=set)
    attached: bool = False

    def sees(self, name: str) -> bool:
        containers = set(self.containers)
        named = self.assets | self.allowed
        if self.attached:
            containers |= self.packaged_containers
            named = named | self.packaged
        for container in containers - self.closed:
            named = named | set(self.members[container])
        return name in named and name in self.arrived and name not in self.deleted


@st.composite
def models(draw: st.DrawFn) -> Model:
    arrived = draw(st.sets(NAMES))
    some = st.sets(st.sampled_from(sorted(arrived))) if arrived else st.just(set[str]())
    return Model(
        arrived=arrived,
        deleted=draw(some),
        closed=draw(st.sets(KEYS)),
        members={
            key: draw(st.lists(NAMES, max_size=4))
            for key in ("gallery:g", "event:e", "collection:c")
        },
        assets=draw(some),
        containers=draw(st.sets(KEYS)),
        allowed=draw(st.sets(NAMES, max_size=2)),
        packaged=draw(st.sets(NAMES, max_size=2)),
        packaged_containers=draw(st.sets(KEYS)),
        attached=draw(st.booleans()),
    )


def hashes(names: set[str]) -> list[str]:
    return [digest(name) for name in sorted(names)]


def refs(keys: set[str]) -> list[ContainerRef]:
    return [ContainerRef.parse(key) for key in sorted(keys)]


def build(database: Database, model: Model) -> None:
    with database.write() as conn:
        for table in reversed(LIBRARY_TABLES):
            conn.execute(delete(table))
        sites.create_site(conn, "s", "S", actor="ann")
        sites.create_site(conn, "other", "Other", actor="ann")
        packages.create_package(conn, "p", "P", actor="ann")
        packages.create_package(conn, "other", "Other", actor="ann")
    save(database, *(Photo(n, files=[], source=None, ai_runs={}) for n in sorted(model.arrived)))
    for key, names in model.members.items():
        ref = ContainerRef.parse(key)
        save_gallery(database, ref.key, [digest(n) for n in names], kind=ref.kind)
    with database.write() as conn:
        sites.grant_assets(conn, "s", hashes(model.assets), actor="ann")
        sites.grant_containers(conn, "s", refs(model.containers), actor="ann")
        sites.allow_hashes(conn, "s", hashes(model.allowed), actor="ann")
        packages.add_to_package(
            conn,
            "p",
            actor="ann",
            hashes=hashes(model.packaged),
            containers=refs(model.packaged_containers),
        )
        if model.attached:
            packages.attach_package(conn, "s", "p", actor="ann")
        # Another site and another package see everything; nothing of it may show on ours.
        sites.allow_hashes(conn, "other", [digest(name) for name in "abcdef"], actor="ann")
        packages.add_to_package(
            conn, "other", hashes=[digest(name) for name in "abcdef"], actor="ann"
        )
        packages.attach_package(conn, "other", "other", actor="ann")
        trash.mark_assets(conn, hashes(model.deleted), deleted=True)
        trash.mark_containers(conn, refs(model.closed), deleted=True)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(model=models())
def test_a_site_sees_what_the_model_says(sqlite_database: Database, model: Model) -> None:
    build(sqlite_database, model)
    expected = sorted((name for name in "abcdef" if model.sees(name)), reverse=True)
    assert titles(sqlite_database, "s") == expected
    with sqlite_database.read() as conn:
        for name in "abcdef":
            found = explain(conn, "s", digest(name))
            assert found.visible == model.sees(name)
            assert found.visible == (found.hidden_because is None)
            assert not found.visible or found.routes
        summary = site_summary(conn, "s")
        unsited = list_assets(conn).assets
        filtered = list_assets(conn, AssetFilter(site="s")).assets
        seeing = sites_seeing(conn, [digest(name) for name in "abcdef"])
    assert [row.facts.title for row in filtered] == expected
    assert {name for name in "abcdef" if "s" in seeing.get(digest(name), [])} == set(expected)
    assert summary.visible == len(expected)
    assert summary.awaited == len(model.allowed - model.arrived)
    assert max(summary.by_route.values()) <= summary.visible <= sum(summary.by_route.values())
    assert {row.facts.title for row in unsited} == model.arrived - model.deleted
