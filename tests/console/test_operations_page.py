"""Operations and scans: seen before, followed while they run, a result for each, taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from lading.accounts.values import Role
from lading.console.readers.operations import (
    LIST_OF,
    NOUNS,
    VERB_WORDS,
    phrase,
    sentence_of,
    verb_label,
)
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.library.tables import asset
from lading.operations.states import OperationState, TargetOutcome
from lading.operations.values import Resource, Targets, Verb
from lading.testing.bundles import BundlePublisher
from lading.testing.console_imported import drain, upstream_of
from lading.testing.seed_57 import SOURCE
from tests.console.browser.serving import Served
from tests.console.visitor import visiting, work_on

Serve = Callable[[str], Served]


def batch_ids(served: Served, *states: BatchState) -> list[int]:
    with served.lading.db.read() as conn:
        query = select(ingest_batch.c.id).where(
            ingest_batch.c.state.in_([state.value for state in states])
        )
        return list(conn.scalars(query.order_by(ingest_batch.c.id)))


def test_every_verb_and_resource_has_words() -> None:
    assert set(VERB_WORDS) == set(Verb)
    assert set(NOUNS) == set(LIST_OF) == set(Resource)
    for words in VERB_WORDS.values():
        for text in (words.do, words.done, words.doing):
            said = phrase(text, Resource.BATCHES, 2, {"site": "north", "package": "lake"})
            assert "2 batches" in said
    labels = {verb_label(verb) for verb in Verb}
    assert {"Queue", "Set the priority", "Move … to the trash", "Show … on the site"} <= labels
    assert len(labels) == len(Verb)


def test_what_came_of_it_is_one_sentence_and_a_list(serve_own: Serve) -> None:
    served = serve_own("busy")
    queued = batch_ids(served, BatchState.QUEUED)
    done = batch_ids(served, BatchState.IMPORTED)[:2]
    with visiting(served) as otto:
        page = otto.post(
            "/operations", {"verb": "cancel", "resource": "batches", "id": [*queued, *done]}
        )
        text = f"Cancelled {len(queued)} batches; 2 skipped."
        assert text in page.text
        assert page.heading == f"Cancel {len(queued) + 2} batches"
        rows = page.rows("Results")
        skipped = otto.get(f"{page.path}?outcome=skipped").rows("Results")
        listed = otto.get("/operations").rows("Operations")
    assert len(rows) == len(queued) + 2
    assert {row["Outcome"] for row in skipped} == {"Skipped"}
    assert all("It is not in line. not_queued" in row["Why"] for row in skipped)
    assert listed[0]["What"] == text


def test_undo_takes_back_just_what_was_done(serve_own: Serve) -> None:
    served = serve_own("busy")
    queued = batch_ids(served, BatchState.QUEUED)
    with visiting(served) as otto:
        page = otto.post(
            "/operations",
            {"verb": "cancel", "resource": "batches", "id": queued, "back": "/import?view=all"},
        )
        assert page.path.startswith("/import?view=all&done=op_")
        assert batch_ids(served, BatchState.QUEUED) == []
        page = otto.press(page, "Undo")
        # One of them was paused, and cannot be put back exactly as it was.
        assert f"Put {len(queued) - 1} jobs back in line." in page.text
        assert set(batch_ids(served, BatchState.QUEUED)) < set(queued)
        before = otto.get(page.links()[page.main.one("dl", class_="facts").all("a")[0].text])
    assert "It was undone already." in before.text
    assert "Undo" not in before.buttons()


def test_a_preview_says_what_is_skipped_and_why_and_writes_nothing(serve_own: Serve) -> None:
    served = serve_own("busy")
    ready = batch_ids(served, BatchState.PREFLIGHT_PASSED)
    pending = batch_ids(served, BatchState.PENDING)
    imported = batch_ids(served, BatchState.IMPORTED)[:3]
    chosen = [*ready, *pending, *imported]
    before = len(served.lading.operations.list().operations)
    with visiting(served) as otto:
        page = otto.post(
            "/operations?preview=1", {"verb": "queue", "resource": "batches", "id": chosen}
        )
        assert page.heading == f"Queue {len(chosen)} batches?"
        sentence = page.main.one("p", class_="preview-sentence").text
        assert sentence.startswith(f"{len(chosen)} selected: {len(ready)} will be queued")
        assert "3 skipped" in sentence
        assert "3 \u00d7 It is imported" in page.text
        assert "Free afterwards" in page.text
    assert len(served.lading.operations.list().operations) == before


def test_a_batch_that_removes_is_called_out_before_it_is_queued(serve_own: Serve) -> None:
    served = serve_own("imported")
    with served.lading.db.read() as conn:
        digest = conn.scalars(
            select(asset.c.content_hash).where(asset.c.deleted_at.is_(None)).limit(1)
        ).one()
    bundle = BundlePublisher(upstream_of(served.lading), seed=77).bundle("asset", "remove")
    bundle.items.append(
        {"item_id": "gone", "kind": "asset", "asset_type": "photo", "content_hash": digest}
    )
    published = bundle.publish()
    served.lading.ingest.scan(SOURCE, actor="test")
    with served.lading.db.read() as conn:
        number = conn.scalars(
            select(ingest_batch.c.id).where(ingest_batch.c.batch_key == published.sync_id)
        ).one()
    with visiting(served) as otto:
        page = otto.post(
            "/operations?preview=1", {"verb": "queue", "resource": "batches", "id": number}
        )
    assert "1 item would be put in the trash, and can be restored." in page.text


def test_an_operation_that_is_a_job_is_followed_to_its_end(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    (chosen,) = batch_ids(served, BatchState.PENDING)[:1]
    with visiting(served) as otto:
        page = otto.post("/operations", {"verb": "preflight", "resource": "batches", "id": chosen})
        assert "in line for a worker" in page.text
        live = page.root.one("div", id="live").attributes
        with otto.client.stream("GET", f"{live['data-url']}&after={live['data-after']}") as stream:
            drain(served.lading)
            seen = ""
            for line in stream.iter_lines():
                seen += line
                if "Preflighted 1 batch." in seen:
                    break
        assert 'id="operation"' in seen
        page = otto.get(page.path)
    assert (
        page.rows("Results")[0]["Why"] == "the sentinel has no manifest beside it manifest_missing"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"verb": "explode", "resource": "batches", "id": "1"},
        {"verb": "queue", "resource": "nothing", "id": "1"},
        {"verb": "stop", "resource": "batches", "id": "1"},
        {"verb": "prioritise", "resource": "batches", "id": "1", "priority": "many"},
        {"verb": "queue", "resource": "batches", "id": "one"},
        {"resource": "batches", "id": "1"},
        {"verb": "queue", "resource": "batches", "sel": "sel_nosuchthing"},
        {"verb": "queue", "resource": "batches", "id": "99999999"},
    ],
)
@pytest.mark.parametrize("preview", ["", "?preview=1"])
def test_what_makes_no_sense_is_refused_in_words(
    served: Serve, given: dict[str, str], preview: str
) -> None:
    with visiting(served("seed_57")) as otto:
        answer = otto.client.post(
            f"/operations{preview}",
            data={**given, "_csrf": otto.served.csrf_of(Role.OPERATOR)},
            headers={"origin": otto.served.origin},
        )
    assert answer.status_code in {400, 404}
    assert "Next" in answer.text


def test_the_list_is_filtered_by_verb_state_and_who(serve_own: Serve) -> None:
    served = serve_own("busy")
    operations = served.lading.operations
    queued = batch_ids(served, BatchState.QUEUED)
    for verb, params in ((Verb.PRIORITISE, {"priority": 1}), (Verb.CANCEL, {})):
        operations.start(
            verb,
            Targets(resource=Resource.BATCHES, ids=queued[:1]),
            params,
            actor="user:otto" if verb is Verb.CANCEL else "user:ada",
        )
    with visiting(served) as otto:
        assert len(otto.get("/operations?verb=cancel").rows("Operations")) == 1
        assert len(otto.get("/operations?actor=user:ada&state=done").rows("Operations")) == 1
        assert "Nothing matches" in otto.get("/operations?state=failed").text


def test_a_viewer_reads_operations_and_cannot_undo(serve_own: Serve) -> None:
    served = serve_own("busy")
    done = served.lading.operations.start(
        Verb.CANCEL,
        Targets(resource=Resource.BATCHES, ids=batch_ids(served, BatchState.QUEUED)[:1]),
        actor="user:otto",
    )
    with visiting(served, Role.VIEWER) as vera:
        assert "Undo" not in vera.get(f"/operations/{done.key}").buttons()
        vera.post(f"/operations/{done.key}/undo", status=403)
        vera.get("/operations/op_nosuchthing", status=404)


def test_sentences_tell_how_far_an_operation_is(serve_own: Serve) -> None:
    served = serve_own("busy")
    found = served.lading.operations.start(
        Verb.CANCEL,
        Targets(resource=Resource.BATCHES, ids=batch_ids(served, BatchState.QUEUED)[:1]),
        actor="user:otto",
    )
    assert sentence_of(found) == "Cancelled 1 batch."
    assert found.state is OperationState.DONE
    assert found.totals[TargetOutcome.DONE] == 1


def test_a_scan_that_is_refused_changes_nothing_and_is_believed_only_on_a_second_word(
    serve_own: Serve,
) -> None:
    served = serve_own("imported")
    root = upstream_of(served.lading)
    root.rename(root.with_name("elsewhere"))
    (root / "sync").mkdir(parents=True)
    before = batch_ids(served, *BatchState)
    states = {state: batch_ids(served, state) for state in BatchState}
    with visiting(served) as otto:
        otto.press(otto.get("/scans"), f"Scan {SOURCE} now")
        work_on(served, "scan")
        page = otto.get("/scans")
        assert f"Looks unmounted: 0 of {len(before)} known bundles seen; nothing changed" in (
            page.text
        )
        assert {state: batch_ids(served, state) for state in BatchState} == states
        assert "refused, nothing changed" in otto.get("/import").text
        asked = otto.press(page, "It is meant: believe it")
        assert asked.heading == f"Believe what a scan of {SOURCE} finds?"
        assert batch_ids(served, BatchState.SUPERSEDED) == []
        otto.press(asked, f"Scan {SOURCE} and believe it")
        work_on(served, "scan")
        page = otto.get("/scans")
    assert "withdrawn" in page.text
    assert batch_ids(served, BatchState.SUPERSEDED)


def test_a_scan_says_what_it_changed_and_what_is_not_ready(served: Serve) -> None:
    with visiting(served("failing")) as ada:
        page = ada.get(f"/scans?source={SOURCE}&result=finished")
        (row,) = page.rows("Scans that ended")
        detail = ada.get(page.links()[row["Scan"]])
        refused = ada.get("/scans?result=refused")
    assert (row["Found"], row["New"], row["Not ready"]) == ("24", "24", "14")
    assert "1 \u00d7 sentinel_missing" in detail.text
    assert len(detail.rows("Changes")) == 24
    assert {change["Change"] for change in detail.rows("Changes")} == {"new"}
    assert "Looks unmounted" in refused.text
    assert not served("failing").lading.sources.keys() - {SOURCE, "away"}


def test_a_scan_that_is_not_there_is_not_found(served: Serve) -> None:
    with visiting(served("failing")) as ada:
        for number in ("0", "2", "999999", "9" * 40):
            ada.get(f"/scans/{number}", status=404)


def test_a_scan_asked_for_twice_is_one_job(serve_own: Serve) -> None:
    served = serve_own("seed_57")
    with visiting(served) as otto:
        for _ in range(2):
            otto.post("/scans", {"source": SOURCE})
        page = otto.get("/scans")
        otto.post("/scans", {"source": "nowhere"}, status=404)
    assert [row["State"] for row in page.rows("Scans at work")] == ["Queued"]
