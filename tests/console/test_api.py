"""Programs see what the pages show: lists by pages, filtered, exported; errors that say what."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from lading.accounts.values import Permission, Role
from lading.console.answers import EXPORT_PAGE
from lading.ledger.states import BatchState
from tests.console.api_client import Script, script
from tests.console.browser.serving import Served

Serve = Callable[[str], Served]


@pytest.fixture(scope="module")
def served_data(served: Serve) -> Served:
    return served("imported")


@pytest.fixture(scope="module")
def api(served_data: Served) -> Iterator[Script]:
    with script(served_data, name="lists") as one:
        yield one


@pytest.fixture(scope="module")
def document(api: Script) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json")
    return found


def test_without_a_token_nothing_is_told_not_even_what_there_is(served_data: Served) -> None:
    with httpx.Client(base_url=served_data.origin) as client:
        for path in ("/status", "/batches", "/me", "/openapi.json", "/settings"):
            answer = client.get(f"/api/v1{path}")
            assert answer.status_code == 401
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert answer.json()["code"] == "not_signed_in"


def test_status_and_engine_say_the_same(api: Script) -> None:
    status, engine = api.get("/status"), api.get("/engine")
    assert status["engine"]["state"] == engine["state"] == "idle"
    assert status["batches"]["imported"] == api.get("/batches?status=imported")["count"]["value"]


PAGED = [
    "/batches",
    "/jobs",
    "/operations",
    "/scans",
    "/audit",
    "/users",
    "/tokens",
    "/assets",
    "/assets?sort=captured",
    "/containers/galleries",
    "/trash",
]


@pytest.mark.parametrize("path", PAGED)
def test_a_list_walked_page_by_page_has_each_thing_once_and_as_many_as_it_says(
    api: Script, path: str
) -> None:
    whole = api.get(path, params=httpx.URL(f"http://x{path}").params.merge({"limit": 200}))
    walked = api.all(path)
    assert walked == whole["items"]
    assert whole["count"] == {"value": len(walked), "exact": True}
    assert whole["next"] is None
    assert datetime.fromisoformat(whole["as_of"]).tzinfo is not None


def test_the_items_of_a_batch_are_found_by_what_became_of_them(api: Script) -> None:
    batch = next(b for b in api.get("/batches?status=imported,partial")["items"] if b["items"] > 1)
    items = api.all(f"/batches/{batch['key']}/items", limit=1)
    assert len(items) == batch["items"]
    outcomes = {item["outcome"] for item in items}
    for outcome in outcomes:
        some = api.get(f"/batches/{batch['key']}/items?outcome={outcome}")
        assert some["items"] == [item for item in items if item["outcome"] == outcome]
        assert some["count"]["value"] == len(some["items"])
    one = api.get(f"/batches/{batch['id']}/items/1")
    assert one["item"] == items[0]
    assert (one["previous"], one["following"]) == (None, 2)


def test_everything_about_a_batch_can_be_asked_for(api: Script) -> None:
    batch = api.get("/batches?status=imported")["items"][0]
    whole = api.get(f"/batches/{batch['key']}")
    assert whole["batch"]["id"] == batch["id"]
    assert whole["adds_up"]
    assert sum(row["planned"] for row in whole["plan"]) == whole["accounting"]["found"]
    assert api.get(f"/batches/{batch['key']}/provenance")["consumed"]["kind"] == "batch_finished"
    assert api.get(f"/batches/{batch['key']}/history")["revisions"][0]["current"]
    manifest = api.get(f"/batches/{batch['key']}/manifest")
    assert manifest["manifest"]["sha256"] == whole["batch"]["manifest_sha256"]
    events = api.get(f"/batches/{batch['key']}/events")
    assert [e["seq"] for e in events["items"]] == sorted(
        (e["seq"] for e in events["items"]), reverse=True
    )


def test_everything_about_a_job_can_be_asked_for(api: Script) -> None:
    job = api.get("/jobs?kind=import_batch&state=done")["items"][0]
    whole = api.get(f"/jobs/{job['id']}")
    assert whole["job"] == job
    assert whole["attempts"]
    log = api.get(f"/jobs/{job['id']}/log")
    assert log["count"]["value"] == len(log["items"])
    lines = api.client.get(f"/api/v1/jobs/{job['id']}/log?format=ndjson").text.splitlines()
    assert [json.loads(line)["event"]["seq"] for line in lines] == [
        line["event"]["seq"] for line in log["items"]
    ]
    assert {node["id"] for node in api.get(f"/jobs/{job['id']}/graph")["nodes"]} >= {job["id"]}


def test_an_asset_its_files_and_who_sees_it(api: Script) -> None:
    seen = api.get("/assets?site=north")
    assert 0 < seen["count"]["value"] < api.get("/assets")["count"]["value"]
    asset = seen["items"][0]
    assert "north" in asset["sites"]
    whole = api.get(f"/assets/{asset['content_hash']}")
    assert whole["asset"] == asset
    files = api.get(f"/assets/{asset['content_hash']}/files")
    assert sum(file["retired_at"] is None for file in files["items"]) == asset["files"]
    sight = api.get(f"/assets/{asset['content_hash']}/visibility?site=north")
    assert sight["visible"]
    assert sight["routes"]
    hidden = next(a for a in api.get("/assets?limit=200")["items"] if "north" not in a["sites"])
    sight = api.get(f"/assets/{hidden['content_hash']}/visibility?site=north")
    assert not sight["visible"]
    assert sight["hidden_because"] == "no_route"


def test_the_members_of_a_container_come_in_their_order(api: Script) -> None:
    gallery = next(
        g for g in api.get("/containers/galleries")["items"] if g["members"]["total"] > 1
    )
    path = f"/containers/galleries/{gallery['id']}"
    whole = api.get(path)
    assert [m["position"] for m in whole["members"]["items"]] == sorted(
        m["position"] for m in whole["members"]["items"]
    )
    first = api.get(f"{path}?limit=1")["members"]
    second = api.get(path, params={"limit": 1, "cursor": first["next"]})["members"]
    assert first["items"] + second["items"] == whole["members"]["items"][:2]


def test_overview_metrics_workers_settings_and_the_search(api: Script, served_data: Served) -> None:
    assert api.get("/overview")["engine"]["state"] == "idle"
    for series in ("throughput", "failures", "backlog"):
        assert api.get(f"/metrics/{series}?range=1h")["span"]["name"] == "1h"
    assert api.get("/metrics/durations")["items"]
    refused = api.get("/metrics/throughput?range=1y", status=400)
    assert (refused["code"], refused["found"]) == ("unknown_range", "1y")
    worker = api.get("/workers")["items"][0]
    assert api.get(f"/workers/{worker['id'].replace('/', '%2F')}", status=404)["code"]
    told = json.dumps(api.get("/settings"))
    assert str(served_data.folder) in told
    key = api.get("/batches")["items"][0]["key"]
    hits = api.get("/go", params={"q": key})["items"]
    assert [hit["name"] for hit in hits if hit["exact"]] == [key]


@pytest.mark.parametrize("path", ["/batches", "/jobs", "/assets", "/audit"])
def test_an_export_is_the_whole_filtered_list(api: Script, path: str) -> None:
    items = api.get(f"{path}?limit=200")["items"]
    answer = api.client.get(f"/api/v1{path}?format=ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == items
    answer = api.client.get(f"/api/v1{path}?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="lading-\w+\.csv"', answer.headers["content-disposition"]
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(items)
    assert set(rows[0]) == set(items[0])


def test_times_in_exports_have_their_offset(api: Script) -> None:
    answer = api.client.get("/api/v1/batches?format=csv&status=imported")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["state"] for row in rows} == {"imported"}
    assert all(datetime.fromisoformat(row["found_at"]).tzinfo is not None for row in rows)


def test_a_long_list_is_exported_over_many_pages(served: Serve) -> None:
    with script(served("seed_57"), name="long") as api:
        expected = api.all("/batches", limit=10)
        lines = api.client.get("/api/v1/batches?format=ndjson").text.splitlines()
        assert [json.loads(line)["id"] for line in lines] == [item["id"] for item in expected]
        assert len(expected) == 57
    assert EXPORT_PAGE < 1_000, "a page of an export is no longer than any page may be"


@pytest.mark.parametrize(
    ("path", "subject", "expected", "found"),
    [
        ("/batches?stauts=failed", "stauts", "status", "failed"),
        ("/batches?status=broken", "status", "pending", "broken"),
        ("/batches?sort=size", "sort", "import_queue", "size"),
        ("/batches?updated_after=yesterday", "updated_after", "2026-", "yesterday"),
        ("/batches?limit=201", "limit", "200", "201"),
        ("/batches?limit=many", "limit", "int", "many"),
        ("/jobs?failed_by=x", "failed_by", "int", "x"),
        ("/audit?action=flew", "action", "batch_found", "flew"),
        ("/events?formt=ndjson", "formt", "format", "ndjson"),
        ("/operations?verb=fly", "verb", "queue", "fly"),
        ("/trash?kind=cat", "kind", "gallery", "cat"),
        ("/batches?format=csv&cursor=abc", "cursor", "none", "abc"),
        ("/batches?q=a&q=b", "q", "once", None),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(
    api: Script, path: str, subject: str, expected: str, found: str | None
) -> None:
    answer = api.client.get(f"/api/v1{path}")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["type"] == f"urn:lading:error:{problem['code']}"
    assert problem["subject"] == subject
    assert expected in problem["expected"]
    if found is not None:
        assert found in problem["found"]
    assert problem["hint"]
    assert problem["request_id"] == answer.headers.get("x-request-id", problem["request_id"])


def test_a_body_with_an_unknown_field_is_refused(api: Script) -> None:
    problem = api.send("POST", "/engine/pause", {"why": "x", "for": "1h"}, status=400)
    assert "for" in problem["found"]
    problem = api.send("POST", "/selections", {"resource": "batches"}, status=400)
    assert problem["code"] == "bad_filter"


@pytest.mark.parametrize(
    "path",
    [
        "/batches/nothing-of-the-kind",
        "/jobs/999999",
        "/operations/op_nothing",
        "/selections/sel_nothing",
        "/problems/item.node2.nothing",
        "/assets/nothing",
        "/containers/events/999999",
        "/sites/nothing",
        "/packages/nothing",
        "/sources/nothing",
        "/scans/999999",
        "/users/nobody",
        "/nothing",
    ],
)
def test_what_is_not_there_is_404_with_a_next_step(api: Script, path: str) -> None:
    problem = api.get(path, status=404)
    assert problem["status"] == 404
    assert problem["next_step"]


def test_a_filter_narrows_as_it_does_on_the_page(api: Script) -> None:
    whole = api.get("/batches?limit=200")["items"]
    for state in BatchState:
        some = api.get(f"/batches?status={state.value}&limit=200")["items"]
        assert some == [item for item in whole if item["state"] == state.value]
    prefix = whole[0]["key"][:8]
    assert [b["key"] for b in api.get(f"/batches?q={prefix}")["items"]] == [
        b["key"] for b in whole if b["key"].startswith(prefix)
    ]


def test_who_asks_is_told_what_they_may_do(served_data: Served) -> None:
    with script(served_data, Role.OPERATOR, [Permission.READ], name="reader") as reader:
        me = reader.get("/me")
        assert me["actor"].startswith("token:otto/reader")
        assert me["permissions"] == ["read"]
        assert reader.get("/users", status=403)["code"] == "not_permitted"
        assert {t["account_name"] for t in reader.get("/tokens")["items"]} == {"otto"}
        assert "secret" not in json.dumps(reader.get("/tokens")["items"][0])


def test_the_description_names_every_answer_and_every_error(document: dict[str, Any]) -> None:
    paths = {path: item for path, item in document["paths"].items() if path.startswith("/api/v1/")}
    assert len(paths) > 60
    for path, item in paths.items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["tags"], where
            responses = operation["responses"]
            assert {"400", "401", "403", "404", "409", "422", "429", "503"} <= set(responses), where
            for status, response in responses.items():
                (media_type, *_) = response["content"]
                wanted = "application/json" if status < "300" else "application/problem+json"
                assert media_type == wanted, f"{where} {status}"
                assert response["content"][media_type]["schema"], f"{where} {status}"
            if method != "get":
                names = {parameter["name"] for parameter in operation["parameters"]}
                assert "Idempotency-Key" in names, where
                assert "dry_run" in names or path.endswith("/test"), where
