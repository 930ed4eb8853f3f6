"""What changes something through the API: rehearsed without a trace, done once, never overrun."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from lading.accounts.values import Permission, Role
from lading.bootstrap import open_lading
from lading.console.app import create_app
from lading.testing.console_data import PEOPLE, read_installation
from tests.console.api_client import Script, differences, picture, script
from tests.console.browser.serving import Served

Serve = Callable[[str], Served]
NOT_REHEARSED = {
    *{"POST /sources/{name}/test", "POST /archive/validate"},  # they change nothing
    "POST /archive/runs",  # needs an archive; its own tests rehearse it
    # need recordings, or photos; their own tests rehearse them
    "POST /recordings/ingest",
    "POST /recordings/{recording_hash}/verify",
    "POST /recordings/{recording_hash}/download",
    "POST /photos/duplicates/decisions",
    "POST /photos/folders/scan",
    "POST /photos/folders/faces",
    "POST /lab/runs",
    "POST /people",
    "PATCH /people/{person_id}",
    "POST /people/{person_id}/references",
    "DELETE /people/{person_id}/references/{reference}",
    "POST /people/merge",
    "POST /people/{person_id}/unmerge",
    "POST /people/scan",
    "POST /people/match",
    "POST /faces/decisions",
    "POST /faces/decisions/{event}/undo",
    "POST /faces/{face_id}/assign",
    "POST /face-settings",
    "POST /photos/{content_hash}/unstack",
    "POST /photos/sorts",
    "POST /photos/sorts/{key}/undo",
}


@pytest.fixture(scope="module")
def rehearsing(served: Serve) -> Served:
    """Nothing of what is done here stays, so it may be looked at by others, too."""
    return served("imported")


@pytest.fixture(scope="module")
def api(rehearsing: Served) -> Iterator[Script]:
    with script(rehearsing, name="changes") as one:
        yield one


def known(api: Script, served: Served) -> dict[str, Any]:
    """Names of things that are there, to fill into addresses and bodies."""
    assets = api.get("/assets?limit=200")["items"]
    batch = api.get("/batches?status=imported")["items"][0]
    seen = next(a for a in assets if "north" in a["sites"])
    hidden = next(a for a in assets if not a["sites"])
    gallery = api.get("/containers/galleries")["items"][0]
    served.session_of(Role.ADMIN)
    return {
        "batch": batch,
        "asset": hidden,
        "seen": seen,
        "gallery": f"gallery:{gallery['key']}",
        "fingerprint": api.get("/problems")["items"][0]["group"]["fingerprint"],
        "operation": api.get("/operations?verb=delete")["items"][0]["key"],
        "token": api.get("/tokens")["items"][0]["id"],
        "session": api.get("/me/sessions")["items"][0]["id"],
    }


def bodies(facts: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], Any]]:
    """For each change: what its address needs, and a body that would be done."""
    batch, asset = facts["batch"], facts["asset"]
    key, site, package = {"key": batch["key"]}, {"key": "north"}, {"key": "lake-package"}
    problem, ada = {"fingerprint": facts["fingerprint"]}, {"name": "ada"}
    names = {"names": [asset["content_hash"], facts["gallery"]]}
    hashes = {"hashes": [asset["content_hash"], "ab" * 32]}
    return {
        "POST /engine/pause": ({}, {"why": "the disk is being replaced"}),
        "POST /engine/resume": ({}, None),
        "POST /sources/{name}/scans": ({"name": "node2"}, {"accept_root": True}),
        "POST /batches/{key}/preflight": (key, {"check_bytes": True}),
        "POST /batches/{key}/retry": (key, {"priority": 3}),
        "POST /selections": ({}, {"resource": "batches", "filter": {"status": "imported"}}),
        "PATCH /selections/{key}": (
            {"key": facts["selection"]},
            {"add": [batch["id"]], "remove": [facts["selected"]]},
        ),
        "POST /operations": ({}, {"verb": "delete", "resource": "assets", "ids": [asset["id"]]}),
        "POST /operations/{key}/undo": ({"key": facts["operation"]}, None),
        "POST /problems/{fingerprint}/ack": (problem, {"note": "known"}),
        "POST /problems/{fingerprint}/snooze": (problem, {"snooze_s": 3600}),
        "POST /problems/{fingerprint}/unack": (problem, None),
        "POST /problems/{fingerprint}/retry": (problem, None),
        "POST /sites": ({}, {"key": "west", "name": "Western archive"}),
        "PATCH /sites/{key}": (site, {"name": "The north"}),
        "POST /sites/{key}/grant": (site, names),
        "POST /sites/{key}/revoke": (site, {"names": [facts["seen"]["content_hash"]]}),
        "POST /sites/{key}/allow": (site, hashes),
        "POST /sites/{key}/disallow": (site, hashes),
        "POST /sites/{key}/attach": (site, {"package": "lake-package"}),
        "POST /sites/{key}/detach": ({"key": "south"}, {"package": "lake-package"}),
        "POST /packages": ({}, {"key": "hill-package", "name": "About the hill"}),
        "PATCH /packages/{key}": (package, {"name": "The lake"}),
        "POST /packages/{key}/add": (package, names),
        "POST /packages/{key}/remove": (package, names),
        "POST /users": ({}, {"name": "nora", "role": "viewer"}),
        "PATCH /users/{name}": ({"name": "otto"}, {"role": "viewer", "disabled": True}),
        "POST /users/{name}/password": (ada, None),
        "POST /tokens": ({}, {"name": "nightly", "permissions": ["read"], "expires_in_days": 7}),
        "DELETE /tokens/{token_id}": ({"token_id": facts["token"]}, None),
        "PATCH /me/preferences": ({}, {"theme": "dark"}),
        "DELETE /me/sessions": ({}, None),
        "DELETE /me/sessions/{session_id}": ({"session_id": facts["session"]}, None),
    }


def test_every_change_can_be_rehearsed_and_leaves_no_trace(api: Script, rehearsing: Served) -> None:
    facts = known(api, rehearsing)
    made = api.send("POST", "/selections", {"resource": "batches", "ids": [1, 2]}, status=201)
    facts |= {"selection": made["result"]["key"], "selected": 2}
    cases = bodies(facts)
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in api.get("/openapi.json")["paths"].items()
        for method in item
        if method != "get"
    }
    assert described - NOT_REHEARSED == set(cases)
    before = picture(rehearsing.lading.db)
    wrong = []
    for name, (fill, body) in cases.items():
        method, path = name.split(" ")
        answer = api.raw(method, path.format(**fill), body, params={"dry_run": "true"})
        if answer.status_code != 200 or answer.json()["dry_run"] is not True:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:300]}")
        changed = differences(before, picture(rehearsing.lading.db))
        if changed:
            wrong.append(f"{name} left traces in {', '.join(changed)}")
            before = picture(rehearsing.lading.db)
    assert not wrong, "\n".join(wrong)


def test_a_rehearsal_says_what_would_be_and_shows_no_secret(
    api: Script, rehearsing: Served
) -> None:
    told = api.send("PATCH", "/users/otto?dry_run=true", {"role": "viewer"})
    assert told["result"]["role"] == "viewer"
    assert rehearsing.accounts.get("otto").role is Role.OPERATOR
    made = api.send("POST", "/users?dry_run=true", {"name": "nora", "role": "viewer"})
    assert made["result"]["account"]["name"] == "nora"
    assert made["result"]["password"] is None
    body = {"name": "nightly", "permissions": ["read"]}
    assert api.send("POST", "/tokens?dry_run=true", body)["result"]["secret"] is None
    assert api.send("POST", "/users/ada/password?dry_run=true")["result"]["password"] is None
    north = api.send("PATCH", "/sites/north?dry_run=true", {"name": "The north"})
    assert north["result"]["name"] == "The north"
    assert api.get("/sites/north")["site"]["name"] != "The north"


def test_a_rehearsal_refuses_what_would_be_refused(api: Script) -> None:
    last = api.send("PATCH", "/users/ada?dry_run=true", {"disabled": True}, status=409)
    assert last["code"] == "last_admin"
    taken = api.send("POST", "/sites?dry_run=true", {"key": "north", "name": "X"}, status=409)
    assert taken["code"] == "key_taken"
    body = {"verb": "queue", "resource": "assets", "ids": [1]}
    assert api.send("POST", "/operations?dry_run=true", body, status=400)["code"] == "bad_operation"


def test_what_was_foreseen_is_what_is_done_and_can_be_taken_back(serve_own: Serve) -> None:
    served = serve_own("imported")
    with script(served) as api:
        chosen = api.send(
            "POST", "/selections", {"resource": "assets", "filter": {"site": "north"}}, status=201
        )["result"]
        assert chosen["count"] == api.get("/assets?site=north")["count"]["value"]
        body = {"verb": "delete", "selection": chosen["key"]}
        foreseen = api.send("POST", "/operations?dry_run=true", body)
        assert foreseen["preview"]["eligible"] == chosen["count"]
        answer = api.raw("POST", "/operations", body)
        assert answer.status_code == 200
        done = answer.json()
        assert answer.headers["location"] == f"/api/v1/operations/{done['key']}"
        assert done["totals"]["done"] == foreseen["preview"]["eligible"]
        results = api.all(f"/operations/{done['key']}/results?outcome=done")
        assert len(results) == chosen["count"]
        assert api.get("/assets?site=north")["count"]["value"] == 0
        back = api.send("POST", f"/operations/{done['key']}/undo?dry_run=true")
        assert back["preview"]["eligible"] == chosen["count"]
        undone = api.send("POST", f"/operations/{done['key']}/undo")
        assert undone["undoes"] == done["key"]
        assert api.get("/assets?site=north")["count"]["value"] == chosen["count"]
        again = api.send("POST", f"/operations/{done['key']}/undo", status=409)
        assert again["code"] == "not_undoable"


def test_what_a_worker_has_to_do_is_accepted_and_named(serve_own: Serve) -> None:
    served = serve_own("imported")
    with script(served) as api:
        answer = api.raw("POST", "/sources/node2/scans", {})
        assert answer.status_code == 202
        job_id = answer.json()["result"]["job_id"]
        assert answer.headers["location"] == f"/api/v1/jobs/{job_id}"
        assert api.get(f"/jobs/{job_id}")["job"]["state"] == "queued"
        assert api.get("/queue")["depth"]["value"] == 1
        batch = api.get("/batches?status=imported")["items"][0]
        answer = api.raw("POST", f"/batches/{batch['key']}/preflight", {})
        assert answer.status_code in {200, 202}
        assert answer.json()["verb"] == "preflight"


def test_the_engine_is_paused_and_resumed(serve_own: Serve) -> None:
    with script(serve_own("empty")) as api:
        done = api.send("POST", "/engine/pause", {"why": "a disk is replaced"})
        assert done["result"]["paused_by"].startswith("token:ada/script")
        engine = api.get("/engine")
        assert (engine["paused"], engine["pause_why"]) == (True, "a disk is replaced")
        api.send("POST", "/engine/resume")
        assert not api.get("/engine")["paused"]


def test_a_problem_is_acknowledged_shown_again_and_retried(serve_own: Serve) -> None:
    with script(serve_own("failing")) as api:
        before = api.get("/problems")["count"]["value"]
        groups = [card["group"] for card in api.get("/problems")["items"]]
        group = next(group for group in groups if group["kind"] == "job")
        path = f"/problems/{group['fingerprint']}"
        foreseen = api.send("POST", f"{path}/ack?dry_run=true", {})
        assert foreseen["preview"]["eligible"] == group["count"]
        api.send("POST", f"{path}/ack", {"note": "known"})
        assert api.get("/problems")["count"]["value"] == before - 1
        assert api.get("/problems?with_acknowledged=true")["count"]["value"] == before
        api.send("POST", f"{path}/unack")
        assert api.get("/problems")["count"]["value"] == before
        assert api.get(path)["problems"]["items"]
        source = next(group for group in groups if group["kind"] == "source")
        rehearsed = api.send("POST", f"/problems/{source['fingerprint']}/retry?dry_run=true")
        assert rehearsed == {"dry_run": True, "operation": None, "job_id": None, "preview": None}
        begun = api.send("POST", f"/problems/{source['fingerprint']}/retry")
        assert api.get(f"/jobs/{begun['job_id']}")["job"]["kind"] == "scan"


def test_sites_and_packages_are_set_up_filled_and_emptied(serve_own: Serve) -> None:
    with script(serve_own("imported")) as api:
        asset = next(a for a in api.get("/assets?limit=200")["items"] if not a["sites"])
        content = asset["content_hash"]
        sight = f"/assets/{content}/visibility?site=west"
        answer = api.raw("POST", "/sites", {"key": "west", "name": "Western archive"})
        assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/sites/west")
        assert not api.get(sight)["visible"]
        done = api.send("POST", "/sites/west/grant", {"names": [content]})
        assert done == {"dry_run": False, "result": {"key": "west", "changed": 1}}
        assert api.get(sight)["visible"]
        assert api.send("POST", "/sites/west/grant", {"names": [content]})["result"]["changed"] == 0
        api.send("POST", "/sites/west/revoke", {"names": [content]})
        api.send("POST", "/packages", {"key": "hill", "name": "The hill"}, status=201)
        api.send("POST", "/packages/hill/add", {"names": [content]})
        api.send("POST", "/sites/west/attach", {"package": "hill"})
        assert [route["kind"] for route in api.get(sight)["routes"]] == ["access_package"]
        api.send("POST", "/sites/west/detach", {"package": "hill"})
        api.send("POST", "/sites/west/allow", {"hashes": [content, "ab" * 32]})
        west = api.get("/sites/west")
        assert west["summary"]["awaited"] == 1
        assert {e["content_hash"] for e in west["allowed"]["items"]} == {content, "ab" * 32}
        unclear = api.send("POST", "/sites/west/grant", {"names": ["the lake"]}, status=400)
        assert unclear["code"] == "name_unclear"


@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        ("/users/otto", {"role": "viewer"}, {"display_name": "Otto B."}),
        ("/sites/north", {"name": "The north"}, {"name": "Northern things"}),
        ("/packages/lake-package", {"name": "The lake"}, {"name": "Lakes"}),
    ],
)
def test_an_edit_of_what_changed_meanwhile_is_refused_with_both_versions(
    serve_own: Serve, path: str, first: Mapping[str, str], second: Mapping[str, str]
) -> None:
    with script(serve_own("imported")) as api:
        seen = api.client.get(f"/api/v1{path}").headers["etag"]
        answer = api.raw("PATCH", path, first, headers={"If-Match": seen})
        assert answer.status_code == 200
        refused = api.send("PATCH", path, second, headers={"If-Match": seen}, status=409)
        assert refused["code"] == "changed_meanwhile"
        assert first.items() <= refused["current"].items()
        assert {k: v for k, v in refused["yours"].items() if v is not None} == second
        assert refused["found"] == answer.headers["etag"]
        api.send("PATCH", path, second, headers={"If-Match": refused["found"]})
        api.send("PATCH", path, first)


def test_an_account_is_changed_as_a_whole_or_not_at_all(serve_own: Serve) -> None:
    served = serve_own("empty")
    with script(served) as api:
        body = {"display_name": "Ada L.", "role": "viewer"}
        assert api.send("PATCH", "/users/ada", body, status=409)["code"] == "last_admin"
        assert served.accounts.get("ada").display_name == "Ada"
        api.send("PATCH", "/users/otto", {"disabled": True})
        assert served.accounts.get("otto").disabled_at is not None
        api.send("PATCH", "/users/otto", {"disabled": False})
        assert served.accounts.get("otto").disabled_at is None


def test_a_repeated_request_acts_once_and_is_answered_the_same(serve_own: Serve) -> None:
    served = serve_own("imported")
    with script(served) as api:
        body = {"resource": "batches", "filter": {}}
        headers = {"Idempotency-Key": "the-first-of-june"}
        first = api.raw("POST", "/selections", body, headers=headers)
        before = picture(served.lading.db)
        second = api.raw("POST", "/selections", body, headers=headers)
        assert (first.status_code, second.status_code) == (201, 201)
        assert second.json() == first.json()
        assert second.headers["location"] == first.headers["location"]
        assert second.headers["idempotency-replayed"] == "true"
        assert differences(before, picture(served.lading.db)) == []
        other = {"resource": "jobs", "filter": {}}
        reused = api.send("POST", "/selections", other, headers=headers, status=422)
        assert reused["code"] == "idempotency_key_reused"


def test_who_may_no_longer_do_it_is_not_told_what_came_of_it(serve_own: Serve) -> None:
    served = serve_own("imported")
    body = {"resource": "batches", "filter": {}}
    headers = {"Idempotency-Key": "before-the-change"}
    may = (Permission.READ, Permission.OPERATE)
    with script(served, Role.OPERATOR, may) as api:
        assert api.raw("POST", "/selections", body, headers=headers).status_code == 201
        served.accounts.set_role(PEOPLE[Role.OPERATOR].name, Role.VIEWER, actor="user:ada")
        assert api.raw("POST", "/selections", body, headers=headers).status_code == 403


def test_a_repeated_request_acts_once_also_after_a_restart(
    installation: Callable[[str], Any],
) -> None:
    folder = installation("imported")
    answers = []
    secret = ""
    for _ in range(2):
        with open_lading(read_installation(folder)) as lading:
            app = create_app(lading, host="127.0.0.1", port=80)
            accounts = app.state.live.console.accounts
            if not secret:
                account = accounts.get(PEOPLE[Role.ADMIN].name)
                secret = accounts.create_token(
                    account.id, "t", set(Permission), expires_in_s=60, actor="user:ada"
                ).secret
            headers = {"authorization": f"Bearer {secret}", "Idempotency-Key": "once"}
            with TestClient(app, base_url="http://127.0.0.1") as client:
                answers.append(client.post("/api/v1/sources/node2/scans", json={}, headers=headers))
                operations = client.get("/api/v1/jobs?kind=scan", headers=headers).json()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert operations["count"]["value"] == 1


def test_of_many_requests_with_one_key_one_acts(serve_own: Serve) -> None:
    served = serve_own("imported")
    with script(served) as api:
        count = api.get("/operations")["count"]["value"]
        asset = api.get("/assets")["items"][0]
        body = {"verb": "delete", "resource": "assets", "ids": [asset["id"]]}
        barrier = threading.Barrier(6)
        answers: list[httpx.Response] = []

        def ask() -> None:
            with httpx.Client(
                base_url=served.origin, headers=api.client.headers, timeout=60
            ) as client:
                barrier.wait()
                answers.append(
                    client.post(
                        "/api/v1/operations", json=body, headers={"Idempotency-Key": "together"}
                    )
                )

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = {answer.status_code for answer in answers}
        assert 200 in told
        assert told <= {200, 409}
        assert len({a.json()["key"] for a in answers if a.status_code == 200}) == 1
        assert {a.json()["code"] for a in answers if a.status_code == 409} <= {
            "idempotency_key_in_use"
        }
        assert api.get("/operations")["count"]["value"] == count + 1


def test_a_request_that_failed_gives_its_key_back(serve_own: Serve) -> None:
    with script(serve_own("empty")) as api:
        headers = {"Idempotency-Key": "again"}
        body = {"name": "nora", "role": "admin"}
        api.send("POST", "/users?dry_run=maybe", body, headers=headers, status=400)
        api.send("POST", "/users", body, headers=headers, status=201)


def test_a_secret_is_told_once_and_a_repetition_makes_no_second_one(serve_own: Serve) -> None:
    served = serve_own("empty")
    with script(served) as api:
        headers = {"Idempotency-Key": "a-token"}
        body = {"name": "nightly", "permissions": ["read"], "expires_in_days": 7}
        made = api.send("POST", "/tokens", body, headers=headers, status=201)["result"]
        secret = made["secret"]
        assert re.fullmatch(r"lad_\S+", secret)
        again = api.send("POST", "/tokens", body, headers=headers, status=422)
        assert again["code"] == "secret_shown"
        assert secret not in repr(picture(served.lading.db))
        with httpx.Client(
            base_url=served.origin, headers={"authorization": f"Bearer {secret}"}
        ) as client:
            assert client.get("/api/v1/me").json()["permissions"] == ["read"]
            api.send("DELETE", f"/tokens/{made['token']['id']}")
            assert client.get("/api/v1/me").status_code == 401


def test_a_page_of_the_console_may_use_the_api_with_the_proof_of_its_session(
    serve_own: Serve,
) -> None:
    served = serve_own("empty")
    cookies, proof = served.cookies_of(Role.OPERATOR), served.csrf_of(Role.OPERATOR)
    with httpx.Client(
        base_url=served.origin, cookies=cookies, headers={"origin": served.origin}
    ) as client:
        body = {"why": "because"}
        refused = client.post("/api/v1/engine/pause", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_refused")
        done = client.post("/api/v1/engine/pause", json=body, headers={"X-CSRF-Token": proof})
        assert done.status_code == 200
        assert done.json()["result"]["paused_by"] == "user:otto"


def test_sessions_end_and_the_one_in_use_stays(serve_own: Serve) -> None:
    served = serve_own("empty")
    person = PEOPLE[Role.VIEWER]
    for _ in range(2):
        served.accounts.sign_in(person.name, person.password, address=None, user_agent=None)
    with httpx.Client(
        base_url=served.origin,
        cookies=served.cookies_of(Role.VIEWER),
        headers={"origin": served.origin, "x-csrf-token": served.csrf_of(Role.VIEWER)},
    ) as client:
        open_ones = client.get("/api/v1/me/sessions").json()["items"]
        answer = client.delete("/api/v1/me/sessions")
        assert answer.json()["result"]["sessions"] == len(open_ones) - 1
        left = client.get("/api/v1/me/sessions").json()["items"]
        assert [s["id"] for s in left] == [client.get("/api/v1/me").json()["session"]["id"]]
        answer = client.patch("/api/v1/me/preferences", json={"theme": "dark"})
        assert client.get("/api/v1/me/preferences").json()["theme"] == "dark"
        refused = client.patch("/api/v1/me/preferences", json={"theme": "pink"})
        assert refused.status_code == 422
