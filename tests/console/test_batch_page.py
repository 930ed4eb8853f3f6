"""The page of one batch: the whole truth of it, each tab at an address of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from lading.accounts.values import Role
from lading.console.batch_words import offers_for, rest_of
from lading.ledger.batches import Batch
from lading.ledger.queries import find_batch
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.operations.rules import judge_batch
from lading.testing.bundles import BundlePublisher
from lading.testing.console_imported import drain, upstream_of
from lading.testing.seed_57 import SOURCE
from tests.console.browser.serving import Served
from tests.console.visitor import visiting

Serve = Callable[[str], Served]
ITEMS, LINES = "Items of this batch", "Lines of the manifest"


def some_batch(served: Served, *states: BatchState) -> Batch:
    """The first batch in one of these states."""
    with served.lading.db.read() as conn:
        row = conn.execute(
            select(ingest_batch)
            .where(ingest_batch.c.state.in_([state.value for state in states]))
            .order_by(ingest_batch.c.id)
            .limit(1)
        ).one()
        return Batch.from_row(row)


def test_a_batch_is_found_by_its_id_its_beginning_and_its_number(served: Serve) -> None:
    batch = some_batch(served("imported"), BatchState.IMPORTED)
    with visiting(served("imported")) as ada:
        for name in (batch.batch_key, batch.batch_key[:8], str(batch.id)):
            page = ada.get(f"/import/batches/{name}")
            assert page.heading == f"Batch {batch.batch_key[:8]}"
            assert batch.batch_key in page.text


def test_one_that_is_not_there_says_so_and_where_to_look(served: Serve) -> None:
    with visiting(served("imported")) as ada:
        page = ada.get("/import/batches/ffffffff-no-such-batch", status=404)
        assert "No such batch" in page.heading
        assert "/import/explain" in page.html
        page = ada.press(page, "Explain")
    assert page.path.startswith("/import/explain?ref=ffffffff")


def test_one_name_in_two_sources_asks_which(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    batch = some_batch(served, BatchState.IMPORTED)
    with served.lading.db.write() as conn:
        row = conn.execute(select(ingest_batch).where(ingest_batch.c.id == batch.id)).one()
        values = {k: v for k, v in row._mapping.items() if k != "id"} | {"source": "other"}
        conn.execute(insert(ingest_batch).values(**values))
    with visiting(served) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}", status=404)
        assert page.heading == "Which batch?"
        second = ada.get(next(url for text, url in page.links().items() if "other" in text))
    assert second.heading == f"Batch {batch.batch_key[:8]}"


def test_plan_and_outcome_stand_beside_each_other_and_the_accounts_add_up(served: Serve) -> None:
    batch = some_batch(served("failing"), BatchState.PARTIAL)
    with visiting(served("failing")) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}")
    (plan,) = page.rows("Items by what becomes of them")
    assert (plan["Planned"], plan["Items"], plan["As planned"]) == ("Create", "3", "2")
    assert plan["Otherwise"] == "1 failed"
    said = page.main.one("p", class_="accounting").text
    assert said.startswith("3 found = 2 registered + 0 duplicate + 0 unchanged + 0 rejected + 1")
    assert said.endswith("It adds up.")


def test_accounts_that_do_not_add_up_are_said_to_be_wrong(serve_own: Serve) -> None:
    served = serve_own("failing")
    batch = some_batch(served, BatchState.PARTIAL)
    with served.lading.db.write() as conn:
        conn.execute(
            update(ingest_batch).where(ingest_batch.c.id == batch.id).values(items_total=9)
        )
    with visiting(served) as ada:
        page = ada.get(f"/import/batches/{batch.id}")
    assert "do not add up" in page.main.one("p", class_="accounting").text


def test_each_failed_item_says_why_which_file_and_what_to_do(served: Serve) -> None:
    batch = some_batch(served("failing"), BatchState.PARTIAL)
    with visiting(served("failing")) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}?outcome=failed")
        (row,) = page.rows(ITEMS)
        item = ada.get(page.links()[row["Item"]])
    assert row["Outcome"] == "Failed"
    assert row["Reason"].startswith("hash_mismatch assets/")
    problem = item.main.one("div", class_="problem").text
    assert "hash_mismatch" in problem
    for word in ("Which", "Expected", "Found", "Next:"):
        assert word in problem
    assert item.links()[f"batch {batch.batch_key[:8]}"] == f"/import/batches/{batch.batch_key}"


def test_items_are_filtered_by_plan_outcome_reason_and_name(served: Serve) -> None:
    batch = some_batch(served("failing"), BatchState.PARTIAL)
    base = f"/import/batches/{batch.batch_key}"
    with visiting(served("failing")) as ada:
        created = ada.get(f"{base}?outcome=created").rows(ITEMS)
        by_reason = ada.get(f"{base}?reason=hash_mismatch").rows(ITEMS)
        named = ada.press(ada.get(base), "Filter", fill={"q": created[0]["Item"]}).rows(
            "Items of this batch"
        )
        none = ada.get(f"{base}?decision=remove")
        paged = ada.get(f"{base}/items")
    assert len(created) == 2
    assert len(by_reason) == 1
    assert [row["Item"] for row in named] == [created[0]["Item"]]
    assert "Nothing matches" in none.text
    assert len(paged.rows(ITEMS)) == 3


def test_an_item_that_is_not_there_is_not_found(served: Serve) -> None:
    batch = some_batch(served("imported"), BatchState.IMPORTED)
    with visiting(served("imported")) as ada:
        for number in ("0", "999999", "9" * 30):
            ada.get(f"/import/batches/{batch.id}/items/{number}", status=404)


def test_an_imported_item_leads_to_its_asset(served: Serve) -> None:
    batch = some_batch(served("imported"), BatchState.IMPORTED)
    with visiting(served("imported")) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}")
        item = ada.get(f"/import/batches/{batch.batch_key}/items/1")
        (row, *_) = page.rows(ITEMS)
        assert row["Library"] == "Asset"
        there = next(url for url in item.links().values() if url.startswith("/library/assets/"))
        ada.get(there)
    assert "Next item" in item.links()


def test_every_event_has_an_address_that_leads_to_it(served: Serve) -> None:
    batch = some_batch(served("imported"), BatchState.IMPORTED)
    base = f"/import/batches/{batch.batch_key}/events"
    with visiting(served("imported")) as ada:
        page = ada.get(base)
        rows = page.rows("Events of this batch")
        third = rows[2]["No."]
        there = ada.get(page.links()[third])
        oldest = ada.get(f"{base}?sort=seq")
    assert rows[-1]["Event"] == "batch found"
    assert there.main.all("tr", id=f"e{third}")
    assert there.rows("Events of this batch")[0]["No."] == third
    assert oldest.rows("Events of this batch")[0]["Event"] == "batch found"


def test_provenance_compares_the_manifest_at_every_reading(serve_own: Serve) -> None:
    served = serve_own("imported")
    batch = some_batch(served, BatchState.IMPORTED)
    manifest = upstream_of(served.lading) / "sync" / f"{batch.batch_key}.json"
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    with visiting(served) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}/provenance")
        hashes = [row["sha256"].split()[0] for row in page.rows("Hashes of the manifest")]
        assert hashes == [digest] * 4
        assert "is what was imported" in page.text
        assert "photo_analysis" in {row["Kind of analysis"] for row in page.rows("Analyses")}
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"note": "later"}))
        page = ada.get(f"/import/batches/{batch.batch_key}/provenance")
    assert "another one now" in page.text


def test_the_manifest_is_shown_line_by_line_with_addresses(served: Serve) -> None:
    batch = some_batch(served("imported"), BatchState.IMPORTED)
    with visiting(served("imported")) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}/manifest")
        listing = page.main.one("div", role="region", aria_label=LINES)
        lines = listing.one("tbody").all("tr")
        assert lines[0].attributes["id"] == "L1"
        assert f'"sync_id": "{batch.batch_key}"' in listing.text
        later = ada.get(f"/import/batches/{batch.batch_key}/manifest?line=3")
    first = later.main.one("div", role="region", aria_label=LINES).one("tbody").all("tr")[0]
    assert first.attributes["id"] == "L3"


def test_a_manifest_that_looks_like_html_stays_text(serve_own: Serve) -> None:
    served = serve_own("empty")
    publisher = BundlePublisher(upstream_of(served.lading), seed=8)
    bundle = publisher.bundle()
    bundle.photo("evil", title="<script>alert(1)</script>")
    published = bundle.publish()
    served.lading.ingest.scan(SOURCE, actor="test")
    with visiting(served) as ada:
        pages = [
            ada.get(f"/import/batches/{published.sync_id}/{tab}")
            for tab in ("manifest", "provenance", "events", "items")
        ]
    assert "&lt;script&gt;" in pages[0].html
    assert not any("<script>alert" in page.html for page in pages)


def test_a_source_that_is_away_is_said_to_be_and_hides_nothing_else(serve_own: Serve) -> None:
    served = serve_own("imported")
    batch = some_batch(served, BatchState.IMPORTED)
    root = upstream_of(served.lading)
    root.rename(root.with_name("unmounted"))
    with visiting(served) as ada:
        for tab in ("manifest", "provenance"):
            page = ada.get(f"/import/batches/{batch.batch_key}/{tab}")
            assert "cannot be shown now" in page.text
        items = ada.get(f"/import/batches/{batch.batch_key}").rows(ITEMS)
    assert items


def test_a_huge_manifest_is_shown_in_part(serve_own: Serve, tmp_path: Path) -> None:
    served = serve_own("empty")
    publisher = BundlePublisher(upstream_of(served.lading), seed=9)
    published = publisher.publish_many(20_000, payload=False)
    assert published.manifest.stat().st_size > 4 * 1024 * 1024
    served.lading.ingest.scan(SOURCE, actor="test")
    with visiting(served) as ada:
        page = ada.get(f"/import/batches/{published.sync_id}/manifest")
    assert "Only its first 4 MiB are shown" in page.text
    assert len(page.html) < 1_500_000


def test_history_has_the_decisions_the_jobs_and_the_moves(served: Serve) -> None:
    batch = some_batch(served("imported"), BatchState.IMPORTED)
    with visiting(served("imported")) as ada:
        page = ada.get(f"/import/batches/{batch.batch_key}/history")
    assert page.rows("Sets of decisions")[0]["Set"] == "1 (present)"
    assert page.rows("Jobs of this batch")[0]["State"] == "Done"
    events = [row["Event"] for row in page.rows("Moves of this batch")]
    assert events == ["batch finished", "batch queued", "batch preflighted", "batch found"]


def test_buttons_are_those_that_can_be_pressed_now(served: Serve) -> None:
    wanted = {
        BatchState.PREFLIGHT_PASSED: {"Queue", "Re-check"},
        BatchState.QUEUED: {"Resume", "Cancel", "Set priority"},
        BatchState.IMPORTING: {"Stop after item", "Set priority"},
        BatchState.IMPORTED: {"Re-check"},
    }
    # The first one in line was asked to stop, so that it can be resumed.
    for state, labels in wanted.items():
        batch = some_batch(served("busy"), state)
        with visiting(served("busy")) as otto:
            head = otto.get(f"/import/batches/{batch.id}").main.one("div", id="batch-head")
        pressable = {b.text for b in head.all("button") if "hidden" not in b.attributes}
        assert pressable == labels, state
        with visiting(served("busy"), Role.VIEWER) as vera:
            head = vera.get(f"/import/batches/{batch.id}").main.one("div", id="batch-head")
        assert not head.all("form")


@pytest.mark.parametrize("state", list(BatchState))
def test_no_button_is_offered_that_would_be_refused(state: BatchState) -> None:
    assert rest_of(state, None, stale_after="15 min")
    for acknowledged in (False, True):
        for offer in offers_for(state, None, acknowledged=acknowledged):
            if not offer.to_job:
                judged = judge_batch(
                    offer.verb, state, acknowledged=acknowledged, same_priority=False
                )
                assert judged.code is None, (state, offer)


def test_a_failed_batch_is_mended_and_retried_from_its_page(serve_own: Serve) -> None:
    served = serve_own("empty")
    publisher = BundlePublisher(upstream_of(served.lading), seed=4)
    bundle = publisher.bundle()
    bundle.photo("good")
    bundle.photo("spoilt")
    published = bundle.publish()
    item = bundle.items[-1]
    file = publisher.root / item["path"] / item["files"][0]["path"]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    served.lading.ingest.scan(SOURCE, actor="test")
    with visiting(served) as otto:
        base = f"/import/batches/{published.sync_id}"
        page = otto.press(otto.get(base), "Queue")
        drain(served.lading)
        page = otto.get(base)
        assert "Partial" in page.text
        file.write_bytes(whole)
        page = otto.press(page, "Retry failed items")
        assert "Queueing 1 batch" in page.text
        drain(served.lading)
        page = otto.get(base)
    assert "Imported" in page.main.one("p", class_="state-line").text
    with served.lading.db.read() as conn:
        assert find_batch(conn, published.sync_id).state is BatchState.IMPORTED


def test_the_head_changes_while_the_page_is_open(serve_own: Serve) -> None:
    served = serve_own("busy")
    batch = some_batch(served, BatchState.QUEUED)
    with visiting(served) as otto:
        live = otto.get(f"/import/batches/{batch.id}").root.one("div", id="live").attributes
        with (
            otto.client.stream("GET", f"{live['data-url']}&after={live['data-after']}") as stream,
            visiting(served) as other,
        ):
            other.post("/operations", {"verb": "cancel", "resource": "batches", "id": batch.id})
            seen = ""
            for line in stream.iter_lines():
                seen += line
                if "Queue again" in seen:
                    break
    assert f'data-milestone="Batch {batch.batch_key[:8]}: Cancelled"' in seen
