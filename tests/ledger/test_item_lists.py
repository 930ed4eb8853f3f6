"""A batch's items as a list: filtered, in order, forth and back; and how they add up."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from lading.db import Database
from lading.db.bulk import bulk_insert
from lading.ledger.batches import Batch, FoundBatch, get_batch, record_new
from lading.ledger.item_lists import (
    DUPLICATE_ITEM,
    FOUND_BY_NAME_MAX,
    Accounting,
    ItemFilter,
    count_plan,
    list_item_page,
    read_accounting,
)
from lading.ledger.states import Decision, Outcome
from lading.ledger.tables import ingest_batch_item

D, O = Decision, Outcome  # noqa: E741 - as the tables of states write it
BECAME = {
    D.CREATE: [O.CREATED, O.PENDING, O.FAILED],
    D.UPDATE: [O.UPDATED, O.FAILED],
    D.UNCHANGED: [O.UNCHANGED],
    D.REMOVE: [O.REMOVED],
    D.REJECT: [O.REJECTED],
}


def item_row(seq: int, planned: Decision, outcome: Outcome, **columns: Any) -> dict[str, Any]:
    return {
        "batch_id": 1,
        "revision": 2,
        "seq": seq,
        "item_key": f"photo-{seq:05d}",
        "kind": "asset",
        "title": f"Title {seq % 7}",
        "decision": (D.FAILED if outcome is O.FAILED else planned).value,
        "planned": planned.value,
        "outcome": outcome.value,
        "reason": None,
        "updated_at": None,
        **columns,
    }


def filled(db: Database, rows: list[dict[str, Any]], *, found: int | None = None) -> Batch:
    """A batch whose second revision has these items; its first had one that nobody sees."""
    announced = FoundBatch("b", "1", None, "asset", "import", found or len(rows), 1, None)
    with db.write() as conn:
        batch_id = record_new(conn, "nas", [announced])["b"]
        batch = replace(get_batch(conn, batch_id), revision=2)
        earlier = item_row(0, D.CREATE, O.CREATED, revision=1)
        all_rows = [
            r | {"batch_id": batch_id, "updated_at": batch.found_at} for r in [earlier, *rows]
        ]
        bulk_insert(conn, ingest_batch_item, all_rows)
    return batch


def mixed() -> list[dict[str, Any]]:
    chance = random.Random(3)
    rows = []
    for seq in range(120):
        planned = chance.choice(list(BECAME))
        outcome = chance.choice(BECAME[planned])
        troubled = outcome in {O.FAILED, O.REJECTED}
        reason = chance.choice(["hash_mismatch", DUPLICATE_ITEM]) if troubled else None
        rows.append(item_row(seq, planned, outcome, reason=reason))
    return rows


FILTERS = [
    ItemFilter(),
    ItemFilter(outcomes=[O.FAILED, O.REJECTED]),
    ItemFilter(decisions=[D.CREATE]),
    ItemFilter(decisions=[D.FAILED]),
    ItemFilter(decisions=[D.FAILED, D.UPDATE], outcomes=[O.FAILED]),
    ItemFilter(planned=[D.CREATE]),
    ItemFilter(planned=[D.CREATE, D.UPDATE], outcomes=[O.FAILED]),
    ItemFilter(planned=[D.CREATE], decisions=[D.FAILED]),
    ItemFilter(reasons=["hash_mismatch", DUPLICATE_ITEM]),
    ItemFilter(reasons=[DUPLICATE_ITEM], outcomes=[O.REJECTED]),
    ItemFilter(q="photo-0000"),
    ItemFilter(q="Title 3", outcomes=[O.CREATED, O.UPDATED]),
    ItemFilter(q="Photo"),
]


def fits(row: dict[str, Any], filters: ItemFilter) -> bool:
    return (
        (not filters.outcomes or row["outcome"] in filters.outcomes)
        and (not filters.decisions or row["decision"] in filters.decisions)
        and (not filters.planned or row["planned"] in filters.planned)
        and (not filters.reasons or row["reason"] in filters.reasons)
        and (
            filters.q is None
            or row["item_key"].startswith(filters.q)
            or row["title"].startswith(filters.q)
        )
    )


def test_every_filter_lists_just_the_items_that_fit_forth_and_back(database: Database) -> None:
    rows = mixed()
    batch = filled(database, rows)
    for filters in FILTERS:
        expected = [row["seq"] for row in rows if fits(row, filters)]
        with database.read() as conn:
            pages = [list_item_page(conn, batch, filters, limit=11)]
            while (cursor := pages[-1].next_cursor) is not None:
                pages.append(list_item_page(conn, batch, filters, cursor=cursor, limit=11))
            assert [item.seq for page in pages for item in page.items] == expected, filters
            back = [pages[-1]]
            while (cursor := back[-1].prev_cursor) is not None:
                back.append(list_item_page(conn, batch, filters, cursor=cursor, limit=11))
        assert [item.seq for page in reversed(back) for item in page.items] == expected, filters


def test_a_beginning_that_most_items_share_is_met_along_the_list(database: Database) -> None:
    count = FOUND_BY_NAME_MAX + 50
    batch = filled(database, [item_row(seq, D.CREATE, O.PENDING) for seq in range(count)])
    with database.read() as conn:
        page = list_item_page(conn, batch, ItemFilter(q="photo-"), limit=1_000)
        rest = list_item_page(
            conn, batch, ItemFilter(q="photo-"), cursor=page.next_cursor, limit=1_000
        )
    assert len(page.items) + len(rest.items) == count


def test_what_was_planned_and_what_became_of_it_is_counted(database: Database) -> None:
    rows = mixed()
    batch = filled(database, rows)
    with database.read() as conn:
        plan = count_plan(conn, batch)
    pairs = [(Decision(row["planned"]), Outcome(row["outcome"])) for row in rows]
    assert plan == {pair: pairs.count(pair) for pair in set(pairs)}


def test_every_item_found_is_accounted_for(database: Database) -> None:
    rows = mixed()
    batch = filled(database, rows)
    with database.read() as conn:
        accounts = read_accounting(conn, batch)
        stored = conn.scalar(select(ingest_batch_item.c.id).limit(1))
    assert stored is not None
    became = [row["outcome"] for row in rows]
    duplicate = sum(r["outcome"] == "rejected" and r["reason"] == DUPLICATE_ITEM for r in rows)
    assert accounts == Accounting(
        found=120,
        registered=sum(became.count(word) for word in ("created", "updated", "removed")),
        duplicate=duplicate,
        unchanged=became.count("unchanged"),
        rejected=became.count("rejected") - duplicate,
        failed=became.count("failed"),
        pending=became.count("pending"),
    )
    assert accounts.adds_up
    assert str(accounts).startswith("120 found = ")


@pytest.mark.parametrize("backend", ["sqlite"])  # sums are the same everywhere
def test_accounts_that_do_not_add_up_say_so(database: Database) -> None:
    batch = filled(database, [item_row(seq, D.CREATE, O.CREATED) for seq in range(3)], found=4)
    with database.read() as conn:
        accounts = read_accounting(conn, batch)
    assert not accounts.adds_up
    assert str(accounts) == (
        "4 found, but 3 registered + 0 duplicate + 0 unchanged + 0 rejected + 0 failed"
        " + 0 pending is 3"
    )
    undecided = replace(accounts, registered=0)
    assert undecided.adds_up
    assert str(undecided) == "4 announced, none decided yet"
