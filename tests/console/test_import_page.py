"""The import queue as people use it, with a script and without (A23)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from lading.accounts.values import Role
from lading.console.readers.import_queue import VIEWS
from lading.db import Database
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter
from lading.ledger.batch_lists import BatchFilter, list_batches
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.library.tables import asset
from lading.testing.bundles import BundlePublisher
from lading.testing.console_imported import drain, upstream_of
from lading.testing.seed_57 import SEED_57, SOURCE, insert_seed_57
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, visiting, work_on

Serve = Callable[[str], Served]
QUEUE = "Batches of the queue"


def ids_of(served: Served, *keys: str) -> list[int]:
    with served.lading.db.read() as conn:
        query = select(ingest_batch.c.batch_key, ingest_batch.c.id)
        found = {row.batch_key: row.id for row in conn.execute(query)}
    return [found[key] for key in keys]


def batches_of(sight: Sight) -> list[str]:
    """The short names of the batches that are listed, in order."""
    return [row["Batch"].split()[0] for row in sight.rows(QUEUE)]


def tab_counts(sight: Sight) -> dict[str, str]:
    tabs = sight.main.one("nav", aria_label="Batches by what they need")
    return {link.text.rpartition(" ")[0]: link.text.rpartition(" ")[2] for link in tabs.all("a")}


def test_the_fifty_seven_stand_as_on_the_page_this_replaces(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        first = ada.get("/import?limit=100")
        rows = first.rows(QUEUE)
    assert first.heading == "Import media"
    assert "57 batches" in first.text
    assert batches_of(first) == [row.sync_id[:8] for row in SEED_57]
    assert [row["Status"] for row in rows[:4]] == ["Ready", "Ready", "Pending", "Ready"]
    assert {row["Status"] for row in rows[18:]} == {"Imported"}
    wanted = rows[0]
    assert (wanted["Type"], wanted["Action"], wanted["Items"]) == ("asset", "import", "138")
    # 0 B is not the same as unknown.
    assert rows[17]["Bytes"] == "0 B"
    assert wanted["Updated"] == "2026-06-29 18:30:04"
    assert tab_counts(first) == {
        "Needs me": "0",
        "Ready": "18",
        "In progress": "0",
        "Done": "39",
        "All": "57",
    }


def test_pages_of_the_list_hold_each_batch_once_though_a_dozen_share_one_second(
    served: Serve,
) -> None:
    seen: list[str] = []
    with visiting(served("seed_57")) as ada:
        page = ada.get("/import")
        seen += batches_of(page)
        page = ada.get(page.links()["Older"])
        seen += batches_of(page)
        back = ada.get(page.links()["Newer"])
    assert seen == [row.sync_id[:8] for row in SEED_57]
    assert batches_of(back) == seen[:50]


def test_filters_tabs_and_order_are_in_the_address_and_survive_being_copied(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        page = ada.press(ada.get("/import?view=ready"), "Filter", fill={"type": "gallery"})
        again = ada.get(page.path)
        newest = ada.get("/import?sort=-updated")
        cleared = ada.get(page.links()["Clear all"])
    assert batches_of(page) == [
        row.sync_id[:8]
        for row in SEED_57
        if row.type == "gallery" and row.state is not BatchState.IMPORTED
    ]
    assert "view=ready" in page.path
    assert batches_of(again) == batches_of(page)
    assert "Type: Gallery" in page.text
    assert newest.rows(QUEUE)[0]["Updated"] == "2026-06-29 18:36:57"
    assert "Type: Gallery" not in cleared.text
    assert "view=ready" in cleared.path


def test_what_does_not_fit_in_the_address_is_said_and_left_out(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        page = ada.get("/import?status=nonsense&foo=1&type=asset")
    assert "Ignored in the address" in page.text
    assert {code.text for code in page.main.all("code")} >= {"status=nonsense", "foo"}
    assert "Type: Asset" in page.text


def test_the_four_kinds_of_empty_say_different_things(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        nothing_matches = ada.get("/import?q=ffffffff")
        all_done = ada.get("/import?view=needs_me")
    with visiting(served("empty")) as ada:
        nothing_yet = ada.get("/import")
    assert "Nothing matches" in nothing_matches.text
    assert nothing_matches.links()["Clear the filters"] == "/import"
    assert "Nothing needs you" in all_done.text
    assert "Nothing is here yet" in nothing_yet.text


def test_numbers_in_the_help_are_those_of_the_settings(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        text = ada.get("/import").main.one("details", id="help").text
    for section in ("Purpose", "Flow", "Example", "Consequences", "Deeper dive"):
        assert section in text
    assert "every 15 s" in text
    assert "silent for 15 min" in text
    assert "more than 100 batches gone" in text


def test_a_viewer_sees_the_list_and_nothing_to_press(served: Serve) -> None:
    with visiting(served("seed_57"), Role.VIEWER) as vera:
        page = vera.get("/import")
        assert batches_of(page)
        assert set(page.buttons()) <= {"Filter", "Show", "Explain", "Copy"}
        vera.post("/operations", {"verb": "queue", "resource": "batches", "id": "1"}, status=403)
        vera.post("/selections/new", {"resource": "batches", "add": "1"}, status=403)
        vera.post("/scans", {"source": SOURCE}, status=403)


def test_without_the_proof_of_a_page_nothing_is_started(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        answer = ada.client.post(
            "/operations",
            data={"verb": "preflight", "resource": "batches", "id": "1"},
            headers={"origin": ada.served.origin},
        )
        assert answer.status_code == 403
        assert "Nothing was done yet" in ada.get("/operations").text


def test_the_way_of_a_newcomer_from_scan_to_done_needs_no_script(serve_own: Serve) -> None:
    served = serve_own("empty")
    publisher = BundlePublisher(upstream_of(served.lading), seed=3)
    keys = []
    for number in range(4):
        bundle = publisher.bundle()
        bundle.photo(f"first-{number}")
        keys.append(bundle.publish().sync_id)
    with visiting(served) as otto:
        page = otto.press(otto.get("/import"), f"Scan {SOURCE} now")
        assert f"Scanning {SOURCE}" in page.text
        drain(served.lading)
        page = otto.get("/import")
        assert "4 bundles: 0 known, 4 new" in page.text
        assert sorted(batches_of(page)) == sorted(key[:8] for key in keys)
        chosen = ids_of(served, *keys[:3])
        preview = otto.press(page, "Queue", tick=chosen)
        assert preview.heading == "Queue 3 batches?"
        assert "3 selected: 3 need preflight first" in preview.text
        page = otto.press(preview, "Queue 3 batches")
        assert page.path.startswith("/import?done=op_")
        assert "Queueing 3 batches" in page.text
        drain(served.lading)
        page = otto.get(page.path)
        assert "Queued 3 batches." in page.text
        assert tab_counts(page) == {
            "Needs me": "0",
            "Ready": "1",
            "In progress": "0",
            "Done": "3",
            "All": "4",
        }
    with served.lading.db.read() as conn:
        assert len(conn.execute(select(asset.c.id)).all()) == 3


def test_what_is_ticked_outlasts_pages_and_reloads_and_what_is_unticked_goes(
    serve_own: Serve,
) -> None:
    served = serve_own("seed_57")
    first, second, last = ids_of(
        served, SEED_57[0].sync_id, SEED_57[1].sync_id, SEED_57[56].sync_id
    )
    with visiting(served) as otto:
        page = otto.get("/import")
        page = otto.press(page, "Keep what is ticked for other pages", tick=[first, second])
        assert "sel=sel_" in page.path
        page = otto.get(page.links()["Older"])
        page = otto.press(page, "Keep what is ticked for other pages", tick=[last])
        assert "3 selected" in page.text
        page = otto.get(f"/import?sel={parse_qs(urlsplit(page.path).query)['sel'][0]}")
        boxes = {
            box.attributes["value"]
            for box in page.main.all("input", name="id")
            if "checked" in box.attributes
        }
        assert boxes == {str(first), str(second)}
        preview = otto.press(page, "Acknowledge")
        assert preview.path.startswith("/import?done=op_")
        assert "3 skipped" in otto.get(preview.links()["What happened to each"]).text


def test_all_that_match_means_those_that_were_seen(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    with visiting(served) as otto:
        page = otto.get("/import?status=imported&limit=50")
        page = otto.get("/import")
        page = otto.press(page, "Select all 57 matching")
        assert "57 selected of what matched at" in page.text
        with served.lading.db.write() as conn:
            insert_seed_57(conn, source="later")
        preview = otto.press(page, "Queue")
    assert preview.heading == "Queue 57 batches?"
    assert "39" in preview.text
    assert "It is imported" in preview.text
    assert "57 selected: 3 will be queued, 15 need preflight first" in preview.text


def test_what_a_preview_says_is_what_is_done(serve_own: Serve) -> None:
    served = serve_own("busy")
    with visiting(served) as otto:
        page = otto.get("/import?limit=200")
        shown = [
            int(box.attributes["value"])
            for box in page.main.all("input", type="checkbox", name="id")
        ]
        preview = otto.press(page, "Queue", tick=shown)
        said = preview.main.one("p", class_="preview-sentence").text
        button = next(text for text in preview.buttons() if text.startswith("Queue "))
        done = otto.press(preview, button)
        work_on(served, "operation")
        key = parse_qs(urlsplit(done.path).query)["done"][0]
        operation = served.lading.operations.get(key)
    skipped = operation.totals["skipped"]  # type: ignore[index] # a word of the enum
    assert said.endswith(f"{skipped} skipped.")
    assert operation.settled == len(shown)


def test_a_double_click_acts_once(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    with visiting(served) as otto:
        page = otto.get("/import")
        (chosen,) = ids_of(served, SEED_57[2].sync_id)
        form = page.main.one("form", data_bulk="batches")
        data = {
            field.attributes["name"]: field.attributes.get("value", "")
            for field in form.all("input", type="hidden")
        } | {"id": str(chosen), "verb": "preflight"}
        headers = {"origin": served.origin}
        one = otto.client.post("/operations", data=data, headers=headers, follow_redirects=False)
        two = otto.client.post("/operations", data=data, headers=headers, follow_redirects=False)
    assert one.status_code == two.status_code == 303
    assert one.headers["location"] == two.headers["location"]
    assert len(served.lading.operations.list().operations) == 1


def test_an_operation_leads_back_to_this_console_alone(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    (chosen,) = ids_of(served, SEED_57[18].sync_id)
    for back in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        with visiting(served) as otto:
            page = otto.post(
                "/operations",
                {"verb": "acknowledge", "resource": "batches", "id": str(chosen), "back": back},
            )
        assert page.path.startswith("/operations/op_")


def test_nothing_ticked_says_what_to_do(served: Serve) -> None:
    with visiting(served("seed_57")) as ada:
        page = ada.press(ada.get("/import"), "Queue", status=400)
    assert "Nothing is selected" in page.root.text
    assert "tick what you mean" in page.root.text


def test_a_tab_count_is_as_long_as_its_list_and_tells_ready_from_not_ready(served: Serve) -> None:
    with visiting(served("failing")) as ada:
        for name, view in VIEWS.items():
            page = ada.get(f"/import?view={name}&limit=200")
            regions = page.main.all("div", role="region", aria_label=QUEUE)
            listed = len(page.rows(QUEUE)) if regions else 0
            assert tab_counts(page)[view.label] == str(listed)
        needs = ada.get("/import?view=needs_me&limit=200").rows(QUEUE)
    assert "Pending sentinel missing" in {row["Status"] for row in needs}
    assert not {row["Status"] for row in needs} & {"Ready", "Pending", "Imported"}


def test_a_batch_is_under_exactly_one_tab_on_each_database(database: Database) -> None:
    with database.write() as conn:
        ids = insert_seed_57(conn)
        conn.execute(
            update(ingest_batch).where(ingest_batch.c.id == ids[2]).values(reason="not_completed")
        )
    found: dict[str, set[int]] = {}
    with database.read() as conn:
        for name, view in VIEWS.items():
            filters = BatchFilter(states=sorted(view.states), hindered=view.hindered)
            found[name] = {b.id for b in list_batches(conn, filters, limit=200).batches}
    everything = found.pop("all")
    assert len(everything) == 57
    assert sum(len(ids) for ids in found.values()) == 57
    assert found["needs_me"] == {ids[2]}
    assert ids[2] not in found["ready"]


def test_who_is_next_in_line_and_can_be_put_first(serve_own: Serve) -> None:
    served = serve_own("busy")
    with visiting(served) as otto:
        page = otto.get("/import")
        line = page.main.one("ol", class_="in-line")
        before = [item.all("a")[0].text for item in line.all("li")]
        page = otto.press(page, "Start next", index=2)
        after = [item.all("a")[0].text for item in page.main.one("ol", class_="in-line").all("li")]
    assert after[0] != before[0]
    assert after[0] in before
    queued = served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs
    assert len(after) == min(10, len(queued))


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("b8a1abcd", "sentinel_missing"),
        ("02ec29cf", "manifest_missing"),
        ("dc40ce30", "not_completed"),
        ("86ccc431", "verification_failed"),
        ("54fd18c7", "sentinel_hash_mismatch"),
        ("c84c02f2", "manifest_unreadable"),
        ("f2547faa", "already_imported"),
        ("ffffffff-no-such", "not_there"),
    ],
)
def test_the_explain_box_names_what_is_wrong(served: Serve, ref: str, code: str) -> None:
    with visiting(served("failing")) as ada:
        page = ada.get("/import")
        page = ada.press(page, "Explain", fill={"ref": ref, "source": SOURCE})
        page = ada.get(f"/import/explain?ref={ref}&source={SOURCE}")
    assert page.heading == "Why isn't my bundle here?"
    assert page.main.one("div", class_="notice").one("code").text == code
    assert page.rows("Checklist")


def test_what_lies_in_the_store_but_was_not_scanned_is_offered_a_scan(serve_own: Serve) -> None:
    served = serve_own("empty")
    bundle = BundlePublisher(upstream_of(served.lading), seed=5).bundle()
    bundle.photo("unseen")
    published = bundle.publish()
    with visiting(served) as otto:
        page = otto.get(f"/import/explain?ref=/mnt/nas/sync/{published.sync_id}.json")
        assert "no scan has seen it yet" in page.text
        page = otto.press(page, f"Scan {SOURCE} now")
        drain(served.lading)
        page = otto.get(page.path)
        assert "nobody has queued it yet" in page.text
        page = otto.press(page, "Queue it")
        drain(served.lading)
        page = otto.get(f"/import/explain?ref={published.sync_id}")
    assert "the library has it" in page.text


def test_rows_change_while_the_page_is_open(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    (chosen,) = ids_of(served, SEED_57[0].sync_id)
    with visiting(served) as otto:
        page = otto.get("/import")
        live = page.root.one("div", id="live").attributes
        with (
            otto.client.stream("GET", f"{live['data-url']}&after={live['data-after']}") as stream,
            visiting(served) as other,
        ):
            other.post("/operations", {"verb": "queue", "resource": "batches", "id": str(chosen)})
            seen = ""
            for line in stream.iter_lines():
                seen += line
                if f'id="b-{chosen}"' in seen and 'id="count-in-progress"' in seen:
                    break
    assert "Queued" in seen
    assert "in line, priority 5" in seen
