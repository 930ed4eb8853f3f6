"""Saving containers: members in order, written only where they differ (A14, A19)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.db import Database
from lading.ledger.states import Outcome
from lading.library.containers import (
    MemberCount,
    UnknownContainer,
    count_members,
    find_containers,
    known_members,
    list_members,
    preview_containers,
    save_container,
)
from lading.library.rules import FactsRefused, changed_positions, runs
from lading.library.tables import CONTAINERS, ContainerKind
from lading.library.trash import mark_assets, mark_containers
from lading.library.values import ContainerFacts, ContainerRef
from tests.library.things import (
    Photo,
    digest,
    gallery,
    picture_of,
    save,
    save_gallery,
    watched,
)


def members_of(database: Database, ref: ContainerRef) -> list[str]:
    found: list[str] = []
    cursor = None
    with database.read() as conn:
        while True:
            page = list_members(conn, ref, cursor=cursor, limit=1000)
            found += [member.content_hash for member in page.members]
            cursor = page.next_cursor
            if cursor is None:
                return found


@pytest.mark.parametrize("kind", ContainerKind)
def test_each_kind_has_tables_of_its_own(database: Database, kind: ContainerKind) -> None:
    hashes = [digest("b"), digest("a"), digest("b")]
    detail: dict[str, Any] = {"place": "Oslo", "tags": ["x", "y"]}
    saved = save_gallery(database, "k", hashes, kind=kind, detail=detail, batch_id=4)
    assert saved.outcome is Outcome.CREATED
    ref = ContainerRef(kind, "k")
    assert members_of(database, ref) == hashes
    with database.read() as conn:
        row = find_containers(conn, [ref])[ref]
    assert (row.id, row.title, row.detail, row.batch_id) == (saved.id, "k", detail, 4)
    filled = {name for name, rows in picture_of(database).items() if rows}
    assert filled == {table.name for table in CONTAINERS[kind]}


def test_a_second_import_of_the_same_writes_nothing(database: Database) -> None:
    hashes = [digest(str(n)) for n in range(5)]
    facts: dict[str, Any] = {"cover_hash": digest("0"), "detail": {"a": 1}}
    save(database, Photo("0"))
    save_gallery(database, "g", hashes, **facts)
    before = picture_of(database)
    with watched(database) as statements:
        again = save_gallery(database, "g", hashes, batch_id=2, **facts)
    assert again.outcome is Outcome.UNCHANGED
    assert statements.writes == []
    assert picture_of(database) == before


@pytest.mark.parametrize(
    "after",
    [
        "",
        "a",
        "abcd",
        "abcdef",
        "bacde",
        "edcba",
        "xabcde",
        "abxde",
        "abcdeabcde",
        "aaaaa",
    ],
)
def test_members_become_those_of_the_last_import(database: Database, after: str) -> None:
    before_hashes = [digest(c) for c in "abcde"]
    after_hashes = [digest(c) for c in after]
    first = save_gallery(database, "g", before_hashes)
    save_gallery(database, "bystander", before_hashes)
    second = save_gallery(database, "g", after_hashes)
    assert (second.id, second.outcome) == (first.id, Outcome.UPDATED)
    assert members_of(database, gallery("g")) == after_hashes
    assert members_of(database, gallery("bystander")) == before_hashes


def test_one_changed_position_is_one_row_written(sqlite_database: Database) -> None:
    hashes = [digest(str(n)) for n in range(3000)]
    save_gallery(sqlite_database, "g", hashes)
    changed = [*hashes[:1500], digest("new"), *hashes[1501:]]
    with watched(sqlite_database) as statements:
        save_gallery(sqlite_database, "g", changed)
    member_writes = [sql for sql in statements.writes if "asset_gallery_item" in sql]
    assert len(member_writes) == 2
    assert members_of(sqlite_database, gallery("g")) == changed


def test_a_hundred_thousand_members_go_in_with_few_statements(database: Database) -> None:
    hashes = [f"{n:064x}" for n in range(100_000)]
    with watched(database) as statements:
        saved = save_gallery(database, "g", hashes)
    assert len(statements.sent) < 120
    with database.read() as conn:
        count = count_members(conn, "gallery", [saved.id])[saved.id]
        page = list_members(conn, gallery("g"), limit=2)
    assert count == MemberCount(total=100_000)
    assert [member.content_hash for member in page.members] == hashes[:2]


@pytest.mark.parametrize("every", [1, 2])
def test_many_changed_positions_take_few_statements(database: Database, every: int) -> None:
    before = [f"{n:064x}" for n in range(5_000)]
    after = [digest(h) if n % every == 0 else h for n, h in enumerate(before)]
    save_gallery(database, "g", before)
    with watched(database) as statements:
        save_gallery(database, "g", [*after, digest("last")])
    assert len(statements.sent) < 30
    assert members_of(database, gallery("g")) == [*after, digest("last")]


def test_members_on_their_way_and_in_the_trash_are_shown_as_such(database: Database) -> None:
    here, _ = save(database, Photo("here"), Photo("binned"))
    with database.write() as conn:
        mark_assets(conn, [digest("binned")], deleted=True)
    saved = save_gallery(database, "g", [digest(n) for n in ("late", "here", "binned", "here")])
    with database.read() as conn:
        members = list_members(conn, gallery("g")).members
        count = count_members(conn, "gallery", [saved.id, 99])
        known = known_members(conn, [digest("late"), digest("here"), digest("binned")])
    assert [(m.position, m.awaited, m.deleted, m.title) for m in members] == [
        (0, True, False, None),
        (1, False, False, "here"),
        (2, False, True, "binned"),
        (3, False, False, "here"),
    ]
    assert members[1].asset_id == here.id
    assert count == {saved.id: MemberCount(total=4, present=2, deleted=1), 99: MemberCount()}
    assert count[saved.id].awaited == 1
    assert known == {digest("here"), digest("binned")}
    [late] = save(database, Photo("late"))
    with database.read() as conn:
        assert list_members(conn, gallery("g")).members[0].asset_id == late.id


def test_a_deleted_container_that_is_imported_again_is_back(database: Database) -> None:
    first = save_gallery(database, "g", [digest("a")])
    with database.write() as conn:
        mark_containers(conn, [gallery("g")], deleted=True)
    back = save_gallery(database, "g", [digest("a")])
    assert (back.id, back.outcome) == (first.id, Outcome.UPDATED)
    with database.read() as conn:
        assert not find_containers(conn, [gallery("g")])[gallery("g")].deleted


def test_preview_says_what_the_import_then_does(database: Database) -> None:
    save_gallery(database, "same", [digest("a")])
    save_gallery(database, "longer", [digest("a")])
    save_gallery(database, "covered", [digest("a")])
    facts = [
        ContainerFacts(kind="gallery", key="same", title="same", members=[digest("a")]),
        ContainerFacts(kind="event", key="same", title="same", members=[digest("a")]),
        ContainerFacts(kind="gallery", key="longer", title="longer", members=[digest("a")] * 2),
        ContainerFacts(
            kind="gallery",
            key="covered",
            title="covered",
            members=[digest("a")],
            cover_hash=digest("a"),
        ),
    ]
    with watched(database) as statements, database.read() as conn:
        previewed = preview_containers(conn, facts)
    assert statements.writes == []
    assert previewed == [
        Outcome.UNCHANGED,
        Outcome.CREATED,
        Outcome.UPDATED,
        Outcome.UPDATED,
    ]
    with database.write() as conn:
        assert [save_container(conn, each).outcome for each in facts] == previewed


def test_what_is_no_container_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(UnknownContainer):
        save_gallery(sqlite_database, "g", [], kind="album")
    with pytest.raises(FactsRefused):
        save_gallery(sqlite_database, "k" * 191, [])
    with pytest.raises(FactsRefused):
        save_gallery(sqlite_database, "g", ["sha256:" + "a" * 64])
    with sqlite_database.read() as conn, pytest.raises(UnknownContainer):
        list_members(conn, gallery("none"))
    assert not any(picture_of(sqlite_database).values())


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_changed_positions_are_exactly_those_to_write(before: list[str], after: list[str]) -> None:
    positions = changed_positions(before, after)
    result = before[: len(after)] + [""] * (len(after) - len(before))
    for position in positions:
        assert position >= len(before) or before[position] != after[position]
        result[position] = after[position]
    assert result == after
    assert [p for first, last in runs(positions) for p in range(first, last + 1)] == positions
