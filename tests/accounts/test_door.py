"""The console's door: sign-in, sessions, tokens, CSRF, guards and headers, through a real app."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, get
from litestar.connection import ASGIConnection

from lading.accounts.accounts import Accounts
from lading.accounts.values import Permission, Role
from lading.console.security import Entrance, requires, unguarded
from lading.console.security.csrf import FORM_BYTES_MAX
from lading.console.security.guards import permission_of
from lading.console.security.headers import POLICY
from lading.settings.console import ConsoleSettings
from tests.accounts.door import HERE, application, browser, proof, sign_in
from tests.accounts.people import PASSWORD, settled

TLS = ConsoleSettings(public_url="https://lading.example.org")


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_signing_in_opens_a_session_and_leads_back(accounts: Accounts) -> None:
    settled(accounts, "ana")
    with browser(application(accounts)) as client:
        assert code(client.get("/things")) == (401, "not_signed_in")
        page = client.get("/sign-in?next=/things?state=failed")
        assert page.status_code == 200
        assert 'value="/things?state=failed"' in page.text
        entered = sign_in(client, "Ana", next="/things?state=failed")
        assert (entered.status_code, entered.headers["location"]) == (303, "/things?state=failed")
        cookie = entered.headers["set-cookie"]
        assert cookie.startswith("lading_session=")
        for word in ("HttpOnly", "SameSite=lax", "Path=/"):
            assert word in cookie
        assert "Secure" not in cookie
        assert client.get("/things").text == "user:ana"
        assert client.get("/sign-in").status_code == 303
        gone = client.post("/sign-out", data={"_csrf": proof(client)})
        assert (gone.status_code, gone.headers["location"]) == (303, "/sign-in")
        assert code(client.get("/things")) == (401, "not_signed_in")
    assert accounts.list_sessions(accounts.get("ana").id) == []


def test_a_session_of_before_is_no_good_after_signing_out_or_in_again(few: Accounts) -> None:
    settled(few, "ana")
    app = application(few)
    with browser(app) as client:
        sign_in(client, "ana")
        first = client.cookies["lading_session"]
        sign_in(client, "ana", _csrf=proof(client))
        assert client.cookies["lading_session"] != first
    with browser(app) as thief:
        thief.cookies.set("lading_session", first)
        assert code(thief.get("/things")) == (401, "not_signed_in")


def test_behind_tls_cookies_are_for_this_host_and_tls_alone(few: Accounts) -> None:
    settled(few, "ana")
    app = application(few, TLS)
    with browser(app, base_url="https://lading.example.org") as client:
        entered = sign_in(client, "ana")
        cookie = entered.headers["set-cookie"]
        assert cookie.startswith("__Host-lading_session=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert "max-age=31536000" in entered.headers["strict-transport-security"]
        assert client.get("/things").text == "user:ana"


def test_a_refused_sign_in_says_so_on_the_page_and_keeps_the_name(few: Accounts) -> None:
    settled(few, "ana")
    with browser(application(few)) as client:
        refused = sign_in(client, '"><b>', "wrong")
        assert refused.status_code == 401
        assert 'role="alert"' in refused.text
        assert "&#34;&gt;&lt;b&gt;" in refused.text
        assert "<b>" not in refused.text
        for _ in range(few.limits.attempts_per_name):
            refused = sign_in(client, "ana", "wrong")
        assert "wrong" not in refused.text.replace("password is wrong", "")
        blocked = sign_in(client, "ana")
        assert blocked.status_code == 429
        assert int(blocked.headers["retry-after"]) > 0
        assert "set-cookie" not in blocked.headers
        nothing = client.post("/sign-in")
        assert nothing.status_code in {400, 401}


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/x",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "/sign-out",
        "/sign-in?next=/",
        "/api/v1/me",
        "things",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(few: Accounts, target: str) -> None:
    settled(few, "ana")
    with browser(application(few)) as client:
        assert sign_in(client, "ana", next=target).headers["location"] == "/"


def test_with_a_one_time_password_nothing_goes_but_changing_it(few: Accounts) -> None:
    made = few.create("ana", role=Role.ADMIN, actor="test")
    with browser(application(few)) as client:
        entered = sign_in(client, "ana", made.password, next="/things")
        assert entered.headers["location"] == "/password?next=/things"
        assert code(client.get("/things")) == (403, "password_change_needed")
        page = client.get("/password?next=/things")
        assert "Choose one that only you know" in page.text
        fields = {"_csrf": proof(client), "current": made.password, "next": "/things"}
        for wrong in (
            {"new": PASSWORD, "repeat": "something else"},
            {"new": "short", "repeat": "short"},
            {"new": PASSWORD, "repeat": PASSWORD, "current": "wrong"},
        ):
            answer = client.post("/password", data={**fields, **wrong})
            assert answer.status_code in {401, 422}
            assert 'role="alert"' in answer.text
            assert PASSWORD not in answer.text
        done = client.post("/password", data={**fields, "new": PASSWORD, "repeat": PASSWORD})
        assert (done.status_code, done.headers["location"]) == (303, "/things")
        assert client.get("/things").text == "user:ana"


def test_a_form_of_a_session_needs_its_proof(accounts: Accounts) -> None:
    settled(accounts, "ana")
    app = application(accounts)
    with browser(app) as other:
        sign_in(other, "ana")
        proof_of_other_session = proof(other)
    with browser(app) as client:
        sign_in(client, "ana")
        mine = proof(client)
        for form in ({}, {"_csrf": ""}, {"_csrf": "é"}, {"_csrf": proof_of_other_session}):
            assert code(client.post("/things", data={"a": "1", **form})) == (403, "csrf_refused")
        assert client.post("/things", data={"a": "1", "_csrf": mine}).json() == {"a": "1"}
        in_parts = {"a": (None, "1"), "_csrf": (None, mine)}
        assert code(client.post("/things", files=in_parts)) == (415, "form_in_parts")
        assert client.post("/things", data={"a": "2"}, headers={"X-CSRF-Token": mine}).json() == {
            "a": "2"
        }
        assert code(client.post("/api/v1/things", json={"a": 1})) == (403, "csrf_refused")
        posted = client.post("/api/v1/things", json={"a": 1}, headers={"X-CSRF-Token": mine})
        assert posted.json() == {"given": {"a": 1}}
        wrong_header = {"X-CSRF-Token": "0" * 64}
        refused = client.post("/things", data={"_csrf": mine}, headers=wrong_header)
        assert code(refused) == (403, "csrf_refused")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": HERE}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": f"{HERE}.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site", "origin": HERE}, False),
    ],
)
def test_no_other_site_can_sign_anybody_in_or_post_for_them(
    few: Accounts, headers: dict[str, str], allowed: bool
) -> None:
    settled(few, "ana")
    with browser(application(few)) as client:
        form = {"name": "ana", "password": PASSWORD}
        entered = client.post("/sign-in", data=form, headers=headers)
        assert entered.status_code == (303 if allowed else 403)
        assert ("set-cookie" in entered.headers) == allowed
        sign_in(client, "ana", **({"_csrf": proof(client)} if allowed else {}))
        data = {"_csrf": proof(client)}
        posted = client.post("/things", data=data, headers=headers)
        assert posted.status_code == (200 if allowed else 403)
        assert client.get("/things", headers=headers).status_code == 200


def test_the_public_address_is_an_origin_of_ours_behind_a_proxy(few: Accounts) -> None:
    settled(few, "ana")
    with browser(application(few, TLS)) as client:
        form = {"name": "ana", "password": PASSWORD}
        for origin, status in (
            ("https://lading.example.org", 303),
            ("http://lading.example.org", 403),
        ):
            posted = client.post("/sign-in", data=form, headers={"origin": origin})
            assert posted.status_code == status, origin


def test_a_form_that_is_too_large_is_refused(few: Accounts) -> None:
    settled(few, "ana")
    with browser(application(few)) as client:
        sign_in(client, "ana")
        large = b"a=" + b"x" * FORM_BYTES_MAX
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert code(client.post("/things", content=large, headers=form)) == (413, "body_too_large")
        endless = (large[at : at + 65_536] for at in range(0, len(large), 65_536))
        assert code(client.post("/things", content=endless, headers=form)) == (
            413,
            "body_too_large",
        )
        allowed = {**form, "X-CSRF-Token": proof(client)}
        assert client.post("/things", content=large, headers=allowed).status_code == 200


def test_a_token_needs_no_proof_and_goes_before_a_cookie(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    token = accounts.create_token(
        ana.id, "nightly", {Permission.READ, Permission.OPERATE}, expires_in_s=60, actor="test"
    )
    bearer = {"authorization": f"Bearer {token.secret}", "origin": "http://elsewhere.example"}
    with browser(application(accounts)) as client:
        assert client.get("/things", headers=bearer).text == "token:ana/nightly"
        posted = client.post("/api/v1/things", json=[1], headers=bearer)
        assert posted.json() == {"given": [1]}
        assert code(client.get("/password", headers=bearer)) == (401, "not_signed_in")
        sign_in(client, "ana")
        assert client.get("/things", headers=bearer).text == "token:ana/nightly"
        wrong = {"authorization": f"Bearer {token.secret[:-1]}x"}
        refused = client.post("/api/v1/things", json=[1], headers=wrong)
        assert code(refused) == (401, "not_signed_in")
        assert refused.headers["www-authenticate"] == "Bearer"
        # What a proxy in front of us asks for is no concern of ours.
        assert client.get("/things", headers={"authorization": "Basic eDp5"}).text == "user:ana"


def test_who_may_not_is_told_so_whatever_they_ask_with(accounts: Accounts) -> None:
    viewer = settled(accounts, "vera", Role.VIEWER)
    token = accounts.create_token(
        viewer.id, "look", {Permission.READ}, expires_in_s=60, actor="test"
    )
    with browser(application(accounts)) as client:
        sign_in(client, "vera")
        assert client.get("/things").status_code == 200
        assert code(client.post("/things", data={"_csrf": proof(client)})) == (
            403,
            "not_permitted",
        )
        assert code(client.get("/own")) == (403, "not_permitted")
        client.cookies.clear()
        bearer = {"authorization": f"Bearer {token.secret}"}
        assert code(client.post("/api/v1/things", json=1, headers=bearer)) == (403, "not_permitted")


def test_every_answer_has_its_headers_that_of_a_missing_page_too(few: Accounts) -> None:
    settled(few, "ana", Role.ADMIN)
    with browser(application(few)) as client:
        assert client.get("/sign-in").headers["content-type"] == "text/html; charset=utf-8"
        sign_in(client, "ana")
        for path, status in (("/health", 200), ("/nowhere", 404), ("/sign-in", 303)):
            answer = client.get(path)
            assert answer.status_code == status
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cache-control"] == "no-store"
            assert "strict-transport-security" not in answer.headers
            assert len(answer.headers["x-request-id"]) == 36
        assert client.get("/own").headers["cache-control"] == "private, max-age=5"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-12345", True), ("short", False), ("a" * 65, False), ("a b c d e", False)],
)
def test_a_request_keeps_a_name_that_is_harmless(few: Accounts, given: str, kept: bool) -> None:
    with browser(application(few)) as client:
        answer = client.get("/health", headers={"x-request-id": given})
        assert (answer.headers["x-request-id"] == given) is kept


def test_a_handler_that_says_nothing_of_who_may_use_it_is_found(few: Accounts) -> None:
    app = application(few)
    assert unguarded(app) == []
    handlers = {route.path: route for route in app.routes}
    assert "/things" in handlers

    @get("/forgotten/{number:int}", sync_to_thread=False)
    def forgotten() -> str:
        return ""

    @get("/guarded", guards=[requires(Permission.READ)], sync_to_thread=False)
    def guarded() -> str:
        return ""

    assert unguarded(Litestar([forgotten, guarded], openapi_config=None)) == [
        "GET /forgotten/{number}"
    ]
    registered = [
        handler
        for route in Litestar([guarded], openapi_config=None).routes
        for handler in getattr(route, "route_handlers", [])
        if "GET" in handler.http_methods
    ]
    assert [permission_of(handler) for handler in registered] == [Permission.READ]


def test_whom_a_trusted_proxy_asks_for_is_who_asks(few: Accounts) -> None:
    settings = ConsoleSettings(trusted_proxies=("10.0.0.0/8",))
    entrance = Entrance(few, settings, str)
    scope: Any = {"type": "http", "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
    for peer, found in (("10.0.0.1", "203.0.113.9"), ("198.51.100.4", "198.51.100.4")):
        scope["client"] = (peer, 80)
        assert entrance.address_of(ASGIConnection(scope)) == found
